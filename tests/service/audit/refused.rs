//! What is refused: in lines of a bounded number, whatever is tried.

use domain::audit::Action;

use super::acting::held;
use super::book::{Book, HERE, STRANGER, on_a_page};
use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::http::{Request, call};
use crate::support::signed_in::SignedIn;

on_both_databases!(refusals_leave_bounded_lines);

/// The acts that are seen here.
pub(super) const ACTS: &[Action] =
    &[Action::SignInRefused, Action::SignedIn, Action::RightRefused, Action::TokenRefused];

fn refusals_leave_bounded_lines(on: Kind) {
    let gate = Gate::new(on);
    assert!(gate.run(&["migrate"]).status.success());
    gate.add_person("fin", "finance");
    let up = gate.up();
    let api = gate.api(up.address);
    let id = held(&api, "T-1");
    let finance = Api { token: gate.token("finance"), ..api.clone() };
    let mut book = Book::open(&gate);
    assert_eq!(finance.decide(id, "release", "why").status, 403);
    let new = book.new_lines();
    let [line] = new.as_slice() else { panic!("{new:?}") };
    assert_eq!(line.action, Action::RightRefused);
    assert_eq!(line.subject, format!("POST /api/v1/rewards/{id}/release"));
    for _ in 0..30 {
        finance.decide(id, "release", "why");
    }
    assert_eq!(book.new_lines().len(), 9, "ten in an hour");
    let fin = SignedIn::new(up.address, "fin", &[]);
    book.one(Action::SignedIn, on_a_page("fin"), "person fin");
    assert_eq!(fin.post("/review/decide", &format!("do=release&id={id}:1")).status, 403);
    book.one(Action::RightRefused, on_a_page("fin"), "POST /review/decide");
    assert_eq!(fin.get("/people").status, 403);
    book.one(Action::RightRefused, on_a_page("fin"), "GET /people");
    let stranger = Api { token: "rwg_0123".into(), ..api.clone() };
    assert_eq!(stranger.ask("rewards").status, 401);
    book.one(Action::TokenRefused, ("nobody", "token", Some("unknown"), HERE), "api");
    for _ in 0..30 {
        stranger.ask("rewards");
        stranger.metrics();
    }
    assert_eq!(book.new_lines().len(), 9, "ten in an hour");
    assert_eq!(call(up.address, &Request::get("/api/v1/rewards")).status, 401);
    book.none("nobody tried a token");
    let wrong = SignedIn::with_password(up.address, "whoever", "wrong horse", &[]).err();
    assert_eq!(wrong.expect("refused").status, 401);
    book.one(Action::SignInRefused, STRANGER, "person whoever");
    assert_eq!(api.reward("T-1")["status"], "held");
    book.close(ACTS);
    gate.assert_proven();
}
