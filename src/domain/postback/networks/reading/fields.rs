//! `[fields]`: each of our fields with its macro and its parameter.

use super::document::Value;
use super::section::{At, Faults, Section, choice};
use crate::postback::networks::{Field, FieldDefinition, TimeFormat, Unit};

/// The longest value that any field may have, in bytes.
const MAX_BYTES: i64 = 4_096;
const EXAMPLE: &str = "{ macro = \"{user_id}\", parameter = \"uid\" }";

pub(super) fn read(file: &Section<'_>, faults: &mut Faults) -> Option<Vec<FieldDefinition>> {
    let Some(at) = file.get("fields") else {
        faults.add(&file.place, "fields", "is missing", format!("add [fields] with user_id = {EXAMPLE}"));
        return None;
    };
    let section = at.section(faults)?;
    let mut fields: Vec<FieldDefinition> = Vec::new();
    for entry in section.entries() {
        let key = section.key(&entry.name);
        let Some(field) = Field::named(&entry.name) else {
            let cure = choice(&entry.name, &Field::ALL.map(Field::name), "fields are:");
            faults.add(&entry.place, &key, "is not a field", cure);
            continue;
        };
        // `false` takes away a field of the definition that is extended.
        if matches!(entry.node.value, Value::Boolean(false)) {
            continue;
        }
        let at = At { key, node: &entry.node };
        let Some(definition) = one(field, &at, faults) else { continue };
        let same =
            |other: &&FieldDefinition| definition.fixed.is_none() && other.parameter == definition.parameter;
        if let Some(other) = fields.iter().find(same) {
            at.fault(
                format!("reads `{}`, as {} does", definition.parameter, other.field.name()),
                "give each field a parameter of its own",
                faults,
            );
        }
        fields.push(definition);
    }
    let has = |field| section.entries().iter().any(|entry| entry.name == Field::name(field));
    if !has(Field::UserId) {
        faults.add(&section.place, "fields.user_id", "is missing", format!("add user_id = {EXAMPLE}"));
    }
    if !has(Field::Reward) && !has(Field::Payout) {
        let cure = "add reward = { macro = \"{reward}\", parameter = \"reward\" }";
        faults.add(&section.place, "fields.reward", "is missing, and there is no payout either", cure);
    }
    Some(fields)
}

fn one(field: Field, at: &At<'_>, faults: &mut Faults) -> Option<FieldDefinition> {
    let section = at.section(faults)?;
    section.only(&["macro", "parameter", "value", "max_bytes", "unit", "format"], faults);
    let macro_text = section.get("macro").and_then(|at| at.text(faults)).map(str::to_owned);
    let fixed = section.get("value").and_then(|at| at.text(faults)).map(str::to_owned);
    let parameter = if fixed.is_some() {
        for at in ["macro", "parameter"].iter().filter_map(|key| section.get(key)) {
            at.fault("has no use: the value is the same in every call", "remove it, or value", faults);
        }
        Some("")
    } else {
        section.required("parameter", "\"…\"", faults).and_then(|at| parameter(&at, faults))
    };
    let max_bytes = match section.get("max_bytes") {
        Some(at) => at.integer(1, MAX_BYTES, faults).and_then(|bytes| usize::try_from(bytes).ok()),
        None => Some(field.default_max_bytes()),
    };
    let unit = section.get("unit").map_or(Some(Unit::Usd), |at| unit(field, &at, faults));
    let format = section.get("format").map_or(Some(TimeFormat::Seconds), |at| {
        if !field.is_time() {
            at.fault("is for clicked_at and converted_at only", "remove it", faults);
        }
        at.one_of(&TimeFormat::ALL, "a format of a time", faults)
    });
    let (parameter, max_bytes) = (parameter?.to_owned(), max_bytes?);
    Some(FieldDefinition {
        field,
        macro_text,
        parameter,
        is_renamed: false,
        fixed,
        max_bytes,
        unit: unit?,
        format: format?,
    })
}

/// A name that stands in a URL as it is.
pub(super) fn parameter<'d>(at: &At<'d>, faults: &mut Faults) -> Option<&'d str> {
    let text = at.text(faults)?;
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '&' | '=' | '?' | '#' | '%' | '+'))
    {
        at.fault(
            format!("`{text}` is not the name of a parameter"),
            "write it without & = ? # % + and blanks",
            faults,
        );
        return None;
    }
    Some(text)
}

fn unit(field: Field, at: &At<'_>, faults: &mut Faults) -> Option<Unit> {
    if field != Field::Payout {
        at.fault("is for payout only", "remove it: rewards are in the app's own currency", faults);
    }
    let text = at.text(faults)?;
    let is_code = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match (text, text.strip_prefix("currency:")) {
        ("usd", _) => Some(Unit::Usd),
        ("usd_cents", _) => Some(Unit::UsdCents),
        (_, Some(code)) if is_code(code) => Some(Unit::Currency(code.to_owned())),
        _ => {
            at.fault(format!("`{text}` is not a unit"), "write usd, usd_cents or e.g. currency:EUR", faults);
            None
        }
    }
}
