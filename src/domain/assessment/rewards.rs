//! Rewards as they stood at the end: decisions, rules, days.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::Serialize;

use super::groups::{Group, Groups};
use super::sum::Sum;
use crate::money::Micros;
use crate::reward::Status;
use crate::time::TimestampMs;
use crate::verdict::Decision;

/// Days that are told apart: twenty years. Those beyond count in all other figures.
const MAX_DAYS: usize = 7_320;

/// A reward at the end of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastReward<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// The publisher's first own value: often a placement or a publisher of theirs.
    pub sub1: Option<&'a str>,
    /// Of the reward.
    pub currency: &'a str,
    /// When its first call came.
    pub received_at: TimestampMs,
    /// From the click to that, in milliseconds; `None` without a usable click time.
    pub took_ms: Option<i64>,
    /// Where it stood at the end.
    pub status: Status,
    /// What the user gets.
    pub reward: Option<Micros>,
    /// What the network pays, in USD.
    pub payout: Option<Micros>,
    /// `None` if it was never judged, because its reversal came first.
    pub decision: Option<Decision>,
    /// Every rule that fired, as it is stored: `T1:60! G3:30`.
    pub fired: &'a str,
    /// True if calls with the same id said different things.
    pub conflict: bool,
    /// True if its credit came, and not only a reversal.
    pub credit_seen: bool,
}

/// What a rule held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleSum {
    /// Rewards that were held and on which it counted. Several rules may count on one reward.
    pub held: Sum,
    /// Those of them that the network took back later.
    pub later_reversed: Sum,
}

/// One day of completions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DaySum {
    /// Credited at once, in USD.
    #[serde(rename = "credited_usd", serialize_with = "super::sum::as_text")]
    pub credited: Micros,
    /// Held, in USD.
    #[serde(rename = "held_usd", serialize_with = "super::sum::as_text")]
    pub held: Micros,
    /// Of both, what the network took back by the end, in USD.
    #[serde(rename = "reversed_usd", serialize_with = "super::sum::as_text")]
    pub reversed: Micros,
}

/// The rewards of all sources.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rewards {
    /// Rewards whose credit came.
    pub credits: Sum,
    /// Those that are credited at once.
    pub credited: Sum,
    /// Those that are held.
    pub held: Sum,
    /// Those that the network took back by the end.
    pub reversed: Sum,
    /// Those of them that had been credited at once.
    pub credited_then_reversed: Sum,
    /// Those of them that were held: the user never got them.
    pub held_then_reversed: Sum,
    /// Credits whose reversal came first: nothing is credited.
    pub reversed_first: Sum,
    /// Reversals whose credit never came.
    pub orphans: u64,
    /// Rewards of which calls with the same id said different things.
    pub conflicts: Sum,
    /// By code of the rule.
    pub by_rule: BTreeMap<String, RuleSum>,
    /// By day of completion, `YYYY-MM-DD`.
    pub by_day: BTreeMap<String, DaySum>,
    #[serde(skip)]
    groups: Groups,
}

impl Rewards {
    /// Adds a reward. Days are those of `zone`.
    pub fn add(&mut self, reward: &PastReward<'_>, zone: Tz) {
        let add = |sum: &mut Sum| sum.add(reward.currency, reward.reward, reward.payout);
        if !reward.credit_seen {
            self.orphans += 1;
            return;
        }
        add(&mut self.credits);
        let is_reversed = reward.status == Status::Reversed;
        if is_reversed {
            add(&mut self.reversed);
        }
        if reward.conflict {
            add(&mut self.conflicts);
        }
        match reward.decision {
            Some(Decision::Credit) => {
                add(&mut self.credited);
                if is_reversed {
                    add(&mut self.credited_then_reversed);
                }
            }
            Some(Decision::Hold) => {
                add(&mut self.held);
                if is_reversed {
                    add(&mut self.held_then_reversed);
                }
                for code in counted(reward.fired) {
                    let rule = self.by_rule.entry(code.to_owned()).or_default();
                    add(&mut rule.held);
                    if is_reversed {
                        add(&mut rule.later_reversed);
                    }
                }
            }
            None => add(&mut self.reversed_first),
        }
        self.add_to_day(reward, zone);
        self.groups.add(reward);
    }

    fn add_to_day(&mut self, reward: &PastReward<'_>, zone: Tz) {
        let date = reward.received_at.business_date(zone);
        if self.by_day.len() >= MAX_DAYS && !self.by_day.contains_key(&date) {
            return;
        }
        let day = self.by_day.entry(date).or_default();
        let payout = reward.payout.unwrap_or_default();
        let add = |to: &mut Micros| to.0 = to.0.saturating_add(payout.0);
        match reward.decision {
            Some(Decision::Credit) => add(&mut day.credited),
            Some(Decision::Hold) => add(&mut day.held),
            None => {}
        }
        if reward.status == Status::Reversed && reward.decision.is_some() {
            add(&mut day.reversed);
        }
    }

    /// Sources and sub ids that stand out, the most money first.
    pub fn standing_out(&self) -> Vec<Group> {
        self.groups.standing_out()
    }

    /// Rules, the most held money first.
    pub fn ranked_rules(&self) -> Vec<(&str, &RuleSum)> {
        let mut ranked: Vec<_> = self.by_rule.iter().map(|(code, rule)| (code.as_str(), rule)).collect();
        ranked.sort_by_key(|(_, rule)| std::cmp::Reverse((rule.held.payout, rule.held.count)));
        ranked
    }
}

/// The codes of the rules that count: with points, or hard.
fn counted(fired: &str) -> impl Iterator<Item = &str> {
    fired
        .split(' ')
        .filter_map(|rule| rule.split_once(':'))
        .filter(|(_, points)| *points != "0")
        .map(|it| it.0)
}
