use proptest::prelude::*;

use super::*;

const BASE: &str = "/pb/t?user_id=u1&tx_id=T1&reward=500&payout=1&status=1";

fn params() -> Params {
    Params::shipped("targo").expect("it ships")
}

fn stated(typed: &[(Field, &str)]) -> Stated {
    Stated::read(params().definition(), typed).expect("can be stated")
}

#[test]
fn a_stated_value_fills_each_kind_of_gap() {
    for (raw, field, value) in [
        ("user_id=u1&", Field::UserId, "ann"),
        ("tx_id=T1&", Field::TxId, "T9"),
        ("&reward=500", Field::Reward, "1234.50"),
        ("&status=1", Field::Status, "credit"),
    ] {
        let target = BASE.replace(raw, "");
        let event =
            stated(&[(field, value)]).event(&Call::get("", &target), &params()).expect("the gap is filled");
        let expected = if field == Field::Reward { "1234.5" } else { value };
        assert_eq!(said(&event, field).as_deref(), Some(expected));
    }
}

#[test]
fn what_is_unreadable_in_any_way_can_be_stated() {
    for (from, to, field, value) in [
        ("reward=500", "reward=1,234.50", Field::Reward, "1234.50"),
        ("reward=500", "reward=500%20coins", Field::Reward, "500"),
        ("reward=500", "reward=-5", Field::Reward, "5"),
        ("status=1", "status=reversed", Field::Status, "reversal"),
        ("user_id=u1", "user_id=u1&user_id=u2", Field::UserId, "u1"),
        ("user_id=u1", "user_id=%FF", Field::UserId, "u1"),
        ("tx_id=T1", "tx_id=a%00b", Field::TxId, "ab"),
        ("payout=1", "payout=1,00", Field::Payout, "1.00"),
    ] {
        let target = BASE.replace(from, to);
        assert!(stated(&[(field, value)]).event(&Call::get("", &target), &params()).is_ok(), "{to}");
    }
}

#[test]
fn what_the_network_said_and_can_be_read_is_never_replaced() {
    let target = BASE.replace("reward=500", "reward=much");
    for (field, value) in
        [(Field::UserId, "u2"), (Field::TxId, "T2"), (Field::Status, "reversal"), (Field::Payout, "99")]
    {
        let both = stated(&[(Field::Reward, "500"), (field, value)]);
        assert!(
            matches!(both.event(&Call::get("", &target), &params()), Err(NotStated::Readable { .. })),
            "{field:?}"
        );
    }
}

#[test]
fn a_statement_that_does_not_suffice_says_what_is_missing_still() {
    let target = BASE.replace("reward=500", "reward=much").replace("tx_id=T1", "");
    let refused = stated(&[(Field::Reward, "500")])
        .event(&Call::get("", &target), &params())
        .expect_err("the transaction is missing");
    assert_eq!(
        refused.to_string(),
        "the postback would still be quarantined: `tx_id` is missing; state that, too"
    );
}

#[test]
fn stated_values_are_read_as_strictly_as_received_ones() {
    let long = "x".repeat(257);
    for (field, value, says) in [
        (Field::Reward, "1,234.50", "`reward` is not a decimal number; write it like 1234.50"),
        (Field::Reward, "-5", "`reward` is negative; write it like 1234.50"),
        (Field::Payout, "99999999999", "`payout` is larger than 1000000000; write it like 1234.50"),
        (Field::Status, "reversed", "`status` must be credit or reversal"),
        (Field::UserId, long.as_str(), "`user_id` is longer than 256 bytes"),
        (Field::UserId, "a\u{0}b", "`user_id` contains a control character"),
        (Field::TxId, "{tx_id}", "`tx_id` `{tx_id}` is a macro that was not filled in, not a value"),
        (
            Field::TxId,
            "   ",
            "nothing is stated: give at least one of user_id, tx_id, status, reward, payout",
        ),
    ] {
        let refused = Stated::read(params().definition(), &[(field, value)]).expect_err("refused");
        assert_eq!(refused.to_string(), says);
    }
}

#[test]
fn only_the_gaps_are_asked_for() {
    let target = BASE.replace("reward=500", "reward=1,234.50").replace("tx_id=T1", "");
    let open: Vec<_> = gaps(&Call::get("", &target), &params())
        .into_iter()
        .filter(|gap| gap.is_open)
        .map(|gap| (gap.name, gap.received))
        .collect();
    assert_eq!(open, [("tx_id", "missing".to_owned()), ("reward", "1,234.50".to_owned())]);
}

proptest! {
    #[test]
    fn no_text_makes_stating_panic_and_gaps_are_all_that_it_fills(
        typed in prop::collection::vec("[0-9a-z.{}, -]{0,12}|credit|reversal|\\PC{0,40}", 5),
        raw in prop::collection::vec("[0-9]{1,3}|[0-9,]{1,6}|%FF||[a-z{}]{1,8}|[1-3]", 5),
    ) {
        let names = STATABLE.map(|(_, name)| name);
        let query: Vec<_> = names.iter().zip(&raw).map(|(name, value)| format!("{name}={value}")).collect();
        let target = format!("/pb/t?{}", query.join("&"));
        let fields = STATABLE.iter().zip(&typed).map(|((field, _), text)| (*field, text.as_str()));
        let gaps = gaps(&Call::get("", &target), &params());
        let Ok(stated) = Stated::read(params().definition(), &fields.collect::<Vec<_>>()) else { return Ok(()) };
        let Ok(event) = stated.event(&Call::get("", &target), &params()) else { return Ok(()) };
        for (field, name) in STATABLE {
            if stated.has(field) {
                prop_assert!(gaps.iter().any(|gap| gap.name == name && gap.is_open), "{name} in {target}");
            }
        }
        prop_assert!(event.user_id.len() <= 256 && event.tx_id.len() <= 256);
    }
}
