//! Who did what: append-only, written in the transaction of what it tells of.

use std::sync::LazyLock;

use domain::time::TimestampMs;
use sqlx::QueryBuilder;

use crate::statement::{LazyStatement, Statement};
use crate::unit::{Tx, with_statement};
use crate::{Result, Store, read};

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// A person, a token, or `command line`.
    pub actor: String,
    /// What, e.g. `released`.
    pub action: &'static str,
    /// To what, e.g. `reward 12`.
    pub subject: String,
    /// Whatever else needs saying; may be empty.
    pub detail: String,
}

impl Line {
    /// A line.
    pub fn new(actor: &str, action: &'static str, subject: String, detail: String) -> Self {
        Self { actor: actor.to_owned(), action, subject, detail }
    }
}

/// A line as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of audit, described in the migration")]
pub struct AuditRow {
    pub id: i64,
    pub happened_at: i64,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub detail: String,
}

/// Which lines to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only of this person or token.
    pub actor: Option<String>,
    /// Only of this action.
    pub action: Option<String>,
    /// Only what comes after this line in the list, which runs from the newest to the oldest.
    pub before: Option<i64>,
}

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO audit (happened_at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)",
        &[],
    )
});

/// Notes `line` in the transaction of what it tells of.
pub(crate) async fn note(tx: &mut Tx, line: &Line, now: TimestampMs) -> Result<()> {
    with_statement!(tx, INSERT, |sql, connection| {
        let insert = sqlx::query(sql)
            .bind(now.0)
            .bind(&line.actor)
            .bind(line.action)
            .bind(&line.subject)
            .bind(&line.detail);
        insert.execute(connection).await?;
    });
    Ok(())
}

impl Store {
    /// Notes something that leaves no other trace.
    pub async fn note_in_audit(&self, line: Line, now: TimestampMs) -> Result<()> {
        self.write(move |tx| Box::pin(async move { note(tx, &line, now).await })).await
    }

    /// Up to `limit` lines, newest first.
    pub async fn audit(&self, filter: &AuditFilter, limit: i64) -> Result<Vec<AuditRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(
                "SELECT id, happened_at, actor, action, subject, detail FROM audit WHERE true"
            );
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

    /// The names and actions that stand in the audit, for its filters.
    pub async fn audit_choices(&self) -> Result<(Vec<String>, Vec<String>)> {
        // Each by a walk over its index from one value to the next, so that a long audit costs no more.
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
