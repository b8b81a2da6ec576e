//! Names of people and services. A name, or one that looks the same, is never given twice, because names identify who
//! did what.

use std::sync::LazyLock;

use domain::access::folded;

use crate::Result;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};

/// Locks one row, so that names are given one after another.
static ONE_BY_ONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO tallies (name, tally) VALUES ('names given', 1)
         ON CONFLICT (name) DO UPDATE SET tally = tallies.tally + 1",
        &[],
    )
});

static TAKEN: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT name FROM people UNION ALL SELECT name FROM tokens", &[]));

/// Whether a person or a token already has `name` or one that looks the same. The name of the person `but_of` is allowed.
pub(crate) async fn is_taken(tx: &mut Tx, name: &str, but_of: Option<&str>) -> Result<bool> {
    with_statement!(tx, ONE_BY_ONE, |sql, connection| {
        sqlx::query(sql).execute(connection).await?;
    });
    let taken: Vec<(String,)> =
        with_statement!(tx, TAKEN, |sql, connection| sqlx::query_as(sql).fetch_all(connection).await?);
    let wanted = folded(name);
    let mut others = taken.iter().filter(|(taken,)| Some(taken.as_str()) != but_of);
    Ok(others.any(|(taken,)| folded(taken) == wanted))
}
