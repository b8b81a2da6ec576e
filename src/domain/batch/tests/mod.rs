mod cases;
mod model;

use std::collections::BTreeMap;

use super::*;
use crate::ledger::{Posting, Transfer};
use crate::location::{GeoResult, Location};
use crate::money::Micros;
use crate::postback::event::{Click, NoEffect};
use crate::postback::networks::Field;
use crate::postback::networks::coverage::Unsigned;
use crate::review::decision::{self, Review};

const NOW: TimestampMs = TimestampMs(1_795_435_200_000);
const HORIZON_MS: i64 = 30 * 3_600_000;

fn source() -> SourceTerms {
    SourceTerms {
        name: "targo".into(),
        app: "main".into(),
        currency: "coins".into(),
        retry_horizon_ms: HORIZON_MS,
        unsigned: Unsigned::default(),
    }
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
        other_ips: Vec::new(),
        unsent: Vec::new(),
        notes: Vec::new(),
        credit_tx: None,
        information: None,
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
struct Books {
    now: TimestampMs,
    rewards: Vec<Reward>,
    cases: Vec<(i64, KnownCase)>,
    postings: Vec<Posting>,
    outcomes: Vec<(Outcome, Option<String>)>,
    next_postback: i64,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            now: NOW,
            rewards: Vec::new(),
            cases: Vec::new(),
            postings: Vec::new(),
            outcomes: Vec::new(),
            next_postback: 0,
        }
    }
}

impl Books {
    fn process(&mut self, events: &[Event]) {
        let source = source();
        let batch = events.iter().map(|event| {
            self.next_postback += 1;
            Incoming {
                postback_id: self.next_postback,
                source: source.clone(),
                received_at: self.now,
                event: event.clone(),
                location: Location::default(),
                geo: GeoResult::Unknown,
                caller_listed: None,
                normal: None,
                listed: Vec::new(),
            }
        });
        let batch: Vec<_> = batch.collect();
        let untouched = self.rewards.clone();
        let (rewards, cases) = (std::mem::take(&mut self.rewards), self.cases.clone());
        let known = ExistingRewards { rewards, cases, ..ExistingRewards::default() };
        let policy = Policy::built_in().expect("valid");
        let outcome = BatchOutcome::of(batch, known, &policy, Tz::UTC, self.now);
        assert_eq!(untouched.len(), outcome.rewards.iter().filter(|it| it.reward.id.is_some()).count());
        for case in &outcome.cases {
            let NewCase { reward, situation, raised_at, .. } = *case;
            let case = KnownCase { situation, said: case.said.clone(), raised_at, ending: None };
            self.cases.push((i64::try_from(reward).expect("small"), case));
        }
        for (reward, change) in (0..).zip(&outcome.rewards) {
            for ending in &change.closes {
                for (_, case) in self.cases.iter_mut().filter(|(of, case)| {
                    *of == reward && case.ending.is_none() && ending.closes(case.situation)
                }) {
                    case.ending = Some(*ending);
                }
            }
        }
        for change in outcome.rewards {
            let transfers = change.steps.iter().flat_map(|taken| &taken.transfers);
            self.postings.extend(transfers.map(Transfer::posting));
            let id = change.reward.id.or(i64::try_from(self.rewards.len()).ok());
            self.rewards.push(Reward { id, ..change.reward });
        }
        self.outcomes =
            outcome.postbacks.into_iter().map(|processed| (processed.outcome, processed.reason)).collect();
    }

    fn review(&mut self, key: &str, review: Review) {
        let Some(reward) = self.rewards.iter_mut().find(|reward| reward.key == key) else { return };
        if let Ok(step) = decision::step(review, reward.status) {
            let because = Because { actor: "ann", note: None, postback_id: None, now: self.now };
            self.postings.extend(reward.take(step, because).transfers.iter().map(Transfer::posting));
        }
    }

    fn open_cases(&self) -> Vec<Situation> {
        let open = self.cases.iter().filter(|(_, case)| case.ending.is_none());
        open.map(|(_, case)| case.situation).collect()
    }

