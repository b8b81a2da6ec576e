//! The books: which transfers each step makes.
//!
//! A transfer moves one positive amount of one currency from one account to another, so it balances by
//! construction. Accounts of the user's currency and accounts of USD are two types: a transfer between them, or an
//! amount in the wrong one, has no way to be written.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::money::{Micros, PAYOUT_CURRENCY, Positive};
use crate::reward::Step;

/// An account in the user's currency.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RewardAccount {
    /// `user:{app}/{id}`: what the app owes its user; may go below zero after a reversal.
    User {
        /// The app that owns the user.
        app: String,
        /// The publisher's id of the user.
        user_id: String,
    },
    /// `held:{source}`: what waits for a person.
    Held(String),
    /// `granted:{source}`: what rewards cost.
    Granted(String),
}

/// An account in USD.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PayoutAccount {
    /// `network:{source}`: what the network owes.
    Network(String),
    /// `earned:{source}`: what was earned with it.
    Earned(String),
    /// `paid:{source}`: what the network has paid.
    Paid(String),
}

/// `user:main/u-1`, `held:targo-main`: the name in tables and the API.
impl fmt::Display for RewardAccount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { app, user_id } => write!(out, "user:{app}/{user_id}"),
            Self::Held(source) => write!(out, "held:{source}"),
            Self::Granted(source) => write!(out, "granted:{source}"),
        }
    }
}

/// `network:targo-main`: the name in tables and the API.
impl fmt::Display for PayoutAccount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(source) => write!(out, "network:{source}"),
            Self::Earned(source) => write!(out, "earned:{source}"),
            Self::Paid(source) => write!(out, "paid:{source}"),
        }
    }
}

/// One movement of money: `debit` gives, `credit` receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// Between accounts in the user's currency.
    Reward {
        /// The account that is debited.
        debit: RewardAccount,
        /// The account that is credited.
        credit: RewardAccount,
        /// Above zero, in micros.
        amount: Positive,
        /// Code, such as `coins` or `USD`.
        currency: String,
    },
    /// Between accounts in USD.
    Payout {
        /// The account that is debited.
        debit: PayoutAccount,
        /// The account that is credited.
        credit: PayoutAccount,
        /// Above zero, in micros.
        amount: Positive,
    },
}

/// A transfer as the tables and the API show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Name of the debited account.
    pub debit: String,
    /// Name of the credited account.
    pub credit: String,
    /// The amount, above zero.
    pub amount: Micros,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
}

impl Transfer {
    /// The transfer with its accounts by name.
    pub fn posting(&self) -> Posting {
        match self {
            Self::Reward { debit, credit, amount, currency } => Posting {
                debit: debit.to_string(),
                credit: credit.to_string(),
                amount: Micros(amount.micros()),
                currency: currency.clone(),
            },
            Self::Payout { debit, credit, amount } => Posting {
                debit: debit.to_string(),
                credit: credit.to_string(),
                amount: Micros(amount.micros()),
                currency: PAYOUT_CURRENCY.into(),
            },
        }
    }
}

/// What a step moves: whose reward, how much, from which source.
#[derive(Clone, Copy, Debug)]
pub struct RewardAmounts<'a> {
    /// The source that reported it.
    pub source: &'a str,
    /// The app that owns the user.
    pub app: &'a str,
    /// The publisher's id of the user.
    pub user_id: &'a str,
    /// How much of the reward, in `currency`.
    pub reward: Micros,
    /// Code, such as `coins` or `USD`.
    pub currency: &'a str,
    /// How much of what the network pays, in USD.
    pub payout: Micros,
}

/// A part of a reward, or all of it: what the user gets, and what the network pays for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Amounts {
    /// In the user's currency.
    pub reward: Micros,
    /// In USD.
    pub payout: Micros,
}

impl Amounts {
    /// These minus `part`; never below zero.
    #[must_use]
    pub fn less(self, part: Self) -> Self {
        Self {
            reward: Micros(self.reward.0.saturating_sub(part.reward.0)),
            payout: Micros(self.payout.0.saturating_sub(part.payout.0)),
        }
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, part: Self) -> Self {
        Self {
            reward: Micros(self.reward.0.saturating_add(part.reward.0)),
            payout: Micros(self.payout.0.saturating_add(part.payout.0)),
        }
    }
}

