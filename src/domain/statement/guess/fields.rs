//! Which column is which field: by its name in the header if what it holds fits, otherwise by what it holds.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::column::{Column, is_currency};
use super::sample::Sample;
use super::words::{Hints, is_known, is_status_name};
use super::{Guess, examples};
use crate::statement::columns::{end_of_word, nearness, plain};
use crate::statement::format::FIELDS;

/// Names of times that are not that of the conversion.
const OTHER_TIMES: [&str; 6] = ["click", "start", "update", "modif", "signup", "paid"];
/// A column with more different words holds no status.
const MAX_WORDS: usize = 12;
/// Closeness of a name from which a column is taken before one that is only similar.
const STRONG: u8 = 1;
/// Closeness of a column that is known by its content only.
const BY_CONTENT: u8 = 4;

/// A column that could hold a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    place: usize,
    /// 0: the field's own name; the smaller, the closer.
    rank: u8,
}

/// What is known of one field.
#[derive(Clone, Debug, Default)]
struct Found {
    settled: Option<usize>,
    /// Every column that could hold it, the likelier first.
    candidates: Vec<usize>,
    /// True if only the content tells, and no name.
    is_by_content: bool,
    /// The columns that were not taken although their names are close, too.
    others: Vec<usize>,
}

/// The fields of a sample.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    of: BTreeMap<&'static str, Found>,
    has_header: bool,
    are_daily_sums: bool,
}

