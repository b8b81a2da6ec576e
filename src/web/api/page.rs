//! Queries and pages: strict parameters, bounded lists, opaque cursors.

use domain::report::day::BusinessDay;
use domain::time::TimestampMs;
use percent_encoding::percent_decode_str;
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use store::rewards::list::Place;
use utoipa::ToSchema;

use super::Api;
use super::error::ApiError;
use crate::texts;

/// Items on a page by default.
pub(super) const DEFAULT_LIMIT: i64 = 200;
/// Items on a page at most.
pub(super) const MAX_LIMIT: i64 = 1_000;
/// The longest text of a parameter or of a part of a path, in characters: no network's id is as long.
pub(super) const MAX_TEXT_LEN: usize = 1_024;
/// The longest key of a payment and the longest name of a difference, in characters.
pub(super) const MAX_KEY_LEN: usize = 1_024;
/// The most digits of a number in a cursor.
const MAX_CURSOR_DIGITS: usize = 18;

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

/// Rejects a text of more than `most` characters.
pub(crate) fn at_most(field: &str, text: &str, most: usize) -> Result<(), ApiError> {
    if text.chars().count() > most {
        return Err(ApiError::invalid(format!("`{field}` must have at most {most} characters")));
    }
    Ok(())
}

/// The text of `field`: 1 to `most` characters, not only blanks.
pub(crate) fn words(field: &str, text: String, most: usize) -> Result<String, ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::invalid(format!(
            "`{field}` must have 1 to {most} characters, not only blanks"
        )));
    }
    at_most(field, &text, most)?;
    Ok(text)
}

/// Reads a numeric id; `7.0` is accepted, because some JSON writers know only floating point.
pub(crate) fn one_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let whole = || number.as_f64().filter(|it| it.fract() == 0.0 && (1.0..MAX_EXACT).contains(it));
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and bounded in the line above")]
    let id = number.as_i64().filter(|id| *id > 0).or_else(|| whole().map(|it| it as i64));
    id.ok_or_else(|| serde::de::Error::custom("an id must be a whole number above zero"))
}

/// Like [`one_id`], but may be null.
pub(crate) fn optional_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    struct One(#[serde(deserialize_with = "one_id")] i64);
    Ok(Option::<One>::deserialize(deserializer)?.map(|One(id)| id))
}

/// 2^53: from here on a double does not hold every whole number.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// A numeric id in a parameter.
pub(crate) fn id(text: &str) -> Result<i64, ApiError> {
    let id = are_digits(text).then(|| text.parse().ok()).flatten().filter(|id| *id > 0);
    id.ok_or_else(|| ApiError::invalid("`id` must be a number above zero"))
}

/// A decoded part of a path; errors call it `named`.
pub(crate) fn segment(named: &str, part: &str) -> Result<String, ApiError> {
    let text = percent_decode_str(part).decode_utf8();
    let text = text.map_err(|_| ApiError::invalid(format!("the {named} is not UTF-8")))?.into_owned();
    if text.contains('\0') {
        return Err(ApiError::invalid(format!("the {named} contains a NUL character")));
    }
    if text.chars().count() > MAX_TEXT_LEN {
        return Err(ApiError::invalid(format!("the {named} must have at most {MAX_TEXT_LEN} characters")));
    }
    Ok(text)
}

/// The requested page size, 1 to [`MAX_LIMIT`].
pub(crate) fn limit(asked: Option<&str>) -> Result<i64, ApiError> {
    let number = |text: &str| are_digits(text).then(|| text.parse().ok()).flatten();
    match asked.map(number) {
        None => Ok(DEFAULT_LIMIT),
        Some(Some(limit @ 1..=MAX_LIMIT)) => Ok(limit),
        Some(_) => Err(ApiError::invalid(format!("`limit` must be between 1 and {MAX_LIMIT}"))),
    }
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number in a cursor; without a cursor, `first`.
pub(crate) fn number(cursor: Option<&str>, first: i64) -> Result<i64, ApiError> {
    cursor.map_or(Some(first), cursor_number).ok_or_else(bad_cursor)
}

/// The day in a cursor; without a cursor, `first`.
pub(crate) fn day<'q>(api: &Api, cursor: Option<&'q str>, first: &'q str) -> Result<&'q str, ApiError> {
    let Some(cursor) = cursor else { return Ok(first) };
    BusinessDay::parse(cursor, api.timezone).map(|_| cursor).ok_or_else(bad_cursor)
}

fn cursor_number(text: &str) -> Option<i64> {
    (are_digits(text) && text.len() <= MAX_CURSOR_DIGITS).then(|| text.parse().ok()).flatten()
}

fn bad_cursor() -> ApiError {
    ApiError::invalid("`cursor` must be the `next` of a page")
}

/// The parameter `supersedes`: `none`, or ids separated by commas.
pub(crate) fn supersedes(text: Option<&str>) -> Result<Option<&str>, ApiError> {
    let is_written = |text: &str| text == "none" || text.split(',').all(|id| cursor_number(id).is_some());
    match text {
        Some(text) if !is_written(text) => Err(ApiError::invalid(
            "`supersedes` must be `none` or statement ids without blanks, such as 3 or 3,4",
        )),
        text => Ok(text),
    }
}

/// A boolean parameter; absent is false.
pub(crate) fn switch(name: &str, text: Option<&str>) -> Result<bool, ApiError> {
    match text {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(ApiError::invalid(format!("`{name}` must be true or false"))),
    }
}

/// A parameter that is present and empty counts as absent, so that a form can be sent as it is.
pub(crate) fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(deserializer)?).filter(|text| !text.is_empty()))
}

/// The instant in the parameter `name`; `None` if it is absent.
pub(crate) fn instant(api: &Api, name: &str, text: Option<&str>) -> Result<Option<TimestampMs>, ApiError> {
    text.map(|text| {
        // Both are read more loosely than they are written: a blank for the T, a month of one digit.
        let is_as_written = text.as_bytes().get(10).is_none_or(|byte| byte.eq_ignore_ascii_case(&b'T'))
            && (text.len() > 10 || BusinessDay::parse(text, api.timezone).is_some());
        TimestampMs::parse(text, api.timezone).filter(|_| is_as_written).ok_or_else(|| {
            ApiError::invalid(format!(
                "`{name}`: `{text}` must be an RFC 3339 time or a date such as 2026-11-23"
            ))
        })
    })
    .transpose()
}

/// The place in a cursor such as `1764172800000-7`.
pub(crate) fn place(cursor: &str) -> Result<Place, ApiError> {
    let parts = cursor.split_once('-').and_then(|(at, id)| Some((cursor_number(at)?, cursor_number(id)?)));
    let (received_at, id) = parts.ok_or_else(bad_cursor)?;
    Ok(Place { received_at: TimestampMs(received_at), id })
}
