//! Calls as events.

use proptest::prelude::*;

use super::*;
use crate::postback::networks::call::Method;
use crate::postback::networks::shipped;

const ORIGIN: &str = "https://gw.example.com";

fn read(name: &str, query: &str) -> Result<NetworkEvent, Unreadable> {
    let definition = shipped::definition(name).expect("it ships").unwrap_or_else(|faults| panic!("{faults}"));
    let target = format!("/pb/{name}?{query}");
    let headers: [(&str, &[u8]); 0] = [];
    let call = if definition.methods.contains(&Method::Get) {
        Call::get(ORIGIN, &target)
    } else {
        Call {
            origin: ORIGIN,
            method: Method::Post,
            target: "/pb",
            headers: &headers,
            body: query.as_bytes(),
        }
    };
    definition.event(&call, Plus::Space)
}

/// Kind, event and reward of a call.
fn ids(name: &str, query: &str) -> (Kind, String, String) {
    let event = read(name, query).unwrap_or_else(|error| panic!("{name}: {error}"));
    (event.kind, event.ids.event, event.ids.reward)
}

fn expected(kind: Kind, event: &str, reward: &str) -> (Kind, String, String) {
    (kind, event.to_owned(), reward.to_owned())
}

#[test]
fn each_network_names_its_events_and_what_a_reversal_takes_back() {
    for (name, query, event) in [
        ("targo", "user_id=u&tx_id=T%3A1&reward=5&status=1", expected(Kind::Credit, "T:1", "T:1")),
        ("targo", "user_id=u&tx_id=T&status=0", expected(Kind::Reversal, "T", "T")),
        ("bitlabs", "uid=u&tx=o1&val=5&state=PENDING", expected(Kind::Pending, "o1:PENDING", "o1")),
        ("bitlabs", "uid=u&tx=o1&val=5&state=completed", expected(Kind::Credit, "o1:completed", "o1")),
        (
            "bitlabs",
            "uid=u&tx=or1&ref=o1&val=-5&state=RECONCILIATION",
            expected(Kind::Reversal, "or1:RECONCILIATION", "o1"),
        ),
        (
            "ayet-studios",
            "external_identifier=u&transaction_id=r-9&amount=5&is_chargeback=1",
            expected(Kind::Reversal, "r-9", "9"),
        ),
        ("ayet-studios", "external_identifier=u&transaction_id=9&amount=5", expected(Kind::Credit, "9", "9")),
        ("notik", "user_id=u&txn_id=2&rewarded_txn_id=1&amount=-5", expected(Kind::Reversal, "2", "1")),
        ("wannads", "subId=u&transId=2&uuid=c&reward=5&status=2", expected(Kind::Reversal, "2", "c")),
        (
            "tyrads",
            "publisher_user_id=u&postback_id=1&conversion_type=install&conversion_status=approved\
             &user_payout_converted=5",
            expected(Kind::Credit, "install:1", "install:1"),
        ),
        ("mychips", "user_id=u&transaction_id=1&user_payout=5", expected(Kind::Credit, "1", "1")),
        (
            "mychips",
            "user_id=u&transaction_id=1&user_payout=0&rejected_reason_id=7",
            expected(Kind::Reversal, "1", "1"),
        ),
        ("revlum", "subId=u&transId=1&reward=5&status=1&debug=1", expected(Kind::Test, "1", "1")),
        ("revlum", "subId=u&transId=1&reward=5&status=1&debug=0", expected(Kind::Credit, "1", "1")),
        ("bitcotasks", "subId=u&transId=1&reward=5&status=2", expected(Kind::Reversal, "1", "1")),
        (
            "inbrain",
            r#"{"PanelistId":"u","RewardId":"1","Reward":5.50,"RewardType":"survey_completed","IsTest":false}"#,
            expected(Kind::Credit, "1", "1"),
        ),
        ("unity-ads", "sid=u&oid=1", expected(Kind::Credit, "1", "1")),
    ] {
        assert_eq!(ids(name, query), event, "{name} {query}");
    }
}

