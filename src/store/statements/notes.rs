//! Notes on single lines: those that are not transactions, and those whose values were changed while reading.

use std::sync::LazyLock;

use domain::statement::pieces::PieceLines;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::{Result, Store, read};

/// The kind of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// The line is not a transaction and counts nothing.
    Aside,
    /// The line was read with a change, e.g. a rounded amount.
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
    /// The number of all notes.
    pub count: i64,
    /// The first ones: line and reason.
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

/// Reading a file again replaces its notes.
static FORGET: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_notes WHERE statement_id = $1", &[]));

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<NoteRow<'_>>(
        "INSERT INTO statement_notes ({columns})
         SELECT {columns} FROM {given} WHERE true ON CONFLICT DO NOTHING",
    )
});

/// Saves the notes of a piece; `is_first`: it is the first piece of its file.
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
    /// The number of a statement's notes of one kind, and the first `limit` of them.
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
