//! What is done on the pages.

use std::collections::BTreeSet;
use std::path::Path;

use domain::audit::Action;

use super::acting::{
    case, closed_day, disable_app, failed, failed_again, gate_to_act_on, held, large, refused_calls,
    statement, until_statement,
};
use super::book::{Book, STRANGER, on_a_page};
use crate::finishing::quarantine;
use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::{Gate, PASSWORD};
use crate::support::http::Answer;
use crate::support::signed_in::{SignedIn, hidden};

on_both_databases!(every_page_form_that_changes_something_leaves_one_line);

/// The acts that are seen here.
pub(super) const ACTS: &[Action] = &[
    Action::SignedIn,
    Action::SignedOut,
    Action::SessionsEnded,
    Action::SignInRefused,
    Action::SawRefusedSignIns,
    Action::PersonAdded,
    Action::PersonDisabled,
    Action::PersonEnabled,
    Action::PasswordChanged,
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
    Action::RefusedCallReplayed,
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
    Action::AuditExported,
];

/// Who sits there, what is seen of them, and which forms were sent.
struct Desk<'g> {
    mara: SignedIn,
    joe: SignedIn,
    book: Book<'g>,
    sent: BTreeSet<String>,
}

impl Desk<'_> {
    fn send(&mut self, path: &str, fields: &str) -> Answer {
        self.sent.insert(template(path));
        let answer = self.mara.post(path, fields);
        assert!(answer.status < 400, "{path} {fields}: {} {}", answer.status, answer.body);
        answer
    }

    /// Changes something, which leaves one line.
    fn act(&mut self, path: &str, fields: &str, action: Action, subject: &str) {
        self.send(path, fields);
        self.book.one(action, on_a_page("mara"), subject);
    }

    /// The same; once more it changes nothing and leaves none.
    fn once(&mut self, path: &str, fields: &str, action: Action, subject: &str) {
        self.act(path, fields, action, subject);
        self.mara.post(path, fields);
        self.book.none(&format!("{path} {fields} once more"));
    }

    /// Somebody else changes something.
    fn second(&mut self, path: &str, fields: &str, action: Action, subject: &str) {
        self.sent.insert(template(path));
        let answer = self.joe.post(path, fields);
        assert_eq!(answer.status, 303, "{path} {fields}: {}", answer.body);
        self.book.one(action, on_a_page("joe"), subject);
    }
}

