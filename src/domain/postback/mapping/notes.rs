//! Notes on a postback and reasons for quarantine: each names the parameter and the fix.

use super::Mapping;
use crate::postback::cleaning::shown;
use crate::postback::event::{Note, NoteKind, Quarantine};
use crate::postback::networks::Field;
use crate::postback::networks::definition::ParameterSource;

impl Mapping<'_> {
    pub(super) fn max_len(&self, field: Field) -> usize {
        let own = self.definition.field(field).map(|definition| definition.max_bytes);
        own.unwrap_or(field.default_max_bytes())
    }

    pub(super) fn cleaned(&mut self, field: Field, what: &str) {
        let text = format!("`{}` {what}", self.params.param(field));
        self.note(Some(field), NoteKind::Cleaned, text);
    }

    pub(super) fn note(&mut self, field: Option<Field>, kind: NoteKind, text: String) {
        self.notes.push(Note { field, kind, text });
    }

    pub(super) fn quarantine(&self, field: Field, what: &str) -> Quarantine {
        Quarantine { reason: format!("`{}` {what}", self.params.param(field)) }
    }

    pub(super) fn not_filled_in(&self, field: Field, sent: &str) -> Quarantine {
        let name = self.params.param(field);
        Quarantine {
            reason: format!(
                "the network did not fill in `{name}`: it sent {}, a macro that it does not know; correct the URL in its \
                 dashboard",
                shown(sent)
            ),
        }
    }

    pub(super) fn missing(&self, field: Field) -> Quarantine {
        self.quarantine(field, &format!("is missing{}", self.separators()))
    }

    /// Which of several values counts would be a guess.
    pub(super) fn repeated(&self, field: Field) -> Quarantine {
        let place = match self.definition.parameters {
            ParameterSource::Query => " in the query",
            ParameterSource::Form | ParameterSource::Json => "",
        };
        self.quarantine(field, &format!("appears more than once{place}"))
    }

    /// A hint at what is used in the URL instead of `&`; empty if nothing is.
    pub(super) fn separators(&self) -> &'static str {
        if self.definition.parameters != ParameterSource::Query {
            return "";
        }
        let query = self.call.query();
        let lower = query.to_ascii_lowercase();
        if self.sent.have_entities() || lower.contains("amp;") || lower.contains("amp%3b") {
            "; the URL has `&amp;` where `&` belongs: correct it in the network's dashboard"
        } else if query.contains(';') {
            "; the URL has `;`, perhaps where `&` belongs: correct it in the network's dashboard"
        } else if query.contains('?') {
            "; the URL has a second `?`, perhaps where `&` belongs: correct it in the network's dashboard"
        } else if self.is_encoded_twice(&lower) {
            "; the URL has `%26` where `&` belongs: it is encoded twice"
        } else {
            ""
        }
    }

    pub(super) fn is_encoded_twice(&self, lower_query: &str) -> bool {
        ["%26", "%2526", "\\u0026"].iter().any(|separator| {
            let mut names = self.params.sent_fields().map(|field| field.parameter.to_ascii_lowercase());
            names.any(|name| lower_query.contains(&format!("{separator}{name}")))
        })
    }

    /// The parameter inside a value, because something else than `&` separates them.
    pub(super) fn swallowed(&self, text: &str) -> Option<&str> {
        // Most values have no `=` at all.
        if !text.contains('=') {
            return None;
        }
        let separators = ["&", ";", "?", "u0026"];
        self.params.sent_fields().map(|field| field.parameter.as_str()).find(|name| {
            let mut places = text.match_indices(name).map(|(at, _)| at);
            places.any(|at| {
                let (before, after) = (&text[..at], &text[at + name.len()..]);
                after.starts_with('=') && separators.iter().any(|separator| before.ends_with(separator))
            })
        })
    }

    /// A macro of the network inside a longer text: `user-{user_id}`.
    pub(super) fn macro_inside(&self, text: &str) -> Option<&str> {
        if !text.contains(['{', '[', '%', '<', '$', '#']) {
            return None;
        }
        let mut macros = self.params.sent_fields().filter_map(|field| field.macro_text.as_deref());
        macros.find(|text_of_macro| text.contains(text_of_macro))
    }
}
