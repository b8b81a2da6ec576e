//! What a call of a network reports: its kind, its ids and its amounts.
//!
//! Here stands only what a definition decides. How values are cleaned for people is [`crate::postback::mapping`]'s.

use std::collections::BTreeMap;

use crate::money::Parsed;
use crate::postback::cleaning::{is_nothing, shown};
use crate::postback::mapping::NO_TRANSACTION;
use crate::postback::networks::call::Call;
use crate::postback::networks::identity::{BadAmount, EventIds};
use crate::postback::networks::kinds::{By, Kind};
use crate::postback::networks::parameters::{BadBody, Parameters};
use crate::postback::networks::{Definition, Field, Unit};
use crate::postback::query::Plus;
use crate::postback::unfilled::is_unfilled;

/// Values of [`Field::Test`] that mark a test.
const TRUE: [&str; 3] = ["1", "true", "yes"];

/// The event that a call reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkEvent {
    /// What it means.
    pub kind: Kind,
    /// This event, and the reward it creates or takes back.
    pub ids: EventIds,
    /// The reward, without its sign; always there for a credit. Of a reversal how much it takes back, if it says so.
    pub reward: Option<Parsed>,
    /// The payout in its own currency, without its sign.
    pub payout: Option<Parsed>,
    /// Every value that is there, decoded; blanks around it are removed except for transactions.
    pub values: BTreeMap<Field, String>,
    /// What could not be used and was left out, each a clause that names the parameter.
    pub notes: Vec<String>,
}

/// Why a call cannot be read as an event. It is kept, and can be read again with another definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The body is not what the network sends.
    #[error(transparent)]
    Body(#[from] BadBody),
    /// Which one counts would be a guess.
    #[error("`{0}` appears more than once with different values")]
    Repeated(String),
    /// It is not text.
    #[error("`{0}` is not UTF-8")]
    NotUtf8(String),
    /// Longer than the network's ids.
    #[error("`{0}` is longer than {1} bytes")]
    TooLong(String, usize),
    /// It has a character that no honest value has and no database stores.
    #[error("`{0}` contains a NUL character")]
    Nul(String),
    /// All users would share this transaction.
    #[error("`{0}` is {1}, a placeholder and not a transaction id")]
    Placeholder(String, String),
    /// A macro that the network does not know.
    #[error("the network did not fill in `{0}`: it sent {1}; correct the URL in its dashboard")]
    Unfilled(String, String),
    /// It is needed and not there.
    #[error("`{0}` is missing; add it to the URL in the network's dashboard")]
    Missing(String),
    /// No row of `[kinds]` has these values.
    #[error("no kind is known for {0}; add it to [kinds] and replay the postback")]
    UnknownKind(String),
    /// It is not an amount as this network writes it.
    #[error("`{0}` {1}: it says {2}")]
    Amount(String, BadAmount, String),
}

impl Definition {
    /// Reads `call`, whose signature has been checked, with a `+` in values standing for `plus`.
    pub fn event(&self, call: &Call<'_>, plus: Plus) -> Result<NetworkEvent, Unreadable> {
        let values = self.values(call, plus)?;
        let value = |field| values.get(&field).map(String::as_str);
        let kind = self.kind(value)?;
        let ids = self.identity.ids(kind, value).map_err(|field| self.missing(field))?;
        if value(Field::UserId).is_none() {
            return Err(self.missing(Field::UserId));
        }
        let mut notes = Vec::new();
        // Only what makes money impossible to book keeps a call from being read.
        let reward = if kind == Kind::Credit && self.field(Field::Reward).is_some() {
            Some(self.amount(Field::Reward, kind, value)?.ok_or_else(|| self.missing(Field::Reward))?)
        } else {
            self.optional_amount(Field::Reward, kind, value, &mut notes)
        };
        let payout = self.optional_amount(Field::Payout, kind, value, &mut notes);
        Ok(NetworkEvent { kind, ids, reward, payout, values, notes })
    }

