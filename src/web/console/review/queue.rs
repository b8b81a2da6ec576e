//! `/review`: the queue. Clusters of held rewards, or the rewards of one cluster, and beside them the one that is open:
//! half of the page is never empty. All of it stands in the URL.

use askama::Template;
use domain::money::Micros;
use domain::review::queue::Grouping;
use domain::time::TimestampMs;
use store::review::holds::{
    Choice, Cluster, ClusterPart, ClusterPlace, ClusterUsers, HoldFilter, HoldPlace, HoldRow,
};

use crate::console::Console;
use crate::console::review::decide::{Done, Undo};
use crate::console::review::going_on::{first_cluster, following, open};
use crate::console::review::reward::{self, RewardView};
use crate::console::review::scope::Scope;
use crate::console::shell::answer::{Answer, Answered, PageError, page as render};
use crate::console::shell::frame::Frame;
use crate::console::shell::request::Request;
use crate::console::shell::said::with;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{
    Moment, Timer, counted, moment, number, priced, rule_name, short, timer, usd,
};
use crate::console::shell::visible::filters;

/// Clusters or rewards on one page.
const PAGE: i64 = 50;

struct ChoiceView {
    value: String,
    name: String,
    count: String,
    chosen: bool,
}

struct FilterView {
    rules: Vec<ChoiceView>,
    sources: Vec<ChoiceView>,
    offers: Vec<ChoiceView>,
    countries: Vec<ChoiceView>,
    groups: Vec<ChoiceView>,
    sorts: Vec<ChoiceView>,
    min: String,
    hours: String,
    text: String,
    is_set: bool,
}

struct Chip {
    text: String,
    strong: bool,
}

struct ClusterView {
    title: String,
    link: String,
    /// The same list with this cluster's first reward beside it.
    peek: String,
    open: bool,
    rewards: String,
    users: String,
    payout: String,
    reward: String,
    oldest: Moment,
    timer: Timer,
    chips: Vec<Chip>,
}

struct HoldView {
    id: i64,
    steps: i64,
    link: String,
    offer: String,
    user: String,
    user_id: String,
    reward: String,
    payout: String,
    payout_micros: i64,
    received: Moment,
    timer: Timer,
    chips: Vec<Chip>,
    claimed: String,
    waits_for_second: bool,
    open: bool,
}

struct OpenCluster {
    title: String,
    back: String,
}

