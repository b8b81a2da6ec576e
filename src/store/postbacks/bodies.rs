//! Limits on stored bodies that no signature covers. A body in which a network sends its values has none.
//!
//! A signed URL can be called many times, each time with another body. So only the first few bodies of a URL are kept,
//! and only a limited number of bytes for each source and hour. The postback records why a body is missing; no money
//! depends on a body.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use domain::text::sha256;
use domain::time::TimestampMs;

use crate::Result;
use crate::db::rows::given_row;
use crate::db::sql::{Column, LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::postbacks::inbox::NewPostback;
use crate::review::context::HOUR_MS;

/// The most bodies kept for one URL.
pub const MAX_BODIES: usize = 3;
/// Limit of all bodies of a URL together, in bytes as stored. The first may be larger.
pub const MAX_BODY_BYTES: usize = 64 * 1_024;
/// Default of `limits.body_mib_per_hour`, in bytes.
pub const BODY_BYTES_PER_HOUR: i64 = 8 * 1_024 * 1_024;

static KEPT: LazyStatement = LazyLock::new(|| {
    Statement::given::<UrlRow<'_>>(
        "SELECT body_of, body FROM postbacks
         WHERE body_of IS NOT NULL AND body_of IN (SELECT body_of FROM {given})",
    )
});

static TALLIED: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT tallied.source, tallied.hour, tallied.bytes FROM {given}
         JOIN body_tallies AS tallied ON tallied.source = given.source AND tallied.hour = given.hour",
        &[Column::Text("source"), Column::Int("hour")],
    )
});

static TALLY: LazyStatement = LazyLock::new(|| {
    Statement::given::<TallyRow>(
        "INSERT INTO body_tallies ({columns}) SELECT {columns} FROM {given} WHERE true
         ON CONFLICT (source, hour) DO UPDATE SET bytes = body_tallies.bytes + excluded.bytes",
    )
});

given_row! {
    struct UrlRow<'a> {
        body_of: &'a str,
    }
}

#[derive(sqlx::FromRow)]
struct KeptRow {
    body_of: String,
    body: Option<String>,
}

given_row! {
    #[derive(sqlx::FromRow)]
    struct TallyRow {
        source: String,
        hour: i64,
        bytes: i64,
    }
}

given_row! {
    /// A postback as it is inserted.
    pub(crate) struct Recorded<'a> {
        source: &'a str,
        received_at: TimestampMs,
        method: &'a str,
        target: &'a str,
        body: Option<&'a str>,
        body_of: Option<String>,
        body_left_out: Option<String>,
        headers: Option<&'a str>,
        remote_ip: &'a str,
        request_id: &'a str,
    }
}

impl<'a> Recorded<'a> {
    /// `postback` without its body.
    fn of(postback: &'a NewPostback, body_left_out: Option<String>) -> Self {
        Self {
            source: &postback.source,
            received_at: postback.received_at,
            method: &postback.method,
            target: &postback.target,
            body: None,
            body_of: None,
            body_left_out,
            headers: postback.headers.as_deref(),
            remote_ip: &postback.remote_ip,
            request_id: &postback.request_id,
        }
    }
}

/// The bodies stored before a batch is recorded.
#[derive(Default)]
struct StoredBodies {
    /// Bodies by `url_of`.
    kept: BTreeMap<String, BTreeSet<String>>,
    /// Stored bytes by source and hour.
    tallies: BTreeMap<(String, i64), i64>,
}

/// `postbacks` as they are inserted, if none of them has a body that limits apply to: there is nothing to look up then.
pub(crate) fn unbounded(postbacks: &[NewPostback]) -> Option<Vec<Recorded<'_>>> {
    let is_bounded = |postback: &NewPostback| postback.body.is_some() && !postback.body_counts;
    (!postbacks.iter().any(is_bounded)).then(|| postbacks.iter().map(whole).collect())
}

/// `postback` with its body, whatever was kept before.
fn whole(postback: &NewPostback) -> Recorded<'_> {
    Recorded { body: postback.body.as_deref(), ..Recorded::of(postback, postback.body_left_out.clone()) }
}

/// `postbacks` as they are inserted, each with its body or the reason why it is not kept.
pub(crate) async fn bounded<'a>(
    tx: &mut Tx,
    postbacks: &'a [NewPostback],
    per_hour: i64,
) -> Result<Vec<Recorded<'a>>> {
    let stored = stored_bodies(tx, postbacks).await?;
    let (recorded, more) = choose(postbacks, stored, per_hour);
    if !more.is_empty() {
        // Last and in sorted order: other recorders wait for these rows no longer than a commit takes.
        let more: Vec<_> =
            more.into_iter().map(|((source, hour), bytes)| TallyRow { source, hour, bytes }).collect();
        tx.execute(&TALLY, &more).await?;
    }
    Ok(recorded)
}

