//! Quarantine: a postback that cannot be mapped or saved is quarantined with its reason, and stops no other.

use store::postbacks::inbox::Claim;
use store::postbacks::list::{OutcomeFilter, PostbackFilter, PostbackRow};

use crate::support::database::Home;
use crate::support::postbacks::{NOW, credit, processed, processor, unmappable};
use crate::support::processing::{ALL, CREDITED, plain};

contract! {
    both:
        an_unmappable_postback_is_quarantined_and_the_others_are_processed,
        what_an_unknown_source_sent_is_quarantined,
        a_batch_of_nothing_but_faults_is_settled_too,
        exactly_the_postback_that_is_named_is_put_aside,
        what_does_not_wait_is_never_put_aside;
    postgres:
        postbacks_locked_by_another_worker_are_not_quarantined;
}

async fn quarantined(home: &Home) -> Vec<PostbackRow> {
    let filter = PostbackFilter { outcome: Some(OutcomeFilter::Quarantined), ..PostbackFilter::default() };
    let mut rows = home.store.postbacks(&filter, ALL).await.expect("they are listed");
    rows.reverse();
    rows
}

async fn an_unmappable_postback_is_quarantined_and_the_others_are_processed(home: &Home) {
    let calls = [
        credit("T0").with("reward", "-1"),
        credit("T1"),
        unmappable(),
        credit("T2").with("status", 3).with("user_id", "%FF"),
        credit("T1"),
    ];
    let outcomes = home.process(&calls).await;
    let because = |reason: &str| Some(reason.to_owned());
    assert_eq!(
        outcomes,
        [
            ("quarantined", because("`reward` is negative")),
            ("processed", None),
            ("quarantined", because("`tx_id` is missing")),
            ("quarantined", because("`user_id` is not UTF-8")),
            ("repeat", None),
        ]
    );
    assert_eq!(plain(&home.balances("targo").await), CREDITED);

    let rows = quarantined(home).await;
    let targets: Vec<_> = [0, 2, 3].iter().map(|index: &usize| calls[*index].target()).collect();
    assert_eq!(rows.iter().map(|row| row.target.clone()).collect::<Vec<_>>(), targets);
    let reasons: Vec<_> = rows.iter().map(|row| (row.reason.as_deref(), row.reward_id)).collect();
    assert_eq!(reasons[1], (Some("`tx_id` is missing"), None));
    home.prove().await;
}

async fn what_an_unknown_source_sent_is_quarantined(home: &Home) {
    let outcomes = home.process(&[credit("T1").of_source("nobody"), credit("T1")]).await;
    let reason = Some("the source `nobody` is not in the settings".to_owned());
    assert_eq!(outcomes, [("quarantined", reason), ("processed", None)]);
}

async fn a_batch_of_nothing_but_faults_is_settled_too(home: &Home) {
    assert_eq!(home.process(&[unmappable(), unmappable()]).await.len(), 2);
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 0);
    assert_eq!(quarantined(home).await.len(), 2);
}

async fn put_aside(home: &Home, id: i64) {
    home.store.quarantine(id, "it is poison".into(), NOW).await.expect("it is put aside, if it waits");
}

async fn exactly_the_postback_that_is_named_is_put_aside(home: &Home) {
    home.process(&[credit("T0")]).await;
    home.record(&[credit("T1"), credit("T2"), credit("T3")]).await;
    put_aside(home, home.first_waiting(2).await[1]).await;

    let rows = quarantined(home).await;
    let rows: Vec<_> = rows.iter().map(|row| (row.target.clone(), row.reason.as_deref())).collect();
    assert_eq!(rows, [(credit("T2").target(), Some("it is poison"))]);
    let settlement = home.process_waiting(ALL).await;
    let keys: Vec<_> = settlement.rewards.iter().map(|settled| settled.reward.key.as_str()).collect();
    assert_eq!(keys, ["T1", "T3"]);
}

async fn what_does_not_wait_is_never_put_aside(home: &Home) {
    home.process(&[credit("T1"), credit("T1"), unmappable()]).await;
    home.record(&[credit("T2")]).await;
    let everything = PostbackFilter::default();
    let before = home.store.postbacks(&everything, ALL).await.expect("they are listed");
    let settled = before[1..].iter().map(|row| row.id);
    for id in settled.chain([before[0].id + 1, 0, -1, i64::MAX]) {
        put_aside(home, id).await;
    }
    assert_eq!(home.store.postbacks(&everything, ALL).await.expect("they are listed"), before);
}

/// The caller means the postback that failed while it processed it. If another worker has it by now, that one may
/// still process it, and the next one in the inbox is not the one that failed.
async fn postbacks_locked_by_another_worker_are_not_quarantined(home: &Home) {
    home.record(&[credit("T1"), credit("T2")]).await;
    let waiting = home.first_waiting(ALL).await;
    let mut another_worker = home.raw().await;
    another_worker
        .execute(&format!("BEGIN; SELECT 1 FROM postbacks WHERE id = {} FOR UPDATE", waiting[0]))
        .await;
    put_aside(home, waiting[0]).await;
    assert_eq!(home.first_waiting(ALL).await, waiting, "listed, whoever holds them");
    let alone =
        processed(&home.store, Claim::Only(waiting[0]), processor(), NOW).await.expect("it is skipped");
    assert!(alone.postbacks.is_empty());

    another_worker.execute("ROLLBACK").await;
    assert_eq!(home.process_waiting(ALL).await.postbacks.len(), 2);
    assert_eq!(quarantined(home).await, []);
}
