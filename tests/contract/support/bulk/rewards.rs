//! The books of a quarter, and a statement about their last eighteen days.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domain::report::Report;
use domain::report::amount::Amount;
use domain::report::day::BusinessDay;
use domain::statement::format::Format;
use domain::statement::matching::Tolerance;
use domain::time::{DAY_MS, TimestampMs};
use jobs::statements::work_off;
use store::reports::ReportTerms;
use store::statements::intake::Intake;
use store::statements::{MatchTerms, NewStatement, Then};

use crate::support::database::Home;
use crate::support::place::Kind;
use crate::support::postbacks::{NOW, SOURCE};

/// Days over which the rewards are spread.
const DAYS: i64 = 91;

/// Each user has twenty rewards, about four and a half days apart.
fn users_of(rewards: i64) -> i64 {
    rewards / 20
}
/// Books `rewards` credits, of which every twentieth was taken back five days later. The database makes them; `rewards`
/// must be a multiple of 2,000, so that the rewards of one user all have the same offer.
pub(crate) async fn fill(home: &Home, rewards: i64) {
    let users = users_of(rewards);
    let day = |expression: &str| match home.kind() {
        Kind::Sqlite => format!("date({expression} / 1000, 'unixepoch')"),
        Kind::Postgres => {
            format!("to_char(to_timestamp({expression} / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')")
        }
    };
    let numbers = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < {rewards})"
    );
    // In the order of receipt, evenly over the days.
    let at = format!("({} + n * {DAYS} / {rewards} * {DAY_MS})", NOW.0 - (DAYS - 1) * DAY_MS);
    let (booked, taken_back) = (day(&at), day(&format!("({at} + 5 * {DAY_MS})")));
    let overriding = if home.kind() == Kind::Postgres { "OVERRIDING SYSTEM VALUE" } else { "" };
    let reversed = format!("n % 20 = 0 AND {at} + 5 * {DAY_MS} <= {}", NOW.0);
    let mut raw = home.raw().await;
    raw.execute(&format!(
        "INSERT INTO accounts (id, name, currency, balance_micros) {overriding} {numbers}
         SELECT n, 'user:main/u' || CAST(n AS TEXT), 'coins', 0 FROM numbers WHERE n <= {users};
         INSERT INTO accounts (id, name, currency, balance_micros) {overriding} VALUES
             (1000001, 'granted:targo', 'coins', 0), (1000002, 'network:targo', 'USD', 0),
             (1000003, 'earned:targo', 'USD', 0);
         INSERT INTO rewards (id, source, event_key, app, user_id, tx_id, status, currency, reward_micros, payout_micros,
                              offer_id, country_code, received_at, business_date, steps, repeats, conflict, credit_seen)
         {overriding} {numbers}
         SELECT n, 'targo', 'T' || CAST(n AS TEXT), 'main', 'u' || CAST(n % {users} + 1 AS TEXT), 'T' || CAST(n AS TEXT),
                CASE WHEN {reversed} THEN 'reversed' ELSE 'credited' END, 'coins', 500000000, 1000000,
                'o' || CAST(n % 100 AS TEXT), 'DE', {at}, {booked}, 1, 0, 0, 1 FROM numbers;
         INSERT INTO steps (reward_id, seq, step, actor, taken_at, business_date) {numbers}
         SELECT n, 1, 'credit', 'rules', {at}, {booked} FROM numbers;
         INSERT INTO steps (reward_id, seq, step, actor, taken_at, business_date) {numbers}
         SELECT n, 2, 'reverse_credited', 'network', {at}, {taken_back} FROM numbers WHERE {reversed};
         INSERT INTO verdicts (reward_id, decision, score, hard, policy, decided_at, geo_result, location, signals)
         {numbers} SELECT n, 'credit', 0, 0, 'p', {at}, 'match', '{{}}', '[]' FROM numbers;
         INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at, business_date)
         SELECT reward_id, seq, CASE WHEN seq = 1 THEN 1000001 ELSE reward_id % {users} + 1 END,
                CASE WHEN seq = 1 THEN reward_id % {users} + 1 ELSE 1000001 END, 500000000, 'coins', taken_at, business_date
         FROM steps;
         INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at, business_date)
         SELECT reward_id, seq, CASE WHEN seq = 1 THEN 1000002 ELSE 1000003 END,
                CASE WHEN seq = 1 THEN 1000003 ELSE 1000002 END, 1000000, 'USD', taken_at, business_date
         FROM steps;
         UPDATE accounts SET balance_micros = sums.balance FROM (
             SELECT account_id, CAST(SUM(delta) AS BIGINT) AS balance FROM (
                 SELECT credit_id AS account_id, amount_micros AS delta FROM transfers
                 UNION ALL SELECT debit_id, -amount_micros FROM transfers) AS legs GROUP BY account_id) AS sums
         WHERE sums.account_id = accounts.id"
    ))
    .await;
    if home.kind() == Kind::Postgres {
        // Its server does that by itself from time to time; SQLite never does.
        raw.execute("ANALYZE").await;
    }
}

/// Makes the report of the day of [`NOW`], which must tie out and cover `rewards`.
pub(crate) async fn report(home: &Home, rewards: i64) {
    let today = BusinessDay::of(NOW, chrono_tz::UTC).expect("a day");
    let terms = ReportTerms { now: NOW, closed_at: NOW, retry_horizon_ms: 1 };
    let report = Report::of(&home.store.report_facts(today, terms).await.expect("the facts are read"));
    assert!(report.ties_out, "{:#?}", report.faults);
    assert_eq!(report.proof.rewards, rewards);
}

