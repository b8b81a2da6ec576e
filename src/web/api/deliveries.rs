//! `GET deliveries`, `POST deliveries/{id}/resend`, `…/give-up`, `POST deliveries/resend`; `GET apps`, `POST apps/{app}/enable`.

use std::sync::Arc;

use bytes::Bytes;
use domain::delivery::Status;
use serde::{Deserialize, Serialize};
use store::Store;
use store::deliveries::disabled_apps::DisabledApp;
use store::deliveries::giving_up::{GiveUp, GivenUp};
use store::deliveries::list::{AttemptRow, DeliveryFilter, DeliveryRow};
use store::deliveries::resend::{ResendFilter, Resendable, Resent, ResentMany, STEP_ROWS};
use utoipa::{IntoParams, ToSchema};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::access::reason;
use super::error::ApiError;
use super::page::{self, Page};
use super::request::{Call, get, json_body, post, query};
use super::shape::time;
use super::terms::{
    Cursor, DeliveryEvent, DeliveryReason, DeliveryStatus, Id, Instant, Limit, Note, ResendStatus, Text,
    Time, UserId,
};
use super::{Api, answer};

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let list =
        warp::path!("deliveries").and(get(api)).and(query()).then(|call, query| answer(list(call, query)));
    let resend = warp::path!("deliveries" / "resend")
        .and(post(api))
        .and(json_body())
        .then(|call, body| answer(resend(call, body)));
    let resend_one = warp::path!("deliveries" / i64 / "resend")
        .and(post(api))
        .then(|id, call| answer(resend_one(call, id)));
    let give_up = warp::path!("deliveries" / i64 / "give-up")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(give_up(call, id, body)));
    let apps = warp::path!("apps").and(get(api)).then(|call| answer(apps(call)));
    let enable =
        warp::path!("apps" / String / "enable").and(post(api)).then(|app, call| answer(enable(call, app)));
    let of_deliveries = list.or(resend).unify().or(resend_one).unify().or(give_up).unify();
    of_deliveries.or(apps).unify().or(enable).unify().boxed()
}

/// Deliveries that one call resends at most, so that the call ends in time; the next call continues.
const MOST: i64 = 20 * STEP_ROWS;

/// One notification to an app about a reward.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Delivery {
    id: i64,
    reward_id: i64,
    /// The step of the reward that caused it; a greater number is later.
    sequence: i64,
    app: String,
    user_id: String,
    #[schema(value_type = DeliveryEvent)]
    event: String,
    #[schema(value_type = DeliveryReason)]
    reason: String,
    /// waiting, behind (an earlier one of the user comes first), delivered, failed (waits for a person),
    /// `given_up` (by a person) or withdrawn (never left)
    #[schema(value_type = DeliveryStatus)]
    status: String,
    /// RFC 3339: creation time
    #[schema(value_type = Time)]
    born_at: String,
    /// RFC 3339: earliest next attempt; while it is being sent, the time of the next retry
    #[schema(value_type = Time)]
    due_at: String,
    /// Number of times that a worker leased it.
    tries: i64,
    /// Counted attempts since it was created or resent by a person.
    counted_attempts: i64,
    #[schema(value_type = Option<Time>)]
    ended_at: Option<String>,
    /// The person; null unless its status is `given_up`.
    given_up_by: Option<String>,
    /// The reason of that person.
    given_up_why: Option<String>,
    /// Every attempt; only with `rewards/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<Attempt>>,
}

/// One call to the app.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    number: i64,
    #[schema(value_type = Time)]
    began_at: String,
    duration_ms: i64,
    /// delivered, or what went wrong
    #[schema(example = "server_error")]
    result: String,
    http_status: Option<i64>,
    /// The failure as a sentence.
    detail: Option<String>,
    /// The first 1 KiB of the app's answer.
    answer: Option<String>,
}

/// Filters of the list of deliveries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryQuery {
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<DeliveryStatus>)]
    status: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    app: Option<String>,
    /// Created at or after: RFC 3339, or a date in the configured time zone.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Instant>)]
    from: Option<String>,
    /// Created before: RFC 3339, or a date in the configured time zone.
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

/// Filters of the deliveries to resend. Without a filter: all failed deliveries.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ResendRequest {
    #[schema(value_type = Option<Text>)]
    app: Option<String>,
    /// Default: failed.
    #[schema(value_type = Option<ResendStatus>)]
    status: Option<String>,
    /// Created at or after: RFC 3339, or a date in the configured time zone.
    #[schema(value_type = Option<Instant>)]
    from: Option<String>,
    /// Created before.
    #[schema(value_type = Option<Instant>)]
    to: Option<String>,
    /// `ended_by` of the previous call, to continue it: deliveries that ended later are not resent.
    #[schema(value_type = Option<Instant>)]
    ended_by: Option<String>,
    /// `next` of the previous call.
    #[schema(value_type = Option<Cursor>)]
    cursor: Option<String>,
}

