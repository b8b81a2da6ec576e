//! Charts of durations and times.

use plotters::prelude::*;

use super::{LINE, SERIES, SOFT, Sheet, chart_error, drawn, height_of, width_of};
use crate::console::shell::answer::PageError;
use crate::console::shell::show::span;

/// The bounds of a histogram of durations, in milliseconds: a scale on which each step is about double.
const BOUNDS_MS: [i64; 16] = [
    5_000,
    10_000,
    20_000,
    40_000,
    60_000,
    120_000,
    240_000,
    480_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    14_400_000,
    28_800_000,
    86_400_000,
    604_800_000,
];

/// Histogram of other users' times for the same offer, on a scale that doubles, with this reward marked. Empty without
/// others.
pub(crate) fn histogram(times_ms: &[i64], this_ms: Option<i64>) -> Result<String, PageError> {
    if times_ms.is_empty() {
        return Ok(String::new());
    }
    let bucket = |ms: i64| BOUNDS_MS.iter().position(|bound| ms < *bound).unwrap_or(BOUNDS_MS.len());
    let mut counts = [0_i64; BOUNDS_MS.len() + 1];
    for ms in times_ms {
        counts[bucket(*ms)] += 1;
    }
    let highest = counts.iter().copied().max().unwrap_or(1);
    let here = this_ms.map(bucket);
    let title = format!(
        "Completion times of {} other rewards, logarithmic scale{}",
        times_ms.len(),
        this_ms.map(|ms| format!("; this one took {}", span(ms))).unwrap_or_default()
    );
    let (width, height) = (420_i32, 92_i32);
    let sheet = Sheet::Any(420);
    drawn(sheet, 134, &title, |area| {
        let label = ("sans-serif", sheet.letters()).into_font().color(&SOFT);
        for (index, count) in counts.iter().enumerate() {
            let (left, right) = width_of(index, counts.len(), width);
            let top = height + 4 - height_of(*count, highest, height);
            let colour = if here == Some(index) { SERIES[1] } else { SERIES[0] };
            let bar = Rectangle::new([(left, top), (right, height + 4)], colour.filled());
            area.draw(&bar).map_err(chart_error)?;
            if index % 4 == 0
                && let Some(bound) = BOUNDS_MS.get(index)
            {
                let text = Text::new(format!("< {}", span(*bound)), (left, height + 8), label.clone());
                area.draw(&text).map_err(chart_error)?;
            }
            if here == Some(index) {
                let text = Text::new("▲ this one", (left.min(width - 70), height + 24), label.clone());
                area.draw(&text).map_err(chart_error)?;
            }
        }
        area.draw(&PathElement::new(vec![(0, height + 4), (width, height + 4)], LINE)).map_err(chart_error)
    })
}

/// A small line of counts, from the first to the last hour.
pub(crate) fn sparkline(counts: &[i64], title: &str) -> Result<String, PageError> {
    let highest = counts.iter().copied().max().unwrap_or(0).max(1);
    drawn(Sheet::Any(240), 36, title, |area| {
        for (index, count) in counts.iter().enumerate() {
            let (left, right) = width_of(index, counts.len(), 240);
            let top = 35 - height_of(*count, highest, 32);
            let bar = Rectangle::new([(left, top), (right, 35)], SERIES[0].filled());
            area.draw(&bar).map_err(chart_error)?;
        }
        area.draw(&PathElement::new(vec![(0, 35), (240, 35)], LINE)).map_err(chart_error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_says_in_words_what_it_shows_and_holds_no_code_or_style() {
        let svg = histogram(&[4_000, 540_000, 600_000], Some(4_000)).expect("drawn");
        assert!(
            svg.starts_with(
                "<svg class=\"chart\" role=\"img\" aria-label=\"Completion times of 3 other rewards"
            ),
            "{svg}"
        );
        assert!(svg.contains("this one took 4 s"));
        for forbidden in ["style=", "<script", "onload"] {
            assert!(!svg.contains(forbidden), "{forbidden}");
        }
        for colour in ["#000001", "#000002"] {
            assert!(svg.contains(colour), "the stylesheet takes {colour} over");
        }
    }

    #[test]
    fn with_nobody_to_compare_with_nothing_is_drawn() {
        assert_eq!(histogram(&[], Some(4_000)).expect("nothing"), "");
    }

    #[test]
    fn the_highest_bar_fills_the_drawing_and_none_is_lost() {
        assert_eq!(height_of(10, 10, 92), 92);
        assert_eq!(height_of(1, 1_000_000, 92), 1, "a little is not nothing");
        assert_eq!(height_of(0, 10, 92), 0);
        assert_eq!(height_of(i64::MAX, i64::MAX, 92), 92);
    }
}
