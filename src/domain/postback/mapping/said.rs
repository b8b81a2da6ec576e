//! What a call says, field by field, before anything is decided: for people who try a definition.

use super::Mapping;
use crate::postback::event::Params;
use crate::postback::networks::kinds::{By, Row};
use crate::postback::networks::parameters::{BadBody, Parameters};
use crate::postback::networks::{Call, Field};
use crate::postback::stated::Stated;

/// What one call says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Every field of the definition, in its order.
    pub fields: Vec<(Field, Sent)>,
    /// The word of each decider of the kind; empty if it is absent.
    pub words: Vec<(By, String)>,
    /// The row of the definition that matches these words; `None` if none does.
    pub row: Option<Row>,
}

/// What a call has for a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing, or only blanks.
    Absent,
    /// A macro that the network did not fill in.
    Unfilled(String),
    /// A value, cleaned.
    Value(String),
    /// Several different values.
    Several(Vec<String>),
    /// The definition has the value, and the network sends none.
    Fixed(String),
}

/// Reads `call`; the error is why its parameters cannot be read.
pub fn said(call: &Call<'_>, params: &Params) -> Result<Said, BadBody> {
    let definition = params.definition();
    let sent = Parameters::tolerant(definition.parameters, call)?;
    let stated = Stated::default();
    let mapping =
        Mapping { call, params, definition, sent, stated: &stated, notes: Vec::new(), is_unpaid: false };
    let fields = definition.fields.iter().map(|own| {
        let sent = match &own.fixed {
            Some(value) => Sent::Fixed(value.clone()),
            None => mapping.sent_for(own.field),
        };
        (own.field, sent)
    });
    let words: Vec<_> =
        definition.kinds.by.iter().map(|by| (*by, mapping.first_word(*by).unwrap_or_default())).collect();
    let texts: Vec<_> = words.iter().map(|(_, word)| word.as_str()).collect();
    Ok(Said { fields: fields.collect(), row: definition.kinds.row(&texts).cloned(), words })
}

impl Mapping<'_> {
    fn sent_for(&self, field: Field) -> Sent {
        let given = self.given(field);
        let mut texts: Vec<_> = given.texts.into_iter().map(|(cleaned, _)| cleaned.text).collect();
        match (texts.len(), given.unfilled) {
            (0, Some(unfilled)) => Sent::Unfilled(unfilled),
            (0, None) => Sent::Absent,
            (1, _) => Sent::Value(texts.remove(0)),
            _ => Sent::Several(texts),
        }
    }
}
