//! Baselines: what was normal, by version. Those that processes decided by are kept for good, because verdicts name them.

use std::sync::LazyLock;

use domain::time::TimestampMs;

use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::with_statement;
use crate::{Result, Store, read};

/// Baselines that are kept although nothing was decided by them.
const KEPT_UNUSED: i64 = 40;

static EXISTS: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT id FROM baselines WHERE version = $1 {for_update}", &[]));

/// The same figures as before are the newest again, without a second copy.
static KEEP: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO baselines (version, content, made_at) VALUES ($1, $2, $3)
         ON CONFLICT (version) DO UPDATE SET made_at = excluded.made_at
         WHERE excluded.made_at > baselines.made_at",
        &[],
    )
});

static DROP_UNUSED: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM baselines WHERE used_at IS NULL AND id NOT IN
             (SELECT id FROM baselines ORDER BY made_at DESC, id DESC LIMIT $1)",
        &[],
    )
});

static USE: LazyStatement = LazyLock::new(|| {
    Statement::new("UPDATE baselines SET used_at = $2 WHERE version = $1 AND used_at IS NULL", &[])
});

/// A baseline as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BaselineRow {
    /// The hash of `content`.
    pub version: String,
    /// See [`domain::baseline::Baseline::content`].
    pub content: String,
    /// As of when it was made last, in unix milliseconds.
    pub made_at: i64,
    /// When a process first decided by it; `None` if none has.
    pub used_at: Option<i64>,
}

impl Store {
    /// Keeps a baseline made as of `now`, and drops old ones that nothing was decided by. False if one of the same version was
    /// there.
    pub async fn keep_baseline(&self, version: String, content: String, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let known: Option<(i64,)> = with_statement!(tx, EXISTS, |sql, connection| {
                    sqlx::query_as(sql).bind(&version).fetch_optional(connection).await?
                });
                with_statement!(tx, KEEP, |sql, connection| {
                    let keep = sqlx::query(sql).bind(&version).bind(content).bind(now.0);
                    keep.execute(connection).await?;
                });
                with_statement!(tx, DROP_UNUSED, |sql, connection| {
                    sqlx::query(sql).bind(KEPT_UNUSED).execute(connection).await?;
                });
                Ok(known.is_none())
            })
        })
        .await
    }

    /// The newest baseline; `None` if there is none, or if it is of the version `known`.
    pub async fn newest_baseline(&self, known: &str) -> Result<Option<BaselineRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT version, content, made_at, used_at FROM baselines
             WHERE id = (SELECT id FROM baselines ORDER BY made_at DESC, id DESC LIMIT 1) AND version <> $1"
        ).bind(known).fetch_optional(pool).await)?)
    }

    /// The baseline of `version`.
    pub async fn baseline(&self, version: &str) -> Result<Option<BaselineRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT version, content, made_at, used_at FROM baselines WHERE version = $1"
        ).bind(version).fetch_optional(pool).await)?)
    }

    /// Notes that a process decides by the baseline of `version` from `now` on: it is kept for good.
    pub async fn use_baseline(&self, version: String, now: TimestampMs) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, USE, |sql, connection| {
                    sqlx::query(sql).bind(&version).bind(now.0).execute(connection).await?;
                });
                Ok(())
            })
        })
        .await
    }
}