/// The first day of the statement, counted from the first day of the books.
const FIRST_DAY: i64 = 73;

fn at_of(day: i64) -> TimestampMs {
    TimestampMs(NOW.0 - (DAYS - 1 - day) * DAY_MS)
}

fn date_of(day: i64) -> String {
    at_of(day).business_date(chrono_tz::Tz::UTC)
}

/// A statement of eighteen days with differences of every state, and how many of each.
pub(crate) struct Planted {
    file: String,
    users: i64,
    /// Lines of the file, without its header.
    pub(crate) lines: i64,
    faulty: i64,
    states: BTreeMap<&'static str, i64>,
}

impl Planted {
    /// A statement about the books that [`fill`] makes of `rewards`.
    pub(crate) fn new(rewards: i64) -> Self {
        let file = "tx_id,status,user_id,offer_id,amount,currency,time\n".to_owned();
        let states = BTreeMap::new();
        let mut planted = Self { file, users: users_of(rewards), lines: 0, faulty: 0, states };
        for n in 1..rewards {
            let day = n * DAYS / rewards;
            if (FIRST_DAY..DAYS).contains(&day) {
                planted.credit(n, &at_of(day).rfc3339());
            }
            // Every twentieth was taken back five days later.
            if n % 20 == 0 && (FIRST_DAY..DAYS).contains(&(day + 5)) {
                planted.add(&format!("T{n},reversed,,,1,USD,{}", at_of(day + 5).rfc3339()), &["matched"]);
            }
        }
        planted
    }

    /// Receives and matches the statement; its id.
    pub(crate) async fn import(&self, home: &Home) -> i64 {
        let new = NewStatement {
            source: SOURCE.into(),
            file_name: "large.csv".into(),
            format: serde_json::to_string(&Format::default()).expect("JSON"),
            period: Some((date_of(FIRST_DAY), date_of(DAYS - 1))),
            actor: "fay".into(),
            now: NOW,
        };
        let mut intake = Intake::begin(&home.store, new, Format::default()).await.expect("it begins");
        for bytes in self.file.as_bytes().chunks(65_536) {
            intake.push(bytes).await.expect("it is taken");
        }
        let (id, _) = intake.finish(Then::Import).await.expect("it is received");
        let tolerance = Tolerance { absolute: Amount(5_000), relative_ppm: 0 };
        let terms =
            MatchTerms { tolerance, window_ms: DAY_MS, cut_off_days: 3, timezone: chrono_tz::Tz::UTC };
        work_off(&home.store, id, terms, || true).await.expect("it is matched");
        id
    }

    /// Asserts that statement `id` ties out, and that each difference was found and none was invented.
    pub(crate) async fn assert_found(&self, home: &Home, id: i64) {
        let totals = home.store.statement_totals(id, "9999-12-31").await.expect("they are summed");
        let totals = store::statements::totals(totals).expect("known states");
        assert!(totals.ties_out());
        let found: BTreeMap<_, _> = totals.states.iter().map(|of| (of.state.name(), of.count)).collect();
        assert_eq!(found, self.states, "each difference is found, and none is invented");
        let faults = home.store.statement_faults(id, 0, self.lines).await.expect("they are listed");
        assert_eq!(i64::try_from(faults.len()), Ok(self.faulty));
    }

    /// A line, and the states that it and its booking end in.
    fn add(&mut self, line: &str, states: &[&'static str]) {
        let _ = writeln!(self.file, "{line}");
        self.lines += 1;
        self.count(states);
    }

    fn count(&mut self, states: &[&'static str]) {
        for state in states {
            *self.states.entry(state).or_default() += 1;
        }
    }

    fn credit(&mut self, n: i64, at: &str) {
        let (user, offer) = (n % self.users + 1, n % 100);
        let line = |tx: &str, status: &str, amount: &str, currency: &str, at: &str| {
            format!("{tx},{status},u{user},o{offer},{amount},{currency},{at}")
        };
        let tx = format!("T{n}");
        let plain = line(&tx, "approved", "1", "USD", at);
        match n % 100 {
            // Of an unknown user: else its facts would find the booking.
            1 => {
                self.add(&format!("X{n},approved,x,o{offer},1,USD,{at}"), &["missing_here", "missing_there"]);
            }
            2 => self.add(&line(&tx, "approved", "1.01", "USD", at), &["amount_differs"]),
            3 => self.add(&line(&tx, "approved", "1.004", "USD", at), &["matched_in_tolerance"]),
            4 => self.add(&line(&tx, "approved", "1", "EUR", at), &["currency_differs"]),
            5 => {
                self.add(&plain, &["matched"]);
                self.add(&plain, &["duplicate"]);
            }
            6 => {
                self.add(&plain, &["matched"]);
                self.add(&line(&tx, "reversed", "1", "USD", at), &["status_differs"]);
            }
            7 => {
                self.add(&plain, &["matched"]);
                self.add(&line(&format!("O{n}"), "reversed", "1", "USD", at), &["orphan_reversal"]);
            }
            8 => self.add(&line("", "approved", "1", "USD", at), &["matched"]),
            9 => self.add(&line("", "approved", "1", "USD", ""), &["ambiguous", "missing_there"]),
            10 => self.count(&["missing_there"]),
            11 => {
                self.add(&plain, &["matched"]);
                self.add(&line(&tx, "approved", "much", "USD", at), &[]);
                self.faulty += 1;
            }
            _ => self.add(&plain, &["matched"]),
        }
    }
}
