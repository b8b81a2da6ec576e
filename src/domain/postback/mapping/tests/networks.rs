//! Calls of several networks as events.

use super::*;
use crate::postback::event::NoEffect;
use crate::postback::networks::{Method, shipped};

const ORIGIN: &str = "https://gw.example.com";

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Credit,
    Reverse,
    Nothing,
    Test,
}

use Does::{Credit, Nothing, Reverse, Test};

fn read(name: &str, query: &str) -> Result<Event, Quarantine> {
    let definition = shipped::definition(name).expect("it ships").unwrap_or_else(|faults| panic!("{faults}"));
    let target = format!("/pb/{name}?{query}");
    let call = if definition.methods.contains(&Method::Get) {
        Call::get(ORIGIN, &target)
    } else {
        Call { origin: ORIGIN, method: Method::Post, target: "/pb", headers: &[], body: query.as_bytes() }
    };
    let params = Params::of(definition).with_reward_per_usd(Micros(500_000_000));
    map_stated(&call, &params, &Stated::default())
}

/// What it does, its transaction, and the key of its reward.
fn ids(name: &str, query: &str) -> (Does, String, String) {
    let event = read(name, query).unwrap_or_else(|error| panic!("{name}: {error}"));
    let does = match (&event.information, event.kind) {
        (Some(NoEffect { is_test: true, .. }), _) => Test,
        (Some(_), _) => Nothing,
        (None, Kind::Credit) => Credit,
        (None, Kind::Reversal) => Reverse,
    };
    let key = event.key().to_owned();
    (does, event.tx_id, key)
}

#[test]
fn each_network_names_its_transactions_and_what_a_reversal_takes_back() {
    for (name, query, expected) in [
        ("targo", "user_id=u&tx_id=T%3A1&reward=5&status=1", (Credit, "T:1", "T:1")),
        ("targo", "user_id=u&tx_id=T&status=0", (Reverse, "T", "T")),
        ("bitlabs", "uid=u&tx=o1&val=5&state=PENDING", (Nothing, "o1", "o1")),
        ("bitlabs", "uid=u&tx=o1&val=5&state=completed", (Credit, "o1", "o1")),
        ("bitlabs", "uid=u&tx=or1&ref=o1&val=-5&state=RECONCILIATION", (Reverse, "or1", "o1")),
        (
            "ayet-studios",
            "external_identifier=u&transaction_id=r-9&amount=5&is_chargeback=1",
            (Reverse, "r-9", "9"),
        ),
        ("ayet-studios", "external_identifier=u&transaction_id=9&amount=5", (Credit, "9", "9")),
        ("notik", "user_id=u&txn_id=2&rewarded_txn_id=1&amount=-5", (Reverse, "2", "1")),
        ("wannads", "subId=u&transId=2&uuid=c&reward=5&status=2", (Reverse, "2", "c")),
        (
            "tyrads",
            "publisher_user_id=u&postback_id=1&conversion_type=install&conversion_status=approved\
             &user_payout_converted=5",
            (Credit, "1", "install:1"),
        ),
        ("mychips", "user_id=u&transaction_id=1&user_payout=5", (Credit, "1", "1")),
        ("mychips", "user_id=u&transaction_id=1&user_payout=0&rejected_reason_id=7", (Reverse, "1", "1")),
        ("revlum", "subId=u&transId=1&reward=5&status=1&debug=1", (Test, "1", "1")),
        ("revlum", "subId=u&transId=1&reward=5&status=1&debug=0", (Credit, "1", "1")),
        ("bitcotasks", "subId=u&transId=1&reward=5&status=2", (Reverse, "1", "1")),
        (
            "inbrain",
            r#"{"PanelistId":"u","RewardId":"1","Reward":5.50,"RewardType":"survey_completed","IsTest":false}"#,
            (Credit, "1", "1"),
        ),
        ("unity-ads", "sid=u&oid=1", (Credit, "1", "1")),
    ] {
        let (does, tx, key) = expected;
        assert_eq!(ids(name, query), (does, tx.to_owned(), key.to_owned()), "{name} {query}");
    }
}

#[test]
fn amounts_are_read_in_their_unit_and_without_their_sign() {
    let micros = |amount: Option<Micros>| amount.map(|amount| amount.0);
    let event =
        read("pollfish", "request_uuid=u&tx_id=1&reward_value=5&cpa=30&status=eligible").expect("an event");
    assert_eq!(micros(event.payout), Some(300_000));
    let event =
        read("notik", "user_id=u&txn_id=2&rewarded_txn_id=1&amount=-5.5&payout=-0.1").expect("an event");
    assert_eq!((micros(event.reward), micros(event.payout)), (Some(5_500_000), Some(100_000)));
    let event = read("wannads-new", "user_id=u&transaction_id=1&reward=5&status=rejected").expect("an event");
    assert_eq!((event.kind, event.reward), (Kind::Reversal, None));
    assert!(event.noted(NoteKind::Cleaned).is_some_and(|noted| noted.contains("with a minus")));
}

#[test]
fn a_network_without_a_reward_has_one_that_follows_from_its_payout() {
    let call = "user_id=u&session_id=1&cpi=5.50&new_status=complete";
    let target = format!("/pb/x?{call}");
    let params = Params::shipped("purespectrum").expect("it ships");
    let of = |params: &Params| {
        let call = Call { method: Method::Post, ..Call::get(ORIGIN, &target) };
        map_stated(&call, params, &Stated::default())
    };
    assert_eq!(
        of(&params.clone().with_reward_per_usd(Micros(500_000_000))).expect("mapped").reward,
        Some(Micros(2_750_000_000))
    );
    let reason = of(&params).expect_err("not known").reason;
    assert!(reason.contains("reward_per_usd"), "{reason}");
    let reason = of(&params.with_reward_per_usd(Micros(1_000_000_000_000_000))).expect_err("too much").reason;
    assert!(reason.contains("larger than"), "{reason}");
}

#[test]
fn what_a_named_tester_does_is_a_test() {
    let params = Params::shipped("targo").expect("it ships").with_test_users(["qa-1".to_owned()].into());
    let of = |user: &str| {
        map(&format!("/pb/t?user_id={user}&tx_id=T&reward=5&status=1"), &params).expect("mapped").information
    };
    assert!(of("qa-1").is_some_and(|it| it.is_test) && of("qa-2").is_none());
}

#[test]
fn rules_are_told_what_a_network_never_sends() {
    let unsent = |name: &str, query: &str| read(name, query).expect("an event").unsent;
    assert_eq!(unsent("targo", "user_id=u&tx_id=T&reward=5&status=1"), []);
    assert_eq!(
        unsent("bitlabs", "uid=u&tx=1&val=5&usd=0&state=START_BONUS"),
        [Field::ClickedAt, Field::Payout]
    );
    assert_eq!(
        unsent("bitlabs", "uid=u&tx=1&val=5&usd=0&state=COMPLETED"),
        [Field::ClickedAt],
        "that must pay"
    );
    assert_eq!(unsent("unity-ads", "sid=u&oid=1"), [Field::ClickedAt, Field::Payout]);
    assert_eq!(
        unsent("adgem", "player_id=u&transaction_id=1&amount=5&click_datetime=2026-01-02"),
        [Field::ClickedAt],
        "a time of day in no zone"
    );
}
