//! What is done by command. Where nobody is named the command line signs, and always the user of the operating system.

use std::collections::BTreeSet;

use domain::audit::Action;

use super::acting::{
    closed_day, disable_app, failed, failed_again, gate_to_act_on, statement, until_statement,
};
use super::book::{Book, Signed, system_user};
use crate::finishing::quarantine;
use crate::support::api::json_of;
use crate::support::database::Kind;
use crate::support::gate::{Gate, PASSWORD, text};

on_both_databases!(every_command_that_changes_something_leaves_one_line);

/// The acts that are seen here.
pub(super) const ACTS: &[Action] = &[
    Action::PersonAdded,
    Action::PersonDisabled,
    Action::PersonEnabled,
    Action::RoleChanged,
    Action::PasswordChanged,
    Action::SessionsEnded,
    Action::SignedIn,
    Action::TokenAdded,
    Action::TokenRevoked,
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
    Action::ListEntryRemoved,
    Action::ListImported,
    Action::AuditExported,
    Action::HistoryImported,
    Action::BalancesOpened,
];

/// Commands that change nothing that anybody answers for: they read, they run, or they follow from what is booked.
const OTHERS: &[&str] = &[
    "up",
    "web",
    "worker",
    "demo",
    "assess",
    "check",
    "migrate",
    "healthcheck",
    "verify",
    "report",
    "statement columns",
    "statement show",
    "statement missing",
    "baseline make",
    "baseline show",
    "postbacks show",
    "diagnose",
    "networks list",
    "networks show",
    "networks test",
    "deliveries list",
    "lists show",
    "token list",
    "staff list",
    "sandbox",
    "sandbox resend",
    "sandbox kept",
];

/// Who runs commands, what is seen of them, and which were run.
struct Shell<'g> {
    gate: &'g Gate,
    user: String,
    book: Book<'g>,
    run: BTreeSet<String>,
}

impl Shell<'_> {
    /// Runs a command that changes something, which leaves one line, signed by `actor`.
    fn act(&mut self, actor: &str, arguments: &[&str], action: Action, subject: &str) -> String {
        let said = self.run(arguments);
        let by: Signed<'_> = (actor, "command", Some(&self.user), None);
        self.book.one(action, by, subject);
        said
    }

    /// The same; once more it changes nothing and leaves none.
    fn once(&mut self, actor: &str, arguments: &[&str], action: Action, subject: &str) {
        self.act(actor, arguments, action, subject);
        self.gate.run_with_input(arguments, PASSWORD);
        self.book.none(&format!("{arguments:?} once more"));
    }

    fn run(&mut self, arguments: &[&str]) -> String {
        let words: Vec<_> = arguments.iter().take_while(|word| !word.starts_with('-')).copied().collect();
        self.run.insert(words.join(" "));
        let done = self.gate.run_with_input(arguments, PASSWORD);
        // An import says by its exit code whether both sides agree.
        let is_done = done.status.success() || arguments.contains(&"import");
        assert!(is_done, "{arguments:?}: {}{}", text(&done.stdout), text(&done.stderr));
        text(&done.stdout)
    }
}

/// Who signs where nobody is named.
const NOBODY_NAMED: &str = "command line";

fn every_command_that_changes_something_leaves_one_line(on: Kind) {
    let (gate, _app) = gate_to_act_on(on);
    let mut shell = Shell { gate: &gate, user: system_user(), book: Book::open(&gate), run: BTreeSet::new() };
    people(&mut shell);
    postbacks(&gate, &mut shell);
    deliveries(&gate, &mut shell);
    let date = closed_day();
    let sign_off = ["report", "sign-off", &date, "--as", "mara", "--note", "why"];
    shell.once("mara", &sign_off, Action::ReportSigned, &format!("report {date}"));
    statements(&gate, &mut shell);
    lists(&gate, &mut shell);
    imports(&gate, &mut shell);
    shell.act(NOBODY_NAMED, &["audit", "export", "--to", "2020-01-01"], Action::AuditExported, "audit");
    everything_was_run(&gate, &shell.run);
    shell.book.close(ACTS);
    gate.assert_proven();
}

/// A new command needs a line here, or a place among those that change nothing.
fn everything_was_run(gate: &Gate, run: &BTreeSet<String>) {
    let known = leaves(gate, &[]);
    for command in &known {
        let is_run = run.iter().any(|ran| ran == command || ran.starts_with(&format!("{command} ")));
        let is_other = OTHERS.contains(&command.as_str());
        // `report` alone only shows; what it does with a name stands apart.
        assert!(is_run || is_other, "`{command}` is neither run here nor among those that change nothing");
    }
    let gone: Vec<_> = OTHERS.iter().filter(|other| !known.contains(**other)).collect();
    assert!(gone.is_empty(), "there is no command {gone:?} any more");
}

