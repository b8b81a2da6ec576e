//! Listing rewards: newest first, filtered, page by page.

use domain::review::decision::Review;
use domain::reward::Status;
use domain::time::TimestampMs;
use store::rewards::list::{Place, RewardFilter, RewardRow};

use crate::support::database::Home;
use crate::support::postbacks::{
    Call, GEMS_SOURCE, RECEIVED_AT, SECOND_SOURCE, credit, reversal, suspicious,
};
use crate::support::processing::ALL;

contract! {
    both:
        rewards_are_listed_newest_first,
        rewards_are_filtered_by_status,
        rewards_are_filtered_by_source_user_and_transaction,
        rewards_are_filtered_by_when_they_were_received,
        filters_are_taken_together,
        pages_walk_over_everything_exactly_once,
        a_walk_is_not_disturbed_by_what_arrives_meanwhile,
        no_more_than_the_limit_is_listed;
}

async fn list(home: &Home, filter: &RewardFilter) -> Vec<RewardRow> {
    home.store.rewards(filter, ALL).await.expect("rewards are listed")
}

/// The transactions of the rewards that pass `filter`, in order.
async fn listed(home: &Home, filter: RewardFilter) -> Vec<String> {
    list(home, &filter).await.into_iter().map(|reward| reward.tx_id).collect()
}

fn at(second: i64) -> i64 {
    RECEIVED_AT + second * 1_000
}

/// Thirty rewards, of which many were received at the same instant, and not in the order of their ids.
/// Of every status, because each status is read through an index of its own.
async fn thirty(home: &Home) {
    let call = |number: i64| {
        let tx = format!("T{number}");
        let call = if number % 3 == 0 { credit(&tx) } else { suspicious(&tx) };
        call.received(at(number * 7 % 4))
    };
    let calls: Vec<Call> = (0..30).map(call).collect();
    home.process(&calls[..10]).await;
    home.process(&calls[10..]).await;
    home.process(&["T3", "T4", "T9"].map(reversal)).await;
    for tx in ["T1", "T2", "T25"] {
        let id = home.reward(tx).await.id;
        home.decide(id, Review::Reject).await.expect("it is decided");
    }
}

async fn rewards_are_listed_newest_first(home: &Home) {
    thirty(home).await;
    let rows = list(home, &RewardFilter::default()).await;
    assert_eq!(rows.len(), 30);
    let places: Vec<_> = rows.iter().map(|row| (row.received_at, row.id)).collect();
    assert!(places.is_sorted_by(|newer, older| newer > older), "{places:?}");
}

async fn rewards_are_filtered_by_status(home: &Home) {
    home.process(&[credit("T1"), suspicious("T2"), suspicious("T3"), credit("T4"), reversal("T4")]).await;
    let id = home.reward("T3").await.id;
    home.decide(id, Review::Reject).await.expect("it is decided");
    for (status, tx) in
        [(Status::Credited, "T1"), (Status::Held, "T2"), (Status::Rejected, "T3"), (Status::Reversed, "T4")]
    {
        let filter = RewardFilter { status: Some(status), ..RewardFilter::default() };
        let rows = list(home, &filter).await;
        let found: Vec<_> = rows.iter().map(|row| (row.tx_id.as_str(), row.status.as_str())).collect();
        assert_eq!(found, [(tx, status.name())]);
    }
}

async fn rewards_are_filtered_by_source_user_and_transaction(home: &Home) {
    home.process(&[
        credit("T1"),
        credit("T2").by("u2"),
        credit("T1").of_source(GEMS_SOURCE),
        credit("T3").by("u2").of_source(GEMS_SOURCE),
    ])
    .await;
    let all = RewardFilter::default;
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (all(), vec!["T3", "T1", "T2", "T1"]),
        (RewardFilter { source: text(GEMS_SOURCE), ..all() }, vec!["T3", "T1"]),
        (RewardFilter { source: text(SECOND_SOURCE), ..all() }, vec![]),
        (RewardFilter { user_id: text("u2"), ..all() }, vec!["T3", "T2"]),
        (RewardFilter { user_id: text("U2"), ..all() }, vec![]),
        (RewardFilter { tx_id: text("T1"), ..all() }, vec!["T1", "T1"]),
        (RewardFilter { tx_id: text("T%"), ..all() }, vec![]),
        (RewardFilter { source: text(GEMS_SOURCE), tx_id: text("T1"), ..all() }, vec!["T1"]),
        (RewardFilter { source: text(GEMS_SOURCE), user_id: text("u2"), ..all() }, vec!["T3"]),
    ] {
        assert_eq!(listed(home, filter.clone()).await, expected, "{filter:?}");
    }
}

