//! What is recorded of a decision: the verdict with every signal, and every step.

use domain::batch::Judgement;
use domain::review::decision::Review;
use store::rewards::list::{RewardRow, StepRow};

use crate::support::database::Home;
use crate::support::postbacks::{NOW, RECEIVED_AT, credit, processor, reversal, suspicious};
use crate::support::processing::ALL;

contract! {
    both:
        a_verdict_is_kept_with_every_signal_and_where_the_address_is,
        a_verdict_stays_as_it_was_through_all_that_follows,
        a_reward_that_nobody_judged_has_no_verdict,
        everything_the_network_said_is_kept,
        steps_are_kept_in_order_with_who_and_why_and_the_postback,
        a_reward_that_does_not_exist_has_nothing;
}

async fn a_verdict_is_kept_with_every_signal_and_where_the_address_is(home: &Home) {
    let abroad = |tx: &str| credit(tx).with("ip", "8.8.8.8").with("country_code", "DE");
    home.record(&[credit("T1"), suspicious("T2"), abroad("T3"), credit("T4").with("ip", "10.0.0.1")]).await;
    let settlement = home.process_waiting(ALL).await;
    assert_eq!(settlement.rewards.len(), 4);
    for settled in settlement.rewards {
        let row = home.reward(&settled.reward.key).await;
        let kept = home.store.reward(row.id).await.expect("it is read").expect("it is there");
        assert_eq!(kept, row);
        assert_verdict(&kept, &settled.verdict.expect("it was judged"));
    }
    let reward = home.reward("T3").await;
    assert_eq!(reward.geo_result.as_deref(), Some("mismatch"));
    assert_eq!((home.reward("T4").await.geo_result.as_deref(), reward.score), (Some("invalid"), Some(30)));
}

fn assert_verdict(kept: &RewardRow, decided: &Judgement) {
    let verdict = &decided.verdict;
    assert_eq!(kept.decision.as_deref(), Some(verdict.decision.name()));
    assert_eq!((kept.score, kept.hard), (Some(verdict.score), Some(i64::from(verdict.hard))));
    assert_eq!(kept.policy.as_deref(), Some(processor().policy.version()));
    assert_eq!(kept.decided_at, Some(NOW.0));
    let signals = &kept.verdict.as_ref().expect("a verdict").signals;
    assert_eq!((signals.len(), signals), (domain::rules::CODES.len(), &verdict.signals));
    let location = kept.location.as_ref().expect("a location");
    assert_eq!(location, &decided.location);
    assert!(!location.databases.is_empty(), "the databases that were asked are named");
    let geo_result = serde_json::to_value(decided.geo).expect("a name");
    assert_eq!(kept.geo_result.as_deref(), geo_result.as_str());
}

async fn a_verdict_stays_as_it_was_through_all_that_follows(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    let before = home.reward("T1").await;
    home.decide(before.id, Review::Release).await.expect("it is decided");
    home.process(&[credit("T1"), credit("T1").with("reward", 9), reversal("T1")]).await;
    let after = home.reward("T1").await;
    assert_eq!(
        after,
        RewardRow { status: "reversed".into(), repeats: 1, conflict: 1, ..before },
        "nothing else about it has changed"
    );
}

async fn a_reward_that_nobody_judged_has_no_verdict(home: &Home) {
    home.process(&[reversal("T1")]).await;
    let reward = home.reward("T1").await;
    assert_eq!((reward.reward_micros, reward.payout_micros), (None, None));
    assert_eq!((reward.decision, reward.score, reward.hard, reward.policy), (None, None, None, None));
    assert_eq!((reward.decided_at, reward.geo_result), (None, None));
    assert_eq!((reward.location, reward.verdict), (None, None));
}

async fn everything_the_network_said_is_kept(home: &Home) {
    let call = credit("T1")
        .with("reward", "12.345678")
        .with("payout", ".5")
        .with("offer_id", "7")
        .with("offer_name", "Caf%C3%A9+%22Quest%22")
        .with("event_id", "e%271")
        .with("event_name", "%F0%9F%98%80")
        .with("ip", "2a00:1450::1")
        .with("country_code", "ie")
        .with("sub1", "a%0Ab")
        .with("sub2", "null");
    home.process(&[call]).await;
    let reward = home.reward("T1").await;
    assert_eq!(
        (reward.source.as_str(), reward.app.as_str(), reward.currency.as_str()),
        ("targo", "main", "coins")
    );
    assert_eq!((reward.user_id.as_str(), reward.tx_id.as_str()), ("u1", "T1"));
    assert_eq!((reward.reward_micros, reward.payout_micros), (Some(12_345_678), Some(500_000)));
    assert_eq!(
        (reward.offer_id.as_deref(), reward.offer_name.as_deref()),
        (Some("7"), Some("Café \"Quest\""))
    );
    assert_eq!((reward.event_id.as_deref(), reward.event_name.as_deref()), (Some("e'1"), Some("😀")));
    assert_eq!((reward.ip.as_deref(), reward.country_code.as_deref()), (Some("2a00:1450::1"), Some("ie")));
    assert_eq!((reward.sub1.as_deref(), reward.sub2.as_deref()), (Some("a\nb"), Some("null")));
    assert_eq!((reward.clicked_at, reward.received_at), (Some(RECEIVED_AT - 300_000), RECEIVED_AT));
}

async fn steps_are_kept_in_order_with_who_and_why_and_the_postback(home: &Home) {
    home.process(&[credit("T0"), suspicious("T1"), suspicious("T1")]).await;
    let id = home.reward("T1").await.id;
    home.decide(id, Review::Reject).await.expect("it is decided");
    home.decide(id, Review::Release).await.expect("it is decided");
    home.process(&[reversal("T1")]).await;

    let postbacks = home.store.postbacks_of_reward(id).await.expect("they are listed");
    let [first, _, last] = &postbacks[..] else { panic!("three postbacks, not {}", postbacks.len()) };
    let steps = home.store.steps(id).await.expect("steps are read");
    let why = steps[0].note.clone();
    assert!(why.as_deref().is_some_and(|why| why.contains("It took 1 s")), "{why:?}");
    let step = |seq, step: &str, actor: &str, note, postback_id| StepRow {
        seq,
        step: step.into(),
        actor: actor.into(),
        note,
        postback_id,
        taken_at: NOW.0,
    };
    let looked = Some("looked at it".to_owned());
    assert_eq!(
        steps,
        [
            step(1, "hold", "rules", why, Some(first.id)),
            step(2, "reject", "ann", looked.clone(), None),
            step(3, "overturn", "ann", looked, None),
            step(4, "reverse_credited", "network", None, Some(last.id)),
        ]
    );
    let of_credit = home.store.steps(home.reward("T0").await.id).await.expect("steps are read");
    assert_eq!((of_credit.len(), of_credit[0].step.as_str(), &of_credit[0].note), (1, "credit", &None));
}

async fn a_reward_that_does_not_exist_has_nothing(home: &Home) {
    home.process(&[credit("T1")]).await;
    let id = home.reward("T1").await.id + 1;
    assert_eq!(home.store.reward(id).await.expect("it is looked for"), None);
    assert_eq!(home.store.steps(id).await.expect("they are looked for"), []);
    assert_eq!(home.store.transfers(id).await.expect("they are looked for"), []);
    assert_eq!(home.store.postbacks_of_reward(id).await.expect("they are looked for"), []);
}
