//! `/review/reversals`: reversals that cannot be booked automatically, and the decision on each.

use askama::Template;
use domain::money::Micros;
use domain::review::decision::MAX_NOTE_LEN;
use domain::review::reversal::{Extent, REAPPROVED, Resolution, Situation, extent};
use domain::time::TimestampMs;
use store::review::cases::{CaseFilter, CasePlace, CaseRow, PartnerRow, Resolve, Resolved};
use store::review::decisions::Reviewer;
use store::review::holds::HoldFilter;

use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, PageError, page as render};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::request::Request;
use crate::console::shell::said::{message, with, with_message};
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, moment, number, priced, short, sign, usd};
use crate::console::shell::visible::filters;

/// Cases on one page; each orphan among them queries its likely credits.
const PAGE: i64 = 20;

/// The address of this page.
pub(crate) const PATH: &str = "/review/reversals";

struct Partner {
    id: i64,
    tx: String,
    sign: &'static str,
    status: String,
    money: String,
    offer: String,
    received: Moment,
    chips: Vec<&'static str>,
}

struct Case {
    id: i64,
    title: &'static str,
    sentence: String,
    money: String,
    source: String,
    user: String,
    user_link: String,
    tx: String,
    reward_id: i64,
    sign: &'static str,
    status: String,
    since: Moment,
    is_orphan: bool,
    partners: Vec<Partner>,
    /// Label of the button to reverse all; empty if nothing is left.
    all: String,
    /// Label of the button to reverse the part; empty if no part is named.
    part: String,
    /// How it ended, by whom, when and why.
    ended: Option<(String, Moment, String)>,
}

#[derive(Template)]
#[template(path = "reversals.html")]
struct ReversalsPage {
    frame: Frame,
    cases: Vec<Case>,
    counts: Vec<(&'static str, String, String, String, bool)>,
    is_ended: bool,
    may_review: bool,
    said: Option<String>,
    fault: Option<String>,
    /// The submitted note, kept after an error.
    note: String,
    next: String,
}

/// The displayed name of a situation.
pub(crate) fn title(situation: Situation) -> &'static str {
    match situation {
        Situation::Orphan => "Reversal without a credit",
        Situation::OtherUser => "Reversal names another user",
        Situation::Part => "Partial reversal",
    }
}

/// `GET /review/reversals`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    let said = message(viewer, request).into_iter().next();
    show(console, viewer, request, said, None).await
}

async fn show(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    said: Option<String>,
    fault: Option<String>,
) -> Answered {
    let now = console.clock.now();
    let after = request.query("after").and_then(|after| {
        let (at, id) = after.split_once(',')?;
        Some(CasePlace { at: TimestampMs(at.parse().ok()?), id: id.parse().ok()? })
    });
    let situation = request.query("situation").and_then(Situation::parse);
    let is_ended = request.query("state") == Some("ended");
    let filter = CaseFilter { ended: is_ended, situation, source: None, after };
    let rows = console.store.cases(&filter, now, PAGE).await?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
    let next = rows.last().filter(|_| is_full).map_or_else(String::new, |last| {
        let at = if is_ended { last.ended_at.unwrap_or_default() } else { last.due_at };
        with(&request.target, &[("after", format!("{at},{}", last.id))])
    });
    let mut cases = Vec::with_capacity(rows.len());
    for row in rows {
        let is_orphan = row.situation == Situation::Orphan.name() && row.ended().is_none();
        let partners = if is_orphan { console.store.partners(&row).await? } else { Vec::new() };
        cases.push(case(row, partners, now));
    }
    render(&ReversalsPage {
        frame: Frame::load(console, viewer, "/review").await?,
        cases,
        counts: counts(console, situation, now).await?,
        is_ended,
        may_review: viewer.may_review(),
        said,
        note: fault.as_ref().and_then(|_| request.field("note")).unwrap_or_default().to_owned(),
        fault,
        next,
    })
}

