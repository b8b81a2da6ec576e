//! `/rewards/{id}`: one reward with everything that is known of it. The same stands beside the queue.

use askama::Template;
use domain::location::Location;
use domain::money::Micros;
use domain::reward::Status;
use domain::time::TimestampMs;
use domain::verdict::{Decision, Signal, Verdict};
use store::claims::Claimed;
use store::decisions::OpinionRow;
use store::glances::BesideRow;
use store::rewards::RewardRow;

use super::answer::{Answered, PageError, page as render};
use super::decide::{Done, Undo};
use super::frame::{Frame, refusal};
use super::request::Request;
use super::session::Viewer;
use super::show::{Moment, amount, happened, moment, rule_name, short, sign, span, usd};
use super::{Console, chart};

pub(crate) struct SignalView {
    pub(crate) fired: bool,
    pub(crate) hard: bool,
    pub(crate) points: i64,
    pub(crate) code: String,
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) limit: String,
    pub(crate) sample: String,
    pub(crate) text: String,
}

pub(crate) struct StepView {
    pub(crate) at: Moment,
    pub(crate) what: &'static str,
    pub(crate) actor: String,
    pub(crate) note: String,
}

pub(crate) struct TransferView {
    pub(crate) at: Moment,
    pub(crate) debit: String,
    pub(crate) credit: String,
    pub(crate) amount: String,
    pub(crate) currency: String,
}

pub(crate) struct PostbackView {
    pub(crate) at: Moment,
    pub(crate) outcome: String,
    pub(crate) method: String,
    pub(crate) remote_ip: String,
    pub(crate) reason: String,
    pub(crate) target: String,
}

pub(crate) struct DeliveryView {
    pub(crate) at: Moment,
    pub(crate) sign: &'static str,
    pub(crate) status: String,
    pub(crate) event: String,
    pub(crate) attempts: String,
}

pub(crate) struct Beside {
    pub(crate) id: i64,
    pub(crate) sign: &'static str,
    pub(crate) status: String,
    pub(crate) offer: String,
    pub(crate) user: String,
    pub(crate) payout: String,
    pub(crate) received: Moment,
}

pub(crate) struct Related {
    pub(crate) title: String,
    pub(crate) rows: Vec<Beside>,
}

/// One reward, as it is shown.
pub(crate) struct RewardView {
    pub(crate) id: i64,
    pub(crate) steps: i64,
    pub(crate) status: String,
    pub(crate) sign: &'static str,
    pub(crate) conflict: bool,
    pub(crate) received: Moment,
    pub(crate) tx_id: String,
    pub(crate) tx_short: String,
    pub(crate) reward: String,
    pub(crate) currency: String,
    pub(crate) payout: String,
    pub(crate) offer: String,
    pub(crate) event: String,
    pub(crate) user: String,
    pub(crate) user_id: String,
    pub(crate) user_link: String,
    pub(crate) sentence: String,
    /// What else somebody who is about to decide must know.
    pub(crate) told: Vec<String>,
    pub(crate) may_decide: bool,
    pub(crate) may_overturn: bool,
    pub(crate) histogram: String,
    pub(crate) places: Vec<(&'static str, String)>,
    pub(crate) signals: Vec<SignalView>,
    pub(crate) fired: usize,
    pub(crate) score: i64,
    pub(crate) policy: String,
    pub(crate) policy_short: String,
    pub(crate) user_line: String,
    pub(crate) related: Vec<Related>,
    pub(crate) steps_taken: Vec<StepView>,
    pub(crate) transfers: Vec<TransferView>,
    pub(crate) postbacks: Vec<PostbackView>,
    pub(crate) deliveries: Vec<DeliveryView>,
    /// True on a page of its own.
    pub(crate) alone: bool,
    /// What is opened after a decision; empty for none.
    pub(crate) next: String,
}

#[derive(Template)]
#[template(path = "reward.html")]
struct RewardPage {
    frame: Frame,
    item: RewardView,
    done: Option<Done>,
    undo: Option<Undo>,
    back: String,
    may_review: bool,
}

/// `GET /rewards/{id}`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request, id: &str) -> Answered {
    let Some(item) = view(console, viewer, request, id, true).await? else {
        return Ok(refusal(
            viewer,
            404,
            "There is no such reward",
            "It may have been typed wrong; rewards are never deleted.",
        ));
    };
    let frame = Frame::load(console, viewer, "/rewards").await?;
    let (done, undo) = super::decide::done(console, viewer, request).await?;
    let back = format!("/rewards/{}", item.id);
    render(&RewardPage { frame, item, done, undo, back, may_review: viewer.may_review() })
}

