//! `[signature]`: what is signed, with which digest, how it is written, and where it stands.

use super::callers::confirmed;
use super::document::Value;
use super::fields::parameter;
use super::message;
use super::section::{At, Faults, Section};
use crate::postback::networks::FieldDefinition;
use crate::postback::networks::definition::{Callers, Confirmed};
use crate::postback::networks::signature::{
    Digest, Encoding, Message, Place, Proof, Scheme, SecretPlace, Signature,
};

const KEYS: [&str; 8] = ["message", "digest", "encoding", "case", "at", "key_id", "macro", "confirmed"];
/// Keys that only a signature has.
const SIGNED_KEYS: [&str; 4] = ["digest", "encoding", "case", "key_id"];

pub(super) fn read(
    file: &Section<'_>,
    fields: &[FieldDefinition],
    callers: Option<&Callers>,
    sure: Confirmed,
    faults: &mut Faults,
) -> Option<Signature> {
    let Some(at) = file.get("signature") else {
        let cure =
            "add [signature] with message, digest, encoding and at; message = \"none\" if nothing is signed";
        faults.add(&file.place, "signature", "is missing", cure);
        return None;
    };
    let section = at.section(faults)?;
    section.only(&KEYS, faults);
    let confirmed = confirmed(&section, sure, faults);
    let message = section.required("message", "{ url = \"cut\" }", faults)?;
    let proof = match &message.node.value {
        Value::Text(text) if text == "none" => {
            unused(&section, &[&SIGNED_KEYS[..], &["at", "macro"]].concat(), "nothing is signed", faults);
            if callers.is_some_and(|callers| callers.ips.is_empty() && !callers.required) {
                message.fault(
                    "is none, and no caller is named: anybody could send a reward",
                    "add [callers] with ips = [\"203.0.113.0/24\"], or required = true if each source has to name them",
                    faults,
                );
            }
            Some(Proof::Nothing)
        }
        Value::Text(text) if text == "shared_secret" => {
            unused(&section, &SIGNED_KEYS, "the secret itself is sent", faults);
            section.required("at", "{ query = \"secret\" }", faults).and_then(|at| {
                let place = secret_place(&at, faults)?;
                if let SecretPlace::At(place) = &place {
                    own_parameter(&at, place, fields, faults);
                }
                Some(Proof::SharedSecret(place))
            })
        }
        _ => scheme(&section, &message, fields, faults).map(Proof::Signed),
    };
    let macro_text = section.get("macro").map_or(Some(None), |at| at.text(faults).map(Some));
    Some(Signature { proof: proof?, macro_text: macro_text?.map(str::to_owned), confirmed: confirmed? })
}

fn unused(section: &Section<'_>, keys: &[&str], why: &str, faults: &mut Faults) {
    for at in keys.iter().filter_map(|key| section.get(key)) {
        at.fault(format!("has no use: {why}"), "remove it", faults);
    }
}

fn scheme(
    section: &Section<'_>,
    message: &At<'_>,
    fields: &[FieldDefinition],
    faults: &mut Faults,
) -> Option<Scheme> {
    let digest = section
        .required("digest", "\"hmac-sha256\"", faults)
        .and_then(|at| at.one_of(&Digest::ALL, "a digest", faults));
    let encoding = encoding(section, faults);
    let at = section.required("at", "{ query = \"hash\" }", faults);
    let place = at.as_ref().and_then(|at| place(at, faults));
    let key_id = section.get("key_id");
    let key_id = key_id.map(|at| (parameter(&at, faults).map(str::to_owned), at));
    let built = message::read(message, fields, faults);
    if let (Some(built), Some(digest)) = (&built, digest) {
        message::check_secret(message, built, digest, faults);
    }
    if let (Some(at), Some(place)) = (&at, &place) {
        own_parameter(at, place, fields, faults);
        if let Some(built) = &built {
            check_place(at, built, place, faults);
        }
    }
    if let (Some((_, at)), Some(digest)) = (&key_id, digest)
        && digest != Digest::EcdsaP256Sha256
    {
        at.fault(format!("has no use with {}", digest.name()), "remove it: it names a public key", faults);
    }
    let key_id = key_id.map_or(Some(None), |(name, _)| name.map(Some));
    Some(Scheme { message: built?, digest: digest?, encoding: encoding?, at: place?, key_id: key_id? })
}

