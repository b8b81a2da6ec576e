//! `/postbacks`: postbacks as received. Quarantined and refused ones show the reason and a button to replay them.

use std::collections::BTreeMap;

use askama::Template;
use domain::masked::masked;
use domain::time::TimestampMs;
use store::postbacks::list::{OutcomeFilter, PostbackFilter};
use store::postbacks::replay::{Replayed, Replayer};

use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, page as render};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, moment, sign};

const PAGE: i64 = 50;

struct Row {
    id: i64,
    sign: &'static str,
    outcome: String,
    source: String,
    received: Moment,
    remote_ip: String,
    reason: String,
    target: String,
    reward_id: Option<i64>,
    replay: String,
    /// A page of its own; refused calls have none.
    page: String,
    /// True if it waits for a second person.
    is_proposed: bool,
}

#[derive(Template)]
#[template(path = "postbacks.html")]
struct PostbacksPage {
    frame: Frame,
    rows: Vec<Row>,
    outcomes: Vec<(&'static str, bool)>,
    sources: Vec<(String, bool)>,
    is_set: bool,
    may_set_aside: bool,
    said: String,
    next: String,
}

/// `GET /postbacks`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    let now = console.clock.now();
    let filter = PostbackFilter {
        outcome: request.query("outcome").and_then(OutcomeFilter::parse),
        source: request.query("source").map(str::to_owned),
        before_id: request.query("after").and_then(|after| after.parse().ok()),
    };
    let rows = console.store.postbacks(&filter, PAGE).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
    let next = rows.last().filter(|_| full).map_or_else(String::new, |last| {
        crate::console::shell::said::with(&request.target, &[("after", last.id.to_string())])
    });
    let may = viewer.may_review();
    let is_refused = filter.outcome == Some(OutcomeFilter::Refused);
    let quarantined: Vec<i64> = rows
        .iter()
        .filter(|row| row.outcome == OutcomeFilter::Quarantined.name())
        .map(|row| row.id)
        .collect();
    let mut proposed = BTreeMap::new();
    for act in console.store.quarantine_acts(&quarantined).await? {
        proposed.insert(act.postback_id, act.is_proposal());
    }
    let page = PostbacksPage {
        frame: Frame::load(console, viewer, "/postbacks").await?,
        outcomes: OutcomeFilter::ALL
            .into_iter()
            .map(|outcome| (outcome.name(), filter.outcome.is_some_and(|it| it.name() == outcome.name())))
            .collect(),
        sources: console
            .ingest
            .sources
            .keys()
            .map(|source| (source.clone(), filter.source.as_ref() == Some(source)))
            .collect(),
        may_set_aside: may && filter.outcome == Some(OutcomeFilter::Quarantined),
        is_set: filter.outcome.is_some() || filter.source.is_some(),
        said: crate::console::shell::said::message(viewer, request).join(" "),
        rows: rows
            .into_iter()
            .map(|row| Row {
                replay: match row.outcome.as_str() {
                    "quarantined" if may => format!("/postbacks/{}/replay", row.id),
                    "refused" if may => format!("/postbacks/refused/{}/replay", row.id),
                    _ => String::new(),
                },
                page: if is_refused { String::new() } else { format!("/postbacks/{}", row.id) },
                is_proposed: proposed.get(&row.id).copied().unwrap_or_default(),
                id: row.id,
                sign: sign(&row.outcome),
                received: moment(row.received_at, now),
                remote_ip: row.remote_ip,
                reason: row.reason.into_iter().chain(row.body_left_out).collect::<Vec<_>>().join("; "),
                target: masked(&row.target).into_owned(),
                reward_id: row.reward_id,
                outcome: row.outcome,
                source: row.source,
            })
            .collect(),
        next,
    };
    render(&page)
}

/// `POST /postbacks/{id}/replay`
pub(crate) async fn replay(console: &Console, viewer: &Viewer, id: &str) -> Answered {
    if !viewer.may_review() {
        return Ok(refusal(
            viewer,
            403,
            "Risk role required",
            "Nothing was changed: replaying postbacks requires the role risk or admin.",
        ));
    }
    let Ok(id) = id.parse::<i64>() else { return Ok(Answer::To("/postbacks".into())) };
    let by = Replayer { actor: viewer.actor(), now: console.clock.now() };
    let said = match console.store.replay(id, by).await? {
        Replayed::Done => format!("Postback {id} is replayed and waits in the inbox."),
        Replayed::NotFound => return Ok(back(viewer, "quarantined", &format!("There is no postback {id}."))),
        Replayed::NotQuarantined => {
            return Ok(back(viewer, "quarantined", &format!("Postback {id} is no longer quarantined.")));
        }
    };
    Ok(back(viewer, "quarantined", &said))
}

/// `POST /postbacks/refused/{id}/replay`: takes a refused call if its signature verifies now, after a secret was put
/// right. One that does not stays as it is.
pub(crate) async fn replay_refused(console: &Console, viewer: &Viewer, id: &str) -> Answered {
    if !viewer.may_review() {
        return Ok(refusal(
            viewer,
            403,
            "Risk role required",
            "Nothing was changed: replaying postbacks requires the role risk or admin.",
        ));
    }
    let Ok(id) = id.parse::<i64>() else { return Ok(Answer::To("/postbacks".into())) };
    let found = console.store.refused_calls(None, id.saturating_sub(1)).await?;
    let Some(call) = found.into_iter().find(|call| call.id == id) else {
        return Ok(back(viewer, "refused", &format!("Call {id} is no longer stored.")));
    };
    let Some(endpoint) = console.ingest.sources.get(&call.source) else {
        return Ok(back(
            viewer,
            "refused",
            &format!("Call {id} was not replayed: the source {} is not in the settings.", call.source),
        ));
    };
    // At its own time: a signature may be valid for some minutes only.
    let checked = call.kept().with(&console.ingest.origin, |received| {
        endpoint.check(received, call.remote_ip.parse().ok(), TimestampMs(call.received_at))
    });
    if let Err(why) = checked {
        return Ok(back(viewer, "refused", &format!("Call {id} was not replayed: {why}.")));
    }
    let by = Replayer { actor: viewer.actor(), now: console.clock.now() };
    let taken = console.store.replay_refused(vec![id], by).await?;
    let said = if taken == 1 {
        format!("Call {id} is verified now and waits in the inbox.")
    } else {
        format!("Call {id} is no longer stored.")
    };
    Ok(back(viewer, "refused", &said))
}

fn back(viewer: &Viewer, outcome: &str, said: &str) -> Answer {
    Answer::To(crate::console::shell::said::with_message(
        viewer,
        &format!("/postbacks?outcome={outcome}"),
        &[said.to_owned()],
    ))
}
