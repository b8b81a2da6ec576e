//! Deciding: one reward, a selection, a whole cluster; and taking it back. More than one is never decided before the
//! exact number and money were shown and a reason was given.

use askama::Template;
use domain::money::Micros;
use domain::review::decision::{MAX_NOTE_LEN, Review};
use domain::review::queue::Alone;
use domain::time::TimestampMs;
use store::review::decisions::{BulkDecision, BulkDecisionResult, MAX_DECIDED, Skip, Skipped, Wanted};
use store::review::decisions::{Reviewed, Reviewer};
use store::review::holds::HoldFilter;

use crate::console::Console;
use crate::console::review::scope::Scope;
use crate::console::shell::answer::{Answer, Answered, PageError, page as render};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::request::Request;
use crate::console::shell::said::{telling, told};
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{counted, happened, number, priced, span, usd};
use crate::console::shell::visible::filters;

/// What a click did, in words.
pub(crate) struct Done {
    pub(crate) text: String,
    pub(crate) more: Vec<String>,
}

/// The last decision that still stands, while it can be taken back.
pub(crate) struct Undo {
    pub(crate) id: i64,
    pub(crate) text: String,
    /// The reward, if it was one.
    pub(crate) reward_id: Option<i64>,
    pub(crate) left_ms: i64,
}

/// What a click asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Act {
    decision: Review,
    /// All that a filter finds, not what is listed.
    all: bool,
    /// Shown and confirmed.
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
        return Ok(Answer::To(telling(viewer, &back, &[said])));
    }
    let note = request.field("note").map(str::to_owned);
    if note.as_ref().is_some_and(|note| note.len() > MAX_NOTE_LEN) {
        let words = format!("Nothing was changed: a note has at most {MAX_NOTE_LEN} bytes.");
        return Ok(refusal(viewer, 400, "The note is too long", &words));
    }
    let many = wanted.len() > 1;
    // Fewer than shown is what others have decided meanwhile; more has not been seen.
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
        // Somebody was faster by a hair: nothing was saved, and the list will say who.
        Err(store::Error::Contended(_)) => {
            let said = "Nothing was changed: someone else decided at the same time. Check the rewards and try again.";
            return Ok(Answer::To(telling(viewer, &back, &[said.into()])));
        }
        other => other?,
    };
    Ok(Answer::To(after(console, viewer, &decision, act, request, &back)))
}

/// How many rewards the page of confirmation has shown.
fn shown(request: &Request) -> usize {
    request
        .field("shown")
        .and_then(|shown| shown.parse().ok())
        .unwrap_or(usize::from(request.fields("id").count() == 1))
}

/// Where to go on: the next reward if one was decided, else the list.
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
    // While it can be undone, the bar with the undo says so.
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
    going_on(&telling(viewer, next, &lines))
}

