//! A million rewards, and a statement of two hundred thousand lines. Ignored, because they take minutes:
//! `tests/run with cargo test --test contract -- --ignored --nocapture large`. They say how long it took.

use std::fmt::Write as _;
use std::time::Instant;

use domain::report::Report;
use domain::report::amount::Amount;
use domain::report::day::BusinessDay;
use domain::statement::format::Format;
use domain::statement::matching::Tolerance;
use domain::time::{DAY_MS, TimestampMs};
use jobs::statement::work_off;
use store::reports::ReportTerms;
use store::statements::intake::Intake;
use store::statements::{MatchTerms, NewStatement, Then};

use crate::database::{Home, check};
use crate::ground::Kind;
use crate::story::{NOW, SOURCE};

#[test]
#[ignore = "takes minutes"]
fn a_million_rewards_on_sqlite() {
    check(Kind::Sqlite, measure);
}

#[test]
#[ignore = "takes minutes"]
fn a_million_rewards_on_postgres() {
    check(Kind::Postgres, measure);
}

const REWARDS: i64 = 1_000_000;
const LINES: i64 = 200_000;
/// Days over which the rewards are spread.
const DAYS: i64 = 91;
const USERS: i64 = 50_000;

/// The books of a million credits, of which every twentieth was taken back five days later, made by the database.
async fn fill(home: &Home) {
    let day = |expression: &str| match home.kind() {
        Kind::Sqlite => format!("date({expression} / 1000, 'unixepoch')"),
        Kind::Postgres => {
            format!("to_char(to_timestamp({expression} / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')")
        }
    };
    let numbers = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < {REWARDS})"
    );
    // In the order of receipt: reward n of a million on one of the days.
    let at = format!("({} + n * {DAYS} / {REWARDS} * {DAY_MS})", NOW.0 - (DAYS - 1) * DAY_MS);
    let (booked, taken_back) = (day(&at), day(&format!("({at} + 5 * {DAY_MS})")));
    let overriding = if home.kind() == Kind::Postgres { "OVERRIDING SYSTEM VALUE" } else { "" };
    let reversed = format!("n % 20 = 0 AND {at} + 5 * {DAY_MS} <= {}", NOW.0);
    let mut raw = home.raw().await;
    raw.execute(&format!(
        "INSERT INTO accounts (id, name, currency, balance_micros) {overriding} {numbers}
         SELECT n, 'user:main/u' || CAST(n AS TEXT), 'coins', 0 FROM numbers WHERE n <= {USERS};
         INSERT INTO accounts (id, name, currency, balance_micros) {overriding} VALUES
             (1000001, 'granted:targo', 'coins', 0), (1000002, 'network:targo', 'USD', 0),
             (1000003, 'earned:targo', 'USD', 0);
         INSERT INTO rewards (id, source, event_key, app, user_id, tx_id, status, currency, reward_micros, payout_micros,
                              offer_id, country_code, received_at, business_date, steps, repeats, conflict, credit_seen)
         {overriding} {numbers}
         SELECT n, 'targo', 'T' || CAST(n AS TEXT), 'main', 'u' || CAST(n % {USERS} + 1 AS TEXT), 'T' || CAST(n AS TEXT),
                CASE WHEN {reversed} THEN 'reversed' ELSE 'credited' END, 'coins', 500000000, 1000000,
                'o' || CAST(n % 100 AS TEXT), 'DE', {at}, {booked}, 1, 0, 0, 1 FROM numbers;
         INSERT INTO steps (reward_id, seq, step, actor, taken_at, business_date) {numbers}
         SELECT n, 1, 'credit', 'rules', {at}, {booked} FROM numbers;
         INSERT INTO steps (reward_id, seq, step, actor, taken_at, business_date) {numbers}
         SELECT n, 2, 'reverse_credited', 'network', {at}, {taken_back} FROM numbers WHERE {reversed};
         INSERT INTO verdicts (reward_id, decision, score, hard, policy, decided_at, geo_result, location, signals)
         {numbers} SELECT n, 'credit', 0, 0, 'p', {at}, 'match', '{{}}', '[]' FROM numbers;
         INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at, business_date)
         SELECT reward_id, seq, CASE WHEN seq = 1 THEN 1000001 ELSE reward_id % {USERS} + 1 END,
                CASE WHEN seq = 1 THEN reward_id % {USERS} + 1 ELSE 1000001 END, 500000000, 'coins', taken_at, business_date
         FROM steps;
         INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at, business_date)
         SELECT reward_id, seq, CASE WHEN seq = 1 THEN 1000002 ELSE 1000003 END,
                CASE WHEN seq = 1 THEN 1000003 ELSE 1000002 END, 1000000, 'USD', taken_at, business_date
         FROM steps;
         UPDATE accounts SET balance_micros = sums.balance FROM (
             SELECT account_id, CAST(SUM(delta) AS BIGINT) AS balance FROM (
                 SELECT credit_id AS account_id, amount_micros AS delta FROM transfers
                 UNION ALL SELECT debit_id, -amount_micros FROM transfers) AS legs GROUP BY account_id) AS sums
         WHERE sums.account_id = accounts.id;
         ANALYZE"
    ))
    .await;
}

