//! Baselines: what is normal for each source, offer and event, drawn from completions that nobody disputed.
//!
//! A baseline is a document of whole numbers with a version: the same completions give the same bytes. Only settled
//! completions count: older than the time in which networks take rewards back, credited by the rules, never held, never
//! reversed, and with next to no points. Where there are fewer than [`LEAST_SETTLED`] of them, younger ones count too, and
//! the figures are provisional.
//!
//! | module | what it is |
//! |---|---|
//! | [`completion`] | one completion, and the time since the step before it |
//! | `gathering` | gathers completions in bounded memory |
//! | `figures`, [`logarithm`] | quantiles and robust deviations, in whole numbers |
//! | [`sharing`] | networks whose addresses many people share |
//! | [`shares`] | sub ids that differ from the rest of their network |
//! | `normal` | what rules read of it |

pub mod completion;
mod figures;
mod gathering;
pub mod logarithm;
mod normal;
pub mod shares;
pub mod sharing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::postback::event::Event;
use crate::text::hex;

pub use figures::{Figures, PERCENTS};
pub use gathering::{Gathering, LocatedSource, MAX_OFFERS};
pub use normal::{FromBaseline, Normal, Times};
use shares::OddShare;
use sharing::{SharedNetwork, usual_users};

/// Completions from which figures say enough: honest users are then held in 0.07 % of all cases at 3.5 deviations, with 10
/// completions in 1.6 %.
pub const LEAST_SETTLED: i64 = 100;
/// Completions from which figures are made at all; they weigh less than those of [`LEAST_SETTLED`].
pub const FIGURES_FROM: usize = 50;
/// Days that a baseline looks back.
pub const WINDOW_DAYS: i64 = 60;
/// Days that the share of mismatched countries looks back.
pub const LOCATED_DAYS: i64 = 30;
/// A completion with this score or more is not normal.
pub const SUSPICIOUS_FROM: i64 = 20;
/// How far a ratio may be from the usual one, in percent.
pub const USUAL_RATIO_PERCENT: i64 = 5;
/// Share of completions that have the usual ratio, if there is one.
pub const USUAL_SHARE_PERMILLE: i64 = 950;

/// Raised when the document changes its shape.
const FORMAT: u32 = 1;

/// What is normal, and the version of it. The default is empty.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    version: Arc<str>,
    content: Content,
}

/// The document behind a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    format: u32,
    /// By name.
    sources: Vec<SourceNormal>,
    /// By source, offer and event.
    offers: Vec<OfferNormal>,
    /// By source, sub id and offer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    odd_shares: Vec<OddShare>,
    /// By address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shared_networks: Vec<SharedNetwork>,
}

/// What is normal for one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceNormal {
    /// Name in the settings.
    pub source: String,
    /// Completions of all its offers.
    pub n: i64,
    /// True if too few are settled, so that younger ones count as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// The times of all its offers together: for people, no rule compares with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Figures>,
    /// Rewards of the last [`LOCATED_DAYS`] days whose address and country could be compared.
    pub located: i64,
    /// Those with two different countries.
    pub mismatched: i64,
}

/// What is normal for one offer and event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferNormal {
    /// Name in the settings.
    pub source: String,
    /// The network's id of the offer.
    #[serde(rename = "offer")]
    pub offer_id: String,
    /// Empty if the network names none.
    #[serde(rename = "event", default, skip_serializing_if = "String::is_empty")]
    pub event_id: String,
    /// True if these are all events of the offer together, for events that are too rare to have figures of their own.
    #[serde(rename = "any", default, skip_serializing_if = "std::ops::Not::not")]
    pub any_event: bool,
    /// Completions with a known time.
    pub n: i64,
    /// How many of them are settled.
    pub settled: i64,
    /// True if too few are settled, so that younger ones count as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// `None` with fewer than [`FIGURES_FROM`] completions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Figures>,
    /// `None` with fewer than [`FIGURES_FROM`] completions with reward and payout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
    /// `None` with fewer than [`FIGURES_FROM`] steps after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// The usual reward for a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// Completions in the sample with reward and payout.
    pub n: i64,
    /// The median: millionths of a unit of reward per USD.
    pub micros: i64,
    /// The share within [`USUAL_RATIO_PERCENT`] of it.
    pub near_permille: i64,
}

