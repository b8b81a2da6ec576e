//! The network's own statement as CSV: what it counts as sent and owed, whether or not the gateway received it.
//!
//! | column | |
//! |---|---|
//! | `transaction_id` | the network's id; a reversal has that of its credit |
//! | `kind` | `credit` or `reversal` |
//! | `status` | `approved` or `reversed`, as networks' own files say it |
//! | `user_id`, `offer_id`, `offer_name`, `event_id`, `event_name`, `country` | as in the postback |
//! | `payout_usd`, `reward` | decimal; negative for a reversal, so that sums are what is owed |
//! | `clicked_at`, `converted_at`, `created_at` | RFC 3339 in UTC: the click, the completion (also of a reversal), and the first attempt to send this line |
//! | `delivered` | `yes` if it was acknowledged, otherwise `no` |

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use domain::money::Micros;
use domain::time::TimestampMs;

use super::expected::{Disposition, Expected, Sendings};
use super::kept::Kept;

const COLUMNS: [&str; 15] = [
    "transaction_id",
    "kind",
    "status",
    "user_id",
    "offer_id",
    "offer_name",
    "event_id",
    "event_name",
    "country",
    "payout_usd",
    "reward",
    "clicked_at",
    "converted_at",
    "created_at",
    "delivered",
];

/// Totals of a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatementTotals {
    /// Credits and reversals.
    pub lines: u64,
    /// Lines that were never acknowledged.
    pub undelivered: u64,
    /// What the network owes, in USD.
    pub payout: Micros,
}

/// Writes the events of `expected` as the network's statement, in the order of the plan.
pub fn write_statement(expected: &Expected, out: impl io::Write) -> csv::Result<StatementTotals> {
    let mut csv = csv::Writer::from_writer(out);
    let mut totals = StatementTotals::default();
    csv.write_record(COLUMNS)?;
    for disposition in expected.dispositions() {
        // A broken call is still a credit for the network.
        for (kind, sendings, sign) in [
            ("credit", &disposition.credits, 1),
            ("credit", &disposition.broken, 1),
            ("reversal", &disposition.reversals, -1),
        ] {
            if let Some(sent_at_ms) = sendings.first_sent_at_ms {
                totals.add(sendings, Micros(sign * disposition.event.payout.0));
                csv.write_record(record(disposition, kind, sendings, sign, sent_at_ms))?;
            }
        }
    }
    csv.flush()?;
    Ok(totals)
}

/// Marks these calls as delivered in the statement at `path`, and returns how many lines changed. The file is replaced
/// atomically.
pub fn mark_delivered(path: &Path, delivered: &[Kept]) -> csv::Result<u64> {
    let kind = |kept: &Kept| if kept.act == "reversal" { "reversal" } else { "credit" };
    let delivered: BTreeSet<(&str, &str)> =
        delivered.iter().map(|kept| (kept.tx_id.as_str(), kind(kept))).collect();
    let new = path.with_extension("new");
    let mut changed = 0;
    let mut read = csv::Reader::from_path(path)?;
    let mut written = csv::Writer::from_path(&new)?;
    let headers = read.headers()?.clone();
    let column = |name: &str| {
        let found = headers.iter().position(|header| header == name);
        found.ok_or_else(|| {
            csv::Error::from(io::Error::other(format!("the statement has no column `{name}`")))
        })
    };
    let (tx, kind, delivered_at) = (column("transaction_id")?, column("kind")?, column("delivered")?);
    written.write_record(&headers)?;
    for record in read.records() {
        let record = record?;
        let is_now = &record[delivered_at] == "no" && delivered.contains(&(&record[tx], &record[kind]));
        changed += u64::from(is_now);
        let fields = record.iter().enumerate();
        written.write_record(
            fields.map(|(place, field)| if is_now && place == delivered_at { "yes" } else { field }),
        )?;
    }
    written.flush()?;
    fs::rename(&new, path)?;
    Ok(changed)
}

impl StatementTotals {
    fn add(&mut self, sendings: &Sendings, payout: Micros) {
        self.lines += 1;
        self.undelivered += u64::from(sendings.acknowledged == 0);
        self.payout = Micros(self.payout.0 + payout.0);
    }
}

