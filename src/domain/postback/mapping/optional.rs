//! Fields that may be absent: what cannot be used is shortened or left out, and noted.

use std::net::IpAddr;

use super::Mapping;
use crate::address::addresses;
use crate::country::{self, Reported};
use crate::money::Parsed;
use crate::postback::cleaning::{Cleaned, marked, shortened, shown};
use crate::postback::event::{Click, NoteKind};
use crate::postback::networks::identity::BadAmount;
use crate::postback::networks::kinds::Meaning;
use crate::postback::networks::{Field, TimeFormat};

impl Mapping<'_> {
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
                let (cleaned, value) = given.texts.remove(0);
                // The bytes are only needed for a marked id.
                let bytes = if cleaned.broken || cleaned.controls || cleaned.text.len() > self.max_len(field)
                {
                    value.decoded(self.params.plus()).into_owned()
                } else {
                    Vec::new()
                };
                Some((cleaned, bytes))
            }
            _ => {
                self.cleaned(field, "appears with different values and was left out");
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
        let (cleaned, bytes) = self.optional(field)?;
        let max = self.max_len(field);
        self.note_changes(field, &cleaned, max);
        if cleaned.broken || cleaned.controls || cleaned.text.len() > max {
            return Some(marked(&cleaned.text, &bytes, max));
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
        self.amount(field, Meaning::Credit)
    }

    /// How much a reversal takes back. Zero counts as not sent.
    pub(super) fn amount_taken_back(&mut self, field: Field) -> Option<Parsed> {
        self.amount(field, Meaning::Reversal).filter(|parsed| parsed.amount.0 != 0 || parsed.rounded)
    }

    fn amount(&mut self, field: Field, meaning: Meaning) -> Option<Parsed> {
        let (text, read) = self.sent_amount(field, meaning)?;
        let parsed = read
            .map_err(|error| self.cleaned(field, &format!("{error} ({}) and was left out", shown(&text))))
            .ok()?;
        let currency = self.definition.field(field).map(|definition| definition.unit.currency());
        if field == Field::Payout
            && let Some(currency) = currency.filter(|currency| *currency != crate::money::PAYOUT_CURRENCY)
        {
            let text =
                format!("is {} {currency}, and only USD can be booked: it was left out", parsed.amount);
            self.cleaned(field, &text);
            return None;
        }
        Some(parsed)
    }

    fn sent_amount(&mut self, field: Field, meaning: Meaning) -> Option<(String, Result<Parsed, BadAmount>)> {
        let given = self.given(field);
        let amounts: Vec<_> =
            given.texts.iter().map(|(cleaned, _)| self.amount_in(cleaned, field, meaning)).collect();
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
            let read = self.amount_in(&cleaned, field, meaning);
            (cleaned.text, read)
        })
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
        let format = self.definition.field(Field::ClickedAt).map(|definition| definition.format);
        // A time of day in an unknown zone says nothing.
        let Some(format) = format.filter(|format| *format != TimeFormat::Text) else { return Click::Missing };
        let Some((cleaned, _)) = self.optional(Field::ClickedAt) else { return Click::Missing };
        let max = self.max_len(Field::ClickedAt);
        match format.read(&cleaned.text) {
            Some(at) => {
                self.note_changes(Field::ClickedAt, &cleaned, max);
                Click::At(at)
            }
            None => Click::Unusable(shortened(&cleaned.text, max).to_owned()),
        }
    }
}