/// The result of a bulk resend.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResendDone {
    /// Deliveries that wait to be sent now.
    deliveries: u64,
    /// Cursor for the next call with the same filter; null if nothing is left.
    next: Option<String>,
    /// Send it with the next call.
    #[schema(value_type = Time)]
    ended_by: String,
}

/// Giving up one delivery.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GiveUpRequest {
    /// The reason; recorded in the audit.
    #[schema(value_type = Note, example = "the user was deleted in the app")]
    reason: String,
}

/// The delivery that was resent or given up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResentOne {
    id: i64,
}

/// An app, and whether deliveries to it are enabled.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "`app` is the contract's name for an app's name")]
pub(crate) struct App {
    app: String,
    /// RFC 3339: time since which deliveries are disabled; null while they are enabled.
    #[schema(value_type = Option<Time>)]
    disabled_at: Option<String>,
    why: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/deliveries", params(DeliveryQuery), tag = "deliveries",
    responses((status = 200, body = Page<Delivery>)))]
/// Deliveries to apps, newest first.
pub(crate) async fn list(call: Call, query: String) -> Result<Page<Delivery>, ApiError> {
    call.reader().await?;
    let query: DeliveryQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let filter = DeliveryFilter {
        status: query.status.as_deref().map(status).transpose()?,
        app: query.app,
        from: page::instant(&call.api, "from", query.from.as_deref())?,
        to: page::instant(&call.api, "to", query.to.as_deref())?,
        after: query.cursor.as_deref().map(page::place).transpose()?,
    };
    let rows = call.api.store.deliveries(&filter, limit + 1).await?;
    Page::of(rows, limit, |row| format!("{}-{}", row.born_at, row.id), |row| Ok(Delivery::of(row, None)))
}

/// The deliveries of a reward, with every attempt.
pub(crate) async fn of_reward(store: &Store, reward_id: i64) -> Result<Vec<Delivery>, ApiError> {
    let mut attempts = store.attempts_of_reward(reward_id).await?;
    let rows = store.deliveries_of_reward(reward_id).await?;
    let delivery = |row: DeliveryRow| {
        let of_this = attempts.extract_if(.., |attempt| attempt.delivery_id == row.id);
        let of_this = of_this.map(Attempt::from).collect();
        Delivery::of(row, Some(of_this))
    };
    Ok(rows.into_iter().map(delivery).collect())
}

#[utoipa::path(post, path = "/api/v1/deliveries/{id}/resend", params(("id" = Id, Path)), tag = "deliveries",
    responses((status = 200, body = ResentOne),
              (status = 409)))]
/// Resends one delivery that failed or that the app has lost. Requires the role risk or admin.
pub(crate) async fn resend_one(call: Call, id: i64) -> Result<ResentOne, ApiError> {
    let owner = call.reviewer().await?;
    match call.api.store.resend(id, owner.actor.clone(), call.api.clock.now()).await? {
        Resent::Done => {
            tracing::info!(delivery_id = id, actor = %owner.actor, "delivery queued again");
            Ok(ResentOne { id })
        }
        Resent::NotFound => Err(ApiError::NotFound(format!("there is no delivery {id}"))),
        Resent::NotPossible(status) => Err(ApiError::Conflict(format!(
            "delivery {id} is {}: only a failed or delivered one can be resent, or one given up before a later delivery \
             of its reward was sent",
            status.name()
        ))),
    }
}

#[utoipa::path(post, path = "/api/v1/deliveries/{id}/give-up", params(("id" = Id, Path)), tag = "deliveries",
    request_body = GiveUpRequest,
    responses((status = 200, body = ResentOne), (status = 409)))]
/// Gives up one undelivered delivery: it is not sent any more, and the next one of the user is sent. Requires
/// the role risk or admin.
pub(crate) async fn give_up(call: Call, id: i64, body: Bytes) -> Result<ResentOne, ApiError> {
    let owner = call.reviewer().await?;
    let request: GiveUpRequest = page::body(&body, "the body must be {\"reason\": \"…\"}: ")?;
    let reason = reason("reason", &request.reason)?;
    let give_up = GiveUp { id, actor: owner.actor, reason, now: call.api.clock.now() };
    match call.api.store.give_up(give_up).await? {
        GivenUp::Done => Ok(ResentOne { id }),
        GivenUp::NotFound => Err(ApiError::NotFound(format!("there is no delivery {id}"))),
        GivenUp::InHand => Err(ApiError::Conflict(format!(
            "delivery {id} is being sent now: try again when the attempt has ended"
        ))),
        GivenUp::NotPossible(status) => Err(ApiError::Conflict(format!(
            "delivery {id} is {}: only an undelivered one can be given up",
            status.name()
        ))),
    }
}

