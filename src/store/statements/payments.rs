//! Payments of a network for a statement. Each is one transfer `paid → network`, booked once for each idempotency key;
//! reversing it is the opposite transfer. A statement includes the payments of those that it supersedes.

use std::sync::LazyLock;

use domain::audit::Action;
use domain::ledger::{PayoutAccount, Transfer};
use domain::money::{Micros, Positive};
use domain::report::amount::Amount;
use domain::statement::life::{Act, State};
use domain::statement::payment::exceeds;
use domain::text::hex;
use sha2::{Digest as _, Sha256};

use super::{Resolution, held, subject};
use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::ledger::booking::book;
use crate::{Result, Store, read};

/// A payment to book.
#[derive(Clone, Debug)]
pub struct Payment {
    /// In USD.
    pub amount: Positive,
    /// The idempotency key; `None`: derived from amount and note.
    pub key: Option<String>,
    /// True if the person has confirmed a payment above the open amount.
    pub confirmed: bool,
}

/// The result of booking a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paid {
    /// It is booked.
    Booked,
    /// It was already booked under this key.
    Before,
    /// The key belongs to a payment of this other amount.
    OtherAmount(Micros),
    /// The payment of this key was reversed; booking it again requires another key.
    TakenBack,
    /// It exceeds this open amount, and the person has not confirmed that.
    Asks(Amount),
    /// The statement's current state, given here, does not allow payments.
    NotNow(State),
    /// There is no such statement.
    Missing,
}

/// The result of reversing a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// The opposite transfer is booked.
    Done,
    /// It was already reversed.
    Before,
    /// The statement has no such payment.
    Missing,
}

/// A saved payment, or the reversal of one.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PaymentRow {
    /// Its number, as shown to people.
    pub id: i64,
    /// The statement it was booked for: the one asked about, or one that it supersedes.
    pub statement_id: i64,
    /// USD micros; positive for reversals too.
    pub amount_micros: i64,
    /// The person or token that booked it.
    pub actor: String,
    /// The note or reason given.
    pub note: String,
    /// Time of booking, unix milliseconds.
    pub paid_at: i64,
    /// The payment that this row reverses.
    pub takes_back: Option<i64>,
    /// The row that reverses this payment.
    pub taken_back_by: Option<i64>,
}

impl PaymentRow {
    /// In USD micros; negative for a reversal.
    pub fn signed(&self) -> i64 {
        if self.takes_back.is_some() { -self.amount_micros } else { self.amount_micros }
    }
}

/// The statement $1 and all that it supersedes, directly or indirectly.
macro_rules! versions {
    () => {
        "WITH RECURSIVE versions (id) AS (
             SELECT CAST($1 AS BIGINT)
             UNION
             SELECT statements.id FROM statements JOIN versions ON statements.superseded_by = versions.id
         ) "
    };
}

static OF_KEY: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            versions!(),
            "SELECT amount_micros,
                    CAST(CASE WHEN EXISTS (SELECT 1 FROM statement_payments AS back
                                           WHERE back.takes_back = statement_payments.id) THEN 1 ELSE 0 END AS BIGINT)
             FROM statement_payments
             WHERE payment_key = $2 AND statement_id IN (SELECT id FROM versions) ORDER BY id LIMIT 1"
        ),
        &[],
    )
});

static PAID: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            versions!(),
            "SELECT CAST(COALESCE(SUM(CASE WHEN takes_back IS NULL THEN amount_micros ELSE -amount_micros END), 0)
                         AS BIGINT)
             FROM statement_payments WHERE statement_id IN (SELECT id FROM versions)"
        ),
        &[],
    )
});

static PAID_FOR: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT CAST(COALESCE(SUM(CASE WHEN takes_back IS NULL THEN amount_micros ELSE -amount_micros END), 0)
                     AS BIGINT)
         FROM statement_payments WHERE statement_id = $1",
        &[],
    )
});

static THEIRS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT CAST(COALESCE(SUM(theirs_micros), 0) AS BIGINT) FROM statement_lines WHERE statement_id = $1",
        &[],
    )
});

static PAY: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_payments (statement_id, amount_micros, actor, note, paid_at, payment_key, takes_back)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[],
    )
});

macro_rules! payments {
    () => {
        "SELECT id, statement_id, amount_micros, actor, note, paid_at, takes_back,
                (SELECT MIN(back.id) FROM statement_payments AS back WHERE back.takes_back = statement_payments.id)
                    AS taken_back_by
         FROM statement_payments "
    };
}

static OF_ID: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            versions!(),
            payments!(),
            "WHERE id = $2 AND takes_back IS NULL AND statement_id IN (SELECT id FROM versions)"
        ),
        &[],
    )
});

/// Payments for this statement alone, less reversed ones, in USD.
pub(super) async fn paid_for(tx: &mut Tx, id: i64) -> Result<Micros> {
    Ok(Micros(with_statement!(tx, PAID_FOR, |sql, connection| sqlx::query_scalar(sql)
        .bind(id)
        .fetch_one(connection)
        .await?)))
}

/// The key of a payment without one: the same amount with the same note is the same payment.
fn key_of(amount: Positive, note: &str) -> String {
    hex(&Sha256::digest(format!("{}\n{}", amount.micros(), note.trim()).as_bytes()))
}

