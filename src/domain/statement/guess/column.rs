//! What a column holds.

use std::collections::{BTreeMap, BTreeSet};

use super::sample::Sample;
use super::{examples, quoted, times};
use crate::statement::columns::shown;
use crate::statement::line::NOTHING;
use crate::statement::number::{self, AmountForm};
use crate::statement::spoiled;

/// Most of the cells, in percent: a few may be broken.
const MOST_PERCENT: usize = 90;

const CURRENCIES: [&str; 32] = [
    "USD", "EUR", "GBP", "JPY", "CNY", "CAD", "AUD", "NZD", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF",
    "RON", "TRY", "RUB", "UAH", "INR", "BRL", "MXN", "ARS", "CLP", "COP", "ZAR", "KRW", "SGD", "HKD", "TWD",
    "ILS", "VND",
];

/// A column for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenColumn {
    /// From 1.
    pub number: usize,
    /// What the header calls it; empty without one.
    pub name: String,
    /// What names it in the settings: its name, or its number where the name is not unique.
    pub setting: String,
    /// Its first different cells, for a sentence.
    pub examples: String,
    /// The field that it was settled to be.
    pub field: Option<&'static str>,
}

impl SeenColumn {
    /// `column 3 (Payout)`
    pub fn title(&self) -> String {
        match self.name.as_str() {
            "" => format!("column {}", self.number),
            name => format!("column {} ({})", self.number, shown(name)),
        }
    }
}

/// A column of the sample.
#[derive(Clone, Debug)]
pub(super) struct Column<'s> {
    /// From 0.
    pub(super) place: usize,
    pub(super) name: &'s str,
    is_name_unique: bool,
    /// Its cells that are not empty.
    pub(super) cells: Vec<&'s str>,
    /// The formats of times that read them.
    pub(super) times: Vec<String>,
    /// How many lines there are.
    rows: usize,
}

/// The columns of a sample.
pub(super) fn columns(sample: &Sample) -> Vec<Column<'_>> {
    let of = |place: usize| {
        let cells = sample.rows.iter().filter_map(|(_, cells)| cells.get(place));
        let cells =
            cells.map(|cell| spoiled::unwrapped(cell)).filter(|cell| !is_nothing(cell)).collect::<Vec<_>>();
        let times = times::formats_of(&cells);
        let name = sample.names.get(place).map_or("", String::as_str);
        let same = sample.names.iter().filter(|other| other.eq_ignore_ascii_case(name)).count();
        Column { place, name, is_name_unique: same == 1, cells, times, rows: sample.rows.len() }
    };
    (0..sample.width).map(of).collect()
}

fn is_nothing(cell: &str) -> bool {
    cell.is_empty() || NOTHING.contains(&cell)
}

/// True if it is an amount in some form.
pub(super) fn is_amount(cell: &str) -> bool {
    let all = AmountForm::ALL.map(|(_, form)| form);
    number::read(cell, false, &all).is_ok() || number::read(cell, true, &all).is_ok()
}

/// True if it begins with a digit or is an amount, as no name of a column does.
pub(super) fn is_figure(cell: &str) -> bool {
    cell.starts_with(|letter: char| letter.is_ascii_digit()) || is_amount(cell)
}

fn has_decimals(cell: &str) -> bool {
    let tail = cell
        .rsplit_once(['.', ','])
        .map(|(_, tail)| tail.trim_end_matches(|letter: char| !letter.is_ascii_digit()));
    is_amount(cell)
        && tail.is_some_and(|tail| !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_digit()))
}

/// True if it is the ISO code of a currency that networks pay in, in any case.
pub(super) fn is_currency(cell: &str) -> bool {
    CURRENCIES.iter().any(|code| code.eq_ignore_ascii_case(cell))
}

impl Column<'_> {
    pub(super) fn seen(&self) -> SeenColumn {
        SeenColumn {
            number: self.place + 1,
            name: self.name.to_owned(),
            setting: self.setting(),
            examples: examples(&self.cells),
            field: None,
        }
    }

    /// What names it in the settings. A name that looks like a number, or that a person could not see to be right, is not
    /// used.
    pub(super) fn setting(&self) -> String {
        let is_plain = !self.name.chars().any(char::is_control) && self.name.parse::<usize>().is_err();
        if self.is_name_unique && is_plain && !self.name.is_empty() {
            self.name.to_owned()
        } else {
            (self.place + 1).to_string()
        }
    }

    /// The same as TOML.
    pub(super) fn written(&self) -> String {
        quoted(&self.setting())
    }

    /// True if most of its cells are such.
    pub(super) fn holds(&self, is: impl Fn(&str) -> bool) -> bool {
        let count = self.cells.iter().filter(|cell| is(cell)).count();
        count > 0 && count * 100 >= self.cells.len() * MOST_PERCENT
    }

    /// True if most lines have a cell in it.
    pub(super) fn is_filled(&self) -> bool {
        !self.cells.is_empty() && self.cells.len() * 100 >= self.rows * MOST_PERCENT
    }

    pub(super) fn distinct(&self) -> usize {
        self.cells.iter().collect::<BTreeSet<_>>().len()
    }

    /// Each different cell, in small letters, with how often it occurs; the first spelling is kept.
    pub(super) fn words(&self) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (place, cell) in self.cells.iter().enumerate() {
            counts.entry(cell.to_lowercase()).or_insert((place, 0)).1 += 1;
        }
        let mut words: Vec<_> = counts.into_values().collect();
        words.sort_unstable();
        words
            .iter()
            .map(|(place, count)| (self.cells.get(*place).map_or("", |cell| cell).to_owned(), *count))
            .collect()
    }

    /// True if its cells are amounts, some of which have decimals or a sign, as no id has.
    pub(super) fn is_money(&self) -> bool {
        let all = AmountForm::ALL.map(|(_, form)| form);
        let is_plain = |cell: &str| cell.bytes().all(|byte| byte.is_ascii_digit());
        self.holds(is_amount)
            && self
                .cells
                .iter()
                .any(|cell| has_decimals(cell) || !is_plain(cell) && number::read(cell, false, &all).is_ok())
    }

    /// True if it holds times. `is_named`: its name says so; otherwise a plain number is taken for one only if it is long.
    pub(super) fn holds_times(&self, is_named: bool) -> bool {
        self.times.iter().any(|format| is_named || !matches!(format.as_str(), "excel" | "%Y%m%d"))
    }

    /// True if it holds times that are no plain numbers.
    pub(super) fn holds_text_times(&self) -> bool {
        self.times.iter().any(|format| !times::OF_NUMBERS.contains(&format.as_str()))
    }

    /// True if nearly each line has another cell in it, as ids have.
    pub(super) fn is_unique(&self) -> bool {
        self.is_filled() && self.distinct() * 100 >= self.cells.len() * MOST_PERCENT
    }
}
