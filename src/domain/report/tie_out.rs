//! Whether a report adds up, and where it does not. The sentences are stored in reports: never change them.

use std::collections::BTreeMap;

use super::Report;
use super::amount::Amount;
use super::facts::Fact;
use super::figures::of_the_day;
use super::rolls::USERS;
use crate::ledger::{RewardAmounts, transfers};
use crate::money::Micros;

pub(super) fn faults(report: &Report, facts: &Fact) -> Vec<String> {
    let mut faults = Vec::new();
    postbacks(report, &mut faults);
    rolls(report, &mut faults);
    steps_and_transfers(report, facts, &mut faults);
    if !report.proof.proven {
        faults.push(format!(
            "the ledger is not proven: {} accounts and {} rewards differ from their transfers (`rewardgate verify` \
             names them)",
            report.proof.differing_accounts, report.proof.differing_rewards
        ));
    }
    faults
}

fn postbacks(report: &Report, faults: &mut Vec<String>) {
    for figures in &report.postbacks {
        let rest = figures.acknowledged - figures.accounted();
        if rest != 0 {
            faults.push(format!(
                "{}: {} postbacks were acknowledged, and {rest} of them are not accounted for ({} wait, {} unexplained)",
                figures.source, figures.acknowledged, figures.waiting, figures.unexplained
            ));
        }
    }
}

fn rolls(report: &Report, faults: &mut Vec<String>) {
    let mut check = |what: String, computed: Amount, closing: Amount| {
        if computed != closing {
            faults.push(format!(
                "{what}: opening and movements give {computed}, the closing balance is {closing}: {} too much",
                closing - computed
            ));
        }
    };
    for roll in &report.accounts {
        check(format!("{} {}", roll.account, roll.currency), roll.opening + roll.movement, roll.closing);
    }
    for roll in &report.receivables {
        let computed = roll.opening + roll.approved - roll.reversed - roll.settled;
        check(format!("receivable from {}", roll.source), computed, roll.closing);
    }
    for roll in &report.users {
        let computed = roll.opening + roll.credited + roll.released - roll.reversed;
        check(format!("what users hold in {}", roll.currency), computed, roll.closing);
    }
    for roll in &report.debts {
        let computed = roll.opening.amount + roll.arisen - roll.recovered;
        check(format!("what users owe in {}", roll.currency), computed, roll.closing.amount);
    }
    // An account that is missing from the books would be in no roll at all.
    let mut by_currency = BTreeMap::<&str, i128>::new();
    for roll in &report.accounts {
        *by_currency.entry(&roll.currency).or_default() += i128::from(roll.closing.0);
    }
    for (currency, sum) in by_currency {
        if sum != 0 {
            let sum = Amount(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }));
            faults.push(format!("the balances in {currency} add up to {sum} and not to 0"));
        }
    }
}

/// What the steps of the day must have moved, against what the transfers did move.
fn steps_and_transfers(report: &Report, facts: &Fact, faults: &mut Vec<String>) {
    let mut due = BTreeMap::<(String, String), Amount>::new();
    let mut book = |debit: &str, credit: &str, currency: &str, amount: Amount| {
        let class = |name: &str| if name.starts_with("user:") { USERS.to_owned() } else { name.to_owned() };
        *due.entry((class(debit), currency.to_owned())).or_default() += -amount;
        *due.entry((class(credit), currency.to_owned())).or_default() += amount;
    };
    for line in of_the_day(facts) {
        let terms = RewardAmounts {
            source: &line.source,
            app: "",
            user_id: "",
            reward: Micros(line.reward.amount.0),
            currency: &line.currency,
            payout: Micros(line.payout.0),
        };
        for transfer in transfers(line.step, &terms) {
            let posting = transfer.posting();
            book(&posting.debit, &posting.credit, &posting.currency, Amount(posting.amount.0));
        }
    }
    for settled in &facts.settled {
        book(&settled.debit, &settled.credit, crate::money::PAYOUT_CURRENCY, settled.amount);
    }
    for roll in &report.accounts {
        let due = due.remove(&(roll.account.clone(), roll.currency.clone())).unwrap_or_default();
        if due != roll.movement {
            faults.push(format!(
                "{} {}: the day's steps move {due}, its transfers {}",
                roll.account, roll.currency, roll.movement
            ));
        }
    }
    for ((account, currency), amount) in due.into_iter().filter(|(_, amount)| !amount.is_zero()) {
        faults.push(format!(
            "{account} {currency}: the day's steps move {amount}, but there is no such account"
        ));
    }
}
