//! The log, day by day: exactly so many calls, in order of time, and each scheme with its share.
//!
//! A day is planned when the one before is told, so only what comes later (slow finishers, steps, reversals, repeats) is in
//! memory besides the users.

use chrono::NaiveDate;

use super::bounds::BadPopulation;
use super::chance::{Chance, count, float};
use super::gangs::Size;
use super::line::{Completion, Line};
use super::offers::{Offer, Step};
use super::persona::Persona;
use super::population::{Population, SCHEMES, Scheme};
use super::world::World;

/// Most calls of a log: its users are in memory, about 100 bytes for every eight calls.
pub const MAX_EVENTS: u64 = 10_000_000;
/// Most days of a log.
pub const MAX_DAYS: u32 = 3_650;
/// A wave is at most this part of its scheme's share: several waves in any log.
const WAVES: f64 = 4.0;
/// Sittings or waves without a call on the day that is planned, for each call: then the day stays short.
const IDLE: u64 = 100;
/// Credits until a wave that found no account is tried again.
const LATER: f64 = 2.0;

/// The size of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Number of calls, at least one for each day.
    pub events: u64,
    /// Number of days.
    pub days: u32,
    /// The same seed, size and population: the same log.
    pub seed: u64,
}

/// The calls in order.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) world: World,
    extent: Extent,
    /// Days planned.
    day: u32,
    told: u64,
    /// Of another seed than the users' doings, so that a scheme more or less changes little else.
    chance: Chance,
    waves: Vec<Waves>,
}

/// The waves of one scheme.
#[derive(Debug)]
struct Waves {
    persona: Persona,
    scheme: Scheme,
    /// First day, and the first after the last.
    days: [u32; 2],
    /// Share of the credits while it is active.
    weight: f64,
    /// Credits that it is behind its share.
    behind: f64,
    next: Size,
    /// How far behind it must be for the next wave.
    launch_at: f64,
}

impl Schedule {
    /// Without reversals if the network has none.
    pub(super) fn of(
        population: Population,
        extent: Extent,
        has_reversals: bool,
    ) -> Result<Self, BadPopulation> {
        let population = population.validated()?;
        BadPopulation::within("events", extent.events, u64::from(extent.days), MAX_EVENTS)?;
        BadPopulation::within("days", extent.days, 1, MAX_DAYS)?;
        let start = population.start.parse::<NaiveDate>().ok().and_then(|date| date.and_hms_opt(0, 0, 0));
        let start =
            start.ok_or_else(|| BadPopulation::of("start", "a day as YYYY-MM-DD", &population.start))?;
        let start_ms = start.and_utc().timestamp_millis();
        let mut chance = Chance::of(extent.seed ^ u64::MAX);
        let schemes = SCHEMES.into_iter().filter_map(|persona| Some((persona, *population.scheme(persona)?)));
        let schemes = schemes.filter(|(_, scheme)| scheme.share > 0.0);
        let waves =
            schemes.map(|(persona, scheme)| Waves::of(persona, scheme, extent, &mut chance)).collect();
        let mut world = World::of(population, extent.seed, (extent.events, extent.days), start_ms);
        world.has_reversals = has_reversals;
        Ok(Self { world, extent, day: 0, told: 0, chance, waves })
    }

    /// The offer and the step of a completion.
    pub(super) fn done(&self, completion: &Completion) -> (&Offer, &Step) {
        let offer = &self.world.catalogue.offers[completion.offer];
        (offer, &offer.steps[completion.step])
    }

    /// Plans the next day: what is planned by its end is its part of all calls.
    fn plan(&mut self) {
        let day = self.day;
        self.day += 1;
        self.world.begin(day);
        let Extent { events, days, .. } = self.extent;
        let wanted = events * u64::from(self.day) / u64::from(days);
        let mut left = wanted.saturating_sub(self.world.planned).saturating_mul(IDLE);
        while self.world.planned < wanted && left > 0 {
            left -= 1;
            let ready = self.waves.iter_mut().find(|waves| waves.is_ready(day));
            let done = match ready {
                Some(waves) => {
                    let done = self.world.wave(waves.persona, waves.scheme, waves.next, day);
                    waves.played(done, self.extent.events, &mut self.chance);
                    done
                }
                None => self.world.sitting(day),
            };
            for waves in self.waves.iter_mut().filter(|waves| waves.is_active(day)) {
                waves.behind += waves.weight * f64::from(done);
            }
        }
    }
}

/// Ends after exactly the calls that were asked for.
impl Iterator for Schedule {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        if self.told == self.extent.events {
            return None;
        }
        loop {
            if let Some(line) = self.world.next_call() {
                self.told += 1;
                return Some(line);
            }
            if self.day == self.extent.days {
                return None;
            }
            self.plan();
        }
    }
}

impl Waves {
    fn of(persona: Persona, scheme: Scheme, extent: Extent, chance: &mut Chance) -> Self {
        let [from, until] = scheme.active;
        let day = |part: f64| u32::try_from(count(part * f64::from(extent.days))).unwrap_or(u32::MAX);
        let days = [day(from), day(until).max(day(from) + 1)];
        let weight = scheme.share * f64::from(extent.days) / f64::from(days[1] - days[0]);
        let next = Size::default();
        let mut waves = Self { persona, scheme, days, weight, behind: 0.0, next, launch_at: 0.0 };
        waves.prepare(extent.events, chance);
        waves
    }

    fn is_active(&self, day: u32) -> bool {
        (self.days[0]..self.days[1]).contains(&day)
    }

    fn is_ready(&self, day: u32) -> bool {
        self.is_active(day) && self.behind >= self.launch_at
    }

    fn played(&mut self, done: u32, events: u64, chance: &mut Chance) {
        if done == 0 {
            self.launch_at = self.behind + LATER;
            return;
        }
        self.behind -= f64::from(done);
        self.prepare(events, chance);
    }

    /// Draws the next wave, and how far behind its share it begins.
    fn prepare(&mut self, events: u64, chance: &mut Chance) {
        let events = float(usize::try_from(events).unwrap_or(usize::MAX));
        let most = (self.scheme.share * events / WAVES).max(1.0);
        let most = u32::try_from(count(most)).unwrap_or(u32::MAX);
        let accounts = chance.whole(self.scheme.accounts).min(most);
        let offers = chance.whole(self.scheme.offers).min((most / accounts).max(1));
        self.next = Size { accounts, offers };
        self.launch_at = f64::from(accounts) * f64::from(offers) * chance.unit();
    }
}
