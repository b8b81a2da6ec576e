//! Who counts as a second person, and whose decisions add up. A second person has been on the staff for a day.

use std::sync::Arc;

use domain::access::Role;
use domain::actor::{Actor, Via};
use domain::batch::outlook::Stake;
use domain::money::Micros;
use domain::postback::stated::Stated;
use domain::review::decision::Review;
use domain::review::queue::{NEW_MS, ReviewTerms, SecondPerson};
use domain::review::reversal::Resolution;
use domain::time::TimestampMs;
use store::Store;
use store::access::audit::AuditFilter;
use store::access::staff::{NewPerson, PersonChange};
use store::postbacks::quarantine::{Acted, By};
use store::postbacks::replay::QuarantineFilter;
use store::review::cases::{CaseFilter, Resolve, Resolved};
use store::review::decisions::{BulkDecision, BulkDecisionResult, Wanted};
use store::review::decisions::{Reviewed, Reviewer, Undone};
use store::review::holds::HoldFilter;

use crate::support::database::Home;
use crate::support::postbacks::{NOW, TODAY, credit, reversal, suspicious};
use crate::support::processing::grace_only;

contract! {
    both:
        who_was_added_within_a_day_is_no_second_person,
        who_was_enabled_again_within_a_day_is_no_second_person,
        who_is_new_neither_proposes_nor_confirms_what_is_stated,
        small_statements_of_one_day_are_one_large_one,
        of_two_statements_at_the_same_moment_one_sees_the_other,
        a_case_above_the_limit_is_dismissed_by_two,
        small_dismissals_of_one_day_are_one_large_one,
        only_who_decided_takes_it_back_and_it_stands_in_the_audit;
}

const DAY_MS: i64 = 86_400_000;

fn at(ms: i64) -> TimestampMs {
    TimestampMs(NOW.0 + ms)
}

async fn add(home: &Home, name: &str, ms: i64) {
    let person = NewPerson { name: name.into(), role: Role::Admin, password_hash: "hash".into() };
    assert!(home.store.add_person(person, "root".into(), at(ms)).await.expect("asked"));
}

fn hard(home: &Home) -> Store {
    let second = SecondPerson { hard: true, ..SecondPerson::default() };
    home.store.clone().with_review_terms(ReviewTerms { second, ..ReviewTerms::default() })
}

fn reviewer(name: &str, now: TimestampMs) -> Reviewer {
    Reviewer { actor: name.into(), note: Some("why".into()), now, business_date: TODAY.into() }
}

async fn held(home: &Home) -> Vec<Wanted> {
    home.process(&[suspicious("T1")]).await;
    let ids = home.store.hold_ids(&HoldFilter::default(), 10).await.expect("listed");
    ids.into_iter().map(|(reward_id, steps)| Wanted { reward_id, steps }).collect()
}

async fn release(store: &Store, wanted: &[Wanted], name: &str, now: TimestampMs) -> BulkDecisionResult {
    let reviewer = reviewer(name, now);
    let decide =
        BulkDecision { wanted: wanted.to_vec(), decision: Review::Release, overturn: false, reviewer };
    store.decide(decide).await.expect("decided")
}

async fn who_was_added_within_a_day_is_no_second_person(home: &Home) {
    let store = hard(home);
    add(home, "root", -9 * DAY_MS).await;
    add(home, "ann", -9 * DAY_MS).await;
    add(home, "puppet", -NEW_MS + 1).await;
    let seen = held(home).await;
    // Neither first nor second.
    assert_eq!(release(&store, &seen, "puppet", NOW).await.waiting.len(), 1);
    assert_eq!(release(&store, &seen, "root", NOW).await.waiting.len(), 1);
    assert_eq!(release(&store, &seen, "puppet", NOW).await.waiting.len(), 1);
    assert_eq!(home.reward("T1").await.status, "held");
    // An opinion given while new does not count later either.
    assert_eq!(release(&store, &seen, "puppet", at(1)).await.taken.len(), 1, "a day old, and root agreed");
    let steps = home.store.steps(seen[0].reward_id).await.expect("listed");
    assert_eq!(steps.last().expect("a step").actor, "root, puppet");
    home.prove().await;
}

