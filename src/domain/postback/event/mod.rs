//! What a postback reports, and how the parameters of a source are named and read. [`super::mapping`] turns the
//! parameters into the event.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::money::Micros;
use crate::postback::network::{Field, FieldDefinition, Kind, Network};
use crate::postback::query::Plus;
use crate::time::TimestampMs;

/// How the parameters of one source are named and read; starts from the network's own names and states.
#[derive(Clone, Debug)]
pub struct Params {
    network: Network,
    renamed: BTreeMap<Field, String>,
    plus: Plus,
    statuses: BTreeMap<String, Meaning>,
    reversal_id: ReversalId,
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

/// The meaning of a status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// The user earned a reward.
    Credit,
    /// The network takes it back.
    Reversal,
    /// Neither: it is recorded without effect.
    Information,
}

impl From<Kind> for Meaning {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Credit => Self::Credit,
            Kind::Reversal => Self::Reversal,
        }
    }
}

/// A status word that the settings cannot map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStatus {
    /// A word that is empty or only blanks.
    #[error("has an empty status word: a postback without a status is always quarantined; remove the entry")]
    Empty,
    /// The same word twice, in another spelling.
    #[error(
        "names `{0}` twice, with different meanings: case, blanks and leading zeros are ignored; keep one of them"
    )]
    Twice(String),
}

/// A rename of a field that the network does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRename {
    /// The unknown macro, and all that exist.
    #[error("`{0}` is not a macro of this network; it has {1}")]
    UnknownMacro(String, String),
    /// Two fields would read the same parameter, or one would read the signature.
    #[error("the parameter `{0}` is already taken")]
    Taken(String),
}

impl Params {
    /// The network's own names, with `renames` (macro name → parameter name) on top.
    pub fn new(network: Network, renames: &BTreeMap<String, String>) -> Result<Self, BadRename> {
        let mut by_field = BTreeMap::new();
        for (name, param) in renames {
            let definition = network.fields().iter().find(|field| field.name == name).ok_or_else(|| {
                let names: Vec<_> = network.fields().iter().map(|field| field.name).collect();
                BadRename::UnknownMacro(name.clone(), names.join(", "))
            })?;
            by_field.insert(definition.field, param.clone());
        }
        let naming = Self {
            network,
            renamed: by_field,
            plus: Plus::default(),
            statuses: BTreeMap::new(),
            reversal_id: ReversalId::default(),
        };
        let mut taken = vec![crate::postback::signature::HASH_PARAM];
        for definition in network.fields() {
            let param = naming.name_of(definition);
            if taken.contains(&param) {
                return Err(BadRename::Taken(param.to_owned()));
            }
            taken.push(param);
        }
        Ok(naming)
    }

    /// The same, where `+` in a value means `plus`.
    #[must_use]
    pub fn with_plus(self, plus: Plus) -> Self {
        Self { plus, ..self }
    }

    /// The same with `words` as statuses, before those that the network documents.
    pub fn with_statuses(self, words: &BTreeMap<String, Meaning>) -> Result<Self, BadStatus> {
        let mut statuses = BTreeMap::new();
        for (word, meaning) in words {
            let normal = status_word(word);
            if normal.is_empty() {
                return Err(BadStatus::Empty);
            }
            if statuses.insert(normal, *meaning).is_some_and(|other| other != *meaning) {
                return Err(BadStatus::Twice(word.clone()));
            }
        }
        Ok(Self { statuses, ..self })
    }

    /// The same, where reversals have transactions of their own.
    #[must_use]
    pub fn with_reversal_id(self, reversal_id: ReversalId) -> Self {
        Self { reversal_id, ..self }
    }

    /// How the transaction of a reversal names that of its credit.
    pub fn reversal_id(&self) -> &ReversalId {
        &self.reversal_id
    }

    /// What a `+` in a value means.
    pub fn plus(&self) -> Plus {
        self.plus
    }

    /// What a status means; `None` if neither the settings nor the network's documentation know it.
    pub fn meaning(&self, status: &str) -> Option<Meaning> {
        let word = status_word(status);
        self.statuses.get(&word).copied().or_else(|| self.network.kind(&word).map(Meaning::from))
    }

    /// The parameter that carries `field`; empty if the network has no such field.
    pub(crate) fn param(&self, field: Field) -> &str {
        let definition = self.network.fields().iter().find(|definition| definition.field == field);
        definition.map_or("", |definition| self.name_of(definition))
    }

    /// The network whose fields these are.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The URL query to paste into the network's dashboard: every field under its parameter name.
    pub fn query_template(&self) -> String {
        let pairs = self
            .network
            .fields()
            .iter()
            .map(|definition| format!("{}={{{}}}", self.name_of(definition), definition.name));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// The parameter that carries a field.
    pub fn name_of(&self, definition: &FieldDefinition) -> &str {
        self.renamed.get(&definition.field).map_or(definition.name, String::as_str)
    }
}

/// A status as it is compared: lower case, no blanks around it, a number without leading and trailing zeros (`01` and
/// `1.0` are 1).
pub(crate) fn status_word(text: &str) -> String {
    match Micros::parse_sent(text) {
        Ok(number) if !number.negative && !number.rounded => number.magnitude.to_string(),
        _ => text.trim().to_lowercase(),
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
    /// The transaction of the credit that a reversal takes back, if it has another one.
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
    /// When the user first clicked the offer.
    pub click: Click,
    /// The publisher's first own value.
    pub sub1: Option<String>,
    /// The publisher's second own value.
    pub sub2: Option<String>,
    /// How its values were cleaned so that they could be used.
    pub notes: Vec<Note>,
    /// Why it has no effect; `None` if it has one.
    pub information: Option<String>,
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

    /// What makes the reward unique within its source. `TarGo`: the transaction id.
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