fn encoding(section: &Section<'_>, faults: &mut Faults) -> Option<Encoding> {
    let encoding = section
        .required("encoding", "\"hex\"", faults)
        .and_then(|at| at.one_of(&Encoding::ALL, "an encoding", faults));
    let Some(case) = section.get("case") else { return encoding };
    let lower = case.one_of(&[("lower", true), ("either", false)], "a case of letters", faults)?;
    match encoding? {
        Encoding::Hex if lower => Some(Encoding::LowerHex),
        Encoding::Hex => Some(Encoding::Hex),
        other => {
            case.fault(format!("has no use with {}", other.name()), "remove it: it is for hex", faults);
            Some(other)
        }
    }
}

/// A signature that stands where it cannot be told from what it signs.
fn check_place(at: &At<'_>, message: &Message, place: &Place, faults: &mut Faults) {
    let (fits, cure) = match (message, place) {
        (Message::Url(_) | Message::QueryBeforeSignature, place) => (
            matches!(place, Place::Query(_)),
            "write { query = \"…\" }: the URL is signed up to that parameter",
        ),
        (Message::Body, place) => (
            matches!(place, Place::Header { .. } | Place::Query(_)),
            "write { header = \"…\" }: a signature inside the body would have to sign itself",
        ),
        (Message::TimestampBody(_), place) => (
            matches!(place, Place::Header { part: Some(_), .. }),
            "write { header = \"…\", part = \"v1\" }: the time stands in the same header",
        ),
        (Message::Sorted(_) | Message::Concat(_), _) => (true, ""),
    };
    if !fits {
        at.fault(format!("does not fit the message: {place}"), cure, faults);
    }
}

/// A signature must not be read as a field, too.
fn own_parameter(at: &At<'_>, place: &Place, fields: &[FieldDefinition], faults: &mut Faults) {
    let is_header = matches!(place, Place::Header { .. });
    if let Some(field) = fields.iter().find(|field| !is_header && field.parameter == place.name()) {
        at.fault(
            format!("names `{}`, which is {} already", place.name(), field.field.name()),
            "name the parameter of the signature",
            faults,
        );
    }
}

fn secret_place(at: &At<'_>, faults: &mut Faults) -> Option<SecretPlace> {
    if let Value::Table(entries) = &at.node.value
        && let [entry] = entries.as_slice()
        && entry.name == "path"
    {
        let path = At { key: format!("{}.path", at.key), node: &entry.node };
        return path.one_of(&[("last", SecretPlace::PathEnd)], "a segment of the path", faults);
    }
    place(at, faults).map(SecretPlace::At)
}

fn place(at: &At<'_>, faults: &mut Faults) -> Option<Place> {
    let section = at.section(faults)?;
    section.only(&["query", "form", "json", "header", "part"], faults);
    let places: Vec<_> =
        ["query", "form", "json", "header"].iter().filter_map(|name| section.get(name)).collect();
    let [found] = places.as_slice() else {
        let what = if places.is_empty() { "names no place" } else { "names two places" };
        at.fault(
            what,
            "write one of { query = \"…\" }, { form = \"…\" }, { json = \"…\" }, { header = \"…\" }",
            faults,
        );
        return None;
    };
    let name = parameter(found, faults)?.to_owned();
    let part = section.get("part");
    let in_header = section.get("header").is_some();
    if let Some(part) = part.as_ref().filter(|_| !in_header) {
        part.fault("is for headers only", "remove it", faults);
    }
    if section.get("json").is_some() && name.split('.').any(str::is_empty) {
        found.fault(
            format!("`{name}` is not a path"),
            "write names with dots between them: user.sig",
            faults,
        );
        return None;
    }
    match found.key.rsplit('.').next() {
        Some("query") => Some(Place::Query(name)),
        Some("form") => Some(Place::Form(name)),
        Some("json") => Some(Place::Json(name)),
        _ => {
            let part = part.map_or(Some(None), |at| at.text(faults).map(|text| Some(text.to_owned())));
            Some(Place::Header { name, part: part? })
        }
    }
}
