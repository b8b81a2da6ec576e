//! Opening balances: what users had before the gateway kept their balance.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::ledger::{RewardAccount, Transfer};
use domain::money::{Micros, Positive};
use domain::text::count;
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::ledger::booking::book;
use crate::{Result, Store};

/// The part of `granted:{source}` that stands for everything before.
const OPENING: &str = "opening";

/// The balance of a user before the gateway kept it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningBalance {
    /// The app that owns the user.
    pub app: String,
    /// The publisher's id of the user.
    pub user_id: String,
    /// Code, such as `coins`.
    pub currency: String,
    /// May be below zero.
    pub balance: Micros,
}

/// Whose balances are booked, and who books them.
#[derive(Clone, Debug)]
pub struct Opening {
    /// No two of the same user and currency.
    pub balances: Vec<OpeningBalance>,
    /// Signs the line in the audit.
    pub actor: Actor,
    /// The business day of the transfers, `YYYY-MM-DD`.
    pub business_date: String,
    /// The time of booking.
    pub now: TimestampMs,
}

/// The result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Balances that were booked.
    pub booked: u64,
    /// Balances that had been booked before, with the same amount.
    pub before: u64,
    /// Balances that had been booked before with another amount, given here: they stay as they are.
    pub differing: Vec<OpeningBalance>,
}

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<Row<'_>>(
        "INSERT INTO opening_balances ({columns}) SELECT {columns} FROM {given} WHERE true
         ORDER BY app, user_id, currency
         ON CONFLICT (app, user_id, currency) DO NOTHING RETURNING app, user_id, currency, balance_micros",
    )
});

static DIFFERING: LazyStatement = LazyLock::new(|| {
    Statement::given::<Row<'_>>(
        "SELECT opening_balances.app, opening_balances.user_id, opening_balances.currency,
                opening_balances.balance_micros
         FROM {given} JOIN opening_balances ON opening_balances.app = given.app
             AND opening_balances.user_id = given.user_id AND opening_balances.currency = given.currency
         WHERE opening_balances.balance_micros <> given.balance_micros",
    )
});

given_row! {
    struct Row<'a> {
        app: &'a str,
        user_id: &'a str,
        currency: &'a str,
        balance_micros: i64,
        booked_at: i64,
    }
}

#[derive(sqlx::FromRow)]
struct Kept {
    app: String,
    user_id: String,
    currency: String,
    balance_micros: i64,
}

impl Kept {
    fn into_balance(self) -> OpeningBalance {
        let Self { app, user_id, currency, balance_micros } = self;
        OpeningBalance { app, user_id, currency, balance: Micros(balance_micros) }
    }
}

impl Store {
    /// Books each balance once, `granted:opening` against the user, in one transaction with its line in the audit.
    pub async fn open_balances(&self, opening: Opening) -> Result<Opened> {
        self.write(move |tx| {
            Box::pin(async move {
                let Opening { balances, actor, business_date, now } = opening;
                let rows: Vec<_> = balances.iter().map(|balance| row(balance, now)).collect();
                if rows.is_empty() {
                    return Ok(Opened::default());
                }
                let new: Vec<Kept> = tx.fetch(&INSERT, &rows).await?;
                let differing: Vec<Kept> = tx.fetch(&DIFFERING, &rows).await?;
                let new: Vec<_> = new.into_iter().map(Kept::into_balance).collect();
                let postings: Vec<_> =
                    new.iter().filter_map(transfer).map(|transfer| (None, transfer.posting())).collect();
                book(tx, &postings, &business_date, now).await?;
                if !new.is_empty() {
                    let subject = count(new.len() as u64, "opening balance");
                    audit::note(tx, &Line::new(&actor, Action::BalancesOpened, subject, String::new()), now);
                }
                Ok(Opened {
                    booked: new.len() as u64,
                    before: (balances.len() - new.len() - differing.len()) as u64,
                    differing: differing.into_iter().map(Kept::into_balance).collect(),
                })
            })
        })
        .await
    }
}

fn row(balance: &OpeningBalance, now: TimestampMs) -> Row<'_> {
    Row {
        app: &balance.app,
        user_id: &balance.user_id,
        currency: &balance.currency,
        balance_micros: balance.balance.0,
        booked_at: now.0,
    }
}

/// `None` of a balance of zero.
fn transfer(balance: &OpeningBalance) -> Option<Transfer> {
    let user = RewardAccount::User { app: balance.app.clone(), user_id: balance.user_id.clone() };
    let granted = RewardAccount::Granted(OPENING.to_owned());
    let is_debt = balance.balance.0 < 0;
    let (debit, credit) = if is_debt { (user, granted) } else { (granted, user) };
    let amount = Positive::new(Micros(balance.balance.0.saturating_abs()))?;
    Some(Transfer::Reward { debit, credit, amount, currency: balance.currency.clone() })
}
