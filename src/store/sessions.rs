//! Sessions of people at the pages: found by the hash of a random token, ended by disuse, by age or by hand.

use std::net::IpAddr;
use std::sync::LazyLock;

use domain::actor::{Actor, Via};
use domain::time::TimestampMs;

use crate::audit::{self, Line};
use crate::people::{Person, PersonRow, person};
use crate::statement::{LazyStatement, Statement};
use crate::unit::with_statement;
use crate::{Result, Store, read};

/// How long a session may go unused.
pub const IDLE_MS: i64 = 2 * 60 * 60 * 1_000;
/// How long a session lasts at most: a working day.
pub const ABSOLUTE_MS: i64 = 12 * 60 * 60 * 1_000;
/// How often at most a session's use is noted.
const NOTED_EVERY_MS: i64 = 60 * 1_000;

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO sessions (token_hash, person_id, began_at, seen_at) VALUES ($1, $2, $3, $3)",
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

impl Store {
    /// Begins a session of `person`, who signs in from the address `from`; sweeps out those that have ended.
    pub async fn begin_session(
        &self,
        token_hash: String,
        person: Person,
        from: Option<IpAddr>,
        now: TimestampMs,
    ) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, SWEEP, |sql, connection| {
                    let sweep = sqlx::query(sql).bind(now.0 - IDLE_MS).bind(now.0 - ABSOLUTE_MS);
                    sweep.execute(connection).await?;
                });
                with_statement!(tx, INSERT, |sql, connection| {
                    let insert = sqlx::query(sql).bind(token_hash).bind(person.id).bind(now.0);
                    insert.execute(connection).await?;
                });
                let subject = format!("person {}", person.name);
                audit::note(
                    tx,
                    &Line::new(
                        &Actor::new(person.name, Via::Page, from),
                        "signed_in",
                        subject,
                        String::new(),
                    ),
                    now,
                );
                Ok(())
            })
        })
        .await
    }

    /// Whose session this is, if it has not ended and the person may still sign in. Notes that it is used.
    pub async fn session(&self, token_hash: &str, now: TimestampMs) -> Result<Option<Person>> {
        let row: Option<(i64, String, String, i64, Option<i64>, i64)> = read!(self, pool => sqlx::query_as(
            "SELECT people.id, name, role, created_at, disabled_at, seen_at
             FROM sessions JOIN people ON people.id = sessions.person_id
             WHERE token_hash = $1 AND seen_at >= $2 AND began_at >= $3 AND disabled_at IS NULL"
        ).bind(token_hash).bind(now.0 - IDLE_MS).bind(now.0 - ABSOLUTE_MS).fetch_optional(pool).await)?;
        let Some((id, name, role, created_at, disabled_at, seen_at)) = row else { return Ok(None) };
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
        let row: PersonRow = (id, name, role, created_at, disabled_at);
        person(row).map(Some)
    }

    /// Ends a session.
    pub async fn end_session(&self, token_hash: String, person: Actor, now: TimestampMs) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, DELETE, |sql, connection| {
                    sqlx::query(sql).bind(token_hash).execute(connection).await?;
                });
                let subject = format!("person {person}");
                audit::note(tx, &Line::new(&person, "signed_out", subject, String::new()), now);
                Ok(())
            })
        })
        .await
    }
}
