//! What a line of a statement says. Networks differ in every detail, so every detail is a setting.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::StatementLine;
use super::controls::Control;
use crate::money::{Micros, MoneyError, PAYOUT_CURRENCY};
use crate::network::Kind;
use crate::report::amount::Amount;
use crate::time::{SECOND_MS, TimestampMs};

/// The longest field that is taken, in bytes; ids of networks are far shorter.
const MAX_FIELD_LEN: usize = 256;

/// How a network writes its statements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Format {
    /// What stands between two fields: one character, e.g. `,` or `;`.
    pub delimiter: char,
    /// True if the first line names the columns.
    pub header: bool,
    /// True if amounts are written as `1.234,50`.
    pub decimal_comma: bool,
    /// `rfc3339`, `unix` (seconds), or a pattern such as `%d.%m.%Y %H:%M` or `%Y-%m-%d`.
    pub time: String,
    /// The zone of times that name none.
    pub zone: String,
    /// The currency of lines that name none.
    pub currency: String,
    /// Field to column: its name in the header, or its number from 1. Fields: `tx_id`, `status`, `user_id`,
    /// `offer_id`, `event_id`, `amount`, `currency`, `time`, `count`. `amount` is needed, and `tx_id`, `user_id` or,
    /// with `daily_sums`, `time`.
    pub columns: BTreeMap<String, String>,
    /// True if a line that names neither a transaction nor a user is the sum of a day, perhaps of one offer or event.
    pub daily_sums: bool,
    /// What the file says of itself: name to the label that stands in the line, before the figure. Names: `opening`,
    /// `closing`, `total`, `credits`, `reversals` (amounts) and `lines` (a count).
    pub controls: BTreeMap<String, String>,
    /// What `status` says of a credit, whatever the case of its letters.
    pub credits: Vec<String>,
    /// What it says of a reversal. Without a column `status`, an amount below zero is one.
    pub reversals: Vec<String>,
}

impl Default for Format {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            delimiter: ',',
            header: true,
            decimal_comma: false,
            time: "rfc3339".into(),
            zone: "UTC".into(),
            currency: PAYOUT_CURRENCY.into(),
            columns: FIELDS.iter().map(|&name| (name.to_owned(), name.to_owned())).collect(),
            daily_sums: false,
            controls: BTreeMap::new(),
            credits: words(&["1", "approved", "credit", "credited"]),
            reversals: words(&["0", "2", "reversed", "reversal", "chargeback"]),
        }
    }
}

/// The fields that a column can hold.
const FIELDS: [&str; 9] =
    ["tx_id", "status", "user_id", "offer_id", "event_id", "amount", "currency", "time", "count"];

/// A format whose columns were found in a file.
#[derive(Clone, Debug)]
pub struct LineReader {
    format: Format,
    zone: Tz,
    columns: BTreeMap<&'static str, usize>,
}

impl Format {
    /// What is wrong with it, as far as that can be said without a file.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.delimiter.is_ascii() || self.delimiter == '"' {
            faults.push("`delimiter` must be one ASCII character".to_owned());
        }
        if self.zone.parse::<Tz>().is_err() {
            faults.push(format!("`zone` must be a name such as UTC or Europe/Berlin, not `{}`", self.zone));
        }
        for name in self.columns.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            faults.push(format!("`columns` has no field `{name}`; fields are {}", FIELDS.join(", ")));
        }
        for name in self.controls.keys().filter(|name| Control::parse(name).is_none()) {
            faults.push(format!("`controls` has no name `{name}`; names are {}", Control::names()));
        }
        faults
    }

    /// The reader for a file with this header; `None` for one without.
    pub fn reader(&self, header: Option<&[&str]>) -> Result<LineReader, String> {
        if let Some(fault) = self.faults().into_iter().next() {
            return Err(fault);
        }
        let zone = self.zone.parse().map_err(|_| "`zone` is not known".to_owned())?;
        let mut columns = BTreeMap::new();
        for field in FIELDS {
            let Some(column) = self.columns.get(field) else { continue };
            let named = header.and_then(|header| {
                header.iter().position(|name| name.trim().eq_ignore_ascii_case(column.trim()))
            });
            let numbered = column.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            if let Some(index) = named.or(numbered) {
                columns.insert(field, index);
            }
        }
        let has = |field: &str| columns.contains_key(field);
        let is_told = has("tx_id") || has("user_id") || (self.daily_sums && has("time"));
        if !has("amount") || !is_told {
            let found = header.map_or_else(|| "no header".to_owned(), |header| header.join(", "));
            return Err(format!(
                "a column for `amount` and one for `tx_id` or `user_id` are needed (or `time`, with `daily_sums`); \
                 found: {found}"
            ));
        }
        Ok(LineReader { format: self.clone(), zone, columns })
    }
}

