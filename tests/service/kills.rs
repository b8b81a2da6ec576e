//! Whatever is killed, and whenever: what was acknowledged has exactly one effect, what was not can be sent again.
//!
//! `SERVICE_KILL_ROUNDS` sets how often each test kills; 20 by default.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::support::database::Kind;
use crate::support::effects::assert_one_effect_each;
use crate::support::gate::{Gate, Listening};
use crate::support::load::Load;
use crate::support::network::Event;
use crate::support::process::Process;
use crate::support::scale::scale;

on_both_databases!(
    killing_the_web_process_loses_nothing_that_was_acknowledged,
    killing_the_worker_process_loses_and_doubles_nothing,
    killing_the_only_process_loses_and_doubles_nothing,
);

const ROUNDS: usize = 20;
/// Events that are new in each round.
const EVENTS: usize = 150;
const CONNECTIONS: usize = 16;

/// What is killed.
#[derive(Clone, Copy)]
enum Victim {
    Web,
    Worker,
    Both,
}

fn killing_the_web_process_loses_nothing_that_was_acknowledged(on: Kind) {
    kill(on, Victim::Web, 1);
}

fn killing_the_worker_process_loses_and_doubles_nothing(on: Kind) {
    kill(on, Victim::Worker, 2);
}

fn killing_the_only_process_loses_and_doubles_nothing(on: Kind) {
    kill(on, Victim::Both, 3);
}

/// Each event is sent until it is acknowledged and never again: were an acknowledged one lost, nothing would replace
/// it.
fn kill(on: Kind, victim: Victim, seed: u64) {
    let rounds = scale("SERVICE_KILL_ROUNDS", ROUNDS);
    let mut rng = StdRng::seed_from_u64(seed);
    // Small batches: many transactions to be killed in.
    let gate = Gate::with(on, |settings| settings.with("batch = 16"));
    let mut standing = Standing::start(&gate, victim);
    let (mut events, mut unacknowledged, mut interrupted) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        let new = (0..EVENTS).map(|number| {
            let (user, tx) = (format!("u-{}", number % 7), format!("T-{round}-{number}"));
            Event::honest(&user, &tx, rng.random_range(1..1_000))
        });
        let new: Vec<_> = new.collect();
        unacknowledged.extend(new.iter().map(Event::credit));
        events.extend(new);
        let load = Load::new(unacknowledged);
        let moment = rng.random_range(1..EVENTS / 2);
        let pause = Duration::from_micros(rng.random_range(0..20_000));
        let address = standing.web.address;
        load.send_while(address, CONNECTIONS, || {
            load.wait_for(moment);
            // Somewhere between two acknowledgements, or in the middle of a batch.
            thread::sleep(pause);
            standing.kill();
        });
        unacknowledged = load.into_left();
        interrupted += unacknowledged.len();
        standing.revive(&gate);
    }
    // The death of a worker interrupts nobody who calls.
    assert_eq!(interrupted > 0, !matches!(victim, Victim::Worker), "{interrupted} calls were interrupted");
    Load::new(unacknowledged).deliver(standing.web.address, CONNECTIONS);
    let api = gate.api(standing.web.address);
    assert_one_effect_each(&gate, &api, &events, &BTreeSet::new());
}

/// The processes of one round.
struct Standing {
    victim: Victim,
    web: Listening,
    worker: Option<Process>,
}

impl Standing {
    fn start(gate: &Gate, victim: Victim) -> Self {
        match victim {
            Victim::Both => Self { victim, web: gate.up(), worker: None },
            Victim::Web | Victim::Worker => Self { victim, web: gate.web(), worker: Some(gate.worker()) },
        }
    }

    fn kill(&mut self) {
        match (self.victim, &mut self.worker) {
            (Victim::Worker, Some(worker)) => worker.kill(),
            _ => self.web.process.kill(),
        }
    }

    /// Starts the same again on the same database.
    fn revive(&mut self, gate: &Gate) {
        match self.victim {
            Victim::Web => self.web = gate.web(),
            Victim::Worker => self.worker = Some(gate.worker()),
            Victim::Both => self.web = gate.up(),
        }
    }
}
