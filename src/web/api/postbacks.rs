//! `GET postbacks`, `GET postbacks/{id}`, `POST postbacks/{id}/replay`.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::Store;
use store::postbacks::list::{OutcomeFilter, PostbackFilter, PostbackRow};
use store::postbacks::replay::{Replayed, Replayer};
use utoipa::{IntoParams, ToSchema};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::error::ApiError;
use super::page::{self, Page};
use super::quarantine::QuarantineAct;
use super::request::{Call, get, post, query};
use super::shape::{Postback, Replay};
use super::terms::{Id, Limit, NumberCursor, Outcome, Text};
use super::{Api, answer};

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let list =
        warp::path!("postbacks").and(get(api)).and(query()).then(|call, query| answer(list(call, query)));
    let one = warp::path!("postbacks" / i64).and(get(api)).then(|id, call| answer(one(call, id)));
    let replay =
        warp::path!("postbacks" / i64 / "replay").and(post(api)).then(|id, call| answer(replay(call, id)));
    list.or(one).unify().or(replay).unify().boxed()
}

/// Filters of the list of postbacks.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct PostbackQuery {
    /// Default: all accepted postbacks.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Outcome>)]
    outcome: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    source: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<NumberCursor>)]
    cursor: Option<String>,
    /// Default: 200.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Limit>)]
    limit: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/postbacks", params(PostbackQuery), tag = "postbacks",
    responses((status = 200, body = Page<Postback>)))]
/// Postbacks as received, newest first, each with its outcome.
pub(crate) async fn list(call: Call, query: String) -> Result<Page<Postback>, ApiError> {
    call.reader().await?;
    let query: PostbackQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let outcome = query.outcome.map(|name| {
        OutcomeFilter::parse(&name).ok_or_else(|| {
            ApiError::invalid(
                "`outcome` must be received, processed, repeat, quarantined, set_aside, information, test or refused",
            )
        })
    });
    let before_id = query.cursor.is_some().then(|| page::number(query.cursor.as_deref(), 0)).transpose()?;
    let filter = PostbackFilter { outcome: outcome.transpose()?, source: query.source, before_id };
    let rows = call.api.store.postbacks(&filter, limit + 1).await?;
    // Refused calls are numbered apart, and leave their list when they are replayed.
    let numbered = if filter.outcome == Some(OutcomeFilter::Refused) { &[][..] } else { &rows };
    let mut past = past(&call.api.store, numbered).await?;
    Page::of(rows, limit, |row| row.id.to_string(), |row| Ok(with_past(row, &mut past)))
}

#[utoipa::path(get, path = "/api/v1/postbacks/{id}", params(("id" = Id, Path)), tag = "postbacks",
    responses((status = 200, body = Postback)))]
/// One accepted postback, with its replays and the values that people entered.
pub(crate) async fn one(call: Call, id: i64) -> Result<Postback, ApiError> {
    call.reader().await?;
    one_of(&call.api, id).await
}

/// The postback `id` as it stands now.
pub(crate) async fn one_of(api: &Api, id: i64) -> Result<Postback, ApiError> {
    let row = api.store.postback(id).await?;
    let row = row.ok_or_else(|| ApiError::NotFound(format!("there is no postback {id}")))?;
    let mut past = past(&api.store, std::slice::from_ref(&row)).await?;
    Ok(with_past(row, &mut past))
}

/// Replays and quarantine actions of each postback, by postback id.
pub(crate) type Past = HashMap<i64, (Vec<Replay>, Vec<QuarantineAct>)>;

/// Replays and quarantine actions of `rows`.
pub(crate) async fn past(store: &Store, rows: &[PostbackRow]) -> Result<Past, ApiError> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut past = Past::new();
    for row in store.replays(&ids).await? {
        past.entry(row.postback_id).or_default().0.push(row.into());
    }
    for row in store.quarantine_acts(&ids).await? {
        past.entry(row.postback_id).or_default().1.push(row.into());
    }
    Ok(past)
}

/// The postback with its replays and quarantine actions.
pub(crate) fn with_past(row: PostbackRow, past: &mut Past) -> Postback {
    let id = row.id;
    let mut postback = Postback::from(row);
    (postback.replays, postback.acts) = past.remove(&id).unwrap_or_default();
    postback
}

#[utoipa::path(post, path = "/api/v1/postbacks/{id}/replay", params(("id" = Id, Path)), tag = "postbacks",
    responses((status = 200, body = ReplayDone),
              (status = 409)))]
/// Returns a quarantined postback to the inbox, to be processed with the current settings. Requires the role risk or
/// admin.
pub(crate) async fn replay(call: Call, id: i64) -> Result<ReplayDone, ApiError> {
    let owner = call.reviewer().await?;
    let by = Replayer { actor: owner.actor, now: call.api.clock.now() };
    match call.api.store.replay(id, by).await {
        Ok(Replayed::Done) => {
            call.api.store.wake_workers();
            // Workers of other processes look by themselves every second.
            let _ = call.api.store.wake_other_processes().await;
            Ok(ReplayDone { id, outcome: OutcomeFilter::Received.name() })
        }
        Ok(Replayed::NotFound) => Err(ApiError::NotFound(format!("there is no postback {id}"))),
        Ok(Replayed::NotQuarantined) => Err(ApiError::Conflict(format!(
            "postback {id} is not quarantined: only a quarantined one can be replayed"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// A replayed postback.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplayDone {
    id: i64,
    /// Its new outcome.
    #[schema(value_type = Outcome, example = "received")]
    outcome: &'static str,
}
