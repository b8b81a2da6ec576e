//! The summary as one table, for a spreadsheet.

use super::lines::Reasons;
use super::sum::Sum;
use super::{Assessment, Group};
use crate::money::Micros;
use crate::report::amount::Amount;
use crate::report::sheets::{Sheet, Value};

/// The columns.
const COLUMNS: [&str; 5] = ["section", "name", "count", "payout_usd", "rewards"];

/// Every figure of the summary: what it is about, which, how many, what networks pay for them in USD, and what users get for
/// them. Money is empty where none belongs to it.
pub fn sheet(assessment: &Assessment) -> Sheet {
    let columns = COLUMNS.map(str::to_owned).into();
    Sheet { name: "Assessment", columns, rows: rows(assessment).into_iter().map(Row::cells).collect() }
}

struct Row {
    section: &'static str,
    name: String,
    count: Option<u64>,
    payout: Option<Micros>,
    /// `120 points; 3 gems`.
    rewards: String,
}

impl Row {
    fn number(section: &'static str, name: impl Into<String>, count: u64) -> Self {
        Self { section, name: name.into(), count: Some(count), payout: None, rewards: String::new() }
    }

    fn money(section: &'static str, name: impl Into<String>, sum: &Sum) -> Self {
        let amounts: Vec<_> =
            sum.rewards.iter().map(|(currency, amount)| format!("{amount} {currency}")).collect();
        Self {
            payout: Some(sum.payout),
            rewards: amounts.join("; "),
            ..Self::number(section, name, sum.count)
        }
    }

    fn cells(self) -> Vec<Value> {
        let none = || Value::Text(String::new());
        vec![
            Value::Text(self.section.to_owned()),
            Value::Text(self.name),
            self.count.map_or_else(none, |count| Value::Count(i64::try_from(count).unwrap_or(i64::MAX))),
            self.payout.map_or_else(none, |payout| Value::Money(Amount(payout.0))),
            Value::Text(self.rewards),
        ]
    }
}

fn rows(assessment: &Assessment) -> Vec<Row> {
    let mut rows = Vec::new();
    lines_and_calls(assessment, &mut rows);
    rewards(assessment, &mut rows);
    rows.extend(assessment.standing_out.iter().flat_map(standing_out));
    for (persona, score) in assessment.truth.iter().flat_map(|truth| &truth.personas) {
        let figures = [
            ("fraud", &score.fraud),
            ("fraud held", &score.fraud_held),
            ("honest", &score.honest),
            ("honest held", &score.honest_held),
        ];
        rows.extend(figures.map(|(what, sum)| Row::money("truth", format!("{persona}: {what}"), sum)));
    }
    rows
}

fn lines_and_calls(assessment: &Assessment, rows: &mut Vec<Row>) {
    let (lines, calls) = (&assessment.lines, &assessment.calls);
    rows.push(Row::number("lines", "read", lines.read));
    rows.push(Row::number("lines", "other requests", lines.other_requests));
    rows.push(Row::number("lines", "without time", lines.without_time));
    reasons(rows, "unreadable lines", &lines.unreadable);
    reasons(rows, "unknown sources", &lines.unknown_sources);
    rows.push(Row::number("calls", "of known sources", calls.events));
    rows.push(Row::number("calls", "took effect", calls.processed));
    rows.push(Row::number("calls", "without money", calls.information));
    rows.push(Row::number("calls", "tests", calls.tests));
    rows.push(Row::money("calls", "repeated credits", &calls.repeated_credits));
    rows.push(Row::number("calls", "repeated reversals", calls.repeated_reversals));
    rows.push(Row::money("calls", "refused credits", &calls.refused_credits));
    reasons(rows, "refused calls", &calls.refused);
    reasons(rows, "calls that cannot be mapped", &calls.unmapped);
}

fn rewards(assessment: &Assessment, rows: &mut Vec<Row>) {
    let all = &assessment.rewards;
    let figures = [
        ("credits", &all.credits),
        ("credited at once", &all.credited),
        ("held", &all.held),
        ("reversed", &all.reversed),
        ("credited, then reversed", &all.credited_then_reversed),
        ("held, then reversed", &all.held_then_reversed),
        ("reversal came first", &all.reversed_first),
        ("conflicting calls", &all.conflicts),
    ];
    rows.extend(figures.map(|(name, sum)| Row::money("rewards", name, sum)));
    rows.push(Row::number("rewards", "reversals without a credit", all.orphans));
    for (code, rule) in all.ranked_rules() {
        rows.push(Row::money("rules: held", code, &rule.held));
        rows.push(Row::money("rules: held, then reversed", code, &rule.later_reversed));
    }
    for (date, day) in &all.by_day {
        for (section, amount) in [
            ("days: credited at once", day.credited),
            ("days: held", day.held),
            ("days: reversed by the end", day.reversed),
        ] {
            rows.push(Row { count: None, payout: Some(amount), ..Row::number(section, date, 0) });
        }
    }
}

fn standing_out(group: &Group) -> [Row; 3] {
    let sub1 = group.sub1.as_ref().map_or_else(String::new, |sub1| format!(", sub id {sub1}"));
    let name = format!("{}{sub1} ({})", group.source, group.reasons.join(", "));
    [
        Row::money("stands out: credits", name.clone(), &group.credits),
        Row::number("stands out: held", name.clone(), group.held),
        Row::number("stands out: reversed", name, group.reversed),
    ]
}

fn reasons(rows: &mut Vec<Row>, section: &'static str, reasons: &Reasons) {
    rows.extend(
        reasons.ranked().into_iter().map(|(reason, noted)| Row::number(section, reason, noted.count)),
    );
}
