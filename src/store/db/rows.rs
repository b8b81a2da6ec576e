//! A batch of rows as arrays, one for each column: what Postgres reads without parsing anything.

use serde::Serialize;
use serde_json::Value;
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;

use crate::db::sql::Column;
use crate::{Error, Result};

/// `rows` as the arguments of a statement with `columns`, in their order.
pub(crate) fn arrays(columns: &[Column], rows: &impl Serialize) -> Result<PgArguments> {
    let unfit = |what: &str| Error::Aborted(format!("rows cannot be written as columns: {what}"));
    let Ok(Value::Array(rows)) = serde_json::to_value(rows) else { return Err(unfit("not a list")) };
    let mut columns: Vec<_> = columns.iter().map(|column| Cells::of(*column, rows.len())).collect();
    for row in rows {
        let Value::Object(mut row) = row else { return Err(unfit("not a row")) };
        for column in &mut columns {
            let value = row.remove(column.name()).unwrap_or(Value::Null);
            column.push(value).map_err(|what| unfit(&format!("`{}` is {what}", column.name())))?;
        }
    }
    let mut arguments = PgArguments::default();
    for column in columns {
        let added = match column {
            Cells::Ints(_, cells) => arguments.add(cells),
            Cells::Texts(_, cells) => arguments.add(cells),
        };
        added.map_err(|error| unfit(&error.to_string()))?;
    }
    Ok(arguments)
}

/// One column of a batch.
enum Cells {
    Ints(&'static str, Vec<Option<i64>>),
    Texts(&'static str, Vec<Option<String>>),
}

impl Cells {
    fn of(column: Column, rows: usize) -> Self {
        match column {
            Column::Int(name) => Self::Ints(name, Vec::with_capacity(rows)),
            Column::Text(name) => Self::Texts(name, Vec::with_capacity(rows)),
        }
    }

    fn name(&self) -> &'static str {
        let (Self::Ints(name, _) | Self::Texts(name, _)) = self;
        name
    }

    fn push(&mut self, value: Value) -> std::result::Result<(), &'static str> {
        match (self, value) {
            (Self::Ints(_, cells), Value::Null) => cells.push(None),
            (Self::Texts(_, cells), Value::Null) => cells.push(None),
            (Self::Ints(_, cells), Value::Number(number)) => {
                cells.push(Some(number.as_i64().ok_or("no whole number in range")?));
            }
            (Self::Texts(_, cells), Value::String(text)) => cells.push(Some(text)),
            (Self::Ints(..), _) => return Err("no number"),
            (Self::Texts(..), _) => return Err("no text"),
        }
        Ok(())
    }
}
