mod any_value;
mod networks;

use std::collections::BTreeMap;

use super::*;
use crate::money::Micros;
use crate::postback::event::Click;
use crate::postback::query::Plus;

/// What a credit cannot be booked without.
pub(super) const REQUIRED: [&str; 4] = ["user_id", "tx_id", "reward", "status"];
/// Everything else that is mapped.
pub(super) const OPTIONAL: [&str; 10] = [
    "payout",
    "offer_id",
    "offer_name",
    "event_id",
    "event_name",
    "ip",
    "country_code",
    "timestamp",
    "sub1",
    "sub2",
];

fn params() -> Params {
    Params::shipped("targo").expect("it ships")
}

/// A credit whose parameters are those of `changes` where they name one; an empty change leaves it out.
fn target(changes: &[(&str, &str)]) -> String {
    let mut pairs =
        vec![("user_id", "u1"), ("tx_id", "T1"), ("reward", "500"), ("payout", "1.00"), ("status", "1")];
    pairs.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    pairs.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("/pb/targo?{}", pairs.join("&"))
}

fn credit(changes: &[(&str, &str)]) -> Event {
    let target = target(changes);
    map(&target, &params()).unwrap_or_else(|why| panic!("{target}: {why}"))
}

fn reversal(changes: &[(&str, &str)]) -> Event {
    let changes: Vec<_> = [("status", "2")].iter().chain(changes).copied().collect();
    credit(&changes)
}

fn reason(changes: &[(&str, &str)]) -> String {
    let target = target(changes);
    match map(&target, &params()) {
        Ok(event) => panic!("{target}: {event:?}"),
        Err(quarantine) => quarantine.reason,
    }
}

fn noted(event: &Event) -> String {
    event.noted(NoteKind::Cleaned).unwrap_or_default()
}

const UNITS: i64 = 1_000_000;

#[test]
fn the_amounts_of_a_reversal_are_magnitudes_or_not_said() {
    for (reward, payout, expected) in [
        ("-500", "-1.00", (Some(500), Some(1))),
        ("500", "-1", (Some(500), Some(1))),
        ("%E2%88%92500", "", (Some(500), None)),
        ("0", "0", (None, None)),
        ("-0", "0.00", (None, None)),
        ("0e5", "-0.0", (None, None)),
        ("", "", (None, None)),
        ("{reward}", "%20", (None, None)),
        ("-5e2", "1", (Some(500), Some(1))),
    ] {
        let event = reversal(&[("reward", reward), ("payout", payout)]);
        let amounts = (event.reward.map(|it| it.0 / UNITS), event.payout.map(|it| it.0 / UNITS));
        assert_eq!((amounts, event.kind), (expected, Kind::Reversal), "{reward} {payout}");
        assert_eq!(noted(&event), "", "{reward} {payout}");
    }
}

#[test]
fn an_unreadable_amount_never_stops_a_reversal() {
    for amount in ["1,234.50", "500+coins", "(500)", "NaN", "99999999999", "%FF", "5&reward=6"] {
        let event = reversal(&[("reward", amount)]);
        assert_eq!((event.kind, event.reward), (Kind::Reversal, None), "{amount}");
        assert!(noted(&event).contains("`reward`"), "{amount}: {}", noted(&event));
    }
}

#[test]
fn a_payout_that_cannot_be_one_leaves_the_credit_to_the_rules() {
    for payout in ["-1.00", "1,00", "USD+1", "99999999999", "null", "%00%FF", "1&payout=2"] {
        let event = credit(&[("payout", payout)]);
        assert_eq!((event.reward, event.payout), (Some(Micros(500 * UNITS)), None), "{payout}");
        assert!(noted(&event).contains("`payout`"), "{payout}: {}", noted(&event));
        assert_eq!(event.information, None);
    }
}

#[test]
fn blanks_around_any_value_are_ignored() {
    for blank in ["%20", "+", "%09", "%C2%A0", "%0D%0A", "%EF%BB%BF", "%E2%80%8B"] {
        let with_blank = |value: &str| format!("{blank}{value}{blank}");
        let [user, reward, status, ip] = ["u1", "500", "01", "8.8.8.8"].map(with_blank);
        let event = credit(&[("user_id", &user), ("reward", &reward), ("status", &status), ("ip", &ip)]);
        assert_eq!(event.user_id, "u1", "{blank}");
        assert_eq!(
            (event.reward, event.ip.as_deref()),
            (Some(Micros(500 * UNITS)), Some("8.8.8.8")),
            "{blank}"
        );
        assert!(noted(&event).contains("`user_id` had blanks around it"), "{}", noted(&event));
        assert_eq!(reason(&[("user_id", blank)]), "`user_id` is missing");
    }
}

