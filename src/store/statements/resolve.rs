//! Accepting differences.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::statement::LineState;
use domain::time::TimestampMs;

use super::breaks::breaks;
use super::states::{state_of_missing, without_difference};
use super::subject;
use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::with_statement;
use crate::{Result, Store};

/// Who resolves something about a statement, why and when.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The person or token.
    pub actor: Actor,
    /// The reason, or the note of a payment.
    pub reason: String,
    /// The time of the act.
    pub now: TimestampMs,
}

/// The result of accepting a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is accepted.
    Done,
    /// It was already accepted.
    Before,
    /// There is no such difference.
    Missing,
}

/// $3: the state, or empty for all; $4 to $6: actor, reason, time; $7: the subject, or empty for all.
static ACCEPT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            "INSERT INTO statement_accepted (statement_id, subject, actor, reason, accepted_at)
             SELECT statement_id, subject, $4, $5, $6 FROM (",
            breaks!(),
            "WHERE ($3 = '' OR state = $3) AND ($7 = '' OR breaks.subject = $7)
               AND state NOT IN ",
            without_difference!(),
            ") AS chosen
             WHERE accepted_by IS NULL
               AND EXISTS (SELECT 1 FROM statements
                           WHERE id = $1 AND statements.state = 'matched' AND superseded_by IS NULL)
             ON CONFLICT DO NOTHING"
        ),
        &[],
    )
});

static ACCEPTED_BEFORE: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT COUNT(*) FROM statement_accepted WHERE statement_id = $1 AND subject = $2", &[])
});

impl Store {
    /// Accepts one difference (a [`BreakRow::subject`](super::BreakRow::subject)).
    pub async fn accept_difference(
        &self,
        id: i64,
        difference: String,
        resolution: Resolution,
    ) -> Result<Accepted> {
        self.write(move |tx| {
            Box::pin(async move {
                let before: i64 =
                    with_statement!(tx, ACCEPTED_BEFORE, |sql, connection| sqlx::query_scalar(sql)
                        .bind(id)
                        .bind(&difference)
                        .fetch_one(connection)
                        .await?);
                if before > 0 {
                    return Ok(Accepted::Before);
                }
                let none_pending = "9999-12-31";
                let accepted = with_statement!(tx, ACCEPT, |sql, connection| sqlx::query(sql)
                    .bind(id)
                    .bind(none_pending)
                    .bind("")
                    .bind(resolution.actor.name())
                    .bind(&resolution.reason)
                    .bind(resolution.now.0)
                    .bind(&difference)
                    .execute(connection)
                    .await?
                    .rows_affected());
                if accepted == 0 {
                    return Ok(Accepted::Missing);
                }
                let detail = format!("{difference}: {}", resolution.reason);
                let line = Line::new(&resolution.actor, Action::DifferenceAccepted, subject(id), detail);
                audit::note(tx, &line, resolution.now);
                Ok(Accepted::Done)
            })
        })
        .await
    }

    /// Accepts all open differences of one state; returns their number.
    pub async fn accept_differences(
        &self,
        id: i64,
        pending_from: String,
        state: LineState,
        resolution: Resolution,
    ) -> Result<u64> {
        self.write(move |tx| {
            Box::pin(async move {
                let accepted = with_statement!(tx, ACCEPT, |sql, connection| sqlx::query(sql)
                    .bind(id)
                    .bind(pending_from)
                    .bind(state.name())
                    .bind(resolution.actor.name())
                    .bind(&resolution.reason)
                    .bind(resolution.now.0)
                    .bind("")
                    .execute(connection)
                    .await?
                    .rows_affected());
                if accepted > 0 {
                    let detail = format!("all {accepted} of {}: {}", state.name(), resolution.reason);
                    let line = Line::new(&resolution.actor, Action::DifferenceAccepted, subject(id), detail);
                    audit::note(tx, &line, resolution.now);
                }
                Ok(accepted)
            })
        })
        .await
    }
}
