//! A person's decision: what is possible, and who wins when several decide at once.

use domain::review::decision::{NotAllowed, Review};
use domain::reward::Status;
use store::postbacks::inbox::Claim;
use store::review::decisions::Reviewed;

use crate::support::database::Home;
use crate::support::postbacks::{NOW, credit, processed, processor, reversal, suspicious};
use crate::support::processing::{ALL, ann, plain};

contract! {
    both:
        a_held_reward_can_be_released_or_rejected,
        a_rejected_reward_can_only_be_released,
        a_credited_or_reversed_reward_cannot_be_decided_on,
        a_reward_that_does_not_exist_is_not_found,
        a_decision_that_is_not_allowed_changes_nothing,
        of_two_equal_reviews_at_the_same_time_exactly_one_wins,
        two_contrary_reviews_at_once_end_in_an_allowed_order,
        a_review_and_a_reversal_at_the_same_time_leave_proven_books;
}

/// A reward for each of `count` transactions `T0`, `T1`, …, all held; their ids.
async fn held(home: &Home, count: usize) -> Vec<i64> {
    let calls: Vec<_> = (0..count).map(|number| suspicious(&format!("T{number}"))).collect();
    home.process(&calls).await;
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(home.reward(&format!("T{number}")).await.id);
    }
    ids
}

/// Decides, again while another writer was first.
async fn decide_at_last(store: store::Store, id: i64, decision: Review) -> Reviewed {
    loop {
        match store.review(id, decision, ann()).await {
            Ok(reviewed) => return reviewed,
            Err(why) => assert!(why.is_transient(), "{why}"),
        }
    }
}

async fn a_held_reward_can_be_released_or_rejected(home: &Home) {
    let ids = held(home, 2).await;
    assert_eq!(home.decide(ids[0], Review::Release).await.expect("decided"), Reviewed::Done);
    assert_eq!(home.decide(ids[1], Review::Reject).await.expect("decided"), Reviewed::Done);
    assert_eq!(home.reward("T0").await.status, "credited");
    assert_eq!(home.reward("T1").await.status, "rejected");
    home.prove().await;
}

async fn a_rejected_reward_can_only_be_released(home: &Home) {
    let id = held(home, 1).await[0];
    home.decide(id, Review::Reject).await.expect("decided");
    let not_allowed = Reviewed::NotAllowed(NotAllowed { status: Status::Rejected });
    assert_eq!(home.decide(id, Review::Reject).await.expect("answered"), not_allowed);
    assert_eq!(home.decide(id, Review::Release).await.expect("decided"), Reviewed::Done);
    assert_eq!(home.reward("T0").await.status, "credited");
    home.prove().await;
}

async fn a_credited_or_reversed_reward_cannot_be_decided_on(home: &Home) {
    home.process(&[credit("T1"), credit("T2"), reversal("T2"), reversal("T3")]).await;
    for (tx, status) in [("T1", Status::Credited), ("T2", Status::Reversed), ("T3", Status::Reversed)] {
        let id = home.reward(tx).await.id;
        for decision in [Review::Release, Review::Reject] {
            let answer = home.decide(id, decision).await.expect("answered");
            assert_eq!(answer, Reviewed::NotAllowed(NotAllowed { status }), "{tx} {decision:?}");
        }
    }
}

async fn a_reward_that_does_not_exist_is_not_found(home: &Home) {
    for id in [0, -1, 1, i64::MAX] {
        assert_eq!(home.decide(id, Review::Release).await.expect("answered"), Reviewed::NotFound, "{id}");
    }
}

async fn a_decision_that_is_not_allowed_changes_nothing(home: &Home) {
    home.process(&[credit("T1")]).await;
    let (before, reward) = (home.raw().await.census().await, home.reward("T1").await);
    home.decide(reward.id, Review::Reject).await.expect("answered");
    home.decide(reward.id + 1, Review::Reject).await.expect("answered");
    assert_eq!(home.reward("T1").await, reward);
    assert_eq!(home.raw().await.census().await, before);
    // The transaction that found out is over: the next one has the reward to itself.
    home.process(&[reversal("T1")]).await;
    assert_eq!(home.reward("T1").await.status, "reversed");
}

