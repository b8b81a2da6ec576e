//! Replays refused calls that now verify, and quarantined postbacks that can now be mapped.
//!
//! A replay only puts a postback back into the inbox, and only if it is still refused or quarantined. It is then
//! processed like any other. It never has an effect twice, because its idempotency key stays the same.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::postback::networks::KeptCall;
use domain::text::count;
use domain::time::TimestampMs;
use sqlx::QueryBuilder;

use crate::access::audit::{self, Line};
use crate::db::rows::{IdRow, given_row};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, guard, own_task, with_statement};
use crate::postbacks::source_tallies;
use crate::{Result, Store, read};

/// Rows of one page of a replay; each page is a transaction.
pub const REPLAY_PAGE: i64 = 500;
const REPLAY_PAGE_LEN: usize = 500;

/// Who replays, and when.
#[derive(Clone, Debug)]
pub struct Replayer {
    /// A person, a token, or the command line.
    pub actor: Actor,
    /// The time of the replay.
    pub now: TimestampMs,
}

/// A refused call, as needed to check it again.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct RefusedCall {
    /// Refused calls have a number range of their own.
    pub id: i64,
    /// The source whose endpoint was called.
    pub source: String,
    /// Unix milliseconds.
    pub received_at: i64,
    /// Path and query, byte for byte.
    pub target: String,
    /// `GET` or `POST`.
    pub method: String,
    /// The body or its beginning, percent-encoded; `None` if there was none.
    pub body: Option<String>,
    /// Headers that count, one `name: value` in a line.
    pub headers: Option<String>,
    /// Address of the caller.
    pub remote_ip: String,
    /// Why it was refused.
    pub reason: String,
}

impl RefusedCall {
    /// The call as it was received; its body may have been cut.
    pub fn kept(&self) -> KeptCall<'_> {
        KeptCall::of(&self.method, &self.target, self.headers.as_deref(), self.body.as_deref())
    }
}

/// Which quarantined postbacks to replay.
#[derive(Clone, Debug, Default)]
pub struct QuarantineFilter {
    /// Only the one with this id.
    pub id: Option<i64>,
    /// Only of this source.
    pub source: Option<String>,
    /// Only those whose reason contains this text, in any case.
    pub reason: Option<String>,
    /// Received at or after.
    pub from: Option<TimestampMs>,
    /// Received before.
    pub to: Option<TimestampMs>,
}

/// The result of replaying one postback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It waits in the inbox again.
    Done,
    /// There is no such postback.
    NotFound,
    /// It is not quarantined.
    NotQuarantined,
}

/// A saved replay.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ReplayRow {
    /// The id of the postback.
    pub postback_id: i64,
    /// A person, a token, or the command line.
    pub actor: String,
    /// `refused` or `quarantined`.
    pub was: String,
    /// Why it was refused or quarantined.
    pub reason: String,
    /// Unix milliseconds.
    pub replayed_at: i64,
}

/// Moves the refused calls `given.id`, complete, to the postbacks. They keep the time at which they were received,
/// because rules depend on it. Their new ids are those of now, so `recorded_at` is now too.
static MOVE_REFUSED: LazyStatement = LazyLock::new(|| {
    Statement::given::<MovedRow>(
        "INSERT INTO postbacks (source, received_at, method, target, body, headers, remote_ip, request_id, recorded_at)
         SELECT source, received_at, method, target, body, headers, remote_ip, request_id, recorded_at
         FROM {given} JOIN refused ON refused.id = given.id ORDER BY refused.id
         RETURNING id")
});

/// Locked, so that a second process that replays the same calls finds none of them.
static LOCK_REFUSED: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "SELECT id, reason FROM refused WHERE id IN (SELECT id FROM {given}) ORDER BY id {for_update}",
    )
});

static DELETE_REFUSED: LazyStatement =
    LazyLock::new(|| Statement::given::<IdRow>("DELETE FROM refused WHERE id IN (SELECT id FROM {given})"));

static LOCK_QUARANTINED: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "SELECT id, reason FROM postbacks
         WHERE id IN (SELECT id FROM {given}) AND outcome = 'quarantined' ORDER BY id {for_update}",
    )
});

static RECEIVE_QUARANTINED: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "UPDATE postbacks SET outcome = 'received', reason = NULL, processed_at = NULL
         WHERE id IN (SELECT id FROM {given}) AND outcome = 'quarantined'",
    )
});

static NOTE: LazyStatement = LazyLock::new(|| {
    Statement::given::<NoteRow<'_>>(
        "INSERT INTO replays ({columns})
         SELECT {columns} FROM {given}",
    )
});

static EXISTS: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT id FROM postbacks WHERE id = $1", &[]));

given_row! {
    struct MovedRow {
        id: i64,
        recorded_at: i64,
    }
}

