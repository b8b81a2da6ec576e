//! The whole path in one process, and with web and worker apart.

use std::time::Instant;

use crate::CONNECTIONS;
use crate::load::Load;
use crate::sections::Run;
use crate::table::Limit;

/// Postbacks a second while web and worker are apart.
const STEADY: u32 = 3_000;

/// One process that does it all, saturated: counted until nothing waits any more.
pub(super) async fn whole(run: &mut Run<'_>) {
    let gateway = run.gateway().await;
    let (up, began) = (gateway.up(), Instant::now());
    let round = Load::new().run(up.address, CONNECTIONS, run.sizes.long).await;
    gateway.until_nothing_waits().await;
    let per_second = round.answers as f64 / began.elapsed().as_secs_f64();
    up.stop();
    let limit = |limit| run.is_sqlite().then_some(limit);
    let (least, p99) = (limit(Limit::AtLeast(12_000.0)), limit(Limit::AtMost(50.0)));
    run.add("whole path in one process, saturated", per_second, "/s", least);
    run.add("… p99 of its acknowledgements", round.p99_ms(), "ms", p99);
    gateway.remove().await;
}

/// Web and worker apart on one database, at a steady rate.
pub(super) async fn measure(run: &mut Run<'_>) {
    let gateway = run.gateway().await;
    let (web, worker) = (gateway.web(), gateway.worker());
    let round = Load::new().steady(web.address, STEADY, tokio::time::sleep(run.sizes.long)).await;
    gateway.until_nothing_waits().await;
    web.stop();
    worker.stop();
    let what = format!("web and worker apart at {STEADY}/s: p99 of acknowledgements");
    run.add(&what, round.p99_ms(), "ms", Some(Limit::AtMost(25.0)));
    gateway.remove().await;
}