async fn of_two_equal_reviews_at_the_same_time_exactly_one_wins(home: &Home) {
    let other = home.another_process().await;
    for (number, id) in held(home, 12).await.into_iter().enumerate() {
        let (decision, status) = match number % 2 {
            0 => (Review::Release, Status::Credited),
            _ => (Review::Reject, Status::Rejected),
        };
        let reviews = [&home.store, &other, &home.store]
            .map(|store| tokio::spawn(decide_at_last(store.clone(), id, decision)));
        let mut answers = Vec::new();
        for review in reviews {
            answers.push(review.await.expect("it ends"));
        }
        let done = answers.iter().filter(|answer| **answer == Reviewed::Done).count();
        let late = Reviewed::NotAllowed(NotAllowed { status });
        let refused = answers.iter().filter(|answer| **answer == late).count();
        assert_eq!((done, refused), (1, 2), "{answers:?}");
        assert_eq!(home.store.steps(id).await.expect("steps are read").len(), 2);
    }
    home.prove().await;
}

async fn two_contrary_reviews_at_once_end_in_an_allowed_order(home: &Home) {
    let other = home.another_process().await;
    for id in held(home, 12).await {
        let release = tokio::spawn(decide_at_last(home.store.clone(), id, Review::Release));
        let reject = tokio::spawn(decide_at_last(other.clone(), id, Review::Reject));
        let answers = (release.await.expect("it ends"), reject.await.expect("it ends"));
        let steps = home.store.steps(id).await.expect("steps are read");
        let steps: Vec<_> = steps.iter().map(|step| step.step.as_str()).collect();
        match answers {
            (Reviewed::Done, Reviewed::Done) => assert_eq!(steps, ["hold", "reject", "overturn"]),
            (Reviewed::Done, Reviewed::NotAllowed(NotAllowed { status: Status::Credited })) => {
                assert_eq!(steps, ["hold", "release"]);
            }
            other => panic!("{other:?} after {steps:?}"),
        }
    }
    home.prove().await;
}

async fn a_review_and_a_reversal_at_the_same_time_leave_proven_books(home: &Home) {
    let ids = held(home, 24).await;
    let reversals: Vec<_> = (0..24).map(|number| reversal(&format!("T{number}"))).collect();
    home.record(&reversals).await;
    let other = home.another_process().await;
    let settling = tokio::spawn(async move {
        loop {
            match processed(&other, Claim::First(2), processor(), NOW).await {
                Ok(settlement) if settlement.postbacks.is_empty() => return,
                Ok(_) => {}
                Err(why) => assert!(why.is_transient(), "{why}"),
            }
        }
    });
    for id in ids.iter().rev() {
        let decision = if id % 2 == 0 { Review::Release } else { Review::Reject };
        match decide_at_last(home.store.clone(), *id, decision).await {
            Reviewed::Done | Reviewed::NotAllowed(NotAllowed { status: Status::Reversed }) => {}
            other => panic!("{other:?}"),
        }
    }
    settling.await.expect("it ends");

    assert_eq!(plain(&home.balances("targo").await), []);
    for id in ids {
        let reward = home.store.reward(id).await.expect("it is read").expect("it is there");
        assert_eq!(reward.status, "reversed");
        let steps = home.store.steps(id).await.expect("steps are read");
        assert!(steps.iter().zip(1..).all(|(step, seq)| step.seq == seq), "{steps:?}");
        let ended = &steps.last().expect("a step").step;
        assert!(
            ["reverse_held", "reverse_credited", "reverse_rejected"].contains(&ended.as_str()),
            "{ended}"
        );
    }
    assert!(home.process_waiting(ALL).await.postbacks.is_empty());
    home.prove().await;
}
