//! Finance, through the executable: statements over the API, reports and imports that are killed in the middle, the
//! mail after a night.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use chrono_tz::Tz;
use domain::report::day::BusinessDay;
use domain::time::TimestampMs;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::support::api::{Api, json_of};
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::http::{Request, call};
use crate::support::mailbox::Mailbox;
use crate::support::network::{Event, deliver, now_s};
use crate::support::wait::until;
use crate::trouble::machine::Machine;
use crate::trouble::on_machine;

on_both_databases!(
    a_statement_over_the_api_is_read_matched_accepted_and_paid,
    an_import_that_is_killed_goes_on_and_reads_every_line_once,
    reports_that_are_killed_are_made_once_each_and_close_in_order,
    a_mail_server_that_is_away_delays_its_mail_and_nothing_else,
);

const DAY_S: i64 = 86_400;
/// Yesterday's report is due whatever the time is.
const AT_MIDNIGHT: &str = "reports = { time = \"00:00\" }";
const HEADER: &str = "tx_id,status,user_id,offer_id,amount,currency,time\n";

/// The business day so many days ago.
pub(crate) fn days_ago(days: u64) -> BusinessDay {
    BusinessDay::of(TimestampMs(now_s() * 1_000), Tz::UTC).expect("a day").minus(days)
}

/// A line of a statement, of today.
pub(crate) fn line(tx: &str, status: &str, user: &str, amount: &str) -> String {
    format!("{tx},{status},{user},,{amount},USD,{}T00:00:00Z\n", days_ago(0).date())
}

impl Api {
    /// Sends a statement, and waits until it is matched.
    pub(crate) fn import(&self, name: &str, file: &str) -> i64 {
        let answer = self.post(&format!("statements?source=targo&name={name}"), file);
        assert_eq!(answer.status, 202, "{}", answer.body);
        let id = json_of(&answer)["id"].as_i64().expect("an id");
        until("a matched statement", || (self.statement(id)["state"] == "matched").then_some(()));
        id
    }

    fn statement(&self, id: i64) -> Value {
        self.get(&format!("statements/{id}"))
    }

    fn lines(&self, id: i64, state: &str) -> Vec<Value> {
        self.all(&format!("statements/{id}/lines?state={state}"), 100)
    }
}

