//! Listing postbacks: newest first, by outcome, page by page.

use store::postbacks::list::{OutcomeFilter, PostbackFilter, PostbackRow};
use store::postbacks::quarantine::By;
use store::postbacks::refused::NewRefused;

use crate::support::database::Home;
use crate::support::postbacks::{
    Call, NOW, RECEIVED_AT, SECOND_SOURCE, credit, reversal, unmappable, without_money,
};
use crate::support::processing::ALL;

contract! {
    both:
        postbacks_are_listed_newest_first_with_their_outcome,
        postbacks_are_filtered_by_outcome,
        postbacks_are_filtered_by_source,
        pages_walk_over_every_postback_exactly_once,
        the_postbacks_of_a_reward_are_listed_in_the_order_received,
        a_place_in_the_list_holds_under_every_filter;
}

async fn list(home: &Home, filter: &PostbackFilter) -> Vec<PostbackRow> {
    home.store.postbacks(filter, ALL).await.expect("postbacks are listed")
}

fn of(outcome: OutcomeFilter) -> PostbackFilter {
    PostbackFilter { outcome: Some(outcome), ..PostbackFilter::default() }
}

/// Two postbacks of every outcome, from two sources.
async fn two_of_each(home: &Home) {
    let from_both = |call: Call| [call.clone(), call.of_source(SECOND_SOURCE)];
    let calls: Vec<_> =
        [credit("T1"), credit("T1"), unmappable(), without_money("T4"), credit("T5").with("status", 9)]
            .into_iter()
            .flat_map(from_both)
            .collect();
    home.process(&from_both(unmappable())).await;
    for row in list(home, &PostbackFilter::default()).await {
        let by = By { actor: "mara".into(), reason: "a test of the network's".into(), now: NOW };
        home.store.set_aside(row.id, by).await.expect("it is set aside");
    }
    home.process(&calls).await;
    home.record(&from_both(credit("T2"))).await;
    let refused = from_both(credit("T3"))
        .map(|call| NewRefused { call: call.postback(), reason: "`hash` is missing".into() });
    home.store.keep_refused(refused.to_vec()).await.expect("they are kept");
}

async fn postbacks_are_listed_newest_first_with_their_outcome(home: &Home) {
    home.process(&[credit("T1"), credit("T1").with("reward", 9), unmappable()]).await;
    home.record(&[credit("T2")]).await;
    let reward_id = home.reward("T1").await.id;
    let rows = list(home, &PostbackFilter::default()).await;
    assert!(rows.is_sorted_by(|newer, older| newer.id > older.id));
    let row = |call: &Call, id, outcome: &str, reason: Option<&str>, reward_id| PostbackRow {
        id,
        source: "targo".into(),
        received_at: RECEIVED_AT,
        method: "GET".into(),
        target: call.target(),
        body: None,
        headers: None,
        remote_ip: "198.51.100.7".into(),
        request_id: Some("request".into()),
        outcome: outcome.into(),
        reason: reason.map(str::to_owned),
        body_left_out: None,
        reward_id,
    };
    let other_money = credit("T1").with("reward", 9);
    let conflict = Some("conflict: reward 9 instead of 500");
    assert_eq!(
        rows,
        [
            row(&credit("T2"), rows[0].id, "received", None, None),
            row(&unmappable(), rows[1].id, "quarantined", Some("`tx_id` is missing"), None),
            row(&other_money, rows[2].id, "processed", conflict, Some(reward_id)),
            row(&credit("T1"), rows[3].id, "processed", None, Some(reward_id)),
        ]
    );
}

async fn postbacks_are_filtered_by_outcome(home: &Home) {
    two_of_each(home).await;
    for outcome in OutcomeFilter::ALL {
        let rows = list(home, &of(outcome)).await;
        assert_eq!(rows.len(), 2, "{outcome:?}");
        assert!(rows[0].id > rows[1].id, "{outcome:?}");
        for row in rows {
            assert_eq!(OutcomeFilter::parse(&row.outcome), Some(outcome));
        }
    }
    // Refused calls are no postbacks: they stand apart.
    assert_eq!(list(home, &PostbackFilter::default()).await.len(), 14);
}

async fn postbacks_are_filtered_by_source(home: &Home) {
    two_of_each(home).await;
    let source = Some(SECOND_SOURCE.to_owned());
    let filter = PostbackFilter { source: source.clone(), ..PostbackFilter::default() };
    let rows = list(home, &filter).await;
    assert_eq!(rows.len(), 7);
    assert!(rows.iter().all(|row| row.source == SECOND_SOURCE));
    for outcome in OutcomeFilter::ALL {
        let rows = list(home, &PostbackFilter { source: source.clone(), ..of(outcome) }).await;
        let sources: Vec<_> = rows.iter().map(|row| row.source.as_str()).collect();
        assert_eq!(sources, [SECOND_SOURCE], "{outcome:?}");
    }
}

async fn pages_walk_over_every_postback_exactly_once(home: &Home) {
    let calls: Vec<_> = (0..23).map(|number| credit(&format!("T{}", number % 9))).collect();
    home.process(&calls).await;
    for filter in [PostbackFilter::default(), of(OutcomeFilter::Processed), of(OutcomeFilter::Repeat)] {
        let everything = list(home, &filter).await;
        for size in [1, 4, 100] {
            let (mut filter, mut walked) = (filter.clone(), Vec::new());
            loop {
                let page = home.store.postbacks(&filter, size).await.expect("postbacks are listed");
                let Some(last) = page.last() else { break };
                filter.before_id = Some(last.id);
                walked.extend(page);
                assert!(walked.len() <= everything.len(), "it walks in circles");
            }
            assert_eq!(walked, everything, "{filter:?} in pages of {size}");
        }
    }
}

async fn the_postbacks_of_a_reward_are_listed_in_the_order_received(home: &Home) {
    home.process(&[credit("T1"), credit("T2"), credit("T1"), unmappable(), reversal("T1"), reversal("T1")])
        .await;
    let id = home.reward("T1").await.id;
    let rows = home.store.postbacks_of_reward(id).await.expect("postbacks are listed");
    let outcomes: Vec<_> = rows.iter().map(|row| (row.outcome.as_str(), row.reward_id)).collect();
    let expected = ["processed", "repeat", "processed", "repeat"].map(|outcome| (outcome, Some(id)));
    assert_eq!(outcomes, expected);
    assert!(rows.is_sorted_by(|earlier, later| earlier.id < later.id));
}

async fn a_place_in_the_list_holds_under_every_filter(home: &Home) {
    two_of_each(home).await;
    let all = list(home, &PostbackFilter::default()).await;
    let before_id = Some(all[3].id);
    for outcome in [OutcomeFilter::Received, OutcomeFilter::Processed, OutcomeFilter::Quarantined] {
        let rows = list(home, &PostbackFilter { before_id, ..of(outcome) }).await;
        let expected: Vec<_> = all[4..].iter().filter(|row| row.outcome == outcome.name()).cloned().collect();
        assert_eq!(rows, expected, "{outcome:?}");
    }
}
