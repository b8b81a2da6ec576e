//! The plan: the calls and their order. Pure: no clock, no I/O; the same seed gives the same plan.

mod knows;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use domain::money::{MICROS_PER_UNIT, Micros};
use domain::postback::networks::Field;
use domain::time::SECOND_MS;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use super::addresses::{FAMOUS, elsewhere};
use super::call::{Act, Call, Event, Fault, Forgery, Outlook};
use super::mix::{BadMix, Mix, Variety};
use super::network::Network;
use super::people::Crowd;
use super::template::Template;
use knows::{Knows, forgeries};

/// Default number of calls between an event and its follow-up.
const FOLLOW_UP_CALLS: std::ops::RangeInclusive<u64> = 20..=200;

/// Durations of honest users: minutes to hours, above every minimum of the built-in policy.
const HONEST_MS: std::ops::RangeInclusive<i64> = 120 * SECOND_MS..=6 * 3_600 * SECOND_MS;

/// Impossible durations: below the five seconds that every offer takes.
const IMPOSSIBLE_MS: std::ops::RangeInclusive<i64> = SECOND_MS..=4 * SECOND_MS;

/// Maximum ratio of reward to payout: with the invented payouts, no reward exceeds the gateway's limit.
const MAX_RATIO: Micros = Micros(1_000_000 * MICROS_PER_UNIT);

/// The input of a plan.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The same seed gives the same calls. It is part of every ID: two seeds never collide in one gateway, and the same
    /// seed again sends only repeats.
    pub seed: u64,
    /// Number of calls; `None`: endless.
    pub count: Option<u64>,
    /// Shares of the varieties among the events. Those that the network lacks are left out, see [`Network::lacks`].
    pub mix: Mix,
    /// Determines what can be expected: the publisher may leave fields out, and a network knows only some.
    pub template: Template,
    /// Reward units per USD of payout; most networks use one figure per app. Of a network that names no reward, that of the
    /// source.
    pub ratio: Micros,
    /// True if the source lists the address that the calls come from: then rule Q6 holds nothing.
    pub is_caller_listed: bool,
    /// A follow-up (repeat, reversal, late credit) comes this many calls after what it follows.
    pub follow_up_calls: std::ops::RangeInclusive<u64>,
}

impl PlanOptions {
    /// The example of `TarGo`.
    pub const DEFAULT_RATIO: Micros = Micros(500 * MICROS_PER_UNIT);

    /// `count` calls for `template` with the default mix and ratio.
    pub fn new(seed: u64, count: Option<u64>, template: Template) -> Self {
        Self {
            seed,
            count,
            mix: Mix::default(),
            template,
            ratio: Self::DEFAULT_RATIO,
            is_caller_listed: false,
            follow_up_calls: FOLLOW_UP_CALLS,
        }
    }

    /// The varieties of the mix that the network lacks, and why.
    pub fn left_out(&self) -> Vec<(Variety, &'static str)> {
        let network = self.template.network();
        let wanted = self.mix.shares().into_iter().filter(|(_, _, share)| *share > 0.0);
        wanted.filter_map(|(_, variety, _)| Some((variety, network.lacks(variety)?))).collect()
    }

    /// True if rule Q6 holds every reward.
    pub fn is_all_held(&self) -> bool {
        !self.is_caller_listed && self.template.network().holds_unlisted_callers()
    }
}

/// Why the options of a plan are invalid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadPlan {
    /// Invalid shares.
    #[error(transparent)]
    Mix(#[from] BadMix),
    /// The range of calls before a follow-up is empty.
    #[error("the range of calls before a follow-up is empty")]
    FollowUp,
    /// Not above 0, or too large.
    #[error("the ratio of reward to payout must be above 0 and at most {MAX_RATIO}, not {0}")]
    Ratio(Micros),
}

/// The calls in order; an iterator, so an endless plan needs no more memory than a short one.
#[derive(Clone, Debug)]
pub struct Plan {
    name: Arc<str>,
    rng: Xoshiro256PlusPlus,
    mix: Mix,
    ratio: Micros,
    follow_up_calls: std::ops::RangeInclusive<u64>,
    knows: Knows,
    network: Network,
    faults: Vec<Fault>,
    forgeries: Vec<Forgery>,
    crowd: Crowd,
    count: Option<u64>,
    emitted: u64,
    events: u64,
    /// A call that must follow immediately.
    at_once: Option<(Act, Arc<Event>)>,
    /// Later follow-ups, by the number of the call after which they are due; the event number makes keys unique.
    later: BTreeMap<(u64, u64), (Act, Arc<Event>)>,
}

impl Plan {
    /// The plan of `options`.
    pub fn new(options: &PlanOptions) -> Result<Self, BadPlan> {
        let network = options.template.network().clone();
        let lacks = options.left_out().into_iter().map(|(variety, _)| variety);
        let mix = options.mix.validated()?.without(lacks);
        if options.ratio.0 <= 0 || options.ratio > MAX_RATIO {
            return Err(BadPlan::Ratio(options.ratio));
        }
        if options.follow_up_calls.is_empty() {
            return Err(BadPlan::FollowUp);
        }
        Ok(Self {
            name: format!("s{:x}", options.seed).into(),
            rng: Xoshiro256PlusPlus::seed_from_u64(options.seed),
            mix,
            ratio: options.ratio,
            follow_up_calls: options.follow_up_calls.clone(),
            knows: Knows::of(options),
            faults: network.faults(),
            forgeries: forgeries(&options.template),
            network,
            crowd: Crowd::new(options.template.has(Field::EventId)),
            count: options.count,
            emitted: 0,
            events: 0,
            at_once: None,
            later: BTreeMap::new(),
        })
    }

