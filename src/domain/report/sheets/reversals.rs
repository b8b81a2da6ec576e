//! Reversals: by cohort, expected, largest, and waiting for a decision.

use super::{Sheet, Value, sum, text};
use crate::report::Report;

impl Report {
    pub(super) fn cohort_cells(&self) -> Sheet {
        let columns = [
            "source",
            "currency",
            "converted",
            "approved",
            "approved USD",
            "age in days",
            "reversed",
            "reversed USD",
            "of rewards in ppm",
            "of payout in ppm",
        ];
        let mut sheet = Sheet::new("Cohorts", &columns);
        for table in &self.cohorts {
            for row in &table.rows {
                for (age, cell) in table.ages.iter().zip(&row.cells) {
                    let mut cells = vec![text(&table.source), text(&table.currency), text(&row.converted)];
                    cells.extend(sum(row.approved));
                    cells.push(Value::Count(*age));
                    match cell {
                        None => cells.extend(std::iter::repeat_n(Value::Open, 4)),
                        Some(cell) => {
                            cells.extend(sum(cell.reversed));
                            cells.extend([Value::Count(cell.count_ppm), Value::Count(cell.payout_ppm)]);
                        }
                    }
                    sheet.row(cells);
                }
            }
        }
        sheet
    }

    pub(super) fn expected(&self) -> Sheet {
        let columns = [
            "source",
            "currency",
            "open",
            "open USD",
            "expected reversals USD",
            "expected reversals",
            "spendable",
            "exposure",
            "observed days",
        ];
        let mut sheet = Sheet::new("Forecast", &columns);
        for forecast in &self.forecasts {
            let mut cells = vec![text(&forecast.source), text(&forecast.currency)];
            cells.extend(sum(forecast.open));
            let amounts =
                [forecast.expected_payout, forecast.expected_rewards, forecast.spendable, forecast.exposure];
            cells.extend(amounts.map(Value::Money));
            cells.push(Value::Count(forecast.observed_days));
            sheet.row(cells);
        }
        sheet
    }

    pub(super) fn top_lists(&self) -> Sheet {
        let mut sheet = Sheet::new("Top reversals", &["of", "source", "key", "reversed", "reversed USD"]);
        for top in &self.top {
            let words = [text(&top.of), text(&top.source), text(&top.key)];
            sheet.row(words.into_iter().chain(sum(top.reversed)));
        }
        sheet
    }

    pub(super) fn open_cases(&self) -> Sheet {
        let columns = ["source", "situation", "raised", "ended", "open", "open USD"];
        let mut sheet = Sheet::new("Reversals to decide", &columns);
        for figures in &self.cases {
            let mut cells = vec![text(&figures.source), text(figures.situation.name())];
            cells.extend([Value::Count(figures.raised), Value::Count(figures.ended)]);
            cells.extend(sum(figures.open));
            sheet.row(cells);
        }
        sheet
    }
}
