//! Counts of faults in the network's data in the last hours, by source and rule.

use domain::time::TimestampMs;
use store::review::context::DataTallyRow;

use crate::support::database::Home;
use crate::support::postbacks::{NOW, SECOND_SOURCE, credit, reversal, unmappable, without_money};

contract! {
    both:
        faults_of_data_are_counted_by_source_and_rule_across_batches,
        what_was_counted_long_ago_is_neither_read_nor_kept;
}

const HOUR_MS: i64 = 3_600_000;

async fn tallies(home: &Home, since: i64) -> Vec<(String, String, i64, i64)> {
    let rows = home.store.data_tallies(TimestampMs(since)).await.expect("they are read");
    rows.into_iter()
        .map(|DataTallyRow { source, code, fired, looked_at }| (source, code, fired, looked_at))
        .collect()
}

async fn faults_of_data_are_counted_by_source_and_rule_across_batches(home: &Home) {
    let unfilled = |tx_id: &str| credit(tx_id).with("event_id", "{event_id}");
    home.process(&[unfilled("T1"), unfilled("T1"), credit("T2"), unmappable(), without_money("T3")]).await;
    home.process(&[unfilled("T4"), reversal("T1").with("reward", "some")]).await;
    home.process(&[credit("T1").of_source(SECOND_SOURCE).with("user_id", "null")]).await;
    let of =
        |source: &str, code: &str, fired, looked_at| (source.to_owned(), code.to_owned(), fired, looked_at);
    // A repeat is looked at no more, and neither is what has no effect.
    let mut found = tallies(home, NOW.0 - HOUR_MS).await;
    found.sort();
    assert_eq!(found, [of(SECOND_SOURCE, "Q9", 1, 1), of("targo", "Q7", 1, 4), of("targo", "Q8", 2, 4)]);
}

async fn what_was_counted_long_ago_is_neither_read_nor_kept(home: &Home) {
    home.process(&[credit("T1").with("sub1", "%FF")]).await;
    assert_eq!(tallies(home, NOW.0 + HOUR_MS).await, []);
    let rows = || async { home.raw().await.number("SELECT COUNT(*) FROM data_tallies").await };
    home.store.forget_tallies(TimestampMs(NOW.0 - HOUR_MS)).await.expect("there is nothing to forget");
    assert_eq!(rows().await, 2);
    home.store.forget_tallies(TimestampMs(NOW.0 + HOUR_MS)).await.expect("they are forgotten");
    assert_eq!(rows().await, 0);
}
