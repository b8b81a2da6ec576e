//! Conflicts: the same key with another user, other money or another offer. They are flagged, and nothing moves.

use crate::support::database::Home;
use crate::support::postbacks::{Call, credit, reversal, suspicious};
use crate::support::processing::{CREDITED, FinalState, HELD, plain};

contract! {
    both:
        other_money_under_a_known_key_is_a_conflict_and_moves_nothing,
        another_offer_under_a_known_key_is_a_conflict_and_moves_nothing,
        another_user_under_a_known_key_is_a_conflict_and_gets_nothing,
        nobody_takes_back_what_is_somebody_elses,
        a_reversal_of_more_money_takes_back_what_was_given_and_says_so,
        a_credit_for_another_user_than_its_early_reversal_is_held,
        a_conflict_stays_flagged_through_what_follows;
}

/// The end of a first postback and a second one that contradicts it in `reason`.
async fn contradicted(home: &Home, first: Call, second: Call, reason: &str) -> FinalState {
    let end = home.final_state(&[first, second]).await;
    assert!(end.conflict);
    assert_eq!(end.outcomes[1], ("processed", Some(format!("conflict: {reason}"))));
    end
}

async fn other_money_under_a_known_key_is_a_conflict_and_moves_nothing(home: &Home) {
    let second = credit("T1").with("reward", 900).with("payout", "1.5");
    let reason = "reward 900 instead of 500, payout 1.5 instead of 1";
    let end = contradicted(home, credit("T1"), second, reason).await;
    assert_eq!((end.status.as_str(), end.repeats), ("credited", 0));
    assert_eq!(plain(&end.balances), CREDITED);
}

async fn another_offer_under_a_known_key_is_a_conflict_and_moves_nothing(home: &Home) {
    let second = suspicious("T1").with("offer_id", "8");
    let end = contradicted(home, suspicious("T1"), second, "offer 8 instead of nothing").await;
    assert_eq!((end.status.as_str(), end.repeats), ("held", 0));
    assert_eq!(plain(&end.balances), HELD);
}

async fn another_user_under_a_known_key_is_a_conflict_and_gets_nothing(home: &Home) {
    let end = contradicted(home, credit("T1"), credit("T1").by("u2"), "user u2 instead of u1").await;
    assert_eq!((end.status.as_str(), end.repeats), ("credited", 0));
    assert_eq!(plain(&end.balances), CREDITED);
    assert_eq!(home.reward("T1").await.user_id, "u1");
}

async fn nobody_takes_back_what_is_somebody_elses(home: &Home) {
    let reason = "user u2 instead of u1; a person decides";
    let end = contradicted(home, credit("T1"), reversal("T1").by("u2"), reason).await;
    assert_eq!((end.status.as_str(), end.repeats), ("credited", 0));
    assert_eq!(plain(&end.balances), CREDITED);
}

async fn a_reversal_of_more_money_takes_back_what_was_given_and_says_so(home: &Home) {
    let second = reversal("T1").with("reward", 501);
    let end = contradicted(home, credit("T1"), second, "reward 501 instead of 500").await;
    assert_eq!(end.status, "reversed");
    assert_eq!(plain(&end.balances), []);
}

async fn a_credit_for_another_user_than_its_early_reversal_is_held(home: &Home) {
    let end = home.final_state(&[reversal("T1").by("u2"), credit("T1")]).await;
    assert!(end.conflict);
    assert_eq!(end.status, "held");
    assert_eq!(plain(&end.balances), HELD);
}

async fn a_conflict_stays_flagged_through_what_follows(home: &Home) {
    let calls = [credit("T1"), credit("T1").with("reward", 1), credit("T1"), reversal("T1"), reversal("T1")];
    let end = home.final_state(&calls).await;
    assert_eq!((end.status.as_str(), end.repeats, end.conflict), ("reversed", 2, true));
    assert_eq!(plain(&end.balances), []);
}