/// The same place, but whoever finds its cluster empty is led to the next one.
fn going_on(path: &str) -> String {
    if !path.starts_with("/review") {
        return path.to_owned();
    }
    format!("{path}{}on=1", if path.contains('?') { '&' } else { '?' })
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

fn rewards(len: usize) -> String {
    counted(count(len), "reward")
}

/// E.g. `Released 3 rewards, $4.50.`
fn done_words(verb: &str, many: i64, payout_micros: i64) -> String {
    format!("{verb} {}, {}.", counted(many, "reward"), usd(payout_micros))
}

/// What happened instead, for the first of those that were not decided.
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

/// What is to be decided on: what is listed by id and steps, or all that the filter finds.
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

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    frame: Frame,
    verb: &'static str,
    act: String,
    rewards: String,
    users: String,
    /// What it means for the users, in a sentence.
    consequence: String,
    is_reject: bool,
    payout: String,
    facts: Vec<(&'static str, String)>,
    warnings: Vec<String>,
    scope: Vec<(&'static str, String)>,
    back: String,
    fault: Option<&'static str>,
}

/// Shows exactly what would be decided.
async fn confirm(
    console: &Console,
    viewer: &Viewer,
    act: Act,
    wanted: &[Wanted],
    scope: Scope,
    back: &str,
    fault: Option<&'static str>,
) -> Answered {
    let now = console.clock.now();
    let ids: Vec<i64> = wanted.iter().map(|wanted| wanted.reward_id).collect();
    let newest = ids.iter().copied().max().unwrap_or_default();
    let filter = if act.all {
        HoldFilter { upto_id: Some(newest), ..scope.filter(now) }
    } else {
        HoldFilter { ids: Some(ids), ..HoldFilter::default() }
    };
    let (totals, users) =
        tokio::try_join!(console.store.hold_totals(&filter, now), console.store.hold_users(&filter))?;
    let reward = totals.reward_micros.zip(totals.currency.as_deref());
    let reward = reward.map_or_else(
        || "their rewards in several currencies".into(),
        |(micros, currency)| priced(micros, currency),
    );
    let users = counted(users, "user");
    let consequence = match act.decision {
        Review::Release if users == "1 user" => format!("1 user receives {reward}."),
        Review::Release => format!("{users} receive {reward}."),
        Review::Reject => format!("{users} will not receive {reward}."),
    };
    let mut fields = vec![("back", back.to_owned()), ("shown", wanted.len().to_string())];
    if act.all {
        fields.extend(scope.upto(newest).fields());
    } else {
        fields.extend(wanted.iter().map(|wanted| ("id", format!("{}:{}", wanted.reward_id, wanted.steps))));
    }
    let mut warnings = Vec::new();
    if wanted.len() == MAX_DECIDED {
        warnings.push(format!(
            "At most {} rewards can be decided at once; these are the oldest.",
            number(totals.rewards)
        ));
    }
    let second = &console.terms.second;
    let before = console.store.decided_alone(viewer.name(), act.decision, now).await?;
    let alone = Alone {
        payout: Micros(before.payout.0.saturating_add(totals.payout_micros)),
        rewards: before.rewards.saturating_add(wanted.len()),
    };
    if second.is_needed(Micros(0), false, alone) {
        warnings.push(
            "With your other decisions of the last 24 hours, this exceeds the limit for one person. A second person must \
             agree; your decision is saved as an opinion."
                .into(),
        );
    }
    if console.grace_ms > 0 && act.decision == Review::Release {
        warnings
            .push(format!("You can undo this for {}; apps are notified after that.", span(console.grace_ms)));
    }
    let count = count(wanted.len());
    let mut page = ConfirmPage {
        frame: Frame::load(console, viewer, "/review").await?,
        verb: act.verb(),
        act: format!("{}-{}-now", act.name(), if act.all { "all" } else { "selected" }),
        rewards: counted(count, "reward"),
        users,
        consequence,
        is_reject: act.decision == Review::Reject,
        payout: usd(totals.payout_micros),
        facts: Vec::new(),
        warnings,
        scope: fields,
        back: back.to_owned(),
        fault,
    };
    if totals.rewards != count {
        page.facts.push(("Still held", number(totals.rewards)));
    }
    render(&page)
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
        return Ok(Answer::To(telling(
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
        // What is held again is what somebody wants to see next, wherever they went meanwhile.
        [one] if back.starts_with("/review") => match console.store.hold(*one, now).await? {
            Some(row) => Scope::of_path(&back).in_cluster_of(&row).url(&[("open", one.to_string())]),
            None => back,
        },
        _ => back,
    };
    Ok(Answer::To(telling(viewer, &place, &lines)))
}

/// `POST /rewards/{id}/skip`: lets go of it, and goes on.
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
            return Ok(Answer::To(telling(viewer, &page, &[said])));
        }
        Ok(Reviewed::NotFound) => "the reward does not exist".to_owned(),
        Ok(Reviewed::Claimed(person)) => format!("it is claimed by {person}"),
        Ok(Reviewed::NotAllowed(why)) => why.to_string(),
        Err(store::Error::Contended(_)) => "someone else changed it at the same time".to_owned(),
        Err(error) => return Err(error.into()),
    };
    Ok(Answer::To(telling(viewer, &page, &[format!("1 reward not decided: {said}.")])))
}

/// What the last click did, and what of this person's decisions can be taken back: the newest that still stands,
/// wherever they went meanwhile.
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
    let mut lines = told(viewer, request).into_iter();
    let done = lines.next().map(|text| Done { text, more: lines.collect() });
    Ok((done, undo.filter(|undo| undo.left_ms > 0)))
}

fn not_yours(viewer: &Viewer) -> Answer {
    refusal(
        viewer,
        403,
        "Risk role required",
        "Nothing was changed: deciding on rewards requires the role risk or admin.",
    )
}

/// A place to come back to: a page of the queue or of a reward, and nothing that only looks like one.
fn is_ours(path: &str) -> bool {
    let page = path.split(['?', '#']).next().unwrap_or_default();
    (page == "/review" || page.starts_with("/rewards/")) && !path.contains(['\\', '\r', '\n'])
}

fn back(request: &Request) -> String {
    request.field("back").filter(|back| is_ours(back)).unwrap_or("/review").to_owned()
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
