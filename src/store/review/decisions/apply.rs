//! Taking steps of many rewards at once, and taking them back.

use std::collections::HashMap;

use domain::audit::Action;
use domain::batch::{Reward, TakenStep};
use domain::delivery::Subscriptions;
use domain::review::decision;

use super::rows::{IdRow, LAST_STEPS, LOAD, LastStepRow, OWNERS, UPDATE, UpdateRow};
use super::{Reviewer, UndoneDecision, Wanted};
use crate::Result;
use crate::access::audit::{self, Line};
use crate::db::tx::{Tx, guard};
use crate::deliveries::outbox::{self, Touched, UserRow, lock_users};
use crate::rewards::existing::RewardRow;
use crate::rewards::steps::save_steps;

pub(crate) async fn load(tx: &mut Tx, ids: &[IdRow]) -> Result<HashMap<i64, Reward>> {
    let owners: Vec<(String, String)> = tx.fetch(&OWNERS, ids).await?;
    let owners = owners.into_iter().map(|(app, user_id)| UserRow { app, user_id }).collect();
    // Users before rewards (see the lock order in `lib.rs`).
    lock_users(tx, owners).await?;
    let rows: Vec<RewardRow> = tx.fetch(&LOAD, ids).await?;
    rows.into_iter()
        .map(|row| {
            let reward = Reward::try_from(row)?;
            Ok((reward.id.unwrap_or_default(), reward))
        })
        .collect()
}

pub(crate) type Taken<'a> = (i64, &'a Reward, TakenStep);

/// Saves steps, books their transfers, and creates their deliveries.
pub(crate) async fn take(
    tx: &mut Tx,
    taken: &[Taken<'_>],
    reviewer: &Reviewer,
    subscriptions: &Subscriptions,
) -> Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    let updates: Vec<UpdateRow> = taken
        .iter()
        .map(|(reward_id, reward, taken)| {
            let part = taken.amounts.filter(|_| taken.step.is_part()).unwrap_or_default();
            let taken_back = reward.taken_back.plus(part);
            UpdateRow {
                reward_id: *reward_id,
                steps: reward.steps,
                status: taken.step.to().name(),
                taken_back_micros: taken_back.reward.0,
                taken_back_payout_micros: taken_back.payout.0,
            }
        })
        .collect();
    let touched = tx.execute(&UPDATE, &updates).await?;
    guard("rewards", touched, updates.len())?;
    let steps: Vec<(i64, &TakenStep)> = taken.iter().map(|(id, _, step)| (*id, step)).collect();
    save_steps(tx, &steps, &reviewer.business_date, reviewer.now).await?;
    let touched: Vec<Touched<'_>> = taken
        .iter()
        .map(|(reward_id, reward, step)| Touched {
            reward_id: *reward_id,
            app: &reward.app,
            user_id: &reward.user_id,
            steps: vec![step],
        })
        .collect();
    outbox::enqueue(tx, &touched, subscriptions, reviewer.now).await?;
    Ok(())
}

/// Undoes those of `decided` that can be undone.
pub(super) async fn take_back(
    tx: &mut Tx,
    id: i64,
    decided: &[(i64, i64)],
    reviewer: &Reviewer,
    subscriptions: &Subscriptions,
) -> Result<UndoneDecision> {
    let ids: Vec<IdRow> = decided.iter().map(|(reward_id, _)| IdRow { id: *reward_id }).collect();
    let rewards = load(tx, &ids).await?;
    let at: Vec<Wanted> =
        decided.iter().map(|(reward_id, seq)| Wanted { reward_id: *reward_id, steps: *seq }).collect();
    let last_steps: Vec<LastStepRow> = tx.fetch(&LAST_STEPS, &at).await?;
    let last_steps: HashMap<i64, LastStepRow> =
        last_steps.into_iter().map(|row| (row.reward_id, row)).collect();
    let mut undone = UndoneDecision::default();
    let mut taken = Vec::new();
    for (reward_id, seq) in decided {
        let known = rewards.get(reward_id).zip(last_steps.get(reward_id));
        let Some((reward, last)) = known.filter(|(reward, _)| reward.steps == *seq) else {
            undone.too_late.push(*reward_id);
            continue;
        };
        let Ok(step) = decision::undo(last.step_taken()?, subscriptions.grace_ms, reviewer.now) else {
            undone.too_late.push(*reward_id);
            continue;
        };
        let step = reward.clone().take(step, reviewer.because());
        taken.push((*reward_id, reward, step));
        undone.undone.push(*reward_id);
    }
    take(tx, &taken, reviewer, subscriptions).await?;
    if !undone.undone.is_empty() {
        let subject = format!("decision {id}");
        let detail = format!("{} of {} rewards are held again", undone.undone.len(), decided.len());
        audit::note(tx, &Line::new(&reviewer.actor, Action::Undone, subject, detail), reviewer.now);
    }
    Ok(undone)
}