async fn stored_bodies(tx: &mut Tx, postbacks: &[NewPostback]) -> Result<StoredBodies> {
    let with_body: Vec<_> =
        postbacks.iter().filter(|postback| postback.body.is_some() && !postback.body_counts).collect();
    let mut stored = StoredBodies::default();
    let urls: BTreeSet<String> = with_body.iter().map(|postback| url_of(postback)).collect();
    let given: Vec<_> = urls.iter().map(|url| UrlRow { body_of: url }).collect();
    let kept: Vec<KeptRow> = tx.fetch(&KEPT, &given).await?;
    for row in kept {
        stored.kept.entry(row.body_of).or_default().extend(row.body);
    }
    let hours: BTreeSet<(&str, i64)> =
        with_body.iter().map(|postback| (postback.source.as_str(), hour_of(postback))).collect();
    let given: Vec<_> = hours
        .into_iter()
        .map(|(source, hour)| TallyRow { source: source.to_owned(), hour, bytes: 0 })
        .collect();
    let tallies: Vec<TallyRow> = tx.fetch(&TALLIED, &given).await?;
    stored.tallies = tallies.into_iter().map(|row| ((row.source, row.hour), row.bytes)).collect();
    Ok(stored)
}

/// A hash that identifies the source and URL of a call.
fn url_of(postback: &NewPostback) -> String {
    sha256(format!("{}\n{}", postback.source, postback.target).as_bytes())
}

fn hour_of(postback: &NewPostback) -> i64 {
    postback.received_at.0.div_euclid(HOUR_MS)
}

/// Chooses the bodies to keep, in the order received, and sums their bytes by source and hour.
fn choose(
    postbacks: &[NewPostback],
    mut stored: StoredBodies,
    per_hour: i64,
) -> (Vec<Recorded<'_>>, BTreeMap<(String, i64), i64>) {
    let mut more = BTreeMap::new();
    let recorded = postbacks
        .iter()
        .map(|postback| {
            let Some(body) = postback.body.as_deref().filter(|_| !postback.body_counts) else {
                return whole(postback);
            };
            let url = url_of(postback);
            let place = (postback.source.clone(), hour_of(postback));
            let tally = stored.tallies.entry(place.clone()).or_default();
            let kept = stored.kept.entry(url.clone()).or_default();
            let bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
            if let Some(why) = why_not(body, kept, tally.saturating_add(bytes) > per_hour) {
                return Recorded::of(postback, Some(left_out(bytes_of(body), why)));
            }
            *tally += bytes;
            *more.entry(place).or_default() += bytes;
            kept.insert(body.to_owned());
            Recorded { body: Some(body), body_of: Some(url), ..Recorded::of(postback, None) }
        })
        .collect();
    (recorded, more)
}

/// Why `body` is not kept beside the bodies `kept` of the same URL; `None` if it is.
fn why_not(body: &str, kept: &BTreeSet<String>, is_over: bool) -> Option<&'static str> {
    let bytes: usize = kept.iter().map(String::len).sum();
    if kept.contains(body) {
        Some("an earlier call of this URL had the same")
    } else if kept.len() >= MAX_BODIES || (!kept.is_empty() && bytes + body.len() > MAX_BODY_BYTES) {
        Some("enough bodies of this URL are kept")
    } else if is_over {
        Some("the source had its share of this hour, see `limits.body_mib_per_hour`")
    } else {
        None
    }
}

/// The note in place of a body of this length.
pub fn left_out(bytes: usize, why: &str) -> String {
    format!("body of {bytes} bytes not kept: {why}")
}

/// The received length of a body that is stored percent-encoded.
pub fn bytes_of(body: &str) -> usize {
    body.len() - 2 * body.matches('%').count()
}

#[cfg(test)]
mod tests {
    use domain::time::TimestampMs;

    use super::*;

    fn call(target: &str, body: &str, at: i64) -> NewPostback {
        NewPostback {
            source: "s".into(),
            received_at: TimestampMs(at),
            method: "POST".into(),
            target: target.into(),
            body: Some(body.into()),
            body_counts: false,
            headers: None,
            body_left_out: None,
            remote_ip: "::1".into(),
            request_id: String::new(),
        }
    }

    fn kept(calls: &[NewPostback], per_hour: i64) -> Vec<bool> {
        choose(calls, StoredBodies::default(), per_hour).0.iter().map(|row| row.body.is_some()).collect()
    }

    #[test]
    fn a_url_keeps_its_first_bodies_and_no_body_twice() {
        let calls = ["a", "a", "b", "c", "d", "a"].map(|body| call("/1", body, 0));
        assert_eq!(kept(&calls, 1_000), [true, false, true, true, false, false]);
        let rows = choose(&calls, StoredBodies::default(), 1_000).0;
        assert_eq!(
            rows[1].body_left_out.as_deref(),
            Some("body of 1 bytes not kept: an earlier call of this URL had the same")
        );
        let large = "x".repeat(MAX_BODY_BYTES + 1);
        let calls = [call("/1", &large, 0), call("/1", "b", 0), call("/2", "b", 0), call("/2", &large, 0)];
        assert_eq!(kept(&calls, i64::MAX), [true, false, true, false]);
    }

    #[test]
    fn a_source_has_an_hourly_limit_and_repeats_do_not_count() {
        let calls = [
            call("/1", "aaaaa", 0),
            call("/1", "aaaaa", 0),
            call("/2", "bbbbb", 1),
            call("/3", "c", 2),
            call("/4", "d", HOUR_MS),
        ];
        assert_eq!(kept(&calls, 10), [true, false, true, false, true]);
        assert_eq!(kept(&calls, 0), [false; 5]);
    }

    #[test]
    fn the_note_for_a_missing_body_counts_received_bytes() {
        assert_eq!(left_out(bytes_of("a%00%FF"), "why"), "body of 3 bytes not kept: why");
    }
}
