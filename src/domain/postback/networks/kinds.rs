//! What a postback means: a table from the values of one or two fields to a kind.

use serde::{Deserialize, Serialize};

use crate::money::Micros;
use crate::postback::networks::Field;

/// What a postback means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// The user earned a reward.
    Credit,
    /// The network takes it back.
    Reversal,
    /// A reward that is not sure yet: recorded, moves nothing, and what follows does not conflict with it.
    Pending,
    /// Of no effect: recorded only. In settings also called `information`.
    #[serde(alias = "information")]
    Ignore,
    /// A test: kept apart from all figures.
    Test,
}

impl Meaning {
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
    /// The field that is looked at.
    pub fn field(self) -> Field {
        match self {
            Self::Field(field) => field,
            Self::Sign => Field::Reward,
        }
    }

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
    pub kind: Meaning,
    /// True if the network pays nothing for it, such as a bonus: then no payout is expected.
    pub is_unpaid: bool,
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

/// A word of a source that its table cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWord {
    /// A word that is empty or only blanks.
    #[error("has an empty status word: a postback without a status is always quarantined; remove the entry")]
    Empty,
    /// The same word twice, in another spelling.
    #[error(
        "names `{0}` twice, with different meanings: case, blanks and leading zeros are ignored; keep one of them"
    )]
    Twice(String),
    /// Not one word for each decider.
    #[error(
        "has `{word}`, and this network decides by {by}: write one word for each, with a colon between them"
    )]
    Parts {
        /// As in the settings.
        word: String,
        /// The deciding fields.
        by: String,
    },
    /// There is nothing that could be compared.
    #[error("has no use: every postback of this network means the same; remove it")]
    Constant,
}

impl Kinds {
    /// The same with `words` before the rows of the network: those of a source win. `*` is a word like any other.
    pub fn with_words<'w>(
        mut self,
        words: impl IntoIterator<Item = (&'w str, Meaning)>,
    ) -> Result<Self, BadWord> {
        let mut rows: Vec<Row> = Vec::new();
        for (word, kind) in words {
            if self.by.is_empty() {
                return Err(BadWord::Constant);
            }
            let parts = split(word, self.by.len());
            if parts.len() != self.by.len() {
                let by = self.by.iter().map(|by| by.name()).collect::<Vec<_>>().join(" and ");
                return Err(BadWord::Parts { word: word.to_owned(), by });
            }
            if parts.iter().all(|part| status_word(part).is_empty()) {
                return Err(BadWord::Empty);
            }
            let values: Vec<_> = parts.into_iter().map(|part| Matcher::Word(status_word(part))).collect();
            match rows.iter().find(|row| row.values == values) {
                Some(row) if row.kind != kind => return Err(BadWord::Twice(word.to_owned())),
                Some(_) => {}
                None => rows.push(Row { written: word.to_owned(), values, kind, is_unpaid: false }),
            }
        }
        self.rows.splice(0..0, rows);
        Ok(self)
    }

    /// The kind for these values, one for each of `by`; `None` if no row matches. An absent value is empty.
    pub fn decide(&self, values: &[&str]) -> Option<Meaning> {
        self.row(values).map(|row| row.kind)
    }

    /// The same as the row that matches.
    pub fn row(&self, values: &[&str]) -> Option<&Row> {
        let words: Vec<_> = values.iter().map(|value| status_word(value)).collect();
        let matches = |row: &&Row| row.values.iter().zip(&words).all(|(own, word)| own.matches(word));
        self.rows.iter().find(matches)
    }

    /// Values that mean `kind`, one for each of `by`, as a network would send them; `any` where every value does.
    pub fn example(&self, kind: Meaning) -> Option<Vec<(By, String)>> {
        self.examples(kind).next()
    }

    /// The same for every row of this kind.
    pub fn examples(&self, kind: Meaning) -> impl Iterator<Item = Vec<(By, String)>> {
        let value = |text: &str| if text == "*" { "any".to_owned() } else { text.to_owned() };
        self.rows.iter().filter(move |row| row.kind == kind).map(move |row| {
            let written = split(&row.written, self.by.len());
            self.by.iter().copied().zip(written.into_iter().map(value)).collect()
        })
    }

    /// The fields that decide.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.by.iter().map(|by| by.field())
    }
}

/// A status as it is compared: lower case, no blanks around it, a number without leading and trailing zeros (`01` and
/// `1.0` are 1).
fn status_word(text: &str) -> String {
    match Micros::parse_sent(text) {
        Ok(number) if !number.negative && !number.rounded => number.magnitude.to_string(),
        _ => text.trim().to_lowercase(),
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
