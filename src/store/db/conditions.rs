//! Conditions of a query, built once and then pushed into the query builder of either database, whose types differ.

/// Pieces of SQL and bound values, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    parts: Vec<Part>,
}

/// A piece of SQL, or a bound value.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Sql(&'static str),
    Text(String),
    Int(i64),
}

impl Conditions {
    /// Appends SQL as it is.
    pub(crate) fn sql(&mut self, sql: &'static str) -> &mut Self {
        self.parts.push(Part::Sql(sql));
        self
    }

    /// Appends a text as a parameter.
    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.parts.push(Part::Text(value.to_owned()));
        self
    }

    /// Appends a number as a parameter.
    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        self.parts.push(Part::Int(value));
        self
    }

    /// Appends one or more texts as parameters, separated by commas.
    pub(crate) fn texts(&mut self, values: &[String]) -> &mut Self {
        for (at, value) in values.iter().enumerate() {
            self.sql(if at == 0 { "" } else { ", " }).text(value);
        }
        self
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

/// Appends conditions to a query builder.
macro_rules! push_conditions {
    ($query:ident, $conditions:expr) => {
        for part in $conditions.parts() {
            match part {
                $crate::db::conditions::Part::Sql(sql) => $query.push(*sql),
                $crate::db::conditions::Part::Text(value) => $query.push_bind(value.clone()),
                $crate::db::conditions::Part::Int(value) => $query.push_bind(*value),
            };
        }
    };
}
pub(crate) use push_conditions;
