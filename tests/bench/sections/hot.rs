//! The same user, offer and event again and again, beside as many distinct ones.
//!
//! All of one user, offer and event are held but the first (V3). A hold costs more than a credit, so the limit is about
//! distinct ones that are held as well, all but the first (M1: a large payout); the credited ones are shown too.

use std::time::Instant;

use crate::load::Load;
use crate::sections::Run;
use crate::table::Limit;
use crate::{CONNECTIONS, workers};

/// What is sent: distinct ones credited, distinct ones held, one user, offer and event.
const LOADS: [fn() -> Load; 3] = [Load::new, Load::held, Load::of_one_task];

pub(super) async fn measure(run: &mut Run<'_>) {
    let mut rates: [Vec<f64>; 3] = Default::default();
    // In turn, so that whatever else the machine does meets all of them.
    for _ in 0..run.sizes.rounds {
        let mut held = Vec::new();
        for (load, rates) in LOADS.into_iter().zip(&mut rates) {
            let (per_second, holds) = decided(run, load()).await;
            rates.push(per_second);
            held.push(holds);
        }
        let all_but_one = i64::try_from(run.sizes.hot).expect("not so many") - 1;
        assert_eq!(held, [0, all_but_one, all_but_one], "what is compared has the same number of holds");
    }
    let [credited, held, hot] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    let count = run.sizes.hot;
    run.add(&format!("decided, {count} distinct ones, all credited"), credited, "/s", None);
    run.add(&format!("decided, {count} distinct ones, all held but one (M1)"), held, "/s", None);
    run.add(
        &format!("decided, {count} of one user, offer and event, all held but one (V3)"),
        hot,
        "/s",
        None,
    );
    run.add("… beside distinct ones that are all credited", hot / credited, "×", None);
    run.add("… beside distinct ones that are all held but one", hot / held, "×", Some(Limit::AtLeast(0.8)));
}

/// How many of `load` are decided a second, and how many of them were held.
async fn decided(run: &Run<'_>, mut load: Load) -> (f64, i64) {
    let gateway = run.gateway().await;
    let web = gateway.web();
    let sent = load.send(web.address, CONNECTIONS, run.sizes.hot).await.answers;
    web.stop();
    let began = Instant::now();
    gateway.drain(workers(run.database)).await;
    let per_second = sent as f64 / began.elapsed().as_secs_f64();
    let held = gateway.held().await;
    gateway.remove().await;
    (per_second, held)
}
