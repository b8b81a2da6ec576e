//! The entries for people: one page of them, or one.

use domain::lists::{Effect, Kind};
use domain::time::TimestampMs;
use sqlx::QueryBuilder;

use super::{COLUMNS, ListRow};
use crate::{Result, Store, read};

/// Which entries, by whether they decide now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListState {
    /// Neither removed nor expired.
    #[default]
    InForce,
    /// Removed or expired.
    Ended,
    /// Both.
    All,
}

impl ListState {
    /// The name in pages, commands and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Ended => "ended",
            Self::All => "all",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::InForce, Self::Ended, Self::All].into_iter().find(|state| state.name() == name)
    }
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only with this effect.
    pub effect: Option<Effect>,
    /// Only with exactly this value, in canonical form.
    pub value: Option<String>,
    /// Only those for this app alone.
    pub app: Option<String>,
    /// Whether they decide now.
    pub state: ListState,
    /// Only ids below this one; that of the last row of the previous page.
    pub before: Option<i64>,
}

impl Store {
    /// Up to `limit` entries, newest first.
    pub async fn list_entries(
        &self,
        filter: &ListFilter,
        now: TimestampMs,
        limit: i64,
    ) -> Result<Vec<ListRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM list_entries WHERE true"));
            if let Some(kind) = filter.kind {
                query.push(" AND kind = ").push_bind(kind.name());
            }
            if let Some(effect) = filter.effect {
                query.push(" AND effect = ").push_bind(effect.name());
            }
            if let Some(value) = &filter.value {
                query.push(" AND value = ").push_bind(value);
            }
            if let Some(app) = &filter.app {
                query.push(" AND app = ").push_bind(app);
            }
            match filter.state {
                ListState::InForce => {
                    query.push(" AND removed_at IS NULL AND (expires_at IS NULL OR expires_at > ");
                    query.push_bind(now.0).push(")");
                }
                ListState::Ended => {
                    query.push(" AND (removed_at IS NOT NULL OR expires_at <= ").push_bind(now.0).push(")");
                }
                ListState::All => {}
            }
            if let Some(before) = filter.before {
                query.push(" AND id < ").push_bind(before);
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// One entry, whether it is in force or not.
    pub async fn list_entry(&self, id: i64) -> Result<Option<ListRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM list_entries WHERE id = "));
            query.push_bind(id);
            query.build_query_as().fetch_optional(pool).await
        })?)
    }

    /// How many entries are in force at `now`.
    pub async fn list_count(&self, now: TimestampMs) -> Result<i64> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "SELECT COUNT(*) FROM list_entries WHERE removed_at IS NULL AND (expires_at IS NULL OR expires_at > $1)"
        ).bind(now.0).fetch_one(pool).await)?)
    }
}
