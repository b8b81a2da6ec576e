//! Drawings, as SVG made here: the library writes numbered colours, and the stylesheet takes them over, so that one
//! drawing suits both looks. Every drawing has a text alternative beside it.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::answer::PageError;
use super::show::span;

/// The colours that `style.css` takes over.
const SERIES: [RGBColor; 3] = [RGBColor(0, 0, 1), RGBColor(0, 0, 2), RGBColor(0, 0, 3)];
const LINE: RGBColor = RGBColor(0, 0, 4);
const SOFT: RGBColor = RGBColor(0, 0, 5);

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

fn chart_error(error: impl std::fmt::Display) -> PageError {
    PageError::Chart(error.to_string())
}

fn drawn(
    size: (u32, u32),
    title: &str,
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), PageError>,
) -> Result<String, PageError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&area)?;
        area.present().map_err(chart_error)?;
    }
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let opening = format!("<svg class=\"chart\" role=\"img\" aria-label=\"{title}\"");
    let start = svg.find("<svg").unwrap_or_default();
    Ok(svg[start..].replacen("<svg", &opening, 1))
}

fn width_of(index: usize, of: usize, width: i32) -> (i32, i32) {
    let at = |index: usize| {
        i32::try_from(index * usize::try_from(width).unwrap_or(0) / of.max(1)).unwrap_or(width)
    };
    (at(index), at(index + 1) - 1)
}

fn height_of(value: i64, highest: i64, height: i32) -> i32 {
    if highest <= 0 {
        return 0;
    }
    let part = i128::from(value.max(0)) * i128::from(height) / i128::from(highest);
    i32::try_from(part).unwrap_or(height).max(i32::from(value > 0))
}

/// How long others took for the same offer, on a scale that doubles, with this reward marked. Empty if there is nobody
/// to compare with.
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
        "How long {} others took, on a scale that doubles{}",
        times_ms.len(),
        this_ms.map(|ms| format!("; this one took {}", span(ms))).unwrap_or_default()
    );
    let (width, height) = (420_i32, 92_i32);
    drawn((420, 130), &title, |area| {
        let label = ("sans-serif", 11).into_font().color(&SOFT);
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
                let text = Text::new("▲ this one", (left.min(width - 60), height + 22), label.clone());
                area.draw(&text).map_err(chart_error)?;
            }
        }
        area.draw(&PathElement::new(vec![(0, height + 4), (width, height + 4)], LINE)).map_err(chart_error)
    })
}

/// A small line of counts, from the first to the last hour.
pub(crate) fn sparkline(counts: &[i64], title: &str) -> Result<String, PageError> {
    let highest = counts.iter().copied().max().unwrap_or(0).max(1);
    drawn((240, 36), title, |area| {
        for (index, count) in counts.iter().enumerate() {
            let (left, right) = width_of(index, counts.len(), 240);
            let top = 35 - height_of(*count, highest, 32);
            let bar = Rectangle::new([(left, top), (right, 35)], SERIES[0].filled());
            area.draw(&bar).map_err(chart_error)?;
        }
        area.draw(&PathElement::new(vec![(0, 35), (240, 35)], LINE)).map_err(chart_error)
    })
}

/// One day of money.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    pub(crate) date: String,
    pub(crate) approved_micros: i64,
    pub(crate) reversed_micros: i64,
}

/// What networks approved and took back, day by day. The axis starts at zero.
pub(crate) fn days(days: &[Day]) -> Result<String, PageError> {
    let highest =
        days.iter().map(|day| day.approved_micros.max(day.reversed_micros)).max().unwrap_or(0).max(1);
    let title = format!("Payout and reversals of {} days, in US dollars, from zero", days.len());
    let (width, height) = (900_i32, 160_i32);
    drawn((900, 190), &title, |area| {
        let label = ("sans-serif", 11).into_font().color(&SOFT);
        let top_label = format!("${}", highest / 1_000_000);
        area.draw(&PathElement::new(vec![(0, 8), (width, 8)], LINE)).map_err(chart_error)?;
        for (index, day) in days.iter().enumerate() {
            let (left, right) = width_of(index, days.len(), width);
            let middle = left + (right - left) * 2 / 3;
            for (from, to, value, colour) in [
                (left, middle - 1, day.approved_micros, SERIES[0]),
                (middle, right - 1, day.reversed_micros, SERIES[1]),
            ] {
                let top = height + 8 - height_of(value, highest, height);
                let bar = Rectangle::new([(from, top), (to.max(from), height + 8)], colour.filled());
                area.draw(&bar).map_err(chart_error)?;
            }
            if index % 7 == 0 {
                let text = Text::new(day.date.clone(), (left, height + 12), label.clone());
                area.draw(&text).map_err(chart_error)?;
            }
        }
        area.draw(&Text::new(top_label, (4, 10), label)).map_err(chart_error)?;
        area.draw(&PathElement::new(vec![(0, height + 8), (width, height + 8)], LINE)).map_err(chart_error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_says_in_words_what_it_shows_and_holds_no_code_or_style() {
        let svg = histogram(&[4_000, 540_000, 600_000], Some(4_000)).expect("drawn");
        assert!(
            svg.starts_with("<svg class=\"chart\" role=\"img\" aria-label=\"How long 3 others took"),
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
