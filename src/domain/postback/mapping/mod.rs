//! Mapping: from a signed call to the event it reports, or the reason why it cannot be one.
//!
//! An answer of 200 means that the network never sends again, so only what makes money impossible to book keeps a
//! postback from being mapped: user, transaction, status, and the reward of a credit. Everything else is cleaned,
//! shortened or left out, with a [`Note`] that says so. Ids are never changed in a way that could make two of them
//! one.
//!
//! | module | what it reads |
//! |---|---|
//! | here | what every event needs: its ids and the reward of a credit |
//! | `meaning` | credit, reversal, or without effect |
//! | `optional` | everything else |
//! | `notes` | notes, and reasons for quarantine |
//! | [`said`] | what a call says field by field, for people who try a definition |

mod meaning;
mod notes;
mod optional;
pub mod said;

use std::borrow::Cow;

use crate::money::{MoneyError, PAYOUT_CURRENCY, Parsed};
use crate::postback::cleaning::{Cleaned, Value, clean, is_nothing, shown};
use crate::postback::event::{Event, Kind, Note, NoteKind, Params, Quarantine};
use crate::postback::networks::identity::BadAmount;
use crate::postback::networks::kinds::Meaning;
use crate::postback::networks::parameters::{self, Parameters};
use crate::postback::networks::{Call, Definition, Field, TimeFormat, Unit};
use crate::postback::stated::Stated;

/// Placeholders instead of a transaction id; all users would share them.
const NO_TRANSACTION: [&str; 7] = ["undefined", "null", "(null)", "none", "nil", "nan", "false"];

/// Maps a GET of `target` (path and query, as received).
pub fn map(target: &str, params: &Params) -> Result<Event, Quarantine> {
    map_stated(&Call::get("", target), params, &Stated::default())
}

/// Maps `call`, whose signature has been checked, with stated values in place of received ones.
pub fn map_stated(call: &Call<'_>, params: &Params, stated: &Stated) -> Result<Event, Quarantine> {
    let definition = params.definition();
    let sent = Parameters::tolerant(definition.parameters, call)
        .map_err(|bad| Quarantine { reason: bad.to_string() })?;
    Mapping { call, params, definition, sent, stated, notes: Vec::new(), is_unpaid: false }.event()
}

struct Mapping<'a> {
    call: &'a Call<'a>,
    params: &'a Params,
    definition: &'a Definition,
    sent: Parameters<'a>,
    /// What people stated.
    stated: &'a Stated,
    notes: Vec<Note>,
    /// True if the network pays nothing for what it reports.
    is_unpaid: bool,
}

/// All values of one parameter.
struct Given<'a> {
    /// Different texts, each with the first value that has it.
    texts: Vec<(Cleaned, parameters::Value<'a>)>,
    /// A macro that was not filled in.
    unfilled: Option<String>,
}

