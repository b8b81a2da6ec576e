//! What a postback reports, and how the parameters of a source are named and read. [`super::mapping`] turns the
//! parameters into the event.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::money::Micros;
use crate::postback::networks::definition::BadRename;
use crate::postback::networks::kinds::{BadWord, Meaning};
use crate::postback::networks::{Definition, Field, FieldDefinition, shipped};
use crate::postback::query::Plus;
use crate::time::TimestampMs;

/// How the postbacks of one source are read: the definition of its network, with the names and words of the source on
/// top. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Params {
    definition: Arc<Definition>,
    plus: Plus,
    reversal_id: ReversalId,
    test_users: Arc<BTreeSet<String>>,
    reward_per_usd: Option<Micros>,
}

/// How the transaction id of a reversal is built from that of its credit; both empty if they are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReversalId {
    /// Before the credit's id, e.g. `r-`.
    pub prefix: String,
    /// After the credit's id, e.g. `-R`.
    pub suffix: String,
}

impl ReversalId {
    /// The transaction of the credit that the reversal `tx_id` belongs to; `None` if it is the same.
    pub fn credit_of(&self, tx_id: &str) -> Option<String> {
        let credit = tx_id.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        (!credit.is_empty() && credit.len() < tx_id.len()).then(|| credit.to_owned())
    }
}

/// What a postback does to a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The user earned it.
    Credit,
    /// The network takes it back.
    Reversal,
}

impl Kind {
    /// What it is called in a network's table.
    pub fn meaning(self) -> Meaning {
        match self {
            Self::Credit => Meaning::Credit,
            Self::Reversal => Meaning::Reversal,
        }
    }
}

impl Params {
    /// The network's own names and words.
    pub fn of(definition: Definition) -> Self {
        let reversal_id =
            ReversalId { prefix: definition.identity.strip_prefix.clone(), suffix: String::new() };
        Self {
            definition: Arc::new(definition),
            plus: Plus::default(),
            reversal_id,
            test_users: Arc::default(),
            reward_per_usd: None,
        }
    }

    /// Those of a network that ships; `None` if none of this name does.
    pub fn shipped(name: &str) -> Option<Self> {
        shipped::definition(name)?.ok().map(Self::of)
    }

    /// The same with `renames` on top: parameters by field (`clicked_at`) or by macro without its brackets
    /// (`timestamp`).
    pub fn renamed(self, renames: &BTreeMap<String, String>) -> Result<Self, BadRename> {
        let own = |name: &str| {
            let fields = || self.definition.fields.iter().filter(|field| field.fixed.is_none());
            let named = fields().find(|field| field.field.name() == name);
            named.or_else(|| fields().find(|field| field.bare_macro() == name)).map(|field| field.field)
        };
        let mut by_field = BTreeMap::new();
        for (name, parameter) in renames {
            let field = own(name).ok_or_else(|| {
                let names: Vec<_> = self.sent_fields().map(FieldDefinition::bare_macro).collect();
                BadRename::UnknownMacro(name.clone(), names.join(", "))
            })?;
            by_field.insert(field, parameter.clone());
        }
        let definition = Arc::unwrap_or_clone(self.definition).renamed(&by_field)?;
        Ok(Self { definition: Arc::new(definition), ..self })
    }

    /// The same, where `+` in a value means `plus`.
    #[must_use]
    pub fn with_plus(self, plus: Plus) -> Self {
        Self { plus, ..self }
    }

    /// The same with `words` as statuses, before those that the network documents.
    pub fn with_statuses(self, words: &BTreeMap<String, Meaning>) -> Result<Self, BadWord> {
        let mut definition = Arc::unwrap_or_clone(self.definition);
        definition.kinds =
            definition.kinds.with_words(words.iter().map(|(word, meaning)| (word.as_str(), *meaning)))?;
        Ok(Self { definition: Arc::new(definition), ..self })
    }

    /// The same, where reversals have transactions of their own.
    #[must_use]
    pub fn with_reversal_id(self, reversal_id: ReversalId) -> Self {
        Self { reversal_id, ..self }
    }

    /// The same, where whatever these users do is a test.
    #[must_use]
    pub fn with_test_users(self, users: BTreeSet<String>) -> Self {
        Self { test_users: Arc::new(users), ..self }
    }

    /// The same, where a payout of one USD is a reward of so many units: for networks that name no reward.
    #[must_use]
    pub fn with_reward_per_usd(self, units: Micros) -> Self {
        Self { reward_per_usd: Some(units), ..self }
    }

    /// How many units of reward a payout of one USD is, if the source says so.
    pub fn reward_per_usd(&self) -> Option<Micros> {
        self.reward_per_usd
    }

