//! The network's own statement: what it thinks it sent and owes, as CSV, whether or not the gateway ever heard of it.
//!
//! | column | |
//! |---|---|
//! | `transaction_id` | the network's id; a reversal has that of its credit |
//! | `kind` | `credit` or `reversal` |
//! | `user_id`, `offer_id`, `offer_name`, `event_id`, `event_name`, `country` | as in the postback |
//! | `payout_usd`, `reward` | decimal; negative for a reversal, so that sums are what is owed |
//! | `clicked_at`, `created_at` | RFC 3339 in UTC; the second is when the network first told of it |
//! | `delivered` | `yes` if it was ever acknowledged, else `no` |

use std::io;

use domain::money::Micros;
use domain::time::TimestampMs;

use super::expected::{Expected, Fate, Sendings};

const COLUMNS: [&str; 13] = [
    "transaction_id",
    "kind",
    "user_id",
    "offer_id",
    "offer_name",
    "event_id",
    "event_name",
    "country",
    "payout_usd",
    "reward",
    "clicked_at",
    "created_at",
    "delivered",
];

/// What a statement adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatementTotals {
    /// Lines.
    pub lines: u64,
    /// Of them, those that were never acknowledged.
    pub undelivered: u64,
    /// What the network owes, in USD.
    pub payout: Micros,
}

/// Writes what `expected` saw as the network's statement, in the order of the plan.
pub fn write_statement(expected: &Expected, out: impl io::Write) -> csv::Result<StatementTotals> {
    let mut csv = csv::Writer::from_writer(out);
    let mut totals = StatementTotals::default();
    csv.write_record(COLUMNS)?;
    for fate in expected.fates() {
        // What the network cannot even write down properly it still counts as a credit of its own.
        for (kind, sendings, sign) in
            [("credit", &fate.credits, 1), ("credit", &fate.broken, 1), ("reversal", &fate.reversals, -1)]
        {
            if let Some(sent_at_ms) = sendings.first_sent_at_ms {
                totals.add(sendings, Micros(sign * fate.event.payout.0));
                csv.write_record(record(fate, kind, sendings, sign, sent_at_ms))?;
            }
        }
    }
    csv.flush()?;
    Ok(totals)
}

impl StatementTotals {
    fn add(&mut self, sendings: &Sendings, payout: Micros) {
        self.lines += 1;
        self.undelivered += u64::from(sendings.acknowledged == 0);
        self.payout = Micros(self.payout.0 + payout.0);
    }
}

fn record(
    fate: &Fate,
    kind: &str,
    sendings: &Sendings,
    sign: i64,
    sent_at_ms: i64,
) -> [String; COLUMNS.len()] {
    let event = &fate.event;
    let delivered = if sendings.acknowledged > 0 { "yes" } else { "no" };
    let clicked_at = event.clicked_at_ms().map(|at_ms| TimestampMs(at_ms).rfc3339());
    [
        event.tx_id(),
        kind.to_owned(),
        event.user_id(),
        event.task.offer_id.to_owned(),
        event.task.offer_name.to_owned(),
        event.task.event_id.to_owned(),
        event.task.event_name.to_owned(),
        event.country_code.to_owned(),
        Micros(sign * event.payout.0).to_string(),
        Micros(sign * event.reward.0).to_string(),
        clicked_at.unwrap_or_default(),
        TimestampMs(sent_at_ms).rfc3339(),
        delivered.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::double::{answer, plan};

    #[test]
    fn a_statement_says_what_the_network_counts_and_its_sums_are_what_it_owes() {
        let mut expected = Expected::default();
        let mut owed = 0;
        for (call, status) in plan(1, 4, "honest,reversal=1").zip([200, 503, 200, 503]) {
            let sign = if call.act == crate::sandbox::Act::Credit { 1 } else { -1 };
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
            record[8].trim_start_matches('-').parse::<f64>().expect("a number")
                * if record[8].starts_with('-') { -1.0 } else { 1.0 }
        });
        assert!(payouts.sum::<f64>().abs() < 1e-9, "credits and reversals of the same events");
        for record in &records {
            assert_eq!(record[8].starts_with('-'), &record[1] == "reversal", "{record:?}");
        }
        assert_eq!(records.iter().filter(|record| &record[12] == "no").count(), 2);
    }

    #[test]
    fn what_others_forged_is_not_on_the_statement() {
        let mut expected = Expected::default();
        for call in plan(3, 20, "honest,forged=1") {
            let status = if call.is_genuine() { 200 } else { 403 };
            expected.observe(&call, &answer(status));
        }
        let totals = write_statement(&expected, io::sink()).expect("it is written");
        let genuine = plan(3, 20, "honest,forged=1").filter(crate::sandbox::Call::is_genuine).count();
        assert_eq!((totals.lines, totals.undelivered), (genuine as u64, 0));
    }
}
