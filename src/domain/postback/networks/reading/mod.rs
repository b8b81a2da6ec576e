//! Reads a definition: TOML in, a consistent [`Definition`] or every fault out.

mod callers;
mod document;
mod fields;
mod kinds;
mod meaning;
mod message;
mod proof;
mod section;
mod statement;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::document::{Entry, overlay, parse};
use self::section::{At, Faults, Section, choice};
use crate::postback::networks::call::Method;
use crate::postback::networks::definition::{Confirmed, ParameterSource};
use crate::postback::networks::fault::{BadDefinition, Place};
use crate::postback::networks::{Definition, shipped};

/// How many definitions may extend each other in a row.
const MAX_BASES: usize = 4;
/// The longest name, in bytes: it is part of URLs and of table rows.
const MAX_NAME_BYTES: usize = 64;
const KEYS: [&str; 15] = [
    "name",
    "title",
    "documentation",
    "confirmed",
    "methods",
    "parameters",
    "extends",
    "fields",
    "kinds",
    "identity",
    "signature",
    "answers",
    "retries",
    "callers",
    "statement",
];

impl Definition {
    /// Reads the definition in `text`; `file` names it in messages. It may extend a shipped one.
    pub fn parse(file: &str, text: &str) -> Result<Self, BadDefinition> {
        let mut faults = Faults::default();
        let entries = layered(file, text, &mut faults, MAX_BASES);
        let top = Place { file: file.into(), line: 1 };
        let definition = whole(&Section::file(top, &entries), &mut faults);
        faults.0.sort_by(|one, other| {
            (&one.place.file, one.place.line).cmp(&(&other.place.file, other.place.line))
        });
        match definition {
            Some(definition) if faults.0.is_empty() => Ok(definition),
            _ => Err(BadDefinition(faults.0)),
        }
    }
}

/// The entries of `text` over those of the definition that it extends.
fn layered(file: &str, text: &str, faults: &mut Faults, bases_left: usize) -> Vec<Entry> {
    let (entries, broken) = parse(&Arc::from(file), text);
    faults.0.extend(broken);
    let section = Section::file(Place { file: file.into(), line: 1 }, &entries);
    let Some(extends) = section.get("extends") else { return entries };
    let Some(name) = extends.text(faults) else { return entries };
    let Some(base) = shipped::text(name).filter(|_| bases_left > 0) else {
        let names: Vec<_> = shipped::names().collect();
        let cure = choice(name, &names, "write one that ships:");
        extends.fault(format!("`{name}` cannot be extended: it does not ship"), cure, faults);
        return entries;
    };
    overlay(layered(&format!("{name}.toml"), base, faults, bases_left - 1), entries)
}

/// Everything is read even after a fault, so that one run tells all of them.
fn whole(file: &Section<'_>, faults: &mut Faults) -> Option<Definition> {
    file.only(&KEYS, faults);
    let name = file.required("name", "\"mynetwork\"", faults).and_then(|at| name(&at, faults));
    let title = file.required("title", "\"My Network\"", faults).and_then(|at| at.text(faults));
    let documentation =
        file.required("documentation", "\"https://…\"", faults).and_then(|at| page(&at, faults));
    let confirmed = file
        .required("confirmed", "\"documented\"", faults)
        .and_then(|at| at.one_of(&Confirmed::ALL, "a degree of confirmation", faults));
    let methods = file.required("methods", "[\"GET\"]", faults).and_then(|at| methods(&at, faults));
    let parameters = file
        .required("parameters", "\"query\"", faults)
        .and_then(|at| at.one_of(&ParameterSource::ALL, "a place of parameters", faults));
    if let (Some(ParameterSource::Json), Some(methods), Some(at)) =
        (parameters, &methods, file.get("methods"))
        && methods.contains(&Method::Get)
    {
        at.fault(
            "has GET, which has no body, and parameters are in JSON",
            "write methods = [\"POST\"]",
            faults,
        );
    }
    let sure = confirmed.unwrap_or(Confirmed::Unproven);
    let fields = fields::read(file, faults);
    let known = fields.as_deref().unwrap_or_default();
    let kinds = kinds::read(file, known, faults);
    let identity = meaning::identity(file, known, faults);
    let answers = meaning::answers(file, known, faults);
    let callers = callers::read(file, sure, faults);
    let retries = callers::retries(file, sure, faults);
    let statement = statement::read(file, sure, faults);
    let signature = proof::read(file, known, callers.as_ref(), sure, faults);
    Some(Definition {
        name: name?,
        title: title?.to_owned(),
        documentation: documentation?,
        confirmed: confirmed?,
        methods: methods?,
        parameters: parameters?,
        fields: fields?,
        kinds: kinds?,
        identity: identity?,
        signature: signature?,
        answers: answers?,
        retries: retries?,
        callers: callers?,
        statement: statement?,
    })
}

fn name(at: &At<'_>, faults: &mut Faults) -> Option<String> {
    let text = at.text(faults)?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.len() > MAX_NAME_BYTES || !text.bytes().all(allowed) {
        at.fault(
            format!("`{text}` is not a name"),
            format!("use at most {MAX_NAME_BYTES} lower-case letters, digits and hyphens"),
            faults,
        );
        return None;
    }
    Some(text.to_owned())
}

fn page(at: &At<'_>, faults: &mut Faults) -> Option<String> {
    let text = at.text(faults)?;
    if !text.starts_with("https://") && !text.starts_with("http://") {
        at.fault(format!("`{text}` is not a URL"), "write the address of the page, with https://", faults);
        return None;
    }
    Some(text.to_owned())
}

fn methods(at: &At<'_>, faults: &mut Faults) -> Option<Vec<Method>> {
    let items = at.list(faults)?;
    if items.is_empty() {
        at.fault("is empty", "write [\"GET\"], [\"POST\"] or both", faults);
        return None;
    }
    items.iter().map(|item| item.one_of(&Method::ALL, "a method", faults)).collect()
}