/// Everything about the reward `id`; claims it for whoever is about to decide.
pub(crate) async fn view(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: &str,
    alone: bool,
) -> Result<Option<RewardView>, PageError> {
    let Ok(id) = id.parse::<i64>() else { return Ok(None) };
    let store = &console.store;
    let Some(row) = store.reward(id).await? else { return Ok(None) };
    let now = console.clock.now();
    let (steps, transfers, postbacks, deliveries, attempts) = tokio::try_join!(
        store.steps(id),
        store.transfers(id),
        store.postbacks_of_reward(id),
        store.deliveries_of_reward(id),
        store.attempts_of_reward(id),
    )?;
    let is_held = row.status == Status::Held.name();
    let step_count = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let mut told = Vec::new();
    let opinions = if is_held { store.opinions(id, step_count).await? } else { Vec::new() };
    // Whoever has given an opinion waits for another person, who must be able to open it. And another site that makes a
    // browser load this page claims nothing in its owner's name.
    let has_said = opinions.iter().any(|opinion| opinion.person == viewer.name());
    if is_held && viewer.may_review() && !has_said && !request.is_cross_site {
        match store.claim(id, viewer.name(), now, console.terms.claim_ms).await? {
            Claimed::Others { person, until } => told.push(format!(
                "{person} has this open for another {}. A decision here is refused until then.",
                span(until.0 - now.0)
            )),
            Claimed::Yours { .. } | Claimed::NotHeld => {}
        }
    }
    told.extend(second_opinions(viewer, &opinions));
    let verdict = verdict(&row);
    let related = related(console, &row, now).await?;
    let user_line = user_line(console, &row, now).await?;
    let histogram = histogram(console, &row).await?;
    let signals = verdict.as_ref().map_or_else(Vec::new, |verdict| signals(&verdict.signals));
    Ok(Some(RewardView {
        id,
        steps: step_count,
        sign: sign(&row.status),
        conflict: row.conflict != 0,
        received: moment(row.received_at, now),
        tx_short: short(&row.tx_id),
        reward: row.reward_micros.map_or_else(|| "unknown".into(), amount),
        payout: row.payout_micros.map_or_else(|| "nothing known".into(), usd),
        offer: offer(row.offer_name.as_deref(), row.offer_id.as_deref()),
        event: row.event_name.clone().unwrap_or_default(),
        user: short(&row.user_id),
        user_link: super::user::link(&row.app, &row.user_id),
        sentence: sentence(&row, verdict.as_ref()),
        told,
        may_decide: is_held && viewer.may_review(),
        may_overturn: row.status == Status::Rejected.name() && viewer.may_review(),
        histogram,
        places: places(&row),
        fired: signals.iter().filter(|signal| signal.fired).count(),
        signals,
        score: row.score.unwrap_or_default(),
        policy: row.policy.clone().unwrap_or_default(),
        policy_short: row
            .policy
            .as_deref()
            .map(|policy| policy.chars().take(8).collect())
            .unwrap_or_default(),
        user_line,
        related,
        steps_taken: steps
            .iter()
            .map(|step| StepView {
                at: moment(step.taken_at, now),
                what: happened(&step.step),
                actor: step.actor.clone(),
                note: step.note.clone().unwrap_or_default(),
            })
            .collect(),
        transfers: transfers
            .into_iter()
            .map(|row| TransferView {
                at: moment(row.booked_at, now),
                debit: row.debit,
                credit: row.credit,
                amount: amount(row.amount_micros),
                currency: row.currency,
            })
            .collect(),
        postbacks: postbacks
            .into_iter()
            .map(|row| PostbackView {
                at: moment(row.received_at, now),
                outcome: row.outcome,
                method: row.method,
                remote_ip: row.remote_ip,
                reason: row.reason.unwrap_or_default(),
                target: row.target,
            })
            .collect(),
        deliveries: deliveries
            .into_iter()
            .map(|row| {
                let last = attempts.iter().rev().find(|attempt| attempt.delivery_id == row.id);
                let result = last.map_or_else(String::new, |attempt| {
                    let detail = attempt.detail.as_deref().unwrap_or(&attempt.result);
                    format!(", last: {detail}")
                });
                DeliveryView {
                    at: moment(row.ended_at.unwrap_or(row.born_at), now),
                    sign: sign(&row.status),
                    event: row.event,
                    attempts: format!("{} attempts{result}", row.attempts),
                    status: row.status,
                }
            })
            .collect(),
        status: row.status,
        tx_id: row.tx_id,
        currency: row.currency,
        user_id: row.user_id,
        alone,
        next: String::new(),
    }))
}