    /// True if a person says that `user_id` only tests.
    pub fn is_test_user(&self, user_id: &str) -> bool {
        self.test_users.contains(user_id)
    }

    /// The network, with the names and words of this source.
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// How the transaction of a reversal names that of its credit.
    pub fn reversal_id(&self) -> &ReversalId {
        &self.reversal_id
    }

    /// What a `+` in a value means.
    pub fn plus(&self) -> Plus {
        self.plus
    }

    /// The parameter that carries `field`; our own name of it if the network sends none.
    pub(crate) fn param(&self, field: Field) -> &str {
        self.definition.parameter_of(field)
    }

    /// Every field that the network sends a parameter for.
    pub fn sent_fields(&self) -> impl Iterator<Item = &FieldDefinition> {
        self.definition.fields.iter().filter(|field| field.fixed.is_none())
    }
}

/// A mapped postback: a credit or a reversal of one reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Information counts as a credit here; see `information`.
    pub kind: Kind,
    /// The publisher's id of the user.
    pub user_id: String,
    /// The network's transaction id.
    pub tx_id: String,
    /// The key of the reward, if it is not the transaction itself: of the credit that a reversal takes back, or of the
    /// click that several transactions share.
    pub credit_tx: Option<String>,
    /// The reward; always known of a credit with effect. Of a reversal how much it takes back, if it says so.
    pub reward: Option<Micros>,
    /// What the network pays, in USD; not below zero.
    pub payout: Option<Micros>,
    /// True if `reward` or `payout` had more than six decimals.
    pub rounded: bool,
    /// The network's id of the offer.
    pub offer_id: Option<String>,
    /// For people, and to guess the class of offer.
    pub offer_name: Option<String>,
    /// The network's id of the event within the offer.
    pub event_id: Option<String>,
    /// For people, and to guess the class of offer.
    pub event_name: Option<String>,
    /// The user's IP address; the first public one of a list.
    pub ip: Option<String>,
    /// Other public addresses, where the network sent a list.
    pub other_ips: Vec<IpAddr>,
    /// The user's country: two letters as sent, or those of the country that was named otherwise.
    pub country_code: Option<String>,
    /// When the user clicked the offer.
    pub click: Click,
    /// The publisher's first own value.
    pub sub1: Option<String>,
    /// The publisher's second own value.
    pub sub2: Option<String>,
    /// What rules ask for and this network never sends: the click time, the payout.
    pub unsent: Vec<Field>,
    /// How its values were cleaned so that they could be used.
    pub notes: Vec<Note>,
    /// Why it has no effect; `None` if it has one.
    pub information: Option<NoEffect>,
}

/// A postback without an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoEffect {
    /// True if the network says that it is a test.
    pub is_test: bool,
    /// For people.
    pub why: String,
}

/// A change that the mapping made to a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The field; `None` for the URL as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Field>,
    /// Whether the value was changed or left out.
    pub kind: NoteKind,
    /// A clause for a person, naming the parameter: "`sub1` was shortened to 1024 bytes".
    pub text: String,
}

/// How a value was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// It was cleaned, shortened, or left out because it cannot be read.
    Cleaned,
    /// It was left out because it is a macro that the network did not fill in.
    NotFilledIn,
}

impl Event {
    /// True if the network sent something for `field` that could not be used.
    pub fn lacks(&self, field: Field) -> bool {
        let is_there = match field {
            Field::Payout => self.payout.is_some(),
            Field::EventId => self.event_id.is_some(),
            Field::Ip => self.ip.is_some(),
            Field::CountryCode => self.country_code.is_some(),
            _ => true,
        };
        !is_there && self.notes.iter().any(|note| note.field == Some(field))
    }

    /// The clauses of all notes of `kind` in one sentence; `None` if there are none.
    pub fn noted(&self, kind: NoteKind) -> Option<String> {
        let texts: Vec<_> =
            self.notes.iter().filter(|note| note.kind == kind).map(|note| note.text.as_str()).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    /// What makes the reward unique within its source: mostly the transaction id.
    pub fn key(&self) -> &str {
        self.credit_tx.as_deref().unwrap_or(&self.tx_id)
    }
}

/// The click time of a postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Click {
    /// Sent as a plausible number of unix seconds.
    At(TimestampMs),
    /// The parameter is missing or empty.
    Missing,
    /// Sent as something else: not a number, zero, or so large that it must be milliseconds.
    Unusable(String),
}

/// Why a signed postback cannot be mapped. The postback is kept and can be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// One sentence that names the parameter and, if there is one, the fix.
    pub reason: String,
}

impl fmt::Display for Quarantine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.reason)
    }
}