impl LineReader {
    /// What the line with this number says, or why it cannot be read.
    pub fn line(&self, number: i64, fields: &[&str]) -> Result<StatementLine, String> {
        let text = |field: &str| -> Result<Option<&str>, String> {
            let Some(index) = self.columns.get(field) else { return Ok(None) };
            let Some(text) = fields.get(*index) else {
                return Err(format!(
                    "it has {} fields, `{field}` is to be number {}",
                    fields.len(),
                    index + 1
                ));
            };
            let text = text.trim();
            if text.len() > MAX_FIELD_LEN {
                return Err(format!("`{field}` is longer than {MAX_FIELD_LEN} bytes"));
            }
            Ok((!text.is_empty()).then_some(text))
        };
        let owned = |field: &str| text(field).map(|text| text.map(str::to_owned));
        let (negative, amount) = self.amount(text("amount")?.ok_or("`amount` is empty")?)?;
        let kind = match text("status")? {
            Some(status) => self.kind(status)?,
            None if self.columns.contains_key("status") => return Err("`status` is empty".into()),
            None if negative => Kind::Reversal,
            None => Kind::Credit,
        };
        if negative && kind == Kind::Credit {
            return Err("a credit with an amount below zero".into());
        }
        let (tx_id, user_id) = (owned("tx_id")?, owned("user_id")?);
        let at = text("time")?.map(|text| self.time(text)).transpose()?;
        if tx_id.is_none() && user_id.is_none() && !(self.format.daily_sums && at.is_some()) {
            return Err(if self.format.daily_sums {
                "neither `tx_id` nor `user_id` stands there, and no `time` of which it could be the sum"
                    .into()
            } else {
                "neither `tx_id` nor `user_id` stands there".into()
            });
        }
        Ok(StatementLine {
            number,
            tx_id,
            kind,
            user_id,
            offer_id: owned("offer_id")?,
            event_id: owned("event_id")?,
            amount,
            currency: text("currency")?.unwrap_or(&self.format.currency).to_ascii_uppercase(),
            day: at.map(|at| at.business_date(self.zone)),
            at,
            count: text("count")?.map(count).transpose()?,
        })
    }

    /// What the line says of the whole file, if it is one that does: the field behind the label.
    pub fn control(&self, fields: &[&str]) -> Option<Result<(Control, i64), String>> {
        let plain = |text: &str| text.trim().trim_end_matches(':').trim_end().to_lowercase();
        let (place, name) = fields.iter().enumerate().find_map(|(place, field)| {
            let field = plain(field);
            let found = self.format.controls.iter().find(|(_, label)| plain(label) == field);
            found.map(|(name, _)| (place, name))
        })?;
        let control = Control::parse(name)?;
        let Some(text) = fields.iter().skip(place + 1).map(|text| text.trim()).find(|text| !text.is_empty())
        else {
            return Some(Err(format!("`{name}` stands there without a figure")));
        };
        let figure = match control {
            Control::Lines => count(text),
            _ => self.amount(text).map(|(negative, size)| if negative { -size.0 } else { size.0 }),
        };
        Some(figure.map(|figure| (control, figure)))
    }

    fn kind(&self, status: &str) -> Result<Kind, String> {
        let is_one = |words: &[String]| words.iter().any(|word| word.eq_ignore_ascii_case(status));
        match (is_one(&self.format.credits), is_one(&self.format.reversals)) {
            (true, _) => Ok(Kind::Credit),
            (false, true) => Ok(Kind::Reversal),
            (false, false) => Err(format!("`status` is `{status}`, which the settings do not know")),
        }
    }

    /// Whether it is below zero, and its size. A mark between thousands must stand between thousands: `1,5` is no
    /// fifteen.
    fn amount(&self, text: &str) -> Result<(bool, Amount), String> {
        let (group, point) = if self.format.decimal_comma { ('.', ',') } else { (',', '.') };
        let (negative, size) = text.strip_prefix('-').map_or((false, text), |size| (true, size));
        let (units, decimals) = size.split_once(point).unwrap_or((size, ""));
        let mut groups = units.split(group);
        let first = groups.next().unwrap_or_default();
        let fault = || format!("`amount` is `{text}`, which is no amount");
        if units.contains(group) && (first.is_empty() || first.len() > 3) {
            return Err(fault());
        }
        if groups.any(|group| group.len() != 3) || decimals.contains(group) {
            return Err(fault());
        }
        let plain = format!("{}.{decimals}", units.replace(group, ""));
        let parsed = Micros::parse(&plain).map_err(|error| match error {
            MoneyError::TooLarge => format!("`amount` is `{text}`: {error}"),
            _ => fault(),
        })?;
        if parsed.rounded {
            return Err(format!("`amount` is `{text}`: more than six decimals"));
        }
        Ok((negative, Amount(parsed.amount.0)))
    }

    fn time(&self, text: &str) -> Result<TimestampMs, String> {
        let fault = || format!("`time` is `{text}`, which does not read as `{}`", self.format.time);
        match self.format.time.as_str() {
            "rfc3339" => DateTime::parse_from_rfc3339(text)
                .map(|time| TimestampMs(time.timestamp_millis()))
                .map_err(|_| fault()),
            "unix" => text
                .parse::<i64>()
                .ok()
                .and_then(|seconds| seconds.checked_mul(SECOND_MS))
                .map(TimestampMs)
                .ok_or_else(fault),
            pattern => {
                let local = NaiveDateTime::parse_from_str(text, pattern)
                    .or_else(|_| {
                        NaiveDate::parse_from_str(text, pattern).map(|date| date.and_time(NaiveTime::MIN))
                    })
                    .map_err(|_| fault())?;
                let time = self.zone.from_local_datetime(&local).earliest();
                time.map(|time| TimestampMs(time.timestamp_millis()))
                    .ok_or_else(|| format!("`time` is `{text}`, which the clocks of {} skipped", self.zone))
            }
        }
    }
}

fn count(text: &str) -> Result<i64, String> {
    let count = text.parse::<i64>().ok().filter(|count| *count >= 0);
    count.ok_or_else(|| format!("`{text}` is to be a count"))
}
