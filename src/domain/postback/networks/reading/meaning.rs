//! `[identity]` and `[answers]`: everything with templates.

use super::section::{At, Faults, Section};
use crate::postback::networks::answers::{Answer, Answers};
use crate::postback::networks::identity::{Amounts, Identity};
use crate::postback::networks::template::{BadTemplate, Template};
use crate::postback::networks::{Field, FieldDefinition};

pub(super) fn identity(
    file: &Section<'_>,
    fields: &[FieldDefinition],
    faults: &mut Faults,
) -> Option<Identity> {
    let known = |field| fields.iter().any(|definition| definition.field == field);
    let section = match file.get("identity") {
        Some(at) => at.section(faults)?,
        None => Section::file(file.place.clone(), &[]),
    };
    section.only(&["event", "reward", "reversal_of", "strip_prefix", "amounts"], faults);
    if section.get("event").is_none() && !known(Field::TxId) {
        faults.add(
            &section.place,
            "identity.event",
            "is missing, and there is no tx_id",
            "add event with fields that make an event unique, e.g. \"{click_id}:{event_id}\"",
        );
    }
    let mut template = |name: &str, default: Option<&Template>| match section.get(name) {
        Some(at) => id_template(&at, fields, faults),
        None => Some(default.cloned().unwrap_or_else(|| Template::of_field(Field::TxId))),
    };
    let event = template("event", None);
    let reward = template("reward", event.as_ref());
    let reversal_of = template("reversal_of", reward.as_ref());
    let strip_prefix = section.get("strip_prefix").map_or(Some(""), |at| at.text(faults));
    let amounts = section
        .get("amounts")
        .map_or(Some(Amounts::Positive), |at| at.one_of(&Amounts::ALL, "a rule for amounts", faults));
    Some(Identity {
        event: event?,
        reward: reward?,
        reversal_of: reversal_of?,
        strip_prefix: strip_prefix?.to_owned(),
        amounts: amounts?,
    })
}

fn id_template(at: &At<'_>, fields: &[FieldDefinition], faults: &mut Faults) -> Option<Template> {
    let text = at.text(faults)?;
    let template = template(at, text, fields, faults)?;
    if template.fields().next().is_none() {
        at.fault("names no field: all events would be one", "name a field, e.g. \"{tx_id}\"", faults);
        return None;
    }
    if !template.is_unambiguous() {
        at.fault(
            "has two fields without a colon between them: different values could make the same id",
            "write e.g. \"{tx_id}:{state}\"",
            faults,
        );
        return None;
    }
    Some(template)
}

fn template(at: &At<'_>, text: &str, fields: &[FieldDefinition], faults: &mut Faults) -> Option<Template> {
    let names = || fields.iter().map(|field| field.field.name()).collect::<Vec<_>>().join(", ");
    match Template::parse(text) {
        Ok(template) => {
            let missing = template.fields().find(|field| fields.iter().all(|known| known.field != *field));
            let Some(missing) = missing else { return Some(template) };
            let what = format!("names {{{}}}, which is not one of [fields]", missing.name());
            at.fault(what, format!("add it there, or use one of {}", names()), faults);
        }
        Err(BadTemplate::UnknownField(name)) => {
            at.fault(
                format!("names {{{name}}}, which is not a field"),
                format!("use one of {}", names()),
                faults,
            );
        }
        Err(BadTemplate::LoneBrace(text)) => {
            at.fault(
                format!("has a brace without its partner at `{text}`"),
                "close it, or remove it",
                faults,
            );
        }
    }
    None
}

pub(super) fn answers(
    file: &Section<'_>,
    fields: &[FieldDefinition],
    faults: &mut Faults,
) -> Option<Answers> {
    let example = "recorded = { status = 200, body = \"OK\" }";
    let Some(at) = file.get("answers") else {
        faults.add(&file.place, "answers", "is missing", format!("add [answers] with {example}"));
        return None;
    };
    let section = at.section(faults)?;
    section.only(&["recorded", "repeat", "refused", "invalid", "later"], faults);
    let recorded = section
        .required("recorded", "{ status = 200, body = \"OK\" }", faults)
        .and_then(|at| answer(&at, 200, 299, fields, faults));
    let mut other = |name: &str, least: i64, default: &dyn Fn() -> Option<Answer>| match section.get(name) {
        Some(at) => answer(&at, least, 599, fields, faults),
        None => default(),
    };
    let repeat = other("repeat", 200, &|| recorded.clone());
    let refused = other("refused", 200, &|| Some(Answer::refused_by_default()));
    let invalid = other("invalid", 200, &|| Some(Answer::plain(400, "cannot be read")));
    let later = other("later", 200, &|| Some(Answer::plain(503, "cannot be recorded now")));
    if let (Some(recorded), Some(later), Some(at)) = (&recorded, &later, section.get("later"))
        && (200..300).contains(&later.status)
        && later.body == recorded.body
    {
        at.fault(
            "is answered as recorded: the network would not repeat the postback",
            "write another body, or a status like 503",
            faults,
        );
    }
    Some(Answers {
        recorded: recorded?,
        repeat: repeat?,
        refused: refused?,
        invalid: invalid?,
        later: later?,
    })
}

fn answer(
    at: &At<'_>,
    least: i64,
    most: i64,
    fields: &[FieldDefinition],
    faults: &mut Faults,
) -> Option<Answer> {
    let section = at.section(faults)?;
    section.only(&["status", "body"], faults);
    let status = section
        .required("status", "200", faults)
        .and_then(|at| at.integer(least, most, faults))
        .and_then(|status| u16::try_from(status).ok());
    if let Some(status @ 300..=399) = status {
        at.fault(format!("redirects with {status}"), "write 200, or 4xx or 5xx for a refusal", faults);
    }
    let body = match section.get("body") {
        Some(at) => {
            let text = at.any_text(faults)?;
            if text.ends_with(['\n', '\r']) {
                at.fault("ends with a line break", "remove it: networks compare the exact body", faults);
            }
            template(&at, text, fields, faults)
        }
        None => Template::parse("").ok(),
    };
    Some(Answer { status: status?, body: body? })
}