/// What is listed, and what is open beside it.
struct Listed {
    clusters: Vec<ClusterView>,
    holds: Vec<HoldView>,
    next: String,
    item: Option<RewardView>,
}

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
    /// True if somebody asked for what is open: on a telephone it is then what is seen.
    is_chosen: bool,
    oldest: Option<Moment>,
    late: String,
    may_review: bool,
    new_url: String,
    reload_url: String,
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
            Some(_) => one(console, viewer, request, &scope, filter, now).await,
        }
    };
    let (totals, choices, frame, listed) = tokio::try_join!(
        async { Ok(console.store.hold_totals(filter, now).await?) },
        console.choices(now),
        Frame::load(console, viewer, "/review"),
        listed,
    )?;
    let is_cluster = scope.first.is_some();
    // Whoever has decided on the last reward of a cluster goes on with the next.
    if is_cluster && totals.rewards == 0 && request.query("on").is_some() {
        let next = first_cluster(console, &scope, now).await?;
        let told = ["said", "seal"].map(|name| request.query(name).map(|value| (name, value.to_owned())));
        let told: Vec<(&str, String)> = told.into_iter().flatten().collect();
        let next = match next {
            Some(next) => scope.in_cluster(&next.first, &next.second),
            None => scope.all_clusters(),
        };
        return Ok(Answer::To(with(&next.url(&[]), &told)));
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

/// Every cluster, and the first reward of one of them. It is only looked at: nothing is claimed before its cluster is
/// opened.
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

/// The rewards of one cluster, and the one that is open.
async fn one(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    scope: &Scope,
    filter: &HoldFilter,
    now: TimestampMs,
) -> Result<Listed, PageError> {
    shown(console, viewer, request, scope, Some(filter), now).await
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
        // What is open is in the list, wherever it comes from.
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

/// `GET /review/new`: how many rewards came in after the newest that is shown.
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

async fn clusters(
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

/// The rules that held most of these rewards, with how many if it was not all of them.
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

/// What the rewards of a cluster have in common, in words.
fn title(grouping: Grouping, first: &str, second: &str, offer: &str) -> String {
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

async fn rows(
    console: &Console,
    scope: &Scope,
    filter: &HoldFilter,
    request: &Request,
    is_open: bool,
    now: TimestampMs,
) -> Result<(Vec<HoldRow>, String), PageError> {
    let after = request.query("after").filter(|_| is_open).and_then(|after| {
        let (sort_value, reward_id) = after.split_once(',')?;
        Some(HoldPlace { sort_value: sort_value.parse().ok()?, reward_id: reward_id.parse().ok()? })
    });
    let rows = console.store.holds(filter, scope.sort(), after, now, PAGE).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
    let next = rows.last().filter(|_| full).map_or_else(String::new, |last| {
        scope.url(&[("after", format!("{},{}", last.sort_value, last.reward_id))])
    });
    Ok((rows, next))
}

fn hold_view(
    scope: &Scope,
    page: &[(&'static str, String)],
    row: HoldRow,
    open: Option<i64>,
    console: &Console,
    viewer: &Viewer,
    now: TimestampMs,
) -> HoldView {
    let mut link = page.to_vec();
    link.push(("open", row.reward_id.to_string()));
    let due_at = console.terms.due_at(TimestampMs(row.received_at), Micros(row.payout_micros));
    let codes = row.fired.split(' ').filter(|code| !code.is_empty());
    HoldView {
        id: row.reward_id,
        steps: row.steps,
        link: scope.url(&link),
        offer: if row.offer_name.is_empty() { format!("offer {}", row.offer_id) } else { row.offer_name },
        user: short(&row.user_id),
        user_id: row.user_id,
        reward: priced(row.reward_micros, &row.currency),
        payout: usd(row.payout_micros),
        payout_micros: row.payout_micros,
        received: moment(row.received_at, now),
        timer: timer(due_at.0, now),
        chips: codes
            .enumerate()
            .map(|(place, code)| Chip { text: rule_name(code).to_owned(), strong: place == 0 })
            .collect(),
        claimed: row.claimed_by.filter(|person| person != viewer.name()).unwrap_or_default(),
        waits_for_second: row.opinions > 0,
        open: open == Some(row.reward_id),
    }
}

fn filter_view(scope: &Scope, choices: &[Choice]) -> FilterView {
    let of = |filter: &str, chosen: &Option<String>| {
        let found = choices.iter().filter(|choice| choice.filter == filter);
        let mut views: Vec<ChoiceView> = found
            .map(|choice| ChoiceView {
                value: choice.value.clone(),
                name: match filter {
                    "rule" => format!("{} {}", choice.value, rule_name(&choice.value)),
                    _ if choice.name.is_empty() => choice.value.clone(),
                    _ => choice.name.clone(),
                },
                count: number(choice.rewards),
                chosen: chosen.as_ref() == Some(&choice.value),
            })
            .collect();
        // What is set stays to be seen and to be unset, also when nothing of it is held any more.
        if let Some(value) = chosen
            && !views.iter().any(|view| view.chosen)
        {
            views.push(ChoiceView {
                value: value.clone(),
                name: value.clone(),
                count: "0".into(),
                chosen: true,
            });
        }
        views
    };
    let fixed = |all: &[(&str, &str)], chosen: &str| {
        let view = |(value, name): &(&str, &str)| ChoiceView {
            value: (*value).into(),
            name: (*name).into(),
            count: String::new(),
            chosen: *value == chosen,
        };
        all.iter().map(view).collect()
    };
    FilterView {
        rules: of("rule", &scope.rule),
        sources: of("source", &scope.source),
        offers: of("offer", &scope.offer),
        countries: of("country", &scope.country),
        groups: fixed(
            &[("rule", "rule and offer"), ("address", "address"), ("sub1", "sub1"), ("user", "user")],
            scope.grouping().name(),
        ),
        sorts: fixed(
            &[("age", "due first"), ("money", "highest payout"), ("score", "highest score")],
            scope.sort.as_deref().unwrap_or("age"),
        ),
        min: scope.min.clone().unwrap_or_default(),
        hours: scope.hours.clone().unwrap_or_default(),
        text: scope.text.clone().unwrap_or_default(),
        is_set: scope.is_filtered(),
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
