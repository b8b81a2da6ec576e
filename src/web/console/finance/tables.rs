//! Tables of a report on a page: the same cells as in its files, so that both add up to the same.

use domain::money::PAYOUT_CURRENCY;
use domain::report::cohort::CohortTable;
use domain::report::sheets::{Sheet, Value};

use crate::console::shell::show::{counted, figure, number, percent, priced, to_the_cent, usd};

/// One formatted cell.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) is_figure: bool,
}

/// A sheet, formatted for a page.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Cell>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// The currency of an amount, from its column or its row; may be empty.
#[derive(Clone, Copy)]
struct Unit<'a> {
    currency: &'a str,
    /// True for forecasts: shown to the cent.
    is_estimate: bool,
}

impl<'a> Unit<'a> {
    /// US dollars if the name of the column says so, else the currency of the row.
    fn of(column: &str, row_currency: &'a str) -> Self {
        let currency = if column.contains(PAYOUT_CURRENCY) { PAYOUT_CURRENCY } else { row_currency };
        Self { currency, is_estimate: ["expected", "exposure"].iter().any(|word| column.contains(word)) }
    }
}

fn cell(value: &Value, unit: Unit<'_>) -> Cell {
    let written = |text: String| Cell { text, is_figure: true };
    match value {
        Value::Open => written("open".into()),
        Value::Text(text) => Cell { text: text.clone(), is_figure: false },
        Value::Count(count) => written(number(*count)),
        Value::Money(micros) if unit.is_estimate => written(figure(to_the_cent(micros.0), unit.currency)),
        Value::Money(micros) => written(figure(micros.0, unit.currency)),
    }
}

/// The value in the `currency` column of a row; empty without such a column.
fn currency_of<'a>(sheet: &Sheet, row: &'a [Value]) -> &'a str {
    let index = sheet.columns.iter().position(|name| name == "currency");
    match index.and_then(|index| row.get(index)) {
        Some(Value::Text(currency)) => currency,
        _ => "",
    }
}

impl Table {
    /// Formats a sheet without changing its layout.
    pub(crate) fn of(sheet: &Sheet) -> Self {
        let is_figure = |index: usize| {
            sheet
                .rows
                .first()
                .and_then(|row| row.get(index))
                .is_some_and(|value| !matches!(value, Value::Text(_)))
        };
        let columns = sheet
            .columns
            .iter()
            .enumerate()
            .map(|(index, name)| Cell { text: name.clone(), is_figure: is_figure(index) })
            .collect();
        let line = |row: &Vec<Value>| {
            let currency = currency_of(sheet, row);
            let units = sheet.columns.iter().map(|column| Unit::of(column, currency));
            row.iter().zip(units).map(|(value, unit)| cell(value, unit)).collect()
        };
        Self { columns, rows: sheet.rows.iter().map(line).collect() }
    }

    /// The sheet Figures transposed: a line for each figure, and for each source a column of counts and one of amounts. Each
    /// amount has its currency: some are the users' rewards, others the network's payouts.
    pub(crate) fn of_figures(sheet: &Sheet) -> Self {
        let written = |text: String| Cell { text, is_figure: true };
        let words = |text: &str| Cell { text: text.to_owned(), is_figure: false };
        let mut columns = vec![words("")];
        for row in &sheet.rows {
            let source =
                row.first().map(|value| cell(value, Unit::of("", ""))).map_or_else(String::new, |it| it.text);
            columns.push(written(format!("{source} · rewards")));
            columns.push(written(format!("{source} · amount, {} or USD", currency_of(sheet, row))));
        }
        let mut rows = Vec::new();
        let mut index = 2;
        while let Some(name) = sheet.columns.get(index) {
            let is_pair = sheet.columns.get(index + 1).is_some_and(|next| next.starts_with(name.as_str()));
            let amount_at = if is_pair { index + 1 } else { index };
            let amount_name = sheet.columns[amount_at].as_str();
            let is_sum = name.contains(PAYOUT_CURRENCY);
            let unit = if is_pair && amount_name.contains(PAYOUT_CURRENCY) { ", USD" } else { "" };
            let mut line = vec![words(&format!("{name}{unit}"))];
            for row in &sheet.rows {
                let currency = currency_of(sheet, row);
                let count =
                    || row.get(index).map_or_else(|| words(""), |value| cell(value, Unit::of("", "")));
                let amount = || match row.get(amount_at) {
                    Some(Value::Money(micros)) => {
                        written(priced(micros.0, Unit::of(amount_name, currency).currency))
                    }
                    _ => words(""),
                };
                match (is_pair, is_sum) {
                    (true, _) => line.extend([count(), amount()]),
                    (false, true) => line.extend([written(String::new()), amount()]),
                    (false, false) => line.extend([count(), written(String::new())]),
                }
            }
            rows.push(line);
            index += if is_pair { 2 } else { 1 };
        }
        Self { columns, rows }
    }
}

/// One cell of a heat map.
#[derive(Debug)]
pub(crate) struct Heat {
    pub(crate) text: String,
    pub(crate) title: String,
    pub(crate) class: &'static str,
}

