//! Books of a business that has run for ten days, made by the database itself: rewards of three sources with their
//! steps, verdicts, transfers and postbacks, as they stand when workers have settled everything.

use std::fmt::Write as _;

use crate::processes::Gateway;

/// Days over which the rewards are spread.
pub(crate) const DAYS: i64 = 10;
const DAY_MS: i64 = 86_400_000;
/// Distinct users; each may hold coins and gems.
const USERS: i64 = 100_000;

/// The signals of a verdict, about as long as real ones.
const SIGNALS: &str = r#"[{"code":"T1","fired":false,"points":0,"detail":"2100 s after the click"},{"code":"T2","fired":false,"points":0,"detail":"2100 s, floor 30 s"},{"code":"G1","fired":false,"points":0,"detail":"US as reported"},{"code":"N1","fired":false,"points":0,"detail":"no hosting network"}]"#;

/// A table of what happens to each reward, from which the rows are made. Some are reversed after five days and some after
/// an hour; some are held and some have been decided on.
fn plan(rewards: i64, end: i64, postgres: bool) -> String {
    let spacing = DAYS * DAY_MS / rewards;
    let day = |at: &str| {
        if postgres {
            format!("to_char(to_timestamp({at} / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')")
        } else {
            format!("date({at} / 1000, 'unixepoch')")
        }
    };
    format!(
        "CREATE TEMP TABLE planned AS
         WITH RECURSIVE numbers (n) AS (
             SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < {rewards}
         ), drawn AS (
             SELECT n, n % 20 AS kind, n % 3 AS source, n % {USERS} + 1 AS who,
                    {end} - ({rewards} - n) * {spacing} AS at,
                    CASE WHEN n % 20 = 0 THEN {rewards} / 2 ELSE {rewards} / {DAYS} / 24 END AS shift
             FROM numbers
         ), dated AS (
             SELECT *, {end} - ({rewards} - n - shift) * {spacing} AS then_at,
                    CASE WHEN n + shift > {rewards} THEN NULL
                         WHEN kind IN (0, 10) THEN 'reverse_credited'
                         WHEN kind = 7 THEN 'release'
                         WHEN kind = 13 THEN 'reject' END AS then_step
             FROM drawn
         )
         SELECT n, kind, who, at, {at_day} AS day, shift, then_step, then_at, {then_day} AS then_day,
                CASE source WHEN 0 THEN 'bench' WHEN 1 THEN 'north' ELSE 'south' END AS source,
                CASE source WHEN 2 THEN 'gems' ELSE 'coins' END AS currency,
                CASE source WHEN 2 THEN who + {USERS} ELSE who END AS user_account,
                1000000 + source * 10 AS accounts,
                CASE WHEN kind IN (3, 7, 13) THEN 'hold' ELSE 'credit' END AS step,
                (100 + n % 900) * 1000000 AS reward, (1 + n % 5) * 200000 AS payout
         FROM dated;",
        at_day = day("at"),
        then_day = day("then_at"),
    )
}

