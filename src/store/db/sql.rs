//! One SQL text for two databases.
//!
//! The text of a statement may contain these placeholders:
//!
//! | placeholder | SQLite | Postgres |
//! |---|---|---|
//! | `{given}` | a subquery over `VALUES` with a parameter for each cell | `unnest($1, $2, …)` with typed columns |
//! | `{columns}` | the names of the columns of `{given}` | the same |
//! | `{for_update}` | nothing: the transaction already owns the file | `FOR UPDATE` |
//! | `{for_update_skip_locked}` | nothing | `FOR UPDATE SKIP LOCKED` |
//! | `{by_id}` | `NOT INDEXED`, so that only the primary key is used: the planner prefers a partial index, even a huge one | nothing |
//! | `{then_sorts}` | nothing | a condition that is always true, and allows sorting to the statements that follow |
//! | `{by_inbox}` | `INDEXED BY postbacks_inbox`: without it the planner scans the whole table | nothing |
//!
//! Statements are prepared once and kept. On Postgres the text does not depend on the number of rows. On SQLite there is
//! one text for each of a few [`SIZES`]; the smallest that fits is used, and unused places are filtered out. Bound cells
//! cost an eighth of the same rows as JSON (5 µs a row of 25 columns against 33 to 46).

use std::sync::{LazyLock, OnceLock};

use crate::db::rows::GivenRow;

/// Row counts for which SQLite texts are made.
const SIZES: [usize; 8] = [1, 4, 16, 64, 256, 512, 1_024, 2_048];

/// The most parameters of one statement on SQLite; more rows than that reach it as JSON.
const MAX_PARAMETERS: usize = 32_766;

/// A statement in both dialects; made once and kept for the life of the process.
pub(crate) struct Statement {
    /// The text for SQLite; complete only without `{given}`.
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
    pub(crate) given: Given,
}

/// The `{given}` rows of a statement.
pub(crate) struct Given {
    /// In the order of the cells.
    pub(crate) columns: Vec<Column>,
    /// How often the text contains `{given}`.
    pub(crate) occurrences: usize,
    /// The text for SQLite, with `{given}` not yet replaced.
    text: &'static str,
    by_size: [OnceLock<&'static str>; SIZES.len()],
    as_json: OnceLock<&'static str>,
}

/// A column of `{given}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// BIGINT.
    Int(&'static str),
    /// TEXT.
    Text(&'static str),
}

impl Column {
    pub(crate) fn name(self) -> &'static str {
        let (Self::Int(name) | Self::Text(name)) = self;
        name
    }
}

impl Statement {
    /// A statement with its own text for each dialect, without `{given}`.
    pub(crate) fn of_dialects(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres, given: Given::of(sqlite, Vec::new()) }
    }

    /// `text` with its placeholders replaced; its rows are of the type `R`.
    pub(crate) fn given<R: GivenRow>(text: &str) -> Self {
        Self::new(text, &R::columns())
    }

    /// `text` with its placeholders replaced; `columns` are those of `{given}`, in any order.
    pub(crate) fn new(text: &str, columns: &[Column]) -> Self {
        let names = names(columns);
        let text = text.replace("{columns}", &names);
        let fill =
            |for_update: &str, skip_locked: &str, by_id: &str, by_inbox: &str, then_sorts: &str| -> String {
                text.replace("{for_update}", for_update)
                    .replace("{for_update_skip_locked}", skip_locked)
                    .replace("{by_id}", by_id)
                    .replace("{by_inbox}", by_inbox)
                    .replace("{then_sorts}", then_sorts)
            };
        // dialect: rows as a table
        let arrays: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let postgres_type = if matches!(column, Column::Int(_)) { "BIGINT" } else { "TEXT" };
                format!("CAST(${} AS {postgres_type}[])", index + 1)
            })
            .collect();
        let given_postgres = format!("unnest({}) AS given ({names})", arrays.join(", "));
        let sqlite: &'static str = fill("", "", "NOT INDEXED", "INDEXED BY postbacks_inbox", "").leak();
        let then_sorts = "AND (SELECT set_config('enable_sort', 'on', true)) IS NOT NULL";
        let postgres = fill("FOR UPDATE", "FOR UPDATE SKIP LOCKED", "", "", then_sorts);
        Self {
            sqlite,
            postgres: postgres.replace("{given}", &given_postgres).leak(),
            given: Given::of(sqlite, columns.to_vec()),
        }
    }
}

impl Given {
    fn of(text: &'static str, columns: Vec<Column>) -> Self {
        Self {
            occurrences: text.matches("{given}").count(),
            columns,
            text,
            by_size: [const { OnceLock::new() }; SIZES.len()],
            as_json: OnceLock::new(),
        }
    }

    /// SQLite: the smallest text with room for `rows`, and its size; `None` if there are too many rows.
    pub(crate) fn sized(&self, rows: usize) -> Option<(&'static str, usize)> {
        let index = SIZES.iter().position(|size| *size >= rows)?;
        let size = SIZES[index];
        if size * (1 + self.columns.len()) * self.occurrences > MAX_PARAMETERS {
            return None;
        }
        let text =
            self.by_size[index].get_or_init(|| self.text.replace("{given}", &self.values(size)).leak());
        Some((text, size))
    }

    /// The first cell of each row is 1 if the row is there; those that are not bound are NULL.
    fn values(&self, size: usize) -> String {
        let row = format!("(?{})", ", ?".repeat(self.columns.len()));
        let rows = vec![row; size].join(", ");
        let picked: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| format!("column{} AS {}", index + 2, column.name()))
            .collect();
        format!("(SELECT {} FROM (VALUES {rows}) WHERE column1) AS given", picked.join(", "))
    }

    /// SQLite: the text for any number of rows, as a JSON list of lists.
    pub(crate) fn as_json(&self) -> &'static str {
        self.as_json.get_or_init(|| {
            let picked: Vec<String> = self
                .columns
                .iter()
                .enumerate()
                .map(|(index, column)| format!("value ->> {index} AS {}", column.name()))
                .collect();
            let given = format!("(SELECT {} FROM json_each(?1)) AS given", picked.join(", "));
            self.text.replace("{given}", &given).leak()
        })
    }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name()).collect::<Vec<_>>().join(", ")
}

/// A statement made on first use.
pub(crate) type LazyStatement = LazyLock<Statement>;
