//! Small soft holds that nobody decided are released by policy, and the step says so.

use serde_json::json;

use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::network::{Event, deliver};
use crate::support::wait::until;
use crate::trouble::machine::Machine;
use crate::trouble::on_machine;

on_both_databases!(small_soft_holds_that_nobody_decided_are_released_by_policy);

/// How long ago it was held; longer than the policy waits.
const HELD_AGO_S: i64 = 50 * 3_600;

fn small_soft_holds_that_nobody_decided_are_released_by_policy(on: Kind) {
    let review = "review = { auto_release_below_usd = \"5\", auto_release_after_hours = 48 }";
    let gate = Gate::with(on, |settings| settings.with(review));
    let machine = Machine::new(&gate.path(""));
    gate.change(|settings| on_machine(settings, &machine));
    machine.set_clock(-HELD_AGO_S);
    let mut up = gate.up();
    let api = gate.api(up.address);
    // To the clock of then the clicks are older: one done in ten seconds, which nobody honest needs, and one too large to let go.
    let small = Event::honest("u-1", "T-SMALL", 10).clicked_earlier(HELD_AGO_S - 590);
    let large = Event::large("u-2", "T-LARGE", 10).clicked_earlier(HELD_AGO_S);
    deliver(up.address, &small.credit());
    deliver(up.address, &large.credit());
    assert_eq!(api.reward("T-SMALL")["status"], "held", "{}", api.reward("T-SMALL")["verdict"]);
    assert_eq!(api.reward("T-LARGE")["status"], "held");
    up.process.stop();
    machine.set_clock(0);
    let up = gate.up();
    let api = api.at(up.address);
    let released = until("a release", || Some(api.reward("T-SMALL")).filter(|it| it["status"] == "credited"));
    let steps = released["steps"].as_array().expect("steps");
    let last = steps.last().expect("a step");
    assert_eq!((&last["step"], &last["actor"]), (&json!("release"), &json!("policy")), "{steps:?}");
    assert_eq!(api.balance("u-1"), "10");
    assert_eq!(api.reward("T-LARGE")["status"], "held", "what is large waits for a person");
    gate.assert_proven();
}