/// One conversion day.
#[derive(Debug)]
pub(crate) struct HeatRow {
    pub(crate) date: String,
    pub(crate) approved: String,
    pub(crate) payout: String,
    pub(crate) cells: Vec<Heat>,
}

/// The cohorts of a source as a heat map with figures.
#[derive(Debug)]
pub(crate) struct HeatMap {
    pub(crate) name: String,
    pub(crate) ages: Vec<String>,
    /// The newest [`HEAT_ROWS`] days.
    pub(crate) rows: Vec<HeatRow>,
    /// Earlier days, folded at first.
    pub(crate) older: Vec<HeatRow>,
}

/// Conversion days that are shown unfolded.
const HEAT_ROWS: usize = 31;
/// CSS classes by the reversed share of the payout, from so many parts per million on.
const HEATS: [(i64, &str); 6] =
    [(0, "h0"), (1, "h1"), (20_000, "h2"), (50_000, "h3"), (100_000, "h4"), (200_000, "h5")];

impl HeatMap {
    pub(crate) fn of(table: &CohortTable) -> Self {
        let age = |age: &i64| if *age == 0 { "same day".to_owned() } else { format!("{age} d") };
        let mut rows: Vec<HeatRow> = table
            .rows
            .iter()
            .map(|row| HeatRow {
                date: row.converted.clone(),
                approved: number(row.approved.count),
                payout: usd(row.approved.amount.0),
                cells: row.cells.iter().map(|cell| heat(cell.as_ref(), row.approved.count)).collect(),
            })
            .collect();
        let older = rows.split_off(rows.len().min(HEAT_ROWS));
        Self {
            name: format!("{} · {}", table.source, table.currency),
            ages: table.ages.iter().map(age).collect(),
            rows,
            older,
        }
    }
}

fn heat(cell: Option<&domain::report::cohort::Cell>, approved: i64) -> Heat {
    let Some(cell) = cell else {
        return Heat { text: "open".into(), title: "This age has not passed yet".into(), class: "open" };
    };
    let class =
        HEATS.iter().rev().find(|(from, _)| cell.payout_ppm >= *from).map_or("h0", |(_, class)| class);
    Heat {
        text: percent(cell.payout_ppm, 1_000_000),
        title: format!(
            "{} of {} reversed, {}",
            number(cell.reversed.count),
            counted(approved, "reward"),
            usd(cell.reversed.amount.0)
        ),
        class,
    }
}

#[cfg(test)]
mod tests {
    use domain::report::amount::Amount;

    use super::*;

    #[test]
    fn figures_are_lines_with_two_columns_for_each_source() {
        let columns = [
            "source",
            "currency",
            "approved",
            "approved USD",
            "net USD",
            "held",
            "held amount",
            "before credit",
        ];
        let sheet = Sheet {
            name: "Figures",
            columns: columns.map(str::to_owned).to_vec(),
            rows: vec![vec![
                Value::Text("targo".into()),
                Value::Text("coins".into()),
                Value::Count(3),
                Value::Money(Amount(1_500_000)),
                Value::Money(Amount(1_000_000)),
                Value::Count(1),
                Value::Money(Amount(-7_000_000)),
                Value::Count(2),
            ]],
        };
        let table = Table::of_figures(&sheet);
        let rows: Vec<Vec<&str>> =
            table.rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()).collect()).collect();
        assert_eq!(
            rows,
            [
                ["approved, USD", "3", "$1.50"],
                ["net USD", "", "$1.00"],
                ["held", "1", "−7 coins"],
                ["before credit", "2", ""],
            ]
        );
        assert_eq!(table.columns[1].text, "targo · rewards");
        assert_eq!(table.columns[2].text, "targo · amount, coins or USD");
    }

    #[test]
    fn an_amount_is_formatted_in_its_own_currency() {
        let sheet = Sheet {
            name: "Holds",
            columns: ["source", "currency", "rewards", "amount", "payout USD", "expected reversals USD"]
                .map(str::to_owned)
                .to_vec(),
            rows: vec![vec![
                Value::Text("targo".into()),
                Value::Text("coins".into()),
                Value::Count(1_200),
                Value::Money(Amount(1_500_000_000)),
                Value::Money(Amount(300_000)),
                Value::Money(Amount(126_169_946)),
            ]],
        };
        let row: Vec<String> = Table::of(&sheet).rows.remove(0).into_iter().map(|cell| cell.text).collect();
        assert_eq!(row, ["targo", "coins", "1,200", "1,500", "0.30", "126.17"]);
    }

    #[test]
    fn an_age_that_has_not_passed_is_open_and_not_zero() {
        assert_eq!(heat(None, 5).text, "open");
        let cell = domain::report::cohort::Cell {
            reversed: domain::report::amount::Sum::new(1, 2_000_000),
            count_ppm: 200_000,
            payout_ppm: 50_000,
        };
        let heat = heat(Some(&cell), 5);
        assert_eq!((heat.text.as_str(), heat.class), ("5.0 %", "h3"));
        assert_eq!(heat.title, "1 of 5 rewards reversed, $2.00");
    }
}
