//! Processing batches: credits, repeats, reversals.

use store::postbacks::inbox::Claim;

use crate::support::database::Home;
use crate::support::postbacks::{
    NOW, PAYOUT, RECEIVED_AT, SECOND_SOURCE, credit, processed, processor, reversal, suspicious,
    without_money,
};
use crate::support::processing::{ALL, CREDITED, HELD, plain};

contract! {
    both:
        an_empty_inbox_settles_to_nothing,
        no_more_than_the_limit_is_settled_and_the_first_go_first,
        a_settled_postback_is_never_settled_again,
        one_postback_can_be_settled_alone,
        a_postback_that_does_not_wait_cannot_be_settled_alone,
        a_credit_that_nothing_speaks_against_is_credited,
        a_credit_that_something_speaks_against_is_held,
        a_repeat_never_credits_twice,
        a_repeat_never_holds_twice,
        a_reversal_takes_back_what_was_credited,
        a_reversal_takes_back_what_is_held,
        a_reversal_is_never_taken_for_a_repeat,
        a_second_reversal_is_a_repeat,
        a_credit_after_its_reversal_is_a_repeat,
        a_reversal_before_its_credit_wins,
        a_reversal_before_its_credit_does_not_move_the_completion,
        the_same_task_under_another_transaction_is_held,
        another_event_or_offer_or_user_is_another_task,
        a_task_that_was_taken_back_still_counts_as_done,
        a_credit_of_nothing_that_pays_is_held,
        an_event_without_money_is_information_and_its_credit_still_counts,
        keys_that_differ_in_a_single_byte_are_two_rewards,
        two_sources_may_use_the_same_key;
}

async fn an_empty_inbox_settles_to_nothing(home: &Home) {
    let before = home.raw().await.census().await;
    let settlement = home.process_waiting(ALL).await;
    assert!(settlement.postbacks.is_empty() && settlement.rewards.is_empty());
    assert_eq!(home.raw().await.census().await, before);
    home.prove().await;
}

async fn no_more_than_the_limit_is_settled_and_the_first_go_first(home: &Home) {
    let calls: Vec<_> = (0..7).map(|number| credit(&format!("T{number}"))).collect();
    home.record(&calls).await;
    let mut settled = Vec::new();
    for expected in [3, 3, 1, 0] {
        let settlement = home.process_waiting(3).await;
        assert_eq!(settlement.postbacks.len(), expected);
        settled.extend(settlement.rewards.into_iter().map(|settled| settled.reward.key));
    }
    assert_eq!(settled, ["T0", "T1", "T2", "T3", "T4", "T5", "T6"]);
}

async fn a_settled_postback_is_never_settled_again(home: &Home) {
    home.process(&[credit("T1"), credit("T1"), reversal("T9"), credit("")]).await;
    let before = home.raw().await.census().await;
    assert!(home.process_waiting(ALL).await.postbacks.is_empty());
    assert_eq!(home.raw().await.census().await, before);
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM postbacks WHERE processed_at IS NULL").await, 0);
}

/// The keys of the rewards that processing `which` changed.
async fn settled(home: &Home, which: Claim) -> Vec<String> {
    let settlement = processed(&home.store, which, processor(), NOW).await.expect("it is settled");
    settlement.rewards.into_iter().map(|settled| settled.reward.key).collect()
}

async fn one_postback_can_be_settled_alone(home: &Home) {
    home.record(&[credit("T1"), credit("T2"), credit("T3")]).await;
    let waiting = home.first_waiting(ALL).await;
    assert_eq!(settled(home, Claim::Only(waiting[1])).await, ["T2"]);
    assert_eq!(home.first_waiting(ALL).await, [waiting[0], waiting[2]]);
    assert_eq!(settled(home, Claim::First(ALL)).await, ["T1", "T3"]);
    home.prove().await;
}

async fn a_postback_that_does_not_wait_cannot_be_settled_alone(home: &Home) {
    home.record(&[credit("T1"), credit("T2")]).await;
    let first = home.first_waiting(1).await[0];
    home.process_waiting(1).await;
    let before = home.raw().await.census().await;
    for id in [first, first + 2, 0, -1, i64::MAX] {
        assert_eq!(settled(home, Claim::Only(id)).await, Vec::<String>::new(), "{id}");
    }
    assert_eq!(home.raw().await.census().await, before);
    assert_eq!(home.first_waiting(ALL).await.len(), 1);
}