/// Every situation with how many there are, the money at stake, where they are listed, and whether that is here.
async fn counts(
    console: &Console,
    chosen: Option<Situation>,
    now: TimestampMs,
) -> Result<Vec<(&'static str, String, String, String, bool)>, PageError> {
    let filter = HoldFilter { rule: Some(REAPPROVED.into()), ..HoldFilter::default() };
    let (open, again) =
        tokio::try_join!(console.store.open_cases(now), console.store.hold_totals(&filter, now))?;
    let mut counts: Vec<_> = Situation::ALL
        .into_iter()
        .map(|situation| {
            let row = open.iter().find(|row| row.situation == situation.name());
            (
                title(situation),
                number(row.map_or(0, |row| row.cases)),
                usd(row.map_or(0, |row| row.payout_micros)),
                with(PATH, &[("situation", situation.name().to_owned())]),
                chosen == Some(situation),
            )
        })
        .collect();
    counts.push((
        "Approved again after a reversal",
        number(again.rewards),
        usd(again.payout_micros),
        format!("/review?rule={REAPPROVED}"),
        false,
    ));
    Ok(counts)
}

fn case(row: CaseRow, partners: Vec<PartnerRow>, now: TimestampMs) -> Case {
    let situation = Situation::parse(&row.situation).unwrap_or(Situation::Orphan);
    let left = domain::ledger::Amounts {
        reward: Micros(row.reward_micros.unwrap_or_default() - row.taken_back_micros),
        payout: Micros(row.payout_micros.unwrap_or_default() - row.taken_back_payout_micros),
    };
    let part = match extent(row.said_reward_micros.map(Micros), row.said_payout_micros.map(Micros), left) {
        Extent::Part(part) if situation != Situation::Orphan => Some(part),
        _ => None,
    };
    let coins = |micros: i64| priced(micros, &row.currency);
    let sentence = match situation {
        Situation::Orphan => {
            "The network reversed a transaction that it did not credit within its retry horizon. The user keeps \
             the credit until someone links the reversal to it."
                .to_owned()
        }
        Situation::OtherUser => {
            format!("The reversal names the user {}, but the reward belongs to {}.", row.said_user_id, row.user_id)
        }
        Situation::Part => {
            let part = part.unwrap_or(left);
            format!(
                "The reversal covers {} of {} (payout {} of {}).",
                coins(part.reward.0),
                coins(left.reward.0),
                usd(part.payout.0),
                usd(left.payout.0)
            )
        }
    };
    let is_reversed = row.status == "reversed";
    let ended = ending(&row, now);
    let money = match (row.stake_reward_micros, row.stake_payout_micros) {
        (0, 0) => "no amount given".to_owned(),
        (reward, 0) => coins(reward),
        (reward, payout) => format!("{} · {}", coins(reward), usd(payout)),
    };
    Case {
        all: match (situation, is_reversed) {
            (Situation::Orphan, _) => "Reverse the selected credit".into(),
            (_, false) => format!("Reverse all {}", coins(left.reward.0)),
            (_, true) => String::new(),
        },
        part: part
            .filter(|_| !is_reversed)
            .map_or_else(String::new, |part| format!("Reverse {}", coins(part.reward.0))),
        id: row.id,
        title: title(situation),
        sentence,
        money,
        user: short(&row.said_user_id),
        user_link: crate::console::review::user::link(&row.app, &row.said_user_id),
        tx: row.tx_id,
        reward_id: row.reward_id,
        sign: sign(&row.status),
        since: moment(row.due_at, now),
        is_orphan: situation == Situation::Orphan,
        partners: partners.into_iter().map(|row| partner(row, now)).collect(),
        ended,
        source: row.source,
        status: row.status,
    }
}

