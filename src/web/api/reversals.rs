//! `GET reversals`, `POST reversals/{id}/resolve`: reversals that a person must decide.

use std::sync::Arc;

use bytes::Bytes;
use domain::review::reversal::{Resolution, Situation};
use serde::{Deserialize, Serialize};
use store::review::cases::{CaseFilter, CasePlace, CaseRow, PartnerRow, Resolve, Resolved};
use utoipa::{IntoParams, ToSchema};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::error::ApiError;
use super::page::{self, Page};
use super::request::{Call, get, json_body, post, query};
use super::shape::{decimal, time};
use super::terms::{
    CaseEnding, CaseResolution, CaseSituation, CaseState, Cursor, Decimal, Id, Limit, Note, RewardStatus,
    Text, Time,
};
use super::{Api, answer};

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let list =
        warp::path!("reversals").and(get(api)).and(query()).then(|call, query| answer(list(call, query)));
    let resolve = warp::path!("reversals" / i64 / "resolve")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(resolve(call, id, body)));
    list.or(resolve).unify().boxed()
}

/// A reversal that cannot be booked automatically.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReversalCase {
    id: i64,
    /// orphan: no credit arrived within the retry horizon
    #[schema(value_type = CaseSituation)]
    situation: String,
    source: String,
    tx_id: String,
    /// The reward of its transaction; for an orphan, a reward without a credit.
    reward_id: i64,
    /// Status of that reward.
    #[schema(value_type = RewardStatus)]
    status: String,
    /// The user of that reward.
    user_id: String,
    currency: String,
    /// The user in the reversal; amounts below are null if the reversal names none.
    said_user_id: String,
    #[schema(value_type = Option<Decimal>)]
    said_reward: Option<String>,
    #[schema(value_type = Option<Decimal>)]
    said_payout: Option<String>,
    /// Amount at stake, in the user's currency.
    #[schema(value_type = Decimal)]
    stake_reward: String,
    /// Payout at stake, in USD.
    #[schema(value_type = Decimal)]
    stake_payout: String,
    /// The reversal postback.
    postback_id: i64,
    /// RFC 3339
    #[schema(value_type = Time)]
    raised_at: String,
    /// RFC 3339: time since which it waits for a person.
    #[schema(value_type = Time)]
    due_at: String,
    /// null while it is open
    #[schema(value_type = Option<CaseEnding>)]
    ending: Option<String>,
    #[schema(value_type = Option<Time>)]
    ended_at: Option<String>,
    ended_by: Option<String>,
    note: Option<String>,
    /// The reward that was reversed.
    taken_reward_id: Option<i64>,
    /// Credits that an orphan may belong to, the most likely first; only with `id`, and in the answer to a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    partners: Option<Vec<Partner>>,
}

/// A credit that an orphan may belong to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Partner {
    reward_id: i64,
    tx_id: String,
    user_id: String,
    #[schema(value_type = RewardStatus)]
    status: String,
    #[schema(value_type = Decimal)]
    reward: String,
    currency: String,
    #[schema(value_type = Decimal)]
    payout: String,
    offer_id: Option<String>,
    same_offer: bool,
    same_amount: bool,
}

/// Filters of the list of reversal cases.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReversalQuery {
    /// Only this case, open or ended, with the credits that it may belong to.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Id>)]
    id: Option<String>,
    /// Default: open.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<CaseState>)]
    state: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<CaseSituation>)]
    situation: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    source: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Cursor>)]
    cursor: Option<String>,
    /// Default: 200.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Limit>)]
    limit: Option<String>,
}

/// A decision on a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResolveRequest {
    /// all (reverse what is left), part (reverse the amount of the reversal) or dismiss
    #[schema(value_type = CaseResolution, example = "part")]
    resolution: String,
    /// Orphan only: the credit to reverse.
    #[serde(default, deserialize_with = "page::optional_id")]
    #[schema(value_type = Option<Id>)]
    reward_id: Option<i64>,
    /// The reason; recorded in the history of the reward.
    #[schema(value_type = Note, example = "the network confirmed it by mail")]
    note: String,
}

#[utoipa::path(get, path = "/api/v1/reversals", params(ReversalQuery), tag = "reversals",
    responses((status = 200, body = Page<ReversalCase>), (status = 404)))]