/// That another person is asked, without saying what the first one said.
fn second_opinions(viewer: &Viewer, opinions: &[OpinionRow]) -> Option<String> {
    let mine = opinions.iter().any(|opinion| opinion.person == viewer.name());
    let mut others: Vec<&str> = opinions.iter().map(|opinion| opinion.person.as_str()).collect();
    others.retain(|person| *person != viewer.name());
    others.sort_unstable();
    others.dedup();
    match (mine, others.len()) {
        (false, 0) => None,
        (true, 0) => Some(
            "You have given your opinion; another person is asked. Deciding again replaces yours.".into(),
        ),
        (_, 1) => Some(format!(
            "{} has given an opinion. Yours decides if it is the same; you see theirs afterwards.",
            others[0]
        )),
        _ => Some("Two persons do not agree. A third decides between them.".into()),
    }
}

fn offer(name: Option<&str>, id: Option<&str>) -> String {
    match (name, id) {
        (Some(name), _) if !name.is_empty() => name.to_owned(),
        (_, Some(id)) if !id.is_empty() => format!("offer {id}"),
        _ => "no offer named".into(),
    }
}

/// The verdict that the row keeps.
fn verdict(row: &RewardRow) -> Option<Verdict> {
    let signals: Vec<Signal> = serde_json::from_str(row.signals.as_deref()?).ok()?;
    let decision =
        if row.decision.as_deref()? == Decision::Hold.name() { Decision::Hold } else { Decision::Credit };
    Some(Verdict {
        decision,
        score: row.score?,
        hard: row.hard? != 0,
        policy: row.policy.clone()?,
        decided_at: TimestampMs(row.decided_at?),
        signals,
    })
}

fn sentence(row: &RewardRow, verdict: Option<&Verdict>) -> String {
    match verdict {
        None => "It was never judged: only its reversal is known.".into(),
        Some(verdict) if verdict.decision == Decision::Hold => format!("Held: {}", verdict.sentence()),
        Some(verdict) if row.status == Status::Reversed.name() => {
            format!("Credited, and reversed later. {}", verdict.sentence())
        }
        Some(verdict) => format!("Credited. {}", verdict.sentence()),
    }
}

