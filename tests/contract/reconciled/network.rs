//! What networks send in a scenario.

use domain::reward::Status;
use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::scenario::{SOURCES, Scenario, USERS};
use crate::support::postbacks::{Call, credit, reversal, suspicious, unmappable};

/// How far behind the clock of one web process is from the others', at most. Less than the report allows for.
pub(super) const SKEW_MS: i64 = 500_000;
const COUNTRIES: [&str; 12] = ["", "AT", "BR", "CA", "DE", "ES", "FR", "GB", "IN", "JP", "PL", "US"];

impl Scenario<'_> {
    /// The postbacks that arrive at one time.
    pub(super) fn calls(&mut self, at: i64) -> Vec<Call> {
        let mut calls = std::mem::take(&mut self.overtaken);
        for _ in 0..self.chance.random_range(1..4) {
            let new = self.new_credit(at);
            self.sent.push(new.clone());
            if self.chance.random_bool(0.25) {
                calls.push(reversed(&new));
                self.overtaken.push(new);
            } else {
                calls.push(new);
            }
        }
        if self.chance.random_bool(0.3) {
            let again = self.one(&self.sent.clone());
            let odd = self.chance.random_bool(0.4);
            calls.push(if odd { again.with("reward", 901) } else { again });
        }
        for _ in 0..3 {
            if self.chance.random_bool(0.25) {
                let taken_back = self.one(&self.sent.clone());
                calls.push(reversed(&taken_back));
            }
        }
        if self.chance.random_bool(0.1) {
            let stranger = self.one(&self.sent.clone());
            calls.push(reversed(&stranger).by("stranger"));
        }
        if self.chance.random_bool(0.25) {
            // Of what a person holds or rejected as often as of anything else.
            let undecided = self.sent.iter().filter(|call| {
                SOURCES.iter().any(|(source, _)| {
                    let known = self.rewards.get(&(*source, call.param("tx_id").to_owned()));
                    known.is_some_and(|known| matches!(known.status, Status::Held | Status::Rejected))
                })
            });
            let undecided: Vec<_> = undecided.cloned().collect();
            let rare = self.chance.random_bool(0.7) && !undecided.is_empty();
            let of = if rare { self.one(&undecided) } else { self.one(&self.sent.clone()) };
            let all: i64 = of.param("reward").parse().expect("whole coins");
            if all > 1 {
                calls.push(reversed(&of).with("reward", self.chance.random_range(1..all)));
            }
        }
        if self.chance.random_bool(0.1) {
            let (source, _) = self.one(&SOURCES);
            calls.push(reversal(&format!("nothing-{at}")).of_source(source).by("u0"));
        }
        if self.chance.random_bool(0.1) {
            let other_money = self.one(&self.sent.clone());
            calls.push(reversed(&other_money).with("reward", 902));
        }
        if self.chance.random_bool(0.1) {
            calls.push(unmappable());
        }
        if self.chance.random_bool(0.05) {
            calls.push(credit("N").of_source("nobody"));
        }
        let midnight = self.zone.starts_at(self.zone.day_of(at));
        let received = |chance: &mut SmallRng| {
            let behind = at - chance.random_range(0..SKEW_MS);
            // To the millisecond, where it matters.
            let edges = [behind, midnight - 1, midnight];
            if at - midnight < SKEW_MS { edges[chance.random_range(0..3)] } else { behind }
        };
        calls.into_iter().map(|call| call.received(received(&mut self.chance))).collect()
    }

    fn new_credit(&mut self, at: i64) -> Call {
        let key = format!("K{at}-{}", self.chance.random_range(0..1_000_000));
        let new = if self.chance.random_bool(0.3) { suspicious(&key) } else { credit(&key) };
        let (source, _) = self.one(&SOURCES);
        let mut new = new
            .of_source(source)
            .by(&format!("u{}", self.chance.random_range(0..USERS)))
            // Each is a task of its own.
            .with("event_id", &key)
            .with("reward", self.chance.random_range(1..900))
            .with(
                "payout",
                format!("{}.{:02}", self.chance.random_range(0..3), self.chance.random_range(0..100)),
            );
        if self.chance.random_bool(0.9) {
            new = new.with("offer_id", format!("o{}", self.chance.random_range(0..12)));
        }
        let country = self.one(&COUNTRIES);
        if !country.is_empty() {
            new = new.with("country_code", country);
        }
        if self.chance.random_bool(0.8) {
            new = new.with("sub1", format!("s{}", self.chance.random_range(0..12)));
        }
        new
    }
}

/// Takes back what a call gave.
fn reversed(call: &Call) -> Call {
    reversal(call.param("tx_id")).of_source(call.source()).by(call.param("user_id"))
}
