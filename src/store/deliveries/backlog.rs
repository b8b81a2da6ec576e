//! How many deliveries wait, by app and status.

use crate::{Result, Store, read};

/// Unfinished deliveries of one app and status.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Backlog {
    /// As in the settings.
    pub app: String,
    /// `waiting`, `behind` or `failed`.
    pub status: String,
    /// Their number; at least 1.
    pub deliveries: i64,
    /// Creation time of the oldest, unix milliseconds.
    pub oldest_created_at: Option<i64>,
}

impl Store {
    /// Unfinished deliveries by app and status.
    pub async fn backlog(&self) -> Result<Vec<Backlog>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT app, status, CAST(COUNT(*) AS BIGINT) AS deliveries, MIN(born_at) AS oldest_created_at
             FROM deliveries WHERE status = 'waiting' GROUP BY app, status
             UNION ALL
             SELECT app, status, CAST(COUNT(*) AS BIGINT), MIN(born_at)
             FROM deliveries WHERE status = 'behind' GROUP BY app, status
             UNION ALL
             SELECT app, status, CAST(COUNT(*) AS BIGINT), MIN(born_at)
             FROM deliveries WHERE status = 'failed' GROUP BY app, status"
        ).fetch_all(pool).await)?)
    }
}
