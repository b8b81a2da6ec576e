//! Tables of a report on a page: the same cells as in its files, so that both add up to the same.

use domain::report::cohort::CohortTable;
use domain::report::sheets::{Sheet, Value};

use super::show::{amount, number, percent, usd};

/// One cell.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) is_figure: bool,
}

/// One table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Cell>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

fn cell(value: &Value) -> Cell {
    let figure = |text: String| Cell { text, is_figure: true };
    match value {
        Value::Open => figure("open".into()),
        Value::Text(text) => Cell { text: text.clone(), is_figure: false },
        Value::Count(count) => figure(number(*count)),
        Value::Money(micros) => figure(amount(micros.0)),
    }
}

impl Table {
    /// A sheet as it is.
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
        Self { columns, rows: sheet.rows.iter().map(|row| row.iter().map(cell).collect()).collect() }
    }

    /// The figures of a report: a line for each figure, a pair of columns for each source.
    pub(crate) fn of_figures(sheet: &Sheet) -> Self {
        let figure = |text: String| Cell { text, is_figure: true };
        let words = |text: &str| Cell { text: text.to_owned(), is_figure: false };
        let mut columns = vec![words("")];
        for row in &sheet.rows {
            let name: Vec<String> = row.iter().take(2).map(|value| cell(value).text).collect();
            columns.push(figure(name.join(" · ")));
            columns.push(figure("amount".into()));
        }
        let mut rows = Vec::new();
        let mut index = 2;
        while let Some(name) = sheet.columns.get(index) {
            let is_pair = sheet.columns.get(index + 1).is_some_and(|next| next.starts_with(name.as_str()));
            let is_sum = name.contains("USD");
            let unit = if is_pair && sheet.columns[index + 1].contains("USD") { ", USD" } else { "" };
            let mut line = vec![words(&format!("{name}{unit}"))];
            for row in &sheet.rows {
                let value = |index: usize| row.get(index).map_or_else(|| words(""), cell);
                match (is_pair, is_sum) {
                    (true, _) => line.extend([value(index), value(index + 1)]),
                    (false, true) => line.extend([figure(String::new()), value(index)]),
                    (false, false) => line.extend([value(index), figure(String::new())]),
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
    /// The newest days, and those behind them.
    pub(crate) rows: Vec<HeatRow>,
    pub(crate) older: Vec<HeatRow>,
}

/// How many conversion days stand there at once.
const HEAT_ROWS: usize = 31;
/// From how many parts per million of the payout on a cell is how hot.
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
        return Heat { text: "open".into(), title: "This age is not over yet".into(), class: "open" };
    };
    let class =
        HEATS.iter().rev().find(|(from, _)| cell.payout_ppm >= *from).map_or("h0", |(_, class)| class);
    Heat {
        text: percent(cell.payout_ppm, 1_000_000),
        title: format!(
            "{} of {} rewards taken back, {}",
            number(cell.reversed.count),
            number(approved),
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
    fn figures_stand_in_lines_with_a_pair_of_columns_for_each_source() {
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
                ["approved, USD", "3", "1.5"],
                ["net USD", "", "1"],
                ["held", "1", "−7"],
                ["before credit", "2", ""],
            ]
        );
        assert_eq!(table.columns[1].text, "targo · coins");
    }

    #[test]
    fn a_cell_whose_age_is_not_over_is_open_and_not_zero() {
        assert_eq!(heat(None, 5).text, "open");
        let cell = domain::report::cohort::Cell {
            reversed: domain::report::amount::Sum::new(1, 2_000_000),
            count_ppm: 200_000,
            payout_ppm: 50_000,
        };
        let heat = heat(Some(&cell), 5);
        assert_eq!((heat.text.as_str(), heat.class), ("5.0 %", "h3"));
        assert_eq!(heat.title, "1 of 5 rewards taken back, $2.00");
    }
}
