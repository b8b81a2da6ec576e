//! Roll-forwards: opening + movements = closing.
//!
//! The opening of a day is the closing of the closed report before it; the closing is the stored balance less what
//! was booked after the day; the movements are the day's transfers. Three sources, so that they can disagree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::facts::Fact;
use super::figures::{Figures, SourceFigures};
use crate::ledger::PayoutAccount;

/// The account name of all users together.
pub const USERS: &str = "users";

/// One account, or all users together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRoll {
    /// `users`, or the account's name.
    pub account: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// At the beginning of the day.
    pub opening: Amount,
    /// Net movement on the day.
    pub movement: Amount,
    /// At the end of the day.
    pub closing: Amount,
}

/// What users hold, debts included as negative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRoll {
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// At the beginning of the day.
    pub opening: Amount,
    /// Credited automatically.
    pub credited: Amount,
    /// Released and overturned by people.
    pub released: Amount,
    /// Reversed by the network, in full or in part.
    pub reversed: Amount,
    /// At the end of the day.
    pub closing: Amount,
}

/// What a network owes, in USD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receivable {
    /// Name in the settings.
    pub source: String,
    /// At the beginning of the day.
    pub opening: Amount,
    /// Approved on the day.
    pub approved: Amount,
    /// Reversed by the network, in full or in part.
    pub reversed: Amount,
    /// Paid by the network on the day, less payments taken back.
    pub settled: Amount,
    /// At the end of the day.
    pub closing: Amount,
    /// Paid by the network in total, since the first booking.
    pub settled_in_all: Amount,
}

pub(super) fn accounts(facts: &Fact) -> Vec<AccountRoll> {
    let mut rolls = BTreeMap::<(&str, &str), AccountRoll>::new();
    for account in &facts.accounts {
        let closing = account.kept - account.after;
        let opening = match &facts.previous_closing {
            Some(closings) => closings
                .iter()
                .find(|closed| closed.account == account.account && closed.currency == account.currency)
                .map_or(Amount(0), |closed| closed.closing),
            // The first report: nothing to go on from but the books themselves.
            None => closing - account.moved,
        };
        if opening.is_zero() && closing.is_zero() && account.moved.is_zero() {
            continue;
        }
        let roll = AccountRoll {
            account: account.account.clone(),
            currency: account.currency.clone(),
            opening,
            movement: account.moved,
            closing,
        };
        rolls.insert((&account.account, &account.currency), roll);
    }
    rolls.into_values().collect()
}

fn balance_of<'a>(accounts: &'a [AccountRoll], name: &str, currency: Option<&str>) -> Vec<&'a AccountRoll> {
    let of = |roll: &&AccountRoll| roll.account == name && currency.is_none_or(|it| it == roll.currency);
    accounts.iter().filter(of).collect()
}

pub(super) fn receivables(
    sources: &[SourceFigures],
    accounts: &[AccountRoll],
    facts: &Fact,
) -> Vec<Receivable> {
    let mut names: Vec<&str> = accounts
        .iter()
        .filter_map(|roll| {
            roll.account.strip_prefix("network:").or_else(|| roll.account.strip_prefix("paid:"))
        })
        .chain(sources.iter().map(|source| source.source.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    let receivable = |name: &str| {
        let network = PayoutAccount::Network(name.to_owned()).to_string();
        let paid = PayoutAccount::Paid(name.to_owned()).to_string();
        let of_network = balance_of(accounts, &network, None);
        let sum = |pick: fn(&AccountRoll) -> Amount| of_network.iter().map(|roll| pick(roll)).sum::<Amount>();
        let of_source = || sources.iter().filter(|source| source.source == name);
        let settled = |is_it: &dyn Fn(&super::facts::SettledFact) -> bool| {
            facts.settled.iter().filter(|it| is_it(it)).map(|it| it.amount).sum::<Amount>()
        };
        Receivable {
            source: name.to_owned(),
            // An asset is debited when it grows, so its balance is negative.
            opening: -sum(|roll| roll.opening),
            approved: of_source().map(|source| source.figures.approved.amount).sum(),
            reversed: of_source().map(|source| source.figures.reversed.amount).sum(),
            settled: settled(&|it| it.credit == network) - settled(&|it| it.debit == network),
            closing: -sum(|roll| roll.closing),
            settled_in_all: -balance_of(accounts, &paid, None)
                .iter()
                .map(|roll| roll.closing)
                .sum::<Amount>(),
        }
    };
    names.into_iter().map(receivable).collect()
}

pub(super) fn users(sources: &[SourceFigures], accounts: &[AccountRoll]) -> Vec<UserRoll> {
    let roll = |account: &AccountRoll| {
        let of_currency = || sources.iter().filter(|source| source.currency == account.currency);
        let sum = |pick: fn(&Figures) -> Amount| of_currency().map(|source| pick(&source.figures)).sum();
        UserRoll {
            currency: account.currency.clone(),
            opening: account.opening,
            credited: sum(|figures| figures.credited.amount),
            released: sum(|figures| figures.released.amount + figures.overturned.amount),
            reversed: sum(|figures| figures.reversed_credited.amount + figures.reversed_credited_part.amount),
            closing: account.closing,
        }
    };
    balance_of(accounts, USERS, None).into_iter().map(roll).collect()
}
