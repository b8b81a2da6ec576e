//! The fields of a definition: what a parameter means, how long it may be, and in which unit it is.

use chrono::{DateTime, NaiveDateTime};
use serde::{Deserialize, Serialize};

use crate::time::{SECOND_MS, TimestampMs};

/// The year 5138: more is another unit by mistake.
const MAX_PLAUSIBLE_MS: i64 = 99_999_999_999_999;

/// What a parameter may say. Each network has its own macro and parameter for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The publisher's own id of the user.
    UserId,
    /// The network's id of this transaction.
    TxId,
    /// The transaction that a reversal takes back, where it has one of its own.
    RefTxId,
    /// The click that several transactions may share.
    ClickId,
    /// The reward in the user's currency.
    Reward,
    /// What the network pays the publisher.
    Payout,
    /// Approved, reversed, pending: a number or a word.
    Status,
    /// The same for networks that call it a state, or have both.
    State,
    /// The type of the event, where it decides the kind.
    Type,
    /// `1`, `true` or `yes`: it is a test, whatever its status.
    Test,
    /// Why it was reversed or not paid.
    Reason,
    /// The network's id of the offer.
    OfferId,
    /// The offer's name, for people.
    OfferName,
    /// The network's id of the event within the offer.
    EventId,
    /// The event's name, for people.
    EventName,
    /// The user's address at completion; not that of the caller.
    Ip,
    /// The user's country.
    CountryCode,
    /// When the user clicked. In documents of before it has the name that `TarGo` gives it.
    #[serde(alias = "timestamp")]
    ClickedAt,
    /// When the user was done, or when the network says so.
    ConvertedAt,
    /// The publisher's own values.
    Sub1,
    /// The second of them.
    Sub2,
    /// The third.
    Sub3,
    /// The fourth.
    Sub4,
    /// The fifth.
    Sub5,
}

impl Field {
    /// Every field, in the order in which lists show them.
    pub const ALL: [Self; 24] = [
        Self::UserId,
        Self::TxId,
        Self::RefTxId,
        Self::ClickId,
        Self::Reward,
        Self::Payout,
        Self::Status,
        Self::State,
        Self::Type,
        Self::Test,
        Self::Reason,
        Self::OfferId,
        Self::OfferName,
        Self::EventId,
        Self::EventName,
        Self::Ip,
        Self::CountryCode,
        Self::ClickedAt,
        Self::ConvertedAt,
        Self::Sub1,
        Self::Sub2,
        Self::Sub3,
        Self::Sub4,
        Self::Sub5,
    ];

    /// The name in a definition.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserId => "user_id",
            Self::TxId => "tx_id",
            Self::RefTxId => "ref_tx_id",
            Self::ClickId => "click_id",
            Self::Reward => "reward",
            Self::Payout => "payout",
            Self::Status => "status",
            Self::State => "state",
            Self::Type => "type",
            Self::Test => "test",
            Self::Reason => "reason",
            Self::OfferId => "offer_id",
            Self::OfferName => "offer_name",
            Self::EventId => "event_id",
            Self::EventName => "event_name",
            Self::Ip => "ip",
            Self::CountryCode => "country_code",
            Self::ClickedAt => "clicked_at",
            Self::ConvertedAt => "converted_at",
            Self::Sub1 => "sub1",
            Self::Sub2 => "sub2",
            Self::Sub3 => "sub3",
            Self::Sub4 => "sub4",
            Self::Sub5 => "sub5",
        }
    }

    /// The field of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The longest value in bytes after decoding, unless a definition says otherwise. Ids are indexed, so they are
    /// short; names are for people.
    pub(crate) fn default_max_bytes(self) -> usize {
        match self {
            Self::UserId | Self::TxId | Self::RefTxId | Self::ClickId | Self::OfferId | Self::EventId => 256,
            Self::Reward | Self::Payout | Self::Status | Self::State | Self::Type | Self::Test | Self::Ip => {
                64
            }
            Self::CountryCode => 16,
            Self::ClickedAt | Self::ConvertedAt => 32,
            Self::Reason
            | Self::OfferName
            | Self::EventName
            | Self::Sub1
            | Self::Sub2
            | Self::Sub3
            | Self::Sub4
            | Self::Sub5 => 1_024,
        }
    }

    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::ClickedAt | Self::ConvertedAt)
    }
}

