//! What all who complete offers share: time, offers, places, and the calls to come.

use std::collections::BTreeMap;

use domain::time::{DAY_MS, SECOND_MS};

use super::chance::{Chance, int, zipf};
use super::line::{Act, Completion, Line};
use super::offers::Catalogue;
use super::people::{People, honest_credits};
use super::persona::Persona;
use super::places::{Place, Places};
use super::population::{Class, Population};

/// Seconds of an hour.
const HOUR_S: f64 = 3_600.0;
/// How busy each hour of the day is, in UTC.
const HOURS: [f64; 24] = [
    2.0, 1.2, 0.8, 0.5, 0.4, 0.5, 1.0, 2.0, 3.0, 3.4, 3.6, 4.0, 4.6, 4.4, 4.2, 4.4, 4.8, 5.4, 6.2, 7.0, 7.4,
    6.8, 5.2, 3.4,
];
/// Draws of an honest time until it is at least the least of its class.
const ATTEMPTS: usize = 64;
/// A reversal comes at least this long after its credit.
const LEAST_REVERSAL_MS: i64 = 3_600 * SECOND_MS;

/// Everything that a seed determines.
#[derive(Debug)]
pub(super) struct World {
    pub(super) population: Population,
    pub(super) chance: Chance,
    pub(super) catalogue: Catalogue,
    pub(super) places: Places,
    pub(super) people: People,
    start_ms: i64,
    /// Running sums by hour, source and sub id.
    hours: Vec<f64>,
    sources: Vec<f64>,
    subs: Vec<f64>,
    /// Calls to come, by time; the second part of the key keeps those of one millisecond apart.
    calls: BTreeMap<(i64, u64), Line>,
    pushed: u64,
    completions: u64,
    /// End of the day that is planned, in unix milliseconds, and how many calls were planned before it.
    day_end_ms: i64,
    pub(super) planned: u64,
    pub(super) has_reversals: bool,
}

/// What someone does: a completion before its transaction.
pub(super) struct Deed {
    pub(super) persona: Persona,
    pub(super) user: u32,
    pub(super) place: Place,
    pub(super) source: usize,
    pub(super) sub: usize,
    pub(super) offer: usize,
    pub(super) step: usize,
    pub(super) clicked_at_s: i64,
    pub(super) took_ms: i64,
    /// Probability that the network takes it back.
    pub(super) reversed: f64,
}

impl World {
    pub(super) fn of(population: Population, seed: u64, (events, days): (u64, u32), start_ms: i64) -> Self {
        let mut chance = Chance::of(seed);
        let catalogue = Catalogue::of(&population, &mut chance);
        let places = Places::of(&population, &mut chance);
        let credits = honest_credits(events, &population);
        let people = People::of(&population, (credits, days), &places, &mut chance);
        let names = |len: usize| zipf(len, population.zipf);
        Self {
            hours: super::chance::running_sums(HOURS.into_iter()),
            sources: names(population.sources.len()),
            subs: names(usize::try_from(population.sub_ids).unwrap_or(1)),
            population,
            chance,
            catalogue,
            places,
            people,
            start_ms,
            calls: BTreeMap::new(),
            pushed: 0,
            completions: 0,
            day_end_ms: start_ms,
            planned: 0,
            has_reversals: true,
        }
    }

    /// Starts to plan `day`: calls of earlier days that arrive on it are planned already.
    pub(super) fn begin(&mut self, day: u32) {
        let from_ms = self.day_end_ms;
        self.day_end_ms = self.day_s(day + 1) * SECOND_MS;
        let waiting = self.calls.range((from_ms, 0)..(self.day_end_ms, 0)).count();
        self.planned += u64::try_from(waiting).unwrap_or(u64::MAX);
    }

    /// The next call of the days planned so far.
    pub(super) fn next_call(&mut self) -> Option<Line> {
        let ((at_ms, _), _) = self.calls.first_key_value()?;
        if *at_ms < self.day_end_ms { self.calls.pop_first().map(|(_, line)| line) } else { None }
    }

    /// The first instant of a day, in unix seconds.
    pub(super) fn day_s(&self, day: u32) -> i64 {
        (self.start_ms + i64::from(day) * DAY_MS) / SECOND_MS
    }

    /// A second of `day`, as busy as its hour is.
    pub(super) fn second_of(&mut self, day: u32) -> i64 {
        let hour = i64::try_from(self.chance.weighted(&self.hours)).unwrap_or(0);
        self.day_s(day) + hour * 3_600 + int(self.chance.between([0.0, HOUR_S]))
    }

    /// The source that a user's app shows: always the same.
    pub(super) fn source_of(&self, user: u32) -> usize {
        Chance::of(u64::from(user)).weighted(&self.sources)
    }

    pub(super) fn any_source(&mut self) -> usize {
        self.chance.weighted(&self.sources)
    }

    pub(super) fn last_sub(&self) -> usize {
        self.subs.len().saturating_sub(1)
    }

    pub(super) fn sub(&mut self) -> usize {
        self.chance.weighted(&self.subs)
    }

    /// How long an honest user takes for a step with this median.
    pub(super) fn honest_ms(&mut self, class: usize, median_s: f64, is_slow: bool) -> i64 {
        let slow = self.population.slow;
        let class: &Class = self.population.classes()[class].1;
        let (median_s, sigma, least_s) = if is_slow {
            (slow.median_hours * HOUR_S, slow.sigma, class.least_s)
        } else if self.chance.is(class.tail) {
            (class.tail_median_s, 1.0, class.least_s)
        } else {
            (median_s, class.sigma, class.least_s)
        };
        let chance = &mut self.chance;
        let drawn =
            (0..ATTEMPTS).map(|_| chance.log_normal(median_s, sigma)).find(|took_s| *took_s >= least_s);
        int(drawn.unwrap_or(median_s) * 1_000.0)
    }

    /// Plans the calls of a deed.
    pub(super) fn complete(&mut self, deed: &Deed) {
        self.completions += 1;
        let completion = Completion {
            persona: deed.persona,
            number: self.completions,
            user: deed.user,
            place: deed.place,
            source: deed.source,
            sub: deed.sub,
            offer: deed.offer,
            step: deed.step,
            clicked_at_s: deed.clicked_at_s,
            took_ms: deed.took_ms,
        };
        let at_ms = deed.clicked_at_s * SECOND_MS + deed.took_ms;
        self.push(Line { received_at_ms: at_ms, act: Act::Credit, completion });
        let network = self.population.network;
        if self.chance.is(network.repeated) {
            let received_at_ms = at_ms + i64::from(network.repeated_after_s) * SECOND_MS;
            self.push(Line { received_at_ms, act: Act::Again, completion });
        }
        if self.chance.is(deed.reversed) && self.has_reversals {
            let hours = self.chance.log_normal(network.reversed_after_hours, network.reversed_sigma);
            let lag_ms = int(hours * HOUR_S * 1_000.0).max(LEAST_REVERSAL_MS);
            self.push(Line { received_at_ms: at_ms + lag_ms, act: Act::Reversal, completion });
        }
    }

    fn push(&mut self, line: Line) {
        self.pushed += 1;
        self.planned += u64::from(line.received_at_ms < self.day_end_ms);
        self.calls.insert((line.received_at_ms, self.pushed), line);
    }
}