async fn measure(home: &Home) {
    fill(home).await;
    let today = BusinessDay::of(NOW, chrono_tz::UTC).expect("a day");
    let terms = ReportTerms { now: NOW, closed_at: NOW, retry_horizon_ms: 1 };
    let began = Instant::now();
    let report = Report::of(&home.store.report_facts(today, terms).await.expect("the facts are read"));
    println!("{:?}: report over {REWARDS} rewards in {:?}", home.kind(), began.elapsed());
    assert!(report.ties_out, "{:#?}", report.faults);
    assert_eq!(report.proof.rewards, REWARDS);

    let mut file = "tx_id,status,amount,time\n".to_owned();
    let first = REWARDS - LINES;
    let time = TimestampMs(NOW.0).rfc3339();
    for n in first..REWARDS {
        // One in a hundred never came here, one in a hundred differs by a cent.
        let (tx, amount) = match n % 100 {
            1 => (format!("X{n}"), "1"),
            2 => (format!("T{n}"), "1.01"),
            _ => (format!("T{n}"), "1"),
        };
        let _ = writeln!(file, "{tx},approved,{amount},{time}");
    }
    let new = NewStatement {
        source: SOURCE.into(),
        file_name: "large.csv".into(),
        format: serde_json::to_string(&Format::default()).expect("JSON"),
        period: None,
        actor: "fay".into(),
        now: NOW,
    };
    let began = Instant::now();
    let mut intake = Intake::begin(&home.store, new, Format::default()).await.expect("it begins");
    for bytes in file.as_bytes().chunks(65_536) {
        intake.push(bytes).await.expect("it is taken");
    }
    let (id, _) = intake.finish(Then::Import).await.expect("it is received");
    let tolerance = Tolerance { absolute: Amount(0), relative_ppm: 0 };
    let terms = MatchTerms { tolerance, window_ms: DAY_MS, cut_off_days: 3, timezone: chrono_tz::Tz::UTC };
    work_off(&home.store, id, terms, || true).await.expect("it is matched");
    println!("{:?}: {LINES} lines received and matched in {:?}", home.kind(), began.elapsed());
    let totals = home.store.statement_totals(id, "9999-12-31").await.expect("they are summed");
    let totals = store::statements::totals(totals).expect("known states");
    assert!(totals.ties_out());
    let count = |name: &str| totals.states.iter().find(|of| of.state.name() == name).map_or(0, |of| of.count);
    assert_eq!((count("missing_here"), count("amount_differs")), (LINES / 100, LINES / 100));
    assert_eq!(count("matched"), LINES - LINES / 50);
}
