//! Mistakes in definitions: each message names file, line, key and cure.

mod mistakes;

use proptest::prelude::*;

use super::*;
use crate::postback::networks::Field;
use crate::postback::networks::kinds::Meaning;
use crate::postback::networks::signature::Proof;
use crate::postback::networks::statement::StatementFormat;

/// A definition without a mistake. Line numbers count from its first line, 1.
const GOOD: &str = r#"name = "mine"
title = "My Network"
documentation = "https://example.com/postback"
confirmed = "documented"
methods = ["GET"]
parameters = "query"
[fields]
user_id = { macro = "{uid}", parameter = "uid" }
tx_id = { macro = "{tx}", parameter = "tx" }
reward = { macro = "{val}", parameter = "val" }
payout = { macro = "{usd}", parameter = "usd", unit = "usd" }
status = { macro = "{status}", parameter = "status" }
[kinds]
by = ["status"]
1 = "credit"
2 = "reversal"
[identity]
event = "{tx_id}"
amounts = "either"
[signature]
message = { concat = { parts = ["user_id", "tx_id", "reward", "secret"] } }
digest = "md5"
encoding = "hex"
at = { query = "sig" }
[answers]
recorded = { status = 200, body = "OK" }
[retries]
horizon_minutes = 60
[callers]
ips = ["203.0.113.0/24"]
[statement]
delimiter = ";"
header = true
time = "%d.%m.%Y"
zone = "Europe/Berlin"
amounts = ["currency_sign"]
columns = { tx_id = "ID", status = "" }
controls = { total = "Sum" }
credits = ["paid"]
reversals = ["charged back"]
"#;

fn faults(text: &str) -> String {
    match Definition::parse("mine.toml", text) {
        Ok(definition) => panic!("no fault in\n{text}\n{definition:?}"),
        Err(faults) => faults.to_string(),
    }
}

/// The faults after `good` has become `bad`.
fn with(good: &str, bad: &str) -> String {
    assert!(GOOD.contains(good), "{good}");
    faults(&GOOD.replacen(good, bad, 1))
}

#[test]
fn a_network_without_a_signature_has_to_name_its_callers() {
    let start = GOOD.find("[signature]").expect("there");
    let end = GOOD.find("[answers]").expect("there");
    let unsigned = format!("{}[signature]\nmessage = \"none\"\n{}", &GOOD[..start], &GOOD[end..]);
    assert!(Definition::parse("mine.toml", &unsigned).is_ok());
    let required = unsigned.replace("ips = [\"203.0.113.0/24\"]", "required = true");
    assert!(Definition::parse("mine.toml", &required).is_ok());
    let open = unsigned.replace("ips = [\"203.0.113.0/24\"]", "");
    assert_eq!(
        faults(&open),
        "mine.toml:21: signature.message: is none, and no caller is named: anybody could send a reward; add [callers] with \
         ips = [\"203.0.113.0/24\"], or required = true if each source has to name them"
    );
    assert!(
        faults(&unsigned.replace("[answers]", "digest = \"md5\"\n[answers]"))
            .contains("signature.digest: has no use")
    );
    assert!(faults(&unsigned.replace("203.0.113.0/24", "0.0.0.0/0")).contains("is every address there is"));
}

