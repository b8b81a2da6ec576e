//! Drawings, as SVG made here: the library writes numbered colours, and the stylesheet takes them over, so that one
//! drawing suits both looks. Every drawing has a text alternative beside it.
//!
//! | module | what it draws |
//! |---|---|
//! | `times` | how long things took, and when they happened |
//! | `decisions` | what would have been credited and held |
//! | `money` | payouts day by day, and from one balance to the next |

mod decisions;
mod money;
mod times;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::console::shell::answer::PageError;
pub(crate) use decisions::{Decided, decisions};
pub(crate) use money::{Bar, Day, days, waterfall};
pub(crate) use times::{histogram, sparkline};

/// The colours that `style.css` takes over.
const SERIES: [RGBColor; 3] = [RGBColor(0, 0, 1), RGBColor(0, 0, 2), RGBColor(0, 0, 3)];
const LINE: RGBColor = RGBColor(0, 0, 4);
const SOFT: RGBColor = RGBColor(0, 0, 5);

fn chart_error(error: impl std::fmt::Display) -> PageError {
    PageError::Chart(error.to_string())
}

/// The width for which a chart is drawn. The stylesheet shows the one that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sheet {
    /// A page.
    Wide,
    /// A telephone.
    Narrow,
    /// Any place, in this width.
    Any(u16),
}

impl Sheet {
    /// In pixels.
    fn width(self) -> i32 {
        match self {
            Self::Wide => 900,
            Self::Narrow => 360,
            Self::Any(width) => i32::from(width),
        }
    }

    /// Number of labels below it.
    fn labels(self) -> usize {
        if self == Self::Narrow { 3 } else { 7 }
    }

    /// The size of its letters, of which the library draws four fifths: what shrinks most has the largest.
    fn letters(self) -> u32 {
        match self {
            Self::Wide => 15,
            Self::Narrow => 14,
            Self::Any(_) => 16,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Wide => "chart wide",
            Self::Narrow => "chart narrow",
            Self::Any(_) => "chart",
        }
    }
}

/// The same drawing for a page and for a telephone.
fn twice(draw: impl Fn(Sheet) -> Result<String, PageError>) -> Result<String, PageError> {
    Ok(draw(Sheet::Wide)? + &draw(Sheet::Narrow)?)
}

fn drawn(
    sheet: Sheet,
    height: u32,
    title: &str,
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), PageError>,
) -> Result<String, PageError> {
    let mut svg = String::new();
    {
        let size = (sheet.width().unsigned_abs(), height);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&area)?;
        area.present().map_err(chart_error)?;
    }
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let opening = format!("<svg class=\"{}\" role=\"img\" aria-label=\"{title}\"", sheet.class());
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
