//! The rows passed to a statement: typed cells, bound one by one on SQLite and as one array for each column on Postgres.

use std::borrow::Cow;
use std::fmt::Write as _;

use domain::time::TimestampMs;
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

use crate::db::sql::{Column, Given};
use crate::{Error, Result};

/// One value of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'r> {
    Int(Option<i64>),
    Text(Option<&'r str>),
}

/// A type that can be bound as a cell.
pub(crate) trait ToCell {
    /// The column `name` with this type.
    fn column(name: &'static str) -> Column;
    fn cell(&self) -> Cell<'_>;
}

macro_rules! to_cell {
    ($($type:ty: $kind:ident, |$value:ident| $cell:expr;)+) => {
        $(impl ToCell for $type {
            fn column(name: &'static str) -> Column {
                Column::$kind(name)
            }
            fn cell(&self) -> Cell<'_> {
                let $value = self;
                Cell::$kind($cell)
            }
        })+
    };
}

to_cell! {
    i64: Int, |value| Some(*value);
    Option<i64>: Int, |value| *value;
    TimestampMs: Int, |value| Some(value.0);
    &str: Text, |value| Some(value);
    Option<&str>: Text, |value| *value;
    String: Text, |value| Some(value);
    Option<String>: Text, |value| value.as_deref();
    Cow<'_, str>: Text, |value| Some(value);
}

/// A row of `{given}`, made by [`given_row`].
pub(crate) trait GivenRow: Sync {
    /// In the order of the fields.
    fn columns() -> Vec<Column>;
    /// In the order of the columns.
    fn cells(&self) -> Vec<Cell<'_>>;
}

impl<R: GivenRow> GivenRow for &R {
    fn columns() -> Vec<Column> {
        R::columns()
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        R::cells(self)
    }
}

