//! `/postbacks/{id}`: one postback as received. If it is quarantined, a person can enter missing values, agree to a
//! proposal, or set it aside; a preview is shown first.

use askama::Template;
use domain::masked::masked;
use domain::postback::gaps::Gap;
use domain::postback::stated::STATABLE;
use store::postbacks::list::PostbackRow;
use store::postbacks::quarantine::{ActRow, By};

use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, PageError};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, moment, sign};
use crate::console::shell::visible::filters;
use crate::stating::{self, Look, Refused, act_words};

/// Postbacks that one click may set aside; more than a page lists.
const MAX_SELECTED: usize = 200;

struct GapView {
    gap: Gap,
    label: &'static str,
    hint: &'static str,
    /// The value that the person has typed; empty at first.
    typed: String,
}

struct Preview {
    values: Vec<(&'static str, String)>,
    reason: String,
    outlook: String,
    needs_second: bool,
}

struct Proposal {
    id: i64,
    actor: String,
    stated: String,
    reason: String,
    /// The effect of the proposal, or why it is no longer valid.
    outlook: String,
    is_own: bool,
}

struct Event {
    at: Moment,
    actor: String,
    words: String,
    reason: String,
}

#[derive(Template)]
#[template(path = "postback.html")]
struct PostbackPage {
    frame: Frame,
    row: PostbackRow,
    sign: &'static str,
    received: Moment,
    reason: String,
    may: bool,
    gaps: Vec<GapView>,
    has_gap: bool,
    typed_reason: String,
    fault: String,
    preview: Option<Preview>,
    proposal: Option<Proposal>,
    events: Vec<Event>,
}

/// `GET /postbacks/{id}`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request, id: &str) -> Answered {
    match id.parse::<i64>() {
        Ok(id) => show(console, viewer, request, id, None, "").await,
        Err(_) => Ok(none(viewer)),
    }
}

fn none(viewer: &Viewer) -> Answer {
    refusal(
        viewer,
        404,
        "Postback not found",
        "Check the ID. Old postbacks are deleted when their retention period ends.",
    )
}

async fn show(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: i64,
    preview: Option<Preview>,
    fault: &str,
) -> Answered {
    let Some(mut row) = console.store.postback(id).await? else { return Ok(none(viewer)) };
    let now = console.clock.now();
    let (acts, replays) = tokio::try_join!(async { console.store.quarantine_acts(&[id]).await }, async {
        console.store.replays(&[id]).await
    })?;
    let is_quarantined = row.outcome == "quarantined";
    let proposal = match acts.last().filter(|act| act.is_proposal() && is_quarantined) {
        Some(act) => Some(proposal(console, viewer, act).await?),
        None => None,
    };
    let gaps: Vec<GapView> = if is_quarantined {
        console.stating.gaps(&row).into_iter().map(|gap| gap_view(gap, request)).collect()
    } else {
        Vec::new()
    };
    let mut events: Vec<(i64, Event)> = replays
        .into_iter()
        .map(|replay| {
            let words = format!("replayed it; it was {}", replay.was);
            let at = moment(replay.replayed_at, now);
            (replay.replayed_at, Event { at, actor: replay.actor, words, reason: replay.reason })
        })
        .chain(acts.into_iter().map(|act| {
            let (at, words) = (moment(act.acted_at, now), act_words(&act));
            (act.acted_at, Event { at, actor: act.actor, words, reason: act.reason })
        }))
        .collect();
    events.sort_by_key(|(at, _)| *at);
    row.target = masked(&row.target).into_owned();
    let page = PostbackPage {
        frame: Frame::load(console, viewer, "/postbacks").await?,
        sign: sign(&row.outcome),
        received: moment(row.received_at, now),
        reason: row.reason.clone().unwrap_or_default(),
        may: viewer.may_review(),
        has_gap: gaps.iter().any(|view| view.gap.is_open),
        gaps,
        typed_reason: request.field("reason").unwrap_or_default().to_owned(),
        fault: fault.to_owned(),
        preview,
        proposal,
        events: events.into_iter().map(|(_, event)| event).collect(),
        row,
    };
    let status = if fault.is_empty() { 200 } else { 400 };
    Ok(Answer::Page(status, page.render()?))
}

fn gap_view(gap: Gap, request: &Request) -> GapView {
    let (label, hint) = match gap.name {
        "user_id" => ("User", "user ID in the app"),
        "tx_id" => ("Transaction", "transaction ID of the network"),
        "status" => ("Status", ""),
        "reward" => ("Reward", "e.g. 1234.50"),
        _ => ("Payout", "USD, e.g. 1.50"),
    };
    let typed = request.field(gap.name).unwrap_or_default().to_owned();
    GapView { gap, label, hint, typed }
}

