//! Sessions at the pages: found by the hash of a random token; they end by inactivity, by age or by hand.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::access::staff::{Person, PersonRow, person_columns};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::{Result, Store, read};

/// A session ends after two hours without use.
pub const IDLE_MS: i64 = 2 * 60 * 60 * 1_000;
/// A session ends after twelve hours, a working day.
pub const ABSOLUTE_MS: i64 = 12 * 60 * 60 * 1_000;
/// Minimum time between two updates of `seen_at`.
const NOTED_EVERY_MS: i64 = 60 * 1_000;

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO sessions (token_hash, person_id, began_at, seen_at, sign_in_version, began_from)
         VALUES ($1, $2, $3, $3, $4, $5)",
        &[],
    )
});
static SWEEP: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM sessions WHERE seen_at < $1 OR began_at < $2", &[]));
static SEEN: LazyStatement = LazyLock::new(|| {
    Statement::new("UPDATE sessions SET seen_at = $1 WHERE token_hash = $2 AND seen_at < $1", &[])
});
static DELETE: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM sessions WHERE token_hash = $1", &[]));
static DELETE_ALL: LazyStatement = LazyLock::new(|| {
    Statement::new("DELETE FROM sessions WHERE person_id = (SELECT id FROM people WHERE name = $1)", &[])
});
static DELETE_ONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM sessions WHERE person_id = (SELECT id FROM people WHERE name = $1)
         AND substr(token_hash, 1, 12) = $2",
        &[],
    )
});

/// A session, as shown to people.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SessionRow {
    /// The beginning of the token's hash; useless for signing in.
    pub id: String,
    /// Unix milliseconds.
    pub began_at: i64,
    /// Last use, accurate to a minute; unix milliseconds.
    pub seen_at: i64,
    /// The network that it was started from; `None` if an older version started it.
    pub began_from: Option<String>,
}

/// The id of the session whose token has this hash.
pub fn session_id(token_hash: &str) -> &str {
    token_hash.get(..12).unwrap_or(token_hash)
}

impl Store {
    /// The person of a running session; `None` if it has ended or the person may no longer sign in. Updates `seen_at`.
    pub async fn session(&self, token_hash: &str, now: TimestampMs) -> Result<Option<Person>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(flatten)]
            person: PersonRow,
            seen_at: i64,
        }
        let row: Option<Row> = read!(self, pool => sqlx::query_as(concat!(
            "SELECT ", person_columns!(), ", seen_at
             FROM sessions JOIN people ON people.id = sessions.person_id
             WHERE token_hash = $1 AND seen_at >= $2 AND began_at >= $3 AND disabled_at IS NULL
               AND sessions.sign_in_version = people.sign_in_version"
        )).bind(token_hash).bind(now.0 - IDLE_MS).bind(now.0 - ABSOLUTE_MS).fetch_optional(pool).await)?;
        let Some(Row { person, seen_at }) = row else { return Ok(None) };
        if now.0 - seen_at >= NOTED_EVERY_MS {
            let token_hash = token_hash.to_owned();
            self.write(move |tx| {
                Box::pin(async move {
                    with_statement!(tx, SEEN, |sql, connection| {
                        sqlx::query(sql).bind(now.0).bind(token_hash).execute(connection).await?;
                    });
                    Ok(())
                })
            })
            .await?;
        }
        person.person().map(Some)
    }

    /// Signs `person` out of a session.
    pub async fn end_session(&self, token_hash: String, person: Actor, now: TimestampMs) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, DELETE, |sql, connection| {
                    sqlx::query(sql).bind(token_hash).execute(connection).await?;
                });
                let subject = format!("person {person}");
                audit::note(tx, &Line::new(&person, Action::SignedOut, subject, String::new()), now);
                Ok(())
            })
        })
        .await
    }

    /// The running sessions of the person `name`, the last used one first.
    pub async fn sessions_of(&self, name: &str, now: TimestampMs) -> Result<Vec<SessionRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT substr(token_hash, 1, 12) AS id, began_at, seen_at, began_from
             FROM sessions JOIN people ON people.id = sessions.person_id
             WHERE name = $1 AND seen_at >= $2 AND began_at >= $3 AND disabled_at IS NULL
               AND sessions.sign_in_version = people.sign_in_version
             ORDER BY seen_at DESC, token_hash"
        ).bind(name).bind(now.0 - IDLE_MS).bind(now.0 - ABSOLUTE_MS).fetch_all(pool).await)?)
    }

    /// The number of running sessions of each person, by name.
    pub async fn session_counts(&self, now: TimestampMs) -> Result<Vec<(String, i64)>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT name, COUNT(*) FROM sessions JOIN people ON people.id = sessions.person_id
             WHERE seen_at >= $1 AND began_at >= $2 AND disabled_at IS NULL
               AND sessions.sign_in_version = people.sign_in_version
             GROUP BY name"
        ).bind(now.0 - IDLE_MS).bind(now.0 - ABSOLUTE_MS).fetch_all(pool).await)?)
    }

    /// Ends all sessions of the person `name`, or only the one with this id; returns their number.
    pub async fn end_sessions(
        &self,
        name: String,
        only: Option<String>,
        actor: Actor,
        now: TimestampMs,
    ) -> Result<u64> {
        self.write(move |tx| {
            Box::pin(async move {
                let ended = match &only {
                    Some(id) => with_statement!(tx, DELETE_ONE, |sql, connection| {
                        let delete = sqlx::query(sql).bind(&name).bind(id);
                        delete.execute(connection).await?.rows_affected()
                    }),
                    None => with_statement!(tx, DELETE_ALL, |sql, connection| {
                        sqlx::query(sql).bind(&name).execute(connection).await?.rows_affected()
                    }),
                };
                if ended > 0 {
                    let detail =
                        if ended == 1 { "1 session".to_owned() } else { format!("{ended} sessions") };
                    let line = Line::new(&actor, Action::SessionsEnded, format!("person {name}"), detail);
                    audit::note(tx, &line, now);
                }
                Ok(ended)
            })
        })
        .await
    }
}

/// Starts a session of `person`, called from the network `from`; deletes all ended sessions.
pub(crate) async fn insert(
    tx: &mut Tx,
    token_hash: &str,
    person: &Person,
    from: Option<&str>,
    now: TimestampMs,
) -> Result<()> {
    with_statement!(tx, SWEEP, |sql, connection| {
        let sweep = sqlx::query(sql).bind(now.0 - IDLE_MS).bind(now.0 - ABSOLUTE_MS);
        sweep.execute(connection).await?;
    });
    with_statement!(tx, INSERT, |sql, connection| {
        let insert = sqlx::query(sql).bind(token_hash).bind(person.id).bind(now.0);
        insert.bind(person.sign_in_version).bind(from).execute(connection).await?;
    });
    Ok(())
}
