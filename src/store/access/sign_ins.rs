//! Signing in: a session begins only with the password of this moment; from where people are known; and what was tried
//! in vain, so that its person is told.

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

/// From how many places a person is known at most: home, work, a telephone, and a few more.
const MAX_PLACES: i64 = 10;
/// How long a place is known after the last sign-in from there.
const PLACE_MS: i64 = 90 * DAY_MS;

/// Takes the row of the person, so that a change of password or role is either seen here or waits for this. What was
/// tried in vain a few times is forgotten: it was their own typing.
static TAKE: LazyStatement = LazyLock::new(|| {
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

/// A session that is to begin.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Of its token.
    pub token_hash: String,
    /// Whose, as they were when their password was checked.
    pub person: Person,
    /// The address it is begun from.
    pub from: Option<IpAddr>,
    /// The place it is begun from, as a hash; they are known there from now on.
    pub place: String,
    /// Tries that failed and are not yet kept.
    pub failed: Option<FailedTries>,
}

impl Store {
    /// Begins a session; `false` if the person may no longer sign in, or has another password or role by now.
    pub async fn begin_session(&self, new: NewSession, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let NewSession { token_hash, person, from, place, failed } = new;
                if let Some(failed) = failed {
                    add_failed(tx, person.id, &failed, now).await?;
                }
                let taken = with_statement!(tx, TAKE, |sql, connection| {
                    let take = sqlx::query(sql).bind(MANY_FAILED_TRIES).bind(person.id);
                    take.bind(person.sign_in_version).execute(connection).await?.rows_affected()
                });
                if taken == 0 {
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

    /// Whether the person has signed in from `place` lately.
    pub async fn knows_place(&self, person_id: i64, place: &str, now: TimestampMs) -> Result<bool> {
        let found: Option<(i64,)> = read!(self, pool => sqlx::query_as(
            "SELECT seen_at FROM known_places WHERE person_id = $1 AND place = $2 AND seen_at >= $3"
        ).bind(person_id).bind(place).bind(now.0 - PLACE_MS).fetch_optional(pool).await)?;
        Ok(found.is_some())
    }

    /// Keeps what was tried in vain: a line of the audit for the last of it, and how much it was for each person (by
    /// their row) it was tried with.
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

    /// The person has seen that so many tries failed.
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

/// Adds to what was tried in vain with a person; notes in the audit when it becomes much.
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
