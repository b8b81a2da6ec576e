//! Networks: those that ship, those of the publisher's own files, and what a source needs to check their signatures.

use domain::money::Micros;
use domain::postback::networks::shipped;
use domain::postback::networks::signature::{Keys, Message, Proof, PublicKey};
use domain::postback::networks::{Definition, Field};
use domain::postback::signature::{Secret, SignatureForm};
use domain::text::is_similar;
use serde::Deserialize;

use super::layers::Section;

/// The most definitions of one's own.
const MAX_OWN: usize = 100;

/// The definitions in the files that `networks` names. Each fault names file, line, key and cure.
pub(super) fn own_networks(top: &mut Section<'_>) -> Vec<Definition> {
    let files: Vec<String> = top.value("networks").unwrap_or_default();
    if files.len() > MAX_OWN {
        top.fault("networks", &format!("names more than {MAX_OWN} files"));
        return Vec::new();
    }
    let mut own: Vec<Definition> = Vec::new();
    for file in files {
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(why) => {
                top.fault("networks", &format!("names `{file}`, which cannot be read: {why}"));
                continue;
            }
        };
        match Definition::parse(&file, &text) {
            Ok(definition) if own.iter().any(|other| other.name == definition.name) => {
                let what =
                    format!("has two definitions of `{}`: give one of them another name", definition.name);
                top.fault("networks", &what);
            }
            Ok(definition) => own.push(definition),
            Err(faults) => faults.0.iter().for_each(|fault| top.fault("networks", &fault.to_string())),
        }
    }
    own
}

/// The same of a settings file in which something else may be wrong, e.g. a secret that this shell does not have; without
/// definitions that have faults.
pub(crate) fn own_networks_alone(text: &str) -> Vec<Definition> {
    let Ok(table) = text.parse::<toml::Table>() else { return Vec::new() };
    let files = table.get("networks").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    let files = files.iter().filter_map(toml::Value::as_str).take(MAX_OWN);
    files.filter_map(|file| Definition::parse(file, &std::fs::read_to_string(file).ok()?).ok()).collect()
}

/// The network of a source: one of the publisher's `own`, else one that ships.
pub(super) fn network(section: &mut Section<'_>, own: &[Definition]) -> Option<Definition> {
    let name: String =
        section.required("network", "its name, e.g. \"targo\"; `rewardgate networks list` shows all")?;
    if let Some(definition) = own.iter().find(|definition| definition.name == name) {
        return Some(definition.clone());
    }
    let shipped = shipped::definition(&name).and_then(Result::ok);
    if shipped.is_none() {
        let of_own = own.iter().map(|definition| definition.name.as_str());
        let meant =
            of_own.chain(shipped::names().map(|name| name as &str)).find(|near| is_similar(&name, near));
        let meant = meant.map(|near| format!(" (did you mean \"{near}\"?)")).unwrap_or_default();
        let what = format!(
            "names `{name}`, which is not a network{meant}: `rewardgate networks list` shows all, and `networks` adds your \
             own"
        );
        section.fault("network", &what);
    }
    shipped
}

/// The same, with what the source says of the signed URL.
pub(super) fn with_form(section: &mut Section<'_>, definition: Option<Definition>) -> Option<Definition> {
    let form: Option<SignatureForm> = section.optional("signature_form");
    let mut definition = definition?;
    if let Some(form) = form {
        match &mut definition.signature.proof {
            Proof::Signed(scheme) if matches!(scheme.message, Message::Url(_)) => {
                scheme.message = Message::Url(form);
            }
            _ => section.fault(
                "signature_form",
                &format!("has no use: {} does not sign the URL; remove it", definition.title),
            ),
        }
    }
    Some(definition)
}

/// How many units of reward a payout of one USD is: required of a network that names no reward, and of no use otherwise.
pub(super) fn reward_per_usd(section: &mut Section<'_>, definition: Option<&Definition>) -> Option<Micros> {
    const KEY: &str = "reward_per_usd";
    let given: Option<String> = section.optional(KEY);
    let names_none = definition.is_some_and(|definition| definition.field(Field::Reward).is_none());
    match given {
        None if names_none => {
            let what =
                "is missing: this network names no reward, so say how many units a USD is, e.g. \"500\"";
            section.fault(KEY, what);
            None
        }
        None => None,
        Some(_) if !names_none => {
            section.fault(KEY, "has no use: this network names the reward itself; remove it");
            None
        }
        Some(text) => match Micros::parse(&text) {
            Ok(parsed) if parsed.amount.0 > 0 && !parsed.rounded => Some(parsed.amount),
            _ => {
                section.fault(KEY, &format!("must be a number above zero such as \"500\", not `{text}`"));
                None
            }
        },
    }
}

/// One reference to a secret, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// What the source has to check signatures with; a fault for each part that its network needs and the source lacks.
pub(super) fn keys(section: &mut Section<'_>, definition: Option<&Definition>) -> Keys {
    let needs = definition.map(|definition| definition.signature.proof.needs());
    let example = "\"env:NAME\" or \"file:PATH\"; several in a list while rotating";
    let first = secrets(section, "secret", needs.is_none_or(|needs| needs.secret).then_some(example));
    let of_second = needs.is_some_and(|needs| needs.second_secret);
    let second = secrets(
        section,
        "second_secret",
        of_second.then_some("\"env:NAME\": the app key or placement id that this network signs, too"),
    );
    let of_public = needs.is_some_and(|needs| needs.public_keys);
    Keys { secrets: first, second, public: public_keys(section, of_public) }
}

fn secrets(section: &mut Section<'_>, key: &'static str, required: Option<&str>) -> Vec<Secret> {
    let given = match required {
        Some(what) => section.required(key, what),
        None => section.optional(key),
    };
    let references = match given {
        Some(OneOrMore::One(reference)) => vec![reference],
        Some(OneOrMore::More(references)) => {
            if references.is_empty() {
                section.fault(key, "is an empty list: add at least one secret");
            }
            references
        }
        None => return Vec::new(),
    };
    let mut secrets = Vec::new();
    for reference in references {
        let secret = section.secret(key, &reference);
        match secret.and_then(|text| Secret::new(text).ok_or_else(|| "refers to an empty value".into())) {
            Ok(secret) => secrets.push(secret),
            Err(what) => section.fault(key, &what),
        }
    }
    secrets
}

fn public_keys(section: &mut Section<'_>, required: bool) -> Vec<PublicKey> {
    const KEY: &str = "public_keys";
    let what = "the file with the network's key list, as it publishes it (JSON), or a PEM file";
    let file: Option<String> = if required { section.required(KEY, what) } else { section.optional(KEY) };
    let Some(file) = file else { return Vec::new() };
    match std::fs::read_to_string(&file) {
        Ok(text) => match PublicKey::read_list(&text) {
            Ok(keys) => return keys,
            Err(why) => section.fault(KEY, &format!("names `{file}`, which {why}")),
        },
        Err(why) => section.fault(KEY, &format!("names `{file}`, which cannot be read: {why}")),
    }
    Vec::new()
}