#[test]
fn a_call_that_cannot_be_read_names_the_parameter() {
    let long = "x".repeat(257);
    let fields = "user_id=u&tx_id=T&reward=5&status=1";
    for (query, error) in [
        ("tx_id=T&reward=5&status=1".to_owned(), "`user_id` is missing"),
        ("user_id=u&reward=5&status=1".into(), "`tx_id` is missing"),
        ("user_id=u&tx_id=T&status=1".into(), "`reward` is missing"),
        ("user_id=u&tx_id=T&reward=5&status=9".into(), "no kind is known for status \u{201c}9\u{201d}"),
        (format!("{fields}&tx_id=T2"), "`tx_id` appears more than once"),
        (format!("user_id=u&reward=5&status=1&tx_id={long}"), "`tx_id` is longer than 256 bytes"),
        ("user_id=u&tx_id=%FF&reward=5&status=1".into(), "`tx_id` is not UTF-8"),
        ("user_id=u&tx_id={tx_id}&reward=5&status=1".into(), "did not fill in `tx_id`"),
        ("user_id=u&tx_id=T&reward=1,5&status=1".into(), "`reward` is not a decimal number"),
        ("user_id=u&tx_id=T&reward=-5&status=1".into(), "`reward` is negative"),
    ] {
        let text = read("targo", &query).expect_err(&query).to_string();
        assert!(text.contains(error), "{query}: {text}");
    }
    assert!(read("targo", &format!("?{fields}&amp;tx_id=T")).is_ok(), "tolerant, and repeated alike");
    for placeholder in ["null", "undefined", "NaN"] {
        let query = format!("user_id=u&tx_id={placeholder}&reward=5&status=1");
        assert!(read("targo", &query).expect_err(placeholder).to_string().contains("a placeholder"));
    }
}

#[test]
fn amounts_are_read_in_their_unit_and_without_their_sign() {
    let event =
        read("pollfish", "request_uuid=u&tx_id=1&reward_value=5&cpa=30&status=eligible").expect("an event");
    assert_eq!(event.payout.map(|parsed| parsed.amount.0), Some(300_000));
    let event =
        read("notik", "user_id=u&txn_id=2&rewarded_txn_id=1&amount=-5.5&payout=-0.1").expect("an event");
    assert_eq!(event.reward.map(|parsed| parsed.amount.0), Some(5_500_000));
    assert_eq!(event.payout.map(|parsed| parsed.amount.0), Some(100_000));
}

#[test]
fn an_amount_that_nothing_depends_on_is_left_out_with_a_note() {
    let event = read("wannads-new", "user_id=u&transaction_id=1&reward=5&status=rejected").expect("an event");
    assert_eq!((event.kind, event.reward), (Kind::Reversal, None));
    assert!(
        event.notes[0].contains("with a minus: it says \u{201c}5\u{201d}; it was left out"),
        "{:?}",
        event.notes
    );
    let event = read("targo", "user_id=u&tx_id=T&reward=0&payout=1%2C5&status=2").expect("an event");
    assert_eq!((event.reward, event.payout, event.notes.len()), (None, None, 1), "zero says nothing");
}

proptest! {
    /// Of plain values: the mapping of today also looks inside them.
    #[test]
    fn targo_is_read_as_by_the_mapping_of_today(
        user in "( |%20)?[a-z0-9]{0,3}", tx in "[a-z0-9]{0,3}( |%20)?|null", reward in "-?[0-9]{1,3}(\\.[0-9]{0,8})?|x|",
        payout in "-?[0-9]{1,2}(\\.[0-9]{1,8})?|x|", status in "[0-4]|01|2\\.0| 1|", twice in any::<bool>(),
    ) {
        use crate::postback::event::Params;
        use crate::postback::network::{self, Network};

        let again = if twice { format!("&tx_id={tx}") } else { String::new() };
        let query = format!("user_id={user}&tx_id={tx}&reward={reward}&payout={payout}&status={status}{again}");
        let params = Params::new(Network::Targo, &BTreeMap::new()).expect("its own names");
        let today = crate::postback::mapping::map(&format!("/pb/targo?{query}"), &params);
        let own = read("targo", &query);
        prop_assert_eq!(own.is_ok(), today.is_ok(), "{}: {:?} {:?}", query, own, today);
        if let (Ok(own), Ok(today)) = (own, today) {
            let kind = if today.kind == network::Kind::Credit { Kind::Credit } else { Kind::Reversal };
            prop_assert_eq!(own.kind, kind);
            prop_assert_eq!(&own.ids.reward, today.key());
            prop_assert_eq!(own.values.get(&Field::UserId), Some(&today.user_id));
            prop_assert_eq!(own.reward.map(|parsed| parsed.amount), today.reward);
            prop_assert_eq!(own.payout.map(|parsed| parsed.amount), today.payout);
        }
    }
}
