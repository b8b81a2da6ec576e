//! Queries and pages: strict parameters, bounded lists, opaque cursors.

use domain::time::TimestampMs;
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use store::rewards::list::Place;
use utoipa::ToSchema;

use super::Api;
use super::error::ApiError;
use crate::texts;

/// How many items a page holds unless told.
const DEFAULT_LIMIT: i64 = 200;
/// How many it can hold.
const MAX_LIMIT: i64 = 1_000;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items, newest first.
    pub(crate) items: Vec<T>,
    /// The cursor of the next page; null on the last one.
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    /// The page made of up to `limit` of `rows`, which were loaded with one more to tell whether a page follows.
    pub(crate) fn of<R>(
        mut rows: Vec<R>,
        limit: i64,
        cursor: impl Fn(&R) -> String,
        item: impl FnMut(R) -> Result<T, ApiError>,
    ) -> Result<Self, ApiError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(cursor);
        Ok(Self { items: rows.into_iter().map(item).collect::<Result<_, _>>()?, next })
    }
}

/// Reads a query; an unknown or malformed parameter is named.
pub(crate) fn parse<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    texts::pairs(query.as_bytes())?;
    serde_urlencoded::from_str(query).map_err(|error| ApiError::invalid(error.to_string()))
}

/// Reads a JSON body; `else_say` begins what is said of one that cannot be read.
pub(crate) fn body<'b, T: Deserialize<'b>>(body: &'b [u8], else_say: &str) -> Result<T, ApiError> {
    texts::json(body)?;
    serde_json::from_slice(body).map_err(|error| ApiError::invalid(format!("{else_say}{error}")))
}

/// The number of items asked for, within its bounds.
pub(crate) fn limit(asked: Option<&str>) -> Result<i64, ApiError> {
    match asked.map(str::parse) {
        None => Ok(DEFAULT_LIMIT),
        Some(Ok(limit @ 1..=MAX_LIMIT)) => Ok(limit),
        Some(_) => Err(ApiError::invalid(format!("`limit` must be between 1 and {MAX_LIMIT}"))),
    }
}

/// A parameter that is present and empty counts as absent, so that a form can be sent as it is.
pub(crate) fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(deserializer)?).filter(|text| !text.is_empty()))
}

/// The instant that the parameter `name` says, if it is there.
pub(crate) fn instant(api: &Api, name: &str, text: Option<&str>) -> Result<Option<TimestampMs>, ApiError> {
    text.map(|text| {
        TimestampMs::parse(text, api.timezone).ok_or_else(|| {
            ApiError::invalid(format!("`{name}` must be RFC 3339 or a date, `{text}` is neither"))
        })
    })
    .transpose()
}

/// The place that a cursor names.
pub(crate) fn place(cursor: &str) -> Result<Place, ApiError> {
    let parts = cursor.split_once('-').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    let (received_at, id) =
        parts.ok_or_else(|| ApiError::invalid("`cursor` must be the `next` of a page"))?;
    Ok(Place { received_at: TimestampMs(received_at), id })
}
