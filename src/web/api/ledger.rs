//! `GET ledger/proof`.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::error::ApiError;
use super::request::{Call, get};
use super::terms::{Decimal, RewardStatus};
use super::{Api, answer};

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    warp::path!("ledger" / "proof").and(get(api)).then(|call| answer(proof(call))).boxed()
}

/// Whether stored balances match the transfers, and transfers match the statuses of rewards.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerProof {
    proven: bool,
    /// Accounts recomputed.
    accounts: i64,
    /// Transfers they were recomputed from.
    transfers: i64,
    /// Rewards compared with their transfers.
    rewards: i64,
    differing_accounts: Vec<DifferingAccount>,
    /// At most 100.
    differing_rewards: Vec<DifferingReward>,
}

#[derive(Debug, Serialize, ToSchema)]
struct DifferingAccount {
    account: String,
    currency: String,
    #[schema(value_type = Decimal)]
    kept: String,
    #[schema(value_type = Decimal)]
    computed: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct DifferingReward {
    id: i64,
    #[schema(value_type = RewardStatus)]
    status: String,
    #[schema(value_type = Decimal)]
    user: String,
    #[schema(value_type = Decimal)]
    held: String,
    #[schema(value_type = Decimal)]
    earned: String,
}

#[utoipa::path(get, path = "/api/v1/ledger/proof", tag = "ledger",
    responses((status = 200, body = LedgerProof)))]
/// Recomputes every balance from the transfers and lists all differences.
pub(crate) async fn proof(call: Call) -> Result<LedgerProof, ApiError> {
    call.reader().await?;
    let proof = call.api.store.prove().await?;
    Ok(LedgerProof {
        proven: proof.is_proven(),
        accounts: proof.accounts,
        transfers: proof.transfers,
        rewards: proof.rewards,
        differing_accounts: proof
            .differing_accounts
            .into_iter()
            .map(|account| DifferingAccount {
                account: account.account,
                currency: account.currency,
                kept: account.kept.to_string(),
                computed: account.computed.to_string(),
            })
            .collect(),
        differing_rewards: proof
            .differing_rewards
            .into_iter()
            .map(|reward| DifferingReward {
                id: reward.reward_id,
                status: reward.status,
                user: reward.user.to_string(),
                held: reward.held.to_string(),
                earned: reward.earned.to_string(),
            })
            .collect(),
    })
}
