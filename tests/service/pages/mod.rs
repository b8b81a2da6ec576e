//! The pages, in a real Chromium: what people see, press and decide.

mod assess;
mod browser;
mod data;
mod doors;
mod finance;
mod finishing;
mod keys;
mod paper;
mod reach;
mod reversals;
mod reviewing;
mod sessions;
mod sign_ins;
mod sources;

use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening, PASSWORD};
use crate::support::network::{Event, deliver};
use crate::support::settings::Settings;
use browser::{Browser, Look};

/// A gate with people and held rewards.
struct Team {
    // Before the gate, because its log is in the gate's folder.
    up: Listening,
    gate: Gate,
    api: Api,
}

impl Team {
    fn new(on: Kind) -> Self {
        Self::with(on, |settings| settings)
    }

    fn with(on: Kind, change: impl FnOnce(Settings) -> Settings) -> Self {
        // A slow machine still has time to undo.
        let gate =
            Gate::with(on, |settings| change(settings.with_tail("[deliveries]\ngrace_seconds = 60\n")));
        let up = gate.up();
        let api = gate.api(up.address);
        for (name, role) in [("mara", "risk"), ("joe", "risk"), ("fin", "finance"), ("root", "admin")] {
            gate.add_person(name, role);
        }
        Self { up, gate, api }
    }

    /// Holds one reward of `user` for each of these transactions.
    fn hold(&self, user: &str, transactions: &[&str]) {
        for tx in transactions {
            deliver(self.up.address, &Event::too_fast(user, tx, 500).credit());
        }
        self.api.await_processing();
    }

    fn id(&self, tx: &str) -> i64 {
        self.api.reward(tx)["id"].as_i64().expect("an id")
    }

    fn status(&self, tx: &str) -> String {
        self.api.reward(tx)["status"].as_str().expect("a status").to_owned()
    }

    fn browser(&self, look: Look) -> Browser {
        Browser::open(self.up.address, look)
    }

    fn signed_in(&self, name: &str) -> Browser {
        let browser = self.browser(Look::default());
        browser.sign_in(name, PASSWORD);
        browser
    }
}
