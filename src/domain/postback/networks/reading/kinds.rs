//! `[kinds]`: from the values of one or two fields to credit, reversal, pending, ignore or test.

use super::section::{At, Faults, Section};
use crate::postback::networks::kinds::{By, Kinds, Matcher, Meaning, Row, split};
use crate::postback::networks::{Field, FieldDefinition};

/// The key of the one row of a network whose postbacks are all of the same kind.
const ALWAYS: &str = "always";
/// The key of the list of values for which the network pays nothing.
const UNPAID: &str = "unpaid";
const SIGNS: [&str; 4] = ["positive", "negative", "zero", "*"];

pub(super) fn read(file: &Section<'_>, fields: &[FieldDefinition], faults: &mut Faults) -> Option<Kinds> {
    let Some(at) = file.get("kinds") else {
        let cure = "add [kinds] with by = [\"status\"] and 1 = \"credit\"";
        faults.add(&file.place, "kinds", "is missing", cure);
        return None;
    };
    let section = at.section(faults)?;
    let by = section.required("by", "[\"status\"]", faults).and_then(|at| by(&at, fields, faults))?;
    let mut rows: Vec<Row> = Vec::new();
    let values = || section.entries().iter().filter(|entry| !["by", UNPAID].contains(&entry.name.as_str()));
    for entry in values() {
        let at = At { key: section.key(&entry.name), node: &entry.node };
        let kind = at.one_of(&Meaning::ALL, "a kind", faults);
        let values = matchers(&entry.name, &by, &at, faults);
        let (Some(kind), Some(values)) = (kind, values) else { continue };
        if rows.iter().any(|row| row.values == values) {
            at.fault(
                "is there twice: case, blanks and zeros around a number are ignored",
                "keep one of them",
                faults,
            );
        }
        rows.push(Row { written: entry.name.clone(), values, kind, is_unpaid: false });
    }
    let all_read = rows.len() == values().count();
    if !rows.is_empty() && all_read && !rows.iter().any(|row| row.kind == Meaning::Credit) {
        let cure = "add the value that does, e.g. 1 = \"credit\"";
        faults.add(&section.place, "kinds", "no value means a credit", cure);
    }
    if let Some(at) = section.get(UNPAID) {
        unpaid(&at, &mut rows, faults)?;
    }
    if values().next().is_none() {
        let cure = if by.is_empty() { "add always = \"credit\"" } else { "add e.g. 1 = \"credit\"" };
        faults.add(&section.place, "kinds", "has no values", cure);
    }
    Some(Kinds { by, rows })
}

/// Marks the rows that it lists.
fn unpaid(at: &At<'_>, rows: &mut [Row], faults: &mut Faults) -> Option<()> {
    for item in at.list(faults)? {
        let text = item.text(faults)?;
        match rows.iter_mut().find(|row| row.written == text && row.kind == Meaning::Credit) {
            Some(row) => row.is_unpaid = true,
            None => item.fault(
                format!("`{text}` is no value that means a credit"),
                "write it as it stands in [kinds], or remove it",
                faults,
            ),
        }
    }
    Some(())
}

fn by(at: &At<'_>, fields: &[FieldDefinition], faults: &mut Faults) -> Option<Vec<By>> {
    let items = at.list(faults)?;
    let texts: Vec<_> = items.iter().map(|item| item.text(faults)).collect::<Option<_>>()?;
    if texts == ["constant"] {
        return Some(Vec::new());
    }
    if !(1..=2).contains(&items.len()) {
        at.fault("must have one or two entries", "write e.g. [\"status\"] or [\"type\", \"status\"]", faults);
        return None;
    }
    let deciders = items.iter().zip(texts).map(|(item, text)| {
        let field = Field::named(text).filter(|field| fields.iter().any(|known| known.field == *field));
        match field {
            _ if text == "sign" => Some(By::Sign),
            Some(field) => Some(By::Field(field)),
            None => {
                item.fault(
                    format!("`{text}` is not one of [fields]"),
                    "name a field that is there, \"sign\" or \"constant\"",
                    faults,
                );
                None
            }
        }
    });
    deciders.collect()
}

fn matchers(name: &str, by: &[By], at: &At<'_>, faults: &mut Faults) -> Option<Vec<Matcher>> {
    if by.is_empty() {
        if name != ALWAYS {
            at.fault("is a value, and nothing is compared", "write always = \"credit\"", faults);
        }
        return Some(Vec::new());
    }
    let parts = split(name, by.len());
    if parts.len() != by.len() {
        let names: Vec<_> = by.iter().map(|by| by.name()).collect();
        at.fault(
            format!("has one value, and {} are compared", names.join(" and ")),
            "write both with a colon, e.g. \"install:approved\"; * is any value",
            faults,
        );
        return None;
    }
    for (by, part) in by.iter().zip(&parts) {
        if *by == By::Sign && !SIGNS.contains(part) {
            at.fault(format!("`{part}` is not a sign"), "write positive, negative or zero", faults);
        }
    }
    Some(parts.into_iter().map(Matcher::parse).collect())
}