fn a_statement_over_the_api_is_read_matched_accepted_and_paid(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for tx in ["T-1", "T-2", "T-3"] {
        deliver(up.address, &Event::honest("u-1", tx, 10).credit());
    }
    api.await_processing();
    let mut file = HEADER.to_owned();
    file += &line("T-1", "approved", "u-1", "1.00");
    file += &line("T-2", "approved", "u-1", "1.50");
    file += &line("LATE", "approved", "u-1", "1.00");
    file += "T-9,approved,u-1,,much,USD,\n";
    // First only looked at.
    let preview = api.post("statements?source=targo&preview=true", &file);
    assert_eq!(preview.status, 200, "{}", preview.body);
    assert_eq!(json_of(&preview)["lines"].as_array().map(Vec::len), Some(3));
    assert_eq!(json_of(&preview)["faults"][0]["line"], 5);
    let again = api.post("statements?source=targo", &file);
    assert_eq!(again.status, 409, "the same file: {}", again.body);
    assert_eq!(api.post("statements/1/import", "").status, 200);
    until("a matched statement", || (api.statement(1)["state"] == "matched").then_some(()));

    let statement = api.statement(1);
    assert_eq!((&statement["theirs"], &statement["ours"]), (&json!("3.5"), &json!("3")));
    assert_eq!((&statement["faulty"], &statement["pending"]), (&json!(1), &json!("-1")));
    assert_eq!(api.lines(1, "amount_differs")[0]["difference"], "0.5");
    let list = api.ask("statements/1/missing.csv");
    assert!(list.body.starts_with("line,tx_id,") && list.body.contains("LATE"), "{}", list.body);
    assert!(api.ask("statements/1/missing.txt").body.contains("Please send them again"));
    assert!(api.ask("statements/1/lines.csv?state=matched").body.contains("T-1"));
    assert_eq!(api.ask("statements/1.xlsx").status, 200);
    // The network sends again what it was asked for, and the line closes.
    deliver(up.address, &Event::honest("u-1", "LATE", 10).credit());
    until("a closed line", || {
        api.lines(1, "matched").iter().any(|it| it["closed_at"].is_string()).then_some(())
    });
    assert_eq!(api.lines(1, "missing_here"), [] as [Value; 0]);

    let accept = |subject: &str| {
        api.post("statements/1/accept", &json!({ "subject": subject, "reason": "a bonus" }).to_string())
            .status
    };
    assert_eq!((accept("line 3"), accept("line 3"), accept("line 2")), (200, 409, 404));
    let paid = api.post("statements/1/paid", &json!({ "amount": "3.00", "note": "wire 17" }).to_string());
    assert_eq!(json_of(&paid)["paid"], "3", "{}", paid.body);
    assert_eq!(api.post("statements/1/paid", r#"{"amount":"-1","note":"x"}"#).status, 400);
    let risk = Api { address: up.address, token: gate.token("risk") };
    assert_eq!(risk.post("statements?source=targo", &file).status, 403);
    assert_eq!(api.post("statements?source=nowhere", &file).status, 404);
    gate.assert_proven();
}

/// A file of many pieces, about unknown transactions but for one line.
fn long_file(lines: usize) -> String {
    let mut file = HEADER.to_owned();
    let day = days_ago(0).date();
    for n in 0..lines {
        let _ = writeln!(file, "X-{n},approved,u-{n},,0.5,USD,{day}T00:00:00Z");
    }
    file + &line("T-1", "approved", "u-1", "1.00")
}

fn an_import_that_is_killed_goes_on_and_reads_every_line_once(on: Kind) {
    const LINES: usize = 30_000;
    let gate = Gate::new(on);
    let web = gate.web();
    let api = gate.api(web.address);
    let mut worker = gate.worker();
    deliver(web.address, &Event::honest("u-1", "T-1", 10).credit());
    api.await_processing();
    worker.stop();
    let sent = api.post("statements?source=targo&name=long.csv", &long_file(LINES));
    assert_eq!(sent.status, 202, "{}", sent.body);
    let is_matched = || api.statement(1)["state"] == "matched";
    let mut rng = StdRng::seed_from_u64(7);
    let mut interrupted = 0;
    while !is_matched() {
        let before = api.statement(1)["lines"].as_i64().expect("a count");
        let mut worker = gate.worker();
        until("some more lines", || {
            let statement = api.statement(1);
            let is_further = statement["lines"].as_i64().expect("a count") > before;
            (is_further || statement["state"] != "importing").then_some(())
        });
        thread::sleep(Duration::from_micros(rng.random_range(0..50_000)));
        worker.kill();
        interrupted += usize::from(!is_matched());
    }
    assert!(interrupted > 0, "no worker was killed before the end");
    let statement = api.statement(1);
    assert_eq!(statement["lines"], json!(LINES + 1));
    let count = |state: &str| {
        let states = statement["states"].as_array().expect("states");
        states.iter().find(|it| it["state"] == state).map_or(0, |it| it["count"].as_i64().expect("a count"))
    };
    assert_eq!((count("missing_here"), count("matched")), (30_000, 1));
    assert_eq!(statement["difference"], json!("15000"));
}

fn reports_that_are_killed_are_made_once_each_and_close_in_order(on: Kind) {
    let gate = Gate::with(on, |settings| settings.with(AT_MIDNIGHT));
    let machine = Machine::new(&gate.path(""));
    gate.change(|settings| on_machine(settings, &machine));
    // Two days with postbacks, and then nothing ran for four.
    for day in [6, 5] {
        machine.set_clock(-day * DAY_S);
        let mut up = gate.up();
        let api = gate.api(up.address);
        for number in 0..5 {
            let event = Event::honest("u-1", &format!("T-{day}-{number}"), 10).clicked_earlier(day * DAY_S);
            deliver(up.address, &event.credit());
        }
        api.await_processing();
        up.process.stop();
    }
    machine.set_clock(0);
    let web = gate.web();
    let api = gate.api(web.address);
    let yesterday = days_ago(1).date().to_string();
    let mut rng = StdRng::seed_from_u64(11);
    for _ in 0..8 {
        let mut worker = gate.worker();
        // Its first look at the clock comes at once; apalis hands the job out some time later.
        thread::sleep(Duration::from_millis(rng.random_range(0..400)));
        worker.kill();
    }
    let mut worker = gate.worker();
    let reports = until("yesterday's report", || {
        let reports = api.all("reports", 100);
        reports.iter().any(|it| it["date"] == yesterday).then_some(reports)
    });
    worker.stop();
    assert!(reports.iter().all(|it| it["ties_out"] == true), "{reports:?}");
    let dates: Vec<_> = reports.iter().map(|it| it["date"].as_str().expect("a date").to_owned()).collect();
    let expected: Vec<_> = (1..).map(|days| days_ago(days).date().to_string()).take(dates.len()).collect();
    assert!(dates == expected && dates.len() >= 6, "every day once, without a gap: {dates:?}");
    let mut previous: Option<String> = None;
    for (days, date) in (1..).zip(&dates).collect::<Vec<_>>().into_iter().rev() {
        let kept = api.get(&format!("reports/{date}"));
        let credits = if [5, 6].contains(&days) { 5 } else { 0 };
        assert_eq!(kept["report"]["totals"]["approved"]["count"], json!(credits), "{date}");
        let goes_on = kept["report"]["inputs"]["previous"]["hash"].as_str().map(str::to_owned);
        assert_eq!(goes_on, previous, "{date} goes on from the day before");
        previous = kept["hash"].as_str().map(str::to_owned);
        let csv = api.ask(&format!("reports/{date}.csv")).body;
        if kept["report"]["state"] == "final" {
            // Made again, by another process, it is the same to the byte.
            let file = gate.path("again.csv");
            let made = gate.run(&["report", date, "--csv", file.to_str().expect("a path")]);
            assert_eq!(made.status.code(), Some(0));
            assert_eq!(std::fs::read_to_string(&file).expect("a file"), csv, "{date}");
        }
    }
    gate.assert_proven();
}

fn a_mail_server_that_is_away_delays_its_mail_and_nothing_else(on: Kind) {
    let mailbox = Mailbox::refusing(2);
    let mail = format!(
        "[mail]\nserver = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"Gate <gate@example.com>\"\n\
         to = [\"Fay <fay@example.com>\", \"kim@example.com\"]\nretry_seconds = 1\n",
        mailbox.port
    );
    let gate = Gate::with(on, |settings| settings.with(AT_MIDNIGHT).with_tail(&mail));
    // It listened the day before: a new installation has nothing to report.
    assert!(gate.run(&["migrate"]).status.success());
    let at = days_ago(1).starts_at().0;
    gate.database.execute(&format!("INSERT INTO listening VALUES ('before', {at}, {at})"));
    let up = gate.up();
    let api = gate.api(up.address);
    let yesterday = days_ago(1).date().to_string();
    until("a mail that is refused", || (mailbox.refused() > 0).then_some(()));
    // The report stands all the same.
    assert_eq!(api.get(&format!("reports/{yesterday}"))["report"]["date"], json!(yesterday));
    let mail = until("a mail", || mailbox.mails().first().cloned());
    assert_eq!(mailbox.refused(), 2);
    for part in [
        &format!("Subject: Reconciliation {yesterday}: ties out, net 0 USD"),
        "Fay <fay@example.com>",
        "kim@example.com",
        "Content-Type: text/html",
        &format!("https://gw.example.com/reports/{yesterday}"),
        &format!("filename=\"report-{yesterday}.xlsx\""),
    ] {
        assert!(mail.replace("=\n", "").contains(part), "{part}:\n{mail}");
    }
    // Once: the next look at the clock sends no other.
    assert_eq!(call(up.address, &Request::get("/healthz")).status, 200);
    assert_eq!(mailbox.mails().len(), 1);
}