/// Defines a struct whose fields are the columns of `{given}`.
macro_rules! given_row {
    (
        $(#[$attribute:meta])*
        $vis:vis struct $name:ident $(<$life:lifetime>)? {
            $($(#[$field_attribute:meta])* $field_vis:vis $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$attribute])*
        $vis struct $name $(<$life>)? {
            $($(#[$field_attribute])* $field_vis $field: $type,)+
        }

        impl $(<$life>)? $crate::db::rows::GivenRow for $name $(<$life>)? {
            fn columns() -> Vec<$crate::db::sql::Column> {
                vec![$(<$type as $crate::db::rows::ToCell>::column(stringify!($field))),+]
            }

            fn cells(&self) -> Vec<$crate::db::rows::Cell<'_>> {
                vec![$($crate::db::rows::ToCell::cell(&self.$field)),+]
            }
        }
    };
}
pub(crate) use given_row;

given_row! {
    /// The key of a row, where a statement needs nothing else.
    pub(crate) struct IdRow {
        pub(crate) id: i64,
    }
}

/// The index of each of the statement's columns in rows of the type `R`.
fn places<R: GivenRow>(given: &Given) -> Result<Vec<usize>> {
    let of_row = R::columns();
    let place = |column: &Column| {
        of_row
            .iter()
            .position(|own| own == column)
            .ok_or_else(|| Error::Aborted(format!("rows have no column `{}`", column.name())))
    };
    given.columns.iter().map(place).collect()
}

/// `rows` as one array for each column, in the order of the statement's columns.
pub(crate) fn arrays<R: GivenRow>(given: &Given, rows: &[R]) -> Result<PgArguments> {
    enum Cells<'r> {
        Ints(Vec<Option<i64>>),
        Texts(Vec<Option<&'r str>>),
    }
    let places = places::<R>(given)?;
    let mut columns: Vec<Cells<'_>> = given
        .columns
        .iter()
        .map(|column| match column {
            Column::Int(_) => Cells::Ints(Vec::with_capacity(rows.len())),
            Column::Text(_) => Cells::Texts(Vec::with_capacity(rows.len())),
        })
        .collect();
    for row in rows {
        let cells = row.cells();
        for (column, place) in columns.iter_mut().zip(&places) {
            match (column, cells.get(*place)) {
                (Cells::Ints(ints), Some(Cell::Int(int))) => ints.push(*int),
                (Cells::Texts(texts), Some(Cell::Text(text))) => texts.push(*text),
                _ => return Err(Error::Aborted("the type of a cell differs from its column".into())),
            }
        }
    }
    let mut arguments = PgArguments::default();
    for column in columns {
        let added = match column {
            Cells::Ints(cells) => arguments.add(cells),
            Cells::Texts(cells) => arguments.add(cells),
        };
        added.map_err(|error| Error::Aborted(format!("rows cannot be bound: {error}")))?;
    }
    Ok(arguments)
}

/// The statement's text for SQLite with room for `rows`, and their cells as its parameters.
pub(crate) fn values<R: GivenRow>(given: &Given, rows: &[R]) -> Result<(&'static str, SqliteArguments)> {
    let places = places::<R>(given)?;
    let mut arguments = SqliteArguments::default();
    let unfit = |error: sqlx::error::BoxDynError| Error::Aborted(format!("rows cannot be bound: {error}"));
    let Some((sql, size)) = given.sized(rows.len()) else {
        arguments.add(json(&places, rows)).map_err(unfit)?;
        return Ok((given.as_json(), arguments));
    };
    arguments.reserve(size * (1 + places.len()) * given.occurrences, 0);
    for occurrence in 1..=given.occurrences {
        for row in rows {
            let cells = row.cells();
            arguments.add(1_i64).map_err(unfit)?;
            for place in &places {
                match cells.get(*place) {
                    Some(Cell::Int(int)) => arguments.add(*int),
                    Some(Cell::Text(text)) => arguments.add(text.map(str::to_owned)),
                    None => arguments.add(None::<i64>),
                }
                .map_err(unfit)?;
            }
        }
        // Unbound parameters are NULL, so the last occurrence needs no padding.
        if occurrence < given.occurrences {
            for _ in 0..(size - rows.len()) * (1 + places.len()) {
                arguments.add(None::<i64>).map_err(unfit)?;
            }
        }
    }
    Ok((sql, arguments))
}

/// `rows` as a JSON list of lists, for the rare statement with more cells than SQLite has parameters.
fn json<R: GivenRow>(places: &[usize], rows: &[R]) -> String {
    let mut json = String::from("[");
    for (at, row) in rows.iter().enumerate() {
        json.push_str(if at == 0 { "[" } else { ",[" });
        let cells = row.cells();
        for (at, place) in places.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            match cells.get(*place) {
                Some(Cell::Int(Some(int))) => {
                    let _ = write!(json, "{int}");
                }
                Some(Cell::Text(Some(text))) => {
                    json.push_str(&serde_json::Value::from(*text).to_string());
                }
                _ => json.push_str("null"),
            }
        }
        json.push(']');
    }
    json.push(']');
    json
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, SqliteConnection};

    use super::*;
    use crate::db::sql::Statement;

    given_row! {
        struct Pair<'a> {
            number: Option<i64>,
            text: &'a str,
        }
    }

    #[tokio::test]
    async fn every_row_reaches_sqlite_unchanged() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("memory opens");
        let once =
            Statement::given::<Pair<'_>>("SELECT COUNT(*), SUM(number), SUM(LENGTH(text)) FROM {given}");
        let twice = Statement::given::<Pair<'_>>(
            "SELECT COUNT(*), SUM(one.number), SUM(LENGTH(two.text)) FROM (SELECT * FROM {given}) AS one
             JOIN (SELECT * FROM {given}) AS two ON two.number = one.number",
        );
        for count in [0, 1, 3, 4, 5, 64, 65, 1_024, 1_025, 2_500] {
            let odd = "\"it's\" \\ ü\n☃";
            let rows: Vec<Pair<'_>> =
                (0..count).map(|number| Pair { number: Some(number), text: odd }).collect();
            for statement in [&once, &twice] {
                let (sql, arguments) = values(&statement.given, &rows).expect("rows are bound");
                let found: (i64, Option<i64>, Option<i64>) =
                    sqlx::query_as_with(sql, arguments).fetch_one(&mut connection).await.expect("it runs");
                let some = |sum: i64| (count > 0).then_some(sum);
                let letters = i64::try_from(odd.chars().count()).expect("a few");
                assert_eq!(
                    found,
                    (count, some(count * (count - 1) / 2), some(count * letters)),
                    "{count} rows"
                );
            }
        }
    }

    #[test]
    fn an_error_names_a_column_that_the_rows_lack() {
        let statement = Statement::new("SELECT * FROM {given}", &[Column::Int("nowhere")]);
        let refused = values(&statement.given, &[Pair { number: None, text: "" }]);
        assert!(matches!(refused, Err(error) if error.to_string().contains("`nowhere`")));
    }
}
