//! The ledger proof: stored balances must follow from the transfers, and the transfers from the statuses.

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
    /// Accounts whose stored balance is not the sum of their transfers.
    pub differing_accounts: Vec<DifferingAccount>,
    /// Rewards whose transfers do not add up to what their status says (the first hundred).
    pub differing_rewards: Vec<DifferingReward>,
}

/// An account whose stored balance is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingAccount {
    /// As in [`crate::ledger`], such as `user:main/u-1`.
    pub account: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// The stored balance.
    pub kept: Micros,
    /// The balance that follows from the transfers.
    pub computed: Micros,
}

/// A reward whose transfers contradict its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingReward {
    /// Its row id.
    pub reward_id: i64,
    /// As [`crate::reward::Status::name`] says.
    pub status: String,
    /// What its transfers gave the user, in the user's currency.
    pub user: Micros,
    /// What they left on hold, in the user's currency.
    pub held: Micros,
    /// What they left in `earned`, in USD.
    pub earned: Micros,
}

impl Proof {
    /// True if no account and no reward differs.
    pub fn is_proven(&self) -> bool {
        self.differing_accounts.is_empty() && self.differing_rewards.is_empty()
    }
}