fn signals(signals: &[Signal]) -> Vec<SignalView> {
    let mut views: Vec<SignalView> = signals
        .iter()
        .map(|signal| SignalView {
            fired: signal.fired,
            hard: signal.hard,
            points: signal.points,
            name: rule_name(&signal.code),
            code: signal.code.clone(),
            value: signal.value.clone().unwrap_or_default(),
            limit: signal.limit.clone().unwrap_or_default(),
            sample: signal.sample.map(super::show::number).unwrap_or_default(),
            text: signal.text.clone(),
        })
        .collect();
    views.sort_by_key(|view| (!view.fired, !view.hard, -view.points));
    views
}

fn places(row: &RewardRow) -> Vec<(&'static str, String)> {
    let location: Location =
        row.location.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let mut places = vec![
        ("Address", row.ip.clone().unwrap_or_else(|| "none sent".into())),
        ("Network says", row.country_code.clone().unwrap_or_else(|| "nothing".into())),
        ("Address is in", location.country.clone().unwrap_or_else(|| "unknown".into())),
    ];
    if let Some(result) = &row.geo_result {
        places.push(("So they are", result.clone()));
    }
    if let Some(asn) = location.asn {
        let organisation = location.organisation.clone().unwrap_or_default();
        places.push(("Provider", format!("AS{asn} {organisation}")));
    }
    if !location.network.is_empty() {
        let words: Vec<&str> = location.network.iter().map(|it| it.words()).collect();
        places.push(("Kind", words.join(", ")));
    }
    for database in &location.databases {
        places.push(("Told by", format!("{}, built {}", database.name, database.built_at)));
    }
    places
}

async fn histogram(console: &Console, row: &RewardRow) -> Result<String, PageError> {
    let took_ms =
        row.clicked_at.map(|clicked_at| row.received_at - clicked_at).filter(|took_ms| *took_ms >= 0);
    let Some(offer_id) = row.offer_id.as_deref() else {
        return Ok("<p class=\"soft\">The network named no offer to compare with.</p>".into());
    };
    let times = console.store.completion_times(&row.source, offer_id, row.event_id.as_deref()).await?;
    let drawn = chart::histogram(&times, took_ms)?;
    if drawn.is_empty() {
        return Ok("<p class=\"soft\">Nobody else has done this lately.</p>".into());
    }
    let mut sorted = times.clone();
    sorted.sort_unstable();
    let half = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let this = took_ms
        .map_or_else(|| "its click time is not known".into(), |ms| format!("this one took {}", span(ms)));
    Ok(format!(
        "<figure>{drawn}<figcaption>{} times of the same offer, half of them under {}; {this}</figcaption></figure>",
        times.len(),
        span(half)
    ))
}

async fn user_line(console: &Console, row: &RewardRow, now: TimestampMs) -> Result<String, PageError> {
    let statuses = console.store.user_statuses(&row.app, &row.user_id).await?;
    let parts: Vec<String> = statuses.iter().map(|it| format!("{} {}", it.rewards, it.status)).collect();
    let since = statuses.iter().map(|it| it.first_at).min();
    let since = since.map(|at| format!(" · first seen {}", moment(at, now).ago)).unwrap_or_default();
    Ok(format!("{}{since}", parts.join(" · ")))
}

async fn related(console: &Console, row: &RewardRow, now: TimestampMs) -> Result<Vec<Related>, PageError> {
    let mut related = Vec::new();
    if let Some(group) = console.store.address_group(row.id).await?.filter(|group| !group.is_empty()) {
        let rows = console.store.same_address(&group, row.id).await?;
        related
            .push(Related { title: format!("Held for the same address, {group}"), rows: beside(rows, now) });
    }
    if let Some(sub1) = row.sub1.as_deref().filter(|sub1| !sub1.is_empty()) {
        let rows = console.store.same_sub1(&row.source, sub1, row.id).await?;
        related.push(Related {
            title: format!("Held now with the same sub1, {}", short(sub1)),
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
            payout: usd(Micros(row.payout_micros.unwrap_or_default()).0),
            received: moment(row.received_at, now),
            status: row.status,
        })
        .collect()
}