    fn values(&self, call: &Call<'_>, plus: Plus) -> Result<BTreeMap<Field, String>, Unreadable> {
        let parameters = Parameters::tolerant(self.parameters, call)?;
        let mut values = BTreeMap::new();
        for definition in &self.fields {
            if let Some(fixed) = &definition.fixed {
                values.insert(definition.field, fixed.clone());
                continue;
            }
            let name = || definition.parameter.clone();
            let sent = parameters.values(&definition.parameter);
            let Some(first) = sent.first() else { continue };
            let bytes = first.decoded(plus);
            if sent.iter().any(|other| other.decoded(plus) != bytes) {
                return Err(Unreadable::Repeated(name()));
            }
            let text = std::str::from_utf8(&bytes).map_err(|_| Unreadable::NotUtf8(name()))?;
            let bare = text.trim_matches(is_nothing);
            if bare.is_empty() {
                continue;
            }
            let decides = self.decides(definition.field);
            if is_unfilled(bare) {
                if decides {
                    return Err(Unreadable::Unfilled(name(), shown(bare)));
                }
                continue;
            }
            let is_transaction = matches!(definition.field, Field::TxId | Field::RefTxId);
            if decides && text.len() > definition.max_bytes {
                return Err(Unreadable::TooLong(name(), definition.max_bytes));
            }
            if decides && text.contains('\0') {
                return Err(Unreadable::Nul(name()));
            }
            if is_transaction && NO_TRANSACTION.contains(&bare.to_lowercase().as_str()) {
                return Err(Unreadable::Placeholder(name(), shown(bare)));
            }
            // Two transactions that differ by a blank are two.
            values.insert(definition.field, if is_transaction { text } else { bare }.to_owned());
        }
        Ok(values)
    }

    /// Whether money depends on `field`: it identifies, decides the kind, or is the reward.
    fn decides(&self, field: Field) -> bool {
        let identity = &self.identity;
        let mut ids =
            identity.event.fields().chain(identity.reward.fields()).chain(identity.reversal_of.fields());
        matches!(field, Field::UserId | Field::Reward)
            || ids.any(|own| own == field)
            || self.kinds.fields().any(|own| own == field)
    }

    fn kind<'v>(&self, value: impl Fn(Field) -> Option<&'v str>) -> Result<Kind, Unreadable> {
        if value(Field::Test).is_some_and(|text| TRUE.contains(&text.to_ascii_lowercase().as_str())) {
            return Ok(Kind::Test);
        }
        let words = self.kinds.by.iter().map(|by| match by {
            By::Field(field) => value(*field).unwrap_or(""),
            By::Sign => sign(value(Field::Reward)),
        });
        let words: Vec<_> = words.collect();
        self.kinds.decide(&words).ok_or_else(|| {
            let pairs = self.kinds.by.iter().zip(&words);
            let said: Vec<_> = pairs.map(|(by, word)| format!("{} {}", by.name(), shown(word))).collect();
            Unreadable::UnknownKind(said.join(" and "))
        })
    }

    fn amount<'v>(
        &self,
        field: Field,
        kind: Kind,
        value: impl Fn(Field) -> Option<&'v str>,
    ) -> Result<Option<Parsed>, Unreadable> {
        let (Some(definition), Some(text)) = (self.field(field), value(field)) else { return Ok(None) };
        let unit = if field == Field::Payout { &definition.unit } else { &Unit::Usd };
        let read = unit.read(text).map_err(BadAmount::from);
        let amount = read.and_then(|sent| self.identity.amounts.magnitude(sent, kind));
        amount.map(Some).map_err(|error| Unreadable::Amount(definition.parameter.clone(), error, shown(text)))
    }

    /// An amount that nothing depends on. Of a reversal, zero says nothing.
    fn optional_amount<'v>(
        &self,
        field: Field,
        kind: Kind,
        value: impl Fn(Field) -> Option<&'v str>,
        notes: &mut Vec<String>,
    ) -> Option<Parsed> {
        let read = self.amount(field, kind, value).unwrap_or_else(|error| {
            notes.push(format!("{error}; it was left out"));
            None
        });
        read.filter(|parsed| kind != Kind::Reversal || parsed.amount.0 != 0 || parsed.rounded)
    }

    fn missing(&self, field: Field) -> Unreadable {
        let name = self.field(field).map_or(field.name(), |definition| &definition.parameter);
        Unreadable::Missing(name.to_owned())
    }
}

/// The sign of an amount; empty for what is no amount.
fn sign(text: Option<&str>) -> &'static str {
    match text.map(crate::money::Micros::parse_sent) {
        Some(Ok(sent)) if sent.negative => "negative",
        Some(Ok(sent)) if sent.is_zero() => "zero",
        Some(Ok(_)) => "positive",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