    /// What the batch before said of its last postback.
    fn last_reason(&self) -> &str {
        self.outcomes.last().and_then(|(_, reason)| reason.as_deref()).unwrap_or_default()
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
    at_once.process(events);
    let mut singly = Books::default();
    for event in events {
        singly.process(std::slice::from_ref(event));
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
    books.process(&[suspicious("T1")]);
    books.review("T1", Review::Reject);
    assert_eq!(books.balances(), [("earned:targo".into(), 1), ("network:targo".into(), -1)].into());
    books.process(&[reversal("T1")]);
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
    let mut other_event = credit("T1");
    other_event.event_id = Some("level-2".into());
    for (other, reason) in [
        (other_money, "conflict: reward 0.0009 instead of 0.0005"),
        (other_user, "conflict: user u2 instead of u1"),
        (other_offer, "conflict: offer 8 instead of nothing"),
        (other_event, "conflict: event level-2 instead of nothing"),
    ] {
        let books = check(&[credit("T1"), other], Status::Credited, &CREDITED);
        assert!(books.rewards[0].conflict);
        assert_eq!(books.outcomes[1], (Outcome::Processed, Some(reason.into())));
    }
}

#[test]
fn a_reversal_of_another_user_moves_nothing_and_one_of_more_takes_all() {
    let mut other_user = reversal("T1");
    other_user.user_id = "u2".into();
    let books = check(&[credit("T1"), other_user], Status::Credited, &CREDITED);
    assert!(books.rewards[0].conflict);
    assert_eq!(books.open_cases(), [Situation::OtherUser]);
    let mut more_money = reversal("T1");
    more_money.reward = Some(Micros(600));
    let books = check(&[credit("T1"), more_money], Status::Reversed, &[]);
    assert!(books.rewards[0].conflict);
    let mut no_money = reversal("T1");
    (no_money.reward, no_money.payout) = (None, None);
    let books = check(&[credit("T1"), no_money], Status::Reversed, &[]);
    assert!(!books.rewards[0].conflict);
}

#[test]
fn the_same_key_with_another_event_is_a_conflict_that_names_it() {
    let of_event = |event: Event, id: &str| Event { event_id: Some(id.into()), ..event };
    let books =
        check(&[of_event(credit("T1"), "e1"), of_event(credit("T1"), "e2")], Status::Credited, &CREDITED);
    assert_eq!(books.outcomes[1].1.as_deref(), Some("conflict: event e2 instead of e1"));
    // A reversal may leave it out, and takes back even if it names another.
    let books = check(&[of_event(credit("T1"), "e1"), reversal("T1")], Status::Reversed, &[]);
    assert!(!books.rewards[0].conflict);
    let books = check(&[of_event(credit("T1"), "e1"), of_event(reversal("T1"), "e2")], Status::Reversed, &[]);
    assert_eq!(books.outcomes[1].1.as_deref(), Some("conflict: event e2 instead of e1"));
    let books = check(&[of_event(reversal("T1"), "e2"), of_event(credit("T1"), "e1")], Status::Reversed, &[]);
    assert!(books.rewards[0].conflict);
}

#[test]
fn a_reversal_that_said_zero_keeps_its_credit_from_being_a_conflict() {
    let mut zero = reversal("T1");
    (zero.reward, zero.payout) = (Some(Micros(0)), Some(Micros(0)));
    let books = check(&[zero, credit("T1")], Status::Reversed, &[]);
    assert!(!books.rewards[0].conflict && books.rewards[0].credit_seen);
}

#[test]
fn information_moves_nothing_and_does_not_claim_its_key() {
    let information = |key: &str| Event {
        information: Some(NoEffect { is_test: false, why: "no money".into() }),
        ..credit(key)
    };
    let books = check(&[information("T1"), credit("T1"), information("T1")], Status::Credited, &CREDITED);
    let outcomes: Vec<_> = books.outcomes.iter().map(|(outcome, _)| *outcome).collect();
    assert_eq!(outcomes, [Outcome::Information, Outcome::Processed, Outcome::Information]);
}

#[test]
fn cleaned_values_of_a_reversal_are_noted_on_its_postback() {
    let text = "`reward` is not a decimal number and was left out";
    let note = crate::postback::event::Note { field: None, kind: NoteKind::Cleaned, text: text.into() };
    let noted = |event: Event| Event { notes: vec![note.clone()], ..event };
    let books = check(&[credit("T1"), noted(reversal("T1"))], Status::Reversed, &[]);
    assert_eq!(books.outcomes[1].1.as_deref(), Some(format!("cleaned: {text}").as_str()));
    let books = check(&[noted(reversal("T1"))], Status::Reversed, &[]);
    let reason = format!("the reversal came before its credit; cleaned: {text}");
    assert_eq!(books.outcomes[0].1, Some(reason));
}

#[test]
fn faults_of_data_are_tallied_by_source_and_rule() {
    let note = |kind| crate::postback::event::Note { field: None, kind, text: "x".into() };
    let mut cleaned = credit("T1");
    cleaned.notes = vec![note(NoteKind::Cleaned), note(NoteKind::NotFilledIn)];
    let mut unfilled = reversal("T2");
    unfilled.notes = vec![note(NoteKind::NotFilledIn)];
    let batch = [cleaned, unfilled, credit("T3"), Event { user_id: "null".into(), ..credit("T4") }];
    let incoming = batch.into_iter().zip(1..).map(|(event, postback_id)| Incoming {
        postback_id,
        source: source(),
        received_at: NOW,
        event,
        location: Location::default(),
        geo: GeoResult::Unknown,
        caller_listed: None,
        normal: None,
        listed: Vec::new(),
    });
    let policy = Policy::built_in().expect("valid");
    let tallies =
        BatchOutcome::of(incoming.collect(), ExistingRewards::default(), &policy, Tz::UTC, NOW).tallies;
    let mut counts: Vec<_> = tallies.iter().map(|tally| (tally.code.as_str(), tally.count)).collect();
    counts.sort_unstable();
    assert_eq!(counts, [("", 4), ("Q7", 1), ("Q8", 2), ("Q9", 1)]);
}

#[test]
fn the_second_reward_for_one_task_in_one_batch_is_held() {
    let task = |key: &str| Event { offer_id: Some("7".into()), ..credit(key) };
    let mut books = Books::default();
    books.process(&[task("T1"), task("T2")]);
    assert_eq!(books.status("T1"), Some(Status::Credited));
    assert_eq!(books.status("T2"), Some(Status::Held));
}

#[test]
fn two_events_that_the_network_could_not_name_are_not_taken_for_one() {
    let unnamed = |key: &str| Event {
        offer_id: Some("7".into()),
        notes: vec![crate::postback::event::Note {
            field: Some(Field::EventId),
            kind: NoteKind::NotFilledIn,
            text: "`event_id`".into(),
        }],
        ..credit(key)
    };
    let mut books = Books::default();
    books.process(&[unnamed("T1"), unnamed("T2")]);
    assert_eq!((books.status("T1"), books.status("T2")), (Some(Status::Credited), Some(Status::Credited)));
}
