//! A worker that starts deletes expired data.

use serde_json::{Value, json};

use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::network::{Event, deliver};
use crate::support::wait::until;

on_both_databases!(what_is_over_its_term_leaves_once_a_worker_runs_and_rewards_stay);

fn what_is_over_its_term_leaves_once_a_worker_runs_and_rewards_stay(on: Kind) {
    let terms = "retention = { postbacks_days = 10, quarantined_days = 0, addresses_days = 0 }";
    let gate = Gate::with(on, |settings| settings.with(terms));
    let web = gate.web();
    let mut worker = gate.worker();
    let api = gate.api(web.address);
    for tx in ["T-1", "T-2"] {
        deliver(web.address, &Event::honest("u-1", tx, 10).credit());
    }
    api.await_processing();
    worker.stop();
    // The first one and a quarantined one came a long time ago; no purge has run today.
    gate.database.execute(
        "UPDATE postbacks SET received_at = 0 WHERE id = 1;
         INSERT INTO postbacks (source, received_at, method, target, remote_ip, outcome, reason)
         VALUES ('targo', 1, 'GET', '/pb/targo', '192.0.2.1', 'quarantined', 'long ago');
         DELETE FROM scheduled",
    );
    let mut worker = gate.worker();
    let outcomes = || {
        let items = api.all("postbacks", 100);
        items.iter().map(|item| item["outcome"].clone()).collect::<Vec<Value>>()
    };
    until("the purge", || (outcomes() == [json!("quarantined"), json!("processed")]).then_some(()));
    assert_eq!(api.reward("T-1")["status"], "credited", "the reward stays");
    assert_eq!(api.reward("T-1")["postbacks"], json!([]));
    assert_eq!(api.balance("u-1"), "20");
    worker.stop();
    gate.assert_proven();
}
