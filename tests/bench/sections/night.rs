//! The reports of nights over large books.

use crate::reporting;
use crate::sections::Run;
use crate::table::Limit;

pub(super) async fn measure(run: &mut Run<'_>) {
    let gateway = run.gateway().await;
    let rewards = run.sizes.books;
    let now_ms = reporting::fill_books(&gateway, rewards).await;
    let nights = reporting::close_nights(&gateway, now_ms);
    gateway.remove().await;
    let (slowest, median) = (nights[nights.len() - 1], nights[nights.len() / 2]);
    let what = format!("a night's report at {rewards} rewards, slowest of the nights");
    run.add(&what, slowest.as_secs_f64(), "s", Some(Limit::AtMost(3.0)));
    run.add(&format!("… median of {} nights", nights.len()), median.as_secs_f64(), "s", None);
}
