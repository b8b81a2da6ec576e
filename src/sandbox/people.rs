//! Invented users and the tasks they do: no user does a task twice.

use std::net::IpAddr;

use rand::{Rng, RngExt as _};

use super::addresses::HOMES;

/// A task that earns a reward.
#[derive(Debug, PartialEq, Eq)]
pub struct Task {
    /// Offer ID at the network.
    pub offer_id: &'static str,
    /// Name of the offer; some need percent-encoding.
    pub offer_name: &'static str,
    /// Event ID within the offer.
    pub event_id: &'static str,
    /// Name of the event.
    pub event_name: &'static str,
    /// Minimum payout, in US cents.
    least_cents: i64,
    /// Maximum payout, in US cents.
    most_cents: i64,
}

const fn task(
    [offer_id, offer_name]: [&'static str; 2],
    [event_id, event_name]: [&'static str; 2],
    [least_cents, most_cents]: [i64; 2],
) -> Task {
    Task { offer_id, offer_name, event_id, event_name, least_cents, most_cents }
}

/// All below 50 USD, from which every reward is reviewed. The first task of each offer is the cheapest.
static TASKS: [Task; 20] = [
    task(["1021", "Kingdoms & Crowns"], ["1", "Install and open"], [20, 60]),
    task(["1021", "Kingdoms & Crowns"], ["5", "Reach level 5"], [80, 150]),
    task(["1021", "Kingdoms & Crowns"], ["10", "Reach level 10"], [300, 700]),
    task(["1044", "Café Quest"], ["open", "Open the app"], [15, 40]),
    task(["1044", "Café Quest"], ["level-12", "Reach level 12"], [250, 500]),
    task(["1044", "Café Quest"], ["purchase", "First purchase"], [400, 1_200]),
    task(["1107", "50% Off: Lumen Shop"], ["order", "First order"], [350, 900]),
    task(["1130", "TaxiGo"], ["signup", "Registration"], [60, 180]),
    task(["1130", "TaxiGo"], ["ride", "First ride"], [500, 1_000]),
    task(["1188", "Voice of the Customer"], ["s-3301", "Survey: groceries"], [40, 120]),
    task(["1203", "Daily Poll"], ["s-77", "Poll of the day"], [10, 25]),
    task(["1250", "東京ランナー"], ["install", "Install"], [30, 80]),
    task(["1250", "東京ランナー"], ["level-20", "Reach level 20"], [600, 1_500]),
    task(["1266", "Nordbank"], ["signup", "Sign up"], [900, 1_800]),
    task(["1266", "Nordbank"], ["deposit", "Deposit $20+"], [2_500, 4_900]),
    task(["1301", "StreamBox"], ["trial", "Trial subscription"], [200, 450]),
    task(["1340", "Merge Manor"], ["install", "Install"], [25, 70]),
    task(["1340", "Merge Manor"], ["level-8", "Reach level 8"], [120, 240]),
    task(["1372", "Feelgood Fitness"], ["signup", "Sign up"], [50, 110]),
    task(["1372", "Feelgood Fitness"], ["plan", "Subscribe to a plan"], [700, 1_600]),
];

/// Index of each offer's first task: without the event in the template, an offer counts as one task.
const OFFERS: [usize; 11] = [0, 3, 6, 7, 9, 10, 11, 13, 15, 16, 18];

/// Coprime to the number of tasks and of offers, so that steps of this width visit each once.
const STRIDE: usize = 7;

/// A user is replaced after this many tasks; fewer than there are offers.
const TASKS_PER_USER: usize = 6;

/// Number of active users.
const CROWD: usize = 64;

/// The active users. Memory is constant.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    people: Vec<Person>,
    next_user: u64,
    by_event: bool,
}

#[derive(Clone, Debug)]
struct Person {
    user: u64,
    home: IpAddr,
    country: &'static str,
    first_task: usize,
    done: usize,
}

/// A user and a task that is new to them.
pub(super) struct Turn {
    pub(super) user: u64,
    pub(super) home: IpAddr,
    pub(super) country: &'static str,
    pub(super) task: &'static Task,
}

impl Crowd {
    /// No users yet. `by_event`: two events of one offer are two tasks.
    pub(super) fn new(by_event: bool) -> Self {
        Self { people: Vec::with_capacity(CROWD), next_user: 1, by_event }
    }

    /// Picks a user, and a task that is new to them.
    pub(super) fn turn(&mut self, rng: &mut impl Rng) -> Turn {
        let place = rng.random_range(0..CROWD);
        if place >= self.people.len() {
            let newcomer = self.newcomer(rng);
            self.people.push(newcomer);
        }
        let place = place.min(self.people.len() - 1);
        if self.people[place].done == TASKS_PER_USER {
            self.people[place] = self.newcomer(rng);
        }
        let by_event = self.by_event;
        let person = &mut self.people[place];
        let number = person.first_task + person.done * STRIDE;
        let task = if by_event { number % TASKS.len() } else { OFFERS[number % OFFERS.len()] };
        person.done += 1;
        Turn { user: person.user, home: person.home, country: person.country, task: &TASKS[task] }
    }

    fn newcomer(&mut self, rng: &mut impl Rng) -> Person {
        let block = &HOMES[rng.random_range(0..HOMES.len())];
        let user = self.next_user;
        self.next_user += 1;
        let (home, first_task) = (block.host(rng), rng.random_range(0..TASKS.len()));
        Person { user, home, country: block.country, first_task, done: 0 }
    }
}

impl Task {
    /// A random payout, in US cents.
    pub(super) fn payout_cents(&self, rng: &mut impl Rng) -> i64 {
        rng.random_range(self.least_cents..=self.most_cents)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng as _;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn no_user_does_a_task_twice() {
        for by_event in [true, false] {
            let (mut crowd, mut rng) = (Crowd::new(by_event), Xoshiro256PlusPlus::seed_from_u64(7));
            let mut seen = HashSet::new();
            for _ in 0..20_000 {
                let turn = crowd.turn(&mut rng);
                let event = if by_event { turn.task.event_id } else { "" };
                assert!(seen.insert((turn.user, turn.task.offer_id, event)), "user {}", turn.user);
            }
            let offers: HashSet<_> = seen.iter().map(|(_, offer, _)| offer).collect();
            assert_eq!(offers.len(), OFFERS.len());
        }
    }

    #[test]
    fn the_table_of_offers_matches_the_tasks() {
        let starts: Vec<_> =
            (0..TASKS.len()).filter(|n| *n == 0 || TASKS[n - 1].offer_id != TASKS[*n].offer_id).collect();
        assert_eq!(starts, OFFERS);
        let tasks: HashSet<_> = TASKS.iter().map(|task| (task.offer_id, task.event_id)).collect();
        assert_eq!(tasks.len(), TASKS.len());
    }

    #[test]
    fn no_task_pays_enough_to_be_reviewed() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        for task in &TASKS {
            assert!((0..100).all(|_| (1..5_000).contains(&task.payout_cents(&mut rng))));
        }
    }
}
