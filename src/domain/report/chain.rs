//! Whether the closed reports form a chain: every day once, each continuing the day before, none changed since.

use chrono::NaiveDate;

use super::{Report, State};
use crate::text::sha256;

/// A report as stored.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The business day, `YYYY-MM-DD`.
    pub date: &'a str,
    /// `preliminary` or `final`.
    pub state: &'a str,
    /// The report as JSON.
    pub content: &'a str,
    /// The stored SHA-256 of `content`, in hexadecimal digits.
    pub content_hash: &'a str,
    /// The hash of the report that was signed off, if this day was.
    pub signed_hash: Option<&'a str>,
}

/// Checks reports one by one, in the order of their days, and collects faults.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// The last closed day, and its hash.
    last: Option<(NaiveDate, String)>,
    closed: u64,
    faults: Vec<String>,
}

impl Chain {
    /// Checks the next report.
    pub fn look_at(&mut self, kept: Kept<'_>) {
        let Kept { date, state, content, content_hash, signed_hash } = kept;
        if sha256(content.as_bytes()) != content_hash {
            self.faults
                .push(format!("the report of {date} was changed: its content does not match its hash"));
        }
        if signed_hash.is_some_and(|signed| signed != content_hash) {
            self.faults.push(format!("the report of {date} is not the one that was signed off"));
        }
        if state != State::Final.name() {
            return;
        }
        self.closed += 1;
        let (Ok(report), Ok(day)) = (serde_json::from_str::<Report>(content), date.parse::<NaiveDate>())
        else {
            self.faults.push(format!("the report of {date} cannot be read"));
            return;
        };
        let named = report.inputs.previous.as_ref().map(|previous| previous.hash.as_str());
        match &self.last {
            None => {
                if let Some(previous) = &report.inputs.previous {
                    let gone = &previous.date;
                    self.faults
                        .push(format!("the report of {date} continues that of {gone}, which is missing"));
                }
            }
            Some((last, _)) if last.succ_opt() != Some(day) => {
                self.faults.push(format!("there are days without a closed report between {last} and {date}"));
            }
            Some((last, hash)) if named != Some(hash.as_str()) => {
                self.faults.push(format!("the report of {date} does not continue that of {last}"));
            }
            Some(_) => {}
        }
        self.last = Some((day, content_hash.to_owned()));
    }

    /// How many closed reports there are.
    pub fn closed(&self) -> u64 {
        self.closed
    }

    /// What is wrong, one sentence each.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}
