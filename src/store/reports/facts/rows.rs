//! The rows of a report's statements, and their conversion to the domain's facts.

use domain::report::amount::{Amount, Sum};
use domain::report::day::NaiveDate;
use domain::report::facts::{
    AccountFact, DebtRoll, DispositionFact, HoldFact, Line, Previous, SettledFact, Top,
};
use domain::report::losses::Availability;
use domain::report::{CaseFigures, Negative};
use domain::review::reversal::Situation;
use domain::reward::Step;
use domain::time::TimestampMs;
use sqlx::FromRow;

use crate::{Error, Result};

/// The last ids in the snapshot.
#[derive(FromRow)]
pub(super) struct Bounds {
    pub(super) transfers_upto: i64,
    pub(super) postbacks_upto: i64,
    /// 1 if an earlier day exists that must be closed first, otherwise 0.
    pub(super) has_earlier: i64,
}

/// The closed report of the previous day.
#[derive(FromRow)]
pub(super) struct PreviousRow {
    pub(super) content: String,
    content_hash: String,
    pub(super) transfers_upto: i64,
}

impl PreviousRow {
    pub(super) fn fact(self, date: String) -> Previous {
        Previous { date, hash: self.content_hash, transfers_upto: self.transfers_upto }
    }
}

/// Steps of one source, currency, conversion day, booking day and kind.
#[derive(FromRow)]
pub(super) struct LineRow {
    source: String,
    currency: String,
    converted: String,
    booked: String,
    step: String,
    count: i64,
    reward: i64,
    payout: i64,
}

impl LineRow {
    pub(super) fn fact(self) -> Result<Line> {
        let step = Step::parse(&self.step).ok_or_else(|| corrupt("steps", "step", &self.step))?;
        // A reversal before its credit moves nothing: the amounts are known only when the credit follows, and must not
        // change an earlier report.
        let (reward, payout) = if step == Step::ReverseUnseen { (0, 0) } else { (self.reward, self.payout) };
        Ok(Line {
            source: self.source,
            currency: self.currency,
            converted: date("rewards", &self.converted)?,
            booked: date("steps", &self.booked)?,
            step,
            reward: Sum::new(self.count, reward),
            payout: Amount(payout),
        })
    }
}

/// A row of one of three kinds; the columns of the other kinds are 0 or empty.
#[derive(FromRow)]
pub(super) struct BalanceRow {
    kind: String,
    account: String,
    currency: String,
    /// Kind `account`: the current balance. Kind `negative`: at the end of the day.
    balance: i64,
    moved: i64,
    moved_after: i64,
    debtors_before: i64,
    debt_before: i64,
    arisen: i64,
    recovered: i64,
    debtors_after: i64,
    debt_after: i64,
}

/// The rows of the balances, by kind.
#[derive(Default)]
pub(super) struct Balances {
    pub(super) accounts: Vec<AccountFact>,
    /// By currency.
    pub(super) debts: Vec<DebtRoll>,
    /// Largest debt first.
    pub(super) negative: Vec<Negative>,
}

impl Balances {
    pub(super) fn of(rows: Vec<BalanceRow>) -> Result<Self> {
        let mut balances = Self::default();
        for row in rows {
            match row.kind.as_str() {
                "account" => balances.accounts.push(AccountFact {
                    account: row.account,
                    currency: row.currency,
                    kept: Amount(row.balance),
                    moved: Amount(row.moved),
                    after: Amount(row.moved_after),
                }),
                "debt" => balances.debts.push(DebtRoll {
                    currency: row.currency,
                    opening: Sum::new(row.debtors_before, row.debt_before),
                    arisen: Amount(row.arisen),
                    recovered: Amount(row.recovered),
                    closing: Sum::new(row.debtors_after, row.debt_after),
                }),
                "negative" => balances.negative.push(Negative {
                    account: row.account,
                    currency: row.currency,
                    balance: Amount(row.balance),
                }),
                other => return Err(corrupt("accounts", "kind", other)),
            }
        }
        balances.debts.sort_unstable_by(|one, other| one.currency.cmp(&other.currency));
        Ok(balances)
    }
}

/// Payments of networks, by debit and credit account.
#[derive(FromRow)]
pub(super) struct PaymentRow {
    debit: String,
    credit: String,
    amount: i64,
}

impl PaymentRow {
    pub(super) fn fact(self) -> SettledFact {
        SettledFact { debit: self.debit, credit: self.credit, amount: Amount(self.amount) }
    }
}

/// Rewards on hold since one day.
#[derive(FromRow)]
pub(super) struct HoldRow {
    source: String,
    currency: String,
    since: String,
    count: i64,
    reward: i64,
    payout: i64,
}

impl HoldRow {
    pub(super) fn fact(self) -> Result<HoldFact> {
        Ok(HoldFact {
            source: self.source,
            currency: self.currency,
            since: date("steps", &self.since)?,
            reward: Sum::new(self.count, self.reward),
            payout: Amount(self.payout),
        })
    }
}

/// Reversals of one offer, country or `sub1`.
#[derive(FromRow)]
pub(super) struct TopRow {
    source: String,
    key: String,
    count: i64,
    payout: i64,
}

impl TopRow {
    pub(super) fn fact(self, of: &str) -> Top {
        let reversed = Sum::new(self.count, self.payout);
        Top { of: of.to_owned(), source: self.source, key: self.key, reversed }
    }
}

/// Postbacks of the day with one disposition.
#[derive(FromRow)]
pub(super) struct DispositionRow {
    source: String,
    disposition: String,
    count: i64,
}

impl DispositionRow {
    pub(super) fn fact(self) -> DispositionFact {
        DispositionFact { source: self.source, disposition: self.disposition, count: self.count }
    }
}

/// A period in which a process could acknowledge.
#[derive(FromRow)]
pub(super) struct AvailabilityRow {
    began_at: i64,
    seen_at: i64,
}

impl AvailabilityRow {
    pub(super) fn fact(self) -> Availability {
        Availability { began_at: TimestampMs(self.began_at), seen_at: TimestampMs(self.seen_at) }
    }
}

/// Reversal cases of one source and situation.
#[derive(FromRow)]
pub(super) struct CaseRow {
    source: String,
    situation: String,
    raised: i64,
    ended: i64,
    open: i64,
    stake: i64,
}

impl CaseRow {
    pub(super) fn fact(self) -> Result<CaseFigures> {
        let situation = Situation::parse(&self.situation)
            .ok_or_else(|| corrupt("reversal_cases", "situation", &self.situation))?;
        Ok(CaseFigures {
            source: self.source,
            situation,
            raised: self.raised,
            ended: self.ended,
            open: Sum::new(self.open, self.stake),
        })
    }
}

/// The first postback from an id on, for the search by time.
#[derive(FromRow)]
pub(super) struct RecordedRow {
    pub(super) id: i64,
    pub(super) recorded_at: i64,
}

fn date(table: &'static str, text: &str) -> Result<NaiveDate> {
    text.parse().map_err(|_| corrupt(table, "business_date", text))
}

fn corrupt(table: &'static str, column: &'static str, found: &str) -> Error {
    // An aggregate has no single row.
    Error::Corrupt { table, column, row: 0, found: found.to_owned() }
}