/// The time between two steps of one click.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Steps after another in the sample.
    pub n: i64,
    /// One in a hundred is shorter.
    pub shortest_ms: i64,
}

/// Why the content of a baseline cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadBaseline {
    /// It is not what a baseline is written as.
    #[error("not the content of a baseline: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A newer program wrote it.
    #[error("format {0} is not known to this version of RewardGate")]
    Format(u32),
}

impl Baseline {
    fn of(content: Content) -> Self {
        let mut baseline = Self { version: Arc::from(""), content };
        baseline.version = hex(&Sha256::digest(baseline.content().as_bytes())[..8]).into();
        baseline
    }

    /// The baseline of a [`Baseline::content`].
    pub fn parse(content: &str) -> Result<Self, BadBaseline> {
        let content: Content = serde_json::from_str(content)?;
        if content.format != FORMAT {
            return Err(BadBaseline::Format(content.format));
        }
        Ok(Self::of(content))
    }

    /// The first 16 hexadecimal digits of the SHA-256 of [`Baseline::content`]; empty if there is no baseline.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The document as JSON: sources and offers in order, whole numbers only.
    pub fn content(&self) -> String {
        // Plain data with text keys: writing it as JSON cannot fail.
        serde_json::to_string(&self.content).unwrap_or_default()
    }

    /// What is normal for `event` of a source; `None` if nothing has been learned of the source.
    pub fn look(&self, source: &str, event: &Event) -> Option<FromBaseline> {
        let known = self.content.sources.iter().find(|known| known.source == source)?;
        let of_offer = event.offer_id.as_deref().and_then(|offer_id| {
            let find = |key| {
                let place = self.content.offers.binary_search_by(|offer| offer.key().cmp(&key)).ok()?;
                self.content.offers.get(place)
            };
            let own = find((source, offer_id, false, event.event_id.as_deref().unwrap_or_default()));
            let is_thin = own.is_none_or(|own| own.n < LEAST_SETTLED);
            let any = find((source, offer_id, true, "")).filter(|any| is_thin && any.n >= LEAST_SETTLED);
            let of_any = any.map(|any| Normal {
                ratio: own.and_then(|own| Normal::from(own).ratio),
                shortest_gap_ms: own.and_then(|own| Normal::from(own).shortest_gap_ms),
                ..Normal::from(any)
            });
            of_any.or_else(|| own.map(Normal::from))
        });
        let is_learned = known.n >= LEAST_SETTLED;
        if of_offer.is_none() && !is_learned {
            return None;
        }
        let key = (
            source,
            event.sub1.as_deref().unwrap_or_default(),
            event.offer_id.as_deref().unwrap_or_default(),
        );
        let odd = self.content.odd_shares.binary_search_by(|odd| odd.key().cmp(&key));
        let usual_sharing = usual_users(&self.content.shared_networks, event.ip.as_deref());
        let mismatch_permille = (known.mismatched.saturating_mul(1_000)).checked_div(known.located);
        Some(FromBaseline {
            normal: of_offer,
            oddity: odd.ok().and_then(|place| self.content.odd_shares.get(place)).map(|odd| odd.oddity),
            mismatch_permille: mismatch_permille.filter(|_| known.located >= LEAST_SETTLED),
            usual_sharing: is_learned.then_some(usual_sharing),
            version: self.version.clone(),
        })
    }

    /// By source, offer and event.
    pub fn offers(&self) -> &[OfferNormal] {
        &self.content.offers
    }

    /// Sub ids that differ from the rest of their network, by source, sub id and offer.
    pub fn odd_shares(&self) -> &[OddShare] {
        &self.content.odd_shares
    }

    /// Networks whose addresses many share, by address.
    pub fn shared_networks(&self) -> &[SharedNetwork] {
        &self.content.shared_networks
    }

    /// By name.
    pub fn sources(&self) -> &[SourceNormal] {
        &self.content.sources
    }
}

impl OfferNormal {
    fn key(&self) -> (&str, &str, bool, &str) {
        (&self.source, &self.offer_id, self.any_event, &self.event_id)
    }
}
