//! A person's decision on a reward.

use std::sync::LazyLock;

use domain::ledger;
use domain::review::{self, NotAllowed, Review};
use domain::settlement::{Reward, TakenStep};
use domain::time::TimestampMs;

use crate::settle::RewardRow;
use crate::statement::{LazyStatement, Statement};
use crate::unit::{Tx, guard, with_statement};
use crate::{Result, Store, save};

/// Who decides, why and when.
#[derive(Clone, Debug)]
pub struct Reviewer {
    /// The name of the person or token.
    pub actor: String,
    /// Why.
    pub note: Option<String>,
    /// When.
    pub now: TimestampMs,
    /// The business day of `now`.
    pub business_date: String,
}

/// What became of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// It is saved and booked.
    Done,
    /// There is no such reward.
    NotFound,
    /// The reward does not stand where this decision is possible; nothing was saved.
    NotAllowed(NotAllowed),
}

static LOAD: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id, source, event_key, app, user_id, currency, reward_micros, payout_micros, offer_id, status,
                steps, repeats, conflict, credit_seen
         FROM rewards WHERE id = $1 {for_update}",
        &[],
    )
});

static UPDATE: LazyStatement = LazyLock::new(|| {
    Statement::new("UPDATE rewards SET status = $1, steps = steps + 1 WHERE id = $2 AND steps = $3", &[])
});

impl Store {
    /// Decides on the reward `id`: status, step and transfers in one transaction.
    pub async fn review(&self, id: i64, decision: Review, reviewer: Reviewer) -> Result<Reviewed> {
        self.write(move |tx| Box::pin(async move { decide(tx, id, decision, reviewer).await })).await
    }
}

async fn decide(tx: &mut Tx, id: i64, decision: Review, reviewer: Reviewer) -> Result<Reviewed> {
    let row: Option<RewardRow> = with_statement!(tx, LOAD, |sql, connection| {
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
    });
    let Some(reward) = row.map(Reward::try_from).transpose()? else { return Ok(Reviewed::NotFound) };
    let step = match review::step(decision, reward.status) {
        Ok(step) => step,
        Err(not_allowed) => return Ok(Reviewed::NotAllowed(not_allowed)),
    };
    let taken = TakenStep {
        seq: reward.steps + 1,
        step,
        actor: reviewer.actor,
        note: reviewer.note,
        postback_id: None,
        transfers: ledger::transfers(step, &reward.terms()),
    };
    let touched = with_statement!(tx, UPDATE, |sql, connection| {
        let update = sqlx::query(sql).bind(step.to().name()).bind(id).bind(reward.steps);
        update.execute(connection).await?.rows_affected()
    });
    guard("reward", touched, 1)?;
    save::steps(tx, &[(id, &taken)], &reviewer.business_date, reviewer.now).await?;
    Ok(Reviewed::Done)
}
