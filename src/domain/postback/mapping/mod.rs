//! Mapping: from a signed target to the event it reports, or the reason why it cannot be one.
//!
//! An answer of 200 means that the network never sends again, so only what makes money impossible to book keeps a
//! postback from being mapped: user, transaction, status, and the reward of a credit. Everything else is cleaned,
//! shortened or left out, with a [`Note`] that says so. Ids are never changed in a way that could make two of them
//! one.
//!
//! Required fields are here, all others in `optional`, notes and reasons in `notes`.

mod notes;
mod optional;

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::money::{Micros, MoneyError, Parsed, Sent};
use crate::postback::cleaning::{Cleaned, SHOWN_BYTES, Value, clean, is_nothing, shortened, shown};
use crate::postback::event::{Event, Meaning, Note, NoteKind, Params, Quarantine};
use crate::postback::network::{Field, Kind};
use crate::postback::query::Query;
use crate::postback::stated::{STATABLE, Stated};

/// Seconds beyond this are milliseconds by mistake: it is the year 5138.
const MAX_PLAUSIBLE_SECONDS: i64 = 99_999_999_999;
/// Placeholders instead of a transaction id; all users would share them.
pub(crate) const NO_TRANSACTION: [&str; 7] = ["undefined", "null", "(null)", "none", "nil", "nan", "false"];

/// Maps `target` (path and query, as received) by the names of `params`.
pub fn map(target: &str, params: &Params) -> Result<Event, Quarantine> {
    map_stated(target, params, &Stated::default())
}

/// The same, with stated values in place of received ones.
pub fn map_stated(target: &str, params: &Params, stated: &Stated) -> Result<Event, Quarantine> {
    let query = Query::with_plus(target, params.plus());
    // Read like a received value, so that it is read as strictly.
    let encode = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let fields = STATABLE.into_iter().filter(|(field, _)| *field != Field::Status);
    let as_received =
        fields.filter_map(|(field, _)| Some((field, encode(stated.value(field, params.network())?))));
    let (as_received, stated_status) = (as_received.collect(), stated.status);
    Mapping { target, params, query, as_received, stated_status, notes: Vec::new() }.event()
}

struct Mapping<'a> {
    target: &'a str,
    params: &'a Params,
    query: Query<'a>,
    /// What people stated, encoded as in a URL.
    as_received: BTreeMap<Field, String>,
    stated_status: Option<Kind>,
    notes: Vec<Note>,
}

/// All values of one parameter.
struct Given<'a> {
    /// Different texts, each with the first raw value that has it.
    texts: Vec<(Cleaned, &'a str)>,
    /// A macro that was not filled in.
    unfilled: Option<String>,
}

