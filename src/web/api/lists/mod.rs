//! `GET lists`, `GET lists/{id}`, `POST lists`, `POST lists/import`, `POST lists/{id}/remove`: users, networks, sub ids
//! and offers that people block, watch or trust.

pub(super) mod import;

use std::sync::Arc;

use bytes::Bytes;
use domain::lists::entry::{BadDraft, Draft, Key, MAX_REASON_CHARS, MAX_VALUE_CHARS, NewEntry};
use domain::lists::{Effect, Kind, too_many};
use serde::{Deserialize, Serialize};
use store::lists::ListRow;
use store::lists::change::{ListAdded, ListRemoved};
use store::lists::rows::{ListFilter, ListState};
use utoipa::{IntoParams, ToSchema};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::api::error::ApiError;
use crate::api::page::{self, Page};
use crate::api::request::{Call, get, json_body, post, query};
use crate::api::shape::time;
use crate::api::terms::{
    Id, Instant, Limit, ListDays, ListEffect, ListKind, ListReason, ListStateName, ListValue, NumberCursor,
    Text, Time,
};
use crate::api::{Api, answer};
use crate::listing;

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let list = warp::path!("lists").and(get(api)).and(query()).then(|call, query| answer(list(call, query)));
    let one = warp::path!("lists" / i64).and(get(api)).then(|id, call| answer(one(call, id)));
    let add = warp::path!("lists").and(post(api)).and(json_body()).then(|call, body| answer(add(call, body)));
    let remove =
        warp::path!("lists" / i64 / "remove").and(post(api)).then(|id, call| answer(remove(call, id)));
    list.or(one).unify().or(import::route(api)).unify().or(add).unify().or(remove).unify().boxed()
}

/// An entry of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListEntry {
    id: i64,
    #[schema(value_type = ListKind)]
    kind: String,
    /// The source of a sub id or an offer; null for the other kinds.
    source: Option<String>,
    /// In canonical form: a network ends with its length, such as 203.0.113.0/24.
    #[schema(example = "203.0.113.0/24")]
    value: String,
    /// The only app whose rewards it matches; null: of every app.
    app: Option<String>,
    #[schema(value_type = ListEffect)]
    effect: String,
    author: String,
    reason: String,
    #[schema(value_type = Time)]
    created_at: String,
    /// RFC 3339; null: until it is removed.
    #[schema(value_type = Option<Time>)]
    expires_at: Option<String>,
    /// RFC 3339: when it was removed, or replaced by a newer entry.
    #[schema(value_type = Option<Time>)]
    removed_at: Option<String>,
    removed_by: Option<String>,
    /// True if it decides now.
    in_force: bool,
}

/// Filters of the entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<ListKind>)]
    kind: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<ListEffect>)]
    effect: Option<String>,
    /// Exactly this value; an address in any form.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    value: Option<String>,
    /// Only entries for this app alone.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    app: Option<String>,
    /// Default: `in_force`.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<ListStateName>)]
    state: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<NumberCursor>)]
    cursor: Option<String>,
    /// Default: 200.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Limit>)]
    limit: Option<String>,
}

/// An entry to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListRequest {
    #[schema(value_type = ListKind, example = "address")]
    kind: String,
    /// The user, the address or network, the number of the autonomous system, the sub id or the offer.
    #[schema(value_type = ListValue, example = "203.0.113.0/24")]
    value: String,
    #[schema(value_type = ListEffect, example = "block")]
    effect: String,
    /// Shown with every verdict that the entry takes part in.
    #[schema(value_type = ListReason, example = "card testing")]
    reason: String,
    /// The source of a sub id or an offer.
    #[schema(value_type = Option<Text>)]
    source: Option<String>,
    /// Only rewards of this app.
    #[schema(value_type = Option<Text>)]
    app: Option<String>,
    /// Days until it ends; without this and `expires_at` it stays until it is removed.
    #[schema(value_type = Option<ListDays>, example = 30)]
    expires_days: Option<i64>,
    /// When it ends; not together with `expires_days`.
    #[schema(value_type = Option<Instant>)]
    expires_at: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/lists", params(ListQuery), tag = "lists",
    responses((status = 200, body = Page<ListEntry>)))]
/// Entries of the lists, newest first.
pub(crate) async fn list(call: Call, query: String) -> Result<Page<ListEntry>, ApiError> {
    call.reader().await?;
    let query: ListQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let kind = query.kind.as_deref().map(kind).transpose()?;
    let state = query.state.as_deref().map(|name| {
        ListState::parse(name).ok_or_else(|| ApiError::invalid("`state` must be in_force, ended or all"))
    });
    let filter = ListFilter {
        kind,
        effect: query.effect.as_deref().map(effect).transpose()?,
        value: query.value.as_deref().map(|value| Key::searched(kind, value)),
        app: query.app,
        state: state.transpose()?.unwrap_or_default(),
        before: Some(page::number(query.cursor.as_deref(), i64::MAX)?),
    };
    let now = call.api.clock.now();
    let rows = call.api.store.list_entries(&filter, now, limit + 1).await?;
    let entry = |row: ListRow| {
        let in_force = row.is_in_force(now);
        Ok(ListEntry::of(row, in_force))
    };
    Page::of(rows, limit, |row| row.id.to_string(), entry)
}

