//! What a network paid for a statement: each payment is one transfer `paid → network`, booked once for each key; one
//! that is taken back is the opposite transfer. A newer version has the payments of what it supersedes.

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

/// A payment that a person says was made.
#[derive(Clone, Debug)]
pub struct Payment {
    /// How much, in USD.
    pub amount: Positive,
    /// What makes it one and the same when it is sent twice; amount and note, if nobody says.
    pub key: Option<String>,
    /// True if the person knows that it may be more than what is open.
    pub confirmed: bool,
}

/// What became of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paid {
    /// It is booked.
    Booked,
    /// It was booked before.
    Before,
    /// The key belongs to a payment of another amount: of so much.
    OtherAmount(Micros),
    /// It was booked before, and taken back: to be booked again it needs another key.
    TakenBack,
    /// It is more than is open: so much is.
    Asks(Amount),
    /// Nothing is paid for a statement that stands so.
    NotNow(State),
    /// There is no such statement.
    Missing,
}

/// What became of taking a payment back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// The opposite transfer is booked.
    Done,
    /// It was taken back before.
    Before,
    /// The statement has no such payment.
    Missing,
}

/// What a network paid for a statement.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PaymentRow {
    /// Its row.
    pub id: i64,
    /// The statement it was booked for: this one, or one that it supersedes.
    pub statement_id: i64,
    /// How much, in micros of USD.
    pub amount_micros: i64,
    /// Who noted it.
    pub actor: String,
    /// With which words.
    pub note: String,
    /// When, in unix milliseconds.
    pub paid_at: i64,
    /// The payment that this one takes back.
    pub takes_back: Option<i64>,
    /// The row that takes this one back.
    pub taken_back_by: Option<i64>,
}

impl PaymentRow {
    /// What it adds to what was paid, in micros of USD.
    pub fn signed(&self) -> i64 {
        if self.takes_back.is_some() { -self.amount_micros } else { self.amount_micros }
    }
}

/// A statement ($1) and all that it supersedes, directly or not.
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

/// What was paid for this one statement and not taken back, in USD.
pub(super) async fn paid_for(tx: &mut Tx, id: i64) -> Result<Micros> {
    Ok(Micros(with_statement!(tx, PAID_FOR, |sql, connection| sqlx::query_scalar(sql)
        .bind(id)
        .fetch_one(connection)
        .await?)))
}

/// The key of a payment that nobody gave one: the same amount with the same words is the same payment.
fn key_of(amount: Positive, note: &str) -> String {
    hex(&Sha256::digest(format!("{}\n{}", amount.micros(), note.trim()).as_bytes()))
}

async fn pay(
    tx: &mut Tx,
    id: i64,
    payment: Payment,
    word: Resolution,
    business_date: String,
) -> Result<Paid> {
    let Some(row) = held(tx, id).await? else { return Ok(Paid::Missing) };
    let state = row.stands()?;
    if matches!(state, State::Receiving | State::Discarded) {
        return Ok(Paid::Missing);
    }
    let key = payment.key.unwrap_or_else(|| key_of(payment.amount, &word.reason));
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
    note_payment(tx, id, payment.amount, &word, Some(&key), None).await?;
    let transfer = Transfer::Payout {
        debit: PayoutAccount::Paid(row.source.clone()),
        credit: PayoutAccount::Network(row.source),
        amount: payment.amount,
    };
    book(tx, &[(None, transfer.posting())], &business_date, word.now).await?;
    let detail = format!("{} USD: {}", Micros(payment.amount.micros()), word.reason);
    audit::note(tx, &Line::new(&word.actor, Action::StatementPaid, subject(id), detail), word.now);
    Ok(Paid::Booked)
}

async fn note_payment(
    tx: &mut Tx,
    id: i64,
    amount: Positive,
    word: &Resolution,
    key: Option<&str>,
    takes_back: Option<i64>,
) -> Result<()> {
    with_statement!(tx, PAY, |sql, connection| {
        sqlx::query(sql)
            .bind(id)
            .bind(amount.micros())
            .bind(word.actor.name())
            .bind(&word.reason)
            .bind(word.now.0)
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
    word: Resolution,
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
    note_payment(tx, found.statement_id, amount, &word, None, Some(payment)).await?;
    let transfer = Transfer::Payout {
        debit: PayoutAccount::Network(row.source.clone()),
        credit: PayoutAccount::Paid(row.source),
        amount,
    };
    book(tx, &[(None, transfer.posting())], &business_date, word.now).await?;
    let detail = format!("payment {payment}, {} USD: {}", Micros(amount.micros()), word.reason);
    audit::note(tx, &Line::new(&word.actor, Action::PaymentTakenBack, subject(id), detail), word.now);
    Ok(TakenBack::Done)
}

impl Store {
    /// Books what the network paid for a statement: `paid → network`, once for each key.
    pub async fn pay_statement(
        &self,
        id: i64,
        payment: Payment,
        word: Resolution,
        business_date: String,
    ) -> Result<Paid> {
        self.write(move |tx| Box::pin(async move { pay(tx, id, payment, word, business_date).await })).await
    }

    /// Takes a payment back by the opposite transfer, once.
    pub async fn take_payment_back(
        &self,
        id: i64,
        payment: i64,
        word: Resolution,
        business_date: String,
    ) -> Result<TakenBack> {
        self.write(move |tx| Box::pin(async move { take_back(tx, id, payment, word, business_date).await }))
            .await
    }

    /// What was paid for a statement, and for what it supersedes, less what was taken back.
    pub async fn statement_paid(&self, id: i64) -> Result<Micros> {
        let payments = self.statement_payments(id).await?;
        Ok(Micros(payments.iter().map(PaymentRow::signed).sum()))
    }

    /// Every payment for a statement and for what it supersedes, the oldest first.
    pub async fn statement_payments(&self, id: i64) -> Result<Vec<PaymentRow>> {
        Ok(read!(self, pool => sqlx::query_as(concat!(
            versions!(), payments!(), "WHERE statement_id IN (SELECT id FROM versions) ORDER BY id"
        )).bind(id).fetch_all(pool).await)?)
    }
}
