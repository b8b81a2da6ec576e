//! Saving steps of rewards, and what they move.

use std::sync::LazyLock;

use domain::batch::TakenStep;
use domain::ledger::Transfer;
use domain::time::TimestampMs;
use serde::Serialize;

use crate::Result;
use crate::db::sql::Column::{Int, Text};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::ledger::booking::{Booked, book};

static INSERT_STEPS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO steps (reward_id, seq, step, actor, note, postback_id, taken_at, business_date,
                            part_reward_micros, part_payout_micros)
         SELECT reward_id, seq, step, actor, note, postback_id, taken_at, business_date, part_reward_micros,
                part_payout_micros
         FROM {given}",
        &[
            Int("reward_id"),
            Int("seq"),
            Text("step"),
            Text("actor"),
            Text("note"),
            Int("postback_id"),
            Int("taken_at"),
            Text("business_date"),
            Int("part_reward_micros"),
            Int("part_payout_micros"),
        ],
    )
});

/// Saves steps and what they move.
pub(crate) async fn save_steps(
    tx: &mut Tx,
    taken: &[(i64, &TakenStep)],
    business_date: &str,
    now: TimestampMs,
) -> Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = taken
        .iter()
        .map(|(reward_id, taken)| StepRow {
            reward_id: *reward_id,
            seq: taken.seq,
            step: taken.step.name(),
            actor: &taken.actor,
            note: taken.note.as_deref(),
            postback_id: taken.postback_id,
            taken_at: now.0,
            business_date,
            part_reward_micros: taken.amounts.map(|amounts| amounts.reward.0),
            part_payout_micros: taken.amounts.map(|amounts| amounts.payout.0),
        })
        .collect();
    tx.execute(&INSERT_STEPS, &rows).await?;
    transfers(tx, taken, business_date, now).await
}

/// Books the transfers of steps: balances first, because their rows give the accounts their ids.
async fn transfers(
    tx: &mut Tx,
    taken: &[(i64, &TakenStep)],
    business_date: &str,
    now: TimestampMs,
) -> Result<()> {
    let postings: Vec<Booked> = taken
        .iter()
        .flat_map(|(id, taken)| {
            let cause = Some((*id, taken.seq));
            taken.transfers.iter().map(Transfer::posting).map(move |posting| (cause, posting))
        })
        .collect();
    book(tx, &postings, business_date, now).await
}

#[derive(Serialize)]
struct StepRow<'a> {
    reward_id: i64,
    seq: i64,
    step: &'static str,
    actor: &'a str,
    note: Option<&'a str>,
    postback_id: Option<i64>,
    taken_at: i64,
    business_date: &'a str,
    part_reward_micros: Option<i64>,
    part_payout_micros: Option<i64>,
}
