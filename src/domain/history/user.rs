//! What is remembered of one user: the newest rewards, and counts by periods of 30 days.

use std::collections::{BTreeSet, HashSet};

use crate::money::Micros;
use crate::time::{DAY_MS, SECOND_MS, TimestampMs};

use super::{History, SETTLED_CAP};

/// Rewards of the last day that are remembered: more than the highest limit of a day.
pub(super) const KEPT: usize = 40;
/// Older ones that are remembered, for what is usual.
const KEPT_OLDER: usize = 9;
/// The length of a counted period, in milliseconds.
pub const PERIOD_MS: i64 = 30 * DAY_MS;
/// Counted periods, the present one included.
const PERIODS: usize = 4;
/// Rewards from which a median payout says what is usual.
const USUAL_OF: usize = 5;
/// Rewards whose pace is compared.
const PACE_OF: usize = 8;
/// A mean pace below this, in hundredths of a deviation, is never asked about.
const FAST_PERCENT: i64 = 100;
/// A payout that is less than this many times the usual one is never asked about.
const USUAL_FACTOR: i64 = 4;

/// The newest rewards of a user and what became of the older ones. Stored with the user as a short text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserMemory {
    /// The newest first.
    rewards: Vec<Sighted>,
    /// Number of the present period since 1970.
    period: i64,
    /// Credited and reversed rewards by period, the present one first.
    counts: [(i64, i64); PERIODS],
    /// Credited before those periods.
    older: i64,
}

/// One reward as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighted {
    /// When it was completed, in unix seconds.
    pub at_s: i64,
    /// The click it belongs to.
    pub click: u32,
    /// Where the address is, else the country that the network named; empty if neither is known.
    pub country: String,
    /// The /24 or /48 of the address; 0 if unknown.
    pub network: u32,
    /// In USD.
    pub payout: Micros,
    /// How much faster than normal it was, in hundredths of a deviation; `None` while nothing was known of its offer.
    pub pace_percent: Option<i64>,
}

impl UserMemory {
    /// Reads what [`UserMemory::text`] wrote; what cannot be read is forgotten.
    pub fn parse(text: &str) -> Self {
        let mut memory = Self::default();
        let mut parts = text.split(';');
        let mut head = parts.next().unwrap_or_default().split(',').map(|cell| number(cell).unwrap_or(0));
        memory.period = head.next().unwrap_or_default();
        memory.older = head.next().unwrap_or_default();
        for count in &mut memory.counts {
            *count = (head.next().unwrap_or_default(), head.next().unwrap_or_default());
        }
        memory.rewards = parts.filter_map(Sighted::parse).take(KEPT + KEPT_OLDER).collect();
        memory
    }

    /// As it is stored: `period,older,credited,reversed,…;at,click,country,network,payout[,pace];…` with numbers to the base 36.
    pub fn text(&self) -> String {
        let mut text = base36(self.period);
        let counts = self.counts.iter().flat_map(|(credited, reversed)| [*credited, *reversed]);
        for count in std::iter::once(self.older).chain(counts) {
            text.push(',');
            text.push_str(&base36(count));
        }
        for reward in &self.rewards {
            text.push(';');
            reward.write(&mut text);
        }
        text
    }

    /// True if `other` remembers the same, whatever the order of rewards within a second.
    pub fn agrees(&self, other: &Self) -> bool {
        let sorted = |memory: &Self| {
            let mut rewards = memory.rewards.clone();
            rewards.sort_by(|a, b| (b.at_s, a.click, a.payout).cmp(&(a.at_s, b.click, b.payout)));
            rewards
        };
        let counts = |memory: &Self| (memory.period, memory.counts, memory.older);
        counts(self) == counts(other) && sorted(self) == sorted(other)
    }

    /// Adds what the past of the user says of `now` to `history`.
    pub fn look(&self, now: &Sighted, history: &mut History) {
        let within = |seconds: i64| {
            self.rewards.iter().filter(move |reward| {
                let age_s = now.at_s - reward.at_s;
                (0..seconds).contains(&age_s) || (age_s < 0 && -age_s < seconds)
            })
        };
        let other_clicks = |seconds: i64| {
            let clicks: HashSet<u32> =
                within(seconds).map(|reward| reward.click).filter(|click| *click != now.click).collect();
            i64::try_from(clicks.len()).unwrap_or(i64::MAX)
        };
        history.clicks_in_hour = other_clicks(3_600);
        history.clicks_in_day = other_clicks(86_400);
        let day = || within(86_400).chain(std::iter::once(now));
        let countries: BTreeSet<&str> =
            day().map(|reward| reward.country.as_str()).filter(|country| !country.is_empty()).collect();
        if countries.len() > 1 {
            history.countries = countries.into_iter().map(str::to_owned).collect();
        }
        let networks: HashSet<u32> = day().map(|reward| reward.network).filter(|id| *id != 0).collect();
        if networks.len() > 1 {
            history.networks_in_day = i64::try_from(networks.len()).unwrap_or(i64::MAX);
        }
        let same_click = || self.rewards.iter().filter(|reward| reward.click == now.click);
        history.gap_s = same_click().map(|reward| (now.at_s - reward.at_s).abs()).min();
        let in_second = same_click().filter(|reward| (now.at_s - reward.at_s).abs() <= 1).count();
        history.same_second = i64::try_from(in_second).unwrap_or(i64::MAX);
        history.pace = self.pace(now);
        history.usual_payout =
            self.usual_payout().filter(|(usual, _)| usual.0 > 0 && now.payout.0 / usual.0 >= USUAL_FACTOR);
        let counts = self.counts_at(now.at_s * SECOND_MS);
        let sum = |part: fn(&(i64, i64)) -> i64| counts.iter().map(part).sum::<i64>();
        history.reversed = sum(|(_, reversed)| *reversed);
        if history.reversed > 0 {
            history.credited = sum(|(credited, _)| *credited);
        }
        let before: i64 = counts.iter().skip(2).map(|(credited, _)| credited).sum();
        let shifted = self.shifted_out(now.at_s * SECOND_MS);
        history.settled = (before + self.older + shifted).min(SETTLED_CAP);
    }

