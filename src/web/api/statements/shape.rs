//! Statements as JSON.

use domain::money::Micros;
use domain::report::amount::Amount;
use domain::statement::controls::Gap;
use domain::statement::life::{Act, State};
use serde::Serialize;
use store::statements::{BreakRow, PaymentRow, StatementRow};
use utoipa::ToSchema;

use crate::api::shape::time;
use crate::api::terms::{Decimal, LineStateName, StatementAct, StatementState, Time};
use crate::statements::StatementSummary;

/// A statement.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Statement {
    pub(super) id: i64,
    pub(super) source: String,
    pub(super) file: String,
    /// SHA-256 of the file.
    pub(super) hash: Option<String>,
    #[schema(value_type = StatementState)]
    pub(super) state: String,
    /// Actions that its state allows.
    #[schema(value_type = Vec<StatementAct>)]
    pub(super) can: Vec<&'static str>,
    /// What to answer before it can be imported; null if nothing.
    pub(super) question: Option<String>,
    /// Why the import failed; null unless its state is `failed`.
    pub(super) failure: Option<String>,
    pub(super) version: i64,
    pub(super) superseded_by: Option<i64>,
    /// First business date, as stated by a person or found in its lines.
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) received_by: String,
    #[schema(value_type = Time)]
    pub(super) received_at: String,
}

/// A statement with its totals. Amounts are in USD.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WholeStatement {
    #[serde(flatten)]
    pub(super) statement: Statement,
    pub(super) lines: i64,
    pub(super) faulty: i64,
    /// Lines that are not transactions, such as totals and titles.
    pub(super) not_transactions: i64,
    #[schema(value_type = Decimal)]
    pub(super) theirs: String,
    #[schema(value_type = Decimal)]
    pub(super) ours: String,
    /// Theirs minus ours: the sum of the five amounts below.
    #[schema(value_type = Decimal)]
    pub(super) difference: String,
    #[schema(value_type = Decimal)]
    pub(super) in_tolerance: String,
    #[schema(value_type = Decimal)]
    pub(super) accepted: String,
    #[schema(value_type = Decimal)]
    pub(super) counted_elsewhere: String,
    #[schema(value_type = Decimal)]
    pub(super) pending: String,
    #[schema(value_type = Decimal)]
    pub(super) open: String,
    pub(super) open_count: i64,
    #[schema(value_type = Decimal)]
    pub(super) paid: String,
    /// Control totals of the file that its lines do not add up to.
    pub(super) gaps: Vec<String>,
    pub(super) states: Vec<OfState>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OfState {
    #[schema(value_type = LineStateName)]
    pub(super) state: &'static str,
    pub(super) count: i64,
    pub(super) accepted: i64,
    #[schema(value_type = Decimal)]
    pub(super) theirs: String,
    #[schema(value_type = Decimal)]
    pub(super) ours: String,
}

/// One line, or one booking without a line.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatementLine {
    pub(super) subject: String,
    #[schema(value_type = LineStateName)]
    pub(super) state: String,
    /// The rule that matched it: id, facts, day or period.
    pub(super) rule: String,
    pub(super) kind: String,
    pub(super) tx_id: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) offer_id: Option<String>,
    #[schema(value_type = Decimal)]
    pub(super) amount: String,
    pub(super) currency: String,
    #[schema(value_type = Option<Time>)]
    pub(super) time: Option<String>,
    pub(super) day: Option<String>,
    pub(super) reward_id: Option<i64>,
    #[schema(value_type = Decimal)]
    pub(super) theirs: String,
    #[schema(value_type = Decimal)]
    pub(super) ours: String,
    #[schema(value_type = Decimal)]
    pub(super) difference: String,
    #[schema(value_type = Option<Time>)]
    pub(super) closed_at: Option<String>,
    pub(super) counted_in: Option<i64>,
    pub(super) accepted_by: Option<String>,
    pub(super) accepted_reason: Option<String>,
}

/// Preview of the first lines of a file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    /// The received statement: `POST statements/{id}/import` imports it, `…/discard` discards it.
    pub(super) id: i64,
    /// First business date, as stated or as found in most lines.
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    /// Days outside this period, with their lines.
    pub(super) outliers: Vec<Outlier>,
    /// What to answer before it can be imported; null if nothing.
    pub(super) question: Option<String>,
    pub(super) lines: Vec<PreviewLine>,
    /// Invalid lines, and why.
    pub(super) faults: Vec<PreviewFault>,
    /// Lines that are not transactions, such as totals and titles, and why.
    pub(super) not_transactions: Vec<PreviewFault>,
    /// Lines read with changes: rounded, or converted from another encoding.
    pub(super) remarks: Vec<PreviewFault>,
    /// Settings that would make more lines readable.
    pub(super) proposals: Vec<String>,
    /// The encoding, and the column of each field.
    pub(super) reading: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Outlier {
    pub(super) day: String,
    pub(super) lines: i64,
}

