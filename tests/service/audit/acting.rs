//! What there is to act on.

use crate::finance::{days_ago, line};
use crate::support::api::Api;
use crate::support::app::app;
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::network::{Event, deliver, send};
use crate::support::settings::PUBLIC_URL;
use crate::support::wait::until;

/// Above this a second person must agree; decisions are sent with a delay, so that they can be undone.
const TERMS: &str = "[review]\nsecond_person_usd = \"50\"\nsecond_person_stated_reward = \"5000\"\n";

/// A gate whose app refuses for good; credits are sent at once, decisions are not. Two admins, `mara` and `joe`,
/// two refused calls that verify by now, and a closed report of [`closed_day`].
pub(super) fn gate_to_act_on(on: Kind) -> (Gate, sandbox::app::App) {
    let app = app();
    app.answer_with(|_| sandbox::app::Reply::Refuse(400));
    let gate = Gate::with(on, |settings| {
        let settings = settings.forwarding_to(&app, "schedule = [0.01]");
        let settings = settings.replace_in_tail("[deliveries]\n", "[deliveries]\ngrace_seconds = 600\n");
        settings.with_tail(TERMS).with("public_url = \"http://gw.example.com\"")
    });
    let mut up = gate.up();
    let api = gate.api(up.address);
    for tx in ["R-1", "R-2"] {
        assert_eq!(send(up.address, Event::honest("u-7", tx, 10).credit()).status, 403);
    }
    until("the refused calls being kept", || (refused_calls(&api).len() == 2).then_some(()));
    up.process.stop();
    gate.change(|settings| settings.with(&format!("public_url = \"{PUBLIC_URL}\"")));
    for name in ["mara", "joe"] {
        gate.add_person(name, "admin");
    }
    let at = days_ago(5).starts_at().0;
    gate.database.execute(&format!("INSERT INTO listening VALUES ('before', {at}, {at})"));
    assert_eq!(gate.run(&["report", &closed_day()]).status.code(), Some(0));
    (gate, app)
}

/// A day whose report is closed.
pub(super) fn closed_day() -> String {
    days_ago(4).date().to_string()
}

/// The refused calls, the newest first.
pub(super) fn refused_calls(api: &Api) -> Vec<i64> {
    let calls = api.all("postbacks?outcome=refused", 100);
    calls.iter().map(|call| call["id"].as_i64().expect("an id")).collect()
}

/// A held reward of one dollar.
pub(super) fn held(api: &Api, tx: &str) -> i64 {
    deliver(api.address, &Event::too_fast("u-1", tx, 10).credit());
    api.reward(tx)["id"].as_i64().expect("an id")
}

/// A held reward on which two must decide.
pub(super) fn large(api: &Api, tx: &str) -> i64 {
    deliver(api.address, &Event::large("u-1", tx, 10).credit());
    api.reward(tx)["id"].as_i64().expect("an id")
}

/// The delivery of an honest reward that the app refused for good.
pub(super) fn failed(api: &Api, tx: &str) -> i64 {
    deliver(api.address, &Event::honest(tx, tx, 10).credit());
    failed_again(api, tx)
}

/// The delivery of `tx`, once it has failed.
pub(super) fn failed_again(api: &Api, tx: &str) -> i64 {
    until("a failed delivery", || {
        let found = api.reward(tx)["deliveries"][0].clone();
        (found["status"] == "failed").then(|| found["id"].as_i64().expect("an id"))
    })
}

/// A reversal of 4 of 10 coins, which a person must look at.
pub(super) fn case(api: &Api, tx: &str) -> i64 {
    deliver(api.address, &Event::honest("u-9", tx, 10).credit());
    api.await_processing();
    deliver(api.address, &Event::honest("u-9", tx, 4).reversal());
    api.await_processing();
    let open = api.all("reversals", 100);
    let of_tx = open.iter().find(|case| case["tx_id"] == tx).unwrap_or_else(|| panic!("{tx}: {open:?}"));
    of_tx["id"].as_i64().expect("an id")
}

/// A version of a statement of today: two lines that every version has, and one for each version. Only the first is a
/// known transaction, and later versions give it a higher amount.
pub(super) fn statement(tx: &str, versions: usize) -> String {
    let head = "tx_id,status,user_id,offer_id,amount,currency,time\n".to_owned();
    let credit = |tx: &str| line(tx, "approved", "u-1", "1.00");
    let more = (0..versions).map(|version| credit(&format!("{tx}-{version}")));
    let first = line(tx, "approved", "u-1", if versions == 0 { "1.00" } else { "1.50" });
    head + &first + &credit(&format!("{tx}-late")) + &more.collect::<String>()
}

/// Waits until the statement is in this state.
pub(super) fn until_statement(api: &Api, id: i64, state: &str) {
    until(state, || (api.get(&format!("statements/{id}"))["state"] == state).then_some(()));
}

/// Switches the app off, behind the product's back.
pub(super) fn disable_app(gate: &Gate) {
    gate.database.execute("INSERT INTO disabled_apps (app, disabled_at, why) VALUES ('main', 1, 'gone')");
}
