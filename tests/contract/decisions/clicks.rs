//! One click decides on many: each reward once, and only in the state that the person saw.

use domain::money::Micros;
use domain::review::decision::Review;
use domain::review::queue::{AutoRelease, ReviewTerms, SecondPerson};
use domain::reward::{Status, Step};
use domain::time::TimestampMs;
use std::sync::Arc;
use store::access::audit::AuditFilter;
use store::review::decisions::{ACTOR_POLICY, BulkDecision, Reviewed, Reviewer, Skip, Wanted};

use super::{by, decide, hold, needing};
use crate::support::database::Home;
use crate::support::postbacks::{NOW, PAYOUT, RECEIVED_AT, TODAY, credit, reversal, suspicious};
use crate::support::processing::grace_only;

contract! {
    both:
        one_click_decides_on_a_thousand_and_the_books_prove,
        what_was_decided_by_somebody_else_is_skipped_with_what_happened,
        a_page_that_is_out_of_date_never_overturns_a_reject,
        what_somebody_else_has_open_is_skipped,
        a_reward_named_twice_is_decided_once,
        an_undo_takes_the_whole_click_back_and_only_for_who_clicked,
        an_undo_after_the_grace_takes_nothing_back,
        the_newest_decision_that_still_stands_is_the_next_to_be_undone,
        small_soft_holds_are_released_by_policy_and_nothing_else_is,
        every_click_stands_in_the_audit_and_an_opinion_does_not_say_which,
        eight_reviewers_of_one_queue_decide_every_reward_exactly_once;
}

async fn one_click_decides_on_a_thousand_and_the_books_prove(home: &Home) {
    let wanted = hold(home, 1_000).await;
    let done = decide(&home.store, &wanted, Review::Release, "ann").await;
    assert_eq!((done.taken.len(), done.waiting.len(), done.skipped.len()), (1_000, 0, 0));
    assert_eq!(done.payout_micros, 1_000 * PAYOUT);
    assert_eq!(home.store.hold_count().await.expect("counted"), 0);
    let kept = home.store.decision(done.id.expect("kept")).await.expect("found").expect("there");
    assert_eq!((kept.person.as_str(), kept.decision.as_str(), kept.rewards), ("ann", "release", 1_000));
    home.prove().await;
}

async fn what_was_decided_by_somebody_else_is_skipped_with_what_happened(home: &Home) {
    let seen = hold(home, 3).await;
    decide(&home.store, &seen[..1], Review::Reject, "bob").await;
    home.process(&[reversal("T1").by("u1")]).await;
    let done = decide(&home.store, &seen, Review::Reject, "ann").await;
    assert_eq!(done.taken, [seen[2].reward_id]);
    let why: Vec<_> = done.skipped.iter().map(|skipped| skipped.why.clone()).collect();
    let changed = |status, step, by: &str| Skip::Changed { status, step, by: by.into(), at: NOW };
    assert_eq!(
        why,
        [
            changed(Status::Rejected, Step::Reject, "bob"),
            changed(Status::Reversed, Step::ReverseHeld, "network")
        ]
    );
    let unknown = decide(&home.store, &[Wanted { reward_id: 999, steps: 1 }], Review::Reject, "ann").await;
    assert_eq!(unknown.skipped[0].why, Skip::NotFound);
    assert_eq!(unknown.id, None);
    home.prove().await;
}

async fn a_page_that_is_out_of_date_never_overturns_a_reject(home: &Home) {
    let seen = hold(home, 1).await;
    decide(&home.store, &seen, Review::Reject, "bob").await;
    let now = [Wanted { steps: seen[0].steps + 1, ..seen[0] }];
    for wanted in [&seen[..], &now[..]] {
        let done = decide(&home.store, wanted, Review::Release, "ann").await;
        assert_eq!(done.taken, Vec::<i64>::new());
        assert_eq!(done.skipped.len(), 1);
    }
    assert_eq!(home.reward("T0").await.status, "rejected");
}