impl Mapping<'_> {
    fn event(mut self) -> Result<Event, Quarantine> {
        if self.sent.have_entities() {
            self.note(None, NoteKind::Cleaned, "the parameters are separated by `&amp;`, read as `&`".into());
        }
        let user_id = self.id(Field::UserId)?;
        let tx_id = self.transaction()?;
        let is_test_user = self.params.is_test_user(&user_id);
        let meaning = if is_test_user { Meaning::Test } else { self.meaning()? };
        let (tx_id, key) = self.key(meaning, tx_id)?;
        let kind = if meaning == Meaning::Reversal { Kind::Reversal } else { Kind::Credit };
        let follows = self.definition.field(Field::Reward).is_none() && self.stated.reward.is_none();
        let reward = match meaning {
            _ if follows => None,
            Meaning::Credit => Some(self.required_amount(Field::Reward)?),
            Meaning::Reversal => self.amount_taken_back(Field::Reward),
            Meaning::Pending | Meaning::Ignore | Meaning::Test => self.optional_amount(Field::Reward),
        };
        let payout = match meaning {
            Meaning::Credit if follows => Some(self.required_amount(Field::Payout)?),
            Meaning::Reversal => self.amount_taken_back(Field::Payout),
            _ => self.optional_amount(Field::Payout),
        };
        let reward = if follows { self.reward_that_follows(meaning, payout)? } else { reward };
        let mut information = self.no_effect(meaning, reward, payout);
        if let Some(test) = information.as_mut().filter(|_| is_test_user) {
            test.why = "recorded only: the settings name this user as one who tests".into();
        }
        let (ip, other_ips) = self.addresses();
        Ok(Event {
            kind,
            user_id,
            tx_id,
            credit_tx: key,
            reward: reward.map(|parsed| parsed.amount),
            payout: payout.map(|parsed| parsed.amount),
            rounded: [reward, payout].into_iter().flatten().any(|parsed| parsed.rounded),
            offer_id: self.reference(Field::OfferId),
            offer_name: self.text(Field::OfferName),
            event_id: self.reference(Field::EventId),
            event_name: self.text(Field::EventName),
            ip,
            other_ips,
            country_code: self.country(),
            click: self.click(),
            sub1: self.text(Field::Sub1),
            sub2: self.text(Field::Sub2),
            unsent: self.unsent(),
            notes: self.notes,
            information,
        })
    }

    /// The transaction, if the network has one or a person stated one.
    fn transaction(&mut self) -> Result<Option<String>, Quarantine> {
        if self.definition.field(Field::TxId).is_none() && self.stated.tx_id.is_none() {
            return Ok(None);
        }
        self.transaction_in(Field::TxId).map(Some)
    }

    fn transaction_in(&mut self, field: Field) -> Result<String, Quarantine> {
        let id = self.id(field)?;
        if NO_TRANSACTION.contains(&id.trim().to_lowercase().as_str()) {
            return Err(self.quarantine(
                field,
                &format!("is \u{201c}{id}\u{201d}, a placeholder and not a transaction id"),
            ));
        }
        Ok(id)
    }

    /// The transaction, and what makes the reward unique if that is something else.
    fn key(
        &mut self,
        meaning: Meaning,
        tx_id: Option<String>,
    ) -> Result<(String, Option<String>), Quarantine> {
        let definition = self.definition;
        let template = definition.identity.reward_of(meaning);
        let mut values = Vec::new();
        for field in template.fields() {
            let value = match (field, &tx_id) {
                (Field::TxId, Some(tx_id)) => tx_id.clone(),
                // What a person states is the transaction of the credit.
                (Field::RefTxId, Some(tx_id)) if self.stated.tx_id.is_some() => tx_id.clone(),
                (Field::TxId | Field::RefTxId, _) => self.transaction_in(field)?,
                _ => self.id(field)?,
            };
            let is_transaction = matches!(field, Field::TxId | Field::RefTxId);
            let bare = if meaning == Meaning::Reversal && is_transaction && self.stated.tx_id.is_none() {
                self.params.reversal_id().credit_of(&value)
            } else {
                None
            };
            values.push((field, bare.unwrap_or(value)));
        }
        let value = |field| values.iter().find(|(own, _)| *own == field).map(|(_, value)| value.as_str());
        let key = template.identity(value).map_err(|field| self.missing(field))?;
        Ok(match tx_id {
            Some(tx_id) if tx_id == key => (tx_id, None),
            Some(tx_id) => (tx_id, Some(key)),
            None => (key, None),
        })
    }

    /// A time of day in an unknown zone says as little as none, and a payout in another currency as none in USD. For a
    /// bonus of its own the network owes none.
    fn unsent(&self) -> Vec<Field> {
        let click = self.definition.field(Field::ClickedAt);
        let click = click.is_none_or(|own| own.format == TimeFormat::Text).then_some(Field::ClickedAt);
        let payout = self.definition.field(Field::Payout);
        let payout = self.is_unpaid || payout.is_none_or(|own| own.unit.currency() != PAYOUT_CURRENCY);
        click.into_iter().chain(payout.then_some(Field::Payout)).collect()
    }

    fn given(&self, field: Field) -> Given<'_> {
        let mut given = Given { texts: Vec::new(), unfilled: None };
        for value in self.values(field) {
            match clean(&value, self.params.plus()) {
                Value::Blank => {}
                Value::Unfilled(text) => given.unfilled = Some(text),
                Value::Text(cleaned) => {
                    if given.texts.iter().all(|(known, _)| known.text != cleaned.text) {
                        given.texts.push((cleaned, value));
                    }
                }
            }
        }
        given
    }

    /// As received; what a person stated comes instead of it.
    fn values(&self, field: Field) -> Vec<parameters::Value<'_>> {
        if let Some(stated) = self.stated.value(field) {
            return vec![parameters::Value::plain(stated)];
        }
        match self.definition.field(field) {
            Some(definition) => match &definition.fixed {
                Some(fixed) => vec![parameters::Value::plain(fixed)],
                None => self.sent.values(&definition.parameter),
            },
            None => Vec::new(),
        }
    }

    /// A user, a transaction or another part of an identity, exactly as sent. Only blanks around a user id are removed;
    /// a transaction id is the key of everything that follows and keeps even those.
    fn id(&mut self, field: Field) -> Result<String, Quarantine> {
        let max = self.max_len(field);
        let given = self.given(field);
        let value = match (given.texts.as_slice(), given.unfilled) {
            ([], Some(sent)) => return Err(self.not_filled_in(field, &sent)),
            ([], None) => return Err(self.missing(field)),
            ([(_, value)], _) => value,
            _ => return Err(self.repeated(field)),
        };
        let Ok(sent) = String::from_utf8(value.decoded(self.params.plus()).into_owned()) else {
            return Err(self.quarantine(field, "is not UTF-8"));
        };
        // Postgres cannot store it, and no honest value contains it.
        if sent.contains('\0') {
            return Err(self.quarantine(field, "contains a NUL character"));
        }
        let is_transaction = matches!(field, Field::TxId | Field::RefTxId);
        let bare = sent.trim_matches(is_nothing);
        if bare.len() < sent.len() {
            let kept =
                if is_transaction { "has blanks around it, which were kept" } else { "had blanks around it" };
            self.cleaned(field, kept);
        }
        let id = if is_transaction { sent.as_str() } else { bare };
        if id.len() > max {
            return Err(self.quarantine(field, &format!("is longer than {max} bytes")));
        }
        if let Some(other) = self.swallowed(id) {
            let what = format!("contains `{other}`, which is a parameter of its own{}", self.separators());
            return Err(self.quarantine(field, &what));
        }
        if let Some(unfilled) = self.macro_inside(id) {
            let what = format!("contains {unfilled}, which the network did not fill in");
            return Err(self.quarantine(field, &what));
        }
        Ok(id.to_owned())
    }

    fn required_amount(&mut self, field: Field) -> Result<Parsed, Quarantine> {
        let given = self.given(field);
        let Some((first, _)) = given.texts.first() else {
            return Err(match given.unfilled {
                Some(sent) => self.not_filled_in(field, &sent),
                None => self.missing(field),
            });
        };
        let amounts: Vec<_> =
            given.texts.iter().map(|(cleaned, _)| self.amount_in(cleaned, field, Meaning::Credit)).collect();
        if amounts.iter().any(|amount| *amount != amounts[0]) {
            return Err(self.repeated(field));
        }
        let parsed = amounts[0].map_err(|error| {
            let what = match error {
                BadAmount::Money(MoneyError::NotDecimal) => format!(
                    "{error}: it says {}; only digits with at most one point can be read without guessing",
                    shown(&first.text)
                ),
                _ => error.to_string(),
            };
            self.quarantine(field, &what)
        })?;
        if first.trimmed {
            self.cleaned(field, "had blanks around it");
        }
        Ok(parsed)
    }

    /// The reward of a network that names only its payout: so many units for a USD.
    fn reward_that_follows(
        &self,
        meaning: Meaning,
        payout: Option<Parsed>,
    ) -> Result<Option<Parsed>, Quarantine> {
        match self.params.reward_per_usd() {
            Some(units) => {
                let Some(payout) = payout else { return Ok(None) };
                let amount = payout.amount.times(units);
                let amount = amount.map_err(|error| self.quarantine(Field::Reward, &error.to_string()))?;
                // The payout is what was sent, and whether that was rounded is said of it.
                Ok(Some(Parsed { amount, rounded: false }))
            }
            None if meaning == Meaning::Credit => {
                let what = "is not sent by this network: say in the settings of the source how many units a USD is, \
                            reward_per_usd = \"500\", and replay the postback";
                Err(self.quarantine(Field::Reward, what))
            }
            None => Ok(None),
        }
    }

    /// The amount in a value, without its sign; an error if characters were dropped, because it could be another amount.
    fn amount_in(&self, cleaned: &Cleaned, field: Field, meaning: Meaning) -> Result<Parsed, BadAmount> {
        if cleaned.controls {
            return Err(BadAmount::Money(MoneyError::NotDecimal));
        }
        let unit = match self.definition.field(field) {
            Some(definition) if field == Field::Payout => Cow::Borrowed(&definition.unit),
            _ => Cow::Owned(Unit::Usd),
        };
        let sent = unit.read(&cleaned.text).map_err(BadAmount::from)?;
        self.definition.identity.amounts.magnitude(sent, meaning)
    }
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
