//! Many users of many offers, from a seed: each postback is new, and makes one reward.

use std::net::{IpAddr, Ipv4Addr};

use domain::postback::signature::Secret;
use domain::time::TimestampMs;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use store::postbacks::inbox::NewPostback;

use crate::postback::Postback;
use crate::processes::SECRET;

/// Events of an offer.
const EVENTS: u64 = 4;
/// What publishers mark rewards with, such as sites.
const SUB1S: u64 = 1_000;
/// Payouts in USD, as sent.
const PAYOUTS: [&str; 6] = ["0.12", "0.4", "0.75", "1.5", "3.2", "8.05"];
/// Of so many postbacks one comes seconds after its click, and is held (T1).
const HURRIED_ONE_IN: u64 = 100;
/// Address blocks of national providers, of which the registries say the same: country, network, prefix length.
const HOMES: [(&str, [u8; 2], u32); 8] = [
    ("US", [73, 0], 8),
    ("US", [98, 192], 10),
    ("DE", [79, 192], 10),
    ("FR", [90, 0], 12),
    ("GB", [86, 128], 10),
    ("BR", [179, 208], 12),
    ("IN", [117, 192], 10),
    ("JP", [126, 64], 10),
];

/// What becomes of the postbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Most are credited, as in life.
    Mixed,
    /// All are held, a quarter each by T1, M1, Q1 and N1.
    Held,
}

/// Makes the postbacks of a seed, one after the other.
pub(crate) struct Crowd {
    seed: u64,
    rng: Xoshiro256PlusPlus,
    fate: Fate,
    users: u64,
    /// The first are done far more often than the last.
    offers: u64,
    next: u64,
    secret: Secret,
}

impl Crowd {
    /// Ten rewards of each user, on average, and a hundredth of them held.
    pub(crate) fn mixed(seed: u64, rewards: u64) -> Self {
        Self::of(seed, Fate::Mixed, rewards / 10, 2_000)
    }

    /// Five rewards of each user, on average, all held.
    pub(crate) fn held(seed: u64, rewards: u64) -> Self {
        Self::of(seed, Fate::Held, rewards / 5, 200)
    }

    fn of(seed: u64, fate: Fate, users: u64, offers: u64) -> Self {
        let secret = Secret::new(SECRET).expect("not empty");
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self { seed, rng, fate, users: users.max(1), offers, next: 0, secret }
    }

    /// The next `count`, received at `now_ms` (unix milliseconds).
    pub(crate) fn postbacks(&mut self, count: u64, now_ms: i64) -> Vec<NewPostback> {
        (0..count).map(|_| self.postback(now_ms)).collect()
    }

    fn postback(&mut self, now_ms: i64) -> NewPostback {
        let (number, rng) = (self.next, &mut self.rng);
        self.next += 1;
        let user = rng.random_range(0..self.users);
        let offer = rng.random_range(0..self.offers).min(rng.random_range(0..self.offers));
        let event = rng.random_range(0..EVENTS);
        let (home_country, address) = home(user);
        let mut took_s = rng.random_range(120..21_600);
        let mut payout = PAYOUTS[usize::try_from(offer + event).expect("not so many") % PAYOUTS.len()];
        let mut country = home_country;
        match (self.fate, number % 4) {
            (Fate::Mixed, _) if rng.random_range(0..HURRIED_ONE_IN) > 0 => {}
            (Fate::Mixed, _) | (Fate::Held, 0) => took_s = rng.random_range(1..5),
            (Fate::Held, 1) => payout = "60",
            (Fate::Held, 2) => took_s = -rng.random_range(400..4_000),
            // Tor, as some networks report it.
            (Fate::Held, _) => country = "T1",
        }
        let target = Postback {
            user,
            tx_id: &format!("{:08x}-{number:012}", self.seed),
            offer,
            event,
            payout,
            address,
            country,
            sub1: &format!("site-{}", rng.random_range(0..SUB1S)),
            clicked_at_s: u64::try_from(now_ms / 1_000 - took_s).expect("after 1970"),
        }
        .target(&self.secret);
        NewPostback {
            source: "bench".into(),
            received_at: TimestampMs(now_ms),
            method: "GET".into(),
            target,
            body: None,
            body_counts: false,
            headers: None,
            body_left_out: None,
            remote_ip: "203.0.113.7".into(),
            request_id: format!("{number:016x}"),
        }
    }
}

/// Where a user lives: always the same country and address.
fn home(user: u64) -> (&'static str, IpAddr) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(user);
    let (country, [first, second], prefix_bits) = HOMES[rng.random_range(0..HOMES.len())];
    let host = rng.random::<u32>() & (u32::MAX >> prefix_bits);
    let network = u32::from(Ipv4Addr::new(first, second, 0, 0));
    (country, IpAddr::V4(Ipv4Addr::from(network | host)))
}
