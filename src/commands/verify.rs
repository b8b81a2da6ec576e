//! `rewardgate verify`: proves the ledger, and that the closed reports are a chain without a hole.

use domain::text::count;

use super::say;
use crate::roles::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Proves everything, and says what does not hold.
pub(crate) async fn verify(process: &Process) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    let proof = process.store.prove().await?;
    for account in &proof.differing_accounts {
        say(&format!(
            "{} {}: kept {}, computed {}",
            account.account, account.currency, account.kept, account.computed
        ));
    }
    for reward in &proof.differing_rewards {
        say(&format!(
            "reward {} is {}, but its transfers leave the user {}, held {}, earned {}",
            reward.reward_id, reward.status, reward.user, reward.held, reward.earned
        ));
    }
    let chain = process.store.report_chain().await?;
    for fault in chain.faults() {
        say(fault);
    }
    let counts = [
        (proof.accounts.unsigned_abs(), "account"),
        (proof.transfers.unsigned_abs(), "transfer"),
        (proof.rewards.unsigned_abs(), "reward"),
        (chain.closed(), "closed report"),
    ];
    let counts = counts.map(|(number, noun)| count(number, noun)).join(", ");
    if proof.is_proven() && chain.faults().is_empty() {
        say(&format!("proven: {counts}"));
        Ok(EXIT_DONE)
    } else {
        say(&format!("NOT proven: see above ({counts})"));
        Ok(EXIT_FAILED)
    }
}
