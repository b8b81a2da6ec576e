//! JSON Schema, as far as the API's document uses it: whether a value is one of a schema, and values on both sides of
//! each bound. A keyword or a pattern that is not known here fails the test.

use domain::report::day::NaiveDate;
use serde_json::{Value, json};

/// Keywords of a schema that restrict nothing.
const WORDS_ONLY: [&str; 5] = ["description", "example", "examples", "default", "title"];

/// Each pattern of the document with texts that it has, and texts that it has not.
const PATTERNS: [(&str, &[&str], &[&str]); 11] = [
    (r"^[^\u0000]*$", &["ü x"], &["a\0b"]),
    (
        r"^[^\u0000]*[^\u0000\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000][^\u0000]*$",
        &["x", " ü "],
        &[" ", "\u{2003}\n", "a\0b"],
    ),
    (r"^[^\u0000-\u001F\u007F-\u009F]*$", &["u-1"], &["a\nb", "a\u{85}b"]),
    (
        "^[0-9]{1,18}-[0-9]{1,18}$",
        &["0-0", "1-1"],
        &["1", "x-1", "1-1-1", "-1-1", "1--1", "+1-1", "1234567890123456789-1"],
    ),
    ("^[0-9]{1,18}$", &["0", "7"], &["x", "-1", "+1", "1-1", "1234567890123456789"]),
    ("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", &["2026-11-23"], &["2026-11-31", "2026-1-1", "x", "20261123"]),
    (r"^-?[0-9]+(\.[0-9]{1,6})?$", &["1", "-1.5"], &["1.", "x"]),
    (
        r"^(0*[1-9][0-9]{0,8}(\.[0-9]{1,6})?|0*1000000000(\.0{1,6})?|0+\.(0{0,5}[1-9]|0{0,4}[1-9][0-9]|0{0,3}[1-9][0-9]{2}|0{0,2}[1-9][0-9]{3}|0?[1-9][0-9]{4}|[1-9][0-9]{5}))$",
        &["1.00", "0.000001", "007.1", "999999999.999999", "1000000000", "0.120000"],
        &[
            "0",
            "0.000000",
            "0.0000001",
            "1,5",
            " 5",
            "5 ",
            "-1",
            "+1",
            "1e3",
            ".5",
            "5.",
            "1000000000.000001",
            "9999999999",
            "٣",
        ],
    ),
    (
        r"^(0*[0-9]{1,9}(\.[0-9]*)?|0*1000000000(\.0*)?|\.[0-9]+)?$",
        &["5", ".5", "5."],
        &["-1", " 5", ".", "1,5", "1e3", "9999999999"],
    ),
    ("^(none|[0-9]{1,18}(,[0-9]{1,18})*)$", &["none"], &["x", "None", "1,", "-1", "1, 2"]),
    ("^[!-~]([ -~]*[!-~])?$", &["wire-1"], &[]),
];

/// The schema itself, if this one only names it.
pub(crate) fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(name) => {
            let found = name.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            resolved(document, found.unwrap_or_else(|| panic!("{name} leads nowhere")))
        }
        None => schema,
    }
}

/// How `value` differs from `schema`.
pub(crate) fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let schema = resolved(document, schema);
    let mut found = Vec::new();
    let fault = |what: &str| format!("{what}: {value:.200}");
    for (keyword, wanted) in schema.as_object().expect("a schema") {
        let items = || wanted.as_array().expect("a list");
        let fits = |schema: &Value| faults(document, schema, value).is_empty();
        let is_fine = match keyword.as_str() {
            "type" => types(wanted).iter().any(|name| is_of_type(name, value)),
            "enum" => items().contains(value),
            "required" => items().iter().all(|name| value.get(name.as_str().unwrap_or_default()).is_some()),
            "properties" => {
                for (name, schema) in wanted.as_object().expect("properties") {
                    if let Some(inner) = value.get(name) {
                        found.extend(
                            faults(document, schema, inner).iter().map(|fault| format!("{name}.{fault}")),
                        );
                    }
                }
                true
            }
            "additionalProperties" => {
                assert_eq!(wanted, &json!(false), "a form of additionalProperties that is not known here");
                let known = schema["properties"].as_object();
                value.as_object().is_none_or(|object| {
                    object.keys().all(|name| known.is_some_and(|it| it.contains_key(name)))
                })
            }
            "items" => {
                for inner in value.as_array().into_iter().flatten() {
                    found.extend(faults(document, wanted, inner));
                }
                true
            }
            "oneOf" => items().iter().filter(|schema| fits(schema)).count() == 1,
            "anyOf" => items().iter().any(fits),
            "allOf" => items().iter().all(fits),
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap_or_default()),
            "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap_or_default()),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= bound(wanted)),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= bound(wanted)),
            "format" => value.as_str().is_none_or(|text| is_of_format(wanted, text)),
            "pattern" => {
                value.as_str().is_none_or(|text| has_pattern(wanted.as_str().unwrap_or_default(), text))
            }
            other => {
                assert!(WORDS_ONLY.contains(&other), "a keyword that is not known here: {other}");
                true
            }
        };
        if !is_fine {
            found.push(fault(keyword));
        }
    }
    found
}

fn bound(wanted: &Value) -> u64 {
    wanted.as_u64().expect("a bound")
}

fn types(wanted: &Value) -> Vec<&str> {
    match wanted {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => name.as_str().into_iter().collect(),
    }
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("a type that is not known here: {other}"),
    }
}

