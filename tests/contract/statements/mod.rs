//! The network's own list of transactions: received once, imported in steps that survive being killed, matched exactly.

mod importing;
mod matching;
mod resolving;

use chrono_tz::Tz;
use domain::report::amount::Amount;
use domain::statement::format::Format;
use domain::statement::matching::Tolerance;
use domain::statement::totals::Totals;
use jobs::statements::work_off;
use store::statements::intake::Intake;
use store::statements::{
    Confirm, Confirmed, MatchTerms, NewStatement, Received, Resolution, StateTotal, Supersedes, Then,
};

use crate::support::database::Home;
use crate::support::postbacks::{NOW, SOURCE, credit, reversal};

pub(crate) const TERMS: MatchTerms = MatchTerms {
    tolerance: Tolerance { absolute: Amount(10_000), relative_ppm: 0 },
    window_ms: 3_600_000,
    cut_off_days: 3,
    timezone: Tz::UTC,
};

/// A cut-off after which no booking is pending.
pub(crate) const OVERDUE: &str = "9999-12-31";

pub(crate) const HEADER: &str = "tx_id,status,user_id,offer_id,event_id,amount,currency,time\n";

/// One line as the network writes it, on [`TODAY`](crate::support::postbacks::TODAY).
pub(crate) fn line(tx: &str, status: &str, user: &str, offer: &str, amount: &str) -> String {
    format!("{tx},{status},{user},{offer},,{amount},USD,2026-11-23T10:00:00Z\n")
}

pub(crate) fn new(file_name: &str) -> NewStatement {
    NewStatement {
        source: SOURCE.into(),
        file_name: file_name.into(),
        format: serde_json::to_string(&Format::default()).expect("JSON"),
        period: None,
        actor: "fay".into(),
        now: NOW,
    }
}

pub(crate) async fn receive(home: &Home, file_name: &str, file: &str) -> (i64, Received) {
    receive_as(home, new(file_name), &Format::default(), file, Then::Import).await
}

pub(crate) async fn receive_as(
    home: &Home,
    new: NewStatement,
    format: &Format,
    file: &str,
    then: Then,
) -> (i64, Received) {
    let new = NewStatement { format: serde_json::to_string(format).expect("JSON"), ..new };
    let mut intake = Intake::begin(&home.store, new, format.clone()).await.expect("it begins");
    for bytes in file.as_bytes().chunks(10_000) {
        intake.push(bytes).await.expect("it is taken");
    }
    intake.finish(then).await.expect("it is received")
}

async fn import_as(home: &Home, file_name: &str, format: &Format, file: &str) -> i64 {
    let (id, received) = receive_as(home, new(file_name), format, file, Then::Import).await;
    assert_eq!(received, Received::New);
    work_off(&home.store, id, TERMS, || true).await.expect("it is matched");
    id
}

pub(crate) async fn import(home: &Home, file_name: &str, file: &str) -> i64 {
    import_as(home, file_name, &Format::default(), file).await
}

pub(crate) async fn totals(home: &Home, id: i64) -> Totals {
    totals_at(home, id, OVERDUE).await
}

async fn totals_at(home: &Home, id: i64, pending_from: &str) -> Totals {
    let rows: Vec<StateTotal> = home.store.statement_totals(id, pending_from).await.expect("they are summed");
    let totals = store::statements::totals(rows).expect("known states");
    assert!(totals.ties_out(), "{totals:?}");
    totals
}

pub(crate) async fn counts(home: &Home, id: i64) -> Vec<(&'static str, i64)> {
    let mut counts: Vec<_> =
        totals(home, id).await.states.iter().map(|of| (of.state.name(), of.count)).collect();
    counts.sort_unstable();
    counts
}

/// Confirms a waiting statement, which is then imported.
pub(crate) async fn confirm(home: &Home, id: i64, period: Option<(&str, &str)>) -> Confirmed {
    let confirm = Confirm {
        format: Format::default(),
        period: period.map(|(from, to)| (from.to_owned(), to.to_owned())),
        supersedes: Supersedes::Decide,
        actor: "fay".into(),
        now: NOW,
    };
    home.store.confirm_statement(id, confirm).await.expect("an answer")
}

pub(crate) fn word(reason: &str) -> Resolution {
    Resolution { actor: "fay".into(), reason: reason.into(), now: NOW }
}

/// Honest credits `T0` to `T9` of a dollar each, of a user and an offer each, with `T8` and `T9` taken back.
pub(crate) async fn ten(home: &Home) {
    let call = |n: usize| credit(&format!("T{n}")).by(&format!("u{n}")).with("offer_id", format!("o{n}"));
    home.process(&(0..10).map(call).collect::<Vec<_>>()).await;
    home.process(&[reversal("T8").by("u8"), reversal("T9").by("u9")]).await;
}

pub(crate) fn of(n: usize, status: &str, amount: &str) -> String {
    line(&format!("T{n}"), status, &format!("u{n}"), &format!("o{n}"), amount)
}
