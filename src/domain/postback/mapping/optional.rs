//! Fields that may be absent: what cannot be used is shortened or left out, and noted.

use std::net::IpAddr;

use super::{MAX_PLAUSIBLE_SECONDS, Mapping, sent_in};
use crate::address::addresses;
use crate::country::{self, Reported};
use crate::money::{MoneyError, Parsed, Sent};
use crate::postback::cleaning::{Cleaned, marked, shortened, shown};
use crate::postback::event::{Click, Meaning, NoteKind};
use crate::postback::network::Field;
use crate::time::{SECOND_MS, TimestampMs};

impl Mapping<'_> {
    /// The one text of a field that may be absent; what cannot be used is noted.
    fn optional(&mut self, field: Field) -> Option<(Cleaned, String)> {
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
                // The raw value is only needed for a marked id.
                let raw = if cleaned.broken || cleaned.controls || cleaned.text.len() > self.max_len(field) {
                    raw.to_owned()
                } else {
                    String::new()
                };
                Some((cleaned, raw))
            }
            _ => {
                self.cleaned(field, "appears in the query with different values and was left out");
                None
            }
        }
    }

    /// A text for people, cleaned and shortened.
    pub(super) fn text(&mut self, field: Field) -> Option<String> {
        let (cleaned, _) = self.optional(field)?;
        let max = self.max_len(field);
        self.note_changes(field, &cleaned, max);
        Some(shortened(&cleaned.text, max).to_owned())
    }

    /// The id of an offer or an event. One that had to be changed gets a mark, so that it stays unique.
    pub(super) fn reference(&mut self, field: Field) -> Option<String> {
        let (cleaned, raw) = self.optional(field)?;
        let max = self.max_len(field);
        self.note_changes(field, &cleaned, max);
        if cleaned.broken || cleaned.controls || cleaned.text.len() > max {
            return Some(marked(&cleaned.text, &self.query.decoded(&raw), max));
        }
        Some(cleaned.text)
    }

    fn note_changes(&mut self, field: Field, cleaned: &Cleaned, max: usize) {
        if cleaned.broken {
            self.cleaned(field, "was not UTF-8; unreadable bytes were replaced");
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

    /// An amount that nothing depends on; unreadable ones are left out.
    pub(super) fn optional_amount(&mut self, field: Field) -> Option<Parsed> {
        let (text, read) = self.sent_amount(field)?;
        match read.and_then(Sent::not_negative) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.cleaned(field, &format!("{error} ({}) and was left out", shown(&text)));
                None
            }
        }
    }

    /// How much a reversal takes back. Networks write it with or without a minus; zero counts as not sent.
    pub(super) fn amount_taken_back(&mut self, field: Field) -> Option<Parsed> {
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

    /// Why a postback has no effect. No reward and no payout is an intermediate step that some networks report.
    pub(super) fn information(
        &self,
        meaning: Meaning,
        reward: Option<Parsed>,
        payout: Option<Parsed>,
    ) -> Option<String> {
        let is_zero = |parsed: Parsed| parsed.amount.0 == 0 && !parsed.rounded;
        // An unreadable payout may be more than nothing.
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

    pub(super) fn addresses(&mut self) -> (Option<String>, Vec<IpAddr>) {
        let Some((cleaned, _)) = self.optional(Field::Ip) else { return (None, Vec::new()) };
        // Addresses are deleted after their retention and notes are not, so no note names an address.
        let Some(found) = addresses(&cleaned.text) else {
            self.cleaned(Field::Ip, "is not an IP address and was left out");
            return (None, Vec::new());
        };
        if found.entries > 1 {
            let text = format!("is a list of {} entries; the first public address was taken", found.entries);
            self.cleaned(Field::Ip, &text);
        } else if cleaned.controls || cleaned.text.parse::<IpAddr>().is_err() {
            self.cleaned(Field::Ip, "had extra text around the address, which was removed");
        } else if cleaned.trimmed {
            self.cleaned(Field::Ip, "had blanks around it");
        }
        (Some(found.first.to_string()), found.others)
    }

    pub(super) fn country(&mut self) -> Option<String> {
        let (cleaned, _) = self.optional(Field::CountryCode)?;
        // Two letters or digits are a database code, known or not.
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
                    &format!("is {sent}, which does not name exactly one country, and was left out"),
                );
                None
            }
        }
    }

    pub(super) fn click(&mut self) -> Click {
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
}
