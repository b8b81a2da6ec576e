//! Saves steps of rewards and books their transfers.

use std::sync::LazyLock;

use domain::batch::TakenStep;
use domain::ledger::Transfer;
use domain::time::TimestampMs;

use crate::Result;
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::ledger::booking::{Booked, book};

static INSERT_STEPS: LazyStatement = LazyLock::new(|| {
    Statement::given::<StepRow<'_>>(
        "INSERT INTO steps ({columns})
         SELECT {columns} FROM {given}",
    )
});

/// Saves steps (each with its reward's id) and books their transfers.
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

given_row! {
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
}