#[test]
fn nothing_optional_keeps_a_postback_from_being_mapped() {
    let long = "x".repeat(5_000);
    let values = [
        "%E9",
        "%00",
        "a%00b%07",
        &long,
        "%FF%FE",
        "{x}",
        "[%25X%25]",
        "United%20States%20of%20America",
        "%ED%A0%80",
        "8.8.8.8,+9.9.9.9,+10.0.0.1",
        "%F0%9F%98%80",
        "1e400",
        "-1",
        "=",
        "a&b=c",
        "%",
        "%2",
        "%zz",
        "a%0Ab",
    ];
    for status in ["1", "2"] {
        for name in OPTIONAL {
            for value in values {
                let event = credit(&[("status", status), (name, value)]);
                assert_eq!((event.user_id.as_str(), event.tx_id.as_str()), ("u1", "T1"));
                let again = credit(&[("status", status), (name, &format!("{value}&{name}=other"))]);
                assert_eq!(again.tx_id, "T1");
            }
        }
    }
}

#[test]
fn what_was_done_to_an_optional_value_is_said() {
    let long = "é".repeat(600);
    for (name, value, text) in [
        ("offer_name", "%E9", "`offer_name` was not UTF-8"),
        ("offer_name", "a%07b", "`offer_name` had control characters"),
        ("sub1", &long, "`sub1` was shortened to 1024 bytes"),
        ("sub2", "a&sub2=b", "`sub2` appears with different values"),
        ("country_code", "United%20States%20of%20America", "read as US"),
        ("country_code", "usa", "read as US"),
        (
            "country_code",
            "Atlantis",
            "`country_code` is \u{201c}Atlantis\u{201d}, which does not name exactly one country",
        ),
        ("ip", "8.8.8.8%3A443", "`ip` had extra text around the address"),
        ("ip", "8.8.8.8,1.1.1.1", "`ip` is a list of 2 entries; the first public address was taken"),
        ("ip", "unknown", "`ip` is not an IP address and was left out"),
    ] {
        let event = credit(&[(name, value)]);
        assert!(noted(&event).contains(text), "{name}={value}: {}", noted(&event));
        assert!(
            !noted(&event).contains("8.8.8"),
            "an address leaves at the end of its term: {}",
            noted(&event)
        );
    }
    let event = credit(&[("sub1", &long), ("event_id", "{event_id}"), ("offer_name", "%7Boffer_name%7D")]);
    assert_eq!(event.sub1.map(|text| text.len()), Some(1_024));
    assert_eq!((event.event_id, event.offer_name), (None, None));
}

#[test]
fn the_same_value_twice_is_that_value() {
    let event = credit(&[
        ("user_id", "u1&user_id=u1"),
        ("tx_id", "T1&tx_id=%541"),
        ("reward", "500&reward=500.0"),
        ("status", "1&status=01"),
        ("sub1", "a&sub1=a"),
        ("sub2", "&sub2=b"),
    ]);
    assert_eq!((event.user_id.as_str(), event.tx_id.as_str()), ("u1", "T1"));
    assert_eq!((event.sub1.as_deref(), noted(&event).as_str()), (Some("a"), ""));
    assert_eq!(credit(&[("user_id", "u1&user_id=")]).user_id, "u1");
    for (name, value) in [("user_id", "u1&user_id=u2"), ("reward", "5&reward=6"), ("status", "1&status=2")] {
        let expected = format!("`{name}` appears more than once in the query");
        assert_eq!(reason(&[(name, value)]), expected);
    }
}

