//! What a person's last decision did, and undoing it.

use domain::time::TimestampMs;
use store::review::decisions::Reviewer;

use super::{back, not_yours, rewards};
use crate::console::Console;
use crate::console::review::scope::Scope;
use crate::console::shell::answer::{Answer, Answered, PageError};
use crate::console::shell::request::Request;
use crate::console::shell::said::{message, with_message};
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{counted, usd};

/// The result of the last form.
pub(crate) struct Done {
    pub(crate) text: String,
    pub(crate) more: Vec<String>,
}

/// The person's last decision, while it can be undone.
pub(crate) struct Undo {
    pub(crate) id: i64,
    pub(crate) text: String,
    /// The reward, if the decision was on exactly one.
    pub(crate) reward_id: Option<i64>,
    pub(crate) left_ms: i64,
}

/// What the last form did, and the newest decision of this person that can be undone, whichever page it was made on.
pub(crate) async fn done(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
) -> Result<(Option<Done>, Option<Undo>), PageError> {
    let since = TimestampMs(console.clock.now().0 - console.grace_ms);
    let last =
        if viewer.may_review() { console.store.last_decision(viewer.name(), since).await? } else { None };
    let undo = last.map(|row| {
        let verb = if row.decision == "release" { "Released" } else { "Rejected" };
        Undo {
            id: row.id,
            text: done_words(verb, row.rewards, row.payout_micros),
            reward_id: (row.rewards == 1).then_some(row.first_reward_id),
            left_ms: row.decided_at + console.grace_ms - console.clock.now().0,
        }
    });
    let mut lines = message(viewer, request).into_iter();
    let done = lines.next().map(|text| Done { text, more: lines.collect() });
    Ok((done, undo.filter(|undo| undo.left_ms > 0)))
}

/// `POST /decisions/{id}/undo`
pub(crate) async fn undo(console: &Console, viewer: &Viewer, request: &Request, id: &str) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let back = back(request);
    let Ok(id) = id.parse::<i64>() else { return Ok(Answer::To(back)) };
    let now = console.clock.now();
    let reviewer = Reviewer {
        actor: viewer.actor(),
        note: Some(format!("undo of decision {id}")),
        now,
        business_date: now.business_date(console.timezone),
    };
    let Some(undone) = console.store.undo_decision(id, reviewer).await? else {
        return Ok(Answer::To(with_message(
            viewer,
            &back,
            &["Nothing was changed: only the person who decided can undo it.".into()],
        )));
    };
    let mut lines = Vec::new();
    if !undone.undone.is_empty() {
        lines.push(format!("Undone: {} held again.", rewards(undone.undone.len())));
    }
    if !undone.too_late.is_empty() {
        let late = rewards(undone.too_late.len());
        lines.push(format!("Not undone: {late}. The app was already notified, or the reward has changed."));
    }
    let place = match undone.undone.as_slice() {
        // The reward that is held again is opened, whichever page the undo came from.
        [one] if back.starts_with("/review") => match console.store.hold(*one, now).await? {
            Some(row) => Scope::of_path(&back).in_cluster_of(&row).url(&[("open", one.to_string())]),
            None => back,
        },
        _ => back,
    };
    Ok(Answer::To(with_message(viewer, &place, &lines)))
}

/// E.g. `Released 3 rewards, $4.50.`
pub(super) fn done_words(verb: &str, many: i64, payout_micros: i64) -> String {
    format!("{verb} {}, {}.", counted(many, "reward"), usd(payout_micros))
}
