//! The naive computation: what is in the books. Balances are the sums of transfers, and nothing else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use domain::report::amount::{Amount, Sum};
use domain::report::facts::DebtRoll;
use domain::report::facts::Top;
use domain::report::rolls::{AccountRoll, Receivable, UserRoll};
use domain::report::{HoldAge, Negative};
use domain::reward::{Status, Step};

use super::happened::{Happened, Terms};
use super::naive::{Naive, PARTS, REVERSALS, length};

/// Balances by name and currency.
type Balances = BTreeMap<(String, &'static str), i64>;
/// Ages in their order, by name.
type Bucket = (i32, &'static str);
/// The property of a reward that a top list groups by.
type Column = fn(&Terms) -> &String;

impl Naive<'_> {
    /// The balances at the end of a day, from transfers that this day or an earlier one counts.
    fn balances(&self, upto: i64) -> Balances {
        let mut balances = Balances::new();
        for moved in self.happenings.transfers().into_iter().filter(|it| it.counted <= upto) {
            *balances.entry((moved.debit, moved.currency)).or_default() -= moved.amount;
            *balances.entry((moved.credit, moved.currency)).or_default() += moved.amount;
        }
        balances
    }

    /// The same with all users together.
    fn classes(&self, upto: i64) -> Balances {
        let mut classes = Balances::new();
        for ((name, currency), balance) in self.balances(upto) {
            let class = if name.starts_with("user:") { "users".to_owned() } else { name };
            *classes.entry((class, currency)).or_default() += balance;
        }
        classes
    }

    pub(super) fn accounts(&self) -> Vec<AccountRoll> {
        let (before, behind) = (self.classes(self.today - 1), self.classes(self.today));
        let roll = |((account, currency), closing): (&(String, &'static str), &i64)| {
            let opening = before.get(&(account.clone(), currency)).copied().unwrap_or_default();
            AccountRoll {
                account: account.clone(),
                currency: (*currency).to_owned(),
                opening: Amount(opening),
                movement: Amount(closing - opening),
                closing: Amount(*closing),
            }
        };
        let rolls = behind.iter().map(roll);
        rolls.filter(|it| it.opening.0 != 0 || it.closing.0 != 0).collect()
    }

    /// What a network owes is what its account gave.
    pub(super) fn receivables(&self) -> Vec<Receivable> {
        let (before, behind) = (self.classes(self.today - 1), self.classes(self.today));
        let balance = |of: &Balances, kind: &str, source: &str| {
            Amount(of.get(&(format!("{kind}:{source}"), "USD")).copied().unwrap_or_default())
        };
        let sources = self.sources();
        let of_network = |account: &str| {
            let name = account.strip_prefix("network:").or_else(|| account.strip_prefix("paid:"));
            name.map(str::to_owned)
        };
        let mut names: Vec<_> = self.accounts().iter().filter_map(|it| of_network(&it.account)).collect();
        names.extend(sources.iter().map(|it| it.source.clone()));
        names.sort_unstable();
        names.dedup();
        let of = |source: String| {
            let figures =
                sources.iter().find(|it| it.source == source).map(|it| it.figures).unwrap_or_default();
            let paid = |of| balance(of, "paid", &source);
            Receivable {
                opening: -balance(&before, "network", &source),
                approved: figures.approved.amount,
                reversed: figures.reversed.amount,
                settled: paid(&before) - paid(&behind),
                closing: -balance(&behind, "network", &source),
                settled_in_all: -paid(&behind),
                source,
            }
        };
        names.into_iter().map(of).collect()
    }

    pub(super) fn users(&self) -> Vec<UserRoll> {
        let sources = self.sources();
        let of = |roll: AccountRoll| {
            let of_currency = sources.iter().filter(|it| it.currency == roll.currency);
            let figures: Vec<_> = of_currency.map(|it| it.figures).collect();
            UserRoll {
                credited: figures.iter().map(|it| it.credited.amount).sum(),
                released: figures.iter().map(|it| it.released.amount + it.overturned.amount).sum(),
                reversed: figures
                    .iter()
                    .map(|it| it.reversed_credited.amount + it.reversed_credited_part.amount)
                    .sum(),
                currency: roll.currency,
                opening: roll.opening,
                closing: roll.closing,
            }
        };
        self.accounts().into_iter().filter(|roll| roll.account == "users").map(of).collect()
    }

    /// What each user owes at the end of a day.
    fn owed(&self, upto: i64) -> Balances {
        let users = self.balances(upto).into_iter().filter(|((name, _), _)| name.starts_with("user:"));
        users.filter(|(_, balance)| *balance < 0).map(|(user, balance)| (user, -balance)).collect()
    }

    pub(super) fn debts(&self) -> Vec<DebtRoll> {
        let (before, behind) = (self.owed(self.today - 1), self.owed(self.today));
        let who: BTreeSet<_> = before.keys().chain(behind.keys()).collect();
        let currencies: BTreeSet<_> = who.iter().map(|(_, currency)| *currency).collect();
        let of = |currency: &str| {
            let of_currency = who.iter().filter(|(_, of)| *of == currency);
            let owed = |of: &Balances, user| of.get(user).copied().unwrap_or(0);
            let changes: Vec<_> =
                of_currency.map(|user| owed(&behind, *user) - owed(&before, *user)).collect();
            let sum = |of: &Balances| {
                let debts: Vec<_> =
                    of.iter().filter(|((_, of), _)| *of == currency).map(|(_, debt)| *debt).collect();
                Sum::new(length(&debts), debts.iter().sum())
            };
            DebtRoll {
                currency: currency.to_owned(),
                opening: sum(&before),
                arisen: Amount(changes.iter().filter(|change| **change > 0).sum()),
                recovered: Amount(-changes.iter().filter(|change| **change < 0).sum::<i64>()),
                closing: sum(&behind),
            }
        };
        currencies.into_iter().map(of).collect()
    }

    pub(super) fn negative(&self) -> Vec<Negative> {
        let mut owed: Vec<_> = self.owed(self.today).into_iter().map(|(user, debt)| (-debt, user)).collect();
        owed.sort_unstable();
        let negative = |(balance, (account, currency)): (i64, (String, &str))| Negative {
            account,
            currency: currency.to_owned(),
            balance: Amount(balance),
        };
        owed.into_iter().take(100).map(negative).collect()
    }

    pub(super) fn holds(&self) -> Vec<HoldAge> {
        // Since when, and whether still: by the last step that was booked by the end of the day.
        let mut rewards = BTreeMap::<(&str, &str), (Terms, Option<i64>, bool)>::new();
        for it in self.happenings.steps.iter().filter(|it| it.booked <= self.today) {
            let (left, since, held) =
                rewards.entry((it.of.source, &it.of.key)).or_insert((it.of.clone(), None, false));
            if matches!(it.step, Step::Hold | Step::Reapprove) {
                (*left, *since) = (it.of.clone(), Some(it.booked));
            } else if PARTS.contains(&it.step) {
                left.reward -= it.of.reward;
                left.payout -= it.of.payout;
            }
            *held = it.step.to() == Status::Held;
        }
        let mut ages = BTreeMap::<_, (Sum, i64)>::new();
        for (of, since, _) in rewards.into_values().filter(|(_, since, held)| *held && since.is_some()) {
            let bucket = match self.today - since.unwrap_or_default() {
                ..=1 => (0, "0-1"),
                2..=7 => (1, "2-7"),
                8..=30 => (2, "8-30"),
                31..=60 => (3, "31-60"),
                _ => (4, "61+"),
            };
            let sum = ages.entry((of.source, of.currency, bucket)).or_default();
            *sum = (sum.0 + Sum::new(1, of.reward), sum.1 + of.payout);
        }
        let age =
            |((source, currency, (_, days)), (reward, payout)): ((&str, &str, Bucket), (Sum, i64))| HoldAge {
                source: source.to_owned(),
                currency: currency.to_owned(),
                days: days.to_owned(),
                reward,
                payout: Amount(payout),
            };
        ages.into_iter().map(age).collect()
    }

    pub(super) fn top(&self) -> Vec<Top> {
        let columns: [(&str, Column); 3] =
            [("offer", |of| &of.offer), ("country", |of| &of.country), ("sub1", |of| &of.sub1)];
        let thirty_days = self.today - 29..=self.today;
        let reversal = |it: &&Happened| REVERSALS.contains(&it.step) && thirty_days.contains(&it.booked);
        let list = |(name, column): (&str, Column)| {
            let mut sums = BTreeMap::<_, (i64, i64)>::new();
            for it in self.happenings.steps.iter().filter(reversal) {
                let sum = sums.entry((it.of.source, column(&it.of))).or_default();
                *sum = (sum.0 + it.of.payout, sum.1 + i64::from(!PARTS.contains(&it.step)));
            }
            let mut sums: Vec<_> =
                sums.into_iter().map(|(key, (payout, count))| (Reverse((payout, count)), key)).collect();
            sums.sort_unstable();
            let top =
                |(Reverse((payout, count)), (source, key)): (Reverse<(i64, i64)>, (&str, &String))| Top {
                    of: name.to_owned(),
                    source: source.to_owned(),
                    key: key.clone(),
                    reversed: Sum::new(count, payout),
                };
            sums.into_iter().take(10).map(top).collect::<Vec<_>>()
        };
        columns.into_iter().flat_map(list).collect()
    }
}