/// The transfers of `step`. An amount of zero moves nothing.
pub fn transfers(step: Step, terms: &RewardAmounts<'_>) -> Vec<Transfer> {
    let user = || RewardAccount::User { app: terms.app.into(), user_id: terms.user_id.into() };
    let held = || RewardAccount::Held(terms.source.into());
    let granted = || RewardAccount::Granted(terms.source.into());
    let network = || PayoutAccount::Network(terms.source.into());
    let earned = || PayoutAccount::Earned(terms.source.into());

    let reward = match step {
        Step::Credit | Step::Overturn => Some((granted(), user())),
        Step::Hold | Step::Reapprove | Step::UndoReject => Some((granted(), held())),
        Step::Release => Some((held(), user())),
        Step::Reject | Step::ReverseHeld | Step::ReverseHeldPart => Some((held(), granted())),
        Step::ReverseCredited | Step::ReverseCreditedPart | Step::UndoOverturn => Some((user(), granted())),
        Step::UndoRelease => Some((user(), held())),
        Step::ReverseRejected | Step::ReverseRejectedPart | Step::ReverseUnseen => None,
    };
    // The network owes the payout for a held reward too, and takes it back for a rejected one.
    let payout = match step {
        Step::Credit | Step::Hold | Step::Reapprove => Some((network(), earned())),
        Step::ReverseCredited
        | Step::ReverseHeld
        | Step::ReverseRejected
        | Step::ReverseCreditedPart
        | Step::ReverseHeldPart
        | Step::ReverseRejectedPart => Some((earned(), network())),
        Step::Release
        | Step::Reject
        | Step::Overturn
        | Step::ReverseUnseen
        | Step::UndoRelease
        | Step::UndoReject
        | Step::UndoOverturn => None,
    };
    let reward = reward.zip(Positive::new(terms.reward)).map(|((debit, credit), amount)| Transfer::Reward {
        debit,
        credit,
        amount,
        currency: terms.currency.into(),
    });
    let payout = payout.zip(Positive::new(terms.payout)).map(|((debit, credit), amount)| Transfer::Payout {
        debit,
        credit,
        amount,
    });
    reward.into_iter().chain(payout).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booked(step: Step) -> Vec<String> {
        let terms = RewardAmounts {
            source: "targo",
            app: "main",
            user_id: "u1",
            reward: Micros(500),
            currency: "coins",
            payout: Micros(1),
        };
        let line = |transfer: &Transfer| {
            let Posting { debit, credit, amount, currency } = transfer.posting();
            format!("{debit} → {credit} {} {currency}", amount.0)
        };
        transfers(step, &terms).iter().map(line).collect()
    }

    #[test]
    fn every_step_books_what_the_contract_says() {
        let owed = "network:targo → earned:targo 1 USD";
        let taken_back = "earned:targo → network:targo 1 USD";
        for (step, expected) in [
            (Step::Credit, vec!["granted:targo → user:main/u1 500 coins", owed]),
            (Step::Hold, vec!["granted:targo → held:targo 500 coins", owed]),
            (Step::Release, vec!["held:targo → user:main/u1 500 coins"]),
            (Step::Reject, vec!["held:targo → granted:targo 500 coins"]),
            (Step::Overturn, vec!["granted:targo → user:main/u1 500 coins"]),
            (Step::ReverseCredited, vec!["user:main/u1 → granted:targo 500 coins", taken_back]),
            (Step::ReverseHeld, vec!["held:targo → granted:targo 500 coins", taken_back]),
            (Step::ReverseRejected, vec![taken_back]),
            (Step::ReverseCreditedPart, vec!["user:main/u1 → granted:targo 500 coins", taken_back]),
            (Step::ReverseHeldPart, vec!["held:targo → granted:targo 500 coins", taken_back]),
            (Step::ReverseRejectedPart, vec![taken_back]),
            (Step::Reapprove, vec!["granted:targo → held:targo 500 coins", owed]),
            (Step::ReverseUnseen, vec![]),
            (Step::UndoRelease, vec!["user:main/u1 → held:targo 500 coins"]),
            (Step::UndoReject, vec!["granted:targo → held:targo 500 coins"]),
            (Step::UndoOverturn, vec!["user:main/u1 → granted:targo 500 coins"]),
        ] {
            assert_eq!(booked(step), expected, "{step:?}");
        }
    }

    #[test]
    fn an_amount_of_zero_moves_nothing() {
        let terms = RewardAmounts {
            source: "s",
            app: "a",
            user_id: "u",
            reward: Micros(0),
            currency: "coins",
            payout: Micros(0),
        };
        assert_eq!(transfers(Step::Credit, &terms), []);
    }
}
