//! Long queues and statements. How long much longer ones take is measured by `cargo bench --bench volume`.

use domain::review::decision::Review;
use store::review::decisions::{BulkDecision, Reviewer, Wanted};
use store::review::holds::HoldFilter;

use crate::support::bulk::{holds, rewards};
use crate::support::database::Home;
use crate::support::postbacks::{NOW, TODAY};

contract! {
    both:
        decisions_on_a_long_queue_keep_the_books_proven,
        a_long_statement_finds_every_planted_difference;
}

async fn decisions_on_a_long_queue_keep_the_books_proven(home: &Home) {
    const HOLDS: i64 = 2_000;
    holds::fill(home, HOLDS).await;
    assert_eq!(home.store.hold_count().await.expect("counted"), HOLDS);
    let ids = home.store.hold_ids(&HoldFilter::default(), HOLDS).await.expect("listed");
    let mut wanted = ids.into_iter().map(|(reward_id, steps)| Wanted { reward_id, steps });
    for many in [1, 1_000] {
        let click = BulkDecision {
            wanted: wanted.by_ref().take(many).collect(),
            decision: Review::Release,
            overturn: false,
            reviewer: Reviewer { actor: "ann".into(), note: None, now: NOW, business_date: TODAY.into() },
        };
        assert_eq!(home.store.decide(click).await.expect("decided").taken.len(), many);
    }
    home.prove().await;
}

async fn a_long_statement_finds_every_planted_difference(home: &Home) {
    const REWARDS: i64 = 10_000;
    rewards::fill(home, REWARDS).await;
    rewards::report(home, REWARDS).await;
    let planted = rewards::Planted::new(REWARDS);
    let id = planted.import(home).await;
    planted.assert_found(home, id).await;
}
