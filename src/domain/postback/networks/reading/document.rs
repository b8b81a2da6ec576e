//! A TOML text as a tree in which every key and value knows its line.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::postback::networks::fault::{Fault, Place};

/// A value and where it is.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// A type that no key of a definition has, or a number too large.
    Other(&'static str),
}

/// A key of a table, in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Value {
    /// The type, for a message.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        }
    }
}

/// The table of a file, and the faults of its syntax. What can be read is read.
pub(super) fn parse(file: &Arc<str>, text: &str) -> (Vec<Entry>, Vec<Fault>) {
    let lines = Lines::of(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let faults = errors.iter().map(|error| Fault {
        place: lines.place(error.span().map_or(0, |span| span.start)),
        key: String::new(),
        what: format!("not TOML: {}", error.message().trim()),
        cure: "correct the syntax of this line".into(),
    });
    (lines.entries(table.get_ref()), faults.collect())
}

/// Lays `upper` over `base`: a section is merged key by key, every other value replaces the one below it. A `[kinds]`
/// that says what it goes `by` replaces the whole section, because its other keys are values of those fields.
pub(super) fn overlay(base: Vec<Entry>, upper: Vec<Entry>) -> Vec<Entry> {
    let mut merged = base;
    for entry in upper {
        let Some(below) = merged.iter_mut().find(|below| below.name == entry.name) else {
            merged.push(entry);
            continue;
        };
        match (&mut below.node.value, entry.node.value) {
            (Value::Table(kept), Value::Table(new)) if !replaces(&entry.name, &new) => {
                for own in new {
                    match kept.iter_mut().find(|other| other.name == own.name) {
                        Some(other) => *other = own,
                        None => kept.push(own),
                    }
                }
                (below.place, below.node.place) = (entry.place, entry.node.place);
            }
            (_, value) => {
                below.place = entry.place;
                below.node = Node { place: entry.node.place, value };
            }
        }
    }
    merged
}

fn replaces(section: &str, entries: &[Entry]) -> bool {
    section == "kinds" && entries.iter().any(|entry| entry.name == "by")
}

struct Lines<'t> {
    file: Arc<str>,
    text: &'t str,
}

impl<'t> Lines<'t> {
    fn of(file: &Arc<str>, text: &'t str) -> Self {
        Self { file: Arc::clone(file), text }
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.text.as_bytes().iter().take(offset);
        Place { file: Arc::clone(&self.file), line: before.filter(|byte| **byte == b'\n').count() + 1 }
    }

    fn entries(&self, table: &DeTable<'_>) -> Vec<Entry> {
        let mut pairs: Vec<_> = table.iter().collect();
        pairs.sort_by_key(|(key, _)| key.span().start);
        let entries = pairs.into_iter().map(|(key, value)| Entry {
            name: key.get_ref().to_string(),
            place: self.place(key.span().start),
            node: self.node(value),
        });
        entries.collect()
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let read = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("a number that is too large"), Value::Integer),
            DeValue::Boolean(flag) => Value::Boolean(*flag),
            DeValue::Array(items) => Value::List(items.iter().map(|item| self.node(item)).collect()),
            DeValue::Table(table) => Value::Table(self.entries(table)),
            DeValue::Float(_) => Value::Other("a number with a point"),
            DeValue::Datetime(_) => Value::Other("a date"),
        };
        Node { place: self.place(value.span().start), value: read }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Vec<Entry> {
        parse(&"t.toml".into(), text).0
    }

    fn shown(entries: &[Entry]) -> String {
        let text = entries.iter().map(|entry| match &entry.node.value {
            Value::Table(inside) => format!("{}@{}({})", entry.name, entry.place.line, shown(inside)),
            Value::Integer(number) => format!("{}@{}={number} ", entry.name, entry.place.line),
            other => format!("{}@{}={} ", entry.name, entry.place.line, other.type_name()),
        });
        text.collect()
    }

    #[test]
    fn keys_keep_their_order_and_their_lines() {
        assert_eq!(shown(&table("z = 1\na = 2\n[s]\nb = 3\n\na = 4\n")), "z@1=1 a@2=2 s@3(b@4=3 a@6=4 )");
    }

    #[test]
    fn a_section_is_merged_and_an_inline_table_in_it_replaced() {
        let base = table("a = 1\n[s]\nm = { x = 1 }\nn = 2\n[kinds]\nby = [\"status\"]\n1 = 5\n");
        let own = table("[s]\nm = { y = 3 }\n[kinds]\n2 = 6\n");
        let merged = shown(&overlay(base.clone(), own));
        assert!(merged.contains("m@2(y@2=3 )n@4=2") && merged.contains("1@7=5 2@4=6"), "{merged}");
        let replaced = shown(&overlay(base, table("[kinds]\nby = [\"state\"]\n2 = 6\n")));
        assert!(!replaced.contains("1@7"), "{replaced}");
    }

    #[test]
    fn every_fault_of_the_syntax_is_found_with_its_line() {
        let (_, faults) = parse(&"t.toml".into(), "a = 1\nb = \nc = 3\n[d\n");
        let lines: Vec<_> = faults.iter().map(|fault| fault.place.line).collect();
        assert!(lines.contains(&2) && lines.contains(&4), "{faults:?}");
    }
}