/// Every command, with the words before it.
fn leaves(gate: &Gate, words: &[&str]) -> BTreeSet<String> {
    let help = text(&gate.run(&[words, &["--help"]].concat()).stdout);
    let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let names = listed.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  "));
    let names: BTreeSet<&str> = names
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    let mut all = BTreeSet::new();
    // Some are run alone, and have commands besides.
    if names.is_empty() || ["report", "sandbox"].contains(&words.join(" ").as_str()) {
        all.insert(words.join(" "));
    }
    for name in names {
        all.extend(leaves(gate, &[words, &[name]].concat()));
    }
    all
}

fn people(shell: &mut Shell<'_>) {
    for (arguments, action, subject) in [
        (&["staff", "add", "ann", "--role", "risk"][..], Action::PersonAdded, "person ann"),
        (&["staff", "role", "ann", "--role", "finance"], Action::RoleChanged, "person ann"),
        (&["staff", "disable", "ann"], Action::PersonDisabled, "person ann"),
        (&["staff", "enable", "ann"], Action::PersonEnabled, "person ann"),
        (
            &["token", "add", "laptop", "--role", "risk", "--owner", "mara"],
            Action::TokenAdded,
            "token laptop",
        ),
        (&["token", "revoke", "laptop"], Action::TokenRevoked, "token laptop"),
    ] {
        shell.once(NOBODY_NAMED, arguments, action, subject);
    }
    shell.act(NOBODY_NAMED, &["staff", "passwd", "ann"], Action::PasswordChanged, "person ann");
    let mut up = shell.gate.up();
    crate::support::signed_in::SignedIn::new(up.address, "ann", &[]);
    shell.book.one(Action::SignedIn, super::book::on_a_page("ann"), "person ann");
    shell.once(NOBODY_NAMED, &["staff", "sessions", "ann", "--end"], Action::SessionsEnded, "person ann");
    up.process.stop();
}

fn postbacks(gate: &Gate, shell: &mut Shell<'_>) {
    // Two refused calls verify by now: one act.
    let many = "2 refused calls";
    shell.once(NOBODY_NAMED, &["replay", "--refused"], Action::RefusedCallReplayed, many);
    let up = gate.up();
    let api = gate.api(up.address);
    shell.book.new_lines();
    let one = quarantine(&api, "Q-1", "reward=500", "reward=x").to_string();
    let two = quarantine(&api, "Q-2", "reward=500", "reward=x").to_string();
    let of = |id: &str| format!("postback {id}");
    let replay = ["replay", "--quarantined", "--id", &one];
    shell.act(NOBODY_NAMED, &replay, Action::PostbackReplayed, &of(&one));
    api.await_processing();
    shell.act(NOBODY_NAMED, &["replay", "--quarantined"], Action::PostbackReplayed, "2 postbacks");
    api.await_processing();
    let by = |name: &'static str| ["--as", name, "--reason", "why"];
    let aside = [&["postbacks", "set-aside", &one][..], &by("mara")].concat();
    shell.once("mara", &aside, Action::PostbackSetAside, &of(&one));
    let up_again = [&["postbacks", "take-up", &one][..], &by("mara")].concat();
    shell.once("mara", &up_again, Action::PostbackTakenUp, &of(&one));
    let state = [&["postbacks", "state", &one, "--reward", "500"][..], &by("mara")].concat();
    shell.once("mara", &state, Action::PostbackStated, &of(&one));
    // Large enough for two.
    for (act, action) in [("decline", Action::PostbackDeclined), ("confirm", Action::PostbackConfirmed)] {
        let state = [&["postbacks", "state", &two, "--reward", "9000"][..], &by("mara")].concat();
        let said = shell.act("mara", &state, Action::PostbackProposed, &of(&two));
        let proposal = said.split("postbacks confirm ").nth(1).and_then(|rest| rest.split(' ').nth(1));
        let second = [&["postbacks", act, &two, proposal.expect("a proposal")][..], &by("joe")].concat();
        shell.once("joe", &second, action, &of(&two));
    }
}

