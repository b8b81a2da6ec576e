//! Retention periods: what is deleted at their end, and what always stays.

use domain::time::TimestampMs;
use store::operations::retention::{PostbackTerms, STEP_ROWS};
use store::postbacks::refused::NewRefused;
use store::postbacks::replay::Replayer;

use crate::support::database::Home;
use crate::support::postbacks::{Call, NOW, credit, reversal, suspicious, unmappable};
use crate::support::processing::ALL;

contract! {
    both:
        expired_raw_postbacks_are_deleted_and_rewards_and_books_stay,
        each_outcome_has_a_term_of_its_own_and_what_waits_never_leaves,
        a_purge_goes_on_step_by_step_until_nothing_is_due,
        a_replayed_call_stays_for_a_term_from_its_replay_and_hides_none,
        an_address_that_comes_after_its_term_is_shortened_at_once,
        without_a_term_nothing_leaves,
        refused_calls_leave_at_the_end_of_their_term,
        of_an_old_address_only_its_network_stays,
        an_old_address_leaves_the_queue_of_held_rewards_too,
        addresses_are_shortened_step_by_step_and_each_once;
}

/// Just before and just after the end of the retention periods.
const OLD: i64 = NOW.0 - 100_000_000;
const BEFORE: TimestampMs = TimestampMs(NOW.0 - 50_000_000);

const BOTH: PostbackTerms =
    PostbackTerms { processed_before: Some(BEFORE), quarantined_before: Some(BEFORE) };

/// Runs every step; the number of deleted rows.
async fn purge(home: &Home, terms: PostbackTerms) -> u64 {
    let (mut rows, mut next) = (0, Some(0));
    while let Some(after) = next {
        let purged = home.store.purge_postbacks(terms, after).await.expect("it is purged");
        rows += purged.rows;
        next = purged.next;
    }
    rows
}

async fn outcomes(home: &Home) -> Vec<String> {
    home.raw().await.texts("SELECT outcome FROM postbacks ORDER BY id").await
}

fn old(call: Call) -> Call {
    call.received(OLD)
}

async fn expired_raw_postbacks_are_deleted_and_rewards_and_books_stay(home: &Home) {
    home.process(&[old(credit("T1")), old(credit("T1")), old(reversal("T1")), old(suspicious("T2"))]).await;
    home.process(&[credit("T3")]).await;
    let before = home.balances("targo").await;
    assert_eq!(purge(home, BOTH).await, 4);
    assert_eq!(outcomes(home).await, ["processed"]);
    assert_eq!(home.balances("targo").await, before);
    for tx_id in ["T1", "T2"] {
        let reward = home.reward(tx_id).await;
        assert!(reward.verdict.is_some(), "the verdict stays");
        assert!(!home.store.steps(reward.id).await.expect("steps").is_empty());
        assert_eq!(home.store.postbacks_of_reward(reward.id).await.expect("postbacks"), []);
    }
    home.prove().await;
}

async fn each_outcome_has_a_term_of_its_own_and_what_waits_never_leaves(home: &Home) {
    home.process(&[old(credit("T1")), old(unmappable())]).await;
    home.record(&[old(credit("T2"))]).await;
    let quarantined = PostbackTerms { processed_before: None, ..BOTH };
    assert_eq!(purge(home, quarantined).await, 1);
    assert_eq!(outcomes(home).await, ["processed", "received"]);
    assert_eq!(purge(home, BOTH).await, 1);
    assert_eq!(outcomes(home).await, ["received"]);
}

async fn a_purge_goes_on_step_by_step_until_nothing_is_due(home: &Home) {
    let many = STEP_ROWS + 200;
    home.record(&(0..many).map(|_| old(unmappable())).collect::<Vec<_>>()).await;
    home.record(&[unmappable()]).await;
    home.process_waiting(ALL).await;
    let first = home.store.purge_postbacks(BOTH, 0).await.expect("a step");
    assert_eq!((i64::try_from(first.rows), first.next.is_some()), (Ok(STEP_ROWS), true));
    let second = home.store.purge_postbacks(BOTH, first.next.expect("more")).await.expect("a step");
    assert_eq!((second.rows, second.next), (200, None));
    assert_eq!(outcomes(home).await.len(), 1);
}

/// Refused so long ago, and replayed `at`.
async fn replayed(home: &Home, call: Call, at: i64) {
    let refused = NewRefused { call: call.postback(), reason: "wrong".into() };
    home.store.keep_refused(vec![refused]).await.expect("it is kept");
    let ids =
        home.store.refused_calls(None, 0).await.expect("read").into_iter().map(|call| call.id).collect();
    let by = Replayer { actor: "ann".into(), now: TimestampMs(at) };
    home.store.replay_refused(ids, by).await.expect("it is taken");
    home.process_waiting(ALL).await;
}

async fn a_replayed_call_stays_for_a_term_from_its_replay_and_hides_none(home: &Home) {
    home.process(&[old(credit("T1"))]).await;
    replayed(home, credit("T2").received(OLD - 100_000_000), OLD).await;
    home.process(&[old(credit("T3"))]).await;
    replayed(home, old(credit("T4")), NOW.0).await;
    home.process(&[credit("T5")]).await;
    assert_eq!(purge(home, BOTH).await, 3);
    assert_eq!(outcomes(home).await.len(), 2, "T4 was taken now");
}