#[test]
fn a_signature_stands_where_it_can_be_told_from_what_it_signs() {
    let message = "{ concat = { parts = [\"user_id\", \"tx_id\", \"reward\", \"secret\"] } }";
    let hmac = GOOD.replace("digest = \"md5\"", "digest = \"hmac-sha256\"");
    let check = |builder: &str, at: &str| {
        let text = hmac.replace(message, builder).replace("{ query = \"sig\" }", at);
        Definition::parse("mine.toml", &text).map_err(|faults| faults.to_string())
    };
    for (builder, at) in [
        ("{ url = \"cut\" }", "{ query = \"sig\" }"),
        ("{ query = \"before_signature\" }", "{ query = \"sig\" }"),
        ("\"body\"", "{ header = \"X-Sig\" }"),
        (
            "{ timestamp_body = { part = \"t\", window_seconds = 60 } }",
            "{ header = \"X-Sig\", part = \"v1\" }",
        ),
        ("{ sorted = { encode = \"form\" } }", "{ header = \"X-Sig\" }"),
    ] {
        assert!(check(builder, at).is_ok(), "{builder}");
    }
    for (builder, at) in [
        ("{ url = \"cut\" }", "{ header = \"X-Sig\" }"),
        ("\"body\"", "{ json = \"sig\" }"),
        ("{ timestamp_body = { part = \"t\", window_seconds = 60 } }", "{ header = \"X-Sig\" }"),
    ] {
        let error = check(builder, at).expect_err(builder);
        assert!(error.contains("signature.at: does not fit the message"), "{error}");
    }
    for (builder, at, part) in [
        ("{ url = \"whole\" }", "{ query = \"sig\" }", "write one of: cut, empty"),
        ("{ url = \"cut\", query = \"before_signature\" }", "{ query = \"sig\" }", "exactly one message"),
        ("\"header\"", "{ query = \"sig\" }", "is not a message"),
        (
            "{ timestamp_body = { part = \"t\" } }",
            "{ header = \"X\", part = \"v1\" }",
            "window_seconds: is missing",
        ),
        ("{ url = \"cut\" }", "{ query = \"sig\", header = \"X\" }", "names two places"),
        ("{ url = \"cut\" }", "{}", "names no place"),
        ("{ url = \"cut\" }", "{ query = \"a&b\" }", "is not the name of a parameter"),
        (
            "{ concat = { parts = [{ series = \"pub\", from = 9, to = 0 }] } }",
            "{ query = \"sig\" }",
            "exchange from and to",
        ),
    ] {
        let error = check(builder, at).expect_err(builder);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_their_lines() {
    let text = GOOD
        .replace("[\"GET\"]", "[]")
        .replace("\"credit\"", "\"paid\"")
        .replace("\"hex\"", "\"base32\"")
        .replace("/24", "/99");
    let lines: Vec<_> = faults(&text).lines().map(|line| line.split(':').nth(1).map(str::to_owned)).collect();
    let expected: Vec<_> = ["5", "15", "23", "30"].map(|line| Some(line.to_owned())).to_vec();
    assert_eq!(lines, expected, "{}", faults(&text));
    let broken = faults(&GOOD.replace("amounts = \"either\"", "amounts = "));
    assert!(broken.contains("mine.toml:19: not TOML:"), "{broken}");
    assert!(faults("").lines().count() > 8, "everything that is missing");
}

#[test]
fn a_definition_lies_over_the_one_it_extends() {
    let text = r#"name = "mine"
title = "Mine"
documentation = "https://example.com"
confirmed = "integrators"
extends = "md5-family"
[fields]
click_id = false
offer_id = { macro = "{offer}", parameter = "offer" }
[answers]
recorded = { status = 200, body = "ok" }
"#;
    let mine = Definition::parse("mine.toml", text).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((mine.name.as_str(), mine.title.as_str()), ("mine", "Mine"));
    assert!(mine.field(Field::ClickId).is_none() && mine.field(Field::UserId).is_some());
    assert_eq!(mine.field(Field::OfferId).map(|field| field.parameter.as_str()), Some("offer"));
    assert_eq!((mine.answers.recorded.body.text(), mine.answers.repeat.body.text()), ("ok", "DUP"));
    assert_eq!(mine.kinds.decide(&["2"]), Some(Meaning::Reversal));
    assert!(matches!(mine.signature.proof, Proof::Signed(_)));
    // A fault that comes with the base names the base's file and line.
    let error = faults(&text.replace("click_id = false", "tx_id = false"));
    assert!(
        error.contains("md5-family.toml:") && error.contains("`tx_id` is not one of [fields]"),
        "{error}"
    );
    let error = faults(&text.replace("\"md5-family\"", "\"md5-famly\""));
    assert!(error.contains("mine.toml:5: extends:") && error.contains("did you mean md5-family?"), "{error}");
}

#[test]
fn a_definition_says_how_its_statements_are_written() {
    let read = |text: &str| Definition::parse("mine.toml", text).unwrap_or_else(|faults| panic!("{faults}"));
    let format = read(GOOD).statement.format();
    assert_eq!(
        (format.delimiter, format.time.as_str(), format.zone.as_str()),
        (';', "%d.%m.%Y", "Europe/Berlin")
    );
    assert_eq!(format.columns.get("status").map(String::as_str), Some(""), "no column holds it");
    assert_eq!((format.credits, format.reversals), (vec!["paid".into()], vec!["charged back".into()]));
    let (without, _) = GOOD.split_once("[statement]").expect("there");
    assert_eq!(read(without).statement, StatementFormat::unknown(Confirmed::Documented));
    assert_eq!(read(without).to_json(), read(GOOD).to_json(), "its JSON is of its postbacks");
}

#[test]
fn kinds_go_by_two_fields_by_the_sign_or_by_nothing() {
    let kinds = |section: &str| {
        let start = GOOD.find("[kinds]").expect("there");
        let end = GOOD.find("[identity]").expect("there");
        let text = format!("{}[kinds]\n{section}\n{}", &GOOD[..start], &GOOD[end..]);
        Definition::parse("mine.toml", &text).map(|it| it.kinds).map_err(|faults| faults.to_string())
    };
    let two = kinds("by = [\"status\", \"sign\"]\n\"1:negative\" = \"reversal\"\n\"1:*\" = \"credit\"\n\":*\" = \"ignore\"")
        .expect("two fields");
    assert_eq!(two.decide(&["1", "negative"]), Some(Meaning::Reversal));
    assert_eq!(two.decide(&[" 01 ", "positive"]), Some(Meaning::Credit));
    assert_eq!(two.decide(&["", "positive"]), Some(Meaning::Ignore));
    assert_eq!(two.decide(&["2", "positive"]), None, "quarantined");
    let constant = kinds("by = [\"constant\"]\nalways = \"credit\"").expect("constant");
    assert_eq!(constant.decide(&[]), Some(Meaning::Credit));
    for (section, part) in [
        ("by = [\"status\", \"sign\"]\n1 = \"credit\"", "write both with a colon"),
        ("by = [\"sign\"]\nplus = \"credit\"", "write positive, negative or zero"),
        ("by = [\"constant\"]\n1 = \"credit\"", "write always"),
        ("by = [\"status\"]", "has no values"),
        ("by = [\"status\"]\n2 = \"reversal\"", "no value means a credit"),
        ("by = []\n1 = \"credit\"", "one or two entries"),
        ("1 = \"credit\"", "kinds.by: is missing"),
    ] {
        let error = kinds(section).expect_err(section);
        assert!(error.contains(part), "{section}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(
        from in 0..GOOD.len(), length in 0..40_usize, text in "\\PC{0,8}|[\\[\\]{}\"=.,\n]{0,8}",
    ) {
        let end = (from + length).min(GOOD.len());
        let changed = format!("{}{text}{}", &GOOD[..from], &GOOD[end..]);
        if let Err(faults) = Definition::parse("mine.toml", &changed) {
            prop_assert!(!faults.0.is_empty());
            prop_assert!(faults.0.iter().all(|fault| fault.place.line <= changed.lines().count() + 1));
        }
    }
}