/// Reversal cases: open ones, oldest first; or decided ones, newest first.
pub(crate) async fn list(call: Call, query: String) -> Result<Page<ReversalCase>, ApiError> {
    call.reader().await?;
    let query: ReversalQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    if let Some(id) = query.id {
        let id = page::id(&id)?;
        return Ok(Page { items: vec![whole(&call, id).await?], next: None });
    }
    let ended = match query.state.as_deref() {
        None | Some("open") => false,
        Some("ended") => true,
        Some(other) => {
            return Err(ApiError::invalid(format!("`state` must be open or ended, not `{other}`")));
        }
    };
    let situation = query.situation.as_deref().map(|name| {
        Situation::parse(name)
            .ok_or_else(|| ApiError::invalid("`situation` must be orphan, other_user or part".to_owned()))
    });
    let after = query.cursor.as_deref().map(page::place).transpose()?;
    let filter = CaseFilter {
        ended,
        situation: situation.transpose()?,
        source: query.source,
        after: after.map(|place| CasePlace { at: place.received_at, id: place.id }),
    };
    let rows = call.api.store.cases(&filter, call.api.clock.now(), limit + 1).await?;
    let cursor = |row: &CaseRow| {
        let at = if ended { row.ended_at.unwrap_or_default() } else { row.due_at };
        format!("{at}-{}", row.id)
    };
    Page::of(rows, limit, cursor, |row| Ok(ReversalCase::of(row, None)))
}

async fn whole(call: &Call, id: i64) -> Result<ReversalCase, ApiError> {
    let store = call.api.store.at_one_moment().await?;
    let row = store.case(id).await?;
    let row = row.ok_or_else(|| ApiError::NotFound(format!("there is no case {id}")))?;
    let partners = if row.situation == Situation::Orphan.name() {
        store.partners(&row).await?.into_iter().map(Partner::from).collect()
    } else {
        Vec::new()
    };
    Ok(ReversalCase::of(row, Some(partners)))
}

#[utoipa::path(post, path = "/api/v1/reversals/{id}/resolve", params(("id" = Id, Path)), tag = "reversals",
    request_body = ResolveRequest,
    responses((status = 200, body = ReversalCase), (status = 409)))]
/// Decides a case, once. Requires the role risk or admin.
pub(crate) async fn resolve(call: Call, id: i64, body: Bytes) -> Result<ReversalCase, ApiError> {
    let owner = call.reviewer().await?;
    let request: ResolveRequest =
        page::body(&body, "the body must be {\"resolution\": \"…\", \"note\": \"…\"}: ")?;
    let resolution = Resolution::parse(&request.resolution)
        .ok_or_else(|| ApiError::invalid("`resolution` must be all, part or dismiss".to_owned()))?;
    let reviewer = call.deciding(owner, &request.note)?;
    let resolve = Resolve { case_id: id, resolution, reward_id: request.reward_id, reviewer };
    match call.api.store.resolve_case(resolve).await {
        Ok(Resolved::Done { .. }) => whole(&call, id).await,
        Ok(Resolved::NotFound) => Err(ApiError::NotFound(format!("there is no case {id}"))),
        Ok(Resolved::Ended { ending, by }) => {
            Err(ApiError::Conflict(format!("the case is already decided: {} by {by}", ending.name())))
        }
        Ok(Resolved::BadReward(why)) => Err(ApiError::Conflict(why)),
        Ok(Resolved::Waits) => Err(ApiError::Conflict(
            "dismissing this case needs two people: your decision is saved as an opinion until a second person agrees".into(),
        )),
        Ok(Resolved::NotPossible(why)) => Err(ApiError::Conflict(why.to_string())),
        Err(store::Error::Contended(_)) => {
            Err(ApiError::Conflict("someone else changed this reward at the same time: load it and try again".into()))
        }
        Err(error) => Err(error.into()),
    }
}

impl ReversalCase {
    fn of(row: CaseRow, partners: Option<Vec<Partner>>) -> Self {
        Self {
            id: row.id,
            situation: row.situation,
            source: row.source,
            tx_id: row.tx_id,
            reward_id: row.reward_id,
            status: row.status,
            user_id: row.user_id,
            currency: row.currency,
            said_user_id: row.said_user_id,
            said_reward: row.said_reward_micros.map(decimal),
            said_payout: row.said_payout_micros.map(decimal),
            stake_reward: decimal(row.stake_reward_micros),
            stake_payout: decimal(row.stake_payout_micros),
            postback_id: row.postback_id,
            raised_at: time(row.raised_at),
            due_at: time(row.due_at),
            ending: row.ending,
            ended_at: row.ended_at.map(time),
            ended_by: row.ended_by,
            note: row.note,
            taken_reward_id: row.linked_reward_id,
            partners,
        }
    }
}

impl From<PartnerRow> for Partner {
    fn from(row: PartnerRow) -> Self {
        Self {
            reward_id: row.id,
            tx_id: row.tx_id,
            user_id: row.user_id,
            status: row.status,
            reward: decimal(row.reward_micros),
            currency: row.currency,
            payout: decimal(row.payout_micros),
            offer_id: row.offer_id,
            same_offer: row.same_offer == 1,
            same_amount: row.same_amount == 1,
        }
    }
}
