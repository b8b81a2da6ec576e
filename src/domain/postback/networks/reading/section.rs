//! Typed access to a table of a definition. What is wrong is collected, so that one run tells everything.

use std::fmt::Display;

use super::document::{Entry, Node, Value};
use crate::postback::networks::fault::{Fault, Place};

/// All faults found so far.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, place: &Place, key: &str, what: impl Display, cure: impl Display) {
        let (key, what, cure) = (key.to_owned(), what.to_string(), cure.to_string());
        self.0.push(Fault { place: place.clone(), key, what, cure });
    }
}

/// A table, its path (`signature.`; empty for the file), and its line for keys that are missing.
pub(super) struct Section<'d> {
    path: String,
    pub(super) place: Place,
    entries: &'d [Entry],
}

/// One value under its full key.
pub(super) struct At<'d> {
    pub(super) key: String,
    pub(super) node: &'d Node,
}

impl<'d> Section<'d> {
    pub(super) fn file(place: Place, entries: &'d [Entry]) -> Self {
        Self { path: String::new(), place, entries }
    }

    pub(super) fn entries(&self) -> &'d [Entry] {
        self.entries
    }

    /// The full name of a key of this table.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// The value of `name`, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<At<'d>> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        Some(At { key: self.key(name), node: &entry.node })
    }

    /// The value of `name`; a fault if it is missing.
    pub(super) fn required(&self, name: &str, example: &str, faults: &mut Faults) -> Option<At<'d>> {
        let found = self.get(name);
        if found.is_none() {
            faults.add(&self.place, &self.key(name), "is missing", format!("add {name} = {example}"));
        }
        found
    }

    /// A fault for every key that is not in `known`.
    pub(super) fn only(&self, known: &[&str], faults: &mut Faults) {
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.name.as_str())) {
            let cure = choice(&entry.name, known, "remove it; known here:");
            faults.add(&entry.place, &self.key(&entry.name), "is not a key of a definition", cure);
        }
    }
}

impl<'d> At<'d> {
    pub(super) fn fault(&self, what: impl Display, cure: impl Display, faults: &mut Faults) {
        faults.add(&self.node.place, &self.key, what, cure);
    }

    fn wrong_type(&self, wanted: &str, faults: &mut Faults) {
        self.fault(format!("is {}", self.node.value.type_name()), format!("write {wanted}"), faults);
    }

    pub(super) fn text(&self, faults: &mut Faults) -> Option<&'d str> {
        match &self.node.value {
            Value::Text(text) if !text.is_empty() => Some(text),
            Value::Text(_) => {
                self.fault("is empty", "write a value between the quotes, or remove the key", faults);
                None
            }
            _ => {
                self.wrong_type("text in quotes", faults);
                None
            }
        }
    }

    /// Text that may be empty.
    pub(super) fn any_text(&self, faults: &mut Faults) -> Option<&'d str> {
        if let Value::Text(text) = &self.node.value {
            return Some(text);
        }
        self.wrong_type("text in quotes", faults);
        None
    }

    pub(super) fn boolean(&self, faults: &mut Faults) -> Option<bool> {
        if let Value::Boolean(flag) = self.node.value {
            return Some(flag);
        }
        self.wrong_type("true or false", faults);
        None
    }

    pub(super) fn integer(&self, least: i64, most: i64, faults: &mut Faults) -> Option<i64> {
        match self.node.value {
            Value::Integer(number) if (least..=most).contains(&number) => Some(number),
            Value::Integer(number) => {
                self.fault(format!("is {number}"), format!("write a number from {least} to {most}"), faults);
                None
            }
            _ => {
                self.wrong_type(&format!("a whole number from {least} to {most}"), faults);
                None
            }
        }
    }

    /// The items of a list that is not empty; each has the key of the list with its index.
    pub(super) fn list(&self, faults: &mut Faults) -> Option<Vec<At<'d>>> {
        let Value::List(items) = &self.node.value else {
            self.wrong_type("a list in [brackets]", faults);
            return None;
        };
        let at = |(index, node): (usize, &'d Node)| At { key: format!("{}[{index}]", self.key), node };
        Some(items.iter().enumerate().map(at).collect())
    }

    pub(super) fn section(&self, faults: &mut Faults) -> Option<Section<'d>> {
        let Value::Table(entries) = &self.node.value else {
            self.wrong_type("a table: key = value in {braces} or under [its name]", faults);
            return None;
        };
        Some(Section { path: format!("{}.", self.key), place: self.node.place.clone(), entries })
    }

    /// One of the named values.
    pub(super) fn one_of<T: Clone>(
        &self,
        values: &[(&str, T)],
        noun: &str,
        faults: &mut Faults,
    ) -> Option<T> {
        let text = self.text(faults)?;
        let found = values.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
            self.fault(format!("`{text}` is not {noun}"), choice(text, &names, "write one of:"), faults);
        }
        found.map(|(_, value)| value.clone())
    }
}

/// The cure for a wrong word: the similar one that was meant, and all that exist.
pub(super) fn choice(wrong: &str, known: &[&str], intro: &str) -> String {
    let meant = known.iter().find(|name| crate::text::is_similar(wrong, name));
    let list = known.join(", ");
    meant.map_or_else(|| format!("{intro} {list}"), |meant| format!("did you mean {meant}? {intro} {list}"))
}

#[cfg(test)]
mod tests {
    use crate::text::is_similar;

    #[test]
    fn a_mistyped_word_is_recognized() {
        for (wrong, meant) in
            [("metods", "methods"), ("chargeback", "reversal"), ("sha-1", "sha1"), ("ha", "hex")]
        {
            assert_eq!(is_similar(wrong, meant), !matches!(wrong, "chargeback" | "ha"), "{wrong}");
        }
    }
}