#[utoipa::path(get, path = "/api/v1/lists/{id}", params(("id" = Id, Path)), tag = "lists",
    responses((status = 200, body = ListEntry)))]
/// One entry, also one that has ended.
pub(crate) async fn one(call: Call, id: i64) -> Result<ListEntry, ApiError> {
    call.reader().await?;
    found(&call, id).await
}

async fn found(call: &Call, id: i64) -> Result<ListEntry, ApiError> {
    let row = call.api.store.list_entry(id).await?.ok_or_else(|| not_found(id))?;
    let in_force = row.is_in_force(call.api.clock.now());
    Ok(ListEntry::of(row, in_force))
}

fn not_found(id: i64) -> ApiError {
    ApiError::NotFound(format!("there is no entry {id}"))
}

#[utoipa::path(post, path = "/api/v1/lists", tag = "lists", request_body = ListRequest,
    responses((status = 200, body = ListEntry), (status = 409)))]
/// Adds an entry; one of the same kind, value, source and app is replaced. It decides within two seconds. 409: the value
/// does not fit its kind, a name is not in the settings, the end is in the past, or there is no room. Requires the role
/// risk or admin.
pub(crate) async fn add(call: Call, body: Bytes) -> Result<ListEntry, ApiError> {
    let owner = call.reviewer().await?;
    let request: ListRequest = page::body(&body, "the body: ")?;
    let api = &call.api;
    let now = api.clock.now();
    let entry = read(api, request)?;
    match api.store.add_list_entry(entry, owner.actor, now).await? {
        ListAdded::Done { ids, .. } => found(&call, ids.first().copied().unwrap_or_default()).await,
        ListAdded::TooMany { in_force } => Err(ApiError::Conflict(too_many(in_force))),
    }
}

/// What the document says of a field is checked first: 400. What the settings and the kind say of it is 409.
fn read(api: &Api, request: ListRequest) -> Result<NewEntry, ApiError> {
    kind(&request.kind)?;
    effect(&request.effect)?;
    page::at_most("value", &request.value, MAX_VALUE_CHARS)?;
    if request.value.is_empty() || request.value.chars().any(char::is_control) {
        return Err(ApiError::invalid("`value` must not be empty, nor have control characters"));
    }
    let reason = page::words("reason", request.reason, MAX_REASON_CHARS)?;
    let (source, app) = (request.source.unwrap_or_default(), request.app.unwrap_or_default());
    for (field, text) in [("source", &source), ("app", &app)] {
        page::at_most(field, text, page::MAX_TEXT_LEN)?;
    }
    let at = page::instant(api, "expires_at", request.expires_at.as_deref())?;
    let expires = match (request.expires_days, at) {
        (Some(_), Some(_)) => {
            return Err(ApiError::Conflict("`expires_days` and `expires_at`: send one of them".into()));
        }
        (Some(days), None) if ListDays::RANGE.contains(&days) => format!("{days}d"),
        (Some(_), None) => {
            let (least, most) = ListDays::RANGE.into_inner();
            return Err(ApiError::invalid(format!("`expires_days` must be between {least} and {most}")));
        }
        (None, at) => at.map(domain::time::TimestampMs::rfc3339).unwrap_or_default(),
    };
    let draft = Draft {
        kind: &request.kind,
        value: &request.value,
        effect: &request.effect,
        reason: &reason,
        source: &source,
        app: &app,
        expires: &expires,
    };
    let known = listing::known(&api.stating, &api.apps, api.timezone);
    NewEntry::read(&draft, &known, api.clock.now())
        .map_err(|bad: BadDraft| ApiError::Conflict(bad.to_string()))
}

#[utoipa::path(post, path = "/api/v1/lists/{id}/remove", params(("id" = Id, Path)), tag = "lists",
    responses((status = 200, body = ListEntry), (status = 409)))]
/// Removes an entry: it decides nothing more within two seconds, and stays visible as removed. Requires the role risk or
/// admin.
pub(crate) async fn remove(call: Call, id: i64) -> Result<ListEntry, ApiError> {
    let owner = call.reviewer().await?;
    match call.api.store.remove_list_entry(id, owner.actor, call.api.clock.now()).await? {
        ListRemoved::Done => found(&call, id).await,
        ListRemoved::Already => Err(ApiError::Conflict(format!("entry {id} was removed or replaced before"))),
        ListRemoved::NotFound => Err(not_found(id)),
    }
}

fn kind(name: &str) -> Result<Kind, ApiError> {
    Kind::parse(name).ok_or_else(|| ApiError::invalid("`kind` must be user, address, asn, sub_id or offer"))
}

fn effect(name: &str) -> Result<Effect, ApiError> {
    Effect::parse(name).ok_or_else(|| ApiError::invalid("`effect` must be block, watch or trust"))
}

impl ListEntry {
    fn of(row: ListRow, in_force: bool) -> Self {
        let filled = |text: String| (!text.is_empty()).then_some(text);
        Self {
            id: row.id,
            kind: row.kind,
            source: filled(row.source),
            value: row.value,
            app: filled(row.app),
            effect: row.effect,
            author: row.author,
            reason: row.reason,
            created_at: time(row.created_at),
            expires_at: row.expires_at.map(time),
            removed_at: row.removed_at.map(time),
            removed_by: row.removed_by,
            in_force,
        }
    }
}
