//! Texts with fields in braces: identities (`{tx_id}:{state}`) and answers (`{event_id}:OK`).

use crate::postback::macros::{Piece, pieces};
use crate::postback::networks::Field;

/// A text with fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadTemplate {
    UnknownField(String),
    LoneBrace(String),
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut parts = Vec::new();
        for piece in pieces(text) {
            match piece.map_err(|lone| BadTemplate::LoneBrace(lone.0))? {
                Piece::Text("") => {}
                Piece::Text(text) => parts.push(Part::Text(text.to_owned())),
                Piece::Macro(name) => {
                    let field = Field::named(name);
                    parts.push(Part::Field(field.ok_or_else(|| BadTemplate::UnknownField(name.to_owned()))?));
                }
            }
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// A text without fields.
    pub(super) fn literal(text: &str) -> Self {
        Self { text: text.to_owned(), parts: vec![Part::Text(text.to_owned())] }
    }

    pub(super) fn of_field(field: Field) -> Self {
        Self { text: format!("{{{}}}", field.name()), parts: vec![Part::Field(field)] }
    }

    /// As in the definition.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The fields it names, in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(field) => Some(*field),
            Part::Text(_) => None,
        })
    }

    /// The text with every field replaced by its value; an absent one is empty.
    pub fn filled<'v>(&self, value: impl Fn(Field) -> Option<&'v str>) -> String {
        let texts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Field(field) => value(*field).unwrap_or(""),
        });
        texts.collect()
    }

    /// The same as an id: different values always give different ids, because in a template of several parts `%` and
    /// `:` inside a value are written `%25` and `%3A`. The field that has no value is the error.
    pub fn identity<'v>(&self, value: impl Fn(Field) -> Option<&'v str>) -> Result<String, Field> {
        let mut id = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => id.push_str(text),
                Part::Field(field) => {
                    let value = value(*field).filter(|value| !value.is_empty()).ok_or(*field)?;
                    if self.parts.len() == 1 {
                        id.push_str(value);
                    } else {
                        id.push_str(&value.replace('%', "%25").replace(':', "%3A"));
                    }
                }
            }
        }
        Ok(id)
    }

    /// Whether two neighbouring fields have a `:` between them, so that [`Template::identity`] is never ambiguous.
    pub(super) fn is_unambiguous(&self) -> bool {
        let mut separated = true;
        for part in &self.parts {
            match part {
                Part::Text(text) => separated |= text.contains(':'),
                Part::Field(_) if separated => separated = false,
                Part::Field(_) => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str, tx: &str, state: &str) -> Result<String, Field> {
        let template = Template::parse(text).expect("a template");
        template.identity(|field| match field {
            Field::TxId => Some(tx),
            Field::State => Some(state),
            _ => None,
        })
    }

    #[test]
    fn different_values_never_make_the_same_identity() {
        assert_eq!(id("{tx_id}", "a:b%", ""), Ok("a:b%".into()));
        assert_eq!(id("{tx_id}:{state}", "a:b", "c"), Ok("a%3Ab:c".into()));
        assert_ne!(id("{tx_id}:{state}", "a:b", "c"), id("{tx_id}:{state}", "a", "b:c"));
        assert_ne!(id("{tx_id}:{state}", "a%3Ab", "c"), id("{tx_id}:{state}", "a:b", "c"));
        assert_eq!(id("{tx_id}:{state}", "a", ""), Err(Field::State));
        let ambiguous = |text| !Template::parse(text).expect("a template").is_unambiguous();
        assert!(ambiguous("{tx_id}{state}") && ambiguous("{tx_id}-{state}"));
        assert!(!ambiguous("x{tx_id}:{state}"));
    }

    #[test]
    fn an_unknown_field_or_a_lone_brace_is_named() {
        assert_eq!(Template::parse("{tx}"), Err(BadTemplate::UnknownField("tx".into())));
        assert_eq!(Template::parse("{tx_id"), Err(BadTemplate::LoneBrace("{tx_id".into())));
    }

    #[test]
    fn an_answer_repeats_values_as_they_are() {
        let template = Template::parse("{event_id}:OK").expect("a template");
        assert_eq!(template.filled(|field| (field == Field::EventId).then_some("E:1")), "E:1:OK");
    }
}
