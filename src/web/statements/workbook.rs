//! A statement as a workbook: its totals, and a sheet for each state.

use domain::report::amount::Amount;
use domain::report::sheets::{Sheet, Value};
use domain::statement::LineState;
use domain::time::TimestampMs;
use store::Store;
use store::statements::BreakRow;

use super::StatementSummary;

/// The most lines of one state in a workbook; the CSV lists have all of them.
const MAX_ROWS: i64 = 20_000;

const COLUMNS: [&str; 15] = [
    "subject",
    "rule",
    "kind",
    "tx_id",
    "user_id",
    "offer_id",
    "amount",
    "currency",
    "time",
    "day",
    "theirs USD",
    "ours USD",
    "difference USD",
    "accepted by",
    "reason",
];

/// The sheets of a statement.
pub(crate) async fn sheets(store: &Store, known: &StatementSummary) -> store::Result<Vec<Sheet>> {
    let mut sheets = vec![summary(known), states(known)];
    for of in &known.totals.states {
        sheets.push(lines(store, known, of.state).await?);
    }
    Ok(sheets)
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

fn named(name: &'static str, columns: &[&str]) -> Sheet {
    Sheet { name, columns: columns.iter().map(|&column| column.to_owned()).collect(), rows: Vec::new() }
}

fn summary(known: &StatementSummary) -> Sheet {
    let mut sheet = named("Summary", &["what", "value"]);
    let row = &known.row;
    let date = |date: &Option<String>| text(date.clone().unwrap_or_default());
    let totals = &known.totals;
    let rest = totals.theirs - Amount(known.paid_micros);
    for (what, value) in [
        ("statement", Value::Count(row.id)),
        ("source", text(&row.source)),
        ("file", text(&row.file_name)),
        ("SHA-256 of the file", text(row.file_hash.clone().unwrap_or_default())),
        ("from", date(&row.period_from)),
        ("to", date(&row.period_to)),
        ("version", Value::Count(row.version)),
        ("received at", text(TimestampMs(row.received_at).rfc3339())),
        ("by", text(&row.actor)),
        ("lines read", Value::Count(known.lines)),
        ("invalid lines", Value::Count(known.faulty)),
        ("statement, USD", Value::Money(totals.theirs)),
        ("ledger, USD", Value::Money(totals.ours)),
        ("difference, USD", Value::Money(totals.difference)),
        ("difference within tolerance, USD", Value::Money(totals.in_tolerance)),
        ("difference accepted, USD", Value::Money(totals.accepted)),
        ("difference counted in another statement, USD", Value::Money(totals.elsewhere)),
        ("difference pending, USD", Value::Money(totals.pending)),
        ("difference open, USD", Value::Money(totals.open)),
        ("paid, USD", Value::Money(Amount(known.paid_micros))),
        ("unpaid, USD", Value::Money(rest)),
    ] {
        sheet.rows.push(vec![text(what), value]);
    }
    for gap in &known.gaps {
        let words = format!("the file states {}, its lines add up to {}", gap.stated, gap.found);
        sheet.rows.push(vec![text(format!("CONTROL TOTAL DIFFERS: {}", gap.what)), text(words)]);
    }
    sheet
}

fn states(known: &StatementSummary) -> Sheet {
    let columns = ["state", "lines", "accepted", "theirs USD", "ours USD", "difference USD", "meaning"];
    let mut sheet = named("States", &columns);
    for of in &known.totals.states {
        sheet.rows.push(vec![
            text(of.state.title()),
            Value::Count(of.count),
            Value::Count(of.accepted_count),
            Value::Money(of.theirs),
            Value::Money(of.ours),
            Value::Money(of.theirs - of.ours),
            text(of.state.meaning()),
        ]);
    }
    sheet
}

async fn lines(store: &Store, known: &StatementSummary, state: LineState) -> store::Result<Sheet> {
    let mut sheet = named(state.title(), &COLUMNS);
    let rows = store.statement_breaks(known.row.id, &known.pending_from, state, 0, MAX_ROWS + 1).await?;
    let many = usize::try_from(MAX_ROWS).unwrap_or(usize::MAX);
    sheet.rows.extend(rows.iter().take(many).map(cells));
    if rows.len() > many {
        let mut last = vec![text(format!("only the first {MAX_ROWS}: the CSV list has all"))];
        last.resize_with(COLUMNS.len(), || text(""));
        sheet.rows.push(last);
    }
    Ok(sheet)
}

fn cells(row: &BreakRow) -> Vec<Value> {
    let or_empty = |found: &Option<String>| text(found.clone().unwrap_or_default());
    let (theirs, ours) = (Amount(row.theirs_micros), Amount(row.ours_micros));
    vec![
        text(&row.subject),
        text(&row.rule),
        text(&row.kind),
        or_empty(&row.tx_id),
        or_empty(&row.user_id),
        or_empty(&row.offer_id),
        Value::Money(Amount(row.amount_micros)),
        text(&row.currency),
        text(row.happened_at.map(|at| TimestampMs(at).rfc3339()).unwrap_or_default()),
        or_empty(&row.day),
        Value::Money(theirs),
        Value::Money(ours),
        Value::Money(theirs - ours),
        or_empty(&row.accepted_by),
        or_empty(&row.accepted_reason),
    ]
}
