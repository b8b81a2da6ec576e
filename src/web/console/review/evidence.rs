//! The evidence on the page of a reward: verdict, location, time taken, and similar rewards.

use domain::reward::Status;
use domain::signal::Signal;
use domain::time::TimestampMs;
use domain::verdict::{Decision, Verdict};
use store::review::context::BesideRow;
use store::review::decisions::OpinionRow;
use store::rewards::list::RewardRow;

use crate::console::Console;
use crate::console::review::reward::{Beside, Related, SignalView};
use crate::console::shell::answer::PageError;
use crate::console::shell::chart;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{
    Moment, counted, dollars_in, moment, number, rule_name, short, sign, span, usd,
};

/// That another person is asked, without saying what the first one said.
pub(crate) fn second_opinions(viewer: &Viewer, opinions: &[OpinionRow]) -> Option<String> {
    let mine = opinions.iter().any(|opinion| opinion.person == viewer.name());
    let mut others: Vec<&str> = opinions.iter().map(|opinion| opinion.person.as_str()).collect();
    others.retain(|person| *person != viewer.name());
    others.sort_unstable();
    others.dedup();
    match (mine, others.len()) {
        (false, 0) => None,
        (true, 0) => Some(
            "Your opinion is saved; a second person must agree. If you decide again, it replaces your opinion.".into(),
        ),
        (_, 1) => Some(format!(
            "{} has given an opinion, which you see after your decision. If both are the same, the decision takes effect.",
            others[0]
        )),
        _ => Some("Two people disagree. A third person decides.".into()),
    }
}

pub(crate) fn offer(name: Option<&str>, id: Option<&str>) -> String {
    match (name, id) {
        (Some(name), _) if !name.is_empty() => name.to_owned(),
        (_, Some(id)) if !id.is_empty() => format!("offer {id}"),
        _ => "no offer".into(),
    }
}

pub(crate) fn sentence(row: &RewardRow, verdict: Option<&Verdict>) -> String {
    match verdict {
        None => "No verdict: only the reversal was received.".into(),
        Some(verdict) if verdict.decision == Decision::Hold => {
            format!("Held: {}", dollars_in(&verdict.sentence()))
        }
        Some(verdict) if row.status == Status::Reversed.name() => {
            format!("Credited, later reversed. {}", dollars_in(&verdict.sentence()))
        }
        Some(verdict) => format!("Credited. {}", dollars_in(&verdict.sentence())),
    }
}

pub(crate) fn signals(signals: &[Signal]) -> Vec<SignalView> {
    let mut views: Vec<SignalView> = signals
        .iter()
        .map(|signal| SignalView {
            fired: signal.fired,
            hard: signal.hard,
            insufficient: signal.insufficient,
            points: signal.points,
            name: rule_name(&signal.code),
            code: signal.code.clone(),
            value: dollars_in(signal.value.as_deref().unwrap_or_default()),
            limit: dollars_in(signal.limit.as_deref().unwrap_or_default()),
            sample: signal.sample.map(crate::console::shell::show::number).unwrap_or_default(),
            text: dollars_in(&signal.text),
        })
        .collect();
    views.sort_by_key(|view| (!view.fired, !view.hard, -view.points));
    views
}

pub(crate) fn places(row: &RewardRow) -> Vec<(&'static str, String)> {
    let location = row.location.clone().unwrap_or_default();
    let mut places = vec![
        ("IP address", row.ip.clone().unwrap_or_else(|| "not sent".into())),
        ("Country from the network", row.country_code.clone().unwrap_or_else(|| "not sent".into())),
        ("Country of the IP address", location.country.clone().unwrap_or_else(|| "unknown".into())),
    ];
    if let Some(result) = &row.geo_result {
        places.push(("Comparison", result.clone()));
    }
    if let Some(asn) = location.asn {
        let organisation = location.organisation.clone().unwrap_or_default();
        places.push(("Provider", format!("AS{asn} {organisation}")));
    }
    if !location.network.is_empty() {
        let words: Vec<&str> = location.network.iter().map(|it| it.words()).collect();
        places.push(("Network type", words.join(", ")));
    }
    for database in &location.databases {
        places.push(("Geo database", format!("{}, built {}", database.name, database.built_at)));
    }
    places
}

pub(crate) async fn histogram(console: &Console, row: &RewardRow) -> Result<String, PageError> {
    let took_ms =
        row.clicked_at.map(|clicked_at| row.received_at - clicked_at).filter(|took_ms| *took_ms >= 0);
    let Some(offer_id) = row.offer_id.as_deref() else {
        return Ok(
            "<p class=\"soft\">The postback names no offer, so there is nothing to compare with.</p>".into()
        );
    };
    let times = console.store.completion_times(&row.source, offer_id, row.event_id.as_deref()).await?;
    let drawn = chart::histogram(&times, took_ms)?;
    if drawn.is_empty() {
        return Ok("<p class=\"soft\">There are no recent completions of this offer.</p>".into());
    }
    let mut sorted = times.clone();
    sorted.sort_unstable();
    let half = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let this = took_ms.map_or_else(
        || "the click time of this one is unknown".into(),
        |ms| format!("this one took {}", span(ms)),
    );
    Ok(format!(
        "<figure>{drawn}<figcaption>{} of the same offer, half of them in less than {}; {this}</figcaption></figure>",
        counted(i64::try_from(times.len()).unwrap_or(i64::MAX), "completion"),
        span(half)
    ))
}

pub(crate) async fn user_line(
    console: &Console,
    row: &RewardRow,
    now: TimestampMs,
) -> Result<(String, Option<Moment>), PageError> {
    let statuses = console.store.user_statuses(&row.app, &row.user_id).await?;
    let parts: Vec<String> =
        statuses.iter().map(|it| format!("{} {}", number(it.rewards), it.status)).collect();
    let since = statuses.iter().map(|it| it.first_at).min();
    Ok((parts.join(" · "), since.map(|at| moment(at, now))))
}

pub(crate) async fn related(
    console: &Console,
    row: &RewardRow,
    now: TimestampMs,
) -> Result<Vec<Related>, PageError> {
    let mut related = Vec::new();
    if let Some(group) = console.store.address_group(row.id).await?.filter(|group| !group.is_empty()) {
        let rows = console.store.same_address(&group, row.id).await?;
        related.push(Related {
            title: format!("Other rewards held from the same address, {group}"),
            rows: beside(rows, now),
        });
    }
    if let Some(sub1) = row.sub1.as_deref().filter(|sub1| !sub1.is_empty()) {
        let rows = console.store.same_sub1(&row.source, sub1, row.id).await?;
        related.push(Related {
            title: format!("Other rewards held with the same sub1, {}", short(sub1)),
            rows: beside(rows, now),
        });
    }
    related.retain(|related| !related.rows.is_empty());
    Ok(related)
}

/// Rows of a list beside something else.
pub(crate) fn beside(rows: Vec<BesideRow>, now: TimestampMs) -> Vec<Beside> {
    rows.into_iter()
        .map(|row| Beside {
            id: row.id,
            sign: sign(&row.status),
            offer: offer(row.offer_name.as_deref(), None),
            user: short(&row.user_id),
            payout: usd(row.payout_micros.unwrap_or_default()),
            received: moment(row.received_at, now),
            status: row.status,
        })
        .collect()
}
