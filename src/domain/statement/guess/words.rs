//! Which status is a credit, and which a reversal.

use super::column::Column;
use super::fields::Fields;
use super::{Guess, quoted};
use crate::postback::networks::Definition;
use crate::postback::networks::kinds::{By, Meaning};
use crate::statement::columns::{plain, shown};
use crate::statement::format::Format;

/// Words that mean a credit, in small letters without separators.
const CREDITS: [&str; 18] = [
    "approved",
    "credit",
    "credited",
    "completed",
    "complete",
    "confirmed",
    "paid",
    "success",
    "successful",
    "succeeded",
    "valid",
    "validated",
    "accepted",
    "converted",
    "conversion",
    "rewarded",
    "billable",
    "payable",
];
/// Words that mean that a credit was taken back.
const REVERSALS: [&str; 16] = [
    "reversed",
    "reversal",
    "chargeback",
    "chargedback",
    "refund",
    "refunded",
    "clawback",
    "clawedback",
    "reconciliation",
    "reconciled",
    "revoked",
    "deducted",
    "deduction",
    "takenback",
    "voided",
    "scrubbed",
];
/// Words that mean that nothing is decided yet.
const PENDING: [&str; 9] =
    ["pending", "open", "onhold", "hold", "processing", "waiting", "inreview", "screening", "unconfirmed"];

/// What the source's own settings and its network say of words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Values of the status that mean a credit, in any case.
    pub credits: Vec<String>,
    /// Values that mean a reversal.
    pub reversals: Vec<String>,
}

impl Hints {
    /// The words of a source with these settings, and those of its network's postbacks. A word with two meanings has none.
    pub fn of(format: &Format, network: &Definition) -> Self {
        let rows =
            network.kinds.rows.iter().filter(|_| matches!(network.kinds.by.as_slice(), [By::Field(_)]));
        let of = |own: &[String], kind: Meaning| {
            let mut words = own.to_vec();
            for row in rows.clone().filter(|row| row.kind == kind && row.written != "*") {
                if !words.iter().any(|word| word.eq_ignore_ascii_case(&row.written)) {
                    words.push(row.written.clone());
                }
            }
            words
        };
        let credits = of(&format.credits, Meaning::Credit);
        let reversals = of(&format.reversals, Meaning::Reversal);
        let is_in = |words: &[String], word: &str| words.iter().any(|other| other.eq_ignore_ascii_case(word));
        Self {
            credits: credits.iter().filter(|word| !is_in(&reversals, word)).cloned().collect(),
            reversals: reversals.iter().filter(|word| !is_in(&credits, word)).cloned().collect(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Credit,
    Reversal,
    Pending,
    Unknown,
}

fn word(cell: &str, hints: &Hints) -> Word {
    let is_hint = |words: &[String]| words.iter().any(|word| word.eq_ignore_ascii_case(cell));
    let cell = plain(cell);
    let is = |words: &[&str]| words.contains(&cell.as_str());
    match (is_hint(&hints.credits), is_hint(&hints.reversals)) {
        (true, false) => Word::Credit,
        (false, true) => Word::Reversal,
        _ if is(&CREDITS) => Word::Credit,
        _ if is(&REVERSALS) => Word::Reversal,
        _ if is(&PENDING) => Word::Pending,
        _ => Word::Unknown,
    }
}

/// True if a cell is a status that is known.
pub(super) fn is_known(cell: &str, hints: &Hints) -> bool {
    word(cell, hints) != Word::Unknown
}

/// True if a column of that name holds a status, whatever the words in it are.
pub(super) fn is_status_name(name: &str) -> bool {
    let name = plain(name);
    name.contains("status") || name == "state"
}

/// Settles the words of the column of the status, or that there is none.
pub(super) fn settle(guess: &mut Guess, columns: &[Column<'_>], fields: &Fields, hints: &Hints) {
    let places = fields.places("status");
    let [place] = places.as_slice() else {
        if places.is_empty() {
            let amounts = fields.places("amount");
            let mut cells =
                amounts.iter().filter_map(|place| columns.get(*place)).flat_map(|column| &column.cells);
            let has_negative =
                cells.any(|cell| cell.starts_with(['-', '(', '\u{2212}']) || cell.ends_with('-'));
            let note = if has_negative {
                "No column holds a status: an amount below zero is a reversal."
            } else {
                "No column holds a status and no amount is below zero: every line is a credit."
            };
            guess.notes.push(note.to_owned());
        }
        return;
    };
    let Some(column) = columns.get(*place) else { return };
    let words = column.words();
    let of = |kind: Word| -> Vec<String> {
        words.iter().filter(|(text, _)| word(text, hints) == kind).map(|(text, _)| text.clone()).collect()
    };
    guess.format.credits = with_unseen(of(Word::Credit), &hints.credits);
    guess.format.reversals = with_unseen(of(Word::Reversal), &hints.reversals);
    let count = |text: &str| {
        let found = words.iter().find(|(other, _)| other == text);
        crate::text::count(
            found.and_then(|(_, count)| u64::try_from(*count).ok()).unwrap_or_default(),
            "line",
        )
    };
    for text in of(Word::Pending) {
        guess.notes.push(format!(
            "The status `{}` of {} is neither a credit nor a reversal yet: such lines are listed and not read.",
            shown(&text),
            count(&text)
        ));
    }
    for text in of(Word::Unknown) {
        let what = format!(
            "The status `{}` of {} is not known: add it to credits or to reversals; left out of both, such lines are not read.",
            shown(&text),
            count(&text)
        );
        let with = |words: &[String]| {
            let all: Vec<_> = words.iter().chain([&text]).map(|word| quoted(word)).collect();
            format!("[{}]", all.join(", "))
        };
        let (credits, reversals) = (with(&guess.format.credits), with(&guess.format.reversals));
        guess.doubt("credits", what.clone(), vec![credits], true);
        guess.doubt("reversals", what, vec![reversals], true);
    }
    if of(Word::Credit).is_empty() && of(Word::Unknown).is_empty() {
        guess.notes.push("No line of the first ones has a status that means a credit.".to_owned());
    }
}

/// Words of the file, and those that the source knows besides: a later line may have them.
fn with_unseen(mut words: Vec<String>, hints: &[String]) -> Vec<String> {
    for hint in hints {
        if !words.iter().any(|word| word.eq_ignore_ascii_case(hint)) {
            words.push(hint.clone());
        }
    }
    words
}
