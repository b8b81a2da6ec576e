//! The content behind each policy version that ever decided, so that an old verdict can be explained and repeated.

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

/// Whoever comes second waits here, and sees the line of who came first.
static LOCK: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT version FROM policies WHERE version = $1 {for_update}", &[]));

/// What decided last; `subject` as [`subject`] makes it.
static BEFORE: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT subject FROM audit WHERE action = $1 ORDER BY id DESC LIMIT 1", &[])
});

/// Who changes policies: the settings that a process is started with.
const SETTINGS: &str = "settings";

fn subject(version: &str) -> String {
    format!("policy {version}")
}

impl Store {
    /// Keeps the content of a policy that decides from now on, once, and notes in the audit when it is another one than
    /// before.
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
