use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::event::Click;
use crate::ledger::Posting;
use crate::review::{self, Review};

const NOW: TimestampMs = TimestampMs(1_795_435_200_000);

fn source() -> SourceTerms {
    SourceTerms { name: "targo".into(), app: "main".into(), currency: "coins".into() }
}

fn event(kind: Kind, key: &str) -> Event {
    Event {
        kind,
        user_id: "u1".into(),
        tx_id: key.into(),
        reward: Some(Micros(500)),
        payout: Some(Micros(1)),
        rounded: false,
        offer_id: None,
        offer_name: None,
        event_id: None,
        event_name: None,
        ip: None,
        country_code: None,
        click: Click::At(TimestampMs(NOW.0 - 600_000)),
        sub1: None,
        sub2: None,
    }
}

fn credit(key: &str) -> Event {
    event(Kind::Credit, key)
}

fn reversal(key: &str) -> Event {
    event(Kind::Reversal, key)
}

/// A credit that is too fast to be honest.
fn suspicious(key: &str) -> Event {
    Event { click: Click::At(NOW), ..credit(key) }
}

/// Rewards and transfers as a store would keep them.
#[derive(Default)]
struct Books {
    rewards: Vec<Reward>,
    postings: Vec<Posting>,
    outcomes: Vec<(Outcome, Option<String>)>,
    next_postback: i64,
}

impl Books {
    fn settle(&mut self, events: &[Event]) {
        let source = source();
        let batch = events.iter().map(|event| {
            self.next_postback += 1;
            Incoming {
                postback_id: self.next_postback,
                source: source.clone(),
                received_at: NOW,
                event: event.clone(),
                location: Location::default(),
                geo: GeoResult::Unknown,
                caller_listed: None,
            }
        });
        let batch: Vec<_> = batch.collect();
        let known = Known { rewards: std::mem::take(&mut self.rewards), ..Known::default() };
        let policy = Policy::built_in().expect("valid");
        let settlement = Settlement::of(batch, known, &policy, NOW);
        for settled in settlement.rewards {
            let transfers = settled.steps.iter().flat_map(|taken| &taken.transfers);
            self.postings.extend(transfers.map(Transfer::posting));
            let id = settled.reward.id.or(i64::try_from(self.rewards.len()).ok());
            self.rewards.push(Reward { id, ..settled.reward });
        }
        self.outcomes =
            settlement.postbacks.into_iter().map(|processed| (processed.outcome, processed.reason)).collect();
    }

    fn review(&mut self, key: &str, review: Review) {
        let Some(reward) = self.rewards.iter_mut().find(|reward| reward.key == key) else { return };
        if let Ok(step) = review::step(review, reward.status) {
            self.postings.extend(transfers(step, &reward.terms()).iter().map(Transfer::posting));
            reward.status = step.to();
            reward.steps += 1;
        }
    }

    fn status(&self, key: &str) -> Option<Status> {
        self.rewards.iter().find(|reward| reward.key == key).map(|reward| reward.status)
    }

    /// What each account has received minus what it has given.
    fn balances(&self) -> BTreeMap<String, i64> {
        let mut balances = BTreeMap::new();
        for posting in &self.postings {
            *balances.entry(posting.debit.clone()).or_default() -= posting.amount.0;
            *balances.entry(posting.credit.clone()).or_default() += posting.amount.0;
        }
        balances.retain(|_, balance| *balance != 0);
        balances
    }
}

fn check(events: &[Event], status: Status, balances: &[(&str, i64)]) -> Books {
    let expected: BTreeMap<_, _> = balances.iter().map(|(name, sum)| ((*name).to_owned(), *sum)).collect();
    // In one batch, and one by one: the same.
    let mut at_once = Books::default();
    at_once.settle(events);
    let mut singly = Books::default();
    for event in events {
        singly.settle(std::slice::from_ref(event));
    }
    for books in [&at_once, &singly] {
        assert_eq!(books.status("T1"), Some(status));
        assert_eq!(books.balances(), expected);
    }
    assert_eq!(at_once.rewards, singly.rewards);
    at_once
}

const CREDITED: [(&str, i64); 4] =
    [("earned:targo", 1), ("granted:targo", -500), ("network:targo", -1), ("user:main/u1", 500)];

#[test]
fn a_repeat_never_credits_twice() {
    let books = check(&[credit("T1"), credit("T1"), credit("T1")], Status::Credited, &CREDITED);
    assert_eq!(books.rewards[0].repeats, 2);
    assert_eq!(books.outcomes[2], (Outcome::Repeat, None));
}

#[test]
fn a_reversal_is_never_taken_for_a_repeat() {
    check(&[credit("T1"), reversal("T1")], Status::Reversed, &[]);
    check(&[credit("T1"), credit("T1"), reversal("T1"), credit("T1")], Status::Reversed, &[]);
    check(&[suspicious("T1"), reversal("T1")], Status::Reversed, &[]);
}

#[test]
fn a_reversal_before_its_credit_wins() {
    let books = check(&[reversal("T1"), credit("T1"), credit("T1")], Status::Reversed, &[]);
    assert!(books.rewards[0].credit_seen);
    assert_eq!(books.outcomes[1].1.as_deref(), Some("its reversal came first, so nothing is credited"));
    assert_eq!(books.outcomes[2].0, Outcome::Repeat);
}

#[test]
fn a_second_reversal_takes_nothing_more() {
    let books = check(&[credit("T1"), reversal("T1"), reversal("T1")], Status::Reversed, &[]);
    assert_eq!((books.rewards[0].repeats, books.rewards[0].steps), (1, 2));
}

