//! Order of the queue: the open reward, the next reward, and the next cluster after the last reward.

use domain::time::TimestampMs;
use store::review::holds::{Cluster, ClusterPlace, HoldRow};

use crate::console::Console;
use crate::console::review::scope::Scope;
use crate::console::shell::answer::PageError;
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;

/// The open reward: the one named in the URL, or the first that nobody else has claimed.
pub(crate) fn open(request: &Request, viewer: &Viewer, rows: &[HoldRow]) -> Option<i64> {
    let named = request.query("open").and_then(|id| id.parse::<i64>().ok());
    named.or_else(|| first_free(viewer, rows.iter()).or_else(|| rows.first()).map(|row| row.reward_id))
}

/// The first reward that nobody else has claimed.
fn first_free<'a>(viewer: &Viewer, mut rows: impl Iterator<Item = &'a HoldRow>) -> Option<&'a HoldRow> {
    rows.find(|row| row.claimed_by.as_deref().is_none_or(|person| person == viewer.name()))
}

/// The page after deciding or skipping the reward `id`: the next of these rows, the next page, or the next cluster. `page`
/// are the URL parameters of the current page; `next_page` is empty on the last page.
pub(crate) async fn following(
    console: &Console,
    viewer: &Viewer,
    scope: &Scope,
    rows: &[HoldRow],
    id: i64,
    page: &[(&'static str, String)],
    next_page: &str,
) -> Result<String, PageError> {
    let place = |row: &HoldRow| {
        let mut params = page.to_vec();
        params.push(("open", row.reward_id.to_string()));
        scope.url(&params)
    };
    let after = rows.iter().skip_while(|row| row.reward_id != id).skip(1);
    if let Some(row) = first_free(viewer, after) {
        return Ok(place(row));
    }
    if !next_page.is_empty() {
        return Ok(next_page.to_owned());
    }
    if let Some(cluster) = next_cluster(console, scope).await? {
        return Ok(scope.in_cluster(&cluster.first, &cluster.second).url(&[]));
    }
    // This is the only cluster: skipped rewards come again.
    let before = rows.iter().filter(|row| row.reward_id != id);
    Ok(first_free(viewer, before).map_or_else(|| scope.url(&[]), place))
}

/// The cluster after this one; after the last one, the first. Never this one.
async fn next_cluster(console: &Console, scope: &Scope) -> Result<Option<Cluster>, PageError> {
    let now = console.clock.now();
    let (grouping, sort) = (scope.grouping(), scope.sort());
    let own = console.store.clusters(&scope.filter(now), grouping, sort, None, 1).await?;
    let Some(own) = own.into_iter().next() else { return first_cluster(console, scope, now).await };
    let (first, second) = (own.first, own.second);
    let here = ClusterPlace { sort_value: own.sort_value, first: first.clone(), second: second.clone() };
    let all = scope.clone().all_clusters().filter(now);
    let all = &*console.store.with_search(&all).await?;
    let after = console.store.clusters(all, grouping, sort, Some(&here), 1).await?;
    if let Some(next) = after.into_iter().next() {
        return Ok(Some(next));
    }
    let from_the_top = console.store.clusters(all, grouping, sort, None, 1).await?;
    Ok(from_the_top.into_iter().find(|cluster| (&cluster.first, &cluster.second) != (&first, &second)))
}

/// The first cluster that matches the filters.
pub(crate) async fn first_cluster(
    console: &Console,
    scope: &Scope,
    now: TimestampMs,
) -> Result<Option<Cluster>, PageError> {
    let all = scope.clone().all_clusters().filter(now);
    let clusters = console.store.clusters(&all, scope.grouping(), scope.sort(), None, 1).await?;
    Ok(clusters.into_iter().next())
}
