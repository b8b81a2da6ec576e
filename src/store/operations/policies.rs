//! The content of every policy version that was ever in use, so that an old verdict can be explained and repeated.

use std::sync::LazyLock;

use domain::audit::Action;
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::with_statement;
use crate::{Result, Store};

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO policies (version, content, first_used_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[],
    )
});

/// A second process waits here, and then sees the audit line of the first.
static LOCK: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT version FROM policies WHERE version = $1 {for_update}", &[]));

/// The policy used before, as [`subject`] names it.
static BEFORE: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT subject FROM audit WHERE action = $1 ORDER BY id DESC LIMIT 1", &[])
});

/// The actor of a policy change: the settings of the starting process.
const SETTINGS: &str = "settings";

fn subject(version: &str) -> String {
    format!("policy {version}")
}

impl Store {
    /// Saves the content of the policy in use, once; writes an audit line if it differs from the one used before.
    pub async fn keep_policy(&self, version: String, content: String, now: TimestampMs) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, INSERT, |sql, connection| {
                    let insert = sqlx::query(sql).bind(&version).bind(content).bind(now.0);
                    insert.execute(connection).await?;
                });
                with_statement!(tx, LOCK, |sql, connection| {
                    sqlx::query(sql).bind(&version).execute(connection).await?;
                });
                let before: Option<(String,)> = with_statement!(tx, BEFORE, |sql, connection| {
                    let before = sqlx::query_as(sql).bind(Action::PolicyChanged.name());
                    before.fetch_optional(connection).await?
                });
                let (subject, before) = (subject(&version), before.map(|(before,)| before));
                if before.as_ref() != Some(&subject) {
                    let detail = before.map_or_else(String::new, |before| format!("instead of {before}"));
                    let line = Line::new(&SETTINGS.into(), Action::PolicyChanged, subject, detail);
                    audit::note(tx, &line, now);
                }
                Ok(())
            })
        })
        .await
    }
}
