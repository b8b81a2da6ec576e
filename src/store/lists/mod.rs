//! Lists of people: entries that trust, watch or block. Workers keep all that are in force in memory, and read them again
//! when the version has changed.

pub mod change;
pub mod rows;

use domain::lists::entry::Key;
use domain::lists::matcher::Entry;
use domain::lists::{Effect, Kind};
use domain::time::TimestampMs;

use crate::{Error, Result, Store, read};

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of list_entries, described in the migration")]
pub struct ListRow {
    pub id: i64,
    pub kind: String,
    pub source: String,
    pub value: String,
    pub app: String,
    pub effect: String,
    pub author: String,
    pub reason: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub removed_at: Option<i64>,
    pub removed_by: Option<String>,
}

const COLUMNS: &str = "id, kind, source, value, app, effect, author, reason, created_at, expires_at, \
                       removed_at, removed_by";

impl ListRow {
    /// The entry as the matcher reads it.
    pub fn entry(self) -> Result<Entry> {
        let corrupt = |column: &'static str, found: &str| Error::Corrupt {
            table: "list_entries",
            column,
            row: self.id,
            found: found.to_owned(),
        };
        let kind = Kind::parse(&self.kind).ok_or_else(|| corrupt("kind", &self.kind))?;
        let effect = Effect::parse(&self.effect).ok_or_else(|| corrupt("effect", &self.effect))?;
        let app = Some(self.app).filter(|app| !app.is_empty());
        Ok(Entry {
            id: self.id,
            key: Key { kind, source: self.source, value: self.value, app },
            effect,
            author: self.author,
            reason: self.reason,
            expires_at: self.expires_at.map(TimestampMs),
        })
    }

    /// True if it decides at `now`.
    pub fn is_in_force(&self, now: TimestampMs) -> bool {
        self.removed_at.is_none() && self.expires_at.is_none_or(|at| at > now.0)
    }
}

impl Store {
    /// A number that changes with every change of the lists.
    pub async fn lists_version(&self) -> Result<i64> {
        Ok(read!(self, pool => sqlx::query_scalar("SELECT version FROM list_version").fetch_one(pool).await)?)
    }

    /// All entries in force at `now`. Read the version before: whoever keeps both sees a change in between as a new
    /// version.
    pub async fn lists_in_force(&self, now: TimestampMs) -> Result<Vec<Entry>> {
        let rows: Vec<ListRow> = read!(self, pool => {
            let sql = format!(
                "SELECT {COLUMNS} FROM list_entries
                 WHERE removed_at IS NULL AND (expires_at IS NULL OR expires_at > $1) ORDER BY id"
            );
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(now.0).fetch_all(pool).await
        })?;
        rows.into_iter().map(ListRow::entry).collect()
    }
}
