//! What RewardGate does by itself: by its settings, or caused by somebody else.

use domain::audit::Action;

use super::acting::{statement, until_statement};
use super::book::Book;
use crate::support::app::app;
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::network::{Event, deliver};
use crate::support::signed_in::SignedIn;
use crate::support::wait::until;

on_both_databases!(what_follows_from_settings_and_from_others_leaves_its_line);

/// The acts that are seen here.
pub(super) const ACTS: &[Action] = &[
    Action::AppDisabled,
    Action::PolicyChanged,
    Action::StatementSuperseded,
    Action::StatementFailed,
    Action::ManySignInsRefused,
];

fn what_follows_from_settings_and_from_others_leaves_its_line(on: Kind) {
    let app = app();
    app.answer_with(|_| sandbox::app::Reply::Refuse(410));
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, "schedule = [0.01]"));
    assert!(gate.run(&["migrate"]).status.success());
    gate.add_person("mara", "admin");
    let mut book = Book::open(&gate);
    let mut up = gate.up();
    let api = gate.api(up.address);
    // The policy: once, and not with each start.
    let first = one(&mut book, Action::PolicyChanged, "settings");
    assert!(first.0.starts_with("policy ") && first.1.is_empty(), "{first:?}");
    up.process.stop();
    let mut up = gate.up();
    let api = api.at(up.address);
    assert!(book.lines_of_workers().is_empty(), "the same policy as before");
    // The app says that it is gone.
    for user in 0..20 {
        deliver(up.address, &Event::honest(&format!("u-{user}"), &format!("G-{user}"), 10).credit());
    }
    until("an app that is switched off", || (!api.get("apps")[0]["disabled_at"].is_null()).then_some(()));
    let gone = one(&mut book, Action::AppDisabled, "forwarder");
    assert!(gone.0 == "app main" && gone.1.starts_with("it answered 410"), "{gone:?}");
    // A later version of a statement.
    for (id, versions) in [(1, 0), (2, 1)] {
        assert_eq!(api.import(&format!("{id}.csv"), &statement("G-1", versions)), id);
    }
    until_statement(&api, 1, "superseded");
    let superseded = one(&mut book, Action::StatementSuperseded, "worker");
    assert_eq!(superseded.0, "statement 1");
    up.process.stop();
    // A statement that has lost a piece.
    let mut web = gate.web();
    let api = api.at(web.address);
    assert_eq!(api.post("statements?source=targo&name=x.csv", &statement("G-3", 0)).status, 202);
    gate.database.execute("DELETE FROM statement_chunks WHERE statement_id = 3");
    let mut worker = gate.worker();
    until_statement(&api, 3, "failed");
    assert_eq!(one(&mut book, Action::StatementFailed, "worker").0, "statement 3");
    worker.stop();
    // Wrong passwords are attributed to nobody.
    for _ in 0..3 {
        SignedIn::with_password(web.address, "mara", "wrong horse", &[]).err().expect("refused");
    }
    assert_eq!(one(&mut book, Action::ManySignInsRefused, "nobody").0, "person mara");
    web.process.stop();
    book.close(ACTS);
    gate.assert_proven();
}

/// The subject and the detail of the only line that a worker left since the last look.
fn one(book: &mut Book<'_>, action: Action, by: &str) -> (String, String) {
    let lines = book.lines_of_workers();
    let [line] = lines.as_slice() else { panic!("{action:?}: {lines:?}") };
    assert_eq!((line.action, line.actor.as_str()), (action, by), "{line:?}");
    (line.subject.clone(), line.detail.clone())
}