impl Mapping<'_> {
    fn event(mut self) -> Result<Event, Quarantine> {
        if self.query.has_entities() {
            self.note(None, NoteKind::Cleaned, "the parameters are separated by `&amp;`, read as `&`".into());
        }
        let user_id = self.id(Field::UserId)?;
        let tx_id = self.id(Field::TxId)?;
        if NO_TRANSACTION.contains(&tx_id.trim().to_lowercase().as_str()) {
            return Err(self.quarantine(
                Field::TxId,
                &format!("is \u{201c}{tx_id}\u{201d}, a placeholder and not a transaction id"),
            ));
        }
        let meaning = self.meaning()?;
        let credit_tx = match meaning {
            Meaning::Reversal => self.params.reversal_id().credit_of(&tx_id),
            Meaning::Credit | Meaning::Information => None,
        };
        let kind = if meaning == Meaning::Reversal { Kind::Reversal } else { Kind::Credit };
        let reward = match meaning {
            Meaning::Credit => Some(self.required_amount(Field::Reward)?),
            Meaning::Reversal => self.amount_taken_back(Field::Reward),
            Meaning::Information => self.optional_amount(Field::Reward),
        };
        let payout = match meaning {
            Meaning::Reversal => self.amount_taken_back(Field::Payout),
            Meaning::Credit | Meaning::Information => self.optional_amount(Field::Payout),
        };
        let information = self.information(meaning, reward, payout);
        let (ip, other_ips) = self.addresses();
        Ok(Event {
            kind,
            user_id,
            tx_id,
            credit_tx,
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
            notes: self.notes,
            information,
        })
    }

    fn given(&self, field: Field) -> Given<'_> {
        let mut given = Given { texts: Vec::new(), unfilled: None };
        let stated = self.as_received.get(&field);
        let received = stated.is_none().then(|| self.query.values(self.params.param(field)));
        for raw in stated.map(String::as_str).into_iter().chain(received.into_iter().flatten()) {
            match clean(&self.query, raw) {
                Value::Blank => {}
                Value::Unfilled(text) => given.unfilled = Some(text),
                Value::Text(cleaned) => {
                    if given.texts.iter().all(|(known, _)| known.text != cleaned.text) {
                        given.texts.push((cleaned, raw));
                    }
                }
            }
        }
        given
    }

    /// A user or transaction id, exactly as sent. Only blanks around a user id are removed; a transaction id is the
    /// key of everything that follows and keeps even those.
    fn id(&mut self, field: Field) -> Result<String, Quarantine> {
        let max = self.max_len(field);
        let given = self.given(field);
        let raw = match (given.texts.as_slice(), given.unfilled) {
            ([], Some(sent)) => return Err(self.not_filled_in(field, &sent)),
            ([], None) => return Err(self.missing(field)),
            ([(_, raw)], _) => *raw,
            _ => {
                let what = "appears more than once in the query";
                return Err(self.quarantine(field, what));
            }
        };
        let Ok(sent) = String::from_utf8(self.query.decoded(raw).into_owned()) else {
            return Err(self.quarantine(field, "is not UTF-8"));
        };
        // Postgres cannot store it, and no honest value contains it.
        if sent.contains('\0') {
            return Err(self.quarantine(field, "contains a NUL character"));
        }
        let bare = sent.trim_matches(is_nothing);
        if bare.len() < sent.len() {
            let kept = if field == Field::UserId {
                "had blanks around it"
            } else {
                "has blanks around it, which were kept"
            };
            self.cleaned(field, kept);
        }
        let id = if field == Field::UserId { bare } else { sent.as_str() };
        if id.len() > max {
            return Err(self.quarantine(field, &format!("is longer than {max} bytes")));
        }
        if let Some(other) = self.swallowed(id) {
            let what = format!("contains `{other}`, which is a parameter of its own{}", self.separators());
            return Err(self.quarantine(field, &what));
        }
        if let Some(unfilled) = self.macro_inside(id) {
            let what = format!("contains {{{unfilled}}}, which the network did not fill in");
            return Err(self.quarantine(field, &what));
        }
        Ok(id.to_owned())
    }

    fn meaning(&mut self) -> Result<Meaning, Quarantine> {
        if let Some(kind) = self.stated_status {
            return Ok(Meaning::from(kind));
        }
        let given = self.given(Field::Status);
        let Some((first, _)) = given.texts.first() else {
            return Err(match given.unfilled {
                Some(sent) => self.not_filled_in(Field::Status, &sent),
                None => self.missing(Field::Status),
            });
        };
        let meanings: Vec<_> = given.texts.iter().map(|(cleaned, _)| self.meaning_of(cleaned)).collect();
        if meanings.iter().any(|meaning| *meaning != meanings[0]) {
            let what = "appears more than once in the query";
            return Err(self.quarantine(Field::Status, what));
        }
        let (trimmed, text) = (first.trimmed, first.text.clone());
        let Some(meaning) = meanings[0] else {
            let (shown, word) = (shown(&text), text.trim().to_lowercase());
            let word = shortened(&word, SHOWN_BYTES).replace(['"', '\\'], "");
            let cure = format!(
                "is unknown: it says {shown}; if it means a credit or a reversal, map it in the settings of the source, \
                 statuses = {{ \"{word}\" = \"reversal\" }}, and replay the postback"
            );
            return Err(self.quarantine(Field::Status, &cure));
        };
        if trimmed {
            self.cleaned(Field::Status, "had blanks around it");
        }
        Ok(meaning)
    }

    fn meaning_of(&self, cleaned: &Cleaned) -> Option<Meaning> {
        // With characters dropped it could be another word.
        (!cleaned.controls).then(|| self.params.meaning(&cleaned.text)).flatten()
    }

    fn required_amount(&mut self, field: Field) -> Result<Parsed, Quarantine> {
        let given = self.given(field);
        let Some((first, _)) = given.texts.first() else {
            return Err(match given.unfilled {
                Some(sent) => self.not_filled_in(field, &sent),
                None => self.missing(field),
            });
        };
        let amounts: Vec<_> = given.texts.iter().map(|(cleaned, _)| sent_in(cleaned)).collect();
        if amounts.iter().any(|amount| *amount != amounts[0]) {
            return Err(self.quarantine(field, "appears more than once in the query"));
        }
        let parsed = amounts[0].and_then(Sent::not_negative).map_err(|error| {
            let what = match error {
                MoneyError::NotDecimal => format!(
                    "{error}: it says {}; only digits with at most one point can be read without guessing",
                    shown(&first.text)
                ),
                MoneyError::Negative | MoneyError::TooLarge => error.to_string(),
            };
            self.quarantine(field, &what)
        })?;
        if first.trimmed {
            self.cleaned(field, "had blanks around it");
        }
        Ok(parsed)
    }
}

/// The amount in a value; an error if characters were dropped, because it could be another amount.
fn sent_in(cleaned: &Cleaned) -> Result<Sent, MoneyError> {
    if cleaned.controls { Err(MoneyError::NotDecimal) } else { Micros::parse_sent(&cleaned.text) }
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
