//! Money: day by day, and from one balance to the next. Axes start at zero.

use domain::money::MICROS_PER_UNIT;
use plotters::prelude::*;

use super::{LINE, SERIES, SOFT, Sheet, chart_error, drawn, height_of, twice, width_of};
use crate::console::shell::answer::PageError;
use crate::console::shell::show::usd;

/// Width of a date label, in pixels.
const DATE_WIDTH: i32 = 72;

/// One day of money.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    pub(crate) date: String,
    pub(crate) approved_micros: i64,
    pub(crate) reversed_micros: i64,
}

impl Day {
    /// Approved minus reversed.
    pub(crate) fn net_micros(&self) -> i64 {
        self.approved_micros.saturating_sub(self.reversed_micros)
    }
}

/// Chart of approved, reversed and net by day. The axis starts at zero, or below if more was reversed than approved. Drawn
/// for wide and for narrow pages, because text that is scaled down cannot be read.
pub(crate) fn days(days: &[Day]) -> Result<String, PageError> {
    twice(|sheet| days_on(days, sheet))
}

fn days_on(days: &[Day], sheet: Sheet) -> Result<String, PageError> {
    let amounts = days.iter().map(|day| day.approved_micros.max(day.reversed_micros));
    // Days without money have an axis all the same.
    let highest = amounts.max().filter(|highest| *highest > 0).unwrap_or(MICROS_PER_UNIT);
    let lowest = days.iter().map(Day::net_micros).min().unwrap_or(0).min(0);
    let title =
        format!("Payout, reversals and net of {} days, in US dollars, axis starts at zero", days.len());
    let (width, height) = (sheet.width(), 160_i32);
    drawn(sheet, 190, &title, |area| {
        let label = ("sans-serif", sheet.letters()).into_font().color(&SOFT);
        let below = height_of(-lowest, highest.saturating_sub(lowest), height);
        let zero = height + 8 - below;
        let top_of = |value: i64| zero - height_of(value, highest.saturating_sub(lowest), height);
        area.draw(&PathElement::new(vec![(0, 8), (width, 8)], LINE)).map_err(chart_error)?;
        let mut net = Vec::new();
        for (index, day) in days.iter().enumerate() {
            let (left, right) = width_of(index, days.len(), width);
            let middle = left + (right - left) * 2 / 3;
            for (from, to, value, colour) in [
                (left, middle - 1, day.approved_micros, SERIES[0]),
                (middle, right - 1, day.reversed_micros, SERIES[1]),
            ] {
                let bar = Rectangle::new([(from, top_of(value)), (to.max(from), zero)], colour.filled());
                area.draw(&bar).map_err(chart_error)?;
            }
            let value = day.net_micros();
            let depth = height_of(-value, highest.saturating_sub(lowest), height);
            net.push((i32::midpoint(left, right), if value < 0 { zero + depth } else { top_of(value) }));
            if index % days.len().div_ceil(sheet.labels()).max(1) == 0 && left + DATE_WIDTH <= width {
                let text = Text::new(day.date.clone(), (left, height + 12), label.clone());
                area.draw(&text).map_err(chart_error)?;
            }
        }
        area.draw(&PathElement::new(net, SERIES[2].stroke_width(2))).map_err(chart_error)?;
        area.draw(&Text::new(usd(highest), (4, 10), label.clone())).map_err(chart_error)?;
        area.draw(&PathElement::new(vec![(0, top_of(highest / 2)), (6, top_of(highest / 2))], LINE))
            .map_err(chart_error)?;
        area.draw(&Text::new(usd(highest / 2), (8, top_of(highest / 2) - 6), label)).map_err(chart_error)?;
        area.draw(&PathElement::new(vec![(0, zero), (width, zero)], LINE)).map_err(chart_error)
    })
}

/// One bar of a waterfall.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) name: &'static str,
    /// A balance stands on zero; a movement goes on from what stands before it, up or down.
    pub(crate) is_balance: bool,
    pub(crate) micros: i64,
    /// Index of the series whose colour it has.
    pub(crate) series: usize,
}

