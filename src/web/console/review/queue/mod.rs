//! `/review`: the queue. It lists clusters of held rewards, or the rewards of one cluster, and shows one reward beside
//! the list. The URL holds the whole state of the page.

mod clusters;
mod filter_form;
mod holds;

use askama::Template;
use domain::time::TimestampMs;
use store::review::holds::HoldFilter;

use crate::console::Console;
use crate::console::review::decide::{Done, Undo};
use crate::console::review::going_on::{first_cluster, following, open};
use crate::console::review::lists::Target;
use crate::console::review::reward::{self, RewardView};
use crate::console::review::scope::Scope;
use crate::console::shell::answer::{Answer, Answered, PageError, page as render};
use crate::console::shell::frame::Frame;
use crate::console::shell::request::Request;
use crate::console::shell::said::with;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, counted, moment, number, priced, usd};
use crate::console::shell::visible::filters;
use clusters::{ClusterView, clusters, title};
use filter_form::{FilterView, filter_view};
use holds::{HoldView, hold_view, rows};

/// Clusters or rewards on one page.
const PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "review.html")]
struct ReviewPage {
    frame: Frame,
    summary: String,
    filter: FilterView,
    cluster: Option<OpenCluster>,
    clusters: Vec<ClusterView>,
    holds: Vec<HoldView>,
    total: String,
    next: String,
    item: Option<RewardView>,
    done: Option<Done>,
    undo: Option<Undo>,
    back: String,
    scope: Vec<(&'static str, String)>,
    /// True if the URL names the open reward; a narrow screen then shows it first.
    is_chosen: bool,
    oldest: Option<Moment>,
    late: String,
    may_review: bool,
    new_url: String,
    reload_url: String,
}

struct OpenCluster {
    title: String,
    back: String,
    /// What an entry of a list can name; empty for people who may not add one.
    targets: Vec<Target>,
}

pub(super) struct Chip {
    pub(super) text: String,
    pub(super) strong: bool,
}

/// The list, and the reward beside it.
struct Listed {
    clusters: Vec<ClusterView>,
    holds: Vec<HoldView>,
    next: String,
    item: Option<RewardView>,
}

/// `GET /review`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    let now = console.clock.now();
    let scope = Scope::of_query(request);
    let filter = scope.filter(now);
    let filter = &*console.store.with_search(&filter).await?;
    let listed = async {
        match scope.first {
            None => all(console, viewer, request, &scope, filter, now).await,
            Some(_) => shown(console, viewer, request, &scope, Some(filter), now).await,
        }
    };
    let (totals, choices, frame, listed) = tokio::try_join!(
        async { Ok(console.store.hold_totals(filter, now).await?) },
        console.choices(now),
        Frame::load(console, viewer, "/review"),
        listed,
    )?;
    let is_cluster = scope.first.is_some();
    // After the last reward of a cluster, the next cluster opens.
    if is_cluster && totals.rewards == 0 && request.query("on").is_some() {
        let next = first_cluster(console, &scope, now).await?;
        let message = ["said", "seal"].map(|name| request.query(name).map(|value| (name, value.to_owned())));
        let message: Vec<(&str, String)> = message.into_iter().flatten().collect();
        let next = match next {
            Some(next) => scope.in_cluster(&next.first, &next.second),
            None => scope.all_clusters(),
        };
        return Ok(Answer::To(with(&next.url(&[]), &message)));
    }
    let (done, undo) = crate::console::review::decide::done(console, viewer, request).await?;
    let newest = totals.newest_id.unwrap_or_default();
    let new_url = format!("/review/new?{}", query_of(&scope, newest));
    let summary = format!(
        "{} · {}{} at stake",
        counted(totals.rewards, "reward"),
        worth(totals.reward_micros, totals.currency.as_deref()),
        usd(totals.payout_micros),
    );
    let cluster = scope.cluster().map(|key| OpenCluster {
        title: title(
            key.grouping,
            &key.first,
            &key.second,
            listed.holds.first().map(|hold| hold.offer.as_str()).unwrap_or_default(),
        ),
        targets: if viewer.may_review() { Target::of_cluster(&key) } else { Vec::new() },
        back: scope.clone().all_clusters().url(&[("o1", key.first), ("o2", key.second)]),
    });
    let back = scope.url(&[]);
    render(&ReviewPage {
        frame,
        summary,
        oldest: totals.oldest_at.map(|at| moment(at, now)),
        late: if totals.overdue > 0 { format!("{} overdue", number(totals.overdue)) } else { String::new() },
        filter: filter_view(&scope, &choices),
        cluster,
        clusters: listed.clusters,
        holds: listed.holds,
        total: number(totals.rewards),
        next: listed.next,
        item: listed.item,
        done,
        undo,
        scope: scope.fields(),
        is_chosen: ["open", "o1"].iter().any(|name| request.query(name).is_some()),
        may_review: viewer.may_review(),
        new_url,
        reload_url: back.clone(),
        back,
    })
}

