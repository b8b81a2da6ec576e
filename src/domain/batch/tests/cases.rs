use super::*;
use crate::review::reversal::{Ending, MAX_OPEN_CASES};

fn part_of(key: &str) -> Event {
    Event { reward: Some(Micros(200)), payout: None, ..reversal(key) }
}

const HELD: [(&str, i64); 4] =
    [("earned:targo", 1), ("granted:targo", -500), ("held:targo", 500), ("network:targo", -1)];

#[test]
fn a_reversal_of_a_part_waits_for_a_person_and_moves_nothing() {
    let books = check(&[credit("T1"), part_of("T1")], Status::Credited, &CREDITED);
    assert_eq!(books.open_cases(), [Situation::Part]);
    let reason = "the reversal takes back only 0.0002 of 0.0005 coins ($0 of $0.000001); a person decides";
    assert_eq!(books.last_reason(), reason);
    let books = check(&[credit("T1"), part_of("T1"), part_of("T1")], Status::Credited, &CREDITED);
    assert_eq!((books.open_cases().len(), books.rewards[0].repeats), (1, 1), "the same again is a repeat");
    let other = Event { reward: Some(Micros(300)), ..part_of("T1") };
    let books = check(&[credit("T1"), part_of("T1"), other], Status::Credited, &CREDITED);
    assert_eq!(books.open_cases().len(), 2);
}

#[test]
fn a_reversal_of_all_ends_the_cases_that_are_open() {
    let books = check(&[credit("T1"), part_of("T1"), reversal("T1")], Status::Reversed, &[]);
    assert_eq!(books.open_cases(), []);
    assert_eq!(books.cases[0].1.ending, Some(Ending::Reversed));
}

#[test]
fn the_rest_of_a_reward_is_reversed_when_a_part_was_taken_back() {
    let mut books = Books::default();
    books.process(&[credit("T1")]);
    let part = Amounts { reward: Micros(200), payout: Micros(0) };
    let because = Because { actor: "ann", note: None, postback_id: None, now: NOW };
    let taken = books.rewards[0].take_part(Step::ReverseCreditedPart, part, because);
    assert_eq!(taken.amounts, Some(part));
    books.postings.extend(taken.transfers.iter().map(Transfer::posting));
    assert_eq!(books.rewards[0].left(), Amounts { reward: Micros(300), payout: Micros(1) });
    // The rest by its amount, and all of it by its amount, and one that names none: each ends it.
    for reward in [Some(Micros(300)), Some(Micros(500)), None] {
        let mut books =
            Books { rewards: books.rewards.clone(), postings: books.postings.clone(), ..Books::default() };
        books.process(&[Event { reward, payout: None, ..reversal("T1") }]);
        assert_eq!((books.status("T1"), books.balances()), (Some(Status::Reversed), BTreeMap::new()));
        assert!(!books.rewards[0].conflict, "{reward:?}");
    }
}

#[test]
fn cases_of_one_reward_are_bounded() {
    let mut books = Books::default();
    books.process(&[credit("T1")]);
    for amount in 1..=MAX_OPEN_CASES + 3 {
        let reward = Some(Micros(i64::try_from(amount).expect("small")));
        books.process(&[Event { reward, ..part_of("T1") }]);
    }
    assert_eq!(books.open_cases().len(), MAX_OPEN_CASES);
    assert!(books.last_reason().ends_with("so it is only noted"), "{}", books.last_reason());
}

#[test]
fn a_reversal_that_names_zero_says_nothing_of_amounts() {
    let zero = Event { reward: Some(Micros(0)), payout: Some(Micros(0)), ..reversal("T1") };
    let after = check(&[credit("T1"), zero.clone()], Status::Reversed, &[]);
    let before = check(&[zero, credit("T1")], Status::Reversed, &[]);
    for books in [after, before] {
        assert!(!books.rewards[0].conflict && books.rewards[0].credit_seen);
        assert_eq!(books.open_cases(), []);
    }
}

#[test]
fn a_reversal_without_a_credit_is_a_case_until_the_credit_comes() {
    let books = check(&[reversal("T1")], Status::Reversed, &[]);
    assert_eq!(books.open_cases(), [Situation::Orphan]);
    let books = check(&[reversal("T1"), credit("T1")], Status::Reversed, &[]);
    assert_eq!(books.cases[0].1.ending, Some(Ending::CreditCame));
}

#[test]
fn a_credit_that_its_early_reversal_does_not_fit_is_held_for_a_person() {
    let books = check(&[part_of("T1"), credit("T1")], Status::Held, &HELD);
    assert_eq!(books.open_cases(), [Situation::Part]);
    let other = Event { user_id: "u2".into(), ..reversal("T1") };
    let books = check(&[other, credit("T1")], Status::Held, &HELD);
    assert_eq!(books.open_cases(), [Situation::OtherUser]);
    assert_eq!(books.rewards[0].user_id, "u1", "the credit says whose it is");
}

#[test]
fn a_credit_after_a_person_dealt_with_its_reversal_is_held() {
    for ending in [Ending::Dismissed, Ending::TakenBack] {
        let mut books = Books::default();
        books.process(&[reversal("T1")]);
        books.cases[0].1.ending = Some(ending);
        books.process(&[credit("T1")]);
        assert_eq!((books.status("T1"), books.open_cases()), (Some(Status::Held), vec![]), "{ending:?}");
    }
}

#[test]
fn a_credit_long_after_its_reversal_is_held_and_a_retry_is_a_repeat() {
    for (later_ms, status) in [(HORIZON_MS, Status::Reversed), (HORIZON_MS + 1, Status::Held)] {
        let mut books = Books::default();
        books.process(&[credit("T1"), reversal("T1")]);
        books.now = TimestampMs(NOW.0 + later_ms);
        books.process(&[credit("T1")]);
        assert_eq!(books.status("T1"), Some(status), "{later_ms}");
        let expected: BTreeMap<_, _> = HELD.iter().map(|(name, sum)| ((*name).to_owned(), *sum)).collect();
        assert_eq!(books.balances(), if status == Status::Held { expected } else { BTreeMap::new() });
        books.process(&[credit("T1")]);
        assert_eq!(books.outcomes[0].0, Outcome::Repeat, "and once more is a repeat");
        books.process(&[reversal("T1")]);
        assert_eq!((books.status("T1"), books.balances()), (Some(Status::Reversed), BTreeMap::new()));
    }
}
