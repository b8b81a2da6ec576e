//! Which column of a file holds which field. What the settings name must be there, once; a name that is only similar
//! is proposed and never used.

use std::collections::{BTreeMap, BTreeSet};

use super::Unreadable;
use super::format::{FIELDS, Format};

/// Fields without which lines mean something else: a reversal is read as a credit, euros as dollars, any day as right.
/// A file that seems to have such a column is not read without it.
const DECISIVE: [&str; 3] = ["status", "currency", "time"];

/// Names that networks use for a field, lower case without separators: whole names, and parts of names.
const OTHER_NAMES: [(&str, &[&str], &[&str]); 9] = [
    (
        "tx_id",
        &["id", "tid", "ref", "reference"],
        &["transaction", "txid", "transid", "conversionid", "orderid", "leadid", "actionid"],
    ),
    (
        "status",
        &["type", "kind", "decision", "approved", "reversed", "chargeback", "result"],
        &["status", "state", "transactiontype", "conversiontype"],
    ),
    ("user_id", &["user", "uid", "player", "customer"], &["userid", "playerid", "customerid", "subid"]),
    ("offer_id", &["offer", "campaign", "oid"], &["offerid", "campaignid"]),
    ("event_id", &["event", "goal"], &["eventid", "goalid"]),
    (
        "amount",
        &["sum", "value", "price", "total"],
        &["amount", "payout", "revenue", "commission", "earning", "betrag"],
    ),
    ("currency", &["ccy", "cur", "iso"], &["curr", "währung", "waehrung", "devise", "moneda", "valuta"]),
    (
        "time",
        &[
            "day",
            "when",
            "created",
            "createdat",
            "convertedat",
            "completedat",
            "approvedat",
            "datum",
            "fecha",
        ],
        &["date", "time"],
    ),
    ("count", &["conversions", "quantity", "qty", "number", "leads"], &["count"]),
];

/// How many names of a header an error lists, and how many letters of each.
const SHOWN_NAMES: usize = 30;
const SHOWN_LEN: usize = 40;

/// The columns of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    /// Field to place, from 0.
    of: BTreeMap<&'static str, usize>,
    /// What the header calls each column; empty without one.
    names: Vec<String>,
}

impl Columns {
    /// The column of a field, from 0.
    pub(super) fn place(&self, field: &str) -> Option<usize> {
        self.of.get(field).copied()
    }

    /// What the header calls each column.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Which field is read of which column, and which columns are not read; for people.
    pub(super) fn description(&self) -> Vec<String> {
        let name = |place: usize| match self.names.get(place) {
            Some(name) => format!("`{}`", shown(name)),
            None => format!("column {}", place + 1),
        };
        let read: Vec<_> = FIELDS
            .iter()
            .filter_map(|field| Some(format!("{field} from {}", name(self.place(field)?))))
            .collect();
        let absent: Vec<_> = FIELDS.iter().copied().filter(|field| self.place(field).is_none()).collect();
        let used: BTreeSet<usize> = self.of.values().copied().collect();
        let unread: Vec<_> = (0..self.names.len())
            .filter(|place| {
                !used.contains(place) && self.names.get(*place).is_some_and(|name| !name.is_empty())
            })
            .take(SHOWN_NAMES)
            .map(name)
            .collect();
        [
            ("Read: ", read.join(", ")),
            ("Not in the file: ", absent.join(", ")),
            ("Ignored columns: ", unread.join(", ")),
        ]
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(what, list)| format!("{what}{list}."))
        .collect()
    }
}

/// A name of the file in a sentence.
pub(super) fn shown(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(SHOWN_LEN).collect()
}

pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Where in a name of the file the last word ends that means `field`, in letters; 0 if none does.
pub(super) fn end_of_word(field: &str, name: &str) -> usize {
    let name = plain(name);
    let known = OTHER_NAMES.iter().find(|(known, ..)| *known == field);
    let parts = known.map_or(&[][..], |(.., parts)| *parts);
    parts.iter().filter_map(|part| name.rfind(part).map(|from| from + part.len())).max().unwrap_or_default()
}

