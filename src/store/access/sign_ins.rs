//! Signing in: starting sessions, the places that people are known to sign in from, and failed tries, which are shown to
//! the person.

use std::net::IpAddr;
use std::sync::LazyLock;

use domain::access::MANY_FAILED_TRIES;
use domain::actor::{Actor, NOBODY, Via};
use domain::audit::Action;
use domain::time::{DAY_MS, TimestampMs};

use crate::access::audit::{self, Line};
use crate::access::sessions;
use crate::access::staff::{FailedTries, Person};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::{Result, Store, read};

/// Limit of known places of a person: home, work, a phone, and a few more.
const MAX_PLACES: i64 = 10;
/// How long a place stays known after the last sign-in from there.
const PLACE_MS: i64 = 90 * DAY_MS;

/// Locks the person, so that a change of password or role either shows here or waits. A few failed tries are reset: they
/// were the person's own typing errors.
static LOCK: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE people SET failed_tries = CASE WHEN failed_tries < $1 THEN 0 ELSE failed_tries END,
                           failed_since = CASE WHEN failed_tries < $1 THEN NULL ELSE failed_since END
         WHERE id = $2 AND sign_in_version = $3 AND disabled_at IS NULL",
        &[],
    )
});
static KNOW: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO known_places (person_id, place, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (person_id, place) DO UPDATE SET seen_at = excluded.seen_at",
        &[],
    )
});
static FORGET: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM known_places WHERE person_id = $1 AND (seen_at < $2 OR place NOT IN (
             SELECT place FROM known_places WHERE person_id = $1 ORDER BY seen_at DESC, place LIMIT $3
         ))",
        &[],
    )
});
static FAILED: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE people SET failed_tries = failed_tries + $1, failed_since = COALESCE(failed_since, $2),
                           failed_at = $3, failed_from = $4
         WHERE id = $5 RETURNING name, failed_tries",
        &[],
    )
});
static SEEN: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE people SET failed_tries = failed_tries - $1, failed_since = NULL WHERE id = $2 AND failed_tries >= $1",
        &[],
    )
});

/// A session to start.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Hash of the session's random token.
    pub token_hash: String,
    /// The person, as loaded when the password was checked.
    pub person: Person,
    /// The address of the caller.
    pub from: Option<IpAddr>,
    /// Hash of the place of the caller, which becomes a known place.
    pub place: String,
    /// Failed tries that are not saved yet.
    pub failed: Option<FailedTries>,
}

impl Store {
    /// Starts a session; `false` if the person may no longer sign in, or the password or role has changed since.
    pub async fn begin_session(&self, new: NewSession, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let NewSession { token_hash, person, from, place, failed } = new;
                if let Some(failed) = failed {
                    add_failed(tx, person.id, &failed, now).await?;
                }
                let locked = with_statement!(tx, LOCK, |sql, connection| {
                    let lock = sqlx::query(sql).bind(MANY_FAILED_TRIES).bind(person.id);
                    lock.bind(person.sign_in_version).execute(connection).await?.rows_affected()
                });
                if locked == 0 {
                    return Ok(false);
                }
                let network = from.map(|from| domain::location::shortened(from).to_string());
                sessions::insert(tx, &token_hash, &person, network.as_deref(), now).await?;
                with_statement!(tx, KNOW, |sql, connection| {
                    sqlx::query(sql).bind(person.id).bind(place).bind(now.0).execute(connection).await?;
                });
                with_statement!(tx, FORGET, |sql, connection| {
                    let forget = sqlx::query(sql).bind(person.id).bind(now.0 - PLACE_MS).bind(MAX_PLACES);
                    forget.execute(connection).await?;
                });
                let subject = format!("person {}", person.name);
                let line = Line::new(
                    &Actor::new(&*person.name, Via::Page, from),
                    Action::SignedIn,
                    subject,
                    String::new(),
                );
                audit::note(tx, &line, now);
                Ok(true)
            })
        })
        .await
    }

    /// Whether the person has signed in from `place` in the last 90 days.
    pub async fn knows_place(&self, person_id: i64, place: &str, now: TimestampMs) -> Result<bool> {
        let found: Option<(i64,)> = read!(self, pool => sqlx::query_as(
            "SELECT seen_at FROM known_places WHERE person_id = $1 AND place = $2 AND seen_at >= $3"
        ).bind(person_id).bind(place).bind(now.0 - PLACE_MS).fetch_optional(pool).await)?;
        Ok(found.is_some())
    }

    /// Saves failed tries: one audit line for the latest, and the count for each person (by id) whose name was used.
    pub async fn note_failed_sign_ins(
        &self,
        line: Line,
        failed: Vec<(i64, FailedTries)>,
        now: TimestampMs,
    ) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                audit::note(tx, &line, now);
                for (person_id, failed) in &failed {
                    add_failed(tx, *person_id, failed, now).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Saves that the person has seen the message about `tries` failed tries, and resets them.
    pub async fn saw_failed_sign_ins(
        &self,
        person: Person,
        tries: i64,
        actor: Actor,
        now: TimestampMs,
    ) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                let seen = with_statement!(tx, SEEN, |sql, connection| {
                    sqlx::query(sql).bind(tries).bind(person.id).execute(connection).await?.rows_affected()
                });
                if seen == 1 {
                    let subject = format!("person {}", person.name);
                    let line =
                        Line::new(&actor, Action::SawRefusedSignIns, subject, format!("{tries} tries"));
                    audit::note(tx, &line, now);
                }
                Ok(())
            })
        })
        .await
    }
}

/// Adds failed tries to a person; writes an audit line when they reach [`MANY_FAILED_TRIES`].
async fn add_failed(tx: &mut Tx, person_id: i64, failed: &FailedTries, now: TimestampMs) -> Result<()> {
    let sum: Option<(String, i64)> = with_statement!(tx, FAILED, |sql, connection| {
        let add = sqlx::query_as(sql).bind(failed.tries).bind(failed.since.0).bind(failed.last_at.0);
        add.bind(&failed.last_from).bind(person_id).fetch_optional(connection).await?
    });
    let Some((name, tries)) = sum else { return Ok(()) };
    if tries >= MANY_FAILED_TRIES && tries - failed.tries < MANY_FAILED_TRIES {
        let detail = format!("{tries} tries since they last signed in, the last from {}", failed.last_from);
        let line = Line::new(&NOBODY.into(), Action::ManySignInsRefused, format!("person {name}"), detail);
        audit::note(tx, &line, now);
    }
    Ok(())
}
