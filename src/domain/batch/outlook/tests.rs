use super::*;
use crate::ledger::Amounts;
use crate::postback::event::Params;
use crate::postback::networks::coverage::Unsigned;
use crate::postback::networks::{Call, Field};
use crate::postback::stated::Stated;
use crate::review::queue::SecondPerson;

const BASE: &str = "/pb/t?user_id=u1&tx_id=T1&reward=500&payout=1&status=1";

fn params() -> Params {
    Params::shipped("targo").expect("it ships")
}

fn stated(typed: &[(Field, &str)]) -> Stated {
    Stated::read(params().definition(), typed).expect("can be stated")
}

fn source() -> SourceTerms {
    SourceTerms {
        name: "t".into(),
        app: "main".into(),
        currency: "coins".into(),
        retry_horizon_ms: 108_000_000,
        unsigned: Unsigned::default(),
    }
}

fn outlook(target: &str, values: &Stated, known: Vec<Reward>) -> Outlook {
    let event = values.event(&Call::get("", target), &params()).expect("it maps");
    let policy = Policy::built_in().expect("the built-in policy");
    Outlook::of(event, &source(), known, &policy, TimestampMs(1_795_428_000_000))
}

fn credited(user: &str, reward: i64) -> Reward {
    Reward {
        id: Some(7),
        source: "t".into(),
        key: "T1".into(),
        app: "main".into(),
        user_id: user.into(),
        currency: "coins".into(),
        reward: Some(Micros(reward * 1_000_000)),
        payout: Some(Micros(1_000_000)),
        offer_id: None,
        event_id: None,
        reversed_at: None,
        taken_back: Amounts::default(),
        status: Status::Credited,
        steps: 1,
        repeats: 0,
        conflict: false,
        credit_seen: true,
    }
}

#[test]
fn the_outlook_says_what_would_happen() {
    let no_reward = BASE.replace("reward=500", "reward=x");
    let five_hundred = stated(&[(Field::Reward, "500")]);
    let new = outlook(&no_reward, &five_hundred, vec![]);
    assert_eq!(
        new.sentence,
        "Credits 500 coins to u1; the network pays 1.00 USD. The rules may still hold it."
    );
    let repeat = outlook(&no_reward, &five_hundred, vec![credited("u1", 500)]);
    assert_eq!(repeat.sentence, "It repeats reward 7: nothing changes.");
    let conflict = outlook(&no_reward, &five_hundred, vec![credited("u2", 500)]);
    assert_eq!(
        conflict.sentence,
        "Nothing changes; reward 7 gets the note: conflict: user u1 instead of u2."
    );
    assert!(!repeat.moves && !conflict.moves && new.moves);
    let reversal = stated(&[(Field::Status, "reversal")]);
    let no_status = BASE.replace("status=1", "status=reversed");
    let taken = outlook(&no_status, &reversal, vec![credited("u1", 500)]);
    assert_eq!(taken.sentence, "Takes 500 coins back from u1; the network pays 1.00 USD.");
    let unseen = outlook(&no_status, &reversal, vec![]);
    assert!(
        unseen.sentence.starts_with("A reversal of T1, whose credit has not arrived"),
        "{}",
        unseen.sentence
    );
}

#[test]
fn a_second_person_is_needed_at_the_limits_and_for_an_unknown_payout() {
    let usd = |amount: i64| Some(Micros(amount * 1_000_000));
    let look = |payout, reward| Outlook { sentence: String::new(), reward, payout, moves: true };
    let single = |limit| ReviewTerms {
        second: SecondPerson { single: limit, ..SecondPerson::default() },
        ..ReviewTerms::default()
    };
    assert!(look(usd(50), usd(1)).needs_second(&single(usd(50))));
    assert!(!look(usd(49), usd(1)).needs_second(&single(usd(50))));
    assert!(look(None, usd(1)).needs_second(&single(usd(50))), "nobody knows that it is below");
    assert!(!look(None, usd(1)).needs_second(&ReviewTerms::default()));
    let stated = ReviewTerms { second_person_stated_reward: usd(1_000), ..ReviewTerms::default() };
    assert!(look(usd(1), usd(1_000)).needs_second(&stated));
    assert!(!look(usd(1), usd(999)).needs_second(&stated));
    let nothing_moves = Outlook { moves: false, ..look(None, None) };
    assert!(!nothing_moves.needs_second(&single(usd(50))));
}

#[test]
fn a_stated_reversal_needs_two_by_the_money_that_it_takes_back() {
    let reversal = stated(&[(Field::Status, "reversal")]);
    let target = "/pb/t?user_id=u1&tx_id=T1&status=reversed";
    let large = Reward { payout: Some(Micros(60_000_000)), ..credited("u1", 500) };
    let terms = ReviewTerms {
        second: SecondPerson { single: Some(Micros(50_000_000)), ..SecondPerson::default() },
        ..ReviewTerms::default()
    };
    assert!(outlook(target, &reversal, vec![large]).needs_second(&terms));
    assert!(!outlook(target, &reversal, vec![credited("u1", 500)]).needs_second(&terms));
    assert!(!outlook(target, &reversal, vec![]).needs_second(&terms), "nothing moves");
}

#[test]
fn a_step_that_was_stated_is_signed_by_the_person_with_the_reason() {
    let values = stated(&[(Field::Reward, "500")]);
    let event = values.event(&Call::get("", &BASE.replace("reward=500", "")), &params()).expect("it maps");
    let policy = Policy::built_in().expect("the built-in policy");
    let incoming = |postback_id, key: &str| Incoming {
        postback_id,
        source: source(),
        received_at: TimestampMs(0),
        event: Event { tx_id: key.into(), ..event.clone() },
        location: Location::default(),
        geo: GeoResult::Unknown,
        caller_listed: None,
        normal: None,
        listed: Vec::new(),
    };
    let outcome = BatchOutcome::of(
        vec![incoming(1, "T1"), incoming(2, "T2")],
        ExistingRewards::default(),
        &policy,
        Tz::UTC,
        TimestampMs(0),
    );
    let by = StatedBy { stated: values, actor: "mara".into(), reason: "their mail of Monday".into() };
    let signed = outcome.clone().signed_by(&BTreeMap::from([(1, by)]));
    let note =
        |outcome: &BatchOutcome, at: usize| outcome.rewards[at].steps[0].note.clone().unwrap_or_default();
    assert_eq!(signed.rewards[0].steps[0].actor, "mara");
    assert!(note(&signed, 0).ends_with("Stated: reward 500. their mail of Monday"), "{}", note(&signed, 0));
    assert_eq!(signed.rewards[1], outcome.rewards[1], "the other one is untouched");
}
