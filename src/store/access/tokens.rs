//! Bearer tokens for the API, saved as hashes. A token belongs to a person, who is then the actor of its calls, or to a
//! service.
//!
//! A token is never deleted, because its name appears in the audit.

use std::sync::LazyLock;

use domain::access::Role;
use domain::actor::Actor;
use domain::audit::Action;
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::access::names;
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::{Error, Result, Store, read};

/// Minimum time between two updates of `last_used_at`.
const NOTED_EVERY_MS: i64 = 60_000;

/// The person or service that a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOwner {
    /// The actor of its calls: the owner's name, or the service's.
    pub name: String,
    /// The token's role, which may differ from the owner's.
    pub role: Role,
    /// The token's own name.
    pub token: String,
}

/// A token to add.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Unique for ever.
    pub name: String,
    /// The person it belongs to; `None` for a service with the token's name.
    pub owner: Option<String>,
    /// What its calls may do.
    pub role: Role,
    /// `None`: never expires.
    pub expires_at: Option<TimestampMs>,
}

/// A saved token, without its hash.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of tokens, described in the migration")]
pub struct TokenRow {
    pub name: String,
    pub role: String,
    pub owner: Option<String>,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub last_used_at: Option<i64>,
}

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO tokens (name, role, owner, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
        &[],
    )
});
static REVOKE: LazyStatement = LazyLock::new(|| {
    Statement::new("UPDATE tokens SET revoked_at = $1 WHERE name = $2 AND revoked_at IS NULL", &[])
});
static USED: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE tokens SET last_used_at = $1 WHERE id = $2 AND COALESCE(last_used_at, 0) <= $3",
        &[],
    )
});
/// The names that belong to services; a name that a person also has is the person's.
static SERVICES: LazyStatement = LazyLock::new(|| {
    Statement::given::<NameRow<'_>>(
        "SELECT tokens.name FROM {given} JOIN tokens ON tokens.name = given.name
         WHERE owner IS NULL AND NOT EXISTS (SELECT 1 FROM people WHERE people.name = tokens.name)",
    )
});

impl Store {
    /// Adds a token by its hash; `false` if the name, or one that looks the same, is taken by another token (even a revoked
    /// one) or by a person who is not the owner.
    pub async fn add_token(
        &self,
        token: NewToken,
        token_hash: String,
        actor: Actor,
        now: TimestampMs,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let NewToken { name, owner, role, expires_at } = token;
                if names::is_taken(tx, &name, owner.as_deref()).await? {
                    return Ok(false);
                }
                let added = with_statement!(tx, INSERT, |sql, connection| {
                    let insert = sqlx::query(sql)
                        .bind(&name)
                        .bind(role.name())
                        .bind(&owner)
                        .bind(token_hash)
                        .bind(now.0)
                        .bind(expires_at.map(|at| at.0));
                    insert.execute(connection).await?.rows_affected()
                });
                if added == 1 {
                    let of = owner.map_or_else(|| "a service".to_owned(), |owner| format!("person {owner}"));
                    let until = expires_at.map_or_else(String::new, |at| format!(", until {}", at.rfc3339()));
                    let detail = format!("role {}, of {of}{until}", role.name());
                    let line = Line::new(&actor, Action::TokenAdded, format!("token {name}"), detail);
                    audit::note(tx, &line, now);
                }
                Ok(added == 1)
            })
        })
        .await
    }

    /// Revokes the token `name`; `false` if there is none, or it is already revoked.
    pub async fn revoke_token(&self, name: String, actor: Actor, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let revoked = with_statement!(tx, REVOKE, |sql, connection| {
                    sqlx::query(sql).bind(now.0).bind(&name).execute(connection).await?.rows_affected()
                });
                if revoked == 1 {
                    let line =
                        Line::new(&actor, Action::TokenRevoked, format!("token {name}"), String::new());
                    audit::note(tx, &line, now);
                }
                Ok(revoked == 1)
            })
        })
        .await
    }

    /// All tokens, by name.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT name, role, owner, created_at, expires_at, revoked_at, last_used_at FROM tokens ORDER BY name"
        ).fetch_all(pool).await)?)
    }

    /// The owner of the token with this hash, if it is valid at `now` and its person may still sign in. Updates
    /// `last_used_at`.
    pub async fn token_owner(&self, token_hash: &str, now: TimestampMs) -> Result<Option<TokenOwner>> {
        let row: Option<(i64, String, String, String, Option<i64>)> = read!(self, pool => sqlx::query_as(
            "SELECT tokens.id, tokens.name, COALESCE(people.name, tokens.name), tokens.role, last_used_at
             FROM tokens LEFT JOIN people ON people.name = COALESCE(owner, tokens.name)
             WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
               AND disabled_at IS NULL AND (owner IS NULL OR people.name IS NOT NULL)"
        ).bind(token_hash).bind(now.0).fetch_optional(pool).await)?;
        let Some((id, token, name, role, last_used_at)) = row else { return Ok(None) };
        let Some(role) = Role::parse(&role) else {
            return Err(Error::Corrupt { table: "tokens", column: "role", row: id, found: role });
        };
        if last_used_at.is_none_or(|at| now.0 - at >= NOTED_EVERY_MS) {
            // A failed update must not fail the call.
            drop(self.note_use(id, now).await);
        }
        Ok(Some(TokenOwner { name, role, token }))
    }

    async fn note_use(&self, id: i64, now: TimestampMs) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, USED, |sql, connection| {
                    let used = sqlx::query(sql).bind(now.0).bind(id).bind(now.0 - NOTED_EVERY_MS);
                    used.execute(connection).await?;
                });
                Ok(())
            })
        })
        .await
    }
}

given_row! {
    struct NameRow<'a> {
        name: &'a str,
    }
}

/// Those of `names` that are services, which never count as one of two people.
pub(crate) async fn services(tx: &mut Tx, names: &[&str]) -> Result<Vec<String>> {
    let given: Vec<_> = names.iter().map(|name| NameRow { name }).collect();
    let found: Vec<(String,)> = tx.fetch(&SERVICES, &given).await?;
    Ok(found.into_iter().map(|(name,)| name).collect())
}