async fn who_was_enabled_again_within_a_day_is_no_second_person(home: &Home) {
    let store = hard(home);
    for name in ["ann", "bob"] {
        add(home, name, -9 * DAY_MS).await;
    }
    for (change, ms) in [(PersonChange::Disable, -3 * DAY_MS), (PersonChange::Enable, -1_000)] {
        assert!(home.store.change_person("bob".into(), change, "root".into(), at(ms)).await.expect("asked"));
    }
    let seen = held(home).await;
    assert_eq!(release(&store, &seen, "ann", NOW).await.waiting.len(), 1);
    assert_eq!(release(&store, &seen, "bob", NOW).await.waiting.len(), 1);
    assert_eq!(release(&store, &seen, "bob", at(DAY_MS)).await.taken.len(), 1);
}

async fn quarantined(home: &Home, tx: &str) -> i64 {
    home.process(&[credit(tx).with("reward", "x")]).await;
    let ids = home.store.quarantined(&QuarantineFilter::default(), 0).await.expect("listed");
    *ids.last().expect("one")
}

fn by(name: &str, now: TimestampMs) -> By {
    By { actor: name.into(), reason: "in writing".into(), now }
}

fn amount(amount: &str) -> Stated {
    Stated { reward: Some(amount.into()), ..Stated::default() }
}

async fn who_is_new_neither_proposes_nor_confirms_what_is_stated(home: &Home) {
    add(home, "ann", -9 * DAY_MS).await;
    add(home, "puppet", -1_000).await;
    let id = quarantined(home, "T1").await;
    let propose = async |name: &str| {
        home.store.state(id, amount("500"), true, Stake::default(), by(name, NOW)).await.expect("an answer")
    };
    let Acted::Proposed(first) = propose("ann").await else { panic!("not proposed") };
    let confirmed = home.store.confirm_stated(id, first, by("puppet", NOW)).await.expect("an answer");
    assert_eq!(confirmed, Acted::TooNew);
    let Acted::Proposed(second) = propose("puppet").await else { panic!("agreed") };
    let confirmed = home.store.confirm_stated(id, second, by("ann", NOW)).await.expect("an answer");
    assert_eq!(confirmed, Acted::TooNew);
    assert!(matches!(propose("ann").await, Acted::Proposed(_)));
}

fn stated_terms(home: &Home) -> Store {
    let terms = ReviewTerms {
        second_person_stated_reward: Some(Micros(1_000_000_000)),
        second: SecondPerson { bulk: Some(Micros(10_000_000)), ..SecondPerson::default() },
        ..ReviewTerms::default()
    };
    home.store.clone().with_review_terms(terms)
}

fn stake(reward: i64, payout: i64) -> Stake {
    Stake { reward: Micros(reward * 1_000_000), payout: Micros(payout * 1_000_000) }
}

async fn small_statements_of_one_day_are_one_large_one(home: &Home) {
    let store = stated_terms(home);
    let mut number = 0;
    let mut state = async |name: &str, stake: Stake, now: TimestampMs| {
        number += 1;
        let id = quarantined(home, &format!("T{number}")).await;
        let stated = amount(&(stake.reward.0 / 1_000_000).max(1).to_string());
        store.state(id, stated, false, stake, by(name, now)).await.expect("an answer")
    };
    assert_eq!(state("mara", stake(400, 1), NOW).await, Acted::Stated);
    assert_eq!(state("mara", stake(400, 1), NOW).await, Acted::Stated);
    assert!(
        matches!(state("mara", stake(400, 1), NOW).await, Acted::Proposed(_)),
        "1200 coins of one person"
    );
    assert_eq!(state("joe", stake(400, 1), NOW).await, Acted::Stated, "another person");
    assert!(matches!(state("mara", stake(1, 8), NOW).await, Acted::Proposed(_)), "10 dollars of one person");
    assert_eq!(state("mara", stake(0, 0), NOW).await, Acted::Stated, "nothing moves");
    assert_eq!(state("mara", stake(400, 1), at(DAY_MS)).await, Acted::Stated, "another day");
}

async fn of_two_statements_at_the_same_moment_one_sees_the_other(home: &Home) {
    let store = Arc::new(stated_terms(home));
    let ids = [quarantined(home, "T1").await, quarantined(home, "T2").await];
    let stating = ids.map(|id| {
        let store = store.clone();
        tokio::spawn(
            async move { store.state(id, amount("600"), false, stake(600, 1), by("mara", NOW)).await },
        )
    });
    let mut stated = 0;
    for one in stating {
        stated += i32::from(one.await.expect("it ends").expect("an answer") == Acted::Stated);
    }
    assert_eq!(stated, 1);
}