async fn pay(
    tx: &mut Tx,
    id: i64,
    payment: Payment,
    resolution: Resolution,
    business_date: String,
) -> Result<Paid> {
    let Some(row) = held(tx, id).await? else { return Ok(Paid::Missing) };
    let state = row.stands()?;
    if matches!(state, State::Receiving | State::Discarded) {
        return Ok(Paid::Missing);
    }
    let key = payment.key.unwrap_or_else(|| key_of(payment.amount, &resolution.reason));
    let before: Option<(i64, i64)> = with_statement!(tx, OF_KEY, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .bind(&key)
        .fetch_optional(connection)
        .await?);
    match before {
        Some((amount, _)) if amount != payment.amount.micros() => {
            return Ok(Paid::OtherAmount(Micros(amount)));
        }
        Some((_, 0)) => return Ok(Paid::Before),
        Some(_) => return Ok(Paid::TakenBack),
        None => {}
    }
    if !Act::Pay.is_allowed(state) {
        return Ok(Paid::NotNow(state));
    }
    let theirs: i64 = with_statement!(tx, THEIRS, |sql, connection| sqlx::query_scalar(sql)
        .bind(id)
        .fetch_one(connection)
        .await?);
    let paid: i64 = with_statement!(tx, PAID, |sql, connection| sqlx::query_scalar(sql)
        .bind(id)
        .fetch_one(connection)
        .await?);
    let open = Amount(theirs) - Amount(paid);
    if exceeds(payment.amount, open) && !payment.confirmed {
        return Ok(Paid::Asks(open));
    }
    note_payment(tx, id, payment.amount, &resolution, Some(&key), None).await?;
    let transfer = Transfer::Payout {
        debit: PayoutAccount::Paid(row.source.clone()),
        credit: PayoutAccount::Network(row.source),
        amount: payment.amount,
    };
    book(tx, &[(None, transfer.posting())], &business_date, resolution.now).await?;
    let detail = format!("{} USD: {}", Micros(payment.amount.micros()), resolution.reason);
    audit::note(
        tx,
        &Line::new(&resolution.actor, Action::StatementPaid, subject(id), detail),
        resolution.now,
    );
    Ok(Paid::Booked)
}

async fn note_payment(
    tx: &mut Tx,
    id: i64,
    amount: Positive,
    resolution: &Resolution,
    key: Option<&str>,
    takes_back: Option<i64>,
) -> Result<()> {
    with_statement!(tx, PAY, |sql, connection| {
        sqlx::query(sql)
            .bind(id)
            .bind(amount.micros())
            .bind(resolution.actor.name())
            .bind(&resolution.reason)
            .bind(resolution.now.0)
            .bind(key)
            .bind(takes_back)
            .execute(connection)
            .await?;
    });
    Ok(())
}

async fn take_back(
    tx: &mut Tx,
    id: i64,
    payment: i64,
    resolution: Resolution,
    business_date: String,
) -> Result<TakenBack> {
    let Some(row) = held(tx, id).await? else { return Ok(TakenBack::Missing) };
    let found: Option<PaymentRow> = with_statement!(tx, OF_ID, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .bind(payment)
        .fetch_optional(connection)
        .await?);
    let Some(found) = found else { return Ok(TakenBack::Missing) };
    if found.taken_back_by.is_some() {
        return Ok(TakenBack::Before);
    }
    let Some(amount) = Positive::new(Micros(found.amount_micros)) else { return Ok(TakenBack::Missing) };
    note_payment(tx, found.statement_id, amount, &resolution, None, Some(payment)).await?;
    let transfer = Transfer::Payout {
        debit: PayoutAccount::Network(row.source.clone()),
        credit: PayoutAccount::Paid(row.source),
        amount,
    };
    book(tx, &[(None, transfer.posting())], &business_date, resolution.now).await?;
    let detail = format!("payment {payment}, {} USD: {}", Micros(amount.micros()), resolution.reason);
    audit::note(
        tx,
        &Line::new(&resolution.actor, Action::PaymentTakenBack, subject(id), detail),
        resolution.now,
    );
    Ok(TakenBack::Done)
}

impl Store {
    /// Books a payment for a statement: `paid → network`, once for each key.
    pub async fn pay_statement(
        &self,
        id: i64,
        payment: Payment,
        resolution: Resolution,
        business_date: String,
    ) -> Result<Paid> {
        self.write(move |tx| Box::pin(async move { pay(tx, id, payment, resolution, business_date).await }))
            .await
    }

    /// Reverses a payment by the opposite transfer, once.
    pub async fn take_payment_back(
        &self,
        id: i64,
        payment: i64,
        resolution: Resolution,
        business_date: String,
    ) -> Result<TakenBack> {
        self.write(move |tx| {
            Box::pin(async move { take_back(tx, id, payment, resolution, business_date).await })
        })
        .await
    }

    /// Payments for a statement and for those that it supersedes, less reversed ones.
    pub async fn statement_paid(&self, id: i64) -> Result<Micros> {
        let payments = self.statement_payments(id).await?;
        Ok(Micros(payments.iter().map(PaymentRow::signed).sum()))
    }

    /// All payments and reversals for a statement and for those that it supersedes, oldest first.
    pub async fn statement_payments(&self, id: i64) -> Result<Vec<PaymentRow>> {
        Ok(read!(self, pool => sqlx::query_as(concat!(
            versions!(), payments!(), "WHERE statement_id IN (SELECT id FROM versions) ORDER BY id"
        )).bind(id).fetch_all(pool).await)?)
    }
}
