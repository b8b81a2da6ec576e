//! The report as tables: one text or number a cell, the same for every file that is made of it.
//!
//! Here are the order of the tables and the figures of the day; `balances`, `reversals` and `reception` have the
//! others.

mod balances;
mod reception;
mod reversals;

use super::Report;
use super::amount::{Amount, Sum};
use super::figures::{Figures, PriorLine};

/// The content of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Empty: a cohort that has not reached this age.
    Open,
    /// A name, date or word.
    Text(String),
    /// A count, or parts per million.
    Count(i64),
    /// An amount in the currency that the row or column names.
    Money(Amount),
}

/// One table: a CSV file, or a sheet of the workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Its name, of at most 31 letters.
    pub name: &'static str,
    /// The names of its columns, with units.
    pub columns: Vec<String>,
    /// Its rows, each as long as the columns.
    pub rows: Vec<Vec<Value>>,
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn sum(sum: Sum) -> [Value; 2] {
    [Value::Count(sum.count), Value::Money(sum.amount)]
}

impl Sheet {
    /// The names of all sheets of a report, in their order.
    pub const NAMES: [&str; 16] = [
        "Summary",
        "Figures",
        "Receivable",
        "Users hold",
        "Users owe",
        "Accounts",
        "Holds",
        "Cohorts",
        "Forecast",
        "Prior periods",
        "Late entries",
        "Top reversals",
        "Negative balances",
        "Postbacks",
        "Reversals to decide",
        "Loss windows",
    ];

    fn new(name: &'static str, columns: &[&str]) -> Self {
        Self { name, columns: columns.iter().map(|&column| column.to_owned()).collect(), rows: Vec::new() }
    }

    fn row(&mut self, cells: impl IntoIterator<Item = Value>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl Report {
    /// Every table of the report, in the order in which a controller reads them.
    pub fn sheets(&self) -> Vec<Sheet> {
        vec![
            self.summary(),
            self.figures(),
            self.receivable(),
            self.user_rolls(),
            self.debt_rolls(),
            self.account_rolls(),
            self.hold_ages(),
            self.cohort_cells(),
            self.expected(),
            prior("Prior periods", &self.prior_periods),
            prior("Late entries", &self.late),
            self.top_lists(),
            self.negative_balances(),
            self.postback_dispositions(),
            self.open_cases(),
            self.loss_windows(),
        ]
    }

    fn summary(&self) -> Sheet {
        let mut sheet = Sheet::new("Summary", &["what", "value"]);
        let verdict = if self.ties_out { "yes" } else { "NO" };
        for (what, value) in [
            ("business day", self.date.as_str()),
            ("time zone", &self.zone),
            ("from", &self.starts_at),
            ("to (not included)", &self.ends_at),
            ("state", self.state.name()),
            ("ties out", verdict),
        ] {
            sheet.row([text(what), text(value)]);
        }
        for fault in &self.faults {
            sheet.row([text("does not tie out"), text(fault)]);
        }
        sheet.row([text("approved, USD"), Value::Money(self.totals.approved.amount)]);
        sheet.row([text("reversed, USD"), Value::Money(self.totals.reversed.amount)]);
        sheet.row([text("net, USD"), Value::Money(self.totals.net)]);
        sheet.row([text("last transfer"), Value::Count(self.inputs.transfers_upto)]);
        for policy in &self.inputs.policies {
            sheet.row([text("policy"), text(policy)]);
        }
        if let Some(previous) = &self.inputs.previous {
            sheet.row([text("goes on from"), text(&previous.date)]);
            sheet.row([text("SHA-256 of that report"), text(&previous.hash)]);
        }
        sheet
    }

    fn figures(&self) -> Sheet {
        let columns = [
            "source",
            "currency",
            "approved",
            "approved USD",
            "reversed",
            "reversed USD",
            "net USD",
            "credited",
            "credited amount",
            "held",
            "held amount",
            "released",
            "released amount",
            "rejected",
            "rejected amount",
            "overturned",
            "overturned amount",
            "reversed from users",
            "reversed from users amount",
            "reversed on hold",
            "reversed on hold amount",
            "reversed after reject",
            "reversed after reject amount",
            "reversed before credit",
            "reversed in part from users",
            "reversed in part from users amount",
            "reversed in part on hold",
            "reversed in part on hold amount",
            "reversed in part after reject",
            "reversed in part after reject amount",
            "approved again",
            "approved again amount",
        ];
        let mut sheet = Sheet::new("Figures", &columns);
        let cells = |source: &str, currency: &str, figures: &Figures| {
            let mut cells = vec![text(source), text(currency)];
            cells.extend(sum(figures.approved));
            cells.extend(sum(figures.reversed));
            cells.push(Value::Money(figures.net));
            for figure in [
                figures.credited,
                figures.held,
                figures.released,
                figures.rejected,
                figures.overturned,
                figures.reversed_credited,
                figures.reversed_held,
                figures.reversed_rejected,
            ] {
                cells.extend(sum(figure));
            }
            cells.push(Value::Count(figures.reversed_first));
            for figure in [
                figures.reversed_credited_part,
                figures.reversed_held_part,
                figures.reversed_rejected_part,
                figures.reapproved,
            ] {
                cells.extend(sum(figure));
            }
            cells
        };
        for source in &self.sources {
            sheet.row(cells(&source.source, &source.currency, &source.figures));
        }
        for total in &self.totals.currencies {
            sheet.row(cells("TOTAL", &total.currency, &total.figures));
        }
        sheet
    }
}

fn prior(name: &'static str, lines: &[PriorLine]) -> Sheet {
    let columns = ["belongs to", "source", "currency", "step", "rewards", "amount", "payout USD"];
    let mut sheet = Sheet::new(name, &columns);
    for line in lines {
        let mut cells =
            vec![text(&line.belongs_to), text(&line.source), text(&line.currency), text(&line.step)];
        cells.extend(sum(line.reward));
        cells.push(Value::Money(line.payout));
        sheet.row(cells);
    }
    sheet
}
