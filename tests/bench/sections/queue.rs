//! The pages of a long review queue, as a reviewer's browser asks the real executable for them.

use std::time::{Duration, Instant};

use domain::review::queue::Grouping;

use crate::crowd::Crowd;
use crate::growth::{SEED, record, store_of};
use crate::processes::Gateway;
use crate::sections::Run;
use crate::support::signed_in::SignedIn;
use crate::table::Limit;
use crate::workers;

/// The reviewer.
const REVIEWER: &str = "rita";
/// The orders of the queue, as its URLs name them.
const SORTS: [&str; 3] = ["age", "money", "score"];
/// What a page may take, in milliseconds.
const MOST: Limit = Limit::AtMost(150.0);

/// A page that is asked for again and again, and how long each answer took.
struct Asked {
    what: String,
    took: Vec<Duration>,
}

pub(super) async fn measure(run: &mut Run<'_>) {
    let (gateway, holds) = (run.gateway().await, run.sizes.holds);
    fill(&gateway, holds).await;
    let web = gateway.web();
    gateway.add_reviewer(REVIEWER);
    let reviewer = SignedIn::new(web.address, REVIEWER, &[]);
    let mut pages = Vec::new();
    for grouping in Grouping::ALL {
        for sort in SORTS {
            pages.extend(asked(&reviewer, grouping.name(), sort, run.sizes.views));
        }
    }
    web.stop();
    gateway.remove().await;
    let all: Vec<Duration> = pages.iter().flat_map(|page| page.took.clone()).collect();
    let slowest = pages.iter().max_by_key(|page| p95(&page.took)).expect("some pages");
    let ms = |took: Duration| took.as_secs_f64() * 1_000.0;
    let what = format!("review page with {holds} holds, over HTTP: p95 of {} answers", all.len());
    run.add(&what, ms(p95(&all)), "ms", Some(MOST));
    let what = format!("… p95 of the slowest of {} pages: {}", pages.len(), slowest.what);
    run.add(&what, ms(p95(&slowest.took)), "ms", Some(MOST));
}

/// Lets `holds` rewards be held, as everywhere: by workers that decide.
async fn fill(gateway: &Gateway, holds: u64) {
    let store = store_of(gateway).await;
    record(&store, &mut Crowd::held(SEED, holds), holds).await;
    store.close().await;
    gateway.drain(workers(gateway.database)).await;
    assert_eq!(u64::try_from(gateway.held().await), Ok(holds), "all are held");
    if gateway.database == "postgres" {
        // Its server does that by itself from time to time.
        gateway.execute("VACUUM ANALYZE".into()).await;
    }
}

/// The first page of this grouping and order, and the second if there is one.
fn asked(reviewer: &SignedIn, grouping: &str, sort: &str, views: usize) -> Vec<Asked> {
    let mut pages = Vec::new();
    let mut path = Some(format!("/review?group={grouping}&sort={sort}"));
    for page in ["first", "second"] {
        let Some(asked) = path.take() else { break };
        let mut took = Vec::new();
        for _ in 0..views {
            let began = Instant::now();
            let answer = reviewer.get(&asked);
            took.push(began.elapsed());
            assert_eq!(answer.status, 200, "{asked}: {}", answer.body);
            assert!(answer.body.contains("data-peek"), "{asked} lists something");
            path = next(&answer.body);
        }
        let what = format!("{page} by {grouping}, {sort} first");
        println!("         {what:<46} p95 {:>7.1} ms", p95(&took).as_secs_f64() * 1_000.0);
        pages.push(Asked { what, took });
    }
    pages
}

/// Where "Show more" leads.
fn next(page: &str) -> Option<String> {
    let (before, _) = page.split_once("\" data-key=\"n\"")?;
    let (_, path) = before.rsplit_once("href=\"")?;
    Some(path.replace("&#38;", "&").replace("&amp;", "&"))
}

fn p95(took: &[Duration]) -> Duration {
    let mut took = took.to_vec();
    took.sort_unstable();
    took[(took.len() * 95 / 100).min(took.len() - 1)]
}
