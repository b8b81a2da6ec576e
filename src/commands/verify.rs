//! `rewardgate verify`: proves that the database is whole, the ledger follows from its transfers, and the closed reports
//! are a chain without a hole; and says up to which postback all that reaches.

use domain::text::count;

use super::{progress, say};
use crate::roles::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Proves everything, and says what does not hold.
pub(crate) async fn verify(process: &Process) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    let damage = progress::during("verifying the database", process.store.integrity()).await?;
    for fault in &damage {
        say(fault);
    }
    let proof = match progress::during("verifying the ledger", process.store.prove()).await {
        Err(error) if error.is_broken() || !damage.is_empty() => {
            say(&format!("NOT proven: the books cannot be read: {error}"));
            return Ok(EXIT_FAILED);
        }
        proof => proof?,
    };
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
    say(&match process.store.reach().await? {
        Some(reach) => {
            format!("reaches up to postback {}, received {}", reach.postback_id, reach.received_at.rfc3339())
        }
        None => "keeps no postback".to_owned(),
    });
    let counts = [
        (proof.accounts.unsigned_abs(), "account"),
        (proof.transfers.unsigned_abs(), "transfer"),
        (proof.rewards.unsigned_abs(), "reward"),
        (chain.closed(), "closed report"),
    ];
    let counts = counts.map(|(number, noun)| count(number, noun)).join(", ");
    if damage.is_empty() && proof.is_proven() && chain.faults().is_empty() {
        say(&format!("proven: {counts}"));
        Ok(EXIT_DONE)
    } else {
        say(&format!("NOT proven: see above ({counts})"));
        Ok(EXIT_FAILED)
    }
}
