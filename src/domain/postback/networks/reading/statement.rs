//! `[statement]`: the same keys as `[sources.statement]`.

use std::collections::BTreeMap;

use super::callers::confirmed;
use super::document::Value;
use super::section::{At, Faults, Section};
use crate::postback::networks::definition::Confirmed;
use crate::postback::networks::statement::StatementFormat;
use crate::statement::number::AmountForm;

const KEYS: [&str; 12] = [
    "confirmed",
    "delimiter",
    "header",
    "decimal_comma",
    "amounts",
    "time",
    "zone",
    "columns",
    "daily_sums",
    "controls",
    "credits",
    "reversals",
];

pub(super) fn read(file: &Section<'_>, sure: Confirmed, faults: &mut Faults) -> Option<StatementFormat> {
    let Some(at) = file.get("statement") else { return Some(StatementFormat::unknown(sure)) };
    let section = at.section(faults)?;
    section.only(&KEYS, faults);
    let before = faults.0.len();
    let text = |key, faults: &mut Faults| section.get(key).and_then(|at| at.text(faults)).map(str::to_owned);
    let flag = |key, faults: &mut Faults| section.get(key).and_then(|at| at.boolean(faults));
    let read = StatementFormat {
        confirmed: confirmed(&section, sure, faults)?,
        delimiter: section.get("delimiter").and_then(|at| delimiter(&at, faults)),
        header: flag("header", faults),
        decimal_comma: flag("decimal_comma", faults),
        amounts: section.get("amounts").and_then(|at| amounts(&at, faults)),
        time: text("time", faults),
        zone: text("zone", faults),
        columns: section.get("columns").map(|at| texts(&at, faults)).unwrap_or_default(),
        daily_sums: flag("daily_sums", faults),
        controls: section.get("controls").map(|at| texts(&at, faults)).unwrap_or_default(),
        credits: section.get("credits").and_then(|at| words(&at, faults)),
        reversals: section.get("reversals").and_then(|at| words(&at, faults)),
    };
    if faults.0.len() > before {
        return None;
    }
    for fault in read.format().faults() {
        let place = section.get(fault.key).map_or_else(|| section.place.clone(), |at| at.node.place.clone());
        faults.add(&place, &section.key(fault.key), fault.what, fault.cure);
    }
    contradictions(&section, &read, faults);
    Some(read)
}

fn delimiter(at: &At<'_>, faults: &mut Faults) -> Option<char> {
    let text = at.text(faults)?;
    let mut letters = text.chars();
    let only = letters.next().filter(|_| letters.next().is_none());
    if only.is_none() {
        at.fault(
            format!("is `{text}`, which is more than one character"),
            "write one, e.g. \";\" or \"\\t\"",
            faults,
        );
    }
    only
}

fn amounts(at: &At<'_>, faults: &mut Faults) -> Option<Vec<AmountForm>> {
    let items = at.list(faults)?;
    items.iter().map(|item| item.one_of(&AmountForm::ALL, "a form of amounts", faults)).collect()
}

fn words(at: &At<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let items = at.list(faults)?;
    items.iter().map(|item| item.text(faults).map(str::to_owned)).collect()
}

/// A table of texts, which may be empty: `status = ""` says that no column holds it.
fn texts(at: &At<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let Value::Table(_) = at.node.value else {
        at.fault(
            format!("is {}", at.node.value.type_name()),
            "write a table such as { tx_id = \"Transaction ID\" }",
            faults,
        );
        return BTreeMap::new();
    };
    let Some(section) = at.section(faults) else { return BTreeMap::new() };
    let entries = section.entries().iter().filter_map(|entry| {
        let value = section.get(&entry.name)?.any_text(faults)?;
        Some((entry.name.clone(), value.to_owned()))
    });
    entries.collect()
}

/// A word that means both, and columns by name in a file without a header.
fn contradictions(section: &Section<'_>, read: &StatementFormat, faults: &mut Faults) {
    let format = read.format();
    let both = format.credits.iter().find(|word| {
        (read.credits.is_some() || read.reversals.is_some())
            && format.reversals.iter().any(|other| other.eq_ignore_ascii_case(word))
    });
    if let Some(word) = both {
        let key = if read.reversals.is_some() { "reversals" } else { "credits" };
        if let Some(at) = section.get(key) {
            at.fault(format!("has `{word}`, which is a credit and a reversal"), "keep one of them", faults);
        }
    }
    let named = format.columns.iter().find(|(_, name)| !name.is_empty() && name.parse::<usize>().is_err());
    if let (false, Some((field, name)), Some(at)) = (format.header, named, section.get("columns")) {
        at.fault(
            format!("names `{name}` for {field}, and header is false"),
            "write the number of the column, from 1",
            faults,
        );
    }
}
