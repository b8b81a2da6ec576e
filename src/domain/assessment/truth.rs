//! Recall and false holds, where somebody knows who cheated.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::rewards::PastReward;
use super::sum::Sum;
use crate::past::format::cells;
use crate::verdict::Decision;

/// Transactions that are known at most: each takes 16 bytes of memory.
const MAX_KNOWN: usize = 10_000_000;
/// Personas at most.
const MAX_PERSONAS: usize = 1_000;

/// What is known of transactions: who made them, and whether it was fraud.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    columns: Option<Columns>,
    /// Id, persona, fraud; sorted by id once everything is read.
    known: Vec<(u64, u16, bool)>,
    personas: Vec<String>,
}

#[derive(Clone, Debug)]
struct Columns {
    tx_id: usize,
    source: usize,
    persona: usize,
    is_fraud: usize,
}

/// A line of the truth that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTruth {
    /// The first line.
    #[error("the first line must name the columns tx_id, source, persona and is_fraud")]
    Header,
    /// Fewer cells than the header, or a quote that is not closed.
    #[error("the line does not have the columns of the header")]
    Cells,
    /// Neither true nor false.
    #[error("is_fraud must be true or false (or yes, no, 1, 0)")]
    IsFraud,
    /// Beyond `MAX_KNOWN` or `MAX_PERSONAS`.
    #[error("more than 10,000,000 transactions or 1,000 personas; split the files")]
    TooMany,
}

impl Truth {
    /// Reads the next line of the CSV.
    pub fn read(&mut self, line: &str) -> Result<(), BadTruth> {
        if line.trim().is_empty() {
            return Ok(());
        }
        // Spreadsheets write a mark in front of the header.
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        let cells = cells(line.trim_end()).ok_or(BadTruth::Cells)?;
        let Some(columns) = &self.columns else {
            let place = |name: &str| {
                let place = cells.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
                place.ok_or(BadTruth::Header)
            };
            self.columns = Some(Columns {
                tx_id: place("tx_id")?,
                source: place("source")?,
                persona: place("persona")?,
                is_fraud: place("is_fraud")?,
            });
            return Ok(());
        };
        let cell = |at: usize| cells.get(at).map(|cell| cell.trim()).ok_or(BadTruth::Cells);
        let is_fraud = match cell(columns.is_fraud)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => true,
            "false" | "0" | "no" => false,
            _ => return Err(BadTruth::IsFraud),
        };
        let (tx_id, source, persona) = (cell(columns.tx_id)?, cell(columns.source)?, cell(columns.persona)?);
        let place = match self.personas.iter().position(|known| known == persona) {
            Some(place) => place,
            None if self.personas.len() < MAX_PERSONAS => {
                self.personas.push(persona.to_owned());
                self.personas.len() - 1
            }
            None => return Err(BadTruth::TooMany),
        };
        if self.known.len() >= MAX_KNOWN {
            return Err(BadTruth::TooMany);
        }
        self.known.push((id(source, tx_id), u16::try_from(place).unwrap_or(u16::MAX), is_fraud));
        Ok(())
    }

    /// Ready to be asked. Of a transaction that was named several times the last line counts.
    #[must_use]
    pub fn complete(mut self) -> Self {
        self.known.sort_by_key(|known| known.0);
        self.known.reverse();
        self.known.dedup_by_key(|known| known.0);
        self.known.reverse();
        self.known.shrink_to_fit();
        self
    }

    /// The persona behind a transaction, and whether it was fraud. The key of a reward may be the transaction with more
    /// behind it (`tx:state`).
    fn of(&self, source: &str, key: &str) -> Option<(&str, bool)> {
        let known = |tx_id: &str| {
            let place = self.known.binary_search_by_key(&id(source, tx_id), |known| known.0).ok()?;
            self.known.get(place)
        };
        let (_, persona, is_fraud) = known(key).or_else(|| known(key.rsplit_once(':')?.0))?;
        Some((self.personas.get(usize::from(*persona))?, *is_fraud))
    }
}

/// Beginning of a digest: two of ten million transactions collide once in 300,000 runs.
fn id(source: &str, tx_id: &str) -> u64 {
    let digest = Sha256::new().chain_update(source).chain_update([0]).chain_update(tx_id).finalize();
    digest.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte))
}

/// How the decisions met the truth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scores {
    /// By persona.
    pub personas: BTreeMap<String, Score>,
    /// Judged credits of which the truth says nothing.
    pub unknown: u64,
}

/// The judged credits of a persona.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Fraud, held or not.
    pub fraud: Sum,
    /// Fraud that was held.
    pub fraud_held: Sum,
    /// Honest, held or not.
    pub honest: Sum,
    /// Honest, but held.
    pub honest_held: Sum,
}

impl Score {
    fn add(&mut self, reward: &PastReward<'_>, is_fraud: bool) {
        let (all, held) = if is_fraud {
            (&mut self.fraud, &mut self.fraud_held)
        } else {
            (&mut self.honest, &mut self.honest_held)
        };
        all.add(reward.currency, reward.reward, reward.payout);
        if reward.decision == Some(Decision::Hold) {
            held.add(reward.currency, reward.reward, reward.payout);
        }
    }

    fn join(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.fraud, &other.fraud),
            (&mut self.fraud_held, &other.fraud_held),
            (&mut self.honest, &other.honest),
            (&mut self.honest_held, &other.honest_held),
        ] {
            sum.count += more.count;
            sum.payout.0 = sum.payout.0.saturating_add(more.payout.0);
        }
    }
}

impl Scores {
    /// Adds a reward, if it was judged.
    pub fn add(&mut self, truth: &Truth, key: &str, reward: &PastReward<'_>) {
        if reward.decision.is_none() || !reward.credit_seen {
            return;
        }
        match truth.of(reward.source, key) {
            Some((persona, is_fraud)) => match self.personas.get_mut(persona) {
                Some(score) => score.add(reward, is_fraud),
                None => self.personas.entry(persona.to_owned()).or_default().add(reward, is_fraud),
            },
            None => self.unknown += 1,
        }
    }

    /// All personas together: numbers and payouts.
    pub fn total(&self) -> Score {
        self.personas.values().fold(Score::default(), |mut total, score| {
            total.join(score);
            total
        })
    }
}
