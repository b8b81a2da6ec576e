use proptest::prelude::*;

use super::*;
use crate::postback::mapping::map;

fn params() -> Params {
    Params::shipped("targo")
        .expect("it ships")
        .renamed(&BTreeMap::from([("user_id".into(), "uid".into())]))
        .expect("valid")
}

fn reason(query: &str) -> String {
    map(&format!("/pb/t?{query}"), &params()).expect_err("cannot be mapped").reason
}

#[test]
fn every_field_is_mapped_under_its_macro_name_or_its_new_name() {
    let event = map(
        "/pb/t?uid=u1&tx_id=T1&reward=500&payout=1.00&status=1&offer_id=7&offer_name=Caf%C3%A9&event_id=9\
         &event_name=Level+5&ip=2001:db8::1&country_code=DE&timestamp=1763800000&sub1=a&sub2=b&hash=x",
        &params(),
    );
    let expected = Event {
        kind: Kind::Credit,
        user_id: "u1".into(),
        tx_id: "T1".into(),
        reward: Some(Micros(500_000_000)),
        payout: Some(Micros(1_000_000)),
        rounded: false,
        offer_id: Some("7".into()),
        offer_name: Some("Café".into()),
        event_id: Some("9".into()),
        event_name: Some("Level 5".into()),
        ip: Some("2001:db8::1".into()),
        country_code: Some("DE".into()),
        click: Click::At(TimestampMs(1_763_800_000_000)),
        sub1: Some("a".into()),
        sub2: Some("b".into()),
        other_ips: Vec::new(),
        unsent: Vec::new(),
        notes: Vec::new(),
        credit_tx: None,
        information: None,
    };
    assert_eq!(event, Ok(expected));
}

#[test]
fn status_1_credits_and_0_and_2_reverse_even_without_money() {
    for (status, kind) in [("1", Kind::Credit), ("2", Kind::Reversal), ("0", Kind::Reversal)] {
        let event = map(&format!("/pb/t?uid=u&tx_id=T&reward=1&status={status}"), &params());
        assert_eq!(event.map(|event| event.kind), Ok(kind));
    }
    assert!(map("/pb/t?uid=u&tx_id=T&status=2", &params()).is_ok());
}

#[test]
fn what_is_missing_or_impossible_is_quarantined_with_its_parameter_named() {
    let long = "x".repeat(257);
    for (query, expected) in [
        ("tx_id=T&reward=1&status=1", "`uid` is missing"),
        ("uid=&tx_id=T&reward=1&status=1", "`uid` is missing"),
        ("uid=u&reward=1&status=1", "`tx_id` is missing"),
        ("uid=u&tx_id=T&status=1", "`reward` is missing"),
        ("uid=u&tx_id=T&reward=1", "`status` is missing"),
        ("uid=u&tx_id=T&reward=-1&status=1", "`reward` is negative"),
        ("uid=u&tx_id=T&reward=99999999999&status=1", "`reward` is larger than 1000000000"),
        ("uid=u&uid=v&tx_id=T&reward=1&status=1", "`uid` appears more than once in the query"),
        ("uid=%FF&tx_id=T&reward=1&status=1", "`uid` is not UTF-8"),
        ("uid=a%00b&tx_id=T&reward=1&status=1", "`uid` contains a NUL character"),
    ] {
        assert_eq!(reason(query), expected, "{query}");
    }
    assert_eq!(reason(&format!("uid={long}&tx_id=T&reward=1&status=1")), "`uid` is longer than 256 bytes");
}

#[test]
fn a_click_time_that_cannot_be_one_is_kept_as_sent() {
    let click =
        |text: &str| map(&format!("/pb/t?uid=u&tx_id=T&reward=1&status=1&timestamp={text}"), &params());
    for text in ["0", "-5", "1763800000000", "soon", "1763800000.5", "2026-11-23T12:00:00Z"] {
        assert_eq!(click(text).map(|event| event.click), Ok(Click::Unusable(text.into())));
    }
    assert_eq!(click("").map(|event| event.click), Ok(Click::Missing));
}

#[test]
fn a_status_is_compared_without_case_blanks_and_zeros() {
    let words =
        [("Reversed", Meaning::Reversal), ("approved", Meaning::Credit), ("pending", Meaning::Ignore)];
    let words = words.map(|(word, meaning)| (word.to_owned(), meaning));
    let params = params().with_statuses(&words.into()).expect("good words");
    for (text, meaning) in [
        ("1", Some(Meaning::Credit)),
        ("01", Some(Meaning::Credit)),
        ("1.0", Some(Meaning::Credit)),
        ("+1", Some(Meaning::Credit)),
        (" 2 ", Some(Meaning::Reversal)),
        ("00", Some(Meaning::Reversal)),
        ("REVERSED", Some(Meaning::Reversal)),
        ("Approved ", Some(Meaning::Credit)),
        ("pending", Some(Meaning::Ignore)),
        ("-1", None),
        ("1.5", None),
        ("11", None),
        ("one", None),
        ("", None),
    ] {
        assert_eq!(params.definition().kinds.decide(&[text]), meaning, "{text}");
    }
}

#[test]
fn the_settings_words_win_and_none_may_mean_two_things() {
    let words = |pairs: &[(&str, Meaning)]| {
        let words = pairs.iter().map(|(word, meaning)| ((*word).to_owned(), *meaning)).collect();
        params().with_statuses(&words)
    };
    let ours = words(&[("0", Meaning::Ignore)]).expect("a good word");
    assert_eq!(ours.definition().kinds.decide(&["0"]), Some(Meaning::Ignore));
    assert_eq!(words(&[(" ", Meaning::Credit)]).map(|_| ()), Err(BadWord::Empty));
    let twice = words(&[("3", Meaning::Credit), ("03", Meaning::Reversal)]).map(|_| ());
    assert!(matches!(twice, Err(BadWord::Twice(_))), "{twice:?}");
    assert!(words(&[("done", Meaning::Credit), ("DONE", Meaning::Credit)]).is_ok());
}

#[test]
fn a_rename_must_name_a_macro_and_take_a_free_parameter() {
    let rename = |name: &str, param: &str| {
        Params::shipped("targo")
            .expect("it ships")
            .renamed(&BTreeMap::from([(name.to_owned(), param.to_owned())]))
            .map(|_| ())
    };
    assert!(matches!(rename("userid", "uid"), Err(BadRename::UnknownMacro(..))));
    assert_eq!(rename("user_id", "tx_id"), Err(BadRename::Taken("tx_id".into())));
    assert_eq!(rename("user_id", "hash"), Err(BadRename::Taken("hash".into())));
}

#[test]
fn the_template_for_the_dashboard_carries_every_macro() {
    let template = params().definition().query_template();
    assert!(template.starts_with("uid={user_id}&tx_id={tx_id}&reward={reward}"), "{template}");
    assert_eq!(template.matches('{').count(), 14);
}

proptest! {
    #[test]
    fn no_query_makes_the_mapping_panic(query in "\\PC{0,120}") {
        let _ = map(&format!("/pb/t?{query}"), &params());
    }
}