    /// The prefix of every transaction and user ID.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Starts a new event and returns its first call; `room`: calls left in the plan.
    fn begin(&mut self, room: u64) -> (Act, Arc<Event>) {
        let variety = match self.mix.variety_at(self.rng.random()) {
            // These may need two calls, and only one is left.
            Variety::Repeat
            | Variety::Reversal
            | Variety::EarlyReversal
            | Variety::Duplicate
            | Variety::Forged
                if room < 2 =>
            {
                Variety::Honest
            }
            variety => variety,
        };
        let event = self.event(variety);
        let first = match variety {
            Variety::Honest | Variety::ImpossibleSpeed | Variety::WrongCountry => Act::Credit,
            Variety::Repeat => {
                if self.rng.random() {
                    self.at_once = Some((Act::Again, Arc::clone(&event)));
                } else {
                    self.follow_up(Act::Again, &event);
                }
                Act::Credit
            }
            Variety::Reversal => {
                let reversal = self.reversal();
                self.follow_up(reversal, &event);
                Act::Credit
            }
            Variety::EarlyReversal => {
                self.follow_up(Act::Credit, &event);
                self.reversal()
            }
            Variety::Duplicate => {
                let is_seen = self.knows.is_open || (self.knows.basics && self.knows.offer);
                let outlook = if is_seen { Outlook::Held } else { Outlook::Judged };
                self.events += 1;
                let second = Event {
                    number: self.events,
                    outlook,
                    same_task_as: Some(event.number),
                    ..Event::clone(&event)
                };
                let second = Arc::new(second.with_key(&self.network));
                self.follow_up(Act::Credit, &second);
                Act::Credit
            }
            Variety::Forged => match self.forgeries[self.rng.random_range(0..self.forgeries.len())] {
                changed @ Forgery::Changed(_) => {
                    self.follow_up(Act::Forged(changed), &event);
                    Act::Credit
                }
                forgery => Act::Forged(forgery),
            },
            Variety::Broken => Act::Broken(self.faults[self.rng.random_range(0..self.faults.len())]),
        };
        (first, event)
    }

    fn event(&mut self, variety: Variety) -> Arc<Event> {
        let turn = self.crowd.turn(&mut self.rng);
        let cents = turn.task.payout_cents(&mut self.rng);
        let took_ms = match variety {
            Variety::ImpossibleSpeed => self.rng.random_range(IMPOSSIBLE_MS),
            _ => self.rng.random_range(HONEST_MS),
        };
        let (ip, country_code) = match variety {
            Variety::WrongCountry => {
                let famous = FAMOUS.get(self.rng.random_range(0..FAMOUS.len() * 10));
                let (ip, country) = famous.copied().unwrap_or((turn.home, turn.country));
                (ip, elsewhere(country, &mut self.rng))
            }
            _ => (turn.home, turn.country),
        };
        self.events += 1;
        let event = Event {
            variety,
            outlook: self.knows.outlook(variety),
            plan: Arc::clone(&self.name),
            number: self.events,
            key: String::new(),
            is_open: self.knows.is_open,
            user: turn.user,
            task: turn.task,
            ip,
            country_code,
            payout: Micros(cents * MICROS_PER_UNIT / 100),
            reward: self.fixed_reward().unwrap_or_else(|| reward(cents, self.ratio)),
            took_ms,
            same_task_as: None,
            clicked_at_s: OnceLock::new(),
        };
        Arc::new(event.with_key(&self.network))
    }

    /// The reward of a network that sends no amount.
    fn fixed_reward(&self) -> Option<Micros> {
        let fixed = self.network.definition().field(Field::Reward)?.fixed.as_deref()?;
        Micros::parse(fixed).ok().map(|parsed| parsed.amount)
    }

    fn reversal(&mut self) -> Act {
        let word = usize::from(self.rng.random_ratio(1, 8));
        let amounts: bool = self.rng.random();
        Act::Reversal { word, amounts: amounts || !self.network.may_omit_amounts() }
    }

    fn follow_up(&mut self, act: Act, event: &Arc<Event>) {
        let due = self.emitted + self.rng.random_range(self.follow_up_calls.clone());
        self.later.insert((due, event.number), (act, Arc::clone(event)));
    }
}

impl Iterator for Plan {
    type Item = Call;

    fn next(&mut self) -> Option<Call> {
        let waiting = u64::try_from(self.later.len()).unwrap_or(u64::MAX);
        let room = self.count.map_or(u64::MAX, |count| count.saturating_sub(self.emitted + waiting));
        let at_once = self.at_once.take();
        let together = at_once.is_some();
        let due = self.later.first_key_value().is_some_and(|((due, _), _)| *due <= self.emitted || room == 0);
        let (act, event) = match at_once {
            Some(next) => next,
            None if due => self.later.pop_first()?.1,
            None if room == 0 => return None,
            None => self.begin(room),
        };
        self.emitted += 1;
        Some(Call { number: self.emitted, together, act, event })
    }
}

/// At least one micro, so that the reward is above zero at any ratio.
fn reward(cents: i64, ratio: Micros) -> Micros {
    Micros((cents * ratio.0 / 100).max(1))
}

#[cfg(test)]
mod every_network;
#[cfg(test)]
mod tests;
