//! Arbitrary values: none may make the mapping panic.

use proptest::prelude::*;

use super::*;

/// Any bytes, percent-encoded.
fn encoded() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
        percent_encoding::percent_encode(&bytes, percent_encoding::NON_ALPHANUMERIC).to_string()
    })
}

/// Anything that a network may send as a value.
fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        encoded(),
        "\\PC{0,60}".prop_map(|text| text.replace(['&', '#'], "")),
        "[-+]?[0-9]{0,14}[.,]?[0-9]{0,9}([eE][-+]?[0-9]{1,4})?( ?[A-Za-z$]{1,5})?",
        "[{\\[<%$#]{1,3}[A-Za-z_:0-9]{0,12}[}\\]>%#]{1,3}",
        "(%20|\\+|%09|%C2%A0|%00|%EF%BB%BF){0,3}",
        "[a-z]{1000,1100}",
        "([0-9]{1,3}\\.){3}[0-9]{1,3}(:[0-9]{1,5})?(, ?([0-9]{1,3}\\.){3}[0-9]{1,3}){0,9}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_postback_makes_the_mapping_panic(values in proptest::collection::vec((proptest::sample::select([REQUIRED.as_slice(), &OPTIONAL].concat()), anything()), 0..20)) {
        let pairs: Vec<_> = values.iter().map(|(field, value)| format!("{field}={value}")).collect();
        let _ = map(&format!("/pb/t?{}", pairs.join("&")), &params());
    }

    #[test]
    fn only_user_transaction_status_and_reward_can_quarantine(
        reversal in any::<bool>(),
        values in proptest::collection::vec((proptest::sample::select(OPTIONAL.to_vec()), anything()), 0..20),
    ) {
        let status = if reversal { "2" } else { "1" };
        let others: Vec<_> = values.iter().map(|(field, value)| format!("&{field}={value}")).collect();
        let others = others.concat();
        let event = map(&format!("/pb/t?user_id=u1&tx_id=T1&reward=500&status={status}{others}"), &params());
        let event = event.map_err(|why| TestCaseError::fail(why.reason))?;
        prop_assert_eq!((event.user_id.as_str(), event.tx_id.as_str()), ("u1", "T1"));
        prop_assert!(event.information.is_none());
        // What a database refuses never gets to it.
        let texts = [&event.offer_id, &event.offer_name, &event.event_id, &event.event_name, &event.sub1, &event.sub2,
                     &event.ip, &event.country_code];
        prop_assert!(texts.into_iter().flatten().all(|text| !text.contains('\0') && !text.is_empty() && text.len() <= 1_024));
    }
}
