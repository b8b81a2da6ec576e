//! Honest users: who they are, where they are on a day, and what they have done.

use super::chance::{Chance, count, float, running_sums};
use super::persona::Persona;
use super::places::{Place, Places};
use super::population::{MAX_OFFERS, Population, Users};

/// Attempts to find a user who is there, or an offer that is new to the user.
const ATTEMPTS: usize = 24;
/// Bits in a word of [`Done`].
const WORD: usize = 64;
/// Offers after which an account has a habit.
const HABIT: u32 = 3;

/// The offers that a user has done, a bit each.
type Done = [u64; MAX_OFFERS as usize / WORD];

/// One user.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) number: u32,
    pub(super) persona: Persona,
    pub(super) home: Place,
    /// The first day on which the user is seen.
    from_day: u32,
    done: Done,
    /// Number of offers done.
    offers: u32,
    /// Sold: not honest from then on.
    is_gone: bool,
}

/// All honest users.
#[derive(Debug)]
pub(super) struct People {
    all: Vec<Person>,
    /// Running sums of activity.
    activity: Vec<f64>,
    last_number: u32,
    /// Home of a household with room, and how much.
    household: Option<(Place, u32)>,
}

impl People {
    /// The users of `credits` honest credits in `days`.
    pub(super) fn of(
        population: &Population,
        (credits, days): (f64, u32),
        places: &Places,
        chance: &mut Chance,
    ) -> Self {
        let users = &population.users;
        let number = count(credits / users.credits_per_user).max(1);
        let mut people = Self {
            all: Vec::with_capacity(number),
            activity: running_sums(
                (0..number).map(|_| chance.pareto(users.activity_alpha, users.most_activity)),
            ),
            last_number: 0,
            household: None,
        };
        for _ in 0..number {
            let from_day =
                if chance.is(users.new_share) { chance.whole([0, days.saturating_sub(1)]) } else { 0 };
            people.join(from_day, users, places, chance);
        }
        people
    }

    /// The number of an account that nobody had before.
    pub(super) fn new_number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    fn join(&mut self, from_day: u32, users: &Users, places: &Places, chance: &mut Chance) -> usize {
        let number = self.new_number();
        let sums = running_sums([users.household, users.carrier, users.traveller].into_iter());
        let point = chance.unit();
        let kinds = [Persona::Household, Persona::Carrier, Persona::Traveller];
        let persona = kinds.into_iter().zip(&sums).find(|(_, sum)| point < **sum);
        let persona = persona.map_or(Persona::Home, |(persona, _)| persona);
        let home = if persona == Persona::Household {
            self.in_household(users, places, chance)
        } else {
            places.home(users.ipv6, chance)
        };
        let done = Done::default();
        self.all.push(Person { number, persona, home, from_day, done, offers: 0, is_gone: false });
        self.all.len() - 1
    }

    /// The home of the household that has room, or of a new one.
    fn in_household(&mut self, users: &Users, places: &Places, chance: &mut Chance) -> Place {
        let (home, room) = self
            .household
            .take()
            .unwrap_or_else(|| (places.home(users.ipv6, chance), chance.whole(users.household_members)));
        self.household = (room > 1).then_some((home, room - 1));
        home
    }

    /// Someone who is there on `day`, by activity; a new user if all who come to mind are not.
    pub(super) fn active(&mut self, day: u32, users: &Users, places: &Places, chance: &mut Chance) -> usize {
        for _ in 0..ATTEMPTS {
            let place = chance.weighted(&self.activity);
            if self.all.get(place).is_some_and(|person| person.from_day <= day && !person.is_gone) {
                return place;
            }
        }
        self.newcomer(day, users, places, chance)
    }

    /// A user who joins on `day`, as active as the least.
    pub(super) fn newcomer(
        &mut self,
        day: u32,
        users: &Users,
        places: &Places,
        chance: &mut Chance,
    ) -> usize {
        let sum = self.activity.last().copied().unwrap_or_default();
        self.activity.push(sum + 1.0);
        self.join(day, users, places, chance)
    }

    /// An account with a habit, sold on `day`: from now on it is the buyer's.
    pub(super) fn sold(&mut self, day: u32, chance: &mut Chance) -> Option<usize> {
        let place = (0..ATTEMPTS).map(|_| chance.weighted(&self.activity)).find(|place| {
            self.all
                .get(*place)
                .is_some_and(|person| !person.is_gone && person.offers >= HABIT && person.from_day + 3 <= day)
        })?;
        self.all[place].is_gone = true;
        Some(place)
    }

    pub(super) fn person(&self, place: usize) -> &Person {
        &self.all[place]
    }

    /// An offer that `pick` finds and the user has not done; it is done from now on.
    pub(super) fn new_offer(&mut self, place: usize, mut pick: impl FnMut() -> usize) -> Option<usize> {
        let person = &mut self.all[place];
        let is_done = |done: &Done, offer: usize| done[offer / WORD] >> (offer % WORD) & 1 == 1;
        let offer = (0..ATTEMPTS).map(|_| pick()).find(|offer| !is_done(&person.done, *offer))?;
        person.done[offer / WORD] |= 1 << (offer % WORD);
        person.offers += 1;
        Some(offer)
    }
}

impl Person {
    /// Where the user is on `day`. Trips depend on the user and the day only.
    pub(super) fn place(&self, day: u32, users: &Users, places: &Places, chance: &mut Chance) -> Place {
        let mut home = self.home;
        if self.persona == Persona::Traveller {
            let own_day = day + self.number % users.trip_every_days;
            if own_day % users.trip_every_days < users.trip_days {
                let trip = u64::from(own_day / users.trip_every_days);
                let mut abroad = Chance::of(u64::from(self.number) << 32 | trip);
                home = places.home(users.ipv6, &mut abroad);
            }
        }
        let is_mobile = self.persona == Persona::Carrier || chance.is(users.mobile);
        let mobile = if is_mobile { places.mobile(home.country, self.number, chance) } else { None };
        mobile.unwrap_or_else(|| home.device(chance))
    }
}

/// The honest users that a share leaves.
pub(super) fn honest_credits(events: u64, population: &Population) -> f64 {
    let fraud: f64 = super::population::SCHEMES.iter().map(|persona| population.share(*persona)).sum();
    float(usize::try_from(events).unwrap_or(usize::MAX)) * (1.0 - fraud)
}