/// One field of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDefinition {
    /// What the value means.
    pub field: Field,
    /// As it is written in the network's dashboard, with its brackets; `None` if the network adds the parameter itself.
    pub macro_text: Option<String>,
    /// The parameter that carries it; a dotted path in JSON. Empty if its value is fixed.
    pub parameter: String,
    /// True if the source has given the parameter another name.
    pub is_renamed: bool,
    /// The same value in every call, where the network sends none: Unity Ads has no amount.
    pub fixed: Option<String>,
    /// The longest value, in bytes after decoding.
    pub max_bytes: usize,
    /// Of a payout.
    pub unit: Unit,
    /// Of a time.
    pub format: TimeFormat,
}

impl FieldDefinition {
    /// The macro; of a parameter that the network adds itself, the parameter in braces stands for it.
    pub fn placeholder(&self) -> String {
        self.macro_text.clone().unwrap_or_else(|| format!("{{{}}}", self.parameter))
    }

    /// The macro without its brackets, e.g. `user_id`; the parameter if the network adds it itself.
    pub fn bare_macro(&self) -> &str {
        let bare =
            self.macro_text.as_deref().map(|text| text.trim_matches(|c: char| "{}[]%<>$#".contains(c)));
        bare.filter(|bare| !bare.is_empty()).unwrap_or(&self.parameter)
    }
}

/// The unit of a payout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// US dollars.
    #[default]
    Usd,
    /// Hundredths of a US dollar.
    UsdCents,
    /// Another currency, ISO 4217, e.g. `EUR`.
    Currency(String),
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds since 1970.
    #[default]
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// `YYYYMMDDHHMM`, UTC.
    Minutes,
    /// RFC 3339, e.g. `2026-01-02T14:55:00Z`.
    Rfc3339,
    /// Text that no rule reads.
    Text,
}

impl TimeFormat {
    /// Every format with its name in a definition.
    pub const ALL: [(&'static str, Self); 5] = [
        ("seconds", Self::Seconds),
        ("millis", Self::Millis),
        ("YYYYMMDDHHMM", Self::Minutes),
        ("rfc3339", Self::Rfc3339),
        ("text", Self::Text),
    ];

    /// The instant that `text` says; `None` if it is not in this format, or not after 1970 and before 5138.
    pub fn read(self, text: &str) -> Option<TimestampMs> {
        let number =
            || text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
        let ms = match self {
            Self::Seconds => number()?.checked_mul(SECOND_MS)?,
            Self::Millis => number()?,
            // Every part is needed, so that nothing is guessed.
            Self::Minutes if text.len() == 12 => {
                NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M").ok()?.and_utc().timestamp_millis()
            }
            Self::Rfc3339 => DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis(),
            Self::Minutes | Self::Text => return None,
        };
        (1..=MAX_PLAUSIBLE_MS).contains(&ms).then_some(TimestampMs(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_its_own_format_only() {
        let text = ["1767365700", "1767365700000", "202601021455", "2026-01-02T14:55:00Z"];
        let formats = [TimeFormat::Seconds, TimeFormat::Millis, TimeFormat::Minutes, TimeFormat::Rfc3339];
        for (text, format) in text.into_iter().zip(formats) {
            assert_eq!(format.read(text), Some(TimestampMs(1_767_365_700_000)), "{text}");
            assert_eq!(TimeFormat::Text.read(text), None);
        }
        for (format, text) in [
            (TimeFormat::Seconds, "1767365700000"),
            (TimeFormat::Seconds, "0"),
            (TimeFormat::Seconds, "-1"),
            (TimeFormat::Seconds, ""),
            (TimeFormat::Seconds, "99999999999999999999"),
            (TimeFormat::Minutes, "20260102145"),
            (TimeFormat::Minutes, "202613021455"),
            (TimeFormat::Rfc3339, "2026-01-02"),
        ] {
            assert_eq!(format.read(text), None, "{text}");
        }
    }

    #[test]
    fn every_field_is_found_by_its_name() {
        for field in Field::ALL {
            assert_eq!(Field::named(field.name()), Some(field));
        }
        assert_eq!(Field::named("uid"), None);
    }
}
