//! Who may sign in to the pages. A person is never deleted, because their name stands in the evidence.

use std::sync::LazyLock;

use domain::access::Role;
use domain::actor::Actor;
use domain::queue::NEW_MS;
use domain::time::TimestampMs;

use crate::audit::{self, Line};
use crate::names;
use crate::statement::{Column, LazyStatement, Statement};
use crate::unit::{Tx, with_statement};
use crate::{Error, Result, Store, read};

/// A person, without the hash of the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The row.
    pub id: i64,
    /// What their decisions are signed with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub created_at: TimestampMs,
    /// Since when they may no longer sign in.
    pub disabled_at: Option<TimestampMs>,
}

/// A person who is to be added.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// What their decisions will be signed with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Argon2id, in the PHC form.
    pub password_hash: String,
}

/// Which of these people were added, or enabled again, too lately to be one of two. (A process of an older version keeps only
/// when they were added.)
static NEW: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT given.name, given.acted_at FROM {given} JOIN people ON people.name = given.name
         WHERE since > given.acted_at - given.new_ms OR created_at > given.acted_at - given.new_ms",
        &[Column::Text("name"), Column::Int("acted_at"), Column::Int("new_ms")],
    )
});

#[derive(serde::Serialize)]
struct ActedRow<'a> {
    name: &'a str,
    acted_at: i64,
    new_ms: i64,
}

/// Who of those who acted, and when, was too new then to be one of two.
pub(crate) async fn new_ones(tx: &mut Tx, acted: &[(&str, i64)]) -> Result<Vec<(String, i64)>> {
    let rows = acted.iter().map(|(name, acted_at)| ActedRow { name, acted_at: *acted_at, new_ms: NEW_MS });
    let given: Vec<ActedRow<'_>> = rows.collect();
    tx.fetch(&NEW, &given).await
}

pub(crate) type PersonRow = (i64, String, String, i64, Option<i64>);

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO people (name, role, password_hash, created_at, since) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT DO NOTHING",
        &[],
    )
});
static DISABLE: LazyStatement = LazyLock::new(|| {
    Statement::new("UPDATE people SET disabled_at = $1 WHERE name = $2 AND disabled_at IS NULL", &[])
});
static ENABLE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE people SET disabled_at = NULL, since = $2 WHERE name = $1 AND disabled_at IS NOT NULL",
        &[],
    )
});
static PASSWORD: LazyStatement =
    LazyLock::new(|| Statement::new("UPDATE people SET password_hash = $1 WHERE name = $2", &[]));
static END_SESSIONS: LazyStatement = LazyLock::new(|| {
    Statement::new("DELETE FROM sessions WHERE person_id = (SELECT id FROM people WHERE name = $1)", &[])
});

/// What is changed about a person.
#[derive(Clone, Debug)]
pub enum PersonChange {
    /// They may no longer sign in; their sessions end.
    Disable,
    /// They may sign in again.
    Enable,
    /// A new password, as its hash; their sessions end.
    Password(String),
}

impl Store {
    /// Adds a person; `false` if the name, or one that looks the same, is taken: by a person or a service, also by one who is
    /// disabled or revoked.
    pub async fn add_person(&self, person: NewPerson, actor: Actor, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let NewPerson { name, role, password_hash } = person;
                if names::is_taken(tx, &name, None).await? {
                    return Ok(false);
                }
                let added = with_statement!(tx, INSERT, |sql, connection| {
                    let insert =
                        sqlx::query(sql).bind(&name).bind(role.name()).bind(password_hash).bind(now.0);
                    insert.execute(connection).await?.rows_affected()
                });
                if added == 1 {
                    let detail = format!("role {}", role.name());
                    audit::note(
                        tx,
                        &Line::new(&actor, "person_added", format!("person {name}"), detail),
                        now,
                    );
                }
                Ok(added == 1)
            })
        })
        .await
    }

    /// Changes something about the person called `name`; `false` if there is none, or nothing to change.
    pub async fn change_person(
        &self,
        name: String,
        change: PersonChange,
        actor: Actor,
        now: TimestampMs,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let (action, changed) = match &change {
                    PersonChange::Disable => ("person_disabled", {
                        with_statement!(tx, DISABLE, |sql, connection| {
                            let update = sqlx::query(sql).bind(now.0).bind(&name);
                            update.execute(connection).await?.rows_affected()
                        })
                    }),
                    PersonChange::Enable => ("person_enabled", {
                        with_statement!(tx, ENABLE, |sql, connection| {
                            sqlx::query(sql)
                                .bind(&name)
                                .bind(now.0)
                                .execute(connection)
                                .await?
                                .rows_affected()
                        })
                    }),
                    PersonChange::Password(hash) => ("password_changed", {
                        with_statement!(tx, PASSWORD, |sql, connection| {
                            let update = sqlx::query(sql).bind(hash).bind(&name);
                            update.execute(connection).await?.rows_affected()
                        })
                    }),
                };
                if changed == 0 {
                    return Ok(false);
                }
                with_statement!(tx, END_SESSIONS, |sql, connection| {
                    sqlx::query(sql).bind(&name).execute(connection).await?;
                });
                let line = Line::new(&actor, action, format!("person {name}"), String::new());
                audit::note(tx, &line, now);
                Ok(true)
            })
        })
        .await
    }

    /// Everybody, by name.
    pub async fn people(&self) -> Result<Vec<Person>> {
        let rows: Vec<PersonRow> = read!(self, pool => sqlx::query_as(
            "SELECT id, name, role, created_at, disabled_at FROM people ORDER BY name"
        ).fetch_all(pool).await)?;
        rows.into_iter().map(person).collect()
    }

    /// The person called `name` who may sign in, with the hash of their password.
    pub async fn person_to_sign_in(&self, name: &str) -> Result<Option<(Person, String)>> {
        let row: Option<(i64, String, String, i64, Option<i64>, String)> = read!(self, pool => sqlx::query_as(
            "SELECT id, name, role, created_at, disabled_at, password_hash FROM people
             WHERE name = $1 AND disabled_at IS NULL"
        ).bind(name).fetch_optional(pool).await)?;
        row.map(|(id, name, role, created_at, disabled_at, hash)| {
            Ok((person((id, name, role, created_at, disabled_at))?, hash))
        })
        .transpose()
    }
}

pub(crate) fn person((id, name, role, created_at, disabled_at): PersonRow) -> Result<Person> {
    let role =
        Role::parse(&role).ok_or(Error::Corrupt { table: "people", column: "role", row: id, found: role })?;
    let disabled_at = disabled_at.map(TimestampMs);
    Ok(Person { id, name, role, created_at: TimestampMs(created_at), disabled_at })
}
