//! People who may sign in to the pages. A person is never deleted, because the name appears in the audit.

use std::sync::LazyLock;

use domain::access::Role;
use domain::actor::Actor;
use domain::audit::Action;
use domain::review::queue::NEW_MS;
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::access::names;
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::{Error, Result, Store, read};

/// A person, without the hash of the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Key of their sessions and known places.
    pub id: i64,
    /// The actor of their acts; unique for ever.
    pub name: String,
    /// What they may see and do.
    pub role: Role,
    /// When the person was added.
    pub created_at: TimestampMs,
    /// `None` while they may sign in.
    pub disabled_at: Option<TimestampMs>,
    /// Incremented by every change of password, role or status, which ends all sessions.
    pub sign_in_version: i64,
    /// Failed tries that the person has not seen yet.
    pub failed: Option<FailedTries>,
}

/// Tries to sign in with a wrong password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTries {
    /// Their number.
    pub tries: i64,
    /// Time of the first.
    pub since: TimestampMs,
    /// Time of the last.
    pub last_at: TimestampMs,
    /// Network of the last, e.g. `203.0.113.0/24`.
    pub last_from: String,
}

/// A person to add.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// Unique for ever.
    pub name: String,
    /// What they may see and do.
    pub role: Role,
    /// Argon2id, in PHC format.
    pub password_hash: String,
}

/// A row of `people`, as selected by `person_columns`.
#[derive(sqlx::FromRow)]
pub(crate) struct PersonRow {
    id: i64,
    name: String,
    role: String,
    created_at: i64,
    disabled_at: Option<i64>,
    sign_in_version: i64,
    failed_tries: i64,
    failed_since: Option<i64>,
    failed_at: Option<i64>,
    failed_from: Option<String>,
}

/// The columns of [`PersonRow`].
macro_rules! person_columns {
    () => {
        "people.id, name, role, created_at, disabled_at, people.sign_in_version, failed_tries, failed_since, \
         failed_at, failed_from"
    };
}
pub(crate) use person_columns;

/// People who were added, enabled again, or given another role too recently before their act to count as one of two.
/// (`created_at` is checked too, because processes of an older version do not set `since`.)
static NEW: LazyStatement = LazyLock::new(|| {
    Statement::given::<ActedRow<'_>>(
        "SELECT given.name, given.acted_at FROM {given} JOIN people ON people.name = given.name
         WHERE since > given.acted_at - given.new_ms OR created_at > given.acted_at - given.new_ms",
    )
});

given_row! {
    struct ActedRow<'a> {
        name: &'a str,
        acted_at: i64,
        new_ms: i64,
    }
}

/// Those of `acted` (name and time of the act) who were too new at that time to count as one of two people.
pub(crate) async fn new_ones(tx: &mut Tx, acted: &[(&str, i64)]) -> Result<Vec<(String, i64)>> {
    let rows = acted.iter().map(|(name, acted_at)| ActedRow { name, acted_at: *acted_at, new_ms: NEW_MS });
    let given: Vec<ActedRow<'_>> = rows.collect();
    tx.fetch(&NEW, &given).await
}

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO people (name, role, password_hash, created_at, since) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT DO NOTHING",
        &[],
    )
});
static DISABLE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE people SET disabled_at = $1, sign_in_version = sign_in_version + 1
         WHERE name = $2 AND disabled_at IS NULL",
        &[],
    )
});
static ENABLE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE people SET disabled_at = NULL, since = $2, sign_in_version = sign_in_version + 1
         WHERE name = $1 AND disabled_at IS NOT NULL",
        &[],
    )
});
static PASSWORD: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE people SET password_hash = $1, sign_in_version = sign_in_version + 1 WHERE name = $2",
        &[],
    )
});
static OWN_PASSWORD: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE people SET password_hash = $1, sign_in_version = sign_in_version + 1
         WHERE id = $2 AND sign_in_version = $3 AND disabled_at IS NULL",
        &[],
    )
});
static ROLE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE people SET role = $1, since = $3, sign_in_version = sign_in_version + 1
         WHERE name = $2 AND role <> $1",
        &[],
    )
});
static FORGET_PLACES: LazyStatement = LazyLock::new(|| {
    Statement::new("DELETE FROM known_places WHERE person_id = (SELECT id FROM people WHERE name = $1)", &[])
});
static END_SESSIONS: LazyStatement = LazyLock::new(|| {
    Statement::new("DELETE FROM sessions WHERE person_id = (SELECT id FROM people WHERE name = $1)", &[])
});

/// A change to a person. Every change ends the person's sessions.
#[derive(Clone, Debug)]
pub enum PersonChange {
    /// No more signing in.
    Disable,
    /// Signing in is possible again.
    Enable,
    /// A new password: Argon2id, in PHC format.
    Password(String),
    /// Another role.
    Role(Role),
}