fn is_of_format(format: &Value, text: &str) -> bool {
    match format.as_str() {
        Some("date") => text.len() == 10 && text.parse::<NaiveDate>().is_ok(),
        Some("date-time") => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        Some("int32" | "int64" | "binary") => true,
        other => panic!("a format that is not known here: {other:?}"),
    }
}

fn pattern(text: &str) -> &'static (&'static str, &'static [&'static str], &'static [&'static str]) {
    let found = PATTERNS.iter().find(|(pattern, ..)| *pattern == text);
    found.unwrap_or_else(|| panic!("a pattern that is not known here: {text}"))
}

/// Only as much of a pattern as answers and the requests of these tests need.
fn has_pattern(text: &str, value: &str) -> bool {
    let (pattern, _, bad) = pattern(text);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match *pattern {
        r"^-?[0-9]+(\.[0-9]{1,6})?$" => {
            let (units, decimals) = value.split_once('.').unwrap_or((value, "0"));
            is_digits(units.strip_prefix('-').unwrap_or(units)) && is_digits(decimals) && decimals.len() <= 6
        }
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => value.len() == 10 && value.split('-').all(is_digits),
        _ => {
            let is_empty = value.is_empty() && pattern.contains('+') && !pattern.ends_with(")?$");
            !is_empty && !bad.contains(&value)
        }
    }
}

/// Values of a schema, close to its bounds.
pub(crate) fn valid(document: &Value, schema: &Value) -> Vec<Value> {
    let schema = resolved(document, schema);
    for keyword in ["oneOf", "anyOf"] {
        if let Some(schemas) = schema[keyword].as_array().filter(|_| schema.get("type").is_none()) {
            return schemas.iter().flat_map(|schema| valid(document, schema)).collect();
        }
    }
    if let Some(names) = schema["enum"].as_array() {
        return names.clone();
    }
    match types(&schema["type"])[0] {
        "null" => vec![Value::Null],
        "boolean" => vec![json!(true), json!(false)],
        "integer" => {
            let least = schema["minimum"].as_i64().unwrap_or(1);
            let most = schema["maximum"].as_i64().unwrap_or(1_000_000);
            vec![json!(least), json!(most)]
        }
        "string" => texts(schema),
        "object" => vec![object(document, schema)],
        other => panic!("no value of type {other}"),
    }
}

fn texts(schema: &Value) -> Vec<Value> {
    let Some(text) = schema["pattern"].as_str() else {
        return vec![match schema["format"].as_str() {
            Some("date-time") => json!("2026-11-23T08:00:00.5+01:00"),
            Some("date") => json!("2026-11-23"),
            _ => json!("x"),
        }];
    };
    let mut texts: Vec<Value> = pattern(text).1.iter().map(|text| json!(text)).collect();
    // The longest one, of letters that are two bytes each.
    if let Some(most) = schema["maxLength"].as_u64()
        && pattern(text).1.iter().any(|text| text.contains('ü'))
    {
        texts.push(json!("ü".repeat(usize::try_from(most).expect("a length"))));
    }
    texts
}

/// An object with what it must have; with all it can have, if that alone is none.
pub(crate) fn object(document: &Value, schema: &Value) -> Value {
    let schema = resolved(document, schema);
    let properties = schema["properties"].as_object().expect("properties");
    let of = |is_wanted: &dyn Fn(&str) -> bool| {
        let wanted = properties.iter().filter(|(name, _)| is_wanted(name));
        Value::Object(wanted.map(|(name, schema)| (name.clone(), first(document, schema))).collect())
    };
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let least = of(&|name| required.iter().any(|required| required == name));
    if faults(document, schema, &least).is_empty() { least } else { of(&|_| true) }
}

/// One value of a schema, if there is a choice one that says something.
pub(crate) fn first(document: &Value, schema: &Value) -> Value {
    let all = valid(document, schema);
    let says = |value: &&Value| **value != json!("") && !value.is_null();
    all.iter().find(says).or(all.first()).expect("a value").clone()
}

/// Values that are none of a schema, close to its bounds.
pub(crate) fn invalid(document: &Value, schema: &Value) -> Vec<Value> {
    let whole = resolved(document, schema);
    let mut all = vec![
        json!({}),
        json!([]),
        json!(7),
        json!(true),
        json!("no-such"),
        json!(null),
        json!(1.5),
        json!(""),
    ];
    let mut bounds_of = vec![whole];
    for keyword in ["oneOf", "anyOf"] {
        bounds_of
            .extend(whole[keyword].as_array().into_iter().flatten().map(|schema| resolved(document, schema)));
    }
    for schema in bounds_of {
        if let Some(least) = schema["minimum"].as_i64() {
            all.push(json!(least - 1));
        }
        if let Some(most) = schema["maximum"].as_u64() {
            all.push(json!(most + 1));
        }
        if let Some(most) = schema["maxLength"].as_u64() {
            all.push(json!("1".repeat(usize::try_from(most).expect("a length") + 1)));
        }
        if let Some(text) = schema["pattern"].as_str() {
            all.extend(pattern(text).2.iter().map(|text| json!(text)));
        }
    }
    all.retain(|value| is_none(document, whole, value));
    all
}

/// Whether a value is surely none of a schema: of texts only what the pattern's own list names.
fn is_none(document: &Value, schema: &Value, value: &Value) -> bool {
    let bounded = ["oneOf", "anyOf"].iter().find_map(|keyword| schema[*keyword].as_array());
    if let (Some(schemas), None) = (bounded, schema.get("type")) {
        return schemas.iter().all(|inner| is_none(document, resolved(document, inner), value));
    }
    let is_loose = value == "no-such" && schema.get("enum").is_none() && schema.get("format").is_none();
    !is_loose && !faults(document, schema, value).is_empty()
}
