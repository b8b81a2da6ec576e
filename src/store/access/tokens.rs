//! Who may call the API: bearer tokens, of which only the hash is kept. A token belongs to a person, and then what it
//! does that person does; or to a service, which is nobody.
//!
//! A token is never deleted, because its name stands in the evidence.

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

/// The use of a token is noted at most this often.
const NOTED_EVERY_MS: i64 = 60_000;

/// Who a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOwner {
    /// What steps are signed with: the name of the person it belongs to, else that of the service.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The token's own name.
    pub token: String,
}

/// A token that is to be added.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name; given only once.
    pub name: String,
    /// The person it belongs to; `None`: a service of the token's name.
    pub owner: Option<String>,
    /// What it may do.
    pub role: Role,
    /// From when on it is refused.
    pub expires_at: Option<TimestampMs>,
}

/// A token as it is kept, without its hash.
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
/// Which of these names are those of services. One that a person has, too, is the person's.
static SERVICES: LazyStatement = LazyLock::new(|| {
    Statement::given::<NameRow<'_>>(
        "SELECT tokens.name FROM {given} JOIN tokens ON tokens.name = given.name
         WHERE owner IS NULL AND NOT EXISTS (SELECT 1 FROM people WHERE people.name = tokens.name)",
    )
});

impl Store {
    /// Adds a token by its hash; `false` if the name, or one that looks the same, is taken: by another token, also one that was
    /// revoked, or by a person who is not its owner.
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

    /// Refuses the token called `name` from now on; `false` if there is none that is not refused already.
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

    /// Every token, by name.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT name, role, owner, created_at, expires_at, revoked_at, last_used_at FROM tokens ORDER BY name"
        ).fetch_all(pool).await)?)
    }

    /// Who the token with this hash speaks for, if it is in force at `now` and its person may still sign in. Notes that
    /// it is used.
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
            // A call is worth more than the note of it.
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

/// Which of `names` are services: with nobody behind them who could be one of two people.
pub(crate) async fn services(tx: &mut Tx, names: &[&str]) -> Result<Vec<String>> {
    let given: Vec<_> = names.iter().map(|name| NameRow { name }).collect();
    let found: Vec<(String,)> = tx.fetch(&SERVICES, &given).await?;
    Ok(found.into_iter().map(|(name,)| name).collect())
}
