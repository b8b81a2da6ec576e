//! Loads the bookings that lines may match (by transaction, or by user and offer), and which lines already count them.

use std::collections::HashSet;
use std::sync::LazyLock;

use domain::postback::event::Kind;
use domain::report::amount::Amount;
use domain::statement::matching::{Bookings, OtherLine};

use super::StatementRow;
use super::rows::{BookingRow, KeyRow, OtherRow, SeenRow, TakenRow, UserRow, kind_of};
use super::states::with_booking;
use crate::Result;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;

/// The bookings of these transactions, and other lines with the same transactions.
pub(super) async fn of_transactions(
    tx: &mut Tx,
    statement: &StatementRow,
    ids: &HashSet<&str>,
) -> Result<Bookings> {
    let mut bookings = booked(tx, statement, ids).await?;
    if ids.is_empty() {
        return Ok(bookings);
    }
    let (statement_id, source) = (statement.id, statement.source.as_str());
    let seen: Vec<_> = ids.iter().map(|tx_id| SeenRow { statement_id, tx_id, source }).collect();
    for (tx_id, kind) in tx.fetch::<(String, String)>(&SEEN, &seen).await? {
        bookings.seen.insert((tx_id, kind_of(&kind, statement_id)?));
    }
    for row in tx.fetch::<OtherRow>(&OTHERS, &seen).await? {
        let other = OtherLine {
            statement_id: row.statement_id,
            amount: Amount(row.amount_micros),
            currency: row.currency,
            day: row.day,
        };
        let key = (row.tx_id, kind_of(&row.kind, statement_id)?);
        bookings.lines_elsewhere.entry(key).or_default().push(other);
    }
    Ok(bookings)
}

/// The bookings of these transactions, without other lines.
pub(super) async fn booked(tx: &mut Tx, statement: &StatementRow, ids: &HashSet<&str>) -> Result<Bookings> {
    let mut bookings = Bookings::default();
    if ids.is_empty() {
        return Ok(bookings);
    }
    let source = statement.source.as_str();
    let keys: Vec<_> = ids.iter().map(|event_key| KeyRow { event_key, source }).collect();
    let rows: Vec<BookingRow> = tx.fetch(&BY_TX, &keys).await?;
    bookings.by_tx = rows.into_iter().map(|row| (row.tx_id.clone(), row.into())).collect();
    let rewards: Vec<i64> = bookings.by_tx.values().map(|booking| booking.reward_id).collect();
    add_counted(tx, statement, &rewards, &mut bookings).await?;
    Ok(bookings)
}

/// The bookings of these users and offers.
pub(super) async fn of_users(
    tx: &mut Tx,
    statement: &StatementRow,
    pairs: &HashSet<(&str, &str)>,
) -> Result<Bookings> {
    let mut bookings = Bookings::default();
    if pairs.is_empty() {
        return Ok(bookings);
    }
    let source = statement.source.as_str();
    let keys: Vec<_> =
        pairs.iter().map(|&(user_id, offer_id)| UserRow { user_id, source, offer_id }).collect();
    let rows: Vec<BookingRow> = tx.fetch(&BY_USER, &keys).await?;
    let rewards: Vec<i64> = rows.iter().map(|row| row.id).collect();
    add_counted(tx, statement, &rewards, &mut bookings).await?;
    for row in rows {
        bookings.by_user.entry(row.user_id.clone()).or_default().push(row.into());
    }
    Ok(bookings)
}

/// Adds to `bookings` which of these rewards lines already count, here and in other statements.
async fn add_counted(
    tx: &mut Tx,
    statement: &StatementRow,
    rewards: &[i64],
    bookings: &mut Bookings,
) -> Result<()> {
    if rewards.is_empty() {
        return Ok(());
    }
    let (statement_id, source) = (statement.id, statement.source.as_str());
    let rows: Vec<_> =
        rewards.iter().map(|&reward_id| TakenRow { statement_id, reward_id, source }).collect();
    let found: Vec<(i64, String, i64)> = tx.fetch(&TAKEN, &rows).await?;
    for (reward, kind, by) in found {
        let taken: (i64, Kind) = (reward, kind_of(&kind, statement_id)?);
        if by == statement_id {
            bookings.taken.insert(taken);
        } else {
            bookings.elsewhere.entry(taken).or_insert(by);
        }
    }
    Ok(())
}