fn record(
    disposition: &Disposition,
    kind: &str,
    sendings: &Sendings,
    sign: i64,
    sent_at_ms: i64,
) -> [String; COLUMNS.len()] {
    let event = &disposition.event;
    let delivered = if sendings.acknowledged > 0 { "yes" } else { "no" };
    // If the reversal was sent first, its time stands in for the completion.
    let converted_at = [&disposition.credits, &disposition.broken]
        .into_iter()
        .find_map(|sendings| sendings.first_sent_at_ms);
    let clicked_at = event.clicked_at_ms().map(|at_ms| TimestampMs(at_ms).rfc3339());
    [
        event.tx_id(),
        kind.to_owned(),
        if sign < 0 { "reversed" } else { "approved" }.to_owned(),
        event.user_id(),
        event.task.offer_id.to_owned(),
        event.task.offer_name.to_owned(),
        event.task.event_id.to_owned(),
        event.task.event_name.to_owned(),
        event.country_code.to_owned(),
        Micros(sign * event.payout.0).to_string(),
        Micros(sign * event.reward.0).to_string(),
        clicked_at.unwrap_or_default(),
        TimestampMs(converted_at.unwrap_or(sent_at_ms)).rfc3339(),
        TimestampMs(sent_at_ms).rfc3339(),
        delivered.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::double::{answer, plan};

    #[test]
    fn a_statement_adds_up_to_what_the_network_owes() {
        let mut expected = Expected::default();
        let mut owed = 0;
        for (call, status) in plan(1, 4, "honest,reversal=1").zip([200, 503, 200, 503]) {
            let sign = if call.act == crate::Act::Credit { 1 } else { -1 };
            owed += sign * call.event.payout.0;
            expected.observe(&call, &answer(status));
        }
        let mut csv = Vec::new();
        let totals = write_statement(&expected, &mut csv).expect("it is written");
        assert_eq!(totals, StatementTotals { lines: 4, undelivered: 2, payout: Micros(owed) });
        let mut read = csv::Reader::from_reader(csv.as_slice());
        let records: Vec<_> = read.records().map(|record| record.expect("a record")).collect();
        assert_eq!(records.len(), 4);
        let payouts = records.iter().map(|record| {
            record[9].trim_start_matches('-').parse::<f64>().expect("a number")
                * if record[9].starts_with('-') { -1.0 } else { 1.0 }
        });
        assert!(payouts.sum::<f64>().abs() < 1e-9, "credits and reversals of the same events");
        for record in &records {
            assert_eq!(record[9].starts_with('-'), &record[1] == "reversal", "{record:?}");
            assert_eq!(&record[2] == "reversed", &record[1] == "reversal", "{record:?}");
            assert!(record[12] <= record[13], "completed before it was sent: {record:?}");
        }
        assert_eq!(records.iter().filter(|record| &record[14] == "no").count(), 2);
    }

    #[test]
    fn forged_calls_are_not_on_the_statement() {
        let mut expected = Expected::default();
        for call in plan(3, 20, "honest,forged=1") {
            let status = if call.is_genuine() { 200 } else { 403 };
            expected.observe(&call, &answer(status));
        }
        let totals = write_statement(&expected, io::sink()).expect("it is written");
        let genuine = plan(3, 20, "honest,forged=1").filter(crate::Call::is_genuine).count();
        assert_eq!((totals.lines, totals.undelivered), (genuine as u64, 0));
    }

    #[test]
    fn resent_calls_are_marked_as_delivered_and_nothing_else_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("statement.csv");
        let header = COLUMNS.join(",");
        let line =
            |tx: &str, kind: &str, delivered: &str| format!("{tx},{kind},,u,,\"a, b\",,,,,,,,,{delivered}\n");
        let lines = [line("a", "credit", "no"), line("a", "reversal", "no"), line("b", "credit", "no")];
        fs::write(&path, format!("{header}\n{}", lines.concat())).expect("written");
        let kept = |tx_id: &str, act: &str| Kept {
            tx_id: tx_id.into(),
            act: act.into(),
            method: "GET".into(),
            url: String::new(),
            headers: Vec::new(),
            body: None,
            acknowledged_by: Vec::new(),
            attempts: 6,
            failed_at_ms: 1,
            last_answer: String::new(),
        };
        let sent = [kept("a", "reversal"), kept("b", "credit again"), kept("c", "credit")];
        assert_eq!(mark_delivered(&path, &sent).expect("written"), 2);
        let expected = [line("a", "credit", "no"), line("a", "reversal", "yes"), line("b", "credit", "yes")];
        let now = fs::read_to_string(&path).expect("there");
        assert_eq!(now, format!("{header}\n{}", expected.concat()));
        assert_eq!(mark_delivered(&path, &sent).expect("written"), 0, "once");
    }
}