/// Reverses a part of a credit; the id of the case.
async fn case(home: &Home, tx: &str) -> i64 {
    home.process(&[credit(tx).by(tx), reversal(tx).by(tx).with("reward", 200)]).await;
    let open = home.store.cases(&CaseFilter::default(), NOW, 100).await.expect("listed");
    open.iter().map(|case| case.id).max().expect("a case")
}

async fn dismiss(store: &Store, case_id: i64, name: &str, now: TimestampMs) -> Resolved {
    let reviewer = reviewer(name, now);
    let resolve = Resolve { case_id, resolution: Resolution::Dismiss, reward_id: None, reviewer };
    store.resolve_case(resolve).await.expect("an answer")
}

async fn stake_of(home: &Home, id: i64) -> i64 {
    home.store.case(id).await.expect("found").expect("there").stake_payout_micros
}

async fn a_case_above_the_limit_is_dismissed_by_two(home: &Home) {
    add(home, "puppet", -1_000).await;
    let id = case(home, "T1").await;
    let single = Some(Micros(stake_of(home, id).await));
    let second = SecondPerson { single, ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(ReviewTerms { second, ..ReviewTerms::default() });
    assert_eq!(dismiss(&store, id, "ann", NOW).await, Resolved::Waits);
    assert_eq!(dismiss(&store, id, "ann", NOW).await, Resolved::Waits, "nobody is their own second");
    assert_eq!(dismiss(&store, id, "puppet", NOW).await, Resolved::Waits, "who is new is none");
    assert!(matches!(dismiss(&store, id, "bob", NOW).await, Resolved::Done { .. }));
    let ended = home.store.case(id).await.expect("found").expect("there");
    assert_eq!(ended.ended_by.as_deref(), Some("ann, bob"));
    let rows = home.store.audit(&AuditFilter::default(), 2).await.expect("listed");
    let said: Vec<_> = rows.iter().map(|row| (row.actor.as_str(), row.action.as_str())).collect();
    assert_eq!(said, [("bob", "reversal_dismissed"), ("puppet", "opinion_given")]);
    home.prove().await;
}

async fn small_dismissals_of_one_day_are_one_large_one(home: &Home) {
    let ids =
        [case(home, "T1").await, case(home, "T2").await, case(home, "T3").await, case(home, "T4").await];
    let second =
        SecondPerson { bulk: Some(Micros(3 * stake_of(home, ids[0]).await)), ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(ReviewTerms { second, ..ReviewTerms::default() });
    assert!(matches!(dismiss(&store, ids[0], "ann", NOW).await, Resolved::Done { .. }));
    assert!(matches!(dismiss(&store, ids[1], "ann", NOW).await, Resolved::Done { .. }));
    assert_eq!(dismiss(&store, ids[2], "ann", NOW).await, Resolved::Waits);
    assert!(matches!(dismiss(&store, ids[3], "bob", NOW).await, Resolved::Done { .. }), "another person");
    assert!(matches!(dismiss(&store, ids[2], "bob", NOW).await, Resolved::Done { .. }), "the second one");
    home.prove().await;
}

async fn only_who_decided_takes_it_back_and_it_stands_in_the_audit(home: &Home) {
    let store = home.store.clone().notifying(grace_only());
    let id = held(home).await[0].reward_id;
    let mara = || Actor::new("mara", Via::Token("laptop".into()), None);
    let of_mara = || Reviewer { actor: mara(), ..reviewer("mara", NOW) };
    assert_eq!(store.review(id, Review::Release, of_mara()).await.expect("decided"), Reviewed::Done);
    let undone = store.undo(id, reviewer("joe", NOW)).await.expect("an answer");
    assert_eq!(undone, Undone::NotYours("mara".into()));
    assert_eq!(home.reward("T1").await.status, "credited");
    assert_eq!(store.undo(id, of_mara()).await.expect("an answer"), Undone::Done);
    assert_eq!(home.reward("T1").await.status, "held");
    let rows = home.store.audit(&AuditFilter::default(), 9).await.expect("listed");
    let said: Vec<_> =
        rows.iter().map(|row| (row.action.as_str(), row.actor.as_str(), row.via_name.as_deref())).collect();
    assert_eq!(said, [("undone", "mara", Some("laptop")), ("released", "mara", Some("laptop"))]);
    home.prove().await;
}
