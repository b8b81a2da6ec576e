//! `/deliveries`: deliveries to apps, resending and giving up.

use askama::Template;
use domain::delivery::Status;
use domain::review::decision::MAX_NOTE_LEN;
use domain::time::TimestampMs;
use store::deliveries::giving_up::{GiveUp, GivenUp};
use store::deliveries::list::{DeliveryFilter, DeliveryRow};
use store::deliveries::resend::{ResendFilter, Resendable, Resent, ResentMany, STEP_ROWS};
use store::rewards::list::Place;

use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, page as render};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, counted, moment, number, short, sign};

const PAGE: i64 = 50;
/// Deliveries that one click sends again; a longer backlog needs another click.
const MOST: i64 = 100 * STEP_ROWS;

struct Row {
    id: i64,
    reward_id: i64,
    sign: &'static str,
    status: String,
    event: String,
    app: String,
    user: String,
    user_link: String,
    attempts: i64,
    created: Moment,
    due: Option<Moment>,
    may_resend: bool,
    may_give_up: bool,
    /// Who gave it up and why; empty if nobody did.
    given_up: String,
}

struct Disabled {
    app: String,
    since: Moment,
    why: String,
}

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    rows: Vec<Row>,
    /// Name, label, whether it is chosen.
    statuses: Vec<(&'static str, String, bool)>,
    backlog: Vec<(String, String, Option<Moment>)>,
    disabled: Vec<Disabled>,
    failed: i64,
    is_set: bool,
    may_review: bool,
    said: String,
    next: String,
}

/// `GET /deliveries`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    let now = console.clock.now();
    let after = request.query("after").and_then(|after| {
        let (born_at, id) = after.split_once(',')?;
        Some(Place { received_at: TimestampMs(born_at.parse().ok()?), id: id.parse().ok()? })
    });
    let status = request.query("status").and_then(Status::parse);
    let filter = DeliveryFilter { status, after, ..DeliveryFilter::default() };
    let store = console.store.at_one_moment().await?;
    let (rows, backlog, disabled) =
        tokio::try_join!(store.deliveries(&filter, PAGE), store.backlog(), store.disabled_apps())?;
    drop(store);
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
    let next = rows.last().filter(|_| full).map_or_else(String::new, |last| {
        crate::console::shell::said::with(
            &request.target,
            &[("after", format!("{},{}", last.born_at, last.id))],
        )
    });
    let page = DeliveriesPage {
        frame: Frame::load(console, viewer, "/deliveries").await?,
        statuses: Status::ALL
            .into_iter()
            .map(|it| (it.name(), label(it.name()), status == Some(it)))
            .collect(),
        failed: backlog.iter().filter(|row| row.status == "failed").map(|row| row.deliveries).sum(),
        backlog: backlog
            .into_iter()
            .map(|row| {
                let oldest = row.oldest_created_at.map(|at| moment(at, now));
                (format!("{} {}", row.app, label(&row.status)), number(row.deliveries), oldest)
            })
            .collect(),
        disabled: disabled
            .into_iter()
            .map(|row| Disabled { app: row.app, since: moment(row.disabled_at, now), why: row.why })
            .collect(),
        is_set: status.is_some(),
        may_review: viewer.may_review(),
        said: crate::console::shell::said::message(viewer, request).join(" "),
        rows: rows
            .into_iter()
            .map(|row| Row {
                id: row.id,
                reward_id: row.reward_id,
                sign: sign(&row.status),
                may_resend: viewer.may_review() && matches!(row.status.as_str(), "failed" | "delivered"),
                may_give_up: viewer.may_review()
                    && matches!(row.status.as_str(), "failed" | "waiting" | "behind"),
                given_up: given_up(&row),
                due: (row.status == "waiting").then(|| moment(row.due_at, now)),
                event: row.event,
                user: short(&row.user_id),
                user_link: crate::console::review::user::link(&row.app, &row.user_id),
                attempts: row.counted_attempts,
                created: moment(row.born_at, now),
                status: label(&row.status),
                app: row.app,
            })
            .collect(),
        next,
    };
    render(&page)
}