#[derive(sqlx::FromRow)]
struct AsideRow {
    id: i64,
    reason: Option<String>,
}

#[derive(sqlx::FromRow)]
struct NewId {
    id: i64,
}

given_row! {
    struct NoteRow<'a> {
        postback_id: i64,
        actor: &'a str,
        was: &'static str,
        reason: &'a str,
        replayed_at: i64,
    }
}

impl Store {
    /// Up to [`REPLAY_PAGE`] refused calls after `after_id`, oldest first.
    pub async fn refused_calls(&self, source: Option<&str>, after_id: i64) -> Result<Vec<RefusedCall>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, source, received_at, method, target, body, headers, remote_ip, reason FROM refused
             WHERE id > $1 AND ($2 IS NULL OR source = $2) ORDER BY id LIMIT $3"
        ).bind(after_id).bind(source).bind(REPLAY_PAGE).fetch_all(pool).await)?)
    }

    /// The newest refused call, if there is one.
    pub async fn last_refused(&self, source: Option<&str>) -> Result<Option<RefusedCall>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, source, received_at, method, target, body, headers, remote_ip, reason FROM refused
             WHERE $1 IS NULL OR source = $1 ORDER BY id DESC LIMIT 1"
        ).bind(source).fetch_optional(pool).await)?)
    }

    /// Puts the refused calls `ids` into the inbox, in this order, and returns how many of them still existed.
    pub async fn replay_refused(&self, ids: Vec<i64>, by: Replayer) -> Result<usize> {
        self.replay_many(Aside::Refused, ids, by).await
    }

    /// The ids of up to [`REPLAY_PAGE`] quarantined postbacks after `after_id`, oldest first.
    pub async fn quarantined(&self, filter: &QuarantineFilter, after_id: i64) -> Result<Vec<i64>> {
        let reason = filter.reason.as_ref().map(|reason| reason.to_lowercase());
        Ok(read!(self, pool => sqlx::query_scalar(
            "SELECT id FROM postbacks
             WHERE outcome = 'quarantined' AND id > $1 AND ($2 IS NULL OR id = $2) AND ($3 IS NULL OR source = $3)
               AND ($4 IS NULL OR LOWER(reason) LIKE '%' || $4 || '%')
               AND ($5 IS NULL OR received_at >= $5) AND ($6 IS NULL OR received_at < $6)
             ORDER BY id LIMIT $7"
        )
        .bind(after_id)
        .bind(filter.id)
        .bind(filter.source.as_deref())
        .bind(reason)
        .bind(filter.from.map(|from| from.0))
        .bind(filter.to.map(|to| to.0))
        .bind(REPLAY_PAGE)
        .fetch_all(pool).await)?)
    }

    /// Puts the quarantined postbacks `ids` back into the inbox, and returns how many of them were still quarantined.
    pub async fn replay_quarantined(&self, ids: Vec<i64>, by: Replayer) -> Result<usize> {
        self.replay_many(Aside::Quarantined, ids, by).await
    }

    /// Replays each [`REPLAY_PAGE`] of them in a transaction of its own. The first page that replays something writes the
    /// audit line of the whole order, so the order continues if the caller disconnects.
    async fn replay_many(&self, aside: Aside, ids: Vec<i64>, by: Replayer) -> Result<usize> {
        let store = self.clone();
        own_task(async move {
            let (mut taken, mut rest) = (0, ids.as_slice());
            while !rest.is_empty() {
                let (page, left) = rest.split_at(rest.len().min(REPLAY_PAGE_LEN));
                rest = left;
                let note = (taken == 0).then_some(Order { aside, is_one: ids.len() == 1, rest: left.len() });
                taken += store.replay_page(aside, rows_of(page), by.clone(), note).await?;
            }
            Ok(taken)
        })
        .await
    }

    async fn replay_page(
        &self,
        aside: Aside,
        ids: Vec<IdRow>,
        by: Replayer,
        note: Option<Order>,
    ) -> Result<usize> {
        self.write(move |tx| {
            Box::pin(async move {
                let taken = match aside {
                    Aside::Refused => replay_refused(tx, &ids, &by).await?,
                    Aside::Quarantined => replay_quarantined(tx, &ids, &by).await?,
                };
                if let Some(order) = note.filter(|_| taken > 0) {
                    audit::note(tx, &order.line(&ids, taken, &by), by.now);
                }
                Ok(taken)
            })
        })
        .await
    }

    /// Puts one quarantined postback back into the inbox.
    pub async fn replay(&self, id: i64, by: Replayer) -> Result<Replayed> {
        self.write(move |tx| Box::pin(async move { replay_one(tx, id, &by).await })).await
    }

    /// Every replay of these postbacks, oldest first.
    pub async fn replays(&self, postback_ids: &[i64]) -> Result<Vec<ReplayRow>> {
        if postback_ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(
                "SELECT postback_id, actor, was, reason, replayed_at FROM replays WHERE postback_id IN (",
            );
            let mut ids = query.separated(", ");
            for id in postback_ids {
                ids.push_bind(*id);
            }
            query.push(") ORDER BY id").build_query_as().fetch_all(pool).await
        })?)
    }
}

