//! Adds lines to the audit chain, and reads it.
//!
//! The row of `audit_head` is the end of the chain. Adding a line locks it, continues from its hash, and moves it forward,
//! all in the transaction of the act. It is the last lock in the lock order (see `lib.rs`): [`crate::db::tx::Tx::end`]
//! takes it right before the commit, so that its holder waits only for the disk.

use std::sync::LazyLock;

use domain::audit::{Entry, Kept, address_digest, hash};
use domain::location::shortened;
use domain::text::hex;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, guard, with_statement};
use crate::{Result, Store, read};

/// Lines of one page of the chain.
const PAGE_ROWS: i64 = 1_000;

static LOCK_HEAD: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT number, hash FROM audit_head WHERE one = 1 {for_update}", &[]));

static MOVE_HEAD: LazyStatement = LazyLock::new(|| {
    Statement::new("UPDATE audit_head SET number = $1, hash = $2 WHERE one = 1 AND number = $3", &[])
});

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<LineRow<'_>>(
        "INSERT INTO audit ({columns})
         SELECT {columns} FROM {given} ORDER BY given.seq",
    )
});

static INSERT_ADDRESSES: LazyStatement = LazyLock::new(|| {
    Statement::given::<AddressRow>("INSERT INTO audit_addresses ({columns}) SELECT {columns} FROM {given}")
});

given_row! {
    struct LineRow<'a> {
        seq: i64,
        happened_at: i64,
        actor: &'a str,
        via: &'static str,
        via_name: Option<&'a str>,
        from_network: Option<String>,
        address_digest: Option<String>,
        action: &'static str,
        subject: &'a str,
        detail: &'a str,
        hash: String,
    }
}

given_row! {
    struct AddressRow {
        seq: i64,
        address: String,
        salt: String,
        noted_at: i64,
    }
}

/// Adds the lines of `tx` to the chain.
pub(crate) async fn add(tx: &mut Tx) -> Result<()> {
    let noted = std::mem::take(tx.noted());
    if noted.is_empty() {
        return Ok(());
    }
    let (number, head): (i64, String) = with_statement!(tx, LOCK_HEAD, |sql, connection| {
        sqlx::query_as(sql).fetch_one(connection).await?
    });
    let (mut seq, mut previous) = (number, head);
    let (mut lines, mut addresses) = (Vec::with_capacity(noted.len()), Vec::new());
    for one in &noted {
        seq = seq.saturating_add(1);
        let (line, actor) = (&one.line, &one.line.actor);
        let from_network = actor.address().map(|from| shortened(from).to_string());
        let address = actor.address().map(|from| (from.to_string(), hex(&rand::random::<[u8; 16]>())));
        let digest = address.as_ref().map(|(address, salt)| address_digest(salt, address));
        let entry = Entry {
            seq,
            happened_at: one.now.0,
            actor,
            via: Some(actor.via().name()),
            via_name: actor.via().detail(),
            from_network: from_network.as_deref(),
            address_digest: digest.as_deref(),
            action: line.action.name(),
            subject: &line.subject,
            detail: &line.detail,
        };
        previous = hash(&previous, &entry);
        lines.push(LineRow {
            seq,
            happened_at: one.now.0,
            actor: actor.name(),
            via: actor.via().name(),
            via_name: actor.via().detail(),
            from_network,
            address_digest: digest,
            action: line.action.name(),
            subject: &line.subject,
            detail: &line.detail,
            hash: previous.clone(),
        });
        if let Some((address, salt)) = address {
            addresses.push(AddressRow { seq, address, salt, noted_at: one.now.0 });
        }
    }
    tx.execute(&INSERT, &lines).await?;
    if !addresses.is_empty() {
        tx.execute(&INSERT_ADDRESSES, &addresses).await?;
    }
    let moved = with_statement!(tx, MOVE_HEAD, |sql, connection| {
        sqlx::query(sql).bind(seq).bind(previous).bind(number).execute(connection).await?.rows_affected()
    });
    guard("audit_head", moved, 1)
}

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// Number of the last line; 0 if there is none.
    pub number: i64,
    /// Hash of the last line.
    pub hash: String,
    /// Older lines outside the chain, as counted when it was introduced.
    pub lines_before: i64,
    /// Lines outside the chain now; another number means that somebody added or deleted some.
    pub lines_outside: i64,
}

/// A saved line of the chain.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ChainRow {
    seq: i64,
    happened_at: i64,
    actor: String,
    via: Option<String>,
    via_name: Option<String>,
    from_network: Option<String>,
    address_digest: Option<String>,
    action: String,
    subject: String,
    detail: String,
    hash: Option<String>,
    address: Option<String>,
    salt: Option<String>,
}

impl ChainRow {
    /// The line in the domain's form.
    pub fn kept(&self) -> Kept<'_> {
        let entry = Entry {
            seq: self.seq,
            happened_at: self.happened_at,
            actor: &self.actor,
            via: self.via.as_deref(),
            via_name: self.via_name.as_deref(),
            from_network: self.from_network.as_deref(),
            address_digest: self.address_digest.as_deref(),
            action: &self.action,
            subject: &self.subject,
            detail: &self.detail,
        };
        Kept {
            entry,
            hash: self.hash.as_deref().unwrap_or_default(),
            address: self.address.as_deref().zip(self.salt.as_deref()),
        }
    }
}

impl Store {
    /// The end of the chain.
    pub async fn audit_head(&self) -> Result<Head> {
        let head: Option<Head> = read!(self, pool => sqlx::query_as(
            "SELECT number, hash, lines_before, (SELECT COUNT(*) FROM audit WHERE seq IS NULL) AS lines_outside
             FROM audit_head WHERE one = 1"
        ).fetch_optional(pool).await)?;
        head.ok_or_else(|| {
            crate::Error::Unfit(
                "the table audit_head has no row, so the audit chain has no end: restore the database from a backup"
                    .into(),
            )
        })
    }

    /// The next lines of the chain after the line `after`, in order; empty at its end.
    pub async fn audit_chain(&self, after: i64) -> Result<Vec<ChainRow>> {
        // The condition on addresses keeps Postgres from scanning all addresses before the page.
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT audit.seq, happened_at, actor, via, via_name, from_network, address_digest, action, subject, detail,
                    hash, address, salt
             FROM audit LEFT JOIN audit_addresses
                  ON audit_addresses.seq = audit.seq AND audit_addresses.seq > $1
             WHERE audit.seq > $1 ORDER BY audit.seq LIMIT $2"
        ).bind(after).bind(PAGE_ROWS).fetch_all(pool).await)?)
    }
}