async fn what_somebody_else_has_open_is_skipped(home: &Home) {
    let seen = hold(home, 2).await;
    home.store.claim(seen[0].reward_id, "bob", NOW, 1_000).await.expect("claimed");
    home.store.claim(seen[1].reward_id, "ann", NOW, 1_000).await.expect("claimed");
    let done = decide(&home.store, &seen, Review::Release, "ann").await;
    assert_eq!(done.taken, [seen[1].reward_id]);
    assert_eq!(done.skipped[0].why, Skip::Claimed { person: "bob".into() });
    let answered =
        home.store.review(seen[0].reward_id, Review::Release, by("token")).await.expect("answered");
    assert_eq!(answered, Reviewed::Claimed("bob".into()));
}

async fn a_reward_named_twice_is_decided_once(home: &Home) {
    let seen = hold(home, 1).await;
    let done = decide(&home.store, &[seen[0], seen[0]], Review::Release, "ann").await;
    assert_eq!(done.taken.len(), 1);
    home.prove().await;
}

async fn an_undo_takes_the_whole_click_back_and_only_for_who_clicked(home: &Home) {
    let store = home.store.clone().notifying(grace_only());
    let seen = hold(home, 20).await;
    let done = decide(&store, &seen, Review::Release, "ann").await;
    let id = done.id.expect("kept");
    home.process(&[reversal("T3").by("u3")]).await;
    assert_eq!(store.undo_decision(id, by("bob")).await.expect("asked"), None, "not his");
    assert_eq!(store.undo_decision(id + 1, by("ann")).await.expect("asked"), None, "there is none");
    let undone = store.undo_decision(id, by("ann")).await.expect("undone").expect("hers");
    assert_eq!((undone.undone.len(), undone.too_late.len()), (19, 1));
    assert_eq!(home.store.hold_count().await.expect("counted"), 19);
    let again = store.undo_decision(id, by("ann")).await.expect("asked").expect("hers");
    assert_eq!((again.undone.len(), again.too_late.len()), (0, 20), "nothing twice");
    home.prove().await;
}

async fn the_newest_decision_that_still_stands_is_the_next_to_be_undone(home: &Home) {
    let store = home.store.clone().notifying(grace_only());
    let before = TimestampMs(NOW.0 - 1);
    let last = async |person: &str, since| {
        let row = store.last_decision(person, since).await.expect("looked up");
        row.map(|row| (row.id, row.first_reward_id))
    };
    let seen = hold(home, 4).await;
    assert_eq!(last("ann", before).await, None);
    let first = decide(&store, &seen[..1], Review::Release, "ann").await.id.expect("decided");
    let second = decide(&store, &seen[1..3], Review::Reject, "ann").await.id.expect("decided");
    decide(&store, &seen[3..], Review::Reject, "bob").await;
    assert_eq!(last("ann", before).await, Some((second, seen[1].reward_id)));
    assert_eq!(last("ann", NOW).await, None, "too long ago");
    let undo = async |id| store.undo_decision(id, by("ann")).await.expect("undone");
    assert!(undo(second).await.is_some());
    assert_eq!(last("ann", before).await, Some((first, seen[0].reward_id)));
    assert!(undo(first).await.is_some());
    assert_eq!(last("ann", before).await, None);
    home.prove().await;
}

async fn an_undo_after_the_grace_takes_nothing_back(home: &Home) {
    let store = home.store.clone().notifying(grace_only());
    let seen = hold(home, 1).await;
    let id = decide(&store, &seen, Review::Release, "ann").await.id.expect("kept");
    let late = Reviewer { now: TimestampMs(NOW.0 + grace_only().grace_ms), ..by("ann") };
    let undone = store.undo_decision(id, late).await.expect("asked").expect("hers");
    assert_eq!((undone.undone.len(), undone.too_late.len()), (0, 1));
    assert_eq!(home.reward("T0").await.status, "credited");
}

