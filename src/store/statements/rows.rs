//! Rows of statements and their lines, as loaded and saved.

use domain::postback::event::Kind;
use domain::report::amount::Amount;
use domain::statement::matching::{Booking, Match};
use domain::statement::{LineState, StatementLine, kind_name, parse_kind};
use domain::time::TimestampMs;

use crate::db::rows::given_row;
use crate::{Error, Result};

pub(super) fn kind_of(name: &str, row: i64) -> Result<Kind> {
    parse_kind(name).ok_or_else(|| Error::Corrupt {
        table: "statement_lines",
        column: "kind",
        row,
        found: name.to_owned(),
    })
}

given_row! {
    pub(super) struct KeyRow<'a> {
        pub(super) event_key: &'a str,
        pub(super) source: &'a str,
    }
}

given_row! {
    pub(super) struct UserRow<'a> {
        pub(super) user_id: &'a str,
        pub(super) source: &'a str,
        pub(super) offer_id: &'a str,
    }
}

given_row! {
    pub(super) struct SeenRow<'a> {
        pub(super) statement_id: i64,
        pub(super) tx_id: &'a str,
        pub(super) source: &'a str,
    }
}

/// A line of another statement.
#[derive(sqlx::FromRow)]
pub(super) struct OtherRow {
    pub(super) tx_id: String,
    pub(super) kind: String,
    pub(super) statement_id: i64,
    pub(super) amount_micros: i64,
    pub(super) currency: String,
    pub(super) day: Option<String>,
}

given_row! {
    pub(super) struct TakenRow<'a> {
        pub(super) statement_id: i64,
        pub(super) reward_id: i64,
        pub(super) source: &'a str,
    }
}

given_row! {
    pub(super) struct FaultInsert<'a> {
        pub(super) statement_id: i64,
        pub(super) line: i64,
        pub(super) reason: &'a str,
    }
}

given_row! {
    pub(super) struct ControlInsert {
        pub(super) statement_id: i64,
        pub(super) name: &'static str,
        pub(super) line: i64,
        pub(super) stated: i64,
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct BookingRow {
    pub(super) id: i64,
    pub(super) tx_id: String,
    pub(super) user_id: String,
    pub(super) offer_id: Option<String>,
    pub(super) event_id: Option<String>,
    pub(super) payout_micros: i64,
    pub(super) taken_back_payout_micros: i64,
    pub(super) received_at: i64,
    pub(super) status: String,
    pub(super) approved: i64,
}

impl From<BookingRow> for Booking {
    fn from(row: BookingRow) -> Self {
        Self {
            reward_id: row.id,
            tx_id: row.tx_id,
            user_id: row.user_id,
            offer_id: row.offer_id,
            event_id: row.event_id,
            payout: Amount(row.payout_micros),
            received_at: row.received_at,
            approved: row.approved != 0,
            reversed: row.status == "reversed" || row.taken_back_payout_micros > 0,
            taken_back: Amount(if row.status == "reversed" {
                row.payout_micros
            } else {
                row.taken_back_payout_micros
            }),
        }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct OpenRow {
    pub(super) statement_id: i64,
    pub(super) line: i64,
    pub(super) tx_id: Option<String>,
    pub(super) kind: String,
    pub(super) user_id: Option<String>,
    pub(super) offer_id: Option<String>,
    pub(super) event_id: Option<String>,
    pub(super) amount_micros: i64,
    pub(super) currency: String,
    pub(super) happened_at: Option<i64>,
    pub(super) day: Option<String>,
    pub(super) count: Option<i64>,
}

impl OpenRow {
    pub(super) fn line(self) -> Result<StatementLine> {
        Ok(StatementLine {
            number: self.line,
            tx_id: self.tx_id,
            kind: kind_of(&self.kind, self.statement_id)?,
            user_id: self.user_id,
            offer_id: self.offer_id,
            event_id: self.event_id,
            amount: Amount(self.amount_micros),
            currency: self.currency,
            at: self.happened_at.map(TimestampMs),
            day: self.day,
            count: self.count,
        })
    }
}

given_row! {
    pub(super) struct LineInsert<'a> {
        pub(super) statement_id: i64,
        pub(super) line: i64,
        pub(super) tx_id: Option<&'a str>,
        pub(super) kind: &'static str,
        pub(super) user_id: Option<&'a str>,
        pub(super) offer_id: Option<&'a str>,
        pub(super) event_id: Option<&'a str>,
        pub(super) amount_micros: i64,
        pub(super) currency: &'a str,
        pub(super) happened_at: Option<i64>,
        pub(super) day: Option<&'a str>,
        pub(super) count: Option<i64>,
        pub(super) state: &'static str,
        pub(super) rule: &'static str,
        pub(super) reward_id: Option<i64>,
        pub(super) theirs_micros: i64,
        pub(super) ours_micros: i64,
        pub(super) counted_in: Option<i64>,
    }
}

impl<'a> LineInsert<'a> {
    pub(super) fn of(statement_id: i64, line: &'a StatementLine, found: &Match) -> Self {
        Self {
            statement_id,
            line: line.number,
            tx_id: line.tx_id.as_deref(),
            kind: kind_name(line.kind),
            user_id: line.user_id.as_deref(),
            offer_id: line.offer_id.as_deref(),
            event_id: line.event_id.as_deref(),
            amount_micros: line.amount.0,
            currency: &line.currency,
            happened_at: line.at.map(|at| at.0),
            day: line.day.as_deref(),
            count: line.count,
            state: found.state.name(),
            rule: found.rule,
            reward_id: found.reward_id,
            theirs_micros: found.theirs.0,
            ours_micros: found.ours.0,
            counted_in: found.counted_in,
        }
    }
}

given_row! {
    pub(super) struct LineUpdate {
        pub(super) statement_id: i64,
        pub(super) line: i64,
        pub(super) state: &'static str,
        pub(super) rule: &'static str,
        pub(super) reward_id: Option<i64>,
        pub(super) theirs_micros: i64,
        pub(super) ours_micros: i64,
        pub(super) closed_at: Option<i64>,
        pub(super) counted_in: Option<i64>,
    }
}

impl LineUpdate {
    pub(super) fn of(statement_id: i64, found: &Match) -> Self {
        debug_assert!(found.state != LineState::Open, "every line ends in a state");
        Self {
            statement_id,
            line: found.number,
            state: found.state.name(),
            rule: found.rule,
            reward_id: found.reward_id,
            theirs_micros: found.theirs.0,
            ours_micros: found.ours.0,
            closed_at: None,
            counted_in: found.counted_in,
        }
    }
}
