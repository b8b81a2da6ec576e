//! Fifty thousand postbacks of a network that writes whatever it likes, from a seed.

use std::fmt::Write as _;

use chrono_tz::Tz;

use super::tests::{OPTIONAL, REQUIRED};
use super::*;
use crate::batch::{BatchOutcome, ExistingRewards, Incoming, Outcome, SourceTerms};
use crate::location::{GeoResult, Location};
use crate::policy::Policy;
use crate::postback::networks::coverage::Unsigned;
use crate::reward::Status;
use crate::time::TimestampMs;

const NOW: TimestampMs = TimestampMs(1_795_435_200_000);

/// Pieces that values are made of: leftovers of encodings, templates and databases.
const PIECES: [&str; 52] = [
    "",
    "%20",
    "+",
    "%09",
    "%0A",
    "%00",
    "%C2%A0",
    "%EF%BB%BF",
    "%E9",
    "%FF%FE",
    "%ED%A0%80",
    "%F0%9F%98%80",
    "%",
    "%2",
    "%zz",
    "%25",
    "{",
    "}",
    "{tx_id}",
    "{{x}}",
    "[USER]",
    "[%25TX%25]",
    "${x}",
    "<id>",
    "#ID#",
    "%7Bx%7D",
    "%257Bx%257D",
    "0",
    "1",
    "-",
    "500",
    "-500",
    "5e2",
    "1.5E-3",
    "e",
    ".",
    ",",
    "1,234.50",
    "99999999999",
    "NaN",
    "null",
    "undefined",
    "coins",
    "8.8.8.8",
    ":443",
    "[2001:db8::1]",
    ", ",
    "T1",
    "USA",
    "United%20States",
    ";",
    "=",
];

/// A generator that needs no crate: xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap_or(1)).unwrap_or(0)
    }

    fn value(&mut self) -> String {
        let mut value: String = (0..self.below(4)).map(|_| PIECES[self.below(PIECES.len())]).collect();
        match self.below(20) {
            0 => value.push_str(&"x".repeat(self.below(2_000))),
            1 => {
                for _ in 0..self.below(30) {
                    let _ = write!(value, "%{:02X}", self.below(256));
                }
            }
            _ => {}
        }
        value
    }

    /// Some of `names` with values, some of them twice, between separators of any kind that does not swallow.
    fn parameters(&mut self, names: &[&str]) -> String {
        let mut query = String::new();
        for _ in 0..self.below(names.len() + 3) {
            let separator = if self.below(10) == 0 { "&amp;" } else { "&" };
            let (name, value) = (names[self.below(names.len())], self.value());
            let _ = write!(query, "{separator}{name}={value}");
        }
        query
    }
}

fn params() -> Params {
    Params::shipped("targo").expect("it ships")
}

fn incoming(postback_id: i64, event: Event) -> Incoming {
    Incoming {
        postback_id,
        source: SourceTerms {
            name: "targo".into(),
            app: "main".into(),
            currency: "coins".into(),
            retry_horizon_ms: 108_000_000,
            unsigned: Unsigned::default(),
        },
        received_at: NOW,
        event,
        location: Location::default(),
        geo: GeoResult::Unknown,
        caller_listed: None,
        normal: None,
        listed: Vec::new(),
    }
}

#[test]
fn any_reversal_of_a_booked_reward_takes_it_back_or_waits_for_a_person() {
    let (mut dice, params) = (Dice(0x5eed_cafe_f00d_d1ce), params());
    let policy = Policy::built_in().expect("valid");
    for batch in 0..250 {
        let mut events = Vec::new();
        for number in 0..100 {
            let named = format!("user_id=u{number}&tx_id=T{batch}-{number}");
            let credit = format!("/pb/t?{named}&reward=500&status=1{}", dice.parameters(&OPTIONAL));
            let mut details = OPTIONAL.to_vec();
            details.push("reward");
            let reversal = format!("/pb/t?{named}&status=2{}", dice.parameters(&details));
            for target in [credit, reversal] {
                events.push(map(&target, &params).unwrap_or_else(|why| panic!("{target}: {why}")));
            }
        }
        let booked = |outcome: &BatchOutcome| {
            outcome.rewards.iter().all(|of| matches!(of.reward.status, Status::Credited | Status::Held))
        };
        let split = |kind: Kind| events.iter().filter(move |event| event.kind == kind).cloned().zip(1..);
        let credits = split(Kind::Credit).map(|(event, id)| incoming(id, event)).collect();
        let first = BatchOutcome::of(credits, ExistingRewards::default(), &policy, Tz::UTC, NOW);
        assert!(first.rewards.len() == 100 && booked(&first), "every credit is booked or held");
        let rewards = first.rewards.into_iter().zip(1..).map(|(mut change, id)| {
            change.reward.id = Some(id);
            change.reward
        });
        let known = ExistingRewards { rewards: rewards.collect(), ..ExistingRewards::default() };
        let reversals = split(Kind::Reversal).map(|(event, id)| incoming(id, event)).collect();
        let second = BatchOutcome::of(reversals, known, &policy, Tz::UTC, NOW);
        for (index, change) in second.rewards.iter().enumerate() {
            let waits = second.cases.iter().any(|case| case.reward == index);
            assert!(change.reward.status == Status::Reversed || waits, "{:?}", change.reward);
        }
        assert!(second.postbacks.iter().all(|processed| processed.outcome == Outcome::Processed));
    }
}

#[test]
fn whatever_a_network_writes_only_its_four_fields_can_quarantine() {
    let (mut dice, params) = (Dice(0x0dd5_0f1a_7e57_0001), params());
    let names: Vec<_> = REQUIRED.into_iter().chain(OPTIONAL).collect();
    let mut quarantined = 0;
    for _ in 0..10_000 {
        let target = format!("/pb/t?user_id=u1{}", dice.parameters(&names));
        if let Err(quarantine) = map(&target, &params) {
            let named = REQUIRED.iter().any(|name| quarantine.reason.contains(&format!("`{name}`")));
            assert!(named, "{target}: {quarantine}");
            quarantined += 1;
        }
    }
    assert!((1..10_000).contains(&quarantined), "{quarantined}");
}
