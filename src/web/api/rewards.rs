//! `GET rewards` and `GET rewards/{id}`.

use std::sync::Arc;

use domain::reward::Status;
use serde::Deserialize;
use store::rewards::list::RewardFilter;
use utoipa::IntoParams;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::error::ApiError;
use super::page::{self, Page};
use super::postbacks;
use super::request::{Call, get, query};
use super::shape::{Reward, RewardWhole};
use super::terms::{Cursor, Id, Instant, Limit, RewardStatus, Text};
use super::{Api, answer, deliveries};

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let list =
        warp::path!("rewards").and(get(api)).and(query()).then(|call, query| answer(list(call, query)));
    let one = warp::path!("rewards" / i64).and(get(api)).then(|id, call| answer(one(call, id)));
    list.or(one).unify().boxed()
}

/// Filters of the list of rewards.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct RewardQuery {
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<RewardStatus>)]
    status: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    source: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    user_id: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    tx_id: Option<String>,
    /// Received at or after: RFC 3339, or a date in the configured time zone.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Instant>)]
    from: Option<String>,
    /// Received before: RFC 3339, or a date in the configured time zone.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Instant>)]
    to: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Cursor>)]
    cursor: Option<String>,
    /// Default: 200.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Limit>)]
    limit: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/rewards", params(RewardQuery), tag = "rewards",
    responses((status = 200, body = Page<Reward>)))]
/// Rewards, newest first.
pub(crate) async fn list(call: Call, query: String) -> Result<Page<Reward>, ApiError> {
    call.reader().await?;
    let query: RewardQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let filter = query.filter(&call.api)?;
    let rows = call.api.store.rewards(&filter, limit + 1).await?;
    Page::of(rows, limit, |row| format!("{}-{}", row.received_at, row.id), |row| Ok(Reward::of(row)))
}

#[utoipa::path(get, path = "/api/v1/rewards/{id}", params(("id" = Id, Path)), tag = "rewards",
    responses((status = 200, body = RewardWhole)))]
/// One reward: signals, steps, transfers, postbacks, deliveries.
pub(crate) async fn one(call: Call, id: i64) -> Result<RewardWhole, ApiError> {
    call.reader().await?;
    whole(&call.api, id).await
}

/// The reward `id` with everything that belongs to it.
pub(crate) async fn whole(api: &Api, id: i64) -> Result<RewardWhole, ApiError> {
    let store = api.store.at_one_moment().await?;
    let row =
        store.reward(id).await?.ok_or_else(|| ApiError::NotFound(format!("there is no reward {id}")))?;
    let rows = store.postbacks_of_reward(id).await?;
    let mut past = postbacks::past(&store, &rows).await?;
    Ok(RewardWhole {
        reward: Reward::of(row),
        steps: store.steps(id).await?.into_iter().map(Into::into).collect(),
        transfers: store.transfers(id).await?.into_iter().map(Into::into).collect(),
        postbacks: rows.into_iter().map(|row| postbacks::with_past(row, &mut past)).collect(),
        deliveries: deliveries::of_reward(&store, id).await?,
    })
}

impl RewardQuery {
    fn filter(self, api: &Api) -> Result<RewardFilter, ApiError> {
        let status = self.status.map(|name| {
            Status::parse(&name)
                .ok_or_else(|| ApiError::invalid("`status` must be credited, held, rejected or reversed"))
        });
        Ok(RewardFilter {
            status: status.transpose()?,
            source: self.source,
            user_id: self.user_id,
            tx_id: self.tx_id,
            from: page::instant(api, "from", self.from.as_deref())?,
            to: page::instant(api, "to", self.to.as_deref())?,
            after: self.cursor.as_deref().map(page::place).transpose()?,
        })
    }
}
