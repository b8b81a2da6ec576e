//! When stating values requires a second person, and who counts as one.

use std::sync::LazyLock;

use domain::batch::outlook::Stake;
use domain::money::Micros;
use domain::review::queue::{BULK_MS, ReviewTerms};

use super::{ActRow, Acted, By};
use crate::Result;
use crate::access::{staff, tokens};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::review::decisions::ONE_BY_ONE;

/// What the person $1 stated alone since $2.
static ALONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT CAST(COUNT(*) AS BIGINT), CAST(COALESCE(SUM(alone_micros), 0) AS BIGINT),
                CAST(COALESCE(SUM(alone_payout_micros), 0) AS BIGINT)
         FROM quarantine_acts WHERE actor = $1 AND acted_at > $2 AND alone_micros IS NOT NULL",
        &[],
    )
});

/// Whether `stake` and what this person stated alone recently together require a second person. Blocks other statements
/// of the same person until this transaction ends: two at the same time would not see each other's stake.
pub(super) async fn reaches_limit(tx: &mut Tx, stake: Stake, terms: &ReviewTerms, by: &By) -> Result<bool> {
    let (reward_limit, payout_limit) = (terms.second_person_stated_reward, terms.second.bulk);
    if reward_limit.is_none() && payout_limit.is_none() {
        return Ok(false);
    }
    with_statement!(tx, ONE_BY_ONE, |sql, connection| {
        sqlx::query(sql).bind(format!("statements of {}", by.actor)).execute(connection).await?;
    });
    let (acts, reward, payout): (i64, i64, i64) = with_statement!(tx, ALONE, |sql, connection| {
        let alone = sqlx::query_as(sql).bind(by.actor.name()).bind(by.now.0.saturating_sub(BULK_MS));
        alone.fetch_one(connection).await?
    });
    let reaches = |limit: Option<Micros>, before: i64, more: Micros| {
        more.0 != 0 && limit.is_some_and(|limit| before.saturating_add(more.0) >= limit.0)
    };
    Ok(acts > 0
        && (reaches(reward_limit, reward, stake.reward) || reaches(payout_limit, payout, stake.payout)))
}

/// Why the proposer and `by` do not count as two people; `None` if they do.
pub(super) async fn not_two_people(tx: &mut Tx, proposal: &ActRow, by: &By) -> Result<Option<Acted>> {
    if !tokens::services(tx, &[&proposal.actor, &by.actor]).await?.is_empty() {
        return Ok(Some(Acted::NotAPerson));
    }
    let acted = [(proposal.actor.as_str(), proposal.acted_at), (by.actor.name(), by.now.0)];
    let new = staff::new_ones(tx, &acted).await?;
    Ok((!new.is_empty()).then_some(Acted::TooNew))
}