/// The first matching rule: by transaction id, which is the event key.
static BY_TX: LazyStatement = LazyLock::new(|| {
    Statement::given::<KeyRow<'_>>(
        "SELECT rewards.id, rewards.tx_id, rewards.user_id, rewards.offer_id, rewards.event_id,
                COALESCE(payout_micros, 0) AS payout_micros, taken_back_payout_micros, received_at, status,
                CAST(CASE WHEN steps.step IN ('credit', 'hold')
                            OR EXISTS (SELECT 1 FROM steps AS again
                                       WHERE again.reward_id = rewards.id AND again.step = 'reapprove')
                          THEN 1 ELSE 0 END AS BIGINT) AS approved
         FROM {given} JOIN rewards ON rewards.event_key = given.event_key AND rewards.source = given.source
         JOIN steps ON steps.reward_id = rewards.id AND steps.seq = 1",
    )
});

/// The second matching rule: by user and offer.
static BY_USER: LazyStatement = LazyLock::new(|| {
    Statement::given::<UserRow<'_>>(
        "SELECT rewards.id, rewards.tx_id, rewards.user_id, rewards.offer_id, rewards.event_id,
                COALESCE(payout_micros, 0) AS payout_micros, taken_back_payout_micros, received_at, status,
                CAST(CASE WHEN steps.step IN ('credit', 'hold')
                            OR EXISTS (SELECT 1 FROM steps AS again
                                       WHERE again.reward_id = rewards.id AND again.step = 'reapprove')
                          THEN 1 ELSE 0 END AS BIGINT) AS approved
         FROM {given} JOIN rewards ON rewards.user_id = given.user_id AND rewards.source = given.source
              AND rewards.offer_id = given.offer_id
         JOIN steps ON steps.reward_id = rewards.id AND steps.seq = 1
         ORDER BY rewards.id",
    )
});

static SEEN: LazyStatement = LazyLock::new(|| {
    Statement::given::<SeenRow<'_>>(
        "SELECT DISTINCT lines.tx_id, lines.kind
         FROM {given} JOIN statement_lines AS lines
              ON lines.statement_id = given.statement_id AND lines.tx_id = given.tx_id",
    )
});

/// Lines with these transactions in other statements that count as well.
static OTHERS: LazyStatement = LazyLock::new(|| {
    Statement::given::<SeenRow<'_>>(
        "SELECT lines.tx_id, lines.kind, lines.statement_id, lines.amount_micros, lines.currency, lines.day
         FROM {given} JOIN statement_lines AS lines
              ON lines.tx_id = given.tx_id AND lines.statement_id <> given.statement_id
         JOIN statements ON statements.id = lines.statement_id
         WHERE statements.source = given.source AND statements.state = 'matched'
           AND statements.superseded_by IS NULL AND lines.state NOT IN ('counted_elsewhere', 'duplicate')
           AND NOT EXISTS (SELECT 1 FROM statement_supersedes AS said
                           WHERE said.statement_id = given.statement_id AND said.superseded_id = lines.statement_id)
         ORDER BY lines.statement_id, lines.line")
});

/// Rewards that are already counted, by lines of this statement or of others that count as well.
static TAKEN: LazyStatement = LazyLock::new(|| {
    Statement::given::<TakenRow<'_>>(
        concat!("SELECT DISTINCT taken.reward_id, taken.kind, taken.statement_id
         FROM (
             SELECT lines.reward_id, lines.kind, lines.statement_id, given.statement_id AS ours, given.source
             FROM {given} JOIN statement_lines AS lines ON lines.reward_id = given.reward_id
             WHERE lines.state IN ", with_booking!(), "
             UNION ALL
             SELECT sums.reward_id, sums.kind, sums.statement_id, given.statement_id, given.source
             FROM {given} JOIN statement_sums AS sums ON sums.reward_id = given.reward_id
         ) AS taken
         JOIN statements ON statements.id = taken.statement_id
         WHERE taken.statement_id = taken.ours
            OR (statements.source = taken.source AND statements.state = 'matched' AND statements.superseded_by IS NULL
                AND NOT EXISTS (SELECT 1 FROM statement_supersedes AS said
                                WHERE said.statement_id = taken.ours AND said.superseded_id = taken.statement_id))
         ORDER BY 3"))
});