async fn proposal(console: &Console, viewer: &Viewer, act: &ActRow) -> Result<Proposal, PageError> {
    let outlook = match console.stating.look_at(&console.store, act, console.clock.now()).await {
        Ok(look) => look.outlook.sentence,
        Err(Refused::Store(error)) => return Err(error.into()),
        Err(refused) => format!("This proposal is no longer valid: {refused}."),
    };
    Ok(Proposal {
        id: act.id,
        actor: act.actor.clone(),
        stated: act.stated()?.to_string(),
        reason: act.reason.clone(),
        outlook,
        is_own: act.actor == viewer.name(),
    })
}

/// `POST /postbacks/{id}/state|confirm|decline|set-aside|take-up`
pub(crate) async fn act(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: &str,
    act: &str,
) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let Ok(id) = id.parse::<i64>() else { return Ok(none(viewer)) };
    let acted = match act {
        "state" => return state(console, viewer, request, id).await,
        "confirm" | "decline" => second(console, viewer, request, id, act).await,
        "set-aside" => match by(console, viewer, request, true) {
            Ok(by) => stating::set_aside(&console.store, id, by).await.map(|_| ()),
            Err(refused) => Err(refused),
        },
        "take-up" => match by(console, viewer, request, true) {
            Ok(by) => stating::take_up(&console.store, id, by).await.map(|_| ()),
            Err(refused) => Err(refused),
        },
        _ => return Ok(none(viewer)),
    };
    match acted {
        Ok(()) => Ok(Answer::To(format!("/postbacks/{id}"))),
        Err(refused) => refuse(console, viewer, request, id, refused).await,
    }
}

/// `POST /postbacks/set-aside`: those that were selected in the list. What somebody else has finished meanwhile is left.
pub(crate) async fn set_many_aside(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let by = match by(console, viewer, request, true) {
        Ok(by) => by,
        Err(why) => {
            let words = format!("Nothing was changed: {why}.");
            return Ok(refusal(viewer, 400, "A reason is required", &words));
        }
    };
    for id in request.fields("id").filter_map(|id| id.parse::<i64>().ok()).take(MAX_SELECTED) {
        if let Err(Refused::Store(error)) = stating::set_aside(&console.store, id, by.clone()).await {
            return Err(error.into());
        }
    }
    Ok(Answer::To("/postbacks?outcome=quarantined".into()))
}

fn not_yours(viewer: &Viewer) -> Answer {
    refusal(viewer, 403, "Risk role required", "Nothing was changed: this requires the role risk or admin.")
}

fn by(console: &Console, viewer: &Viewer, request: &Request, required: bool) -> Result<By, Refused> {
    let reason = stating::reason(request.field("reason").unwrap_or_default(), required)?;
    Ok(By { actor: viewer.actor(), reason, now: console.clock.now() })
}

/// The page with the error; typed values are kept.
async fn refuse(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: i64,
    refused: Refused,
) -> Answered {
    match refused {
        Refused::Store(error) => Err(error.into()),
        Refused::NotFound(_) => Ok(none(viewer)),
        refused => {
            show(console, viewer, request, id, None, &format!("Nothing was changed: {refused}.")).await
        }
    }
}

async fn second(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: i64,
    act: &str,
) -> Result<(), Refused> {
    let proposal = request.field("proposal").and_then(|proposal| proposal.parse().ok()).unwrap_or_default();
    if act == "confirm" {
        let by = by(console, viewer, request, false)?;
        console.stating.confirm(&console.store, id, proposal, by).await?;
    } else {
        let by = by(console, viewer, request, true)?;
        stating::decline(&console.store, id, proposal, by).await?;
    }
    Ok(())
}

/// Enters the typed values, once the current preview was shown.
async fn state(console: &Console, viewer: &Viewer, request: &Request, id: i64) -> Answered {
    match stated(console, viewer, request, id).await {
        Ok(None) => Ok(Answer::To(format!("/postbacks/{id}"))),
        Ok(Some(preview)) => show(console, viewer, request, id, Some(preview), "").await,
        Err(refused) => refuse(console, viewer, request, id, refused).await,
    }
}

async fn stated(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: i64,
) -> Result<Option<Preview>, Refused> {
    let typed = STATABLE.map(|(field, name)| (field, request.field(name).unwrap_or_default()));
    let by = by(console, viewer, request, true)?;
    let look = console.stating.look(&console.store, id, &typed, by.now).await?;
    let is_confirmed = request.field("do") == Some("state");
    if is_confirmed && request.field("shown") == Some(look.outlook.sentence.as_str()) {
        console.stating.state(&console.store, id, &look, by).await?;
        return Ok(None);
    }
    Ok(Some(preview(look, by.reason)))
}

fn preview(look: Look, reason: String) -> Preview {
    let Look { stated, outlook, needs_second, .. } = look;
    Preview {
        values: stated.values().into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
        reason,
        outlook: outlook.sentence,
        needs_second,
    }
}