async fn small_soft_holds_are_released_by_policy_and_nothing_else_is(home: &Home) {
    let hour_ms = 3_600_000;
    let auto = AutoRelease { below: Micros(2 * PAYOUT), after_ms: hour_ms };
    let store = home
        .store
        .clone()
        .with_review_terms(ReviewTerms { auto_release: Some(auto), ..ReviewTerms::default() });
    // Held by a rule that is not hard: faster than the floor of its class.
    let soft = |tx_id: &str| {
        credit(tx_id).after(9).by(tx_id).received(RECEIVED_AT - 2 * hour_ms).with("offer_id", tx_id)
    };
    home.process(&[
        soft("small"),
        soft("large").with("payout", "2").with("reward", "1000"),
        soft("young").received(RECEIVED_AT),
        soft("open"),
        soft("doubted"),
        suspicious("hard").received(RECEIVED_AT - 2 * hour_ms).by("hard"),
    ])
    .await;
    for tx_id in ["small", "large", "young", "open", "doubted", "hard"] {
        assert_eq!(home.reward(tx_id).await.status, "held", "{tx_id}");
    }
    let id = |tx_id: &'static str| async move { home.reward(tx_id).await.id };
    store.claim(id("open").await, "ann", NOW, 1_000).await.expect("claimed");
    let doubting = home
        .store
        .clone()
        .with_review_terms(needing(SecondPerson { single: Some(Micros(1)), ..SecondPerson::default() }));
    let doubted = Wanted { reward_id: id("doubted").await, steps: 1 };
    decide(&doubting, &[doubted], Review::Reject, "ann").await;
    assert_eq!(store.auto_release(NOW, TODAY.into(), 100).await.expect("released"), 1);
    assert_eq!(store.auto_release(NOW, TODAY.into(), 100).await.expect("nothing"), 0);
    assert_eq!(home.reward("small").await.status, "credited");
    let steps = home.store.steps(id("small").await).await.expect("listed");
    let last = steps.last().expect("a step");
    assert_eq!(last.actor, ACTOR_POLICY);
    assert_eq!(
        last.note.as_deref(),
        Some("released by policy: a soft hold that pays less than $2 and waited 1 h")
    );
    assert_eq!(
        home.store.auto_release(NOW, TODAY.into(), 100).await.expect("off"),
        0,
        "without an amount nothing is"
    );
    home.prove().await;
}

async fn every_click_stands_in_the_audit_and_an_opinion_does_not_say_which(home: &Home) {
    let store = home.store.clone().notifying(grace_only());
    let seen = hold(home, 3).await;
    let id = decide(&store, &seen[..2], Review::Reject, "ann").await.id.expect("kept");
    store.undo_decision(id, by("ann")).await.expect("undone");
    let careful =
        store.clone().with_review_terms(needing(SecondPerson { hard: true, ..SecondPerson::default() }));
    decide(&careful, &seen[2..], Review::Reject, "bob").await;
    let lines = store.audit(&AuditFilter::default(), 10).await.expect("listed");
    let said: Vec<_> = lines
        .iter()
        .map(|line| (line.actor.as_str(), line.action.as_str(), line.subject.as_str(), line.detail.as_str()))
        .collect();
    let (one, undone) = (format!("reward {}", seen[2].reward_id), format!("decision {id}"));
    let detail = format!("decision {id}, $2. why");
    assert_eq!(
        said,
        [
            ("bob", "opinion_given", one.as_str(), ""),
            ("ann", "undone", undone.as_str(), "2 of 2 rewards are held again"),
            ("ann", "rejected", "2 rewards", detail.as_str()),
        ]
    );
}

async fn eight_reviewers_of_one_queue_decide_every_reward_exactly_once(home: &Home) {
    let wanted = Arc::new(hold(home, 2_000).await);
    let reviewers = (0..8_usize).map(|number| {
        let (store, wanted) = (home.store.clone(), wanted.clone());
        tokio::spawn(async move {
            let decision = if number % 2 == 0 { Review::Release } else { Review::Reject };
            let mut taken = 0;
            // Each begins elsewhere and goes all the way round, so that they meet everywhere.
            for step in 0..20_usize {
                let from = (step + number * 5) % 20 * 100;
                let decide = BulkDecision {
                    wanted: wanted[from..from + 100].to_vec(),
                    decision,
                    overturn: false,
                    reviewer: by(&format!("p{number}")),
                };
                loop {
                    match store.decide(decide.clone()).await {
                        Ok(done) => {
                            taken += done.taken.len();
                            break;
                        }
                        Err(why) => assert!(why.is_transient(), "{why}"),
                    }
                }
            }
            taken
        })
    });
    let mut taken = 0;
    for reviewer in reviewers.collect::<Vec<_>>() {
        taken += reviewer.await.expect("it ends");
    }
    assert_eq!(taken, 2_000);
    assert_eq!(home.store.hold_count().await.expect("counted"), 0);
    home.prove().await;
}
