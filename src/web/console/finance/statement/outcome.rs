//! The result of a matched statement: its parts, its states, the lines of one of them, payments, and what changed since
//! the version before.

use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::controls::Gap;
use domain::statement::life::Act;
use domain::statement::totals::OfState;
use domain::time::TimestampMs;
use store::statements::{BreakRow, PaymentRow, StatementRow};

use super::waiting::by_reason;
use crate::console::Console;
use crate::console::shell::answer::PageError;
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, amount, moment, number, short, usd};
use crate::statements::known;

/// Lines of a state on one page.
const PAGE: i64 = 100;
/// Most differences from the previous version that are shown.
const CHANGES: i64 = 200;
/// Most reasons for unreadable lines that are shown.
const FAULTS: i64 = 50;

pub(super) struct StateView {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) meaning: &'static str,
    pub(super) count: String,
    pub(super) accepted: String,
    pub(super) theirs: String,
    pub(super) ours: String,
    pub(super) difference: String,
    pub(super) here: bool,
    pub(super) needs: bool,
}

pub(super) struct LineView {
    pub(super) subject: String,
    pub(super) kind: String,
    pub(super) tx: String,
    pub(super) tx_whole: String,
    pub(super) user: String,
    pub(super) offer: String,
    pub(super) when: String,
    pub(super) rule: &'static str,
    pub(super) theirs: String,
    pub(super) ours: String,
    pub(super) difference: String,
    pub(super) more: String,
    pub(super) reward_id: Option<i64>,
    pub(super) counted_in: Option<i64>,
    pub(super) accepted: String,
    pub(super) may_accept: bool,
}

pub(super) struct Change {
    pub(super) what: String,
    pub(super) tx: String,
    pub(super) kind: String,
    pub(super) before: String,
    pub(super) now: String,
}

pub(super) struct Payment {
    pub(super) id: i64,
    pub(super) amount: String,
    pub(super) actor: String,
    pub(super) at: Moment,
    pub(super) note: String,
    /// Further details: the statement it belongs to, and whether it was reversed.
    pub(super) more: String,
    pub(super) may_take_back: bool,
}

/// A payment that is more than is open: a person is asked whether it is meant.
pub(super) struct Ask {
    pub(super) words: String,
    pub(super) amount: String,
    pub(super) note: String,
    pub(super) key: String,
}

