//! Decisions on held rewards: one, a selection or a whole cluster. More than one is decided only after the exact number
//! and payout were shown and a reason was given.
//!
//! | module | what it does |
//! |---|---|
//! | this one | release, reject, skip and overturn |
//! | `confirm` | the confirmation page for more than one reward |
//! | `undo` | what the last decision did, and undoing it |

mod confirm;
mod undo;

use domain::review::decision::{MAX_NOTE_LEN, Review};
use store::review::decisions::{BulkDecision, BulkDecisionResult, MAX_DECIDED, Skip, Skipped, Wanted};
use store::review::decisions::{Reviewed, Reviewer};

use crate::console::Console;
use crate::console::review::scope::Scope;
use crate::console::shell::answer::{Answer, Answered, PageError};
use crate::console::shell::frame::refusal;
use crate::console::shell::request::Request;
use crate::console::shell::said::with_message;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{counted, happened, span};
use confirm::confirm;
use undo::done_words;
pub(crate) use undo::{Done, Undo, done, undo};

/// The decision that a button stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Act {
    decision: Review,
    /// All rewards that match the filter, not only the selected ones.
    all: bool,
    /// The confirmation page was shown.
    confirmed: bool,
}

impl Act {
    fn parse(name: &str) -> Option<Self> {
        let (decision, rest) = match name.split_once('-') {
            Some((decision, rest)) => (decision, rest),
            None => (name, "one"),
        };
        let decision = match decision {
            "release" => Review::Release,
            "reject" => Review::Reject,
            _ => return None,
        };
        let (all, confirmed) = match rest {
            "selected" => (false, false),
            "one" | "selected-now" => (false, true),
            "all" => (true, false),
            "all-now" => (true, true),
            _ => return None,
        };
        Some(Self { decision, all, confirmed })
    }

    fn verb(self) -> &'static str {
        match self.decision {
            Review::Release => "Release",
            Review::Reject => "Reject",
        }
    }

    fn done(self) -> &'static str {
        match self.decision {
            Review::Release => "Released",
            Review::Reject => "Rejected",
        }
    }

    fn name(self) -> &'static str {
        match self.decision {
            Review::Release => "release",
            Review::Reject => "reject",
        }
    }
}

/// `POST /review/decide`
pub(crate) async fn decide(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let back = back(request);
    let Some(act) = request.field("do").and_then(Act::parse) else {
        return Ok(refusal(
            viewer,
            400,
            "Unknown decision",
            "Nothing was changed: a decision is release or reject.",
        ));
    };
    let scope = Scope::of_form(request);
    let wanted = wanted(console, request, act, &scope).await?;
    if wanted.is_empty() {
        let said = "Nothing was changed: no reward is selected.".to_owned();
        return Ok(Answer::To(with_message(viewer, &back, &[said])));
    }
    let note = request.field("note").map(str::to_owned);
    if note.as_ref().is_some_and(|note| note.len() > MAX_NOTE_LEN) {
        let words = format!("Nothing was changed: a note has at most {MAX_NOTE_LEN} bytes.");
        return Ok(refusal(viewer, 400, "The note is too long", &words));
    }
    let many = wanted.len() > 1;
    // Fewer than shown: others have decided some meanwhile. More were never shown, so they must be confirmed.
    let confirmed = act.confirmed && wanted.len() <= shown(request);
    if (many || act.all) && (!confirmed || note.is_none()) {
        let fault =
            (act.confirmed && note.is_none()).then_some("A reason is required for more than one reward.");
        return confirm(console, viewer, act, &wanted, scope, &back, fault).await;
    }
    let now = console.clock.now();
    let reviewer =
        Reviewer { actor: viewer.actor(), note, now, business_date: now.business_date(console.timezone) };
    let decide = BulkDecision { wanted, decision: act.decision, overturn: false, reviewer };
    let decision = match console.store.decide(decide).await {
        // Someone else decided at the same time. Nothing was saved; the list shows who.
        Err(store::Error::Contended(_)) => {
            let said = "Nothing was changed: someone else decided at the same time. Check the rewards and try again.";
            return Ok(Answer::To(with_message(viewer, &back, &[said.into()])));
        }
        other => other?,
    };
    Ok(Answer::To(after(console, viewer, &decision, act, request, &back)))
}

/// Number of rewards on the confirmation page.
fn shown(request: &Request) -> usize {
    request
        .field("shown")
        .and_then(|shown| shown.parse().ok())
        .unwrap_or(usize::from(request.fields("id").count() == 1))
}

/// The rewards to decide on: the selected ones by id and steps, or all that match the filter.
async fn wanted(
    console: &Console,
    request: &Request,
    act: Act,
    scope: &Scope,
) -> Result<Vec<Wanted>, PageError> {
    let limit = i64::try_from(MAX_DECIDED).unwrap_or(i64::MAX);
    if act.all {
        let ids = console.store.hold_ids(&scope.filter(console.clock.now()), limit).await?;
        return Ok(ids.into_iter().map(|(reward_id, steps)| Wanted { reward_id, steps }).collect());
    }
    let parse = |text: &str| {
        let (id, steps) = text.split_once(':')?;
        Some(Wanted { reward_id: id.parse().ok()?, steps: steps.parse().ok()? })
    };
    Ok(request.fields("id").filter_map(parse).take(MAX_DECIDED).collect())
}