/// True if one text becomes the other by at most `most` letters that are changed, added or left out.
fn is_misspelt(one: &str, other: &str, most: usize) -> bool {
    let (one, other): (Vec<_>, Vec<_>) =
        (one.chars().take(SHOWN_LEN).collect(), other.chars().take(SHOWN_LEN).collect());
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, wanted) in other.iter().enumerate() {
            let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX / 2);
            let changed = at(&above, column) + usize::from(letter != wanted);
            line.push(changed.min(at(&above, column + 1) + 1).min(at(&line, column) + 1));
        }
        above = line;
    }
    above.last().is_some_and(|distance| *distance <= most)
}

/// How similar a name of the file is to a field's: the smaller the closer; `None` if it is not.
pub(super) fn nearness(field: &str, wanted: &str, name: &str) -> Option<u8> {
    let (wanted, name) = (plain(wanted), plain(name));
    if name.is_empty() {
        return None;
    }
    let others = OTHER_NAMES.iter().find(|(known, ..)| *known == field);
    let (whole, parts) = others.map_or((&[][..], &[][..]), |(_, whole, parts)| (*whole, *parts));
    let most = if wanted.chars().count() > 5 { 2 } else { 1 };
    if name == wanted || name == plain(field) {
        Some(0)
    } else if whole.contains(&name.as_str()) || parts.contains(&name.as_str()) {
        Some(1)
    } else if wanted.chars().count() > 3 && is_misspelt(&wanted, &name, most) {
        Some(2)
    } else if parts.iter().any(|part| name.contains(part)) && !name.contains("zone") {
        Some(3)
    } else {
        None
    }
}

impl Format {
    /// The column that the settings name for a field; `None` if they leave it to the field's own name.
    fn named(&self, field: &str) -> Option<&str> {
        // All nine under their own names is what the settings say when they say nothing.
        let says_nothing =
            self.columns.len() == FIELDS.len() && self.columns.iter().all(|(field, name)| field == name);
        self.columns.get(field).filter(|_| !says_nothing).map(|name| name.trim())
    }

    /// The columns of a file with this header; `None` for one without.
    pub(super) fn columns_of(&self, header: Option<&[&str]>) -> Result<Columns, Unreadable> {
        let names: Vec<String> = header.unwrap_or_default().iter().map(|&name| name.to_owned()).collect();
        let mut columns = Columns { of: BTreeMap::new(), names };
        if self.other_delimiter(&columns.names).is_some() {
            return self.complete(columns, header);
        }
        let mut absent = Vec::new();
        let mut faults = Vec::new();
        for field in FIELDS {
            let named = self.named(field);
            if named == Some("") {
                continue;
            }
            let wanted = named.unwrap_or(field);
            let places: Vec<usize> = (0..columns.names.len())
                .filter(|place| {
                    columns.names.get(*place).is_some_and(|name| name.eq_ignore_ascii_case(wanted))
                })
                .collect();
            let number = wanted.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let number = number.filter(|place| header.is_none_or(|names| *place < names.len()));
            match (places.as_slice(), number) {
                (&[place], _) | (&[], Some(place)) => drop(columns.of.insert(field, place)),
                (&[], None) => absent.push((field, named)),
                (&[first, second, ..], _) => faults.push(format!(
                    "the file has `{}` twice, as columns {} and {}: set {}.columns.{field} = \"{}\", the number of \
                     the one to read",
                    shown(wanted),
                    first + 1,
                    second + 1,
                    self.key,
                    first + 1,
                )),
            }
        }
        faults
            .extend(absent.iter().filter_map(|(field, named)| self.absent(&columns, header, field, *named)));
        if faults.is_empty() {
            self.complete(columns, header)
        } else {
            Err(Unreadable::Columns(faults.join("; ")))
        }
    }