impl Store {
    /// Adds a person; `false` if the name, or one that looks the same, is taken by a person or a token, even a disabled or
    /// revoked one.
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
                        &Line::new(&actor, Action::PersonAdded, format!("person {name}"), detail),
                        now,
                    );
                }
                Ok(added == 1)
            })
        })
        .await
    }

    /// Changes the person `name`; `false` if there is none, or nothing to change.
    pub async fn change_person(
        &self,
        name: String,
        change: PersonChange,
        actor: Actor,
        now: TimestampMs,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let mut detail = String::new();
                let (action, changed) = match &change {
                    PersonChange::Disable => (Action::PersonDisabled, {
                        with_statement!(tx, DISABLE, |sql, connection| {
                            let update = sqlx::query(sql).bind(now.0).bind(&name);
                            update.execute(connection).await?.rows_affected()
                        })
                    }),
                    PersonChange::Enable => (Action::PersonEnabled, {
                        with_statement!(tx, ENABLE, |sql, connection| {
                            sqlx::query(sql)
                                .bind(&name)
                                .bind(now.0)
                                .execute(connection)
                                .await?
                                .rows_affected()
                        })
                    }),
                    PersonChange::Password(hash) => (Action::PasswordChanged, {
                        with_statement!(tx, PASSWORD, |sql, connection| {
                            let update = sqlx::query(sql).bind(hash).bind(&name);
                            update.execute(connection).await?.rows_affected()
                        })
                    }),
                    PersonChange::Role(role) => (Action::RoleChanged, {
                        detail = format!("role {}", role.name());
                        with_statement!(tx, ROLE, |sql, connection| {
                            let update = sqlx::query(sql).bind(role.name()).bind(&name).bind(now.0);
                            update.execute(connection).await?.rows_affected()
                        })
                    }),
                };
                if changed == 0 {
                    return Ok(false);
                }
                if matches!(change, PersonChange::Disable) {
                    with_statement!(tx, FORGET_PLACES, |sql, connection| {
                        sqlx::query(sql).bind(&name).execute(connection).await?;
                    });
                }
                with_statement!(tx, END_SESSIONS, |sql, connection| {
                    sqlx::query(sql).bind(&name).execute(connection).await?;
                });
                let line = Line::new(&actor, action, format!("person {name}"), detail);
                audit::note(tx, &line, now);
                Ok(true)
            })
        })
        .await
    }

    /// Sets a new password (by its hash) and ends the person's sessions; `false` if the password that was checked has
    /// changed since.
    pub async fn change_own_password(
        &self,
        person: Person,
        hash: String,
        actor: Actor,
        now: TimestampMs,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let changed = with_statement!(tx, OWN_PASSWORD, |sql, connection| {
                    let update = sqlx::query(sql).bind(hash).bind(person.id).bind(person.sign_in_version);
                    update.execute(connection).await?.rows_affected()
                });
                if changed == 1 {
                    with_statement!(tx, END_SESSIONS, |sql, connection| {
                        sqlx::query(sql).bind(&person.name).execute(connection).await?;
                    });
                    let subject = format!("person {}", person.name);
                    let line = Line::new(&actor, Action::PasswordChanged, subject, String::new());
                    audit::note(tx, &line, now);
                }
                Ok(changed == 1)
            })
        })
        .await
    }

    /// All people, by name.
    pub async fn people(&self) -> Result<Vec<Person>> {
        let rows: Vec<PersonRow> = read!(self, pool => sqlx::query_as(
            concat!("SELECT ", person_columns!(), " FROM people ORDER BY name")
        ).fetch_all(pool).await)?;
        rows.into_iter().map(PersonRow::person).collect()
    }

    /// The person `name` with the password's hash, if they may sign in.
    pub async fn person_to_sign_in(&self, name: &str) -> Result<Option<(Person, String)>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(flatten)]
            person: PersonRow,
            password_hash: String,
        }
        let row: Option<Row> = read!(self, pool => sqlx::query_as(
            concat!("SELECT ", person_columns!(), ", password_hash FROM people WHERE name = $1 AND disabled_at IS NULL")
        ).bind(name).fetch_optional(pool).await)?;
        row.map(|Row { person, password_hash }| Ok((person.person()?, password_hash))).transpose()
    }
}

impl PersonRow {
    pub(crate) fn person(self) -> Result<Person> {
        let Self { id, name, role, .. } = self;
        let role = Role::parse(&role).ok_or(Error::Corrupt {
            table: "people",
            column: "role",
            row: id,
            found: role,
        })?;
        let failed = self.failed_at.filter(|_| self.failed_tries > 0).map(|last_at| FailedTries {
            tries: self.failed_tries,
            since: TimestampMs(self.failed_since.unwrap_or(last_at)),
            last_at: TimestampMs(last_at),
            last_from: self.failed_from.unwrap_or_default(),
        });
        Ok(Person {
            id,
            name,
            role,
            created_at: TimestampMs(self.created_at),
            disabled_at: self.disabled_at.map(TimestampMs),
            sign_in_version: self.sign_in_version,
            failed,
        })
    }
}
