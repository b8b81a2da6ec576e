//! Decisions of the past, day by day or for several days together. The axis starts at zero.

use domain::money::MICROS_PER_UNIT;
use plotters::prelude::*;

use super::{LINE, SERIES, SOFT, Sheet, chart_error, drawn, height_of, twice, width_of};
use crate::console::shell::answer::PageError;
use crate::console::shell::show::usd;

/// Width of a date label, in pixels.
const DATE_WIDTH: i32 = 72;
const HEIGHT: i32 = 160;
/// A cent, in micros.
const CENT: i64 = 10_000;
/// Room for the figures of the axis, left of the bars.
const GUTTER: i32 = 76;

/// One bar: some days, in micros of a USD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decided {
    /// The first of its days.
    pub(crate) date: String,
    pub(crate) credited: i64,
    pub(crate) held: i64,
    pub(crate) reversed: i64,
}

/// Chart of what is credited and, on top of it, held; what was taken back of both is beside it.
pub(crate) fn decisions(bars: &[Decided]) -> Result<String, PageError> {
    twice(|sheet| decisions_on(bars, sheet))
}

fn decisions_on(bars: &[Decided], sheet: Sheet) -> Result<String, PageError> {
    let heights = bars.iter().map(|bar| bar.credited.saturating_add(bar.held).max(bar.reversed));
    // Days without money have an axis all the same.
    let highest = heights.max().filter(|highest| *highest > 0).unwrap_or(MICROS_PER_UNIT);
    let title = format!(
        "Payout credited, held and reversed by day of completion, {} bars, in US dollars, axis starts at zero",
        bars.len()
    );
    let (width, zero) = (sheet.width(), HEIGHT + 8);
    let top_of = |value: i64| zero - height_of(value, highest, HEIGHT);
    drawn(sheet, 190, &title, |area| {
        let label = ("sans-serif", sheet.letters()).into_font().color(&SOFT);
        let half = top_of(highest / 2);
        for level in [8, half] {
            area.draw(&PathElement::new(vec![(0, level), (width, level)], LINE)).map_err(chart_error)?;
        }
        for (index, bar) in bars.iter().enumerate() {
            let (left, right) = width_of(index, bars.len(), width - GUTTER);
            let (left, right) = (left + GUTTER, right + GUTTER);
            let middle = left + (right - left) * 2 / 3;
            let whole = bar.credited.saturating_add(bar.held);
            for (from, to, top, bottom, colour) in [
                (left, middle - 1, top_of(bar.credited), zero, SERIES[2]),
                (left, middle - 1, top_of(whole), top_of(bar.credited), SERIES[0]),
                (middle, right - 1, top_of(bar.reversed), zero, SERIES[1]),
            ] {
                if top < bottom {
                    let bar = Rectangle::new([(from, top), (to.max(from), bottom)], colour.filled());
                    area.draw(&bar).map_err(chart_error)?;
                }
            }
            if index % bars.len().div_ceil(sheet.labels()).max(1) == 0 && left + DATE_WIDTH <= width {
                let text = Text::new(bar.date.clone(), (left, HEIGHT + 12), label.clone());
                area.draw(&text).map_err(chart_error)?;
            }
        }
        area.draw(&Text::new(usd(highest), (0, 12), label.clone())).map_err(chart_error)?;
        area.draw(&Text::new(usd(highest / 2 / CENT * CENT), (0, half + 4), label)).map_err(chart_error)?;
        area.draw(&PathElement::new(vec![(0, zero), (width, zero)], LINE)).map_err(chart_error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_stands_on_what_is_credited() {
        let bar = |credited, held, reversed| Decided { date: "2026-11-23".into(), credited, held, reversed };
        let svg =
            decisions_on(&[bar(3_000_000, 1_000_000, 2_000_000), bar(0, 0, 0)], Sheet::Wide).expect("drawn");
        assert_eq!(svg.matches("<rect").count(), 3, "nothing is drawn for nothing");
        assert!(svg.contains("$4.00") && svg.contains("$2.00"), "{svg}");
        assert!(decisions(&[]).is_ok());
    }
}
