//! What a network is answered, per outcome: a status and a body.

use crate::postback::networks::parameters::Parameters;
use crate::postback::networks::template::Template;
use crate::postback::networks::{Call, Definition, Field};
use crate::postback::query::Plus;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 599.
    pub status: u16,
    /// Exactly these bytes, as `text/plain`, without a line break at the end.
    pub body: Template,
}

impl Answer {
    /// The body for a call with these values.
    pub fn body_for<'v>(&self, value: impl Fn(Field) -> Option<&'v str>) -> String {
        self.body.filled(value)
    }
}

impl Definition {
    /// The body of `answer` to `call`, where a field that it repeats is as received and decoded.
    pub fn answer_body(&self, answer: &Answer, call: &Call<'_>) -> String {
        let named: Vec<_> = answer.body.fields().collect();
        if named.is_empty() {
            return answer.body.text().to_owned();
        }
        let sent = Parameters::tolerant(self.parameters, call).ok();
        let first = |field: Field| {
            let values = sent.as_ref()?.values(self.parameter_of(field));
            Some(String::from_utf8_lossy(&values.first()?.decoded(Plus::Space)).into_owned())
        };
        let values: Vec<_> =
            named.into_iter().map(|field| (field, first(field).unwrap_or_default())).collect();
        answer.body_for(|field| values.iter().find(|(own, _)| *own == field).map(|(_, text)| text.as_str()))
    }
}

impl Answer {
    /// An answer without fields.
    pub(super) fn plain(status: u16, body: &str) -> Self {
        Self { status, body: Template::literal(body) }
    }

    /// Of a definition that says nothing of refusals.
    pub(super) fn refused_by_default() -> Self {
        Self::plain(403, "bad signature")
    }
}

/// The answers of a network. What the definition leaves out has been filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Written to disk: the network is done.
    pub recorded: Answer,
    /// Known already; default: as recorded.
    pub repeat: Answer,
    /// The signature or the caller is wrong; default: 403 `bad signature`.
    pub refused: Answer,
    /// It cannot be a postback of this network: its body cannot be read; default: 400 `cannot be read`.
    pub invalid: Answer,
    /// It could not be written: the network is to repeat it; default: 503 `cannot be recorded now`.
    pub later: Answer,
}

impl Answers {
    /// True if the definition says how a refusal is answered.
    pub fn say_refused(&self) -> bool {
        self.refused != Answer::refused_by_default()
    }
}