    /// The mean pace of the newest rewards, `now` included, and how many they are; `None` unless they were fast.
    fn pace(&self, now: &Sighted) -> Option<(i64, i64)> {
        let known = std::iter::once(now).chain(&self.rewards).filter_map(|reward| reward.pace_percent);
        let newest: Vec<i64> = known.take(PACE_OF).collect();
        let n = i64::try_from(newest.len()).unwrap_or(i64::MAX);
        now.pace_percent?;
        let mean = newest.iter().sum::<i64>() / n.max(1);
        (n > 1 && mean >= FAST_PERCENT).then_some((mean, n))
    }

    /// The median payout of the remembered rewards, and how many they are.
    fn usual_payout(&self) -> Option<(Micros, i64)> {
        let mut payouts: Vec<i64> =
            self.rewards.iter().map(|reward| reward.payout.0).filter(|payout| *payout > 0).collect();
        if payouts.len() < USUAL_OF {
            return None;
        }
        payouts.sort_unstable();
        Some((Micros(payouts[payouts.len() / 2]), i64::try_from(payouts.len()).unwrap_or(i64::MAX)))
    }

    /// Remembers a reward that was judged.
    pub fn add(&mut self, reward: Sighted, is_credited: bool) {
        let at_s = reward.at_s;
        if is_credited {
            match self.count_of(at_s * SECOND_MS) {
                Some(count) => count.0 += 1,
                None => self.older += 1,
            }
        }
        let place = self.rewards.iter().position(|other| other.at_s <= at_s).unwrap_or(self.rewards.len());
        self.rewards.insert(place, reward);
        let newest_s = self.rewards.first().map_or(at_s, |newest| newest.at_s);
        let of_day = self.rewards.iter().take_while(|reward| newest_s - reward.at_s < 86_400).count();
        self.rewards.truncate(if of_day >= KEPT_OLDER { of_day.min(KEPT) } else { KEPT_OLDER });
    }

    /// Remembers that the network reversed a reward.
    pub fn reversed(&mut self, at: TimestampMs) {
        if let Some(count) = self.count_of(at.0) {
            count.1 += 1;
        }
    }

    /// The count of the period of `at_ms`, which becomes the present one if it is later; `None` if it is not counted any more.
    fn count_of(&mut self, at_ms: i64) -> Option<&mut (i64, i64)> {
        let period = at_ms.div_euclid(PERIOD_MS);
        if period > self.period {
            self.older += self.shifted_out(at_ms);
            self.counts = self.counts_at(at_ms);
            self.period = period;
        }
        self.counts.get_mut(usize::try_from(self.period - period).ok()?)
    }

    /// The counts as they are in the period of `at_ms`.
    fn counts_at(&self, at_ms: i64) -> [(i64, i64); PERIODS] {
        let passed = self.passed(at_ms);
        let mut counts = [(0, 0); PERIODS];
        for (place, count) in self.counts.iter().enumerate() {
            if let Some(moved) = counts.get_mut(place.saturating_add(passed)) {
                *moved = *count;
            }
        }
        counts
    }

    /// Credited rewards whose period is not counted any more at `at_ms`.
    fn shifted_out(&self, at_ms: i64) -> i64 {
        let stays = PERIODS.saturating_sub(self.passed(at_ms));
        self.counts.iter().skip(stays).map(|(credited, _)| credited).sum()
    }

    /// Periods between the present one and that of `at_ms`.
    fn passed(&self, at_ms: i64) -> usize {
        usize::try_from(at_ms.div_euclid(PERIOD_MS) - self.period).unwrap_or(0)
    }
}

impl Sighted {
    fn parse(text: &str) -> Option<Self> {
        let mut cells = text.split(',');
        let at_s = number(cells.next()?)?;
        let click = u32::try_from(number(cells.next()?)?).ok()?;
        let country = cells.next()?.to_owned();
        let network = u32::try_from(number(cells.next()?)?).ok()?;
        let payout = Micros(number(cells.next()?)?);
        let pace_percent = cells.next().and_then(number);
        Some(Self { at_s, click, country, network, payout, pace_percent })
    }

    fn write(&self, text: &mut String) {
        let cells = [
            base36(self.at_s),
            base36(self.click.into()),
            self.country.clone(),
            base36(self.network.into()),
            base36(self.payout.0),
        ];
        text.push_str(&cells.join(","));
        if let Some(pace_percent) = self.pace_percent {
            text.push(',');
            text.push_str(&base36(pace_percent));
        }
    }
}

fn number(text: &str) -> Option<i64> {
    i64::from_str_radix(text, 36).ok()
}

fn base36(number: i64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = number.unsigned_abs();
    let mut text = Vec::new();
    while {
        // A remainder of 36 is always a place of the list.
        text.push(DIGITS[usize::try_from(rest % 36).unwrap_or_default()]);
        rest /= 36;
        rest > 0
    } {}
    if number < 0 {
        text.push(b'-');
    }
    text.iter().rev().map(|digit| char::from(*digit)).collect()
}