impl Fields {
    pub(super) fn of(columns: &[Column<'_>], sample: &Sample, hints: &Hints) -> Self {
        let has_header = sample.header.is_some();
        let mut of: BTreeMap<&'static str, Found> = BTreeMap::new();
        for field in FIELDS {
            let mut candidates: Vec<_> = columns
                .iter()
                .filter(|column| fits(field, column, hints, has_header))
                .filter_map(|column| {
                    Some(Candidate {
                        place: column.place,
                        rank: rank(field, column, columns, hints, has_header)?,
                    })
                })
                .collect();
            candidates.sort_by_key(|candidate| (candidate.rank, candidate.place));
            of.insert(field, settle(field, &candidates, columns, has_header));
        }
        let is_absent = |field: &str| of.get(field).is_none_or(|found| found.candidates.is_empty());
        let is_settled = |field: &str| of.get(field).is_some_and(|found| found.settled.is_some());
        let has_no_ids = is_absent("tx_id") && is_absent("user_id");
        let are_daily_sums = has_header && has_no_ids && is_settled("time") && is_settled("amount");
        if !are_daily_sums {
            of.remove("count");
        }
        Self { of, has_header, are_daily_sums }
    }

    /// The columns of all settled fields. A field that no column holds is set to none where its own name or a similar one
    /// would be taken for it.
    pub(super) fn settled(&self, columns: &[Column<'_>]) -> BTreeMap<String, String> {
        let mut settled = BTreeMap::new();
        for (field, found) in &self.of {
            let column = found.settled.and_then(|place| columns.get(place));
            if let Some(column) = column {
                settled.insert((*field).to_owned(), column.setting());
            } else if found.candidates.is_empty() && self.has_header && !matches!(*field, "amount" | "count")
            {
                settled.insert((*field).to_owned(), String::new());
            }
        }
        settled
    }

    pub(super) fn are_daily_sums(&self) -> bool {
        self.are_daily_sums
    }

    /// Every column that could hold the field; only that one if it is settled.
    pub(super) fn places(&self, field: &str) -> Vec<usize> {
        let Some(found) = self.of.get(field) else { return Vec::new() };
        found.settled.map_or_else(|| found.candidates.clone(), |place| vec![place])
    }

    /// Adds what is settled and what is doubtful about the columns.
    pub(super) fn report(&self, guess: &mut Guess, columns: &[Column<'_>]) {
        for field in FIELDS {
            let Some(found) = self.of.get(field) else { continue };
            if let Some(place) = found.settled {
                if let Some(seen) = guess.columns.get_mut(place) {
                    seen.field = Some(field);
                }
                if found.is_by_content && self.has_header {
                    let title = capitalised(&guess.column_name(place));
                    guess
                        .notes
                        .push(format!("{title} is {field} by what it holds; its name does not say so."));
                }
                let others = &found.others;
                if !others.is_empty() {
                    let others: Vec<_> = others.iter().map(|place| guess.column_name(*place)).collect();
                    let note = format!(
                        "{} was taken for {field}, and not {}.",
                        guess.column_name(place),
                        others.join(" or ")
                    );
                    guess.notes.push(capitalised(&note));
                }
                continue;
            }
            let key = format!("columns.{field}");
            let is_open = |field: &str| !self.places(field).is_empty();
            let is_required = match field {
                "amount" => true,
                // A line needs one of them; a transaction that is not told from another column is not left out silently.
                "tx_id" => !self.are_daily_sums && (is_open("tx_id") || !is_open("user_id")),
                "user_id" => is_open("user_id") && !is_open("tx_id"),
                // Without them a line means something else.
                "status" | "currency" | "time" => is_open(field),
                _ => false,
            };
            match found.candidates.as_slice() {
                [] if is_required => {
                    let all =
                        columns.iter().map(|column| guess.column_name(column.place)).collect::<Vec<_>>();
                    let what =
                        format!("No column was recognised as {field}. The file has {}.", all.join(", "));
                    guess.doubt(&key, what, Vec::new(), true);
                }
                [] => {}
                places => {
                    let all: Vec<_> = places.iter().filter_map(|place| columns.get(*place)).collect();
                    let shown: Vec<_> = all
                        .iter()
                        .map(|column| {
                            format!("{}, e.g. {}", guess.column_name(column.place), examples(&column.cells))
                        })
                        .collect();
                    let what = format!("{} could be {field}.", capitalised(&shown.join("; or ")));
                    guess.doubt(&key, what, all.iter().map(|column| column.written()).collect(), is_required);
                }
            }
        }
        self.report_unused(guess, columns);
        if self.are_daily_sums {
            guess.notes.push(
                "No column holds a transaction or a user: each line is read as the sum of its day (daily_sums).".to_owned(),
            );
        }
    }
}

impl Fields {
    /// Says which columns are named like a field and hold something else.
    fn report_unused(&self, guess: &mut Guess, columns: &[Column<'_>]) {
        let used: Vec<usize> = FIELDS.iter().flat_map(|field| self.places(field)).collect();
        for column in columns.iter().filter(|column| !used.contains(&column.place)) {
            let near = FIELDS.iter().filter(|field| **field != "count");
            let near =
                near.filter(|field| self.of.get(**field).is_some_and(|found| found.candidates.is_empty()));
            let named = near.filter_map(|field| Some((nearness(field, field, column.name)?, field))).min();
            if let Some((_, field)) = named {
                let holds =
                    if column.cells.is_empty() { "nothing".to_owned() } else { examples(&column.cells) };
                let title = capitalised(&guess.column_name(column.place));
                guess
                    .notes
                    .push(format!("{title} has a name like {field}, but holds {holds}: it is not read."));
            }
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// True if a column can hold the field by what is in it.
fn fits(field: &str, column: &Column<'_>, hints: &Hints, has_header: bool) -> bool {
    let is_word = |cell: &str| is_known(cell, hints);
    let is_id =
        || !column.is_money() && !column.holds_text_times() && (has_header || !column.holds_times(false));
    match field {
        "amount" => column.holds(super::column::is_amount),
        "tx_id" => is_id() && column.is_filled() && column.distinct() * 2 >= column.cells.len(),
        "user_id" | "offer_id" | "event_id" => {
            is_id() && (has_header || !column.holds(is_currency) && !fits("status", column, hints, false))
        }
        "status" => {
            let is_some_known = column.cells.iter().any(|cell| is_word(cell));
            let are_all_known = column.holds(is_word);
            let has_few = (1..=MAX_WORDS).contains(&column.distinct());
            // Digits alone may be anything.
            let is_text = column.cells.iter().any(|cell| cell.chars().any(char::is_alphabetic));
            let may = if has_header {
                is_some_known || is_status_name(column.name)
            } else {
                are_all_known && is_text
            };
            has_few && may
        }
        "currency" => column.holds(is_currency),
        "time" => column.holds_times(has_header),
        "count" => column.holds(|cell| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit())),
        _ => false,
    }
}

/// How close the column is to the field; `None` if it is closer to another one.
fn rank(
    field: &str,
    column: &Column<'_>,
    columns: &[Column<'_>],
    hints: &Hints,
    has_header: bool,
) -> Option<u8> {
    if has_header {
        let claim = |field: &str| {
            let rank = nearness(field, field, column.name)?;
            // Of two words the last one says what it is: a transaction date is a date.
            let end = if rank > STRONG + 1 { end_of_word(field, column.name) } else { usize::MAX };
            Some((rank, Reverse(end)))
        };
        if let Some(own) = claim(field) {
            let others = FIELDS.iter().filter(|other| **other != field && **other != "count");
            let closest = others
                .filter(|other| fits(other, column, hints, true))
                .filter_map(|other| claim(other))
                .min();
            return closest.is_none_or(|other| own <= other).then_some(own.0);
        }
        // A name with another meaning is believed.
        let is_named = FIELDS.iter().any(|other| nearness(other, other, column.name).is_some());
        let is_telling = match field {
            "amount" | "tx_id" | "currency" => is_telling(field, column, columns),
            "status" => column.holds(|cell| is_known(cell, hints) && cell.chars().any(char::is_alphabetic)),
            "time" => column.holds_text_times(),
            _ => false,
        };
        return (!is_named && is_telling).then_some(BY_CONTENT);
    }
    is_telling(field, column, columns).then_some(BY_CONTENT)
}

/// True if the content alone makes it likely.
fn is_telling(field: &str, column: &Column<'_>, columns: &[Column<'_>]) -> bool {
    let is_status_or_code = || column.holds(is_currency);
    match field {
        // Only if no column has decimals whole numbers are amounts.
        "amount" => column.is_money() || !columns.iter().any(Column::is_money) && !column.is_unique(),
        "tx_id" => column.is_unique() && !is_status_or_code(),
        "user_id" => !column.is_unique() && column.is_filled() && column.distinct() > 1,
        "status" | "currency" | "time" => true,
        _ => false,
    }
}

fn settle(field: &str, candidates: &[Candidate], columns: &[Column<'_>], has_header: bool) -> Found {
    let Some(best) = candidates.first() else { return Found::default() };
    let class = |rank: u8| if rank <= STRONG { STRONG } else { rank.clamp(2, BY_CONTENT) };
    let mut close: Vec<_> =
        candidates.iter().filter(|other| class(other.rank) == class(best.rank)).copied().collect();
    let name = |place: usize| columns.get(place).map_or_else(String::new, |column| plain(column.name));
    if field == "time" && has_header {
        let is_other = |place: usize| OTHER_TIMES.iter().any(|word| name(place).contains(word));
        if close.iter().any(|candidate| !is_other(candidate.place)) {
            close.retain(|candidate| !is_other(candidate.place));
        }
    }
    // The field's own name decides, but for amounts: `amount` may be in the users' currency, beside `payout`.
    let own: Vec<_> = close.iter().filter(|candidate| candidate.rank == 0).copied().collect();
    if let ([_], true) = (own.as_slice(), field != "amount") {
        close = own;
    }
    let places: Vec<_> = candidates.iter().map(|candidate| candidate.place).collect();
    // By content alone a user cannot be told from an offer; and money and its key are not taken without a name where
    // the others have one.
    let is_by_content = best.rank == BY_CONTENT;
    let is_weak = is_by_content && (field == "user_id" || has_header && matches!(field, "amount" | "tx_id"));
    let settled = close.first().map(|candidate| candidate.place).filter(|_| close.len() == 1 && !is_weak);
    let others = candidates
        .iter()
        .filter(|other| Some(other.place) != settled && (other.rank < BY_CONTENT || !has_header));
    let others = others.map(|other| other.place).collect();
    Found { settled, candidates: places, is_by_content, others }
}
