//! Acknowledgements beside a bare route and beside the handler that most publishers write; what deciding them takes, and
//! what they weigh in the database.

use std::time::Instant;

use crate::load::{Load, Round};
use crate::processes::{Gateway, bare_route};
use crate::sections::{Run, naive};
use crate::table::Limit;
use crate::{CONNECTIONS, median, workers};

pub(super) async fn measure(run: &mut Run<'_>) {
    let (gateway, mut load, lasts) = (run.gateway().await, Load::new(), run.sizes.round);
    let naive_home = Gateway::prepare("postgres", run.postgres).await;
    let has_naive = naive::install();
    let (mut bare, mut naive, mut ours): (Vec<Round>, Vec<Round>, Vec<Round>) = Default::default();
    for _ in 0..run.sizes.rounds {
        let route = bare_route();
        bare.push(load.run(route.address, CONNECTIONS, lasts).await);
        drop(route);
        if has_naive {
            let handler = naive::start(naive_home.url());
            naive.push(load.run(handler.address, CONNECTIONS, lasts).await);
        }
        let web = gateway.web();
        ours.push(load.run(web.address, CONNECTIONS, lasts).await);
        web.stop();
    }
    naive_home.remove().await;
    let (bare, ours) = (median(bare).answers_per_second(), median(ours).answers_per_second());
    run.add("bare warp route, answers", bare, "/s", None);
    run.add("acknowledged, 256 connections", ours, "/s", None);
    run.add("acknowledged beside a bare warp route", ours / bare, "×", Some(Limit::AtLeast(0.35)));
    if has_naive {
        let naive = median(naive).answers_per_second();
        run.add("Express 5 and pg, answers", naive, "/s", None);
        run.add("acknowledged beside Express 5 and pg", ours / naive, "×", Some(Limit::AtLeast(25.0)));
    }
    let workers = workers(run.database);
    let (waiting, began) = (gateway.waiting().await, Instant::now());
    gateway.drain(workers).await;
    let per_second = waiting as f64 / began.elapsed().as_secs_f64();
    run.add(&format!("decided, cold-start rules, {workers} worker(s)"), per_second, "/s", None);
    let bytes = gateway.bytes().await as f64 / gateway.rewards().await as f64;
    run.add("bytes in the database per credited reward", bytes, "B", Some(Limit::AtMost(1_100.0)));
    gateway.remove().await;
}