async fn a_credit_that_nothing_speaks_against_is_credited(home: &Home) {
    let end = home.final_state(&[credit("T1")]).await;
    assert_eq!((end.status.as_str(), end.repeats, end.conflict), ("credited", 0, false));
    assert_eq!(end.outcomes, [("processed", None)]);
    assert_eq!(plain(&end.balances), CREDITED);
}

async fn a_credit_that_something_speaks_against_is_held(home: &Home) {
    let end = home.final_state(&[suspicious("T1")]).await;
    assert_eq!((end.status.as_str(), end.repeats, end.conflict), ("held", 0, false));
    assert_eq!(end.outcomes, [("processed", None)]);
    assert_eq!(plain(&end.balances), HELD);
}

async fn a_repeat_never_credits_twice(home: &Home) {
    let end = home.final_state(&[credit("T1"), credit("T1"), credit("T1")]).await;
    assert_eq!((end.status.as_str(), end.repeats, end.conflict), ("credited", 2, false));
    assert_eq!(end.outcomes, [("processed", None), ("repeat", None), ("repeat", None)]);
    assert_eq!(plain(&end.balances), CREDITED);
}

async fn a_repeat_never_holds_twice(home: &Home) {
    // The second says other things of the click: still the same reward, judged once.
    let end = home.final_state(&[suspicious("T1"), credit("T1")]).await;
    assert_eq!((end.status.as_str(), end.repeats), ("held", 1));
    assert_eq!(plain(&end.balances), HELD);
}

async fn a_reversal_takes_back_what_was_credited(home: &Home) {
    let end = home.final_state(&[credit("T1"), reversal("T1")]).await;
    assert_eq!((end.status.as_str(), end.repeats, end.conflict), ("reversed", 0, false));
    assert_eq!(end.outcomes, [("processed", None), ("processed", None)]);
    assert_eq!(plain(&end.balances), []);
}

async fn a_reversal_takes_back_what_is_held(home: &Home) {
    let end = home.final_state(&[suspicious("T1"), reversal("T1")]).await;
    assert_eq!(end.status, "reversed");
    assert_eq!(plain(&end.balances), []);
}

async fn a_reversal_is_never_taken_for_a_repeat(home: &Home) {
    let calls = [credit("T1"), credit("T1"), reversal("T1").with("reward", 500).with("payout", 1)];
    let end = home.final_state(&calls).await;
    assert_eq!((end.status.as_str(), end.repeats, end.conflict), ("reversed", 1, false));
    assert_eq!(end.outcomes, [("processed", None), ("repeat", None), ("processed", None)]);
    assert_eq!(plain(&end.balances), []);
}

async fn a_second_reversal_is_a_repeat(home: &Home) {
    let calls = [credit("T1"), reversal("T1"), reversal("T1").with("status", 0), reversal("T1")];
    let end = home.final_state(&calls).await;
    assert_eq!((end.status.as_str(), end.repeats), ("reversed", 2));
    assert_eq!(end.outcomes[2..], [("repeat", None), ("repeat", None)]);
    assert_eq!(plain(&end.balances), []);
}

async fn a_credit_after_its_reversal_is_a_repeat(home: &Home) {
    let end = home.final_state(&[credit("T1"), reversal("T1"), credit("T1")]).await;
    assert_eq!((end.status.as_str(), end.repeats), ("reversed", 1));
    assert_eq!(end.outcomes[2], ("repeat", None));
    assert_eq!(plain(&end.balances), []);
}

async fn a_reversal_before_its_credit_wins(home: &Home) {
    let end = home.final_state(&[reversal("T1"), credit("T1"), credit("T1"), reversal("T1")]).await;
    assert_eq!((end.status.as_str(), end.repeats, end.conflict), ("reversed", 2, false));
    let because = |reason: &str| Some(reason.to_owned());
    assert_eq!(
        end.outcomes,
        [
            ("processed", because("the reversal came before its credit")),
            ("processed", because("its reversal came first, so nothing is credited")),
            ("repeat", None),
            ("repeat", None),
        ]
    );
    assert_eq!(plain(&end.balances), []);
    // Now it is known what it was about, and still nobody has judged it.
    let reward = home.reward("T1").await;
    assert_eq!((reward.reward_micros, reward.payout_micros), (Some(500_000_000), Some(1_000_000)));
    assert_eq!((reward.decision, reward.clicked_at.is_some()), (None, true));
    assert_eq!(home.booked(reward.id).await, Vec::<String>::new());
}

async fn a_reversal_before_its_credit_does_not_move_the_completion(home: &Home) {
    // The completion is the first receipt, whatever came first.
    let late = credit("T1").received(RECEIVED_AT + 5_000);
    let end = home.final_state(&[reversal("T1"), late]).await;
    assert_eq!(end.received_at, RECEIVED_AT);
}