/// Where replayed postbacks come from.
#[derive(Clone, Copy)]
enum Aside {
    Refused,
    Quarantined,
}

/// An order to replay many, for its audit line.
#[derive(Clone, Copy)]
struct Order {
    aside: Aside,
    /// The order names a single id.
    is_one: bool,
    /// Ids after the page that writes the line.
    rest: usize,
}

impl Order {
    /// `postback 7`, or `3 postbacks`.
    fn line(self, page: &[IdRow], taken: usize, by: &Replayer) -> Line {
        let (action, noun) = match self.aside {
            Aside::Refused => (Action::RefusedCallReplayed, "refused call"),
            Aside::Quarantined => (Action::PostbackReplayed, "postback"),
        };
        let subject = match page {
            [one] if self.is_one => format!("{noun} {}", one.id),
            _ => count(u64::try_from(taken.saturating_add(self.rest)).unwrap_or(u64::MAX), noun),
        };
        Line::new(&by.actor, action, subject, String::new())
    }
}

fn rows_of(ids: &[i64]) -> Vec<IdRow> {
    ids.iter().map(|id| IdRow { id: *id }).collect()
}

async fn replay_refused(tx: &mut Tx, ids: &[IdRow], by: &Replayer) -> Result<usize> {
    let found: Vec<AsideRow> = tx.fetch(&LOCK_REFUSED, ids).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let ids: Vec<_> = found.iter().map(|row| IdRow { id: row.id }).collect();
    let given: Vec<_> = found.iter().map(|row| MovedRow { id: row.id, recorded_at: by.now.0 }).collect();
    let mut taken: Vec<NewId> = tx.fetch(&MOVE_REFUSED, &given).await?;
    taken.sort_unstable_by_key(|row| row.id);
    guard("refused calls", tx.execute(&DELETE_REFUSED, &ids).await?, found.len())?;
    let pairs = taken.iter().map(|row| row.id).zip(&found);
    note(tx, pairs, "refused", by).await?;
    Ok(found.len())
}

async fn replay_quarantined(tx: &mut Tx, ids: &[IdRow], by: &Replayer) -> Result<usize> {
    let found: Vec<AsideRow> = tx.fetch(&LOCK_QUARANTINED, ids).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let ids: Vec<_> = found.iter().map(|row| IdRow { id: row.id }).collect();
    guard("quarantined postbacks", tx.execute(&RECEIVE_QUARANTINED, &ids).await?, found.len())?;
    note(tx, found.iter().map(|row| (row.id, row)), "quarantined", by).await?;
    source_tallies::subtract_replayed(tx, &ids).await?;
    Ok(found.len())
}

/// Puts one quarantined postback back into the inbox within the transaction of an act; `false` if it is not quarantined.
pub(crate) async fn put_back(tx: &mut Tx, id: i64, by: &Replayer) -> Result<bool> {
    Ok(replay_quarantined(tx, &[IdRow { id }], by).await? == 1)
}

/// Locks a quarantined postback; `false` if it is not quarantined.
pub(crate) async fn lock(tx: &mut Tx, id: i64) -> Result<bool> {
    let found: Vec<AsideRow> = tx.fetch(&LOCK_QUARANTINED, &[IdRow { id }]).await?;
    Ok(!found.is_empty())
}

async fn replay_one(tx: &mut Tx, id: i64, by: &Replayer) -> Result<Replayed> {
    if replay_quarantined(tx, &[IdRow { id }], by).await? == 1 {
        let line = Line::new(&by.actor, Action::PostbackReplayed, format!("postback {id}"), String::new());
        audit::note(tx, &line, by.now);
        return Ok(Replayed::Done);
    }
    let exists: Option<NewId> = with_statement!(tx, EXISTS, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(connection)
        .await?);
    Ok(exists.map_or(Replayed::NotFound, |_| Replayed::NotQuarantined))
}

async fn note(
    tx: &mut Tx,
    replayed: impl Iterator<Item = (i64, &AsideRow)>,
    was: &'static str,
    by: &Replayer,
) -> Result<()> {
    let rows: Vec<_> = replayed
        .map(|(postback_id, row)| NoteRow {
            postback_id,
            actor: &by.actor,
            was,
            reason: row.reason.as_deref().unwrap_or_default(),
            replayed_at: by.now.0,
        })
        .collect();
    tx.execute(&NOTE, &rows).await.map(|_| ())
}
