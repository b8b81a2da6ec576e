//! One SQL text for two databases.
//!
//! A batch of rows reaches a statement as one JSON array, so a statement's text never depends on how many rows it
//! gets: it is prepared once and planned once. The text names four things that the dialects spell differently:
//!
//! | in the text | SQLite | Postgres |
//! |---|---|---|
//! | `{given}` | a subquery over `json_each($1)` | `json_to_recordset($1)` with typed columns |
//! | `{for_update}` | nothing: the transaction already owns the file | `FOR UPDATE` |
//! | `{for_update_skip_locked}` | nothing | `FOR UPDATE SKIP LOCKED` |
//! | `{by_inbox}` | `INDEXED BY postbacks_inbox`: left alone, its planner walks the whole table | nothing |

use std::fmt::Write as _;
use std::sync::LazyLock;

/// A statement in both dialects; made once, kept for the life of the process.
pub(crate) struct Statement {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// The type of one column of `{given}`.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    /// A whole number.
    Int(&'static str),
    /// A text.
    Text(&'static str),
}

impl Statement {
    /// `text` with its dialect words filled in; `columns` are those of `{given}`.
    pub(crate) fn new(text: &str, columns: &[Column]) -> Self {
        let (mut picks, mut types) = (String::new(), String::new());
        for (index, column) in columns.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let (Column::Int(name) | Column::Text(name)) = column;
            let postgres_type = if matches!(column, Column::Int(_)) { "BIGINT" } else { "TEXT" };
            let _ = write!(picks, "{comma}value ->> '{name}' AS {name}");
            let _ = write!(types, "{comma}{name} {postgres_type}");
        }
        // dialect: a JSON array of objects as a table
        let given_sqlite = format!("(SELECT {picks} FROM json_each($1)) AS given");
        let given_postgres = format!("json_to_recordset(CAST($1 AS json)) AS given ({types})");
        let fill = |given: &str, for_update: &str, skip_locked: &str, by_inbox: &str| -> &'static str {
            text.replace("{given}", given)
                .replace("{for_update}", for_update)
                .replace("{for_update_skip_locked}", skip_locked)
                .replace("{by_inbox}", by_inbox)
                .leak()
        };
        Self {
            sqlite: fill(&given_sqlite, "", "", "INDEXED BY postbacks_inbox"),
            postgres: fill(&given_postgres, "FOR UPDATE", "FOR UPDATE SKIP LOCKED", ""),
        }
    }
}

/// A statement that is made when it is first used.
pub(crate) type LazyStatement = LazyLock<Statement>;