async fn the_same_task_under_another_transaction_is_held(home: &Home) {
    let task = |tx: &str| credit(tx).with("offer_id", "7").with("event_id", "e1");
    for (first, second) in [("A1", "A2"), ("B1", "B2")] {
        let (user, calls) = (first, [task(first).by(first), task(second).by(first)]);
        if user == "A1" {
            home.process(&calls).await
        } else {
            home.process_singly(&calls).await
        };
        assert_eq!(home.reward(first).await.status, "credited", "{first}");
        let held = home.reward(second).await;
        assert_eq!((held.status.as_str(), held.hard), ("held", Some(1)), "{second}");
        let note = home.store.steps(held.id).await.expect("steps are read").remove(0).note;
        assert!(note.is_some_and(|note| note.contains("same offer and event")), "{second}");
    }
    home.prove().await;
}

async fn another_event_or_offer_or_user_is_another_task(home: &Home) {
    let task = |tx: &str| credit(tx).with("offer_id", "7").with("event_id", "e1");
    let calls = [
        task("T1"),
        task("T2").with("event_id", "e2"),
        task("T3").with("offer_id", "8"),
        task("T4").by("u2"),
        // No event is an event of its own; no offer tells nothing of a task.
        task("T5").without("event_id"),
        task("T6").without("offer_id"),
        task("T7").without("offer_id"),
    ];
    let end = home.final_state(&calls).await;
    assert_eq!(end.status, "credited");
    for tx in ["T2", "T3", "T4", "T5", "T6", "T7"] {
        assert_eq!(home.reward(tx).await.status, "credited", "{tx}");
    }
}

async fn a_task_that_was_taken_back_still_counts_as_done(home: &Home) {
    let task = |tx: &str| credit(tx).with("offer_id", "7");
    // The reversal of T0 came first, and says itself what it was about: that alone is no task done.
    let calls = [reversal("T0").with("offer_id", "7"), task("T1"), reversal("T1"), task("T2")];
    let end = home.final_state(&calls).await;
    assert_eq!(end.status, "reversed");
    assert_eq!(home.reward("T2").await.status, "held");
}

async fn a_credit_of_nothing_that_pays_is_held(home: &Home) {
    let end = home.final_state(&[credit("T1").with("reward", 0)]).await;
    assert_eq!(end.status, "held");
    assert_eq!(plain(&end.balances), [("earned", PAYOUT), ("network", -PAYOUT)]);
}

async fn an_event_without_money_is_information_and_its_credit_still_counts(home: &Home) {
    let why = || Some("recorded only: it carries no money".to_owned());
    let end = home.final_state(&[without_money("T1"), credit("T1"), without_money("T1")]).await;
    assert_eq!((end.status.as_str(), end.conflict, end.repeats), ("credited", false, 0));
    assert_eq!(end.outcomes, [("information", why()), ("processed", None), ("information", why())]);
    assert_eq!(plain(&end.balances), CREDITED);
    let alone = home.process(&[without_money("T2").by("u9")]).await;
    assert_eq!(alone, [("information", why())]);
    let users: i64 = home.raw().await.number("SELECT COUNT(*) FROM users WHERE user_id = 'u9'").await;
    assert_eq!(users, 0, "nothing is known of whoever has only that");
}

async fn keys_that_differ_in_a_single_byte_are_two_rewards(home: &Home) {
    // Encoded for the query: case, spaces, the two forms of é, and what looks like a number or a pattern.
    let keys =
        ["a", "A", "a+", "+a", "%C3%A9", "e%CC%81", "1", "01", "1.0", "%25", "_", "%5C", "%27", "%00a"];
    let calls: Vec<_> = keys.iter().map(|key| credit(key)).collect();
    home.process(&calls).await;
    home.process(&calls).await;
    let sql = "SELECT repeats FROM rewards WHERE status = 'credited'";
    let repeats: Vec<(i64,)> = home.raw().await.rows(sql).await;
    // A NUL is never mapped, so the last one is no reward at all.
    assert_eq!(repeats, [(1,); 13]);
    home.prove().await;
}

async fn two_sources_may_use_the_same_key(home: &Home) {
    let calls = [credit("T1"), credit("T1").of_source(SECOND_SOURCE), reversal("T1")];
    home.record(&calls).await;
    assert_eq!(home.process_waiting(ALL).await.rewards.len(), 2);
    assert_eq!(plain(&home.balances("targo").await), []);
    assert_eq!(plain(&home.balances(SECOND_SOURCE).await), CREDITED);
    home.prove().await;
}
