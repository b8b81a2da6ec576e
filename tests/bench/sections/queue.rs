//! The pages of a long review queue, as a reviewer's browser asks the real executable for them.

use std::time::{Duration, Instant};

use domain::review::queue::Grouping;
use domain::time::TimestampMs;

use crate::held_rows::HeldRows;
use crate::now_ms;
use crate::processes::Gateway;
use crate::sections::Run;
use crate::support::signed_in::SignedIn;
use crate::table::Limit;

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
    let gateway = run.gateway().await;
    let web = gateway.web();
    gateway.add_reviewer(REVIEWER);
    let holds = i64::try_from(run.sizes.holds).expect("not so many");
    fill(&gateway, holds).await;
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

/// Puts `holds` held rewards of the last day into the queue.
async fn fill(gateway: &Gateway, holds: i64) {
    let postgres = gateway.database == "postgres";
    let now_ms = now_ms();
    let day = TimestampMs(now_ms).business_date(chrono_tz::Tz::UTC);
    let rows = HeldRows { holds, source: "bench", now_ms, day: &day, postgres };
    gateway.execute(rows.sql()).await;
    if postgres {
        gateway.execute("VACUUM ANALYZE holds".into()).await;
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
