//! Deciding with every rule beside many rewards, and the same where no rule asks for the past, so that nothing is remembered.

use std::fmt::Write as _;
use std::time::Instant;

use crate::crowd::Crowd;
use crate::growth::{LAST_ROUND, SEED, grow, record, store_of};
use crate::processes::Running;
use crate::sections::Run;
use crate::table::Limit;
use crate::workers;

/// Every rule that compares with what is remembered.
const ASK_FOR_THE_PAST: [&str; 12] =
    ["T5", "T6", "T10", "S1", "S2", "S3", "S4", "V1", "V2", "H1", "C1", "M1"];

pub(super) async fn measure(run: &mut Run<'_>) {
    let gateway = run.gateway().await;
    let (present, round) = (run.sizes.growth, LAST_ROUND.min(run.sizes.growth / 4).max(1));
    grow(&gateway, present, |_| {}).await;
    let store = store_of(&gateway).await;
    // Other people than those who are there.
    let mut crowd = Crowd::mixed(SEED + 1, present);
    let mut without = String::new();
    for code in ASK_FOR_THE_PAST {
        let _ = writeln!(without, "[rules.{code}]\nenabled = false");
    }
    let (mut with_past, mut without_past): (Vec<f64>, Vec<f64>) = Default::default();
    for _ in 0..run.sizes.rounds {
        for (policy, rates) in [("", &mut with_past), (without.as_str(), &mut without_past)] {
            record(&store, &mut crowd, round).await;
            let began = Instant::now();
            let working: Vec<Running> =
                (0..workers(run.database)).map(|_| gateway.worker_under(policy)).collect();
            gateway.until_nothing_waits().await;
            rates.push(round as f64 / began.elapsed().as_secs_f64());
            working.into_iter().for_each(Running::stop);
        }
    }
    store.close().await;
    gateway.remove().await;
    let (with_past, without_past) = (middle(with_past), middle(without_past));
    run.add(&format!("decided with all rules, {present} rewards present"), with_past, "/s", None);
    run.add(&format!("decided without rules about the past, {present} present"), without_past, "/s", None);
    run.add("… with all rules beside that", with_past / without_past, "×", Some(Limit::AtLeast(0.75)));
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}