fn every_page_form_that_changes_something_leaves_one_line(on: Kind) {
    let (gate, _app) = gate_to_act_on(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let mut book = Book::open(&gate);
    let sign_in = |name, password| SignedIn::with_password(up.address, name, password, &[]);
    // Three wrong passwords are shown to her until she has seen them.
    for _ in 0..3 {
        assert_eq!(sign_in("mara", "wrong horse").err().expect("refused").status, 401);
        book.one(Action::SignInRefused, STRANGER, "person mara");
    }
    let mara = sign_in("mara", PASSWORD).expect("signed in");
    book.one(Action::SignedIn, on_a_page("mara"), "person mara");
    let joe = sign_in("joe", PASSWORD).expect("signed in");
    book.one(Action::SignedIn, on_a_page("joe"), "person joe");
    let mut desk = Desk { mara, joe, book, sent: BTreeSet::from(["/login".into(), "/logout".into()]) };
    desk.once("/password/seen", "tries=3", Action::SawRefusedSignIns, "person mara");
    rewards(&api, &mut desk);
    reversals(&api, &mut desk);
    postbacks(&api, &mut desk);
    deliveries(&gate, &api, &mut desk);
    let date = closed_day();
    desk.once(
        &format!("/reports/{date}/sign-off"),
        "note=why",
        Action::ReportSigned,
        &format!("report {date}"),
    );
    statements(&api, &mut desk);
    desk.act(
        "/lists",
        "effect=watch&kind=user&value=u-77&reason=why&expires=30d",
        Action::ListEntryAdded,
        "list entry 1",
    );
    desk.once("/lists/1/remove", "", Action::ListEntryRemoved, "list entry 1");
    let csv = "csv=kind,value,effect,reason%0Auser,u-1,block,a";
    desk.act("/lists/import", csv, Action::ListImported, "list entries, 2 to 2");
    desk.send("/sources", "call=%2Fpb%2Ftargo");
    desk.book.none("trying a captured call");
    people(&up, &mut desk);
    assert_eq!(desk.mara.get("/audit/audit.csv?action=released").status, 200);
    desk.book.one(Action::AuditExported, on_a_page("mara"), "audit");
    own_sessions(&up, &mut desk);
    everything_was_sent(&desk.sent);
    desk.book.close(ACTS);
    gate.assert_proven();
}

/// A new form needs a line here.
fn everything_was_sent(sent: &BTreeSet<String>) {
    let forms = forms();
    let unsent: Vec<_> = forms.difference(sent).collect();
    assert!(forms.len() > 30 && unsent.is_empty(), "not sent: {unsent:?}");
}

/// Where the forms of the pages are sent to, with `*` for what is filled in.
fn forms() -> BTreeSet<String> {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/console/templates");
    let mut forms = BTreeSet::new();
    for file in std::fs::read_dir(templates).expect("the templates") {
        let page = std::fs::read_to_string(file.expect("a file").path()).expect("a template");
        for form in page.split("<form").skip(1).filter_map(|rest| rest.split("csrf").next()) {
            let Some((_, rest)) = form.split_once("method=\"post\"") else { continue };
            let (_, to) = rest.split_once("action=\"").unwrap_or_else(|| panic!("no action: {form}"));
            forms.extend(filled(to.split('"').next().unwrap_or_default()));
        }
    }
    // One that keeps what was written when a session ended, and one of each row's own.
    forms.remove("*");
    forms
}

/// `/people/{{ name }}/{% if … %}enable{% else %}disable{% endif %}` goes to two places.
fn filled(action: &str) -> Vec<String> {
    let Some((before, rest)) = action.split_once("{%") else {
        let mut parts = action.split("{{");
        let first = parts.next().unwrap_or_default().to_owned();
        let rest = parts.map(|part| format!("*{}", part.split_once("}}").map_or("", |(_, rest)| rest)));
        return vec![first + &rest.collect::<String>()];
    };
    let words = rest.split("%}").filter_map(|part| part.split("{%").next()).skip(1);
    words.filter(|word| !word.is_empty()).flat_map(|word| filled(&format!("{before}{word}"))).collect()
}

/// A path with `*` for numbers, days and names.
fn template(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "mara" | "joe" | "ann" | "main" => "*",
        part if part.starts_with(|first: char| first.is_ascii_digit()) || part.len() > 40 => "*",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn a_form_that_goes_to_two_places_is_two_forms() {
    assert_eq!(filled("/postbacks/{{ row.id }}/replay"), ["/postbacks/*/replay"]);
    let both = "/people/{{ row.name }}/{% if row.disabled.is_some() %}enable{% else %}disable{% endif %}";
    assert_eq!(filled(both), ["/people/*/enable", "/people/*/disable"]);
}

fn rewards(api: &Api, desk: &mut Desk<'_>) {
    let held: Vec<i64> = ["T-1", "T-2", "T-3", "T-4"].into_iter().map(|tx| held(api, tx)).collect();
    let large = large(api, "T-5");
    let of = |id: i64| format!("reward {id}");
    let decide = "/review/decide";
    let one = format!("do=release&id={}:1&note=why", held[0]);
    desk.once(decide, &one, Action::Released, &of(held[0]));
    let one = format!("do=reject&id={}:1&note=why", held[1]);
    desk.once(decide, &one, Action::Rejected, &of(held[1]));
    let many = format!("do=reject-selected-now&id={}:1&id={}:1&shown=2&note=why", held[2], held[3]);
    desk.once(decide, &many, Action::Rejected, "2 rewards");
    desk.once(&format!("/rewards/{}/overturn", held[1]), "note=why", Action::Released, &of(held[1]));
    let shared = format!("do=release&id={large}:1&note=why");
    desk.act(decide, &shared, Action::OpinionGiven, &of(large));
    desk.second(decide, &shared, Action::Released, &of(large));
    let undo = desk.book.decision_of("mara");
    desk.once(
        &format!("/decisions/{undo}/undo"),
        "back=/review",
        Action::Undone,
        &format!("decision {undo}"),
    );
    // To look at one, and to look away, is no act.
    assert_eq!(desk.mara.get(&format!("/rewards/{}", held[1])).status, 200);
    desk.send(&format!("/rewards/{}/skip", held[1]), "");
    desk.book.none("a claim");
}

fn reversals(api: &Api, desk: &mut Desk<'_>) {
    for (tx, resolution, action) in [
        ("C-1", "dismiss", Action::ReversalDismissed),
        ("C-2", "part", Action::ReversalPartTakenBack),
        ("C-3", "all", Action::ReversalTakenBack),
    ] {
        let case = case(api, tx);
        let fields = format!("do={resolution}&note=why");
        desk.once(&format!("/review/reversals/{case}"), &fields, action, &format!("case {case}"));
    }
}

/// What is stated is shown first, and done once that was seen.
fn state(desk: &mut Desk<'_>, id: i64, reward: &str, action: Action) {
    let (path, fields) = (format!("/postbacks/{id}/state"), format!("reward={reward}&reason=why"));
    let shown = hidden(&desk.send(&path, &fields), "shown");
    desk.book.none("it is only shown");
    let shown = shown.replace('%', "%25").replace(' ', "+").replace('&', "%26");
    desk.act(&path, &format!("{fields}&do=state&shown={shown}"), action, &format!("postback {id}"));
}

fn postbacks(api: &Api, desk: &mut Desk<'_>) {
    let id = quarantine(api, "Q-1", "reward=500", "reward=x");
    let (path, of) = (|act: &str| format!("/postbacks/{id}/{act}"), format!("postback {id}"));
    desk.act(&path("replay"), "", Action::PostbackReplayed, &of);
    api.await_processing();
    desk.once(&path("set-aside"), "reason=why", Action::PostbackSetAside, &of);
    desk.once(&path("take-up"), "reason=why", Action::PostbackTakenUp, &of);
    state(desk, id, "500", Action::PostbackStated);
    let id = quarantine(api, "Q-2", "reward=500", "reward=x");
    let (path, of) = (|act: &str| format!("/postbacks/{id}/{act}"), format!("postback {id}"));
    for (act, action) in [("decline", Action::PostbackDeclined), ("confirm", Action::PostbackConfirmed)] {
        state(desk, id, "9000", Action::PostbackProposed);
        let proposal = desk.book.proposal_of(id);
        desk.second(&path(act), &format!("proposal={proposal}&reason=why"), action, &of);
    }
    // Two at once are two acts on two postbacks, as by command.
    let (one, two) =
        (quarantine(api, "Q-3", "reward=500", "reward=x"), quarantine(api, "Q-4", "reward=500", "reward=x"));
    desk.send("/postbacks/set-aside", &format!("id={one}&id={two}&reason=why"));
    let of = |id: i64| format!("postback {id}");
    let aside = Action::PostbackSetAside;
    desk.book.these(on_a_page("mara"), &[(aside, &of(one)), (aside, &of(two))]);
    let refused = refused_calls(api)[0];
    let path = format!("/postbacks/refused/{refused}/replay");
    desk.once(&path, "", Action::RefusedCallReplayed, &format!("refused call {refused}"));
}

fn deliveries(gate: &Gate, api: &Api, desk: &mut Desk<'_>) {
    let (lost, dead) = (failed(api, "L-1"), failed(api, "L-2"));
    let of = |id: i64| format!("delivery {id}");
    let give_up = format!("/deliveries/{dead}/give-up");
    desk.once(&give_up, "reason=why", Action::DeliveryGivenUp, &of(dead));
    desk.act(&format!("/deliveries/{lost}/resend"), "", Action::DeliveryResent, &of(lost));
    failed_again(api, "L-1");
    failed(api, "L-3");
    let many = api.all("deliveries?status=failed", 100).len();
    desk.act("/deliveries/resend", "", Action::DeliveriesResent, &format!("{many} failed deliveries"));
    disable_app(gate);
    desk.once("/deliveries/apps/main/enable", "", Action::AppEnabled, "app main");
}

fn statements(api: &Api, desk: &mut Desk<'_>) {
    let path = |id: i64, act: &str| format!("/reports/statements/{id}/{act}");
    let of = |id: i64| format!("statement {id}");
    desk.sent.insert("/reports/statements".into());
    let upload = |desk: &mut Desk<'_>, id: i64, versions| {
        let uploaded = desk.mara.upload("a.csv", &statement("L-1", versions));
        assert_eq!(uploaded.status, 303, "{}", uploaded.body);
        desk.book.one(Action::StatementReceived, on_a_page("mara"), &of(id));
    };
    for (id, versions) in [(1, 0), (2, 1)] {
        upload(desk, id, versions);
        desk.once(&path(id, "import"), "", Action::StatementImported, &of(id));
        until_statement(api, id, "matched");
    }
    until_statement(api, 1, "superseded");
    let all = "state=amount_differs&reason=why";
    desk.once(&path(2, "accept-all"), all, Action::DifferenceAccepted, &of(2));
    desk.once(&path(1, "restore"), "", Action::StatementRestored, &of(1));
    // What both have counts once: both are matched again.
    until_statement(api, 1, "matched");
    until_statement(api, 2, "matched");
    let accept = "subject=line%203&state=missing_here&reason=why";
    desk.once(&path(1, "accept"), accept, Action::DifferenceAccepted, &of(1));
    desk.once(&path(2, "paid"), "amount=1.00&note=wire&key=k", Action::StatementPaid, &of(2));
    let payment = api.get("statements/2/payments")[0]["id"].clone();
    let back = format!("payment={payment}&reason=why");
    desk.once(&path(2, "take-back"), &back, Action::PaymentTakenBack, &of(2));
    // A version that is discarded lets the one before it count again: two lines, both hers.
    upload(desk, 3, 2);
    desk.act(&path(3, "import"), "supersedes=2", Action::StatementImported, &of(3));
    until_statement(api, 2, "superseded");
    desk.send(&path(3, "discard"), "");
    let lines = desk.book.new_lines();
    let acts: BTreeSet<_> = lines.iter().map(|line| (line.action, line.subject.as_str())).collect();
    let expected = [(Action::StatementDiscarded, "statement 3"), (Action::StatementRestored, "statement 2")];
    assert_eq!(acts, BTreeSet::from(expected), "{lines:?}");
    assert!(lines.len() == 2 && lines.iter().all(|line| line.actor == "mara"), "{lines:?}");
}

fn people(up: &crate::support::gate::Listening, desk: &mut Desk<'_>) {
    let add = "name=ann&role=risk&password=correct%20horse";
    desk.once("/people", add, Action::PersonAdded, "person ann");
    desk.once("/people/ann/disable", "", Action::PersonDisabled, "person ann");
    desk.once("/people/ann/enable", "", Action::PersonEnabled, "person ann");
    desk.act("/people/ann/password", "password=another%20horse", Action::PasswordChanged, "person ann");
    SignedIn::with_password(up.address, "ann", "another horse", &[]).expect("signed in");
    desk.book.one(Action::SignedIn, on_a_page("ann"), "person ann");
    desk.once("/people/ann/sessions", "", Action::SessionsEnded, "person ann");
}

fn own_sessions(up: &crate::support::gate::Listening, desk: &mut Desk<'_>) {
    let sign_in = |desk: &mut Desk<'_>, password: &str| {
        let session = SignedIn::with_password(up.address, "mara", password, &[]).expect("signed in");
        desk.book.one(Action::SignedIn, on_a_page("mara"), "person mara");
        session
    };
    let of = "person mara";
    let other = sign_in(desk, PASSWORD);
    let page = desk.mara.get("/password").body;
    let id = page.split("/password/sessions/").nth(1).and_then(|rest| rest.split('/').next());
    let path = format!("/password/sessions/{}/end", id.expect("another session"));
    desk.sent.insert("/password/sessions/*/end".into());
    desk.once(&path, "", Action::SessionsEnded, of);
    assert_eq!(other.get("/audit").status, 303, "it has ended");
    desk.send("/password", "old=wrong&new=another%20horse");
    desk.book.one(Action::SignInRefused, STRANGER, of);
    desk.act("/password", "old=correct%20horse&new=another%20horse", Action::PasswordChanged, of);
    desk.mara = sign_in(desk, "another horse");
    desk.act("/password/sign-out", "", Action::SessionsEnded, of);
    desk.mara = sign_in(desk, "another horse");
    desk.act("/logout", "", Action::SignedOut, of);
}
