//! The ledger proof: do the kept balances follow from the transfers, and the transfers from the statuses?

use crate::money::Micros;

/// What `rewardgate verify` found. The books are proven if nothing differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// How many accounts were recomputed.
    pub accounts: i64,
    /// How many transfers they were recomputed from.
    pub transfers: i64,
    /// How many rewards were compared with their transfers.
    pub rewards: i64,
    /// Accounts whose kept balance is not the sum of their transfers.
    pub differing_accounts: Vec<DifferingAccount>,
    /// Rewards whose transfers do not add up to what their status says (the first hundred).
    pub differing_rewards: Vec<DifferingReward>,
}

/// An account whose kept balance is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingAccount {
    /// Its name.
    pub account: String,
    /// Its currency.
    pub currency: String,
    /// The balance that is kept.
    pub kept: Micros,
    /// The balance that follows from the transfers.
    pub computed: Micros,
}

/// A reward whose transfers contradict its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingReward {
    /// The reward.
    pub reward_id: i64,
    /// Its status.
    pub status: String,
    /// What its transfers gave the user.
    pub user: Micros,
    /// What they left on hold.
    pub held: Micros,
    /// What they left earned.
    pub earned: Micros,
}

impl Proof {
    /// True if nothing differs.
    pub fn is_proven(&self) -> bool {
        self.differing_accounts.is_empty() && self.differing_rewards.is_empty()
    }
}
