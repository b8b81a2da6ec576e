//! The audit: who did what, by what means and from where. An append-only hash chain, written in the transaction of each
//! act.

pub(crate) mod chain;

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::time::TimestampMs;
use sqlx::QueryBuilder;

pub use chain::{ChainRow, Head};

use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::operations::retention::{Purged, STEP_ROWS};
use crate::{Result, Store, read};

/// One act, as an audit line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// A person, a service, a part of RewardGate, or `command line`; with means and address.
    pub actor: Actor,
    /// The kind of act.
    pub action: Action,
    /// The object of the act, e.g. `reward 12`.
    pub subject: String,
    /// Further details; may be empty.
    pub detail: String,
}

impl Line {
    /// The arguments in the order of the fields.
    pub fn new(actor: &Actor, action: Action, subject: String, detail: String) -> Self {
        Self { actor: actor.clone(), action, subject, detail }
    }
}

/// A line to write at the end of its transaction.
pub(crate) struct Noted {
    line: Line,
    now: TimestampMs,
}

/// A saved line.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of audit, described in the migration")]
pub struct AuditRow {
    pub id: i64,
    pub seq: Option<i64>,
    pub happened_at: i64,
    pub actor: String,
    pub via: Option<String>,
    pub via_name: Option<String>,
    pub from_network: Option<String>,
    /// The full address; `None` after its retention period.
    pub address: Option<String>,
    pub action: String,
    pub subject: String,
    pub detail: String,
    pub address_digest: Option<String>,
    pub hash: Option<String>,
}

/// Which lines to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only of this person or token.
    pub actor: Option<String>,
    /// Only of this action.
    pub action: Option<String>,
    /// Only ids below this one; that of the last row of the previous page.
    pub before: Option<i64>,
}

/// Which lines to export.
#[derive(Clone, Debug, Default)]
pub struct ExportFilter {
    /// Only of this person or token.
    pub actor: Option<String>,
    /// Only of this action.
    pub action: Option<String>,
    /// Happened at or after.
    pub from: Option<TimestampMs>,
    /// Happened before.
    pub to: Option<TimestampMs>,
}

const SELECT: &str =
    "SELECT id, audit.seq, happened_at, actor, via, via_name, from_network, address, action, subject, \
                      detail, address_digest, hash
                      FROM audit LEFT JOIN audit_addresses ON audit_addresses.seq = audit.seq WHERE true";

static FORGET: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM audit_addresses
         WHERE seq IN (SELECT seq FROM audit_addresses WHERE noted_at < $1 ORDER BY noted_at LIMIT $2)",
        &[],
    )
});

/// Adds `line` to the transaction of its act.
pub(crate) fn note(tx: &mut Tx, line: &Line, now: TimestampMs) {
    tx.noted().push(Noted { line: line.clone(), now });
}

impl Store {
    /// Writes a line for an act that changes nothing else.
    pub async fn note_in_audit(&self, line: Line, now: TimestampMs) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                note(tx, &line, now);
                Ok(())
            })
        })
        .await
    }

    /// Up to `limit` lines, newest first.
    pub async fn audit(&self, filter: &AuditFilter, limit: i64) -> Result<Vec<AuditRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            if let Some(actor) = &filter.actor {
                query.push(" AND actor = ").push_bind(actor);
            }
            if let Some(action) = &filter.action {
                query.push(" AND action = ").push_bind(action);
            }
            if let Some(before) = filter.before {
                query.push(" AND id < ").push_bind(before);
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// Up to `limit` lines after the line `after_id`, oldest first.
    pub async fn audit_export(
        &self,
        filter: &ExportFilter,
        after_id: i64,
        limit: i64,
    ) -> Result<Vec<AuditRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            query.push(" AND id > ").push_bind(after_id);
            if let Some(actor) = &filter.actor {
                query.push(" AND actor = ").push_bind(actor);
            }
            if let Some(action) = &filter.action {
                query.push(" AND action = ").push_bind(action);
            }
            if let Some(from) = filter.from {
                query.push(" AND happened_at >= ").push_bind(from.0);
            }
            if let Some(to) = filter.to {
                query.push(" AND happened_at < ").push_bind(to.0);
            }
            query.push(" ORDER BY id LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// One step of deleting the full addresses of lines written before `before`. The lines themselves stay unchanged.
    pub async fn forget_audit_addresses(&self, before: TimestampMs) -> Result<Purged> {
        self.write(move |tx| {
            Box::pin(async move {
                let rows = with_statement!(tx, FORGET, |sql, connection| {
                    let delete = sqlx::query(sql).bind(before.0).bind(STEP_ROWS);
                    delete.execute(connection).await?.rows_affected()
                });
                Ok(Purged { rows, next: (i64::try_from(rows) == Ok(STEP_ROWS)).then_some(0) })
            })
        })
        .await
    }

    /// The actors and actions in the audit, at most 200 each, for its filters.
    pub async fn audit_choices(&self) -> Result<(Vec<String>, Vec<String>)> {
        // Each jumps through its index from one value to the next, so the cost does not grow with the audit.
        let actors: Vec<(String,)> = read!(self, pool => sqlx::query_as(
            "WITH RECURSIVE each(value) AS (
                 SELECT MIN(actor) FROM audit
                 UNION ALL
                 SELECT (SELECT MIN(actor) FROM audit WHERE actor > value) FROM each WHERE value IS NOT NULL
             ) SELECT value FROM each WHERE value IS NOT NULL LIMIT 200"
        ).fetch_all(pool).await)?;
        let actions: Vec<(String,)> = read!(self, pool => sqlx::query_as(
            "WITH RECURSIVE each(value) AS (
                 SELECT MIN(action) FROM audit
                 UNION ALL
                 SELECT (SELECT MIN(action) FROM audit WHERE action > value) FROM each WHERE value IS NOT NULL
             ) SELECT value FROM each WHERE value IS NOT NULL LIMIT 200"
        ).fetch_all(pool).await)?;
        let names = |rows: Vec<(String,)>| rows.into_iter().map(|(name,)| name).collect();
        Ok((names(actors), names(actions)))
    }
}