/// A payment by the network, or the reversal of one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatementPayment {
    pub(super) id: i64,
    /// The statement that it was booked for: this one, or one that it supersedes.
    pub(super) statement: i64,
    /// In USD; negative if it reverses another payment.
    #[schema(value_type = Decimal)]
    pub(super) amount: String,
    pub(super) note: String,
    pub(super) by: String,
    #[schema(value_type = Time)]
    pub(super) at: String,
    /// The payment that this one reverses.
    pub(super) takes_back: Option<i64>,
    /// The payment that reverses this one.
    pub(super) taken_back_by: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewLine {
    pub(super) line: i64,
    pub(super) kind: &'static str,
    pub(super) tx_id: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) offer_id: Option<String>,
    pub(super) event_id: Option<String>,
    #[schema(value_type = Decimal)]
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) day: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewFault {
    pub(super) line: i64,
    pub(super) reason: String,
}

pub(super) fn shape_payment(row: PaymentRow) -> StatementPayment {
    StatementPayment {
        amount: Micros(row.signed()).to_string(),
        id: row.id,
        statement: row.statement_id,
        note: row.note,
        by: row.actor,
        at: time(row.paid_at),
        takes_back: row.takes_back,
        taken_back_by: row.taken_back_by,
    }
}

pub(super) fn shape(row: StatementRow) -> Statement {
    let state = row.stands().unwrap_or(State::Receiving);
    let asks = state == State::Received && row.period_stated == 0;
    Statement {
        can: state.acts().into_iter().map(Act::name).collect(),
        question: if asks { row.proposal().question() } else { None },
        failure: row.failure.clone(),
        id: row.id,
        source: row.source,
        file: row.file_name,
        hash: row.file_hash,
        state: state.name().to_owned(),
        version: row.version,
        superseded_by: row.superseded_by,
        from: row.period_from,
        to: row.period_to,
        received_by: row.actor,
        received_at: time(row.received_at),
    }
}

pub(super) fn whole(known: StatementSummary) -> WholeStatement {
    let totals = known.totals;
    let gap = |gap: &Gap| {
        format!("{}: the file states {}, its lines add up to {}", gap.what, gap.stated, gap.found)
    };
    WholeStatement {
        lines: known.lines,
        faulty: known.faulty,
        not_transactions: known.asides.count,
        theirs: totals.theirs.to_string(),
        ours: totals.ours.to_string(),
        difference: totals.difference.to_string(),
        in_tolerance: totals.in_tolerance.to_string(),
        accepted: totals.accepted.to_string(),
        counted_elsewhere: totals.elsewhere.to_string(),
        pending: totals.pending.to_string(),
        open: totals.open.to_string(),
        open_count: totals.open_count,
        paid: Micros(known.paid_micros).to_string(),
        gaps: known.gaps.iter().map(gap).collect(),
        states: totals
            .states
            .iter()
            .map(|of| OfState {
                state: of.state.name(),
                count: of.count,
                accepted: of.accepted_count,
                theirs: of.theirs.to_string(),
                ours: of.ours.to_string(),
            })
            .collect(),
        statement: shape(known.row),
    }
}

pub(super) fn shape_line(row: BreakRow) -> StatementLine {
    let (theirs, ours) = (Amount(row.theirs_micros), Amount(row.ours_micros));
    StatementLine {
        subject: row.subject,
        state: row.state,
        rule: row.rule,
        kind: row.kind,
        tx_id: row.tx_id,
        user_id: row.user_id,
        offer_id: row.offer_id,
        amount: Amount(row.amount_micros).to_string(),
        currency: row.currency,
        time: row.happened_at.map(time),
        day: row.day,
        reward_id: row.reward_id,
        theirs: theirs.to_string(),
        ours: ours.to_string(),
        difference: (theirs - ours).to_string(),
        closed_at: row.closed_at.map(time),
        counted_in: row.counted_in,
        accepted_by: row.accepted_by,
        accepted_reason: row.accepted_reason,
    }
}