    /// The fault of a field that has no column, if it is one.
    fn absent(
        &self,
        columns: &Columns,
        header: Option<&[&str]>,
        field: &'static str,
        named: Option<&str>,
    ) -> Option<String> {
        let wanted = named.unwrap_or(field);
        let key = &self.key;
        if header.is_none() {
            return named.map(|named| {
                format!(
                    "the settings name column `{}` for {field}, and the file has no header: set {key}.columns.{field} to \
                     its number, from 1",
                    shown(named)
                )
            });
        }
        let used: BTreeSet<usize> = columns.of.values().copied().collect();
        let free = columns.names.iter().enumerate().filter(|(place, _)| !used.contains(place));
        let near = free
            .filter_map(|(_, name)| Some((nearness(field, wanted, name)?, name)))
            .min_by_key(|(nearness, _)| *nearness);
        let found = near.map(|(nearness, name)| (nearness, shown(name)));
        match (named, found) {
            (Some(named), Some((_, name))) => Some(format!(
                "the settings name column `{}`; the file has `{name}`: set {key}.columns.{field} = \"{name}\"",
                shown(named)
            )),
            (Some(named), None) => Some(format!(
                "the settings name column `{}` for {field}, which the file does not have: set {key}.columns.{field}, or \
                 to \"\" if no column holds it; found: {}",
                shown(named),
                list(&columns.names)
            )),
            (None, Some((nearness, name))) if nearness == 0 || DECISIVE.contains(&field) => Some(format!(
                "the settings name column `{field}`; the file has `{name}`: set {key}.columns.{field} = \"{name}\", or \
                 \"\" if no column holds it"
            )),
            (None, _) => None,
        }
    }

    fn complete(&self, columns: Columns, header: Option<&[&str]>) -> Result<Columns, Unreadable> {
        let has = |field: &str| columns.place(field).is_some();
        let is_identified = has("tx_id") || has("user_id") || (self.daily_sums && has("time"));
        if has("amount") && is_identified {
            return Ok(columns);
        }
        let missing = if has("amount") { "tx_id" } else { "amount" };
        let near = columns.names.iter().filter_map(|name| Some((nearness(missing, missing, name)?, name)));
        let cure = near.min_by_key(|(nearness, _)| *nearness).map_or_else(String::new, |(_, name)| {
            format!("; perhaps {}.columns.{missing} = \"{}\"", self.key, shown(name))
        });
        let cure = self.other_delimiter(&columns.names).unwrap_or(cure);
        let found = header.map_or_else(|| "no header".to_owned(), |_| list(&columns.names));
        Err(Unreadable::Columns(format!(
            "a column for `amount` and one for `tx_id` or `user_id` are needed (or `time`, with `daily_sums`); \
             found: {found}{cure}"
        )))
    }

    /// What to set if the header was not divided, because something else divides it.
    fn other_delimiter(&self, names: &[String]) -> Option<String> {
        let [whole] = names else { return None };
        let found = [';', ',', '\t', '|'].into_iter().filter(|other| *other != self.delimiter);
        let (count, other) =
            found.map(|other| (whole.matches(other).count(), other)).max_by_key(|(count, _)| *count)?;
        let written = if other == '\t' { "\\t".to_owned() } else { other.to_string() };
        (count > 0).then(|| format!("; perhaps {}.delimiter = \"{written}\"", self.key))
    }
}

