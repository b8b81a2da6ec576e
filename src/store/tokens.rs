//! Who may call the API: bearer tokens, of which only the hash is kept.

use std::sync::LazyLock;

use domain::access::Role;
use domain::time::TimestampMs;

use crate::statement::{LazyStatement, Statement};
use crate::unit::with_statement;
use crate::{Error, Result, Store, read};

/// Who a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOwner {
    /// Its name, which steps are signed with.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO tokens (name, role, token_hash, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        &[],
    )
});

impl Store {
    /// Adds a token by its hash; `false` if the name is taken.
    pub async fn add_token(&self, owner: TokenOwner, token_hash: String, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let added = with_statement!(tx, INSERT, |sql, connection| {
                    let insert = sqlx::query(sql)
                        .bind(owner.name)
                        .bind(owner.role.name())
                        .bind(token_hash)
                        .bind(now.0);
                    insert.execute(connection).await?.rows_affected()
                });
                Ok(added == 1)
            })
        })
        .await
    }

    /// The owner of the token with this hash.
    pub async fn token_owner(&self, token_hash: &str) -> Result<Option<TokenOwner>> {
        let row: Option<(i64, String, String)> = read!(self, pool => sqlx::query_as(
            "SELECT id, name, role FROM tokens WHERE token_hash = $1"
        ).bind(token_hash).fetch_optional(pool).await)?;
        row.map(|(id, name, role)| match Role::parse(&role) {
            Some(role) => Ok(TokenOwner { name, role }),
            None => Err(Error::Corrupt { table: "tokens", column: "role", row: id, found: role }),
        })
        .transpose()
    }
}