/// The result of a matched statement.
pub(super) struct Outcome {
    pub(super) theirs: String,
    pub(super) ours: String,
    pub(super) difference: String,
    pub(super) parts: Vec<(&'static str, String)>,
    pub(super) open_count: String,
    pub(super) agrees: bool,
    pub(super) gaps: Vec<Gap>,
    pub(super) states: Vec<StateView>,
    pub(super) state: &'static str,
    pub(super) state_title: &'static str,
    pub(super) lines: Vec<LineView>,
    pub(super) may_accept_all: bool,
    pub(super) next: String,
    pub(super) has_missing: bool,
    pub(super) payments: Vec<Payment>,
    pub(super) paid: String,
    pub(super) rest: String,
    /// Idempotency key of a payment from this page; empty if nothing can be paid.
    pub(super) key: String,
    pub(super) ask: Option<Ask>,
    pub(super) changes: Vec<Change>,
    pub(super) before: Option<i64>,
    pub(super) read: String,
    pub(super) faulty: String,
    pub(super) faults: Vec<(String, String)>,
    /// Lines that are no transactions, and what is to be known of others; how many, and the first of them.
    pub(super) asides: (String, Vec<(String, String)>),
    pub(super) marks: (String, Vec<(String, String)>),
}

pub(super) async fn outcome_of(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    row: &StatementRow,
    now: TimestampMs,
    ask: Option<Ask>,
) -> Result<Option<Outcome>, PageError> {
    let store = console.store.at_one_moment().await?;
    let Some(known) = known(&store, &console.statements, row.id, now).await? else { return Ok(None) };
    let totals = &known.totals;
    // What somebody wants to see, else what needs somebody most.
    let wanted = request.query("state").and_then(LineState::parse);
    let largest = totals.states.iter().filter(|of| of.state.needs_a_person() && of.count > of.accepted_count);
    let largest = largest.max_by_key(|of| (of.theirs - of.ours).0.saturating_abs());
    let chosen = wanted.or(largest.map(|of| of.state)).unwrap_or(LineState::Matched);
    let after = request.query("after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let (mut rows, faults, payments, before) = tokio::try_join!(
        store.statement_breaks(row.id, &known.pending_from, chosen, after, PAGE + 1),
        store.statement_fault_reasons(row.id, FAULTS),
        store.statement_payments(row.id),
        store.statement_before(row.id),
    )?;
    let changes = match before {
        Some(before) => store.statement_changes(row.id, before, CHANGES).await?,
        None => Vec::new(),
    };
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let has_more = rows.len() > page;
    rows.truncate(page);
    let next = rows.last().filter(|_| has_more).map_or_else(String::new, |last| {
        format!("/reports/statements/{}?state={}&after={}", row.id, chosen.name(), last.place)
    });
    let rest = totals.theirs - Amount(known.paid_micros);
    let may_settle = viewer.may_settle() && Act::Pay.is_allowed(row.stands()?);
    let is_open = |row: &BreakRow| row.accepted_by.is_none();
    let may_accept = may_settle && (chosen.needs_a_person() || chosen == LineState::PendingThere);
    Ok(Some(Outcome {
        theirs: usd(totals.theirs.0),
        ours: usd(totals.ours.0),
        difference: usd(totals.difference.0),
        parts: [
            ("within tolerance", totals.in_tolerance),
            ("accepted", totals.accepted),
            ("counted in another statement", totals.elsewhere),
            ("pending", totals.pending),
            ("open", totals.open),
        ]
        .map(|(name, part)| (name, usd(part.0)))
        .to_vec(),
        open_count: number(totals.open_count),
        agrees: totals.ties_out() && totals.open_count == 0 && known.gaps.is_empty() && known.faulty == 0,
        states: totals.states.iter().map(|of| state_view(of, chosen)).collect(),
        state: chosen.name(),
        state_title: chosen.title(),
        may_accept_all: may_accept && rows.iter().any(is_open),
        lines: rows.into_iter().map(|row| line_view(row, may_accept)).collect(),
        next,
        has_missing: totals.states.iter().any(|of| of.state == LineState::MissingHere),
        payments: payments
            .into_iter()
            .map(|payment| Payment {
                may_take_back: may_settle && payment.takes_back.is_none() && payment.taken_back_by.is_none(),
                more: payment_words(&payment, row.id),
                id: payment.id,
                amount: usd(payment.signed()),
                actor: payment.actor,
                at: moment(payment.paid_at, now),
                note: payment.note,
            })
            .collect(),
        key: if may_settle { format!("{:032x}", rand::random::<u128>()) } else { String::new() },
        ask,
        paid: usd(known.paid_micros),
        rest: usd(rest.0),
        changes: changes
            .into_iter()
            .map(|row| Change {
                what: row.change,
                tx: row.tx_id,
                kind: row.kind,
                before: row.before_micros.map_or_else(|| "–".into(), amount),
                now: row.now_micros.map_or_else(|| "–".into(), amount),
            })
            .collect(),
        before,
        read: number(known.lines),
        faulty: number(known.faulty),
        faults: faults.into_iter().map(|same| (same.lines(), same.reason)).collect(),
        asides: (number(known.asides.count), by_reason(&known.asides.first)),
        marks: (number(known.marks.count), by_reason(&known.marks.first)),
        gaps: known.gaps,
    }))
}

fn state_view(of: &OfState, chosen: LineState) -> StateView {
    StateView {
        name: of.state.name(),
        title: of.state.title(),
        meaning: of.state.meaning(),
        count: number(of.count),
        accepted: if of.accepted_count > 0 { number(of.accepted_count) } else { String::new() },
        theirs: usd(of.theirs.0),
        ours: usd(of.ours.0),
        difference: usd((of.theirs - of.ours).0),
        here: of.state == chosen,
        needs: of.state.needs_a_person() && of.count > of.accepted_count,
    }
}

fn payment_words(payment: &PaymentRow, of: i64) -> String {
    let mut words = Vec::new();
    if payment.statement_id != of {
        words.push(format!("booked for statement {}", payment.statement_id));
    }
    words.extend(payment.takes_back.map(|id| format!("reverses payment {id}")));
    words.extend(payment.taken_back_by.map(|id| format!("reversed by payment {id}")));
    words.join(", ")
}

/// By which rule, in words.
fn rule_words(rule: &str) -> &'static str {
    match rule {
        "id" => "transaction ID and kind",
        "facts" => "user, offer, event and amount",
        "day" => "daily total",
        _ => "booking in the period",
    }
}

fn line_view(row: BreakRow, may_accept: bool) -> LineView {
    let difference = row.theirs_micros.saturating_sub(row.ours_micros);
    let stated = if row.line.is_some() && row.currency != "USD" {
        format!("{} {}", amount(row.amount_micros), row.currency)
    } else {
        String::new()
    };
    let closed =
        row.closed_at.map(|at| format!("closed when its postback arrived, {}", TimestampMs(at).rfc3339()));
    let accepted = match (&row.accepted_by, &row.accepted_reason) {
        (Some(by), Some(reason)) => format!("accepted by {by}: {reason}"),
        _ => String::new(),
    };
    LineView {
        kind: row.kind,
        tx: row.tx_id.as_deref().map_or_else(|| "–".into(), short),
        tx_whole: row.tx_id.unwrap_or_default(),
        user: row.user_id.unwrap_or_else(|| "–".into()),
        offer: row.offer_id.unwrap_or_else(|| "–".into()),
        when: row.day.unwrap_or_else(|| "–".into()),
        rule: rule_words(&row.rule),
        theirs: usd(row.theirs_micros),
        ours: usd(row.ours_micros),
        difference: usd(difference),
        more: closed.unwrap_or(stated),
        reward_id: row.reward_id,
        counted_in: row.counted_in,
        may_accept: may_accept && row.accepted_by.is_none(),
        accepted,
        subject: row.subject,
    }
}
