//! `/rewards/{id}`: one reward with everything that is known of it. The same stands beside the queue.

use askama::Template;
use domain::masked::masked;
use domain::reward::Status;
use domain::time::TimestampMs;
use store::deliveries::list::{AttemptRow, DeliveryRow};
use store::postbacks::list::PostbackRow;
use store::postbacks::quarantine::ActRow;
use store::review::claims::Claimed;
use store::rewards::list::{StepRow, TransferRow};

use crate::console::Console;
use crate::console::review::decide::{Done, Undo};
use crate::console::review::evidence;
use crate::console::review::lists::Target;
use crate::console::shell::answer::{Answered, PageError, page as render};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{
    Moment, counted, dollars_in, figure, happened, moment, priced, short, sign, span, usd,
};
use crate::console::shell::visible::filters;

pub(crate) struct SignalView {
    pub(crate) fired: bool,
    pub(crate) hard: bool,
    /// True if there are too few observations to compare with.
    pub(crate) insufficient: bool,
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
    /// What people stated of it, one line each.
    pub(crate) stated: Vec<String>,
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

/// The last step of a reward.
pub(crate) struct Head {
    pub(crate) what: String,
    pub(crate) at: Moment,
    pub(crate) actor: String,
    /// The note of a person; the text of rules is in the verdict.
    pub(crate) note: String,
}

impl Head {
    fn of(row: &StepRow, now: TimestampMs) -> Self {
        let what = happened(&row.step);
        let (first, rest) = what.split_at(1);
        let is_of_rules = row.actor == "rules";
        let note = row.note.as_deref().filter(|_| !is_of_rules).unwrap_or_default();
        Self {
            what: first.to_uppercase() + rest,
            at: moment(row.taken_at, now),
            actor: if is_of_rules { "the rules".into() } else { row.actor.clone() },
            note: dollars_in(note),
        }
    }
}

/// One reward, as it is shown.
#[expect(clippy::struct_excessive_bools, reason = "each says whether one part of the page is there")]
pub(crate) struct RewardView {
    pub(crate) id: i64,
    pub(crate) steps: i64,
    pub(crate) status: String,
    pub(crate) sign: &'static str,
    pub(crate) conflict: bool,
    pub(crate) received: Moment,
    /// Its last step.
    pub(crate) last: Option<Head>,
    pub(crate) tx_id: String,
    pub(crate) tx_short: String,
    pub(crate) reward: String,
    /// The part that the network took back; empty if it took none.
    pub(crate) taken_back: String,
    pub(crate) currency: String,
    pub(crate) payout: String,
    pub(crate) offer: String,
    pub(crate) event: String,
    pub(crate) user: String,
    pub(crate) user_id: String,
    pub(crate) user_link: String,
    pub(crate) sentence: String,
    /// Warnings before a decision, e.g. that somebody else has claimed the reward.
    pub(crate) notices: Vec<String>,
    pub(crate) may_decide: bool,
    pub(crate) may_overturn: bool,
    pub(crate) histogram: String,
    pub(crate) places: Vec<(&'static str, String)>,
    pub(crate) signals: Vec<SignalView>,
    pub(crate) fired: usize,
    pub(crate) score: i64,
    pub(crate) policy: String,
    pub(crate) policy_short: String,
    /// The version of the baseline that said something of the offer; empty if none did.
    pub(crate) baseline: String,
    pub(crate) baseline_short: String,
    pub(crate) user_line: String,
    pub(crate) user_since: Option<Moment>,
    pub(crate) related: Vec<Related>,
    pub(crate) steps_taken: Vec<StepView>,
    pub(crate) transfers: Vec<TransferView>,
    pub(crate) postbacks: Vec<PostbackView>,
    pub(crate) deliveries: Vec<DeliveryView>,
    /// What an entry of a list can name; empty for people who may not add one.
    pub(crate) targets: Vec<Target>,
    /// True on a page of its own.
    pub(crate) alone: bool,
    /// Path of the page after a decision; empty for none.
    pub(crate) next: String,
    /// Path to return to without a decision.
    pub(crate) back: String,
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
    let Some(item) = view(console, viewer, request, id, true, true).await? else {
        return Ok(refusal(viewer, 404, "Reward not found", "Check the ID; rewards are never deleted."));
    };
    let frame = Frame::load(console, viewer, "/rewards").await?;
    let (done, undo) = crate::console::review::decide::done(console, viewer, request).await?;
    let back = item.back.clone();
    render(&RewardPage { frame, item, done, undo, back, may_review: viewer.may_review() })
}

/// Everything about the reward `id`; claims it for whoever is about to decide, if that is wanted.
pub(crate) async fn view(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: &str,
    alone: bool,
    claims: bool,
) -> Result<Option<RewardView>, PageError> {
    let Ok(id) = id.parse::<i64>() else { return Ok(None) };
    let store = console.store.at_one_moment().await?;
    let Some(row) = store.reward(id).await? else { return Ok(None) };
    let now = console.clock.now();
    let (steps, transfers, postbacks, deliveries, attempts) = tokio::try_join!(
        store.steps(id),
        store.transfers(id),
        store.postbacks_of_reward(id),
        store.deliveries_of_reward(id),
        store.attempts_of_reward(id),
    )?;
    let postback_ids: Vec<i64> = postbacks.iter().map(|row| row.id).collect();
    let acts = store.quarantine_acts(&postback_ids).await?;
    let is_held = row.status == Status::Held.name();
    let step_count = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let mut notices = Vec::new();
    let opinions = if is_held { store.opinions(id, step_count).await? } else { Vec::new() };
    drop(store);
    // Whoever has given an opinion waits for another person, who must be able to open it. And another site that makes a
    // browser load this page claims nothing in its owner's name.
    let has_said = opinions.iter().any(|opinion| opinion.person == viewer.name());
    if claims && is_held && viewer.may_review() && !has_said && !request.is_cross_site {
        match console.store.claim(id, viewer.name(), now, console.terms.claim_ms).await? {
            Claimed::Others { person, until } => notices.push(format!(
                "Claimed by {person} for another {}. Until then you cannot decide on it.",
                span(until.0 - now.0)
            )),
            Claimed::Yours { .. } | Claimed::NotHeld => {}
        }
    }
    notices.extend(evidence::second_opinions(viewer, &opinions));
    notices.extend(stated(&acts));
    let verdict = row.verdict.clone();
    let related = evidence::related(console, &row, now).await?;
    let (user_line, user_since) = evidence::user_line(console, &row, now).await?;
    let histogram = evidence::histogram(console, &row).await?;
    let signals = verdict.as_ref().map_or_else(Vec::new, |verdict| evidence::signals(&verdict.signals));
    Ok(Some(RewardView {
        id,
        steps: step_count,
        sign: sign(&row.status),
        conflict: row.conflict != 0,
        received: moment(row.received_at, now),
        last: steps.last().map(|row| Head::of(row, now)),
        tx_short: short(&row.tx_id),
        reward: row.reward_micros.map_or_else(|| "unknown".into(), |micros| figure(micros, &row.currency)),
        taken_back: match (row.taken_back_micros, row.taken_back_payout_micros) {
            (0, 0) => String::new(),
            (reward, payout) => format!("{} and {}", priced(reward, &row.currency), usd(payout)),
        },
        payout: row.payout_micros.map_or_else(|| "unknown".into(), usd),
        offer: evidence::offer(row.offer_name.as_deref(), row.offer_id.as_deref()),
        event: row.event_name.clone().unwrap_or_default(),
        user: short(&row.user_id),
        user_link: crate::console::review::user::link(&row.app, &row.user_id),
        sentence: evidence::sentence(&row, verdict.as_ref()),
        notices,
        targets: if viewer.may_review() { Target::of_reward(&row) } else { Vec::new() },
        may_decide: is_held && viewer.may_review(),
        may_overturn: row.status == Status::Rejected.name() && viewer.may_review(),
        histogram,
        places: evidence::places(&row),
        fired: signals.iter().filter(|signal| signal.fired).count(),
        signals,
        score: row.score.unwrap_or_default(),
        policy: row.policy.clone().unwrap_or_default(),
        baseline_short: short(row.baseline.as_deref().unwrap_or_default()),
        baseline: row.baseline.clone().unwrap_or_default(),
        policy_short: row
            .policy
            .as_deref()
            .map(|policy| policy.chars().take(8).collect())
            .unwrap_or_default(),
        user_line,
        user_since,
        related,
        steps_taken: steps.into_iter().map(|row| step_view(row, now)).collect(),
        transfers: transfers.into_iter().map(|row| transfer_view(row, now)).collect(),
        postbacks: postbacks.into_iter().map(|row| postback_view(row, &acts, now)).collect(),
        deliveries: deliveries.into_iter().map(|row| delivery_view(row, &attempts, now)).collect(),
        status: row.status,
        tx_id: row.tx_id,
        currency: row.currency,
        user_id: row.user_id,
        alone,
        next: String::new(),
        back: format!("/rewards/{id}"),
    }))
}

/// That a person stated part of what the rules judged, so that nobody takes it for the network's word.
fn stated(acts: &[ActRow]) -> impl Iterator<Item = String> {
    let holds = |act: &&ActRow| matches!(act.act.as_str(), "stated" | "confirmed");
    acts.iter().filter(holds).map(|act| {
        let words = crate::stating::act_words(act);
        format!("Some values were entered by a person: {} {words}. {}", act.actor, act.reason)
    })
}

fn step_view(row: StepRow, now: TimestampMs) -> StepView {
    StepView {
        at: moment(row.taken_at, now),
        what: happened(&row.step),
        actor: row.actor,
        note: dollars_in(&row.note.unwrap_or_default()),
    }
}

fn transfer_view(row: TransferRow, now: TimestampMs) -> TransferView {
    TransferView {
        at: moment(row.booked_at, now),
        debit: row.debit,
        credit: row.credit,
        amount: figure(row.amount_micros, &row.currency),
        currency: row.currency,
    }
}

fn postback_view(row: PostbackRow, acts: &[ActRow], now: TimestampMs) -> PostbackView {
    let line = |act: &ActRow| {
        let at = TimestampMs(act.acted_at).rfc3339();
        format!("{} {} ({at}): {}", act.actor, crate::stating::act_words(act), act.reason)
    };
    PostbackView {
        stated: acts.iter().filter(|act| act.postback_id == row.id).map(line).collect(),
        at: moment(row.received_at, now),
        outcome: row.outcome,
        method: row.method,
        remote_ip: row.remote_ip,
        reason: row.reason.into_iter().chain(row.body_left_out).collect::<Vec<_>>().join("; "),
        target: masked(&row.target).into_owned(),
    }
}

fn delivery_view(row: DeliveryRow, attempts: &[AttemptRow], now: TimestampMs) -> DeliveryView {
    let last = attempts.iter().rev().find(|attempt| attempt.delivery_id == row.id);
    let mut result = last.map_or_else(String::new, |attempt| {
        format!(", last: {}", attempt.detail.as_deref().unwrap_or(&attempt.result))
    });
    if row.given_up_by.is_some() {
        result = format!("{result}, given up {}", crate::console::admin::deliveries::given_up(&row));
    }
    DeliveryView {
        at: moment(row.ended_at.unwrap_or(row.born_at), now),
        sign: sign(&row.status),
        event: row.event,
        attempts: format!("{}{result}", counted(row.counted_attempts, "attempt")),
        status: crate::console::admin::deliveries::label(&row.status),
    }
}
