//! The content of every policy version that was ever in use, so that an old verdict can be explained and repeated.

use std::sync::{Arc, LazyLock};

use domain::audit::Action;
use domain::policy::Policy;
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::with_statement;
use crate::{Error, Result, Store, read};

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
    /// The policy of `version`, as it decided.
    pub async fn policy(&self, version: &str) -> Result<Arc<Policy>> {
        if let Some(policy) = self.policies.get(version) {
            return Ok(policy);
        }
        let content: Option<String> = read!(self, pool => sqlx::query_scalar(
            "SELECT content FROM policies WHERE version = $1"
        ).bind(version).fetch_optional(pool).await)?;
        let corrupt = |found: String| Error::Corrupt { table: "policies", column: "content", row: 0, found };
        let content = content.ok_or_else(|| corrupt(format!("nothing for version {version}")))?;
        let policy = Policy::of_content(&content).map_err(|bad| corrupt(bad.to_string()))?;
        let policy = Arc::new(policy);
        self.policies.insert(version.to_owned(), policy.clone());
        Ok(policy)
    }

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
