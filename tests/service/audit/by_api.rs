//! What is done with a token.

use std::collections::BTreeSet;

use domain::audit::Action;
use serde_json::{Value, json};

use super::acting::{
    case, closed_day, disable_app, failed, failed_again, gate_to_act_on, held, large, statement,
    until_statement,
};
use super::book::{Book, HERE, Signed, system_user};
use crate::finishing::quarantine;
use crate::support::api::{Api, json_of};
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening, text};
use crate::support::http::{Request, call};

on_both_databases!(every_call_of_the_api_that_changes_something_leaves_one_line);

/// The acts that are seen here.
pub(super) const ACTS: &[Action] = &[
    Action::Released,
    Action::Rejected,
    Action::OpinionGiven,
    Action::Undone,
    Action::ReversalTakenBack,
    Action::ReversalPartTakenBack,
    Action::ReversalDismissed,
    Action::PostbackStated,
    Action::PostbackProposed,
    Action::PostbackConfirmed,
    Action::PostbackDeclined,
    Action::PostbackSetAside,
    Action::PostbackTakenUp,
    Action::PostbackReplayed,
    Action::DeliveryResent,
    Action::DeliveriesResent,
    Action::DeliveryGivenUp,
    Action::AppEnabled,
    Action::ReportSigned,
    Action::StatementReceived,
    Action::StatementImported,
    Action::StatementDiscarded,
    Action::StatementRestored,
    Action::DifferenceAccepted,
    Action::StatementPaid,
    Action::PaymentTakenBack,
    Action::ListEntryAdded,
    Action::ListImported,
    Action::ListEntryRemoved,
    Action::TokenAdded,
];

const BY: Signed<'_> = ("mara", "token", Some("laptop"), HERE);
const BY_JOE: Signed<'_> = ("joe", "token", Some("desk"), HERE);

/// Who calls, what is seen of it, and what was called.
struct Desk<'g> {
    api: Api,
    second: Api,
    book: Book<'g>,
    called: BTreeSet<String>,
}

impl Desk<'_> {
    /// Changes something, which leaves one line.
    fn act(&mut self, path: &str, body: &Value, action: Action, subject: &str) -> Value {
        self.called.insert(template(path));
        let done = self.api.post(path, &body.to_string());
        assert!([200, 202].contains(&done.status), "{path}: {} {}", done.status, done.body);
        self.book.one(action, BY, subject);
        json_of(&done)
    }

    /// The same; once more it changes nothing and leaves none.
    fn once(&mut self, path: &str, body: &Value, action: Action, subject: &str) -> Value {
        let done = self.act(path, body, action, subject);
        let again = self.api.post(path, &body.to_string());
        assert!(again.status >= 400, "{path} once more: {} {}", again.status, again.body);
        self.book.none(&format!("{path} once more"));
        done
    }

    /// Somebody else changes something.
    fn second(&mut self, path: &str, body: &Value, action: Action, subject: &str) {
        self.called.insert(template(path));
        let done = self.second.post(path, &body.to_string());
        assert_eq!(done.status, 200, "{path}: {}", done.body);
        self.book.one(action, BY_JOE, subject);
    }
}

/// A path as the document of the API names it.
fn template(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let parts = path.split('/').map(|part| match part {
        "main" => "{app}",
        number if number.parse::<i64>().is_ok() => "{id}",
        date if date.starts_with("20") => "{date}",
        word => word,
    });
    format!("/api/v1/{}", parts.collect::<Vec<_>>().join("/"))
}