/// Every cluster, and the first reward of one of them. That reward is not claimed: only opening its cluster claims it.
async fn all(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    scope: &Scope,
    filter: &HoldFilter,
    now: TimestampMs,
) -> Result<Listed, PageError> {
    let (mut clusters, next) = clusters(console, scope, filter, request, now).await?;
    let named = |name: &str| request.query(name).unwrap_or_default().to_owned();
    let (first, second) = (named("o1"), named("o2"));
    let open = clusters.iter().position(|(row, _)| (&row.first, &row.second) == (&first, &second));
    let mut item = None;
    if let Some((row, view)) = clusters.get_mut(open.unwrap_or(0)) {
        view.open = true;
        let within = scope.in_cluster(&row.first, &row.second);
        item = shown(console, viewer, request, &within, None, now).await?.item;
    }
    Ok(Listed {
        clusters: clusters.into_iter().map(|(_, view)| view).collect(),
        holds: Vec::new(),
        next,
        item,
    })
}

/// The rewards of the cluster of `scope`, with one of them open; claimed for the viewer if the cluster itself is open,
/// which is when it has its `filter`.
async fn shown(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    scope: &Scope,
    filter: Option<&HoldFilter>,
    now: TimestampMs,
) -> Result<Listed, PageError> {
    let is_open = filter.is_some();
    let own = scope.filter(now);
    let (mut rows, next) = rows(console, scope, filter.unwrap_or(&own), request, is_open, now).await?;
    let page: Vec<(&'static str, String)> = request
        .query("after")
        .filter(|_| is_open)
        .map(|after| ("after", after.to_owned()))
        .into_iter()
        .collect();
    let open = if is_open { open(request, viewer, &rows) } else { rows.first().map(|row| row.reward_id) };
    let mut item = None;
    if let Some(id) = open {
        // The open reward is always in the list.
        if !rows.iter().any(|row| row.reward_id == id)
            && let Some(row) = console.store.hold(id, now).await?
        {
            rows.insert(0, row);
        }
        item = reward::view(console, viewer, request, &id.to_string(), false, is_open).await?;
        if let Some(item) = &mut item {
            item.next = following(console, viewer, scope, &rows, id, &page, &next).await?;
            item.back = scope.url(&page);
        }
    }
    let holds =
        rows.into_iter().map(|row| hold_view(scope, &page, row, open, console, viewer, now)).collect();
    Ok(Listed { clusters: Vec::new(), holds, next, item })
}

/// `GET /review/new`: number of rewards received after the newest one shown.
pub(crate) async fn new(console: &Console, request: &Request) -> Answered {
    let now = console.clock.now();
    let after: i64 = request.query("after").and_then(|after| after.parse().ok()).unwrap_or_default();
    let filter = Scope::of_query(request).filter(now);
    let store = console.store.at_one_moment().await?;
    let all = store.hold_totals(&filter, now).await?.rewards;
    let seen = HoldFilter { upto_id: Some(after), ..filter };
    let seen = store.hold_totals(&seen, now).await?.rewards;
    Ok(Answer::Json(format!("{{\"rewards\":{}}}", all - seen)))
}

fn query_of(scope: &Scope, newest: i64) -> String {
    let mut fields = scope.fields();
    fields.push(("after", newest.to_string()));
    serde_urlencoded::to_string(&fields).unwrap_or_default()
}

fn worth(micros: Option<i64>, currency: Option<&str>) -> String {
    match micros.zip(currency) {
        Some((micros, currency)) => format!("{} · ", priced(micros, currency)),
        None => String::new(),
    }
}
