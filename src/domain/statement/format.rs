//! How a network writes its statements. Networks differ in every detail, so every detail is a setting.

use std::collections::BTreeMap;
use std::fmt;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::controls::Control;
use super::number::AmountForm;
use super::times;
use crate::money::PAYOUT_CURRENCY;

/// The fields that a column can hold.
pub(super) const FIELDS: [&str; 9] =
    ["tx_id", "status", "user_id", "offer_id", "event_id", "amount", "currency", "time", "count"];

/// Default of [`Format::key`].
const KEY: &str = "sources.statement";

/// How a network writes its statements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Format {
    /// The character between two fields, e.g. `,` or `;`.
    pub delimiter: char,
    /// True if the first line names the columns; lines in front of that are titles.
    pub header: bool,
    /// True if amounts are written as `1.234,50`.
    pub decimal_comma: bool,
    /// How else amounts are written.
    pub amounts: Vec<AmountForm>,
    /// `rfc3339`, `unix` (seconds), `unix_ms`, `unix_us`, `excel` (days since 1899), or a pattern such as
    /// `%d.%m.%Y %H:%M` or `%Y-%m-%d`.
    pub time: String,
    /// The zone of times that name none.
    pub zone: String,
    /// The currency of lines that name none.
    pub currency: String,
    /// Field to column: its name in the header, its number from 1, or nothing if no column holds it. Fields: `tx_id`,
    /// `status`, `user_id`, `offer_id`, `event_id`, `amount`, `currency`, `time`, `count`. A field that is not listed
    /// has its own name in the header, if at all. `amount` is required, and `tx_id`, `user_id` or, with `daily_sums`,
    /// `time`.
    pub columns: BTreeMap<String, String>,
    /// True if a line that names neither a transaction nor a user is the sum of a day, perhaps of one offer or event.
    pub daily_sums: bool,
    /// Control figures of the file: name to the label before the figure. Names: `opening`, `closing`, `total`,
    /// `credits`, `reversals` (amounts) and `lines` (a count).
    pub controls: BTreeMap<String, String>,
    /// Values of `status` that mean a credit, in any case.
    pub credits: Vec<String>,
    /// Values of `status` that mean a reversal. Without a column `status`, an amount below zero is one.
    pub reversals: Vec<String>,
    /// Where these settings are, e.g. `sources[0].statement`, for error messages.
    #[serde(skip, default = "key")]
    pub key: String,
}

fn key() -> String {
    KEY.to_owned()
}

impl Default for Format {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            delimiter: ',',
            header: true,
            decimal_comma: false,
            amounts: Vec::new(),
            time: "rfc3339".into(),
            zone: "UTC".into(),
            currency: PAYOUT_CURRENCY.into(),
            columns: BTreeMap::new(),
            daily_sums: false,
            controls: BTreeMap::new(),
            credits: words(&["1", "approved", "credit", "credited"]),
            reversals: words(&["0", "2", "reversed", "reversal", "chargeback"]),
            key: key(),
        }
    }
}

/// A fault of one setting that shows without a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatFault {
    /// The setting, e.g. `time`.
    pub key: &'static str,
    /// What is wrong, as a clause after the key.
    pub what: String,
    /// What to do, as a clause.
    pub cure: String,
}

impl fmt::Display for FormatFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` {}; {}", self.key, self.what, self.cure)
    }
}

impl Format {
    /// Faults of the settings that can be found without a file.
    pub fn faults(&self) -> Vec<FormatFault> {
        let mut faults = Vec::new();
        let mut add = |key, what: String, cure: String| faults.push(FormatFault { key, what, cure });
        let delimits = |letter: char| {
            letter.is_ascii() && !letter.is_ascii_alphanumeric() && !"\"\r\n\0".contains(letter)
        };
        if !delimits(self.delimiter) {
            let what = format!("is `{}`, which does not separate fields", self.delimiter.escape_default());
            let cure = "write one ASCII character that is neither a letter, a digit nor a quotation mark";
            add("delimiter", what, cure.into());
        }
        if !times::is_setting(&self.time) {
            add("time", format!("is `{}`, which is not a format of times", self.time), times::CURE.into());
        }
        if self.zone.parse::<Tz>().is_err() {
            let what = format!("is `{}`, which is not a time zone", self.zone);
            add("zone", what, "write a name such as UTC or Europe/Berlin".into());
        }
        for name in self.columns.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            add("columns", format!("has no field `{name}`"), format!("fields are {}", FIELDS.join(", ")));
        }
        for (field, _) in self.columns.iter().filter(|(_, name)| name.trim() == "0") {
            add("columns", format!("names column 0 for `{field}`"), "count from 1".into());
        }
        for name in self.controls.keys().filter(|name| Control::parse(name).is_none()) {
            add("controls", format!("has no name `{name}`"), format!("names are {}", Control::names()));
        }
        faults
    }
}
