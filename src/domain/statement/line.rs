//! What one line of a statement says, or why it cannot be read.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::columns::Columns;
use super::controls::Control;
use super::format::Format;
use super::layout::Layout;
use super::number::{self, AmountForm, Figure};
use super::{StatementLine, Unreadable, aside, spoiled, times};
use crate::postback::event::Kind;

/// The longest field that is taken, in bytes; ids of networks are far shorter.
const MAX_FIELD_LEN: usize = 256;
/// Cells that mean an empty one.
pub(super) const NOTHING: [&str; 9] = ["-", "–", "—", "n/a", "N/A", "null", "NULL", "undefined", "\\N"];

/// A format whose columns were found in a file.
#[derive(Clone, Debug)]
pub struct LineReader {
    pub(super) format: Format,
    zone: Tz,
    pub(super) columns: Columns,
    pub(super) layout: Layout,
}

/// The content of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// A line, and remarks on how it was read.
    Line(Box<StatementLine>, Vec<&'static str>),
    /// A control figure of the file, and its value.
    Control(Control, i64),
    /// Not a transaction, and why.
    Aside(&'static str),
    /// Every cell is empty.
    Blank,
}

/// Why a row cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: String,
    /// The forms of amounts that the settings would have to name.
    pub(super) forms: BTreeSet<AmountForm>,
}

impl<T: Into<String>> From<T> for Fault {
    fn from(reason: T) -> Self {
        Self { reason: reason.into(), forms: BTreeSet::new() }
    }
}

impl Format {
    /// The reader for a file with this header; `None` for one without.
    pub fn reader(&self, header: Option<&[&str]>) -> Result<LineReader, Unreadable> {
        self.reader_with(header, Layout::default())
    }

    pub(super) fn reader_with(
        &self,
        header: Option<&[&str]>,
        layout: Layout,
    ) -> Result<LineReader, Unreadable> {
        if let Some(fault) = self.faults().into_iter().next() {
            return Err(Unreadable::Settings(fault.to_string()));
        }
        let zone = self.zone.parse().map_err(|_| Unreadable::Settings("`zone` is not known".to_owned()))?;
        let header: Option<Vec<&str>> = header.map(|names| names.iter().map(|&name| clean(name)).collect());
        let columns = self.columns_of(header.as_deref())?;
        Ok(LineReader { format: self.clone(), zone, columns, layout })
    }
}

/// Without blanks around it, including invisible ones.
pub(super) fn clean(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\u{feff}' | '\u{200b}'))
}

impl LineReader {
    /// Reads the line with this number, or says why it cannot be read.
    pub fn line(&self, number: i64, fields: &[&str]) -> Result<StatementLine, String> {
        self.read_line(number, fields).map(|(line, _)| line).map_err(|fault| fault.reason)
    }

    /// Reads one row: a line, a control figure, or something to skip.
    pub(super) fn row(&self, number: i64, fields: &[&str]) -> Result<Row, Fault> {
        let cells: Vec<&str> = fields.iter().map(|field| clean(field)).collect();
        if cells.iter().all(|cell| cell.is_empty()) {
            return Ok(Row::Blank);
        }
        if let Some(found) = self.control(&cells) {
            return found.map(|(control, figure)| Row::Control(control, figure)).map_err(Fault::from);
        }
        let filled = |field: &str| {
            let cell = self.columns.place(field).and_then(|place| cells.get(place).copied());
            cell.filter(|cell| !cell.is_empty())
        };
        let seen = aside::Seen {
            cells: &cells,
            header: self.columns.names(),
            tx_id: filled("tx_id"),
            user_id: filled("user_id"),
            says_more: ["status", "time", "offer_id", "event_id"].iter().any(|field| filled(field).is_some()),
            may_be_a_day: self.format.daily_sums && filled("time").is_some(),
            has_hash_ids: self.layout.has_hash_ids,
        };
        if let Some(reason) = aside::reason(&seen) {
            return Ok(Row::Aside(reason));
        }
        self.read_line(number, &cells).map(|(line, marks)| Row::Line(Box::new(line), marks))
    }

