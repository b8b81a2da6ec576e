//! What people say of a statement: read it as the preview shows it, that difference is accepted, so much was paid.

use std::sync::LazyLock;

use domain::ledger::{PayoutAccount, Transfer};
use domain::money::{Micros, Positive};
use domain::statement::LineState;
use domain::time::TimestampMs;

use super::breaks::breaks;
use super::{FORGET_CHUNKS, subject};
use crate::audit::{self, Line};
use crate::save::book;
use crate::statement::{LazyStatement, Statement};
use crate::unit::with_statement;
use crate::{Result, Store, read};

/// A person's word on a statement.
#[derive(Clone, Debug)]
pub struct Word {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub now: TimestampMs,
}

/// What became of a person's acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is accepted.
    Done,
    /// It had been accepted.
    Before,
    /// There is no such difference.
    Missing,
}

/// What a network paid for a statement.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PaymentRow {
    /// How much, in micros of USD.
    pub amount_micros: i64,
    /// Who noted it.
    pub actor: String,
    /// With which words.
    pub note: String,
    /// When, in unix milliseconds.
    pub paid_at: i64,
}

static CONFIRM: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET state = 'importing', format = $2, begun_at = $3 WHERE id = $1 AND state = 'received'",
        &[],
    )
});

/// Its row stays, so that its number is never given again; the file may come again.
static DISCARD: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET state = 'discarded', file_hash = NULL WHERE id = $1 AND state = 'received'",
        &[],
    )
});

/// $3: the state; $4 to $6: who, why, when; $7: only this subject, or all.
static ACCEPT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            "INSERT INTO statement_accepted (statement_id, subject, actor, reason, accepted_at)
             SELECT statement_id, subject, $4, $5, $6 FROM (",
            breaks!(),
            "WHERE ($3 = '' OR state = $3) AND ($7 = '' OR breaks.subject = $7)
               AND state NOT IN ('matched', 'matched_in_tolerance', 'counted_elsewhere', 'open')
            ) AS chosen WHERE accepted_by IS NULL ON CONFLICT DO NOTHING"
        ),
        &[],
    )
});

static ACCEPTED_BEFORE: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT COUNT(*) FROM statement_accepted WHERE statement_id = $1 AND subject = $2", &[])
});

static PAY: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_payments (statement_id, amount_micros, actor, note, paid_at)
         VALUES ($1, $2, $3, $4, $5)",
        &[],
    )
});

static SOURCE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT source FROM statements WHERE id = $1 AND state NOT IN ('receiving', 'received', 'discarded')",
        &[],
    )
});

impl Store {
    /// Lets a statement be read as `format` says, after a person has seen the preview. False if nobody has to say so
    /// any more.
    pub async fn confirm_statement(
        &self,
        id: i64,
        format: String,
        actor: String,
        now: TimestampMs,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let confirmed = with_statement!(tx, CONFIRM, |sql, connection| sqlx::query(sql)
                    .bind(id)
                    .bind(format)
                    .bind(now.0)
                    .execute(connection)
                    .await?
                    .rows_affected());
                if confirmed == 1 {
                    let line = Line::new(&actor, "statement_imported", subject(id), String::new());
                    audit::note(tx, &line, now).await?;
                }
                Ok(confirmed == 1)
            })
        })
        .await
    }

    /// Forgets a file that was received and not read. False if it is read by now.
    pub async fn discard_statement(&self, id: i64, actor: String, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let gone = with_statement!(tx, DISCARD, |sql, connection| sqlx::query(sql)
                    .bind(id)
                    .execute(connection)
                    .await?
                    .rows_affected());
                if gone == 1 {
                    with_statement!(tx, FORGET_CHUNKS, |sql, connection| {
                        sqlx::query(sql).bind(id).execute(connection).await?;
                    });
                    let line = Line::new(&actor, "statement_discarded", subject(id), String::new());
                    audit::note(tx, &line, now).await?;
                }
                Ok(gone == 1)
            })
        })
        .await
    }

    /// Accepts one difference, with a reason.
    pub async fn accept_difference(&self, id: i64, difference: String, word: Word) -> Result<Accepted> {
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
                    .bind(&word.actor)
                    .bind(&word.reason)
                    .bind(word.now.0)
                    .bind(&difference)
                    .execute(connection)
                    .await?
                    .rows_affected());
                if accepted == 0 {
                    return Ok(Accepted::Missing);
                }
                let detail = format!("{difference}: {}", word.reason);
                let line = Line::new(&word.actor, "difference_accepted", subject(id), detail);
                audit::note(tx, &line, word.now).await?;
                Ok(Accepted::Done)
            })
        })
        .await
    }

    /// Accepts every difference of one state that is open, with one reason; answers with how many those were.
    pub async fn accept_differences(
        &self,
        id: i64,
        pending_from: String,
        state: LineState,
        word: Word,
    ) -> Result<u64> {
        self.write(move |tx| {
            Box::pin(async move {
                let accepted = with_statement!(tx, ACCEPT, |sql, connection| sqlx::query(sql)
                    .bind(id)
                    .bind(pending_from)
                    .bind(state.name())
                    .bind(&word.actor)
                    .bind(&word.reason)
                    .bind(word.now.0)
                    .bind("")
                    .execute(connection)
                    .await?
                    .rows_affected());
                if accepted > 0 {
                    let detail = format!("all {accepted} of {}: {}", state.name(), word.reason);
                    let line = Line::new(&word.actor, "difference_accepted", subject(id), detail);
                    audit::note(tx, &line, word.now).await?;
                }
                Ok(accepted)
            })
        })
        .await
    }

    /// Books what the network paid for a statement: `paid → network`. False if there is no such statement.
    pub async fn pay_statement(
        &self,
        id: i64,
        amount: Positive,
        word: Word,
        business_date: String,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let source: Option<String> =
                    with_statement!(tx, SOURCE, |sql, connection| sqlx::query_scalar(sql)
                        .bind(id)
                        .fetch_optional(connection)
                        .await?);
                let Some(source) = source else { return Ok(false) };
                with_statement!(tx, PAY, |sql, connection| {
                    sqlx::query(sql)
                        .bind(id)
                        .bind(amount.micros())
                        .bind(&word.actor)
                        .bind(&word.reason)
                        .bind(word.now.0)
                        .execute(connection)
                        .await?;
                });
                let transfer = Transfer::Payout {
                    debit: PayoutAccount::Paid(source.clone()),
                    credit: PayoutAccount::Network(source),
                    amount,
                };
                book(tx, &[(None, transfer.posting())], &business_date, word.now).await?;
                let detail = format!("{} USD: {}", Micros(amount.micros()), word.reason);
                let line = Line::new(&word.actor, "statement_paid", subject(id), detail);
                audit::note(tx, &line, word.now).await?;
                Ok(true)
            })
        })
        .await
    }

    /// What was paid for a statement so far.
    pub async fn statement_paid(&self, id: i64) -> Result<Micros> {
        let payments = self.statement_payments(id).await?;
        Ok(Micros(payments.iter().map(|payment| payment.amount_micros).sum()))
    }

    /// Every payment for a statement, the oldest first.
    pub async fn statement_payments(&self, id: i64) -> Result<Vec<PaymentRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT amount_micros, actor, note, paid_at FROM statement_payments WHERE statement_id = $1 ORDER BY id"
        ).bind(id).fetch_all(pool).await)?)
    }
}
