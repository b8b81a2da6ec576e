//! Lines that are not transactions: totals, titles, comments, repeated headers. They do not count, and each is listed
//! with the reason.

/// How the label of a total begins, in small letters; then the cell ends, or a blank, a colon or a bracket follows.
const TOTALS: [&str; 41] = [
    "total",
    "totals",
    "grand total",
    "sub total",
    "sub-total",
    "subtotal",
    "subtotals",
    "overall total",
    "net total",
    "page total",
    "running total",
    "sum",
    "sum total",
    "sums",
    "summe",
    "summen",
    "gesamt",
    "gesamtsumme",
    "gesamtbetrag",
    "zwischensumme",
    "endsumme",
    "totaal",
    "totale",
    "totaux",
    "somme",
    "suma",
    "soma",
    "итого",
    "всего",
    "toplam",
    "合计",
    "总计",
    "合計",
    "総計",
    "average",
    "balance",
    "opening balance",
    "closing balance",
    "carried forward",
    "brought forward",
    "amount due",
];

/// The cells of a line, and what the columns say they mean.
pub(super) struct Seen<'l> {
    /// The cells, without blanks around.
    pub(super) cells: &'l [&'l str],
    /// What the header calls the columns.
    pub(super) header: &'l [String],
    /// The transaction id; `None` if empty.
    pub(super) tx_id: Option<&'l str>,
    /// The user id; `None` if empty.
    pub(super) user_id: Option<&'l str>,
    /// True if there is a status, time, offer or event.
    pub(super) says_more: bool,
    /// True if it may be a daily sum: the settings allow it, and there is a time.
    pub(super) may_be_a_day: bool,
    /// True if ids of the file begin with `#`.
    pub(super) has_hash_ids: bool,
}

/// Why a line is not a transaction; `None` if it is.
pub(super) fn reason(seen: &Seen<'_>) -> Option<&'static str> {
    let filled = || seen.cells.iter().copied().filter(|cell| !cell.is_empty());
    let first = filled().next()?;
    if is_header(seen) {
        return Some("it repeats the header");
    }
    if filled().all(|cell| cell.len() > 1 && cell.chars().all(|letter| "-=_*~.+|–—".contains(letter))) {
        return Some("it is a separator line");
    }
    if is_remark(first, filled().count(), seen.has_hash_ids) {
        return Some("it is a comment");
    }
    match (seen.tx_id, seen.user_id) {
        (None, None) => {
            let is_total = if seen.may_be_a_day { is_whole_total } else { is_total };
            if filled().any(is_total) {
                Some("it is a total")
            } else if seen.cells.len() > 1 && filled().count() == 1 && is_label(first) {
                Some("it is a title or a comment")
            } else if !seen.says_more && !seen.may_be_a_day && filled().all(is_figure) {
                Some("it has no transaction and no user, like a total")
            } else {
                None
            }
        }
        (Some(id), _) | (None, Some(id)) if is_total(id) => Some("it is a total"),
        (Some(id), None) if !seen.says_more && is_label(id) => Some("it is a label with a figure"),
        _ => None,
    }
}

fn is_header(seen: &Seen<'_>) -> bool {
    let names: Vec<&str> = seen.header.iter().map(String::as_str).collect();
    let trimmed = |cells: &[&str]| cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
    let (cells, names) = (seen.cells.get(..trimmed(seen.cells)), names.get(..trimmed(&names)));
    let (Some(cells), Some(names)) = (cells, names) else { return false };
    !names.is_empty()
        && cells.len() == names.len()
        && cells.iter().zip(names).all(|(cell, name)| cell.eq_ignore_ascii_case(name))
}

/// A remark as programs write them. `#T1` may be an id, if the others of the file are such.
fn is_remark(first: &str, filled: usize, has_hash_ids: bool) -> bool {
    let is_error = super::spoiled::is_spoiled(first);
    first.starts_with("//")
        || first.starts_with("-- ")
        || first.starts_with("# ")
        || first.to_ascii_lowercase().starts_with("sep=") && filled < 3
        || first.starts_with('#') && !has_hash_ids && !is_error
}

/// Several words, or what ends with a colon.
fn is_label(text: &str) -> bool {
    let has_letter = text.chars().any(char::is_alphabetic);
    has_letter && (text.ends_with(':') || text.contains(char::is_whitespace))
}

/// A figure, perhaps with a currency.
fn is_figure(cell: &str) -> bool {
    cell.chars().any(|letter| letter.is_ascii_digit()) || cell.len() <= 3
}

pub(super) fn is_total(cell: &str) -> bool {
    let cell = cell.to_lowercase();
    TOTALS.iter().any(|label| {
        let rest = cell.strip_prefix(label);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\u{a0}', ':', '(', '=']))
    })
}

fn is_whole_total(cell: &str) -> bool {
    let cell = cell.trim_end_matches(':').trim_end().to_lowercase();
    TOTALS.contains(&cell.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a file with `tx_id, user_id, offer_name, amount`.
    fn of(cells: &[&str]) -> Option<&'static str> {
        let header = ["tx_id", "user_id", "offer_name", "amount"].map(str::to_owned);
        let at = |place: usize| cells.get(place).copied().filter(|cell| !cell.is_empty());
        reason(&Seen {
            cells,
            header: &header,
            tx_id: at(0),
            user_id: at(1),
            says_more: false,
            may_be_a_day: false,
            has_hash_ids: false,
        })
    }

    #[test]
    fn totals_titles_remarks_and_repeated_headers_are_no_transactions() {
        for cells in [
            &["Grand Total", "", "", "2.00"][..],
            &["TOTAL:", "", "", "2.00"],
            &["Total (USD)", "", "", "2.00"],
            &["Summe", "", "", "2,00"],
            &["Sub-total for November", "", "", "2.00"],
            &["合计", "", "", "2.00"],
            &["", "", "Total", "2.00"],
            &["", "", "", "2.00"],
            &["", "", "", "2.00", "USD"],
            &["tx_id", "user_id", "offer_name", "amount"],
            &["TX_ID", "user_id", "Offer_Name", "amount", ""],
            &["# made by a script", "", "", ""],
            &["#T7", "u", "o", "1.00"],
            &["// T7", "u", "o", "1.00"],
            &["sep=,"],
            &["-----", "----", "---", "------"],
            &["Statement of November 2026"],
            &["Report generated:", "", "", ""],
            &["20 transactions", "", "", "20.00"],
            &["Page 1 of 3", "", "", ""],
        ] {
            assert!(of(cells).is_some(), "{cells:?}");
        }
    }

    #[test]
    fn what_may_be_a_transaction_is_read_as_one() {
        for cells in [
            &["T1", "u", "Total Wireless", "2.00"][..],
            &["T1", "", "", "2.00"],
            &["T1"],
            &["total-5f3a", "u", "o", "2.00"],
            &["totality", "", "", "2.00"],
            &["", "u", "Total Wireless", "2.00"],
            &["T 1", "u", "", "2.00"],
            &["-", "u", "", "2.00"],
        ] {
            assert_eq!(of(cells), None, "{cells:?}");
        }
    }
}
