//! One postback that cannot be booked never blocks the others, and never takes one of them with it.

use serde_json::json;

use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::load::Load;
use crate::support::network::{Event, send};

on_both_databases!(
    an_unbookable_postback_is_quarantined_and_the_others_are_credited,
    several_workers_together_put_aside_only_what_cannot_be_booked,
);

/// An account within a coin of what a balance can hold.
const FULL_ACCOUNT: &str = "INSERT INTO accounts (name, currency, balance_micros)
                            VALUES ('user:main/full', 'coins', 8999999999999000000)";

fn an_unbookable_postback_is_quarantined_and_the_others_are_credited(on: Kind) {
    let gate = Gate::new(on);
    let web = gate.web();
    let api = gate.api(web.address);
    gate.database.execute(FULL_ACCOUNT);
    // In one batch: a poisonous one first, in the middle and last.
    Load::new(credits(21)).deliver(web.address, 1);
    let _worker = gate.worker();
    assert_only_the_poison_was_put_aside(&api, 21);
    // And everything that comes later is processed as ever.
    assert!(send(web.address, Event::honest("u-2", "T-later", 7).credit()).is_acknowledged());
    assert_eq!(api.reward("T-later")["status"], "credited");
}

/// A worker must not quarantine the wrong postback, although others work on the same rows.
fn several_workers_together_put_aside_only_what_cannot_be_booked(on: Kind) {
    let gate = Gate::with(on, |settings| settings.with("batch = 16"));
    let web = gate.web();
    let api = gate.api(web.address);
    gate.database.execute(FULL_ACCOUNT);
    Load::new(credits(201)).deliver(web.address, 1);
    let workers: Vec<_> = (0..3).map(|_| gate.start(&["worker"])).collect();
    assert_only_the_poison_was_put_aside(&api, 201);
    drop(workers);
}

/// So many credits, of which every tenth, from the first on, is for the account that is full.
fn credits(number: usize) -> Vec<String> {
    let credit = |number: usize| {
        let user = if number.is_multiple_of(10) { "full" } else { "u-1" };
        Event::honest(user, &format!("T-{number}"), 500).credit()
    };
    (0..number).map(credit).collect()
}

fn assert_only_the_poison_was_put_aside(api: &Api, number: usize) {
    api.await_processing();
    let put_aside = api.all("postbacks?outcome=quarantined", 1_000);
    for postback in &put_aside {
        assert!(postback["target"].as_str().is_some_and(|target| target.contains("uid=full")), "{postback}");
        assert!(
            postback["reason"].as_str().is_some_and(|reason| reason.contains("could not be saved")),
            "{postback}"
        );
        assert_eq!(postback["reward_id"], json!(null));
    }
    let poisonous = number / 10 + 1;
    assert_eq!(put_aside.len(), poisonous);
    assert_eq!(api.all("rewards", 1_000).len(), number - poisonous);
    assert_eq!(api.balance("u-1"), (500 * (number - poisonous)).to_string());
    assert_eq!(api.balance("full"), "8999999999999");
}
