//! Claims: who is deciding on a held reward. A claim ends by time, with the decision, or when it is released.

use std::sync::LazyLock;

use domain::time::TimestampMs;

use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::with_statement;
use crate::{Result, Store};

/// The result of claiming a reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The person has the claim.
    Yours {
        /// End of the claim.
        until: TimestampMs,
    },
    /// Somebody else has the claim.
    Others {
        /// The holder's name.
        person: String,
        /// End of the claim.
        until: TimestampMs,
    },
    /// The reward is no longer held.
    NotHeld,
}

/// One statement, so that of two people at the same time only one gets the claim. Returns the holder.
static CLAIM: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO claims (reward_id, person, until_at)
         SELECT reward_id, $2, $3 FROM holds WHERE reward_id = $1
         ON CONFLICT (reward_id) DO UPDATE SET
             person = CASE WHEN claims.until_at <= $4 OR claims.person = excluded.person
                           THEN excluded.person ELSE claims.person END,
             until_at = CASE WHEN claims.until_at <= $4 OR claims.person = excluded.person
                             THEN excluded.until_at ELSE claims.until_at END
         RETURNING person, until_at",
        &[],
    )
});
static SWEEP: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM claims WHERE until_at <= $1", &[]));
static LET_GO: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM claims WHERE reward_id = $1 AND person = $2", &[]));

impl Store {
    /// Claims the reward `id` for `person` until `claim_ms` after `now`, or returns the holder.
    pub async fn claim(&self, id: i64, person: &str, now: TimestampMs, claim_ms: i64) -> Result<Claimed> {
        let person = person.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, SWEEP, |sql, connection| {
                    sqlx::query(sql).bind(now.0).execute(connection).await?;
                });
                let claimed: Option<(String, i64)> = with_statement!(tx, CLAIM, |sql, connection| {
                    let claim = sqlx::query_as(sql).bind(id).bind(&person).bind(now.0 + claim_ms).bind(now.0);
                    claim.fetch_optional(connection).await?
                });
                Ok(match claimed {
                    None => Claimed::NotHeld,
                    Some((by, until)) if by == person => Claimed::Yours { until: TimestampMs(until) },
                    Some((by, until)) => Claimed::Others { person: by, until: TimestampMs(until) },
                })
            })
        })
        .await
    }

    /// Ends a claim early.
    pub async fn let_go(&self, id: i64, person: &str) -> Result<()> {
        let person = person.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, LET_GO, |sql, connection| {
                    sqlx::query(sql).bind(id).bind(person).execute(connection).await?;
                });
                Ok(())
            })
        })
        .await
    }
}
