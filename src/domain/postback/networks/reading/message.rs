//! `signature.message`: the bytes that are signed.

use super::document::Value;
use super::fields::parameter;
use super::section::{At, Faults, Section, choice};
use crate::postback::networks::signature::{
    Absent, Concat, Digest, Message, Pair, Part, PartSource, PartValue, Sorted, SortedEncoding, TimestampBody,
};
use crate::postback::networks::{Field, FieldDefinition};
use crate::postback::signature::SignatureForm;

const BUILDERS: [&str; 8] =
    ["url", "query", "sorted", "concat", "body", "timestamp_body", "shared_secret", "none"];
/// One hour: a signature that is valid for longer can be replayed at leisure.
const MAX_WINDOW_S: i64 = 3_600;
/// More than any network was seen to number.
const MAX_SERIES: i64 = 99;

pub(super) fn read(at: &At<'_>, fields: &[FieldDefinition], faults: &mut Faults) -> Option<Message> {
    let entries = match &at.node.value {
        Value::Text(text) if text == "body" => return Some(Message::Body),
        Value::Text(text) => {
            at.fault(format!("`{text}` is not a message"), choice(text, &BUILDERS, "write one of:"), faults);
            return None;
        }
        _ => at.section(faults)?,
    };
    entries.only(&["url", "query", "sorted", "concat", "timestamp_body"], faults);
    let [entry] = entries.entries() else {
        at.fault("must name exactly one message", "write e.g. { url = \"cut\" }", faults);
        return None;
    };
    let inside = At { key: entries.key(&entry.name), node: &entry.node };
    match entry.name.as_str() {
        "url" => {
            let forms = [("cut", SignatureForm::Cut), ("empty", SignatureForm::Empty)];
            inside.one_of(&forms, "a form of the URL", faults).map(Message::Url)
        }
        "query" => {
            let only = [("before_signature", Message::QueryBeforeSignature)];
            inside.one_of(&only, "a part of the query", faults)
        }
        "sorted" => sorted(&inside, faults).map(Message::Sorted),
        "concat" => concat(&inside, fields, faults).map(Message::Concat),
        "timestamp_body" => timestamp_body(&inside, faults).map(Message::TimestampBody),
        _ => None,
    }
}

/// A digest without a key proves nothing unless the message contains the secret.
pub(super) fn check_secret(at: &At<'_>, message: &Message, digest: Digest, faults: &mut Faults) {
    let has_secret = match message {
        Message::Concat(concat) => concat.parts.iter().any(|part| part.source == PartSource::Secret),
        _ => false,
    };
    if digest.is_plain() && !has_secret {
        at.fault(
            format!(
                "has no place for the secret, and {0} has no key: anybody could compute it",
                digest.name()
            ),
            format!("add \"secret\" to the parts of a concat, or write digest = \"hmac-{}\"", digest.name()),
            faults,
        );
    }
    if digest == Digest::EcdsaP256Sha256 && has_secret {
        at.fault("contains the secret, and ECDSA has none", "remove \"secret\" from the parts", faults);
    }
}

fn sorted(at: &At<'_>, faults: &mut Faults) -> Option<Sorted> {
    let section = at.section(faults)?;
    section.only(&["encode", "drop", "pair"], faults);
    let encoding = section
        .required("encode", "\"form\"", faults)
        .and_then(|at| at.one_of(&SortedEncoding::ALL, "an encoding of parameters", faults));
    let drop = section.get("drop").map_or(Some(Vec::new()), |at| at.list(faults));
    let drop: Option<Vec<_>> = drop?.iter().map(|item| parameter(item, faults).map(str::to_owned)).collect();
    let pairs = [("&", Pair::Ampersand), (",", Pair::Comma)];
    let pair = section.get("pair").map_or(Some(Pair::Ampersand), |at| at.one_of(&pairs, "a join", faults));
    Some(Sorted { encoding: encoding?, drop: drop?, pair: pair? })
}

fn timestamp_body(at: &At<'_>, faults: &mut Faults) -> Option<TimestampBody> {
    let section = at.section(faults)?;
    section.only(&["part", "separator", "window_seconds"], faults);
    let part = section.required("part", "\"t\"", faults).and_then(|at| at.text(faults));
    let separator = section.get("separator").map_or(Some("."), |at| at.any_text(faults));
    let window_s = section
        .required("window_seconds", "300", faults)
        .and_then(|at| at.integer(1, MAX_WINDOW_S, faults))
        .and_then(|seconds| u32::try_from(seconds).ok());
    Some(TimestampBody { part: part?.to_owned(), separator: separator?.to_owned(), window_s: window_s? })
}