#[test]
fn different_ids_are_never_merged() {
    let long = "x".repeat(257);
    for name in ["user_id", "tx_id"] {
        for (value, what) in [
            ("caf%E9", "is not UTF-8"),
            ("a%00b", "contains a NUL character"),
            ("%00a", "contains a NUL character"),
            (&long, "is longer than 256 bytes"),
        ] {
            assert_eq!(reason(&[(name, value)]), format!("`{name}` {what}"));
        }
    }
    let keys = ["a", "A", "a+", "+a", "a%0A", "a%07", "%C3%A9", "e%CC%81", "1", "01", "1.0", "a%EF%BB%BF"];
    let keys: std::collections::BTreeSet<_> = keys.map(|key| credit(&[("tx_id", key)]).tx_id).into();
    assert_eq!(keys.len(), 12, "{keys:?}");
    assert_eq!(noted(&credit(&[("tx_id", "a+")])), "`tx_id` has blanks around it, which were kept");
    let offer = |value: &str| credit(&[("offer_id", value)]).offer_id.expect("an offer");
    let others =
        ["caf%E9", "caf%E8", "caf", "a%00b", "a%01b", "ab", &long, &format!("{long}y"), &"x".repeat(256)]
            .map(offer);
    let different: std::collections::BTreeSet<_> = others.iter().collect();
    assert_eq!(different.len(), others.len(), "{others:?}");
    assert!(others.iter().all(|id| id.len() <= 256));
}

#[test]
fn a_macro_that_was_not_filled_in_is_absent() {
    for sent in
        ["{user_id}", "%7Buser_id%7D", "[USER_ID]", "[%25TX%25]", "[%TX%]", "{{x}}", "${uid}", "%257Bx%257D"]
    {
        for name in ["user_id", "tx_id", "reward", "status"] {
            let reason = reason(&[(name, sent)]);
            assert!(reason.starts_with(&format!("the network did not fill in `{name}`")), "{sent}: {reason}");
        }
        let event = credit(&[("event_id", sent), ("sub1", sent), ("timestamp", sent), ("payout", sent)]);
        assert_eq!((event.event_id, event.sub1, event.payout), (None, None, None), "{sent}");
        assert_eq!(event.click, Click::Missing);
        let notes = event.notes.iter().filter(|note| note.kind == NoteKind::NotFilledIn).count();
        assert_eq!(notes, 4, "{sent}");
    }
    assert_eq!(
        reason(&[("user_id", "app-{user_id}")]),
        "`user_id` contains {user_id}, which the network did not fill in"
    );
    assert_eq!(credit(&[("user_id", "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}")]).user_id.len(), 38);
}

#[test]
fn a_placeholder_is_not_a_transaction_id() {
    for sent in ["undefined", "NULL", "None", "NaN", "(null)"] {
        assert!(reason(&[("tx_id", sent)]).ends_with("a placeholder and not a transaction id"), "{sent}");
        assert_eq!(credit(&[("user_id", sent)]).user_id, sent, "who that is, a rule asks");
    }
}

#[test]
fn exact_amounts_are_read_and_others_say_what_they_are() {
    for (sent, units) in
        [("5e2", 500), ("%2B500", 500), ("500.", 500), ("0500", 500), ("5.0E%2B2", 500), ("500%20", 500)]
    {
        assert_eq!(credit(&[("reward", sent)]).reward, Some(Micros(units * UNITS)), "{sent}");
    }
    assert_eq!(
        reason(&[("reward", "1,234.50")]),
        "`reward` is not a decimal number: it says \u{201c}1,234.50\u{201d}; only digits with at most one point can be \
         read without guessing"
    );
    assert!(reason(&[("reward", "500%20coins")]).contains("\u{201c}500 coins\u{201d}"));
    assert_eq!(reason(&[("reward", "-500")]), "`reward` is negative");
    assert!(reason(&[("reward", "5%0700")]).starts_with("`reward` is not a decimal number"));
    assert!(reason(&[("status", "%EF%BB%BF1%071")]).starts_with("`status` is unknown"));
}

#[test]
fn an_unknown_status_says_how_to_map_it() {
    let reason = reason(&[("status", "Reversed")]);
    assert!(reason.starts_with("`status` is unknown: it says \u{201c}Reversed\u{201d}"), "{reason}");
    assert!(reason.contains("statuses = { \"reversed\" = \"reversal\" }"), "{reason}");
    let words = BTreeMap::from([("reversed".to_owned(), Meaning::Reversal)]);
    let params = params().with_statuses(&words).expect("a good word");
    let event = map(&target(&[("status", "REVERSED+"), ("reward", "-500")]), &params).expect("mapped");
    assert_eq!(event.kind, Kind::Reversal);
}