#[test]
fn a_suspicious_reward_is_held_and_what_it_pays_is_owed_all_the_same() {
    let held = [("earned:targo", 1), ("granted:targo", -500), ("held:targo", 500), ("network:targo", -1)];
    check(&[suspicious("T1")], Status::Held, &held);
}

#[test]
fn a_reversal_after_a_reject_takes_back_the_payout_only() {
    let mut books = Books::default();
    books.settle(&[suspicious("T1")]);
    books.review("T1", Review::Reject);
    assert_eq!(books.balances(), [("earned:targo".into(), 1), ("network:targo".into(), -1)].into());
    books.settle(&[reversal("T1")]);
    assert_eq!((books.status("T1"), books.balances()), (Some(Status::Reversed), BTreeMap::new()));
}

#[test]
fn the_same_key_with_other_facts_is_a_conflict_and_moves_nothing() {
    let mut other_money = credit("T1");
    other_money.reward = Some(Micros(900));
    let mut other_user = credit("T1");
    other_user.user_id = "u2".into();
    let mut other_offer = credit("T1");
    other_offer.offer_id = Some("8".into());
    for (other, reason) in [
        (other_money, "conflict: reward 0.0009 instead of 0.0005"),
        (other_user, "conflict: user u2 instead of u1"),
        (other_offer, "conflict: offer 8 instead of nothing"),
    ] {
        let books = check(&[credit("T1"), other], Status::Credited, &CREDITED);
        assert!(books.rewards[0].conflict);
        assert_eq!(books.outcomes[1], (Outcome::Processed, Some(reason.into())));
    }
}

#[test]
fn a_reversal_for_somebody_else_takes_nothing_and_one_with_other_money_takes_what_was_given() {
    let mut other_user = reversal("T1");
    other_user.user_id = "u2".into();
    let books = check(&[credit("T1"), other_user], Status::Credited, &CREDITED);
    assert!(books.rewards[0].conflict);
    let mut other_money = reversal("T1");
    other_money.reward = Some(Micros(100));
    let books = check(&[credit("T1"), other_money], Status::Reversed, &[]);
    assert!(books.rewards[0].conflict);
    let mut no_money = reversal("T1");
    (no_money.reward, no_money.payout) = (None, None);
    let books = check(&[credit("T1"), no_money], Status::Reversed, &[]);
    assert!(!books.rewards[0].conflict);
}

#[test]
fn the_second_reward_for_one_task_in_one_batch_is_held() {
    let task = |key: &str| Event { offer_id: Some("7".into()), ..credit(key) };
    let mut books = Books::default();
    books.settle(&[task("T1"), task("T2")]);
    assert_eq!(books.status("T1"), Some(Status::Credited));
    assert_eq!(books.status("T2"), Some(Status::Held));
}

/// One thing that happens to one of a few rewards.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Credit,
    Suspicious,
    Reversal,
    Review(Review),
    /// Ends the batch; what follows is settled in the next one.
    Flush,
}

/// The naive model: a map from key to status, changed by the obvious rule.
fn model(statuses: &mut BTreeMap<String, Status>, key: &str, happening: Happening) {
    let status = statuses.get(key).copied();
    let next = match (happening, status) {
        (Happening::Suspicious, None) => Some(Status::Held),
        (Happening::Reversal, _) => Some(Status::Reversed),
        (Happening::Credit, None)
        | (Happening::Review(Review::Release), Some(Status::Held | Status::Rejected)) => {
            Some(Status::Credited)
        }
        (Happening::Review(Review::Reject), Some(Status::Held)) => Some(Status::Rejected),
        _ => None,
    };
    if let Some(next) = next {
        statuses.insert(key.into(), next);
    }
}

proptest! {
    #[test]
    fn any_interleaving_keeps_the_books_balanced_and_equals_the_naive_model(
        happenings in prop::collection::vec((0..4_usize, prop_oneof![
            3 => Just(Happening::Credit),
            2 => Just(Happening::Suspicious),
            2 => Just(Happening::Reversal),
            1 => Just(Happening::Review(Review::Release)),
            1 => Just(Happening::Review(Review::Reject)),
            2 => Just(Happening::Flush),
        ]), 0..60)
    ) {
        let keys = ["T1", "T2", "T3", "T4"];
        let (mut books, mut batch, mut statuses) = (Books::default(), Vec::new(), BTreeMap::new());
        for (key, happening) in happenings {
            let key = keys[key];
            match happening {
                Happening::Credit => batch.push(credit(key)),
                Happening::Suspicious => batch.push(suspicious(key)),
                Happening::Reversal => batch.push(reversal(key)),
                Happening::Review(_) | Happening::Flush => {
                    books.settle(&std::mem::take(&mut batch));
                    if let Happening::Review(review) = happening {
                        books.review(key, review);
                    }
                }
            }
            model(&mut statuses, key, happening);
        }
        books.settle(&batch);

        let count = |wanted| i64::try_from(statuses.values().filter(|status| **status == wanted).count());
        let (credited, held, rejected) =
            (count(Status::Credited)?, count(Status::Held)?, count(Status::Rejected)?);
        let mut expected = BTreeMap::from([
            ("user:main/u1".to_owned(), credited * 500),
            ("held:targo".into(), held * 500),
            ("granted:targo".into(), -(credited + held) * 500),
            ("earned:targo".into(), credited + held + rejected),
            ("network:targo".into(), -(credited + held + rejected)),
        ]);
        expected.retain(|_, balance| *balance != 0);
        prop_assert_eq!(books.balances(), expected);
        for key in keys {
            prop_assert_eq!(books.status(key), statuses.get(key).copied());
        }
    }
}