#[utoipa::path(post, path = "/api/v1/deliveries/resend", tag = "deliveries", request_body = ResendRequest,
    responses((status = 200, body = ResendDone)))]
/// Resends the deliveries that match the filter, at most 10,000 in one call; continue with `next` and `ended_by`. Repeating
/// a call sends nothing twice. Requires the role risk or admin.
pub(crate) async fn resend(call: Call, body: Bytes) -> Result<ResendDone, ApiError> {
    let owner = call.reviewer().await?;
    let request: ResendRequest =
        if body.is_empty() { ResendRequest::default() } else { page::body(&body, "the body: ")? };
    let api = &call.api;
    let now = api.clock.now();
    page::at_most("app", request.app.as_deref().unwrap_or_default(), page::MAX_TEXT_LEN)?;
    let resendable = request.status.as_deref().map(|name| {
        let found = status(name).ok().and_then(Resendable::of);
        found.ok_or_else(|| ApiError::invalid("`status` must be failed or delivered"))
    });
    let filter = ResendFilter {
        app: request.app,
        status: resendable.transpose()?.unwrap_or_default(),
        from: page::instant(api, "from", request.from.as_deref())?,
        to: page::instant(api, "to", request.to.as_deref())?,
        ended_by: page::instant(api, "ended_by", request.ended_by.as_deref())?.unwrap_or(now),
    };
    let after = request.cursor.as_deref().map(page::place).transpose()?;
    let by = owner.actor.clone();
    let ResentMany { deliveries, next } =
        api.store.resend_many(filter.clone(), after, Some(MOST), by, now).await?;
    tracing::info!(deliveries, actor = %owner.actor, "deliveries queued again");
    let next = next.map(|place| format!("{}-{}", place.received_at.0, place.id));
    Ok(ResendDone { deliveries, next, ended_by: filter.ended_by.rfc3339() })
}

#[utoipa::path(get, path = "/api/v1/apps", tag = "deliveries", responses((status = 200, body = Vec<App>)))]
/// The apps, and whether deliveries to them are enabled.
pub(crate) async fn apps(call: Call) -> Result<Vec<App>, ApiError> {
    call.reader().await?;
    let disabled = call.api.store.disabled_apps().await?;
    Ok(call.api.apps.iter().map(|app| App::of(app, &disabled)).collect())
}

#[utoipa::path(post, path = "/api/v1/apps/{app}/enable", params(("app" = UserId, Path)), tag = "deliveries",
    responses((status = 200, body = App)))]
/// Enables deliveries to an app that were disabled because it answered 410 for several users in a row. Requires the role risk or admin.
pub(crate) async fn enable(call: Call, app: String) -> Result<App, ApiError> {
    let owner = call.reviewer().await?;
    let app = page::segment("app", &app)?;
    if !call.api.apps.contains(&app) {
        return Err(ApiError::NotFound(format!("there is no app `{app}`")));
    }
    if call.api.store.enable_app(app.clone(), owner.actor.clone(), call.api.clock.now()).await? {
        tracing::info!(app, actor = %owner.actor, "deliveries to the app enabled again");
    }
    Ok(App::of(&app, &[]))
}

fn status(name: &str) -> Result<Status, ApiError> {
    let what = "`status` must be waiting, behind, delivered, failed, given_up or withdrawn";
    Status::parse(name).ok_or_else(|| ApiError::invalid(what))
}

impl Delivery {
    fn of(row: DeliveryRow, attempts: Option<Vec<Attempt>>) -> Self {
        Self {
            id: row.id,
            reward_id: row.reward_id,
            sequence: row.seq,
            app: row.app,
            user_id: row.user_id,
            event: row.event,
            reason: row.reason,
            status: row.status,
            born_at: time(row.born_at),
            due_at: time(row.due_at),
            tries: row.lease_count,
            counted_attempts: row.counted_attempts,
            ended_at: row.ended_at.map(time),
            given_up_by: row.given_up_by,
            given_up_why: row.given_up_why,
            attempts,
        }
    }
}

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            number: row.number,
            began_at: time(row.began_at),
            duration_ms: row.duration_ms,
            result: row.result,
            http_status: row.http_status,
            detail: row.detail,
            answer: row.answer,
        }
    }
}

impl App {
    fn of(app: &str, disabled: &[DisabledApp]) -> Self {
        let found = disabled.iter().find(|disabled| disabled.app == app);
        Self {
            app: app.to_owned(),
            disabled_at: found.map(|disabled| time(disabled.disabled_at)),
            why: found.map(|disabled| disabled.why.clone()),
        }
    }
}
