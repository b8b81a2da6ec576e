//! Clusters of held rewards, as the list shows them.

use domain::review::queue::Grouping;
use domain::time::TimestampMs;
use store::review::holds::{Cluster, ClusterPart, ClusterPlace, ClusterUsers, HoldFilter};

use super::{Chip, PAGE};
use crate::console::Console;
use crate::console::review::scope::Scope;
use crate::console::shell::answer::PageError;
use crate::console::shell::request::Request;
use crate::console::shell::show::{
    Moment, Timer, counted, moment, number, priced, rule_name, short, timer, usd,
};

pub(super) struct ClusterView {
    pub(super) title: String,
    pub(super) link: String,
    /// The same list with this cluster's first reward beside it.
    pub(super) peek: String,
    pub(super) open: bool,
    pub(super) rewards: String,
    pub(super) users: String,
    pub(super) payout: String,
    pub(super) reward: String,
    pub(super) oldest: Moment,
    pub(super) timer: Timer,
    pub(super) chips: Vec<Chip>,
}

/// One page of clusters, and the link to the next page; empty on the last page.
pub(super) async fn clusters(
    console: &Console,
    scope: &Scope,
    filter: &HoldFilter,
    request: &Request,
    now: TimestampMs,
) -> Result<(Vec<(Cluster, ClusterView)>, String), PageError> {
    let (grouping, sort) = (scope.grouping(), scope.sort());
    let after = request.query("after").and_then(|after| after.parse().ok()).map(|sort_value| ClusterPlace {
        sort_value,
        first: request.query("a1").unwrap_or_default().to_owned(),
        second: request.query("a2").unwrap_or_default().to_owned(),
    });
    let rows = console.store.clusters(filter, grouping, sort, after.as_ref(), PAGE).await?;
    let (parts, users) = tokio::try_join!(
        console.store.cluster_parts(filter, grouping, &rows),
        console.store.cluster_users(filter, grouping, &rows),
    )?;
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
    let next = rows.last().filter(|_| full).map_or_else(String::new, |last| {
        let place =
            [("after", last.sort_value.to_string()), ("a1", last.first.clone()), ("a2", last.second.clone())];
        scope.url(&place)
    });
    let page: Vec<(&'static str, String)> = ["after", "a1", "a2"]
        .into_iter()
        .filter_map(|name| Some((name, request.query(name)?.to_owned())))
        .collect();
    let view = |row: Cluster| {
        let view = cluster_view(scope, &page, grouping, &row, &parts, &users, now);
        (row, view)
    };
    Ok((rows.into_iter().map(view).collect(), next))
}

fn cluster_view(
    scope: &Scope,
    page: &[(&'static str, String)],
    grouping: Grouping,
    row: &Cluster,
    parts: &[ClusterPart],
    users: &[ClusterUsers],
    now: TimestampMs,
) -> ClusterView {
    let parts: Vec<&ClusterPart> =
        parts.iter().filter(|part| part.first == row.first && part.second == row.second).collect();
    let users = users.iter().find(|users| users.first == row.first && users.second == row.second);
    let offer = parts.first().map(|part| part.offer_name.as_str()).unwrap_or_default();
    let currency = parts.first().map(|part| part.currency.as_str());
    let one_currency = currency.filter(|currency| parts.iter().all(|part| part.currency == *currency));
    let reward_micros = parts.iter().fold(0_i64, |sum, part| sum.saturating_add(part.reward_micros));
    let mut peek = page.to_vec();
    peek.extend([("o1", row.first.clone()), ("o2", row.second.clone())]);
    ClusterView {
        title: title(grouping, &row.first, &row.second, offer),
        link: scope.url(&[("c1", row.first.clone()), ("c2", row.second.clone())]),
        peek: scope.url(&peek),
        open: false,
        rewards: counted(row.rewards, "reward"),
        users: counted(users.map_or(0, |users| users.users), "user"),
        payout: usd(row.payout_micros),
        reward: one_currency.map(|currency| priced(reward_micros, currency)).unwrap_or_default(),
        oldest: moment(row.oldest_at, now),
        timer: timer(row.due_at, now),
        chips: chips(&parts, row.rewards),
    }
}

/// The rules that held most of these rewards, with the number if it was not all.
fn chips(parts: &[&ClusterPart], rewards: i64) -> Vec<Chip> {
    let mut counted: Vec<(&str, i64)> = Vec::new();
    for part in parts {
        for code in part.fired.split(' ').filter(|code| !code.is_empty()) {
            match counted.iter_mut().find(|(known, _)| *known == code) {
                Some((_, count)) => *count += part.rewards,
                None => counted.push((code, part.rewards)),
            }
        }
    }
    counted.sort_by_key(|(_, count)| -count);
    let chip = |(code, count): (&str, i64)| {
        let strong = count == rewards;
        let name = rule_name(code);
        let text = if strong { name.to_owned() } else { format!("{name} {}", number(count)) };
        Chip { text, strong }
    };
    counted.into_iter().take(5).map(chip).collect()
}

/// What the rewards of a cluster have in common, e.g. `Impossibly fast · Great Game`.
pub(super) fn title(grouping: Grouping, first: &str, second: &str, offer: &str) -> String {
    match grouping {
        Grouping::Rule => {
            let offer = match (offer, second) {
                ("", "") => "no offer".to_owned(),
                ("", id) => format!("offer {id}"),
                (name, _) => name.to_owned(),
            };
            format!("{} · {offer}", rule_name(first))
        }
        Grouping::Address if first.is_empty() => "No address sent".into(),
        Grouping::Address => format!("Address {first}"),
        Grouping::Sub1 if first.is_empty() => format!("No sub1 · {second}"),
        Grouping::Sub1 => format!("sub1 {} · {second}", short(first)),
        Grouping::User => format!("User {}", short(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_named_by_what_they_have_in_common() {
        for (grouping, first, second, offer, expected) in [
            (Grouping::Rule, "T1", "9", "Great Game", "Impossibly fast · Great Game"),
            (Grouping::Rule, "G1", "9", "", "Country differs · offer 9"),
            (Grouping::Address, "", "", "", "No address sent"),
            (Grouping::User, "u-1", "main", "x", "User u-1"),
        ] {
            assert_eq!(title(grouping, first, second, offer), expected);
        }
    }
}
