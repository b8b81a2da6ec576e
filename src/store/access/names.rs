//! Names of people and services: one name is one of them for ever, and so is what looks like it, because their acts are told
//! apart by it.

use std::sync::LazyLock;

use domain::access::folded;

use crate::Result;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};

/// Locked while a name is given, so that of two that look the same one comes second.
static ONE_BY_ONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO tallies (name, tally) VALUES ('names given', 1)
         ON CONFLICT (name) DO UPDATE SET tally = tallies.tally + 1",
        &[],
    )
});

static TAKEN: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT name FROM people UNION ALL SELECT name FROM tokens", &[]));

/// Whether `name`, or one that looks the same, is that of a person or of a token; `but_of` is the person whose own name it may
/// be.
pub(crate) async fn is_taken(tx: &mut Tx, name: &str, but_of: Option<&str>) -> Result<bool> {
    with_statement!(tx, ONE_BY_ONE, |sql, connection| {
        sqlx::query(sql).execute(connection).await?;
    });
    let taken: Vec<(String,)> =
        with_statement!(tx, TAKEN, |sql, connection| sqlx::query_as(sql).fetch_all(connection).await?);
    let looks = folded(name);
    let mut others = taken.iter().filter(|(taken,)| Some(taken.as_str()) != but_of);
    Ok(others.any(|(taken,)| folded(taken) == looks))
}