fn partner(row: PartnerRow, now: TimestampMs) -> Partner {
    let chips = [(row.same_offer == 1, "same offer"), (row.same_amount == 1, "same amount")];
    Partner {
        id: row.id,
        tx: row.tx_id,
        sign: sign(&row.status),
        money: format!("{} · {}", priced(row.reward_micros, &row.currency), usd(row.payout_micros)),
        offer: row.offer_name.or(row.offer_id).unwrap_or_else(|| "no offer".into()),
        received: moment(row.received_at, now),
        chips: chips.into_iter().filter_map(|(is_so, chip)| is_so.then_some(chip)).collect(),
        status: row.status,
    }
}

/// The outcome of a case, in a sentence.
fn ending(row: &CaseRow, now: TimestampMs) -> Option<(String, Moment, String)> {
    use domain::review::reversal::Ending;
    let ending = row.ended()?;
    let by = row.ended_by.as_deref().unwrap_or("network");
    let target = row.linked_reward_id.unwrap_or(row.reward_id);
    let text = match ending {
        Ending::TakenBack => format!("{by} reversed reward {target}"),
        Ending::PartTakenBack => format!("{by} reversed part of reward {target}"),
        Ending::Dismissed => format!("{by} dismissed the reversal"),
        Ending::CreditCame => "The credit arrived later".into(),
        Ending::Reversed => format!("{by} later reversed all of reward {target}"),
    };
    Some((text, moment(row.ended_at.unwrap_or_default(), now), row.note.clone().unwrap_or_default()))
}

/// `POST /review/reversals/{id}`
pub(crate) async fn decide(console: &Console, viewer: &Viewer, request: &Request, id: &str) -> Answered {
    if !viewer.may_review() {
        return Ok(refusal(
            viewer,
            403,
            "Risk role required",
            "Nothing was changed: deciding on reversals requires the role risk or admin.",
        ));
    }
    let wanted = id.parse::<i64>().ok().zip(request.field("do").and_then(Resolution::parse));
    let Some((case_id, resolution)) = wanted else { return Ok(Answer::To(PATH.into())) };
    let note = request.field("note").unwrap_or_default();
    if note.is_empty() || note.len() > MAX_NOTE_LEN {
        let fault = format!("Nothing was changed: a reason is required, at most {MAX_NOTE_LEN} bytes.");
        return show(console, viewer, request, None, Some(fault)).await;
    }
    let reward_id = request.field("other").or_else(|| request.field("reward"));
    let Ok(reward_id) = reward_id.map(str::parse::<i64>).transpose() else {
        let fault = "Nothing was changed: a reward ID has digits only.".to_owned();
        return show(console, viewer, request, None, Some(fault)).await;
    };
    let now = console.clock.now();
    let reviewer = Reviewer {
        actor: viewer.actor(),
        note: Some(note.to_owned()),
        now,
        business_date: now.business_date(console.timezone),
    };
    let fault = match console.store.resolve_case(Resolve { case_id, resolution, reward_id, reviewer }).await {
        Ok(Resolved::Done { .. }) => {
            let row = console.store.case(case_id).await?;
            let said = row.and_then(|row| ending(&row, now)).map(|(text, ..)| format!("{text}."));
            return Ok(Answer::To(with_message(viewer, PATH, said.as_slice())));
        }
        Ok(Resolved::NotFound) => "Nothing was changed: this case does not exist.".to_owned(),
        Ok(Resolved::Ended { by, .. }) => format!("Nothing was changed: {by} has already decided this case."),
        Ok(Resolved::BadReward(why)) => format!("Nothing was changed: {why}."),
        Ok(Resolved::Waits) => {
            let said =
                "Your opinion is saved: a second person must agree that this case is dismissed.".to_owned();
            return Ok(Answer::To(with_message(viewer, PATH, &[said])));
        }
        Ok(Resolved::NotPossible(why)) => format!("Nothing was changed: {why}."),
        Err(store::Error::Contended(_)) => {
            "Nothing was changed: someone else changed the reward at the same time. Check it and try again."
                .to_owned()
        }
        Err(error) => return Err(error.into()),
    };
    show(console, viewer, request, None, Some(fault)).await
}