fn concat(at: &At<'_>, fields: &[FieldDefinition], faults: &mut Faults) -> Option<Concat> {
    let section = at.section(faults)?;
    section.only(&["parts", "separator", "decoded"], faults);
    let separator = section.get("separator").map_or(Some(""), |at| at.any_text(faults));
    let decoded = section.get("decoded").map_or(Some(false), |at| at.boolean(faults));
    let value = if decoded? { PartValue::Decoded } else { PartValue::Received };
    let parts = section.required("parts", "[\"user_id\", \"tx_id\", \"secret\"]", faults)?;
    let items = parts.list(faults)?;
    if items.is_empty() {
        parts.fault("is empty", "write e.g. [\"user_id\", \"tx_id\", \"secret\"]", faults);
    }
    let parts: Vec<_> = items.iter().map(|item| part(item, value, fields, faults)).collect();
    Some(Concat { parts: parts.into_iter().collect::<Option<_>>()?, separator: separator?.to_owned() })
}

fn part(at: &At<'_>, value: PartValue, fields: &[FieldDefinition], faults: &mut Faults) -> Option<Part> {
    let plain = |source| Part { source, value, absent: Absent::Refused };
    if let Value::Text(text) = &at.node.value {
        return named(at, text, fields, faults).map(plain);
    }
    let section = at.section(faults)?;
    section.only(
        &[
            "field",
            "parameter",
            "constant",
            "series",
            "from",
            "to",
            "decoded",
            "integer",
            "omit_when_absent",
            "omit_when_empty",
        ],
        faults,
    );
    let sources = ["field", "parameter", "constant", "series"];
    let named_sources: Vec<_> = sources.iter().filter_map(|name| section.get(name)).collect();
    let [source_at] = named_sources.as_slice() else {
        at.fault(
            "must name one of field, parameter, constant and series",
            "write e.g. { field = \"reward\" }",
            faults,
        );
        return None;
    };
    let source = match source_at.key.rsplit('.').next() {
        Some("field") => source_at.text(faults).and_then(|text| named(source_at, text, fields, faults)),
        Some("parameter") => parameter(source_at, faults).map(|name| PartSource::Parameter(name.to_owned())),
        Some("constant") => source_at.text(faults).map(|text| PartSource::Constant(text.to_owned())),
        _ => series(source_at, &section, faults),
    };
    let mut flag =
        |name: &str, default: bool| section.get(name).map_or(Some(default), |at| at.boolean(faults));
    let is_series = section.get("series").is_some();
    let decoded = flag("decoded", value == PartValue::Decoded)?;
    let integer = flag("integer", false)?;
    let absent = flag("omit_when_absent", is_series)?;
    let empty = flag("omit_when_empty", false)?;
    let value = match (integer, decoded) {
        (true, _) => PartValue::Integer,
        (false, true) => PartValue::Decoded,
        (false, false) => PartValue::Received,
    };
    let absent = match (empty, absent) {
        (true, _) => Absent::OmittedWhenEmpty,
        (false, true) => Absent::Omitted,
        (false, false) => Absent::Refused,
    };
    Some(Part { source: source?, value, absent })
}

/// A part that is written as one word: a field, or a secret.
fn named(at: &At<'_>, text: &str, fields: &[FieldDefinition], faults: &mut Faults) -> Option<PartSource> {
    match text {
        "secret" => return Some(PartSource::Secret),
        "second_secret" => return Some(PartSource::SecondSecret),
        _ => {}
    }
    let field = Field::named(text).filter(|field| fields.iter().any(|known| known.field == *field));
    if field.is_none() {
        let known: Vec<_> =
            fields.iter().map(|known| known.field.name()).chain(["secret", "second_secret"]).collect();
        at.fault(
            format!("`{text}` is not one of [fields]"),
            choice(text, &known, "add it there, write { parameter = \"…\" }, or use one of:"),
            faults,
        );
    }
    field.map(PartSource::Field)
}

fn series(at: &At<'_>, section: &Section<'_>, faults: &mut Faults) -> Option<PartSource> {
    let prefix = parameter(at, faults)?.to_owned();
    let mut bound = |name: &str, example: &str| {
        let at = section.required(name, example, faults)?;
        at.integer(0, MAX_SERIES, faults).and_then(|number| u16::try_from(number).ok())
    };
    let (from, to) = (bound("from", "0"), bound("to", "9"));
    let (from, to) = (from?, to?);
    if to < from {
        at.fault(format!("ends at {to}, before it begins at {from}"), "exchange from and to", faults);
        return None;
    }
    Some(PartSource::Series { prefix, from, to })
}
