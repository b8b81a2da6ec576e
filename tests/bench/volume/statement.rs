//! How long a report over many rewards takes, and a long statement about them.

use std::time::Instant;

use crate::support::bulk::rewards::{Planted, fill, report};
use crate::support::database::Home;

/// Books `rewards`, then measures the report of a day and the import of a statement with a fifth as many lines.
pub(crate) async fn measure(home: &Home, rewards: i64) {
    fill(home, rewards).await;
    let began = Instant::now();
    report(home, rewards).await;
    println!("{:?}: report over {rewards} rewards in {:?}", home.kind(), began.elapsed());

    let planted = Planted::new(rewards);
    let began = Instant::now();
    let id = planted.import(home).await;
    println!("{:?}: {} lines received and matched in {:?}", home.kind(), planted.lines, began.elapsed());
    planted.assert_found(home, id).await;
}