/// The next page: the next reward if one was decided, else the list.
fn after(
    console: &Console,
    viewer: &Viewer,
    decision: &BulkDecisionResult,
    act: Act,
    request: &Request,
    back: &str,
) -> String {
    let next = request.field("next").filter(|next| is_ours(next)).unwrap_or(back);
    let mut lines = Vec::new();
    // While it can be undone, the undo bar says it.
    if decision.id.is_some() && console.grace_ms <= 0 {
        lines.push(done_words(act.done(), count(decision.taken.len()), decision.payout_micros));
    }
    if !decision.waiting.is_empty() {
        lines.push(format!(
            "Your opinion on {} is saved: a second person must agree.",
            rewards(decision.waiting.len())
        ));
    }
    if !decision.skipped.is_empty() {
        let because = because(&decision.skipped, console.clock.now().0);
        lines.push(format!("{} not decided: {because}.", rewards(decision.skipped.len())));
    }
    going_on(&with_message(viewer, next, &lines))
}

/// Why rewards were not decided; at most three.
fn because(skipped: &[Skipped], now_ms: i64) -> String {
    let one = |skipped: &Skipped| match &skipped.why {
        Skip::NotFound => format!("there is no reward {}", skipped.reward_id),
        Skip::Claimed { person } => format!("reward {} is claimed by {person}", skipped.reward_id),
        Skip::Changed { step, by, at, .. } => format!(
            "reward {} was {} by {by} {} ago",
            skipped.reward_id,
            happened(step.name()),
            span((now_ms - at.0).max(0))
        ),
    };
    skipped.iter().take(3).map(one).collect::<Vec<_>>().join("; ")
}

/// `POST /rewards/{id}/skip`: ends the claim and opens the next reward.
pub(crate) async fn skip(console: &Console, viewer: &Viewer, request: &Request, id: &str) -> Answered {
    if let Ok(id) = id.parse::<i64>() {
        console.store.let_go(id, viewer.name()).await?;
    }
    let next =
        request.field("next").filter(|next| is_ours(next)).map_or_else(|| back(request), str::to_owned);
    Ok(Answer::To(going_on(&next)))
}

/// `POST /rewards/{id}/overturn`: releases what was rejected before.
pub(crate) async fn overturn(console: &Console, viewer: &Viewer, request: &Request, id: &str) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let page = format!("/rewards/{id}");
    let note = request.field("note").filter(|note| note.len() <= MAX_NOTE_LEN);
    let (Ok(id), Some(note)) = (id.parse::<i64>(), note) else {
        return Ok(refusal(
            viewer,
            400,
            "A reason is required",
            "Nothing was changed. Go back and enter a reason.",
        ));
    };
    let now = console.clock.now();
    let reviewer = Reviewer {
        actor: viewer.actor(),
        note: Some(note.to_owned()),
        now,
        business_date: now.business_date(console.timezone),
    };
    let said = match console.store.review(id, Review::Release, reviewer).await {
        Ok(Reviewed::Done) => return Ok(Answer::To(page)),
        Ok(Reviewed::Waits) => {
            let said = "Your opinion on 1 reward is saved: a second person must agree.".to_owned();
            return Ok(Answer::To(with_message(viewer, &page, &[said])));
        }
        Ok(Reviewed::NotFound) => "the reward does not exist".to_owned(),
        Ok(Reviewed::Claimed(person)) => format!("it is claimed by {person}"),
        Ok(Reviewed::NotAllowed(why)) => why.to_string(),
        Err(store::Error::Contended(_)) => "someone else changed it at the same time".to_owned(),
        Err(error) => return Err(error.into()),
    };
    Ok(Answer::To(with_message(viewer, &page, &[format!("1 reward not decided: {said}.")])))
}

/// The same page, with a mark that leads to the next cluster if this one is empty.
fn going_on(path: &str) -> String {
    if !path.starts_with("/review") {
        return path.to_owned();
    }
    format!("{path}{}on=1", if path.contains('?') { '&' } else { '?' })
}

fn not_yours(viewer: &Viewer) -> Answer {
    refusal(
        viewer,
        403,
        "Risk role required",
        "Nothing was changed: deciding on rewards requires the role risk or admin.",
    )
}

/// True if a path leads to the queue or to a reward, not to another site.
fn is_ours(path: &str) -> bool {
    let page = path.split(['?', '#']).next().unwrap_or_default();
    (page == "/review" || page.starts_with("/rewards/")) && !path.contains(['\\', '\r', '\n'])
}

fn back(request: &Request) -> String {
    request.field("back").filter(|back| is_ours(back)).unwrap_or("/review").to_owned()
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

fn rewards(len: usize) -> String {
    counted(count(len), "reward")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_are_decisions() {
        for (name, expected) in [
            ("release", Some((Review::Release, false, true))),
            ("reject-selected", Some((Review::Reject, false, false))),
            ("release-all-now", Some((Review::Release, true, true))),
            ("approve", None),
            ("release-everything", None),
        ] {
            let act = Act::parse(name).map(|act| (act.decision, act.all, act.confirmed));
            assert_eq!(act, expected, "{name}");
        }
    }
}
