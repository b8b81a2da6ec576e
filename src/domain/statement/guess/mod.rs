//! Proposes the settings for a file of which nothing is known, from its first lines. What the file does not settle is a
//! [`Doubt`] with its alternatives, and is left out of the proposal.
//!
//! | module | what it proposes |
//! |---|---|
//! | `sample` | delimiter and header; the lines to judge by |
//! | `column` | what a column holds |
//! | `fields` | which column is which field |
//! | `amounts` | the sign for decimals, and the forms of amounts |
//! | `times` | the format of times, and their zone |
//! | `words` | which status is a credit, and which a reversal |
//! | `bookings` | which column holds the transaction, by what is booked; the zone, by when it was |
//! | `section` | all of it as TOML |

mod amounts;
mod bookings;
mod column;
mod fields;
mod sample;
mod section;
#[cfg(test)]
mod tests;
mod times;
mod words;

use self::fields::Fields;
use self::sample::Sample;
use super::Unreadable;
use super::columns::shown;
use super::format::Format;
use super::pieces::{Piece, PieceLines};

pub use self::bookings::BookedColumn;
pub use self::column::SeenColumn;
pub use self::words::Hints;

/// How many lines are judged.
pub const SAMPLE_LINES: usize = 1_000;
/// How many bytes of a file are judged at most.
pub const SAMPLE_LEN: usize = 1 << 20;

/// Something that the file does not settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The setting, e.g. `zone` or `columns.amount`.
    pub key: String,
    /// What is not known, as a sentence.
    pub what: String,
    /// Values that are possible, as TOML; the likelier first.
    pub alternatives: Vec<String>,
    /// True if the file cannot be read rightly before a person has decided.
    pub is_required: bool,
}

/// What the first lines of a file tell.
#[derive(Clone, Debug)]
pub struct Guess {
    /// The settled settings; the others have their defaults.
    pub format: Format,
    /// What is not settled, in the order of the settings.
    pub doubts: Vec<Doubt>,
    /// What was settled by a rule that a person should know, in sentences.
    pub notes: Vec<String>,
    /// Every column.
    pub columns: Vec<SeenColumn>,
    /// Places, from 0, of the columns that could hold the transaction: by their name first, then by what they hold.
    pub transactions: Vec<usize>,
    sample: Sample,
}

impl Guess {
    /// Judges the file that begins with `bytes`. `is_whole`: nothing follows them.
    pub fn of(bytes: &[u8], is_whole: bool, hints: &Hints) -> Result<Self, Unreadable> {
        let sample = Sample::of(bytes, is_whole)?;
        if sample.rows.is_empty() {
            let what = "none of the file's first lines is a transaction, so nothing can be proposed: use a file with some";
            return Err(Unreadable::Columns(what.to_owned()));
        }
        let columns = column::columns(&sample);
        let mut guess = Self {
            format: Format {
                delimiter: sample.delimiter,
                header: sample.header.is_some(),
                ..Format::default()
            },
            doubts: sample.doubts(),
            notes: Vec::new(),
            columns: columns.iter().map(column::Column::seen).collect(),
            transactions: Vec::new(),
            sample: sample.clone(),
        };
        let fields = Fields::of(&columns, &sample, hints);
        guess.format.columns = fields.settled(&columns);
        guess.format.daily_sums = fields.are_daily_sums();
        guess.transactions = fields.places("tx_id");
        let ids = columns
            .iter()
            .filter(|column| column.is_unique() && !column.is_money() && !column.holds_times(true));
        for place in ids.map(|column| column.place) {
            if !guess.transactions.contains(&place) {
                guess.transactions.push(place);
            }
        }
        amounts::settle(&mut guess, &columns, &fields.places("amount"));
        times::settle(&mut guess, &columns, &fields, &sample);
        words::settle(&mut guess, &columns, &fields, hints);
        fields.report(&mut guess, &columns);
        Ok(guess)
    }

    /// True if no person has to decide anything before the file can be imported.
    pub fn is_complete(&self) -> bool {
        !self.doubts.iter().any(|doubt| doubt.is_required)
    }

    /// How many lines were judged; a line of several lines in quotation marks counts once.
    pub fn lines(&self) -> usize {
        self.sample.records
    }

    /// What a sentence calls a column: `column 3 (Payout)`.
    pub fn column_name(&self, place: usize) -> String {
        self.columns.get(place).map_or_else(|| format!("column {}", place + 1), SeenColumn::title)
    }

    /// The judged lines as the proposal reads them. `bytes` are those of [`Self::of`].
    pub fn read(&self, bytes: &[u8]) -> Result<PieceLines, Unreadable> {
        let reader = self.format.reader_of(bytes)?;
        let content = bytes.get(..self.sample.len).unwrap_or(bytes).to_vec();
        Ok(self.format.read(&reader, &Piece { first_line: 1, content }))
    }

    fn doubt(&mut self, key: &str, what: String, alternatives: Vec<String>, is_required: bool) {
        self.doubts.push(Doubt { key: key.to_owned(), what, alternatives, is_required });
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Cells of a file in a sentence: at most three, without repeats.
fn examples(cells: &[&str]) -> String {
    const MOST: usize = 3;
    let mut different: Vec<&str> = Vec::new();
    for cell in cells {
        if different.len() < MOST && !different.contains(cell) {
            different.push(cell);
        }
    }
    different.iter().map(|cell| format!("`{}`", shown(cell))).collect::<Vec<_>>().join(", ")
}
