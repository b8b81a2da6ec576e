//! One SQL text for two databases.
//!
//! A statement's text never depends on how many rows it gets, so it is prepared once: a batch reaches SQLite as one
//! JSON array, and Postgres as one array for each column. The text names five things that the dialects spell
//! differently:
//!
//! | in the text | SQLite | Postgres |
//! |---|---|---|
//! | `{given}` | a subquery over `json_each($1)` | `unnest($1, $2, …)` with typed columns |
//! | `{for_update}` | nothing: the transaction already owns the file | `FOR UPDATE` |
//! | `{for_update_skip_locked}` | nothing | `FOR UPDATE SKIP LOCKED` |
//! | `{by_id}` | `NOT INDEXED`, which leaves only the primary key: its planner prefers a partial index, however many rows that holds | nothing |
//! | `{by_inbox}` | `INDEXED BY postbacks_inbox`: left alone, its planner walks the whole table | nothing |

use std::fmt::Write as _;
use std::sync::LazyLock;

/// A statement in both dialects; made once, kept for the life of the process.
pub(crate) struct Statement {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
    /// Those of `{given}`, in order.
    pub(crate) columns: Vec<Column>,
}

/// The type of one column of `{given}`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    /// A whole number.
    Int(&'static str),
    /// A text.
    Text(&'static str),
}

impl Statement {
    /// A statement that is another one in each dialect, and is given no rows.
    pub(crate) fn of_dialects(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres, columns: Vec::new() }
    }

    /// `text` with its dialect words filled in; `columns` are those of `{given}`.
    pub(crate) fn new(text: &str, columns: &[Column]) -> Self {
        let (mut picks, mut names, mut arrays) = (String::new(), String::new(), String::new());
        for (index, column) in columns.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let (Column::Int(name) | Column::Text(name)) = column;
            let postgres_type = if matches!(column, Column::Int(_)) { "BIGINT" } else { "TEXT" };
            let _ = write!(picks, "{comma}value ->> '{name}' AS {name}");
            let _ = write!(names, "{comma}{name}");
            let _ = write!(arrays, "{comma}CAST(${} AS {postgres_type}[])", index + 1);
        }
        // dialect: rows as a table
        let given_sqlite = format!("(SELECT {picks} FROM json_each($1)) AS given");
        let given_postgres = format!("unnest({arrays}) AS given ({names})");
        let fill =
            |given: &str, for_update: &str, skip_locked: &str, by_id: &str, by_inbox: &str| -> &'static str {
                text.replace("{given}", given)
                    .replace("{for_update}", for_update)
                    .replace("{for_update_skip_locked}", skip_locked)
                    .replace("{by_id}", by_id)
                    .replace("{by_inbox}", by_inbox)
                    .leak()
            };
        Self {
            sqlite: fill(&given_sqlite, "", "", "NOT INDEXED", "INDEXED BY postbacks_inbox"),
            postgres: fill(&given_postgres, "FOR UPDATE", "FOR UPDATE SKIP LOCKED", "", ""),
            columns: columns.to_vec(),
        }
    }
}

/// A statement that is made when it is first used.
pub(crate) type LazyStatement = LazyLock<Statement>;
