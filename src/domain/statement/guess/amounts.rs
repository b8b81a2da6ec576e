//! The sign for decimals and the forms of amounts.

use std::collections::BTreeSet;

use super::column::Column;
use super::{Guess, examples};
use crate::statement::number::{self, AmountForm};

const KEY: &str = "decimal_comma";

/// Settles both by what the columns at `places` hold, each of which could be the amount.
pub(super) fn settle(guess: &mut Guess, columns: &[Column<'_>], places: &[usize]) {
    let all = AmountForm::ALL.map(|(_, form)| form);
    let cells = || {
        places.iter().filter_map(|place| columns.get(*place)).flat_map(|column| column.cells.iter().copied())
    };
    let (mut points, mut commas, mut either) = (Vec::new(), Vec::new(), Vec::new());
    for cell in cells() {
        match (number::read(cell, false, &all), number::read(cell, true, &all)) {
            (Ok(_), Err(_)) => points.push(cell),
            (Err(_), Ok(_)) => commas.push(cell),
            (Ok(point), Ok(comma)) if point != comma => either.push(cell),
            _ => {}
        }
    }
    match (points.is_empty(), commas.is_empty(), either.is_empty()) {
        (false, false, _) => {
            let what = format!(
                "Some amounts have a point before decimals ({}), and some a comma ({}).",
                examples(&points),
                examples(&commas)
            );
            guess.doubt(KEY, what, vec!["false".into(), "true".into()], true);
        }
        (true, true, false) => {
            let what = format!(
                "{} may have thousands or decimals: no other amount tells which sign stands before decimals.",
                examples(&either)
            );
            guess.doubt(KEY, what, vec!["false".into(), "true".into()], true);
        }
        (_, is_point, _) => guess.format.decimal_comma = !is_point,
    }
    let comma = guess.format.decimal_comma;
    let forms =
        cells().filter_map(|cell| number::read(cell, comma, &[]).err()).flat_map(|no_amount| no_amount.forms);
    guess.format.amounts = forms.collect::<BTreeSet<_>>().into_iter().collect();
}
