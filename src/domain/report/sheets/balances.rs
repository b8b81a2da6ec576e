//! Who owes what: networks, users, accounts, holds.

use super::{Sheet, Value, sum, text};
use crate::report::Report;

impl Report {
    pub(super) fn receivable(&self) -> Sheet {
        let columns = [
            "source",
            "opening USD",
            "approved USD",
            "reversed USD",
            "settled USD",
            "closing USD",
            "settled in all USD",
        ];
        let mut sheet = Sheet::new("Receivable", &columns);
        for roll in &self.receivables {
            let amounts =
                [roll.opening, roll.approved, roll.reversed, roll.settled, roll.closing, roll.settled_in_all];
            sheet.row(std::iter::once(text(&roll.source)).chain(amounts.map(Value::Money)));
        }
        sheet
    }

    pub(super) fn user_rolls(&self) -> Sheet {
        let columns = ["currency", "opening", "credited", "released", "reversed", "closing"];
        let mut sheet = Sheet::new("Users hold", &columns);
        for roll in &self.users {
            let amounts = [roll.opening, roll.credited, roll.released, roll.reversed, roll.closing];
            sheet.row(std::iter::once(text(&roll.currency)).chain(amounts.map(Value::Money)));
        }
        sheet
    }

    pub(super) fn debt_rolls(&self) -> Sheet {
        let columns =
            ["currency", "users before", "opening", "arisen", "recovered", "users after", "closing"];
        let mut sheet = Sheet::new("Users owe", &columns);
        for roll in &self.debts {
            let mut cells = vec![text(&roll.currency)];
            cells.extend(sum(roll.opening));
            cells.extend([Value::Money(roll.arisen), Value::Money(roll.recovered)]);
            cells.extend(sum(roll.closing));
            sheet.row(cells);
        }
        sheet
    }

    pub(super) fn account_rolls(&self) -> Sheet {
        let mut sheet = Sheet::new("Accounts", &["account", "currency", "opening", "movement", "closing"]);
        for roll in &self.accounts {
            let amounts = [roll.opening, roll.movement, roll.closing].map(Value::Money);
            sheet.row([text(&roll.account), text(&roll.currency)].into_iter().chain(amounts));
        }
        sheet
    }

    pub(super) fn hold_ages(&self) -> Sheet {
        let mut sheet =
            Sheet::new("Holds", &["source", "currency", "days", "rewards", "amount", "payout USD"]);
        for age in &self.holds {
            let mut cells = vec![text(&age.source), text(&age.currency), text(&age.days)];
            cells.extend(sum(age.reward));
            cells.push(Value::Money(age.payout));
            sheet.row(cells);
        }
        sheet
    }

    pub(super) fn negative_balances(&self) -> Sheet {
        let mut sheet = Sheet::new("Negative balances", &["account", "currency", "balance"]);
        for negative in &self.negative {
            sheet.row([text(&negative.account), text(&negative.currency), Value::Money(negative.balance)]);
        }
        sheet
    }
}
