//! What is to be said of single lines besides what they hold: that one is no transaction, and that one was not read as it
//! stands there.

use std::sync::LazyLock;

use domain::statement::pieces::PieceLines;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::{Result, Store, read};

/// What a note says of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// It is no transaction, and counts nothing.
    Aside,
    /// It was read, and not quite as it stands there.
    Mark,
}

impl NoteKind {
    fn name(self) -> &'static str {
        match self {
            Self::Aside => "aside",
            Self::Mark => "mark",
        }
    }
}

/// The notes of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// How many there are.
    pub count: i64,
    /// The first of them: line and reason.
    pub first: Vec<(i64, String)>,
}

given_row! {
    struct NoteRow<'a> {
        statement_id: i64,
        line: i64,
        kind: &'static str,
        reason: &'a str,
    }
}

/// A file that is read anew has no notes of another reading.
static FORGET: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_notes WHERE statement_id = $1", &[]));

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<NoteRow<'_>>(
        "INSERT INTO statement_notes ({columns})
         SELECT {columns} FROM {given} WHERE true ON CONFLICT DO NOTHING",
    )
});

/// Keeps the notes of a piece; `is_first`: it is the first of its file.
pub(super) async fn keep(tx: &mut Tx, statement_id: i64, is_first: bool, read: &PieceLines) -> Result<()> {
    if is_first {
        with_statement!(tx, FORGET, |sql, connection| {
            sqlx::query(sql).bind(statement_id).execute(connection).await?;
        });
    }
    let row = |kind: NoteKind, line: i64, reason| NoteRow { statement_id, line, kind: kind.name(), reason };
    let asides = read.asides.iter().map(|(line, reason)| row(NoteKind::Aside, *line, reason.as_str()));
    let marks = read.marks.iter().map(|(line, reason)| row(NoteKind::Mark, *line, reason.as_str()));
    let rows: Vec<_> = asides.chain(marks).collect();
    if !rows.is_empty() {
        tx.execute(&INSERT, &rows).await?;
    }
    Ok(())
}

impl Store {
    /// How many notes of a kind a statement has, and the first `limit` of them.
    pub async fn statement_notes(&self, id: i64, kind: NoteKind, limit: i64) -> Result<Notes> {
        let count = read!(self, pool => sqlx::query_scalar(
            "SELECT COUNT(*) FROM statement_notes WHERE statement_id = $1 AND kind = $2"
        ).bind(id).bind(kind.name()).fetch_one(pool).await)?;
        let first = read!(self, pool => sqlx::query_as(
            "SELECT line, reason FROM statement_notes WHERE statement_id = $1 AND kind = $2 ORDER BY line, reason LIMIT $3"
        ).bind(id).bind(kind.name()).bind(limit).fetch_all(pool).await)?;
        Ok(Notes { count, first })
    }
}