fn every_call_of_the_api_that_changes_something_leaves_one_line(on: Kind) {
    let (gate, _app) = gate_to_act_on(on);
    let up = gate.up();
    let token = |name: &str, owner: &str| {
        let output = gate.run(&["token", "add", name, "--role", "admin", "--owner", owner]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        Api { address: up.address, token: text(&output.stdout).trim_end().to_owned() }
    };
    let (api, second) = (token("laptop", "mara"), token("desk", "joe"));
    let mut desk = Desk { api, second, book: Book::open(&gate), called: BTreeSet::new() };
    rewards(&mut desk);
    reversals(&mut desk);
    postbacks(&mut desk);
    deliveries(&gate, &mut desk);
    let date = closed_day();
    let note = json!({ "note": "why" });
    desk.once(&format!("reports/{date}/sign-off"), &note, Action::ReportSigned, &format!("report {date}"));
    statements(&mut desk);
    lists(&mut desk);
    everything_was_called(&up, &desk.called);
    // A service acts under its own name.
    let output = gate.run(&["token", "add", "robot", "--role", "admin"]);
    let robot = Api { token: text(&output.stdout).trim_end().to_owned(), ..desk.api.clone() };
    let machine = system_user();
    desk.book.one(Action::TokenAdded, ("command line", "command", Some(&machine), None), "token robot");
    let reward = held(&robot, "T-4");
    assert_eq!(robot.decide(reward, "reject", "why").status, 200);
    desk.book.one(Action::Rejected, ("robot", "token", Some("robot"), HERE), &format!("reward {reward}"));
    desk.book.close(ACTS);
    gate.assert_proven();
}

/// A new call that changes something needs a line here.
fn everything_was_called(up: &Listening, called: &BTreeSet<String>) {
    let document = json_of(&call(up.address, &Request::get("/api/v1/openapi.json")));
    let paths = document["paths"].as_object().expect("paths");
    let reads = |method: &String| method == "get";
    let acting = paths.iter().filter(|(_, methods)| !methods.as_object().expect("methods").keys().all(reads));
    let acting: BTreeSet<_> = acting.map(|(path, _)| path.clone()).collect();
    let differ: Vec<_> = acting.symmetric_difference(called).collect();
    assert!(differ.is_empty(), "called here and in the document are not the same: {differ:?}");
}

fn rewards(desk: &mut Desk<'_>) {
    let note = json!({ "note": "why" });
    let of = |id: i64| format!("reward {id}");
    let (one, two, three) = (held(&desk.api, "T-1"), held(&desk.api, "T-2"), large(&desk.api, "T-3"));
    desk.once(&format!("rewards/{one}/release"), &note, Action::Released, &of(one));
    desk.once(&format!("rewards/{two}/reject"), &note, Action::Rejected, &of(two));
    desk.act(&format!("rewards/{two}/release"), &note, Action::Released, &of(two));
    desk.once(&format!("rewards/{two}/undo"), &note, Action::Undone, &of(two));
    let first = desk.api.decide(three, "release", "why");
    assert_eq!(first.status, 409, "another person must agree: {}", first.body);
    desk.book.one(Action::OpinionGiven, BY, &of(three));
    desk.second(&format!("rewards/{three}/release"), &note, Action::Released, &of(three));
}

fn reversals(desk: &mut Desk<'_>) {
    for (tx, resolution, action) in [
        ("C-1", "dismiss", Action::ReversalDismissed),
        ("C-2", "part", Action::ReversalPartTakenBack),
        ("C-3", "all", Action::ReversalTakenBack),
    ] {
        let case = case(&desk.api, tx);
        let body = json!({ "resolution": resolution, "note": "why" });
        desk.once(&format!("reversals/{case}/resolve"), &body, action, &format!("case {case}"));
    }
}

fn postbacks(desk: &mut Desk<'_>) {
    let reason = json!({ "reason": "why" });
    let id = quarantine(&desk.api, "Q-1", "reward=500", "reward=x");
    let (path, of) = (|act: &str| format!("postbacks/{id}/{act}"), format!("postback {id}"));
    desk.once(&path("set-aside"), &reason, Action::PostbackSetAside, &of);
    desk.once(&path("take-up"), &reason, Action::PostbackTakenUp, &of);
    let stated = |reward: &str| json!({ "reward": reward, "reason": "why" });
    let proposed = desk.act(&path("state"), &stated("9000"), Action::PostbackProposed, &of);
    let agreed = |proposed: &Value| json!({ "proposal": proposed["proposal"], "reason": "why" });
    desk.second(&path("decline"), &agreed(&proposed), Action::PostbackDeclined, &of);
    let proposed = desk.act(&path("state"), &stated("9000"), Action::PostbackProposed, &of);
    desk.second(&path("confirm"), &agreed(&proposed), Action::PostbackConfirmed, &of);
    let id = quarantine(&desk.api, "Q-2", "reward=500", "reward=x");
    let (path, of) = (|act: &str| format!("postbacks/{id}/{act}"), format!("postback {id}"));
    // A postback that is replayed as the settings were is quarantined again.
    desk.act(&path("replay"), &json!({}), Action::PostbackReplayed, &of);
    desk.api.await_processing();
    desk.once(&path("state"), &stated("500"), Action::PostbackStated, &of);
    assert_eq!(desk.api.post("postbacks/999999/replay", "").status, 404);
    desk.book.none("there is no such postback");
}

fn deliveries(gate: &Gate, desk: &mut Desk<'_>) {
    let (lost, dead) = (failed(&desk.api, "L-1"), failed(&desk.api, "L-2"));
    let of = |id: i64| format!("delivery {id}");
    let reason = json!({ "reason": "why" });
    desk.once(&format!("deliveries/{dead}/give-up"), &reason, Action::DeliveryGivenUp, &of(dead));
    desk.act(&format!("deliveries/{lost}/resend"), &json!({}), Action::DeliveryResent, &of(lost));
    failed_again(&desk.api, "L-1");
    failed(&desk.api, "L-3");
    // Credits of the cases before have failed, too.
    let ready = desk.api.all("deliveries?status=failed", 100).len();
    let subject = format!("{ready} failed deliveries");
    desk.act("deliveries/resend", &json!({}), Action::DeliveriesResent, &subject);
    assert_eq!(desk.api.post("deliveries/resend", "{\"to\":\"2020-01-01\"}").status, 200);
    desk.book.none("nothing is sent again");
    disable_app(gate);
    desk.act("apps/main/enable", &json!({}), Action::AppEnabled, "app main");
    assert_eq!(desk.api.post("apps/main/enable", "").status, 200);
    desk.book.none("it was on");
}

fn lists(desk: &mut Desk<'_>) {
    let body = json!({ "kind": "user", "value": "u-77", "effect": "watch", "reason": "why" });
    desk.act("lists", &body, Action::ListEntryAdded, "list entry 1");
    assert_eq!(desk.api.post("lists", "{\"kind\":\"user\"}").status, 400);
    desk.book.none("nothing was added");
    desk.once("lists/1/remove", &json!({}), Action::ListEntryRemoved, "list entry 1");
    desk.called.insert(template("lists/import"));
    let file = "kind,value,effect,reason\nuser,u-1,block,a\nuser,u-2,watch,b\n";
    assert_eq!(desk.api.post("lists/import?dry_run=true", file).status, 200);
    desk.book.none("only checked");
    assert_eq!(desk.api.post("lists/import", file).status, 200);
    desk.book.one(Action::ListImported, BY, "list entries, 2 to 3");
}

fn statements(desk: &mut Desk<'_>) {
    let path = |id: i64, act: &str| format!("statements/{id}/{act}");
    let of = |id: i64| format!("statement {id}");
    let upload = |desk: &mut Desk<'_>, query: &str, file: &str| {
        desk.called.insert(template("statements"));
        let answer = desk.api.post(&format!("statements?source=targo&{query}"), file);
        assert!([200, 202].contains(&answer.status), "{}", answer.body);
        let id = json_of(&answer)["id"].as_i64().expect("an id");
        desk.book.one(Action::StatementReceived, BY, &of(id));
        id
    };
    let id = upload(desk, "name=a.csv", &statement("L-1", 0));
    until_statement(&desk.api, id, "matched");
    let words = json!({ "subject": "line 3", "reason": "late" });
    desk.once(&path(id, "accept"), &words, Action::DifferenceAccepted, &of(id));
    let paid = json!({ "amount": "1.00", "note": "wire" });
    desk.act(&path(id, "paid"), &paid, Action::StatementPaid, &of(id));
    let payment = desk.api.get(&path(id, "payments"))[0]["id"].clone();
    let back = json!({ "payment": payment, "reason": "a slip" });
    desk.once(&path(id, "take-back"), &back, Action::PaymentTakenBack, &of(id));
    desk.once(&path(id, "discard"), &json!({}), Action::StatementDiscarded, &of(id));
    let older = upload(desk, "preview=true&name=b.csv", &statement("L-2", 0));
    desk.act(&path(older, "import"), &json!({}), Action::StatementImported, &of(older));
    until_statement(&desk.api, older, "matched");
    let newer = upload(desk, "name=c.csv", &statement("L-2", 1));
    until_statement(&desk.api, newer, "matched");
    until_statement(&desk.api, older, "superseded");
    desk.once(&path(older, "restore"), &json!({}), Action::StatementRestored, &of(older));
}
