//! The content behind each policy version that ever decided, so that an old verdict can be explained and repeated.

use std::sync::LazyLock;

use domain::time::TimestampMs;

use crate::statement::{LazyStatement, Statement};
use crate::unit::with_statement;
use crate::{Result, Store};

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO policies (version, content, first_used_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[],
    )
});

impl Store {
    /// Keeps the content of a policy, once.
    pub async fn keep_policy(&self, version: String, content: String, now: TimestampMs) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, INSERT, |sql, connection| {
                    let insert = sqlx::query(sql).bind(version).bind(content).bind(now.0);
                    insert.execute(connection).await?;
                });
                Ok(())
            })
        })
        .await
    }
}