/// `POST /deliveries/{id}/resend`
pub(crate) async fn resend(console: &Console, viewer: &Viewer, id: &str) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let Ok(id) = id.parse::<i64>() else { return Ok(Answer::To("/deliveries".into())) };
    let now = console.clock.now();
    match console.store.resend(id, viewer.actor(), now).await? {
        Resent::Done => Ok(back(viewer, format!("Delivery {id} will be sent again."))),
        Resent::NotFound => Ok(back(viewer, format!("There is no delivery {id}."))),
        Resent::NotPossible(status) => {
            Ok(back(viewer, format!("Delivery {id} is {} and cannot be sent again.", label(status.name()))))
        }
    }
}

/// `POST /deliveries/{id}/give-up`: one is not sent any more.
pub(crate) async fn give_up(console: &Console, viewer: &Viewer, request: &Request, id: &str) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let Ok(id) = id.parse::<i64>() else { return Ok(Answer::To("/deliveries".into())) };
    let Some(reason) = request.field("reason").filter(|reason| reason.len() <= MAX_NOTE_LEN) else {
        let words = format!("Nothing was changed: enter a reason of at most {MAX_NOTE_LEN} bytes.");
        return Ok(refusal(viewer, 400, "A reason is required", &words));
    };
    let give_up = GiveUp { id, actor: viewer.actor(), reason: reason.to_owned(), now: console.clock.now() };
    let said = match console.store.give_up(give_up).await? {
        GivenUp::Done => format!("Delivery {id} is given up and will not be sent."),
        GivenUp::NotFound => format!("There is no delivery {id}."),
        GivenUp::InHand => {
            format!("Nothing was changed: delivery {id} is being sent now. Try again in a moment.")
        }
        GivenUp::NotPossible(status) => {
            format!("Nothing was changed: delivery {id} is {} and cannot be given up.", label(status.name()))
        }
    };
    Ok(back(viewer, said))
}

/// Who gave it up and why; empty if nobody did.
pub(crate) fn given_up(row: &DeliveryRow) -> String {
    match (&row.given_up_by, &row.given_up_why) {
        (Some(by), Some(why)) => format!("by {by}: {why}"),
        _ => String::new(),
    }
}

/// The name of a status as people read it; the API and the address keep the stored names.
pub(crate) fn label(status: &str) -> String {
    match status {
        "behind" => "blocked".to_owned(),
        "withdrawn" => "cancelled".to_owned(),
        other => other.replace('_', " "),
    }
}

/// `POST /deliveries/resend`: everything that failed.
pub(crate) async fn resend_failed(console: &Console, viewer: &Viewer, _request: &Request) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let now = console.clock.now();
    let filter = ResendFilter { app: None, status: Resendable::Failed, from: None, to: None, ended_by: now };
    let by = viewer.actor();
    let ResentMany { deliveries, next } =
        console.store.resend_many(filter, None, Some(MOST), by, now).await?;
    let rest = if next.is_some() { " More failed deliveries remain: resend again." } else { "" };
    Ok(back(
        viewer,
        format!(
            "{} will be sent again.{rest}",
            counted(i64::try_from(deliveries).unwrap_or(i64::MAX), "delivery")
        ),
    ))
}

/// `POST /deliveries/apps/{app}/enable`: an app that was switched off is called again.
pub(crate) async fn enable(console: &Console, viewer: &Viewer, app: &str) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    console.store.enable_app(app.to_owned(), viewer.actor(), console.clock.now()).await?;
    Ok(back(viewer, format!("Deliveries to the app {app} are enabled again.")))
}

fn not_yours(viewer: &Viewer) -> Answer {
    refusal(
        viewer,
        403,
        "Risk role required",
        "Nothing was changed: resending and giving up deliveries requires the role risk or admin.",
    )
}

fn back(viewer: &Viewer, said: String) -> Answer {
    Answer::To(crate::console::shell::said::with_message(viewer, "/deliveries", &[said]))
}
