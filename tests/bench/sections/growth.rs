//! Deciding, and what a reward weighs, beside many rewards.

use crate::growth::{Point, grow};
use crate::sections::Run;
use crate::table::Limit;
use crate::workers;

pub(super) async fn measure(run: &mut Run<'_>) {
    let gateway = run.gateway().await;
    let mut points: Vec<Point> = Vec::new();
    grow(&gateway, run.sizes.growth, |point| points.push(point)).await;
    gateway.remove().await;
    let (workers, least) = (workers(run.database), if run.is_sqlite() { 15_000.0 } else { 20_000.0 });
    for point in &points {
        let (rewards, is_last) = (point.rewards, point.rewards == run.sizes.growth);
        let limit = |limit| is_last.then_some(limit);
        let (least, bytes) = (limit(Limit::AtLeast(least)), limit(Limit::AtMost(1_100.0)));
        let what = format!("decided, {rewards} rewards present, {workers} worker(s)");
        run.add(&what, point.decided_per_second, "/s", least);
        run.add(
            &format!("… bytes in the database per reward at {rewards}"),
            point.bytes_per_reward,
            "B",
            bytes,
        );
        run.add(&format!("… resident memory of a worker at {rewards}"), point.resident_mib, "MiB", None);
    }
}
