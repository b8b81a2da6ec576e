//! A number of things and their money.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::money::Micros;

/// So many, with what they are worth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// What networks pay for them, in USD.
    #[serde(rename = "payout_usd", serialize_with = "as_text")]
    pub payout: Micros,
    /// What users get for them, by currency.
    #[serde(serialize_with = "all_as_text")]
    pub rewards: BTreeMap<String, Micros>,
}

impl Sum {
    /// Adds one thing.
    pub fn add(&mut self, currency: &str, reward: Option<Micros>, payout: Option<Micros>) {
        self.count += 1;
        self.payout.0 = self.payout.0.saturating_add(payout.unwrap_or_default().0);
        let Some(reward) = reward else { return };
        match self.rewards.get_mut(currency) {
            Some(sum) => sum.0 = sum.0.saturating_add(reward.0),
            None => {
                self.rewards.insert(currency.to_owned(), reward);
            }
        }
    }
}

/// An amount as decimal text, as everywhere outside.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) fn as_text<S: Serializer>(amount: &Micros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

fn all_as_text<S: Serializer>(amounts: &BTreeMap<String, Micros>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(amounts.iter().map(|(currency, amount)| (currency, amount.to_string())))
}
