//! What a postback means: a table from the values of one or two fields to a kind.

use crate::postback::event::status_word;
use crate::postback::networks::Field;

/// The kind of a postback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The user earned a reward.
    Credit,
    /// The network takes it back.
    Reversal,
    /// A reward that is not sure yet: recorded, moves nothing, and what follows does not conflict with it.
    Pending,
    /// Of no effect: recorded only.
    Ignore,
    /// A test: kept apart from all figures.
    Test,
}

impl Kind {
    /// Every kind with its name in a definition.
    pub const ALL: [(&'static str, Self); 5] = [
        ("credit", Self::Credit),
        ("reversal", Self::Reversal),
        ("pending", Self::Pending),
        ("ignore", Self::Ignore),
        ("test", Self::Test),
    ];

    /// The name in a definition.
    pub fn name(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Reversal => "reversal",
            Self::Pending => "pending",
            Self::Ignore => "ignore",
            Self::Test => "test",
        }
    }
}

/// What decides the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The value of a field.
    Field(Field),
    /// The sign of the reward: `positive`, `negative` or `zero`.
    Sign,
}

impl By {
    /// The name in a definition.
    pub fn name(self) -> &'static str {
        match self {
            Self::Field(field) => field.name(),
            Self::Sign => "sign",
        }
    }
}

/// The table of a network. The first row that matches wins; without one the postback is quarantined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// One or two deciders; empty if every postback is of the same kind (`by = ["constant"]`).
    pub by: Vec<By>,
    /// In the order of the file.
    pub rows: Vec<Row>,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// As in the definition, e.g. `1` or `chargeback:*`.
    pub written: String,
    /// One for each decider.
    pub(super) values: Vec<Matcher>,
    /// What it means.
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Matcher {
    /// `*`, also an absent value.
    Any,
    /// Compared as [`status_word`] does; empty for an absent value.
    Word(String),
}

impl Matcher {
    pub(super) fn parse(text: &str) -> Self {
        if text == "*" { Self::Any } else { Self::Word(status_word(text)) }
    }

    fn matches(&self, word: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Word(own) => own == word,
        }
    }
}

impl Kinds {
    /// The kind for these values, one for each of `by`; `None` if no row matches. An absent value is empty.
    pub fn decide(&self, values: &[&str]) -> Option<Kind> {
        let words: Vec<_> = values.iter().map(|value| status_word(value)).collect();
        let matches = |row: &&Row| row.values.iter().zip(&words).all(|(own, word)| own.matches(word));
        self.rows.iter().find(matches).map(|row| row.kind)
    }

    /// Values that mean `kind`, one for each of `by`, as a network would send them; `any` where every value does.
    pub fn example(&self, kind: Kind) -> Option<Vec<(By, String)>> {
        let row = self.rows.iter().find(|row| row.kind == kind)?;
        let written = split(&row.written, self.by.len());
        let value = |text: &str| if text == "*" { "any".to_owned() } else { text.to_owned() };
        Some(self.by.iter().copied().zip(written.into_iter().map(value)).collect())
    }

    /// The fields that decide.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.by.iter().map(|by| match by {
            By::Field(field) => *field,
            By::Sign => Field::Reward,
        })
    }
}

/// The parts of a row's key: with two deciders the text before and after its last `:`.
pub(super) fn split(written: &str, deciders: usize) -> Vec<&str> {
    match (deciders, written.rsplit_once(':')) {
        (2, Some((first, second))) => vec![first, second],
        (0, _) => Vec::new(),
        _ => vec![written],
    }
}
