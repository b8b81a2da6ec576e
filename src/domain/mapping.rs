//! Mapping: from a signed target to the event it reports, or the reason why it cannot be one.
//!
//! An answer of 200 means that the network never sends again, so only what makes money impossible to book keeps a
//! postback from being mapped: user, transaction, status, and the reward of a credit. Everything else is cleaned,
//! shortened or left out, with a [`Note`] that says so. An id is never changed so that two could become one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::address::addresses;
use crate::cleaning::{Cleaned, Value, clean, is_nothing, marked, shortened};
use crate::country::{self, Reported};
use crate::event::{Click, Event, Meaning, Note, NoteKind, Params, Quarantine};
use crate::money::{Micros, MoneyError, Parsed, Sent};
use crate::network::{Field, Kind};
use crate::query::Query;
use crate::stated::{STATABLE, Stated};
use crate::time::{SECOND_MS, TimestampMs};

/// Seconds beyond this are milliseconds by mistake: it is the year 5138.
const MAX_PLAUSIBLE_SECONDS: i64 = 99_999_999_999;
/// So much of a value is shown in a sentence.
const SHOWN_BYTES: usize = 60;
/// As a transaction these name none; all users would share it.
const NO_TRANSACTION: [&str; 7] = ["undefined", "null", "(null)", "none", "nil", "nan", "false"];

/// Maps `target` (path and query, as received) by the names of `params`.
pub fn map(target: &str, params: &Params) -> Result<Event, Quarantine> {
    map_stated(target, params, &Stated::default())
}

