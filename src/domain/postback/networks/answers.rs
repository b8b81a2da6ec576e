//! What a network is answered, per outcome: a status and a body.

use crate::postback::networks::Field;
use crate::postback::networks::template::Template;

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

/// The answers of a network. What the definition leaves out has been filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Written to disk: the network is done.
    pub recorded: Answer,
    /// Known already; default: as recorded.
    pub repeat: Answer,
    /// The signature or the caller is wrong; default: 403.
    pub refused: Answer,
    /// It cannot be a postback of this network; default: 400.
    pub invalid: Answer,
    /// It could not be written: the network is to repeat it; default: 503.
    pub later: Answer,
}
