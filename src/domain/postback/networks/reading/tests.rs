//! Mistakes in definitions: each message names file, line, key and cure.

use proptest::prelude::*;

use super::*;
use crate::postback::networks::Field;
use crate::postback::networks::kinds::Kind;
use crate::postback::networks::signature::Proof;

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
fn each_typical_mistake_is_one_line_with_file_line_key_and_cure() {
    for (good, bad, message) in [
        (
            "methods = [",
            "metods = [",
            "mine.toml:1: methods: is missing; add methods = [\"GET\"]\n\
             mine.toml:5: metods: is not a key of a definition; did you mean methods? remove it; known here: name, title, \
             documentation, confirmed, methods, parameters, extends, fields, kinds, identity, signature, answers, retries, \
             callers",
        ),
        (
            "name = \"mine\"",
            "name = \"My Network\"",
            "mine.toml:1: name: `My Network` is not a name; use at most 64 lower-case letters, digits and hyphens",
        ),
        (
            "\"https://example.com/postback\"",
            "\"their PDF\"",
            "mine.toml:3: documentation: `their PDF` is not a URL; write the address of the page, with https://",
        ),
        (
            "confirmed = \"documented\"",
            "confirmed = \"yes\"",
            "mine.toml:4: confirmed: `yes` is not a degree of confirmation; write one of: documented, integrators, unproven",
        ),
        (
            "[\"GET\"]",
            "[\"GET\", \"get\"]",
            "mine.toml:5: methods[1]: `get` is not a method; did you mean GET? write one of: GET, POST",
        ),
        (
            "parameters = \"query\"",
            "parameters = \"json\"",
            "mine.toml:5: methods: has GET, which has no body, and parameters are in JSON; write methods = [\"POST\"]",
        ),
        (
            "user_id = {",
            "userid = {",
            "mine.toml:7: fields.user_id: is missing; add user_id = { macro = \"{user_id}\", parameter = \"uid\" }\n\
             mine.toml:8: fields.userid: is not a field; did you mean user_id? fields are: user_id, tx_id, ref_tx_id, \
             click_id, reward, payout, status, state, type, test, reason, offer_id, offer_name, event_id, event_name, ip, \
             country_code, clicked_at, converted_at, sub1, sub2, sub3, sub4, sub5\n\
             mine.toml:21: signature.message.concat.parts[0]: `user_id` is not one of [fields]; add it there, write { \
             parameter = \"…\" }, or use one of: tx_id, reward, payout, status, secret, second_secret",
        ),
        (
            "parameter = \"tx\"",
            "parameter = \"uid\"",
            "mine.toml:9: fields.tx_id: reads `uid`, as user_id does; give each field a parameter of its own",
        ),
        (
            "unit = \"usd\"",
            "unit = \"cents\"",
            "mine.toml:11: fields.payout.unit: `cents` is not a unit; write usd, usd_cents or e.g. currency:EUR",
        ),
        (
            "by = [\"status\"]",
            "by = [\"state\"]",
            "mine.toml:14: kinds.by[0]: `state` is not one of [fields]; name a field that is there, \"sign\" or \"constant\"",
        ),
        (
            "2 = \"reversal\"",
            "2 = \"chargeback\"",
            "mine.toml:16: kinds.2: `chargeback` is not a kind; write one of: credit, reversal, pending, ignore, test",
        ),
        (
            "2 = \"reversal\"",
            "01 = \"reversal\"",
            "mine.toml:16: kinds.01: is there twice: case, blanks and zeros around a number are ignored; keep one of them",
        ),
        (
            "event = \"{tx_id}\"",
            "event = \"{transaction}\"",
            "mine.toml:18: identity.event: names {transaction}, which is not a field; use one of user_id, tx_id, reward, \
             payout, status",
        ),
        (
            "event = \"{tx_id}\"",
            "event = \"{tx_id}{status}\"",
            "mine.toml:18: identity.event: has two fields without a colon between them: different values could make the same \
             id; write e.g. \"{tx_id}:{state}\"",
        ),
        (
            "\"reward\", \"secret\"]",
            "\"reward\"]",
            "mine.toml:21: signature.message: has no place for the secret, and md5 has no key: anybody could compute it; add \
             \"secret\" to the parts of a concat, or write digest = \"hmac-md5\"",
        ),
        (
            "\"tx_id\", \"reward\"",
            "\"tx_id\", \"offer_id\"",
            "mine.toml:21: signature.message.concat.parts[2]: `offer_id` is not one of [fields]; add it there, write { \
             parameter = \"…\" }, or use one of: user_id, tx_id, reward, payout, status, secret, second_secret",
        ),
        (
            "digest = \"md5\"",
            "digest = \"sha512\"",
            "mine.toml:22: signature.digest: `sha512` is not a digest; write one of: md5, sha1, sha256, \
             hmac-md5, hmac-sha1, hmac-sha256, ecdsa-p256-sha256",
        ),
        (
            "encoding = \"hex\"",
            "encoding = \"HEX\"",
            "mine.toml:23: signature.encoding: `HEX` is not an encoding; did you mean hex? write one of: hex, base64, \
             base64url",
        ),
        (
            "at = { query = \"sig\" }",
            "at = { query = \"status\" }",
            "mine.toml:24: signature.at: names `status`, which is status already; name the parameter of the signature",
        ),
        (
            "body = \"OK\"",
            "body = \"{event_id}:OK\"",
            "mine.toml:26: answers.recorded.body: names {event_id}, which is not one of [fields]; add it there, or use one of \
             user_id, tx_id, reward, payout, status",
        ),
        (
            "body = \"OK\"",
            "body = \"OK\\n\"",
            "mine.toml:26: answers.recorded.body: ends with a line break; remove it: networks compare the exact body",
        ),
        (
            "status = 200, body",
            "status = 404, body",
            "mine.toml:26: answers.recorded.status: is 404; write a number from 200 to 299",
        ),
        (
            "horizon_minutes = 60",
            "horizon_minutes = \"1h\"",
            "mine.toml:28: retries.horizon_minutes: is text; write a whole number from 0 to 129600",
        ),
        (
            "203.0.113.0/24",
            "203.0.113.0/33",
            "mine.toml:30: callers.ips[0]: `203.0.113.0/33` is neither an address nor a network; write e.g. 203.0.113.7 or \
             203.0.113.0/24",
        ),
    ] {
        assert_eq!(with(good, bad), message, "{bad}");
    }
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
    assert_eq!(mine.kinds.decide(&["2"]), Some(Kind::Reversal));
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
fn kinds_go_by_two_fields_by_the_sign_or_by_nothing() {
    let kinds = |section: &str| {
        let start = GOOD.find("[kinds]").expect("there");
        let end = GOOD.find("[identity]").expect("there");
        let text = format!("{}[kinds]\n{section}\n{}", &GOOD[..start], &GOOD[end..]);
        Definition::parse("mine.toml", &text).map(|it| it.kinds).map_err(|faults| faults.to_string())
    };
    let two = kinds("by = [\"status\", \"sign\"]\n\"1:negative\" = \"reversal\"\n\"1:*\" = \"credit\"\n\":*\" = \"ignore\"")
        .expect("two fields");
    assert_eq!(two.decide(&["1", "negative"]), Some(Kind::Reversal));
    assert_eq!(two.decide(&[" 01 ", "positive"]), Some(Kind::Credit));
    assert_eq!(two.decide(&["", "positive"]), Some(Kind::Ignore));
    assert_eq!(two.decide(&["2", "positive"]), None, "quarantined");
    let constant = kinds("by = [\"constant\"]\nalways = \"credit\"").expect("constant");
    assert_eq!(constant.decide(&[]), Some(Kind::Credit));
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