/// The same with what people stated in the place of what was received.
pub fn map_stated(target: &str, params: &Params, stated: &Stated) -> Result<Event, Quarantine> {
    let query = Query::with_plus(target, params.plus());
    // Read as if it had been received, so that it is not read less strictly.
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

/// Everything that stands under one name.
struct Given<'a> {
    /// Different texts, each with the first raw value that says it.
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
                &format!("is \u{201c}{tx_id}\u{201d}, which names no transaction"),
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

    // -- without these no money can be booked -----------------------------------------------------------------------

    /// A user or a transaction, exactly as sent: two that differ are two. Only blanks around a user are nothing; a
    /// transaction is the key of all that follows, and keeps even them.
    fn id(&mut self, field: Field) -> Result<String, Quarantine> {
        let max = self.max_len(field);
        let given = self.given(field);
        let raw = match (given.texts.as_slice(), given.unfilled) {
            ([], Some(sent)) => return Err(self.not_filled_in(field, &sent)),
            ([], None) => return Err(self.missing(field)),
            ([(_, raw)], _) => *raw,
            _ => {
                let what = "stands in the query more than once";
                return Err(self.quarantine(field, what));
            }
        };
        let Ok(sent) = String::from_utf8(self.query.decoded(raw).into_owned()) else {
            return Err(self.quarantine(field, "is not UTF-8"));
        };
        // Postgres cannot store it, no honest value has it.
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
            let what = "stands in the query more than once";
            return Err(self.quarantine(Field::Status, what));
        }
        let (trimmed, text) = (first.trimmed, first.text.clone());
        let Some(meaning) = meanings[0] else {
            let (shown, word) = (shown(&text), text.trim().to_lowercase());
            let word = shortened(&word, SHOWN_BYTES).replace(['"', '\\'], "");
            let cure = format!(
                "is unknown: it says {shown}; if that is a credit or a reversal, say so in the settings of the source, \
                 statuses = {{ \"{word}\" = \"reversal\" }}, and replay it"
            );
            return Err(self.quarantine(Field::Status, &cure));
        };
        if trimmed {
            self.cleaned(Field::Status, "had blanks around it");
        }
        Ok(meaning)
    }

    fn meaning_of(&self, cleaned: &Cleaned) -> Option<Meaning> {
        // Without what was dropped it could be another one.
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
            return Err(self.quarantine(field, "stands in the query more than once"));
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

    // -- everything else --------------------------------------------------------------------------------------------

    /// The one text of a field that may be absent; what cannot be used is noted.
    fn optional(&mut self, field: Field) -> Option<(Cleaned, Vec<u8>)> {
        let mut given = self.given(field);
        match (given.texts.len(), given.unfilled.is_some()) {
            (0, true) => {
                let text = format!("`{}`", self.params.param(field));
                self.note(Some(field), NoteKind::NotFilledIn, text);
                None
            }
            (0, false) => None,
            (1, _) => {
                let (cleaned, raw) = given.texts.remove(0);
                let raw = self.query.decoded(raw).into_owned();
                Some((cleaned, raw))
            }
            _ => {
                self.cleaned(field, "stands in the query with different values and was left out");
                None
            }
        }
    }

    /// A text for people: whatever can be shown of it.
    fn text(&mut self, field: Field) -> Option<String> {
        let (cleaned, _) = self.optional(field)?;
        let max = self.max_len(field);
        self.note_changes(field, &cleaned, max);
        Some(shortened(&cleaned.text, max).to_owned())
    }

    /// The id of an offer or an event: what could not be kept as it was is marked, so that it stays its own.
    fn reference(&mut self, field: Field) -> Option<String> {
        let (cleaned, raw) = self.optional(field)?;
        let max = self.max_len(field);
        self.note_changes(field, &cleaned, max);
        if cleaned.broken || cleaned.controls || cleaned.text.len() > max {
            return Some(marked(&cleaned.text, &raw, max));
        }
        Some(cleaned.text)
    }

    fn note_changes(&mut self, field: Field, cleaned: &Cleaned, max: usize) {
        if cleaned.broken {
            self.cleaned(field, "was not UTF-8, and what could not be read was replaced");
        }
        if cleaned.controls {
            self.cleaned(field, "had control characters, which were dropped");
        }
        if cleaned.text.len() > max {
            self.cleaned(field, &format!("was shortened to {max} bytes"));
        } else if cleaned.trimmed {
            self.cleaned(field, "had blanks around it");
        }
    }

    /// An amount that nothing depends on: what cannot be one is not known.
    fn optional_amount(&mut self, field: Field) -> Option<Parsed> {
        let (text, read) = self.sent_amount(field)?;
        match read.and_then(Sent::not_negative) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.cleaned(field, &format!("{error} ({}) and was left out", shown(&text)));
                None
            }
        }
    }

    /// How much a reversal takes back. Networks write it with or without a minus; zero says nothing.
    fn amount_taken_back(&mut self, field: Field) -> Option<Parsed> {
        let (text, read) = self.sent_amount(field)?;
        match read {
            Ok(sent) if sent.is_zero() => None,
            Ok(sent) => Some(Parsed { amount: sent.magnitude, rounded: sent.rounded }),
            Err(error) => {
                self.cleaned(field, &format!("{error} ({}) and was left out", shown(&text)));
                None
            }
        }
    }

    fn sent_amount(&mut self, field: Field) -> Option<(String, Result<Sent, MoneyError>)> {
        let given = self.given(field);
        let amounts: Vec<_> = given.texts.iter().map(|(cleaned, _)| sent_in(cleaned)).collect();
        if let Some((first, _)) = given.texts.first()
            && amounts.iter().all(|amount| *amount == amounts[0])
        {
            let (text, trimmed) = (first.text.clone(), first.trimmed);
            if trimmed {
                self.cleaned(field, "had blanks around it");
            }
            return Some((text, amounts[0]));
        }
        self.optional(field).map(|(cleaned, _)| {
            let read = sent_in(&cleaned);
            (cleaned.text, read)
        })
    }

    /// Why nothing follows from a postback. Zero for the user and nothing from the network is a step on the way that
    /// some networks report.
    fn information(
        &self,
        meaning: Meaning,
        reward: Option<Parsed>,
        payout: Option<Parsed>,
    ) -> Option<String> {
        let is_zero = |parsed: Parsed| parsed.amount.0 == 0 && !parsed.rounded;
        // A payout that could not be read is not known to be nothing.
        let nothing_paid = payout.map_or_else(|| !self.is_noted(Field::Payout), is_zero);
        match meaning {
            Meaning::Information => {
                Some("recorded only: the settings say that this status is information".into())
            }
            Meaning::Credit if reward.is_some_and(is_zero) && nothing_paid => {
                Some("recorded only: it carries no money".into())
            }
            Meaning::Credit | Meaning::Reversal => None,
        }
    }

    fn is_noted(&self, field: Field) -> bool {
        self.notes.iter().any(|note| note.field == Some(field))
    }

    fn addresses(&mut self) -> (Option<String>, Vec<IpAddr>) {
        let Some((cleaned, _)) = self.optional(Field::Ip) else { return (None, Vec::new()) };
        // An address leaves at the end of its term and what is noted stays, so no note names one.
        let Some(found) = addresses(&cleaned.text) else {
            self.cleaned(Field::Ip, "holds no address and was left out");
            return (None, Vec::new());
        };
        if found.entries > 1 {
            let text = format!("is a list of {} entries; the first public address was taken", found.entries);
            self.cleaned(Field::Ip, &text);
        } else if cleaned.controls || cleaned.text.parse::<IpAddr>().is_err() {
            self.cleaned(Field::Ip, "had something around the address, which was taken out");
        } else if cleaned.trimmed {
            self.cleaned(Field::Ip, "had blanks around it");
        }
        (Some(found.first.to_string()), found.others)
    }

    fn country(&mut self) -> Option<String> {
        let (cleaned, _) = self.optional(Field::CountryCode)?;
        // Two letters or digits are a code as databases have it, known or not.
        if cleaned.text.len() == 2 && cleaned.text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            if cleaned.trimmed {
                self.cleaned(Field::CountryCode, "had blanks around it");
            }
            return Some(cleaned.text);
        }
        let sent = shown(&cleaned.text);
        match country::read(&cleaned.text) {
            Some(Reported::Country(code)) => {
                self.cleaned(Field::CountryCode, &format!("is {sent}, read as {code}"));
                Some(code.to_owned())
            }
            Some(Reported::Hidden(_)) | None => {
                self.cleaned(
                    Field::CountryCode,
                    &format!("is {sent}, which is not known as one country, and was left out"),
                );
                None
            }
        }
    }

    fn click(&mut self) -> Click {
        let Some((cleaned, _)) = self.optional(Field::Timestamp) else { return Click::Missing };
        let max = self.max_len(Field::Timestamp);
        match cleaned.text.parse::<i64>() {
            Ok(seconds @ 1..=MAX_PLAUSIBLE_SECONDS) => {
                self.note_changes(Field::Timestamp, &cleaned, max);
                Click::At(TimestampMs(seconds * SECOND_MS))
            }
            _ => Click::Unusable(shortened(&cleaned.text, max).to_owned()),
        }
    }

    // -- words ------------------------------------------------------------------------------------------------------

    fn max_len(&self, field: Field) -> usize {
        let definition = self.params.network().fields().iter().find(|definition| definition.field == field);
        definition.map_or(0, |definition| definition.max_len)
    }

    fn cleaned(&mut self, field: Field, what: &str) {
        let text = format!("`{}` {what}", self.params.param(field));
        self.note(Some(field), NoteKind::Cleaned, text);
    }

    fn note(&mut self, field: Option<Field>, kind: NoteKind, text: String) {
        self.notes.push(Note { field, kind, text });
    }

    fn quarantine(&self, field: Field, what: &str) -> Quarantine {
        Quarantine { reason: format!("`{}` {what}", self.params.param(field)) }
    }

    fn not_filled_in(&self, field: Field, sent: &str) -> Quarantine {
        let name = self.params.param(field);
        Quarantine {
            reason: format!(
                "the network did not fill in `{name}`: it sent {}, a macro that it does not know; correct the URL in its \
                 dashboard",
                shown(sent)
            ),
        }
    }

    fn missing(&self, field: Field) -> Quarantine {
        self.quarantine(field, &format!("is missing{}", self.separators()))
    }

    /// What stands in the URL where `&` belongs, if anything does.
    fn separators(&self) -> &'static str {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let lower = query.to_ascii_lowercase();
        if self.query.has_entities() || lower.contains("amp;") || lower.contains("amp%3b") {
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

    fn is_encoded_twice(&self, lower_query: &str) -> bool {
        ["%26", "%2526", "\\u0026"].iter().any(|separator| {
            let mut names =
                self.params.network().fields().iter().map(|definition| self.params.name_of(definition));
            names.any(|name| lower_query.contains(&format!("{separator}{}", name.to_ascii_lowercase())))
        })
    }

    /// The parameter that a value has swallowed because something else than `&` stands before it.
    fn swallowed(&self, text: &str) -> Option<&str> {
        // Most values have no `=` at all.
        if !text.contains('=') {
            return None;
        }
        let separators = ["&", ";", "?", "u0026"];
        self.params.network().fields().iter().map(|definition| self.params.name_of(definition)).find(|name| {
            let mut places = text.match_indices(name).map(|(at, _)| at);
            places.any(|at| {
                let (before, after) = (&text[..at], &text[at + name.len()..]);
                after.starts_with('=') && separators.iter().any(|separator| before.ends_with(separator))
            })
        })
    }

    /// A macro of the network inside a longer text: `user-{user_id}`.
    fn macro_inside(&self, text: &str) -> Option<&'static str> {
        if !text.contains('{') {
            return None;
        }
        let mut names = self.params.network().fields().iter().map(|definition| definition.name);
        names.find(|name| text.contains(&format!("{{{name}}}")))
    }
}

/// The amount in a value. Without a character that was dropped it could be another one.
fn sent_in(cleaned: &Cleaned) -> Result<Sent, MoneyError> {
    if cleaned.controls { Err(MoneyError::NotDecimal) } else { Micros::parse_sent(&cleaned.text) }
}

/// A value in a sentence.
fn shown(text: &str) -> String {
    let start = shortened(text, SHOWN_BYTES).replace(char::is_control, " ");
    let end = if start.len() < text.len() { "\u{2026}" } else { "" };
    format!("\u{201c}{start}{end}\u{201d}")
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