/// Fills the books of `gateway` with `rewards` of which the last came at `end` (unix milliseconds).
pub(crate) async fn fill(gateway: &Gateway, rewards: i64, end: i64) {
    let postgres = gateway.database == "postgres";
    let overriding = if postgres { "OVERRIDING SYSTEM VALUE" } else { "" };
    let mut sql = if postgres { String::new() } else { "PRAGMA synchronous = OFF;".to_owned() };
    sql.push_str(&plan(rewards, end, postgres));
    for (source, name, currency) in [(0, "bench", "coins"), (1, "north", "coins"), (2, "south", "gems")] {
        let id = 1_000_000 + source * 10;
        let _ = write!(
            sql,
            "INSERT INTO accounts (id, name, currency, balance_micros) {overriding} VALUES
                 ({id}, 'granted:{name}', '{currency}', 0), ({id} + 1, 'held:{name}', '{currency}', 0),
                 ({id} + 2, 'network:{name}', 'USD', 0), ({id} + 3, 'earned:{name}', 'USD', 0);"
        );
    }
    let _ = write!(
        sql,
        "INSERT INTO accounts (id, name, currency, balance_micros) {overriding}
         SELECT DISTINCT user_account, 'user:main/user-' || CAST(who AS TEXT), currency, 0 FROM planned;
         INSERT INTO rewards (id, source, event_key, app, user_id, tx_id, status, currency, reward_micros, payout_micros,
                              offer_id, offer_name, event_id, country_code, sub1, received_at, business_date, steps,
                              repeats, conflict, credit_seen)
         {overriding}
         SELECT n, source, 'T' || CAST(n AS TEXT), 'main', 'user-' || CAST(who AS TEXT), 'T' || CAST(n AS TEXT),
                CASE then_step WHEN 'reverse_credited' THEN 'reversed' WHEN 'release' THEN 'credited'
                               WHEN 'reject' THEN 'rejected'
                               ELSE CASE step WHEN 'hold' THEN 'held' ELSE 'credited' END END,
                currency, reward, payout, 'o' || CAST(n % 211 AS TEXT), 'Great Game', CAST(n % 7 AS TEXT),
                'C' || CAST(n % 41 AS TEXT), 's' || CAST(n % 997 AS TEXT), at, day,
                CASE WHEN then_step IS NULL THEN 1 ELSE 2 END, CASE n % 50 WHEN 1 THEN 1 ELSE 0 END, 0, 1
         FROM planned ORDER BY n;
         INSERT INTO steps (reward_id, seq, step, actor, postback_id, taken_at, business_date)
         SELECT n, 1, step, 'rules', 8 * n, at, day FROM planned
         UNION ALL
         SELECT n, 2, then_step, CASE WHEN kind IN (0, 10) THEN 'network' ELSE 'ann' END,
                CASE WHEN kind IN (0, 10) THEN 8 * (n + shift) + 1 + kind / 10 END, then_at, then_day
         FROM planned WHERE then_step IS NOT NULL
         ORDER BY 6;
         INSERT INTO verdicts (reward_id, decision, score, hard, policy, decided_at, geo_result, location, signals)
         SELECT n, step, 0, 0, 'policy', at, 'match', '{{}}', '{SIGNALS}' FROM planned ORDER BY n;
         INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at,
                                business_date)
         SELECT n, 1, accounts, CASE step WHEN 'hold' THEN accounts + 1 ELSE user_account END, reward, currency, at, day
         FROM planned
         UNION ALL SELECT n, 1, accounts + 2, accounts + 3, payout, 'USD', at, day FROM planned
         UNION ALL
         SELECT n, 2, CASE then_step WHEN 'reverse_credited' THEN user_account ELSE accounts + 1 END,
                CASE then_step WHEN 'release' THEN user_account ELSE accounts END, reward, currency, then_at, then_day
         FROM planned WHERE then_step IS NOT NULL
         UNION ALL
         SELECT n, 2, accounts + 3, accounts + 2, payout, 'USD', then_at, then_day
         FROM planned WHERE then_step = 'reverse_credited'
         ORDER BY 7, 1;
         INSERT INTO postbacks (id, source, received_at, method, target, remote_ip, outcome, reason, reward_id,
                                processed_at)
         {overriding}
         SELECT id, source, at, 'GET', '/pb/bench?user_id=user-012345&tx_id=8f14e45f-' || CAST(id AS TEXT) ||
                    '&reward=750&payout=1.5&status=1&offer_id=offer-1&offer_name=Great%20Game&event_id=1&ip=8.8.8.8' ||
                    '&country_code=US&timestamp=1795428000&sub1=android&signature=0123456789012345678901234567890123456789',
                '203.0.113.7', outcome, reason, reward_id, at
         FROM (SELECT 8 * n AS id, source, at, 'processed' AS outcome, NULL AS reason, n AS reward_id FROM planned
               UNION ALL SELECT 8 * (n + shift) + 1 + kind / 10, source, then_at, 'processed', NULL, n
               FROM planned WHERE then_step = 'reverse_credited'
               UNION ALL SELECT 8 * n + 3, source, at, 'repeat', NULL, n FROM planned WHERE n % 50 = 1
               UNION ALL SELECT 8 * n + 4, source, at, 'quarantined', '`tx_id` is missing', NULL
               FROM planned WHERE n % 100 = 5) AS received
         ORDER BY id;
         UPDATE accounts SET balance_micros = sums.balance FROM (
             SELECT account_id, CAST(SUM(delta) AS BIGINT) AS balance FROM (
                 SELECT credit_id AS account_id, amount_micros AS delta FROM transfers
                 UNION ALL SELECT debit_id, -amount_micros FROM transfers) AS legs GROUP BY account_id) AS sums
         WHERE sums.account_id = accounts.id;
         DROP TABLE planned;"
    );
    gateway.execute(sql).await;
    if postgres {
        // New ids follow the inserted ones, and the planner has statistics.
        for table in ["accounts", "rewards", "postbacks"] {
            let behind =
                format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), MAX(id)) FROM {table}");
            gateway.execute(behind).await;
        }
        gateway.execute("VACUUM ANALYZE".into()).await;
        gateway.execute("CHECKPOINT".into()).await;
    } else {
        gateway.execute("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)".into()).await;
    }
}