fn deliveries(gate: &Gate, shell: &mut Shell<'_>) {
    let up = gate.up();
    let api = gate.api(up.address);
    let (lost, dead) = (failed(&api, "L-1").to_string(), failed(&api, "L-2").to_string());
    failed(&api, "L-3");
    shell.book.new_lines();
    let of = |id: &str| format!("delivery {id}");
    let give_up = ["deliveries", "give-up", &dead, "--as", "mara", "--reason", "why"];
    shell.once("mara", &give_up, Action::DeliveryGivenUp, &of(&dead));
    shell.act(NOBODY_NAMED, &["deliveries", "resend", &lost], Action::DeliveryResent, &of(&lost));
    failed_again(&api, "L-1");
    let many = api.all("deliveries?status=failed", 100).len();
    let resend = ["deliveries", "resend", "--status", "failed"];
    shell.act(NOBODY_NAMED, &resend, Action::DeliveriesResent, &format!("{many} failed deliveries"));
    shell.gate.run(&["deliveries", "resend", "--to", "2020-01-01"]);
    shell.book.none("nothing is sent again");
    disable_app(gate);
    shell.once(NOBODY_NAMED, &["deliveries", "enable", "main"], Action::AppEnabled, "app main");
}

fn lists(gate: &Gate, shell: &mut Shell<'_>) {
    let add = ["lists", "add", "user", "u-77", "--effect", "watch", "--reason", "why", "--as", "mara"];
    shell.act("mara", &add, Action::ListEntryAdded, "list entry 1");
    shell.once(NOBODY_NAMED, &["lists", "remove", "1"], Action::ListEntryRemoved, "list entry 1");
    let path = gate.path("list.csv");
    std::fs::write(&path, "kind,value,effect,reason\nuser,u-78,block,why\nuser,u-79,block,why\n")
        .expect("room");
    let file = path.to_str().expect("a path");
    shell.run(&["lists", "import", file, "--dry-run"]);
    shell.book.none("the file was only checked");
    shell.act(NOBODY_NAMED, &["lists", "import", file], Action::ListImported, "list entries, 2 to 3");
}

fn imports(gate: &Gate, shell: &mut Shell<'_>) {
    let write = |name: &str, text: &str| {
        let path = gate.path(name);
        std::fs::write(&path, text).expect("room for a file");
        path.to_str().expect("a path").to_owned()
    };
    let call = crate::support::network::Event::honest("u-past", "P-1", 100).credit();
    let calls = write("calls.txt", &format!("2026-01-02T03:04:05Z {call}\n"));
    shell.once(NOBODY_NAMED, &["import", &calls], Action::HistoryImported, "1 call");
    let balances = write("balances.csv", "app,user_id,currency,balance\nmain,u-past,coins,12.5\n");
    let opening = ["import", "--opening-balances", &balances];
    shell.once(NOBODY_NAMED, &opening, Action::BalancesOpened, "1 opening balance");
}

fn statements(gate: &Gate, shell: &mut Shell<'_>) {
    let up = gate.up();
    let api = gate.api(up.address);
    shell.book.new_lines();
    let write = |name: &str, versions| {
        let path = gate.path(name);
        std::fs::write(&path, statement("L-1", versions)).expect("room for a file");
        path.to_str().expect("a path").to_owned()
    };
    let of = |id: i64| format!("statement {id}");
    let (a, b) = (write("a.csv", 0), write("b.csv", 1));
    shell.act(
        NOBODY_NAMED,
        &["statement", "import", &a, "--source", "targo"],
        Action::StatementReceived,
        &of(1),
    );
    let by = ["--as", "joe", "--reason", "why"];
    let accept = [&["statement", "accept", "1", "line 3"][..], &by].concat();
    shell.once("joe", &accept, Action::DifferenceAccepted, &of(1));
    let paid = ["statement", "paid", "1", "1.00", "--as", "joe", "--note", "wire", "--yes"];
    // The same payment again is a repeat.
    shell.once("joe", &paid, Action::StatementPaid, &of(1));
    let back = [&["statement", "take-back", "1", "1"][..], &by].concat();
    shell.once("joe", &back, Action::PaymentTakenBack, &of(1));
    // What somebody looked at by the API is imported by command.
    let looked = api.post("statements?source=targo&preview=true&name=b.csv", &statement("L-1", 1));
    assert_eq!(json_of(&looked)["id"], 2, "{}", looked.body);
    shell.book.new_lines();
    shell.act(
        NOBODY_NAMED,
        &["statement", "import", &b, "--source", "targo"],
        Action::StatementImported,
        &of(2),
    );
    until_statement(&api, 1, "superseded");
    shell.once("joe", &["statement", "restore", "1", "--as", "joe"], Action::StatementRestored, &of(1));
    shell.once("joe", &["statement", "discard", "1", "--as", "joe"], Action::StatementDiscarded, &of(1));
}