#[test]
fn an_event_without_money_is_information() {
    for (reward, payout) in [("0", "0"), ("0.00", "0e3"), ("-0", "-0"), ("0", ""), ("0", "%20")] {
        let event = credit(&[("reward", reward), ("payout", payout)]);
        assert_eq!(
            event.information.as_ref().map(|it| it.why.as_str()),
            Some("recorded only: it carries no money"),
            "{reward} {payout}"
        );
    }
    for (reward, payout) in
        [("20", "0"), ("0", "20"), ("0", "-20"), ("0", "some"), ("0.0000001", "0"), ("0", "1e-7")]
    {
        assert_eq!(credit(&[("reward", reward), ("payout", payout)]).information, None, "{reward} {payout}");
    }
    assert_eq!(reversal(&[("reward", "0"), ("payout", "0")]).information, None);
    let words = BTreeMap::from([("pending".to_owned(), Meaning::Ignore)]);
    let params = params().with_statuses(&words).expect("a good word");
    let event = map(&target(&[("status", "pending"), ("reward", "some")]), &params).expect("mapped");
    assert!(event.information.is_some_and(|it| it.why.contains("information") && !it.is_test));
}

#[test]
fn html_entities_between_parameters_are_read_and_said() {
    let target = target(&[("sub1", "a")]).replace('&', "&amp;");
    let event = map(&target, &params()).expect("mapped");
    assert_eq!((event.tx_id.as_str(), event.sub1.as_deref()), ("T1", Some("a")));
    assert_eq!(noted(&event), "the parameters are separated by `&amp;`, read as `&`");
}

#[test]
fn a_missing_field_names_what_stands_where_an_ampersand_belongs() {
    let of =
        |query: &str| map(&format!("/pb/t?{query}"), &params()).map(|_| ()).expect_err("quarantined").reason;
    for (query, named) in [
        ("user_id=u&amp;reward=5&amp;status=1", "`&amp;`"),
        ("user_id=u%26amp%3Btx_id=T&reward=5&status=1", "`&amp;`"),
        ("user_id=u;tx_id=T;reward=5;status=1", "`;`"),
        ("user_id=u?tx_id=T&reward=5&status=1", "`?`"),
        ("user_id%3Du%26tx_id%3DT%26reward%3D5&status=1", "`%26`"),
        ("user_id=u%26tx_id%3DT&reward=5&status=1", "`%26`"),
    ] {
        assert!(of(query).contains(named), "{query}: {}", of(query));
    }
    assert_eq!(of("user_id=u&reward=5&status=1"), "`tx_id` is missing");
    let swallowed = of("user_id=u;sub1=a&tx_id=T&reward=5&status=1");
    assert!(
        swallowed.starts_with("`user_id` contains `sub1`, which is a parameter of its own"),
        "{swallowed}"
    );
}

#[test]
fn a_plus_is_what_the_source_says() {
    let sent = target(&[("user_id", "ann+test@x")]);
    let encoded = target(&[("user_id", "ann%2Btest%40x"), ("status", "2")]);
    let user = |target: &str, plus| map(target, &params().with_plus(plus)).expect("mapped").user_id;
    assert_eq!(user(&sent, Plus::Plus), user(&encoded, Plus::Plus));
    assert_eq!(user(&sent, Plus::Space), "ann test@x");
}

#[test]
fn a_reversal_with_a_transaction_of_its_own_names_its_credit() {
    let rule = |prefix: &str, suffix: &str| {
        let rule = crate::postback::event::ReversalId { prefix: prefix.into(), suffix: suffix.into() };
        Params::shipped("targo").expect("it ships").with_reversal_id(rule)
    };
    let key = |params: &Params, tx: &str, status: u8| {
        let target = format!("/pb/t?user_id=u&tx_id={tx}&reward=1&status={status}");
        map(&target, params).expect("mapped").key().to_owned()
    };
    for (params, tx, credit) in [
        (rule("", "-R"), "T0-R", "T0"),
        (rule("r-", ""), "r-T0", "T0"),
        (rule("r-", ":x"), "r-T0:x", "T0"),
        (rule("", "-R"), "T0", "T0"),
        (rule("", "-R"), "-R", "-R"),
        (rule("r-", "-R"), "r-T0", "r-T0"),
        (rule("", ""), "T0-R", "T0-R"),
    ] {
        assert_eq!(key(&params, tx, 2), credit, "{tx}");
        assert_eq!(key(&params, tx, 1), tx, "a credit is what it is");
    }
}