async fn an_address_that_comes_after_its_term_is_shortened_at_once(home: &Home) {
    let from = |call: Call| call.with("ip", "203.0.113.77");
    home.process(&[old(reversal("T1")), from(old(credit("T2")))]).await;
    home.store.shorten_addresses(BEFORE).await.expect("a step");
    replayed(home, from(credit("T3").received(OLD - 1_000)), NOW.0).await;
    replayed(home, from(suspicious("T4").received(OLD - 1_000)), NOW.0).await;
    home.process(&[from(credit("T1")), from(credit("T5"))]).await;
    let ip = async |tx_id: &str| home.reward(tx_id).await.ip;
    for tx_id in ["T1", "T2", "T3", "T4"] {
        assert_eq!(ip(tx_id).await.as_deref(), Some("203.0.113.0/24"), "{tx_id}");
    }
    assert_eq!(ip("T5").await.as_deref(), Some("203.0.113.77"));
    let held = home.raw().await.texts("SELECT address_group FROM holds").await;
    assert_eq!(held, [""], "no address in the queue either");
    home.prove().await;
}

async fn without_a_term_nothing_leaves(home: &Home) {
    home.process(&[old(credit("T1")), old(unmappable())]).await;
    let never = PostbackTerms { processed_before: None, quarantined_before: None };
    assert_eq!(purge(home, never).await, 0);
    assert_eq!(outcomes(home).await.len(), 2);
}

async fn refused_calls_leave_at_the_end_of_their_term(home: &Home) {
    let refused = |call: Call| NewRefused { call: call.postback(), reason: "wrong".into() };
    let kept = vec![refused(old(credit("T1"))), refused(credit("T2"))];
    home.store.keep_refused(kept).await.expect("they are kept");
    let purged = home.store.purge_refused(BEFORE).await.expect("a step");
    assert_eq!((purged.rows, purged.next), (1, None));
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM refused").await, 1);
}

async fn addresses(home: &Home) -> Vec<Option<String>> {
    let rows: Vec<(Option<String>,)> = home.raw().await.rows("SELECT ip FROM rewards ORDER BY id").await;
    rows.into_iter().map(|(ip,)| ip).collect()
}

async fn of_an_old_address_only_its_network_stays(home: &Home) {
    let from = |tx_id: &str, ip: &str| old(credit(tx_id)).with("ip", ip);
    home.process(&[
        from("T1", "203.0.113.77"),
        from("T2", "2001:db8:1:2::77"),
        from("T3", "not-an-address"),
        old(credit("T4")),
        from("T5", "203.0.113.78").received(NOW.0),
    ])
    .await;
    let done = home.store.shorten_addresses(BEFORE).await.expect("a step");
    // An invalid address is not even kept.
    assert_eq!((done.rows, done.next), (2, None));
    let short = [Some("203.0.113.0/24"), Some("2001:db8:1::/48"), None, None, Some("203.0.113.78")];
    assert_eq!(addresses(home).await, short.map(|ip| ip.map(str::to_owned)));
    home.prove().await;
}

async fn an_old_address_leaves_the_queue_of_held_rewards_too(home: &Home) {
    let held = |tx_id: &str| suspicious(tx_id).with("ip", "203.0.113.77");
    home.process(&[old(held("T1")), held("T2"), old(credit("T3")).with("ip", "203.0.113.77")]).await;
    home.store.shorten_addresses(BEFORE).await.expect("a step");
    let mut raw = home.raw().await;
    let groups = |table: &str| format!("SELECT COALESCE(address_group, 'none') FROM {table}");
    let rewards = raw.texts(&format!("{} ORDER BY id", groups("rewards"))).await;
    assert_eq!(rewards, ["", "203.0.113.77", "none"]);
    assert_eq!(raw.texts(&format!("{} ORDER BY reward_id", groups("holds"))).await, ["", "203.0.113.77"]);
    let kept: i64 = raw.number("SELECT COUNT(*) FROM verdicts WHERE location LIKE '%203.0.113.77%' OR facts LIKE '%203.0.113.77%'").await;
    assert_eq!(kept, 0, "and it stands nowhere else");
}

async fn addresses_are_shortened_step_by_step_and_each_once(home: &Home) {
    let many = STEP_ROWS + 10;
    let calls: Vec<_> = (0..many)
        .map(|n| {
            let call = if n % 3 == 0 { suspicious } else { credit };
            old(call(&format!("T{n}"))).by(&format!("u{n}")).with("ip", "203.0.113.77")
        })
        .collect();
    home.record(&calls).await;
    while !home.process_waiting(500).await.postbacks.is_empty() {}
    let first = home.store.shorten_addresses(BEFORE).await.expect("a step");
    assert_eq!((i64::try_from(first.rows), first.next.is_some()), (Ok(STEP_ROWS), true));
    let second = home.store.shorten_addresses(BEFORE).await.expect("a step");
    assert_eq!((second.rows, second.next), (10, None));
    assert_eq!(home.store.shorten_addresses(BEFORE).await.expect("a step").rows, 0);
    assert!(addresses(home).await.iter().all(|ip| ip.as_deref() == Some("203.0.113.0/24")));
}