async fn rewards_are_filtered_by_when_they_were_received(home: &Home) {
    let calls: Vec<Call> = (1..=4).map(|second| credit(&format!("T{second}")).received(at(second))).collect();
    home.process(&calls).await;
    for (from, to, expected) in [
        (Some(2), None, vec!["T4", "T3", "T2"]),
        (None, Some(2), vec!["T1"]),
        (Some(2), Some(4), vec!["T3", "T2"]),
        (Some(2), Some(2), vec![]),
        (Some(5), None, vec![]),
    ] {
        let filter = RewardFilter {
            from: from.map(|second| TimestampMs(at(second))),
            to: to.map(|second| TimestampMs(at(second))),
            ..RewardFilter::default()
        };
        assert_eq!(listed(home, filter).await, expected, "{from:?} to {to:?}");
    }
}

async fn filters_are_taken_together(home: &Home) {
    home.process(&[
        credit("T1").received(at(1)),
        credit("T2").received(at(2)).by("u2"),
        suspicious("T3").received(at(3)),
        credit("T4").received(at(4)),
        credit("T5").received(at(5)).of_source(GEMS_SOURCE),
        credit("T6").received(at(6)),
    ])
    .await;
    let newest = home.reward("T6").await;
    let filter = RewardFilter {
        status: Some(Status::Credited),
        source: Some("targo".into()),
        user_id: Some("u1".into()),
        tx_id: None,
        from: Some(TimestampMs(at(1))),
        to: Some(TimestampMs(at(7))),
        after: Some(place(&newest)),
    };
    assert_eq!(listed(home, filter).await, ["T4", "T1"]);
}

async fn pages_walk_over_everything_exactly_once(home: &Home) {
    thirty(home).await;
    let everything = list(home, &RewardFilter::default()).await;
    for size in [1, 7, 10, 29, 30, 31] {
        let mut filter = RewardFilter::default();
        let mut walked = Vec::new();
        loop {
            let page = home.store.rewards(&filter, size).await.expect("rewards are listed");
            let Some(last) = page.last() else { break };
            filter.after = Some(place(last));
            walked.extend(page);
            assert!(walked.len() <= everything.len(), "it walks in circles");
        }
        assert_eq!(walked, everything, "in pages of {size}");
    }
}

async fn a_walk_is_not_disturbed_by_what_arrives_meanwhile(home: &Home) {
    thirty(home).await;
    let everything = list(home, &RewardFilter::default()).await;
    let mut filter = RewardFilter::default();
    let mut walked = Vec::new();
    for page in 0.. {
        let rows = home.store.rewards(&filter, 7).await.expect("rewards are listed");
        let Some(last) = rows.last() else { break };
        filter.after = Some(place(last));
        walked.extend(rows);
        assert!(walked.len() <= everything.len(), "it walks in circles");
        // Newer than everything, at the very instant of the newest, and a change to what was walked over.
        home.process(&[
            credit(&format!("N{page}")).received(at(99)),
            credit(&format!("M{page}")).received(at(3)),
            credit("T0").received(at(99)),
        ])
        .await;
    }
    let ids = |rows: &[RewardRow]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(&walked), ids(&everything));
}

async fn no_more_than_the_limit_is_listed(home: &Home) {
    thirty(home).await;
    for limit in [0, 1, 29] {
        let rows = home.store.rewards(&RewardFilter::default(), limit).await.expect("rewards are listed");
        assert_eq!(i64::try_from(rows.len()), Ok(limit));
    }
}

fn place(row: &RewardRow) -> Place {
    Place { received_at: TimestampMs(row.received_at), id: row.id }
}
