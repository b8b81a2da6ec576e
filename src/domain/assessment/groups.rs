//! Sources and sub ids, and which of them stand out.

use std::collections::HashMap;

use serde::Serialize;

use super::rewards::PastReward;
use super::sum::Sum;
use crate::reward::Status;
use crate::time::SECOND_MS;
use crate::verdict::Decision;

/// Groups that are told apart. Rewards of further ones count in all other figures.
const MAX_GROUPS: usize = 20_000;
/// Groups that are shown.
const MAX_SHOWN: usize = 20;
/// Rewards that a group needs to say anything.
const LEAST_REWARDS: u64 = 20;
/// A share stands out if it is this many times that of all rewards …
const TIMES: u64 = 2;
/// … and so many percent of the group's rewards at least.
const LEAST_PERCENT: u64 = 10;
/// A median stands out if it is at most this part of that of all.
const FASTER: i64 = 4;
/// Two steps a doubling, up to a year.
const STEPS: usize = 64;

/// The rewards of a source, or of a sub id within one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The source's name.
    pub source: String,
    /// The sub id; `None` for the source as a whole.
    pub sub1: Option<String>,
    /// All credits.
    pub credits: Sum,
    /// Those that were held.
    pub held: u64,
    /// Those that the network took back.
    pub reversed: u64,
    /// Half of them took less, about, in milliseconds; `None` if no click time is known.
    pub median_ms: Option<i64>,
    /// Why it stands out.
    pub reasons: Vec<&'static str>,
}

/// All groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    all: Tally,
    by_key: HashMap<(String, Option<String>), Tally>,
}

#[derive(Clone, Debug)]
struct Tally {
    credits: Sum,
    held: u64,
    reversed: u64,
    times: [u32; STEPS],
}

impl Default for Tally {
    fn default() -> Self {
        Self { credits: Sum::default(), held: 0, reversed: 0, times: [0; STEPS] }
    }
}

impl Groups {
    pub(super) fn add(&mut self, reward: &PastReward<'_>) {
        self.all.add(reward);
        let whole = (reward.source.to_owned(), None);
        let part = reward.sub1.map(|sub1| (reward.source.to_owned(), Some(sub1.to_owned())));
        for key in std::iter::once(whole).chain(part) {
            if self.by_key.len() < MAX_GROUPS || self.by_key.contains_key(&key) {
                self.by_key.entry(key).or_default().add(reward);
            }
        }
    }

    pub(super) fn standing_out(&self) -> Vec<Group> {
        let groups = self.by_key.iter().filter_map(|((source, sub1), tally)| {
            let reasons = tally.reasons(&self.all);
            (!reasons.is_empty()).then(|| Group {
                source: source.clone(),
                sub1: sub1.clone(),
                credits: tally.credits.clone(),
                held: tally.held,
                reversed: tally.reversed,
                median_ms: tally.median_ms(),
                reasons,
            })
        });
        let mut groups: Vec<_> = groups.collect();
        groups.sort_by(|one, other| {
            let money = other.credits.payout.cmp(&one.credits.payout);
            money.then_with(|| (&one.source, &one.sub1).cmp(&(&other.source, &other.sub1)))
        });
        groups.truncate(MAX_SHOWN);
        groups
    }
}

impl Tally {
    fn add(&mut self, reward: &PastReward<'_>) {
        self.credits.add(reward.currency, reward.reward, reward.payout);
        self.held += u64::from(reward.decision == Some(Decision::Hold));
        self.reversed += u64::from(reward.status == Status::Reversed);
        if let Some(step) = reward.took_ms.filter(|took| *took >= 0).map(step_of) {
            self.times[step] += 1;
        }
    }

    fn reasons(&self, all: &Self) -> Vec<&'static str> {
        let count = self.credits.count;
        if count < LEAST_REWARDS || count == all.credits.count {
            return Vec::new();
        }
        let is_high = |part: u64, of_all: u64| {
            part * 100 >= count * LEAST_PERCENT
                && u128::from(part) * u128::from(all.credits.count)
                    >= u128::from(TIMES) * u128::from(of_all) * u128::from(count)
        };
        let is_fast = self.median_ms().zip(all.median_ms()).is_some_and(|(own, all)| own <= all / FASTER);
        let reasons = [
            (is_high(self.held, all.held), "many holds"),
            (is_high(self.reversed, all.reversed), "many reversals"),
            (is_fast, "fast"),
        ];
        reasons.into_iter().filter(|(is_so, _)| *is_so).map(|(_, reason)| reason).collect()
    }

    fn median_ms(&self) -> Option<i64> {
        let total: u64 = self.times.iter().map(|count| u64::from(*count)).sum();
        let mut below = 0;
        let step = self.times.iter().position(|count| {
            below += u64::from(*count);
            below * 2 >= total && total > 0
        });
        step.map(middle_ms)
    }
}

/// The step of a time: 1 s, 1.5 s, 2 s, 3 s, 4 s, 6 s, …
fn step_of(took_ms: i64) -> usize {
    let seconds = u64::try_from(took_ms / SECOND_MS).unwrap_or_default();
    if seconds == 0 {
        return 0;
    }
    let doubling = seconds.ilog2();
    let is_upper = doubling > 0 && seconds & (1 << (doubling - 1)) != 0;
    (usize::try_from(doubling).unwrap_or(STEPS) * 2 + usize::from(is_upper) + 1).min(STEPS - 1)
}

/// The middle of a step.
fn middle_ms(step: usize) -> i64 {
    let Some(step) = step.checked_sub(1) else { return SECOND_MS / 2 };
    let from_ms = SECOND_MS << (step / 2).min(40);
    if step.is_multiple_of(2) { from_ms + from_ms / 4 } else { from_ms + from_ms * 3 / 4 }
}
