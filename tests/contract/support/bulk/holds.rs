//! A long review queue.

use crate::support::database::Home;
use crate::support::place::Kind;
use crate::support::postbacks::{NOW, TODAY};

/// Inserts held rewards of 200 offers, held by five rules; each user has five. The database makes them, through its own
/// triggers.
pub(crate) async fn fill(home: &Home, holds: i64) {
    let users = holds / 5;
    let overriding = if home.kind() == Kind::Postgres { "OVERRIDING SYSTEM VALUE" } else { "" };
    let numbers = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < {holds})"
    );
    let text = |expression: &str| format!("CAST({expression} AS TEXT)");
    let rule = "CASE n % 5 WHEN 0 THEN 'T1' WHEN 1 THEN 'T2' WHEN 2 THEN 'G1' WHEN 3 THEN 'N1' ELSE 'V3' END";
    home.raw()
        .await
        .execute(&format!(
            "INSERT INTO users (app, user_id, first_seen_at) {numbers}
             SELECT 'main', 'u' || {user}, {now} FROM numbers WHERE n <= {users};
             INSERT INTO accounts (id, name, currency, balance_micros) {overriding} VALUES
                 (1000001, 'granted:targo', 'coins', -500000000 * CAST({holds} AS BIGINT)),
                 (1000002, 'held:targo', 'coins', 500000000 * CAST({holds} AS BIGINT)),
                 (1000003, 'network:targo', 'USD', -1000000 * CAST({holds} AS BIGINT)),
                 (1000004, 'earned:targo', 'USD', 1000000 * CAST({holds} AS BIGINT));
             INSERT INTO rewards (id, source, event_key, app, user_id, tx_id, status, currency, reward_micros,
                                  payout_micros, offer_id, offer_name, country_code, sub1, received_at, business_date,
                                  steps, repeats, conflict, credit_seen, address_group)
             {overriding} {numbers}
             SELECT n, 'targo', 'T' || {n}, 'main', 'u' || {user}, 'T' || {n}, 'held', 'coins', 500000000, 1000000,
                    'o' || {offer}, 'Offer ' || {offer}, CASE WHEN n % 3 = 0 THEN 'DE' ELSE 'US' END, 's' || {sub1},
                    {now} - n * 1000, '{TODAY}', 1, 0, 0, 1,
                    '203.0.' || {third} || '.' || {fourth} FROM numbers;
             INSERT INTO steps (reward_id, seq, step, actor, taken_at, business_date) {numbers}
             SELECT n, 1, 'hold', 'rules', {now} - n * 1000, '{TODAY}' FROM numbers;
             INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at,
                                    business_date) {numbers}
             SELECT n, 1, 1000001, 1000002, 500000000, 'coins', {now}, '{TODAY}' FROM numbers;
             INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at,
                                    business_date) {numbers}
             SELECT n, 1, 1000003, 1000004, 1000000, 'USD', {now}, '{TODAY}' FROM numbers;
             INSERT INTO verdicts (reward_id, decision, score, hard, policy, decided_at, geo_result, location, signals,
                                   leading_rule, fired)
             {numbers} SELECT n, 'hold', 50 + n % 50, n % 2, 'p', {now}, 'match', '{{}}', '[]', {rule},
                              {rule} || ' T2' FROM numbers;",
            n = text("n"),
            user = text(&format!("n % {users} + 1")),
            offer = text("n % 200"),
            sub1 = text("n % 1000"),
            third = text("n % 100"),
            fourth = text("n % 250"),
            now = NOW.0,
        ))
        .await;
    if home.kind() == Kind::Postgres {
        home.raw().await.execute("VACUUM ANALYZE holds").await;
    }
}
