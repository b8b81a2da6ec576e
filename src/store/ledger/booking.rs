//! Books transfers: balances first, because that creates missing accounts and returns their ids.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use domain::ledger::Posting;
use domain::time::TimestampMs;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::{Error, Result};

/// Rows come in the order of names, so that two workers lock shared accounts in the same order.
static MOVE_BALANCES: LazyStatement = LazyLock::new(|| {
    Statement::given::<DeltaRow<'_>>(
        "INSERT INTO accounts (name, currency, balance_micros, carries)
         SELECT {columns} FROM {given} WHERE true ORDER BY name, currency
         ON CONFLICT (name, currency) DO UPDATE SET
             balance_micros = CASE WHEN SUBSTR(accounts.name, 1, 5) = 'user:'
                 THEN accounts.balance_micros + excluded.balance_micros
                 ELSE (accounts.balance_micros % 4611686018427387904 + excluded.balance_micros) % 4611686018427387904 END,
             carries = CASE WHEN SUBSTR(accounts.name, 1, 5) = 'user:' THEN 0
                 ELSE accounts.carries + excluded.carries + accounts.balance_micros / 4611686018427387904
                    + (accounts.balance_micros % 4611686018427387904 + excluded.balance_micros) / 4611686018427387904 END
         RETURNING id, name, currency")
});

static INSERT_TRANSFERS: LazyStatement = LazyLock::new(|| {
    Statement::given::<TransferRow<'_>>(
        "INSERT INTO transfers ({columns})
         SELECT {columns} FROM {given}",
    )
});

/// A posting, with the reward's id and the step's number if a reward caused it.
pub(crate) type Booked = (Option<(i64, i64)>, Posting);

/// Books `postings`.
pub(crate) async fn book(
    tx: &mut Tx,
    postings: &[Booked],
    business_date: &str,
    now: TimestampMs,
) -> Result<()> {
    if postings.is_empty() {
        return Ok(());
    }
    let mut deltas: BTreeMap<(&str, &str), i128> = BTreeMap::new();
    for (_, posting) in postings {
        *deltas.entry((&posting.debit, &posting.currency)).or_default() -= i128::from(posting.amount.0);
        *deltas.entry((&posting.credit, &posting.currency)).or_default() += i128::from(posting.amount.0);
    }
    let deltas: Vec<_> =
        deltas.into_iter().map(|((name, currency), delta)| DeltaRow::of(name, currency, delta)).collect();
    let accounts: Vec<AccountRow> = tx.fetch(&MOVE_BALANCES, &deltas).await?;
    let ids: HashMap<(&str, &str), i64> = accounts
        .iter()
        .map(|account| ((account.name.as_str(), account.currency.as_str()), account.id))
        .collect();
    let id = |name: &str, currency: &str| {
        ids.get(&(name, currency))
            .copied()
            .ok_or_else(|| Error::Aborted(format!("account {name} was not returned")))
    };
    let rows = postings
        .iter()
        .map(|(cause, posting)| {
            Ok(TransferRow {
                reward_id: cause.map(|(reward_id, _)| reward_id),
                step_seq: cause.map(|(_, step_seq)| step_seq),
                debit_id: id(&posting.debit, &posting.currency)?,
                credit_id: id(&posting.credit, &posting.currency)?,
                amount_micros: posting.amount.0,
                currency: &posting.currency,
                booked_at: now.0,
                business_date,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    tx.execute(&INSERT_TRANSFERS, &rows).await?;
    Ok(())
}

given_row! {
    struct DeltaRow<'a> {
        name: &'a str,
        currency: &'a str,
        delta_micros: i64,
        delta_carries: i64,
    }
}

/// A balance carries in units of this many micros, so that the sum of two remainders always fits into 64 bits.
const CARRY_MICROS: i128 = 1 << 62;

impl<'a> DeltaRow<'a> {
    fn of(name: &'a str, currency: &'a str, delta: i128) -> Self {
        // A user's balance never carries: the table refuses an overflow.
        let carries = if name.starts_with("user:") { 0 } else { delta / CARRY_MICROS };
        let rest = delta - carries * CARRY_MICROS;
        let whole =
            |number: i128| i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX });
        Self { name, currency, delta_micros: whole(rest), delta_carries: whole(carries) }
    }
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: i64,
    name: String,
    currency: String,
}

given_row! {
    struct TransferRow<'a> {
        reward_id: Option<i64>,
        step_seq: Option<i64>,
        debit_id: i64,
        credit_id: i64,
        amount_micros: i64,
        currency: &'a str,
        booked_at: i64,
        business_date: &'a str,
    }
}