fn list(names: &[String]) -> String {
    let more = if names.len() > SHOWN_NAMES { ", …" } else { "" };
    let names: Vec<_> = names.iter().take(SHOWN_NAMES).map(|name| shown(name)).collect();
    names.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(columns: &[(&str, &str)]) -> Format {
        Format {
            columns: columns.iter().map(|&(field, name)| (field.to_owned(), name.to_owned())).collect(),
            key: "sources[0].statement".into(),
            ..Format::default()
        }
    }

    fn refused(columns: &[(&str, &str)], header: &[&str]) -> String {
        with(columns).columns_of(Some(header)).expect_err("refused").to_string()
    }

    #[test]
    fn a_missing_column_refuses_the_file_and_proposes_the_nearest_name() {
        let says = refused(&[("status", "status")], &["tx_id", "State", "amount"]);
        assert_eq!(
            says,
            "the settings name column `status`; the file has `State`: set sources[0].statement.columns.status = \"State\""
        );
        for (columns, header, near) in [
            (&[("status", "Conv. Status")][..], &["tx_id", "Conv Status", "amount"][..], "\"Conv Status\""),
            (&[("amount", "payout")], &["tx_id", "status", "Payout (USD)"], "\"Payout (USD)\""),
            (&[("tx_id", "transaction")], &["Transaction ID", "amount"], "\"Transaction ID\""),
            (&[("currency", "currency")], &["tx_id", "amount", "curr"], "\"curr\""),
            (&[("time", "time")], &["tx_id", "amount", "date"], "\"date\""),
            (&[("user_id", "user")], &["tx_id", "amount", "usr"], "\"usr\""),
        ] {
            let says = refused(columns, header);
            assert!(says.contains(near) && says.contains("sources[0].statement.columns."), "{says}");
        }
        let says = refused(&[("status", "status")], &["tx_id", "Zustand", "amount"]);
        assert!(says.contains("does not have") && says.contains("found: tx_id, Zustand, amount"), "{says}");
        let says = refused(&[("tx_id", "1"), ("amount", "9")], &["a", "b"]);
        assert!(says.contains("`9`"), "{says}");
    }

    #[test]
    fn a_near_miss_of_an_important_column_refuses_the_file() {
        for (header, proposal) in [
            (["tx_id", "State", "amount"], "columns.status = \"State\""),
            (["tx_id", "Type", "amount"], "columns.status = \"Type\""),
            (["tx_id", "curr", "amount"], "columns.currency = \"curr\""),
            (["tx_id", "Payout Currency", "amount"], "columns.currency = \"Payout Currency\""),
            (["tx_id", "date", "amount"], "columns.time = \"date\""),
            (["tx_id", "created_at", "amount"], "columns.time = \"created_at\""),
            (["tx_id", "Offer ID", "amount"], "columns.offer_id = \"Offer ID\""),
            (["tx_id", "statuss", "amount"], "columns.status = \"statuss\""),
        ] {
            let says = refused(&[], &header);
            assert!(says.contains(proposal), "{says}");
        }
        // An explicit "no column" is respected.
        let read =
            with(&[("status", ""), ("time", "")]).columns_of(Some(&["tx_id", "State", "date", "amount"]));
        assert_eq!(read.map(|columns| columns.place("status")), Ok(None));
        // A name that only resembles an unimportant field is ignored.
        for header in [
            ["tx_id", "country", "amount"],
            ["tx_id", "offer_name", "amount"],
            ["tx_id", "timezone", "amount"],
        ] {
            assert!(with(&[]).columns_of(Some(&header)).is_ok(), "{header:?}");
        }
    }

    #[test]
    fn a_column_that_is_there_twice_refuses_the_file() {
        for header in [["tx_id", "amount", "amount"], ["tx_id", "amount", "Amount"]] {
            let says = refused(&[], &header);
            assert!(
                says.contains("twice, as columns 2 and 3") && says.contains("columns.amount = \"2\""),
                "{says}"
            );
        }
        let by_number = with(&[("amount", "3")]).columns_of(Some(&["tx_id", "amount", "amount"]));
        assert_eq!(by_number.map(|columns| columns.place("amount")), Ok(Some(2)));
        // An unused column may be repeated.
        assert!(with(&[]).columns_of(Some(&["tx_id", "amount", "note", "note"])).is_ok());
    }

    #[test]
    fn all_fields_under_their_own_names_require_no_column() {
        let all = FIELDS.map(|field| (field, field));
        assert!(with(&all).columns_of(Some(&["tx_id", "amount"])).is_ok());
        assert!(with(&[("count", "count")]).columns_of(Some(&["tx_id", "amount"])).is_err());
    }

    #[test]
    fn a_header_with_another_delimiter_is_refused_with_a_proposal() {
        let says = refused(&[], &["tx_id;status;amount"]);
        assert!(says.contains("delimiter = \";\""), "{says}");
        let says = refused(&[], &["Transaction", "Payout"]);
        assert!(says.contains("columns.amount = \"Payout\""), "{says}");
    }

    #[test]
    fn no_name_of_a_file_makes_a_sentence_long_or_unprintable() {
        let long = "x\0y\u{7}".repeat(100);
        let names = [long.as_str(); 80];
        let says = refused(&[], &names);
        assert!(says.len() < 3_000 && !says.contains('\0'), "{}", says.len());
    }
}