    fn read_line(&self, number: i64, fields: &[&str]) -> Result<(StatementLine, Vec<&'static str>), Fault> {
        let names = self.columns.names().len();
        let extra = fields.get(names..).unwrap_or_default();
        if names > 0 && extra.iter().any(|field| !clean(field).is_empty()) {
            return Err(format!(
                "it has {} fields and the header names {names}: does one hold a `{}` without quotation marks?",
                fields.len(),
                self.format.delimiter
            )
            .into());
        }
        // Empty fields at the end may be left out.
        let text = |field: &str| -> Result<Option<&str>, Fault> {
            let place = self.columns.place(field);
            let Some(text) = place.and_then(|place| fields.get(place)) else { return Ok(None) };
            let text = spoiled::unwrapped(clean(text));
            if text.len() > MAX_FIELD_LEN {
                return Err(format!("`{field}` is longer than {MAX_FIELD_LEN} bytes").into());
            }
            Ok((!text.is_empty() && !NOTHING.contains(&text)).then_some(text))
        };
        let empty = |field: &str| match self.columns.place(field) {
            Some(place) if place >= fields.len() => {
                format!("it has {} fields, `{field}` should be number {}", fields.len(), place + 1)
            }
            _ => format!("`{field}` is empty"),
        };
        let figure = self.figure(text("amount")?.ok_or_else(|| empty("amount"))?)?;
        let mut marks = Vec::new();
        if figure.is_rounded {
            marks.push("its amount was rounded to six decimals, by less than 0.000000001");
        }
        let kind = match text("status")? {
            Some(status) => self.kind(status)?,
            None if self.columns.place("status").is_some() => return Err(empty("status").into()),
            None if figure.is_negative => Kind::Reversal,
            None => Kind::Credit,
        };
        if figure.is_negative && kind == Kind::Credit {
            return Err("a credit with an amount below zero".into());
        }
        let at = text("time")?.map(|text| times::read(text, &self.format.time, self.zone)).transpose()?;
        let currency = self.currency(text("currency")?, &figure.currencies)?;
        let count = text("count")?.map(count).transpose()?;
        let tx_id = text("tx_id")?;
        if tx_id.is_some_and(spoiled::is_spoiled) {
            return Err(spoiled::SPOILED.into());
        }
        // Of the optional ids, only a damaged one is left out.
        let mut whole = |field: &str| -> Result<Option<&str>, Fault> {
            let found = text(field)?;
            let kept = found.filter(|text| !spoiled::is_spoiled(text));
            if found.is_some() && kept.is_none() {
                marks.push("a spreadsheet has damaged its user, offer or event id, which is left out");
            }
            Ok(kept)
        };
        let (user_id, offer_id, event_id) = (whole("user_id")?, whole("offer_id")?, whole("event_id")?);
        if tx_id.is_none() && user_id.is_none() && !(self.format.daily_sums && at.is_some()) {
            if text("user_id")?.is_some() {
                return Err(spoiled::SPOILED.into());
            }
            return Err(if self.format.daily_sums {
                "it has neither `tx_id` nor `user_id`, and no `time` that would make it a daily sum".into()
            } else {
                "it has neither `tx_id` nor `user_id`".into()
            });
        }
        marks.dedup();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let line = StatementLine {
            number,
            tx_id: owned(tx_id),
            kind,
            user_id: owned(user_id),
            offer_id: owned(offer_id),
            event_id: owned(event_id),
            amount: figure.size,
            currency,
            day: at.map(|at| at.business_date(self.zone)),
            at,
            count,
        };
        Ok((line, marks))
    }

    /// The control figure of the line, if it has a label of one: the first field after the label.
    pub fn control(&self, fields: &[&str]) -> Option<Result<(Control, i64), String>> {
        let plain = |text: &str| clean(text).trim_end_matches(':').trim_end().to_lowercase();
        let (place, name) = fields.iter().enumerate().find_map(|(place, field)| {
            let field = plain(field);
            let found = self.format.controls.iter().find(|(_, label)| plain(label) == field);
            found.map(|(name, _)| (place, name))
        })?;
        let control = Control::parse(name)?;
        let Some(text) = fields.iter().skip(place + 1).map(|text| clean(text)).find(|text| !text.is_empty())
        else {
            return Some(Err(format!("`{name}` has no figure after it")));
        };
        if text.len() > MAX_FIELD_LEN {
            return Some(Err(format!("`{name}` is longer than {MAX_FIELD_LEN} bytes")));
        }
        let figure = match control {
            Control::Lines => count(text),
            _ => self
                .figure(text)
                .map(|figure| if figure.is_negative { -figure.size.0 } else { figure.size.0 })
                .map_err(|fault| fault.reason),
        };
        Some(figure.map(|figure| (control, figure)))
    }

    fn kind(&self, status: &str) -> Result<Kind, String> {
        let is_one = |words: &[String]| words.iter().any(|word| word.eq_ignore_ascii_case(status));
        match (is_one(&self.format.credits), is_one(&self.format.reversals)) {
            (true, _) => Ok(Kind::Credit),
            (false, true) => Ok(Kind::Reversal),
            (false, false) => Err(format!(
                "`status` is `{status}`, which the settings do not map: add it to {key}.credits or {key}.reversals",
                key = self.format.key
            )),
        }
    }

    fn figure(&self, text: &str) -> Result<Figure, Fault> {
        let Format { decimal_comma, amounts, key, .. } = &self.format;
        number::read(text, *decimal_comma, amounts).map_err(|no_amount| {
            let cure = if !no_amount.forms.is_empty() {
                format!(": {}", amounts_key(key, &no_amount.forms))
            } else if no_amount.other_point {
                let (sign, other) = if *decimal_comma { ("point", false) } else { ("comma", true) };
                format!("; if the {sign} stands before decimals: {key}.decimal_comma = {other}")
            } else {
                String::new()
            };
            let reason = format!("`amount` is `{text}`, which {}{cure}", no_amount.why);
            Fault { reason, forms: no_amount.forms }
        })
    }

    /// The currency of a line, of which the column and the amount may both speak.
    fn currency(&self, column: Option<&str>, of_amount: &[String]) -> Result<String, String> {
        let Some(column) = column else {
            // A sign that may mean the currency of the settings does.
            let usual = &self.format.currency;
            let first = of_amount.first().filter(|_| !of_amount.contains(usual));
            return Ok(first.unwrap_or(usual).to_ascii_uppercase());
        };
        let column = column.to_ascii_uppercase();
        if of_amount.is_empty() || of_amount.contains(&column) {
            return Ok(column);
        }
        Err(format!("`currency` is `{column}`, and `amount` is in {}", of_amount.join(" or ")))
    }
}

/// What to set for amounts in these forms.
pub(super) fn amounts_key(key: &str, forms: &BTreeSet<AmountForm>) -> String {
    let names: Vec<_> = forms.iter().map(|form| format!("\"{}\"", form.name())).collect();
    format!("set {key}.amounts = [{}] to read such amounts", names.join(", "))
}

fn count(text: &str) -> Result<i64, String> {
    let count = text.parse::<i64>().ok().filter(|count| *count >= 0);
    count.ok_or_else(|| format!("`{text}` is not a count"))
}