/// From one balance to the next, step by step, each with its figure.
pub(crate) fn waterfall(bars: &[Bar]) -> Result<String, PageError> {
    twice(|sheet| waterfall_on(bars, sheet))
}

fn waterfall_on(bars: &[Bar], sheet: Sheet) -> Result<String, PageError> {
    let mut spans = Vec::new();
    let mut level = 0_i64;
    for bar in bars {
        let from = if bar.is_balance { 0 } else { level };
        level = from.saturating_add(bar.micros);
        spans.push((from.min(level), from.max(level)));
    }
    let lowest = spans.iter().map(|(low, _)| *low).min().unwrap_or(0).min(0);
    let highest = spans.iter().map(|(_, high)| *high).max().unwrap_or(0).max(lowest + 1);
    let said: Vec<String> = bars.iter().map(|bar| format!("{} {}", bar.name, usd(bar.micros))).collect();
    let (width, height) = (sheet.width(), 120_i32);
    let gap = if sheet == Sheet::Wide { 12 } else { 3 };
    drawn(sheet, 172, &format!("In US dollars: {}", said.join(", ")), |area| {
        let label = ("sans-serif", sheet.letters()).into_font().color(&SOFT);
        let at = |value: i64| {
            22 + height - height_of(value.saturating_sub(lowest), highest.saturating_sub(lowest), height)
        };
        for (index, (bar, (low, high))) in bars.iter().zip(&spans).enumerate() {
            let (left, right) = width_of(index, bars.len(), width);
            let (left, right) = (left + gap, right - gap);
            let colour = SERIES.get(bar.series).copied().unwrap_or(SERIES[0]);
            let (top, bottom) = (at(*high), at(*low).max(at(*high) + 1));
            area.draw(&Rectangle::new([(left, top), (right, bottom)], colour.filled()))
                .map_err(chart_error)?;
            let figure = Text::new(usd(bar.micros), (left, top - 16), label.clone());
            area.draw(&figure).map_err(chart_error)?;
            area.draw(&Text::new(bar.name, (left, height + 30), label.clone())).map_err(chart_error)?;
        }
        area.draw(&PathElement::new(vec![(0, at(0)), (width, at(0))], LINE)).map_err(chart_error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waterfall_says_its_figures_and_draws_a_bar_for_each() {
        let bar = |name, is_balance, micros| Bar { name, is_balance, micros, series: 0 };
        let bars = [
            bar("Opening", true, 5_000_000),
            bar("Approved", false, 3_500_000),
            bar("Reversed", false, -1_000_000),
            bar("Open", true, 7_500_000),
        ];
        let svg = waterfall_on(&bars, Sheet::Wide).expect("drawn");
        assert!(svg.contains(
            "aria-label=\"In US dollars: Opening $5.00, Approved $3.50, Reversed −$1.00, Open $7.50\""
        ));
        assert_eq!(svg.matches("<rect").count(), 4);
        assert!(waterfall(&[]).is_ok());
    }

    #[test]
    fn every_drawing_of_money_is_made_for_a_page_and_for_a_telephone() {
        let day = Day { date: "2026-11-23".into(), approved_micros: 5_000_000, reversed_micros: 0 };
        let svg = days(&vec![day; 30]).expect("drawn");
        assert_eq!(
            (svg.matches("class=\"chart wide\"").count(), svg.matches("class=\"chart narrow\"").count()),
            (1, 1)
        );
        assert!(svg.contains("width=\"900\"") && svg.contains("width=\"360\""));
    }

    #[test]
    fn a_day_on_which_more_was_taken_back_than_approved_goes_below_zero() {
        let day = |approved, reversed| Day {
            date: "2026-11-23".into(),
            approved_micros: approved,
            reversed_micros: reversed,
        };
        let svg = days(&[day(5_000_000, 1_000_000), day(0, 3_000_000)]).expect("drawn");
        assert!(svg.contains("polyline"), "{svg}");
        assert_eq!(day(0, 3_000_000).net_micros(), -3_000_000);
    }
}
