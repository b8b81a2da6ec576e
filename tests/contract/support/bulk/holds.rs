//! A long review queue.

use crate::support::bulk::held_rows::HeldRows;
use crate::support::database::Home;
use crate::support::place::Kind;
use crate::support::postbacks::{NOW, SOURCE, TODAY};

/// Inserts held rewards, see [`HeldRows`]. The database makes them, through its own triggers.
pub(crate) async fn fill(home: &Home, holds: i64) {
    let postgres = home.kind() == Kind::Postgres;
    let rows = HeldRows { holds, source: SOURCE, now_ms: NOW.0, day: TODAY, postgres };
    home.raw().await.execute(&rows.sql()).await;
    if postgres {
        home.raw().await.execute("VACUUM ANALYZE holds").await;
    }
}
