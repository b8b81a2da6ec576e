//! Who may sign in to the pages. A person is never deleted, because their name stands in the evidence.

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
    /// What their sessions rest on; another one ends them.
    pub sign_in_version: i64,
    /// Wrong passwords since they last saw them.
    pub failed: Option<FailedTries>,
}

/// Tries to sign in with a wrong password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTries {
    /// How many.
    pub tries: i64,
    /// When the first was.
    pub since: TimestampMs,
    /// When the last was.
    pub last_at: TimestampMs,
    /// The network that the last came from, e.g. `203.0.113.0/24`.
    pub last_from: String,
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

/// A row of `people`, by the columns of `person_columns`.
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

/// Which of these people were added, enabled again, or given another role, too lately to be one of two. (A process of an older version keeps only
/// when they were added.)
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

/// Who of those who acted, and when, was too new then to be one of two.
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

/// What is changed about a person.
#[derive(Clone, Debug)]
pub enum PersonChange {
    /// They may no longer sign in; their sessions end.
    Disable,
    /// They may sign in again.
    Enable,
    /// A new password, as its hash; their sessions end.
    Password(String),
    /// Another role; their sessions end.
    Role(Role),
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
                        &Line::new(&actor, Action::PersonAdded, format!("person {name}"), detail),
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

    /// Gives `person` a new password, by its hash, if the one that they have proven is still theirs; their sessions end.
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

    /// Everybody, by name.
    pub async fn people(&self) -> Result<Vec<Person>> {
        let rows: Vec<PersonRow> = read!(self, pool => sqlx::query_as(
            concat!("SELECT ", person_columns!(), " FROM people ORDER BY name")
        ).fetch_all(pool).await)?;
        rows.into_iter().map(PersonRow::person).collect()
    }

    /// The person called `name` who may sign in, with the hash of their password.
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
