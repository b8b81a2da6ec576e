//! `rewardgate verify`: checks that the database is intact, that every balance follows from the transfers, and that the
//! chains of closed reports and of the audit have no gap; and prints the newest postback.

use clap::Args;
use domain::audit::{Chain, Fault};
use domain::rules::ENGINE;
use domain::text::count;
use store::rewards::explained::CheckedVerdicts;

use super::progress::Progress;
use super::{progress, say};
use crate::process::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Verdicts that are read and decided at once.
const VERDICTS_AT_ONCE: i64 = 1_000;

/// What to verify.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Decide every verdict once more from its stored facts, and compare decision, score and what fired.
    #[arg(long)]
    pub(crate) verdicts: bool,
    /// Rebuild from the rewards what is remembered of users, addresses and times, and compare. Meant for a time when no
    /// worker runs: what is processed meanwhile differs.
    #[arg(long, conflicts_with = "verdicts")]
    pub(crate) counters: bool,
    /// With --counters: replace what differs.
    #[arg(long, requires = "counters")]
    pub(crate) replace: bool,
}

/// Verifies what `args` say, and prints what differs.
pub(crate) async fn verify(process: &Process, args: VerifyArgs) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    match (args.verdicts, args.counters) {
        (true, _) => verdicts(process).await,
        (_, true) => super::counters::counters(process, args.replace).await,
        _ => everything(process).await,
    }
}

/// Decides every verdict once more, page by page.
async fn verdicts(process: &Process) -> anyhow::Result<u8> {
    let all = process.store.verdict_count().await?;
    let progress = Progress::of("verifying verdicts", u64::try_from(all).ok());
    let (mut after, mut differs, mut sum) = (0, false, CheckedVerdicts::default());
    loop {
        let page = process.store.check_verdicts(after, VERDICTS_AT_ONCE).await?;
        let Some(last) = page.last else { break };
        after = last;
        for found in &page.differing {
            say(&format!(
                "reward {}: stored `{}`, computed `{}`",
                found.reward_id, found.stored, found.computed
            ));
        }
        let of_page = page.compared + page.without_facts + page.other_engine;
        progress.advance(usize::try_from(of_page).unwrap_or(usize::MAX));
        sum.compared += page.compared;
        sum.without_facts += page.without_facts;
        sum.other_engine += page.other_engine;
        differs |= !page.differing.is_empty();
    }
    drop(progress);
    if sum.without_facts > 0 {
        let of_before = count(sum.without_facts, "verdict");
        say(&format!("not compared: {of_before} of a version that stored sentences instead of facts"));
    }
    if sum.other_engine > 0 {
        let others = count(sum.other_engine, "verdict");
        say(&format!("not compared: {others} of another version of the rules; this one is {ENGINE}"));
    }
    let compared = count(sum.compared, "verdict");
    if differs {
        say(&format!("NOT proven: see above ({compared} compared)"));
        Ok(EXIT_FAILED)
    } else {
        say(&format!("proven: {compared} follow from their facts"));
        Ok(EXIT_DONE)
    }
}

/// Verifies database, ledger, reports and audit.
async fn everything(process: &Process) -> anyhow::Result<u8> {
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
            "{} {}: stored {}, computed {}",
            account.account, account.currency, account.kept, account.computed
        ));
    }
    for reward in &proof.differing_rewards {
        say(&format!(
            "reward {} is {}, but its transfers add up to user {}, held {}, earned {}",
            reward.reward_id, reward.status, reward.user, reward.held, reward.earned
        ));
    }
    let chain = process.store.report_chain().await?;
    for fault in chain.faults() {
        say(fault);
    }
    let audit = audited(process).await?;
    for fault in &audit.faults {
        say(fault);
    }
    let reach = match process.store.reach().await? {
        Some(reach) => {
            format!("newest postback: {}, received {}", reach.postback_id, reach.received_at.rfc3339())
        }
        None => "no postbacks".to_owned(),
    };
    say(&(reach + &audit.end));
    let counts = [
        (proof.accounts.unsigned_abs(), "account"),
        (proof.transfers.unsigned_abs(), "transfer"),
        (proof.rewards.unsigned_abs(), "reward"),
        (chain.closed(), "closed report"),
    ];
    let counts = counts.map(|(number, noun)| count(number, noun)).join(", ");
    if damage.is_empty() && proof.is_proven() && chain.faults().is_empty() && audit.faults.is_empty() {
        say(&format!("proven: {counts}"));
        Ok(EXIT_DONE)
    } else {
        say(&format!("NOT proven: see above ({counts})"));
        Ok(EXIT_FAILED)
    }
}

/// The result of following the chain of the audit.
struct Audited {
    faults: Vec<String>,
    /// A clause with the last line and its hash; empty if there is no line, or a fault. Kept elsewhere, the hash shows
    /// whether somebody has rewritten the audit.
    end: String,
}

/// Follows the chain of the audit. Its end is read first, so that lines added meanwhile do not matter.
async fn audited(process: &Process) -> anyhow::Result<Audited> {
    let head = match process.store.audit_head().await {
        Err(store::Error::Unfit(fault)) => return Ok(Audited { faults: vec![fault], end: String::new() }),
        head => head?,
    };
    let progress = Progress::of("verifying the audit", u64::try_from(head.number).ok());
    let (mut chain, mut faults) = (Chain::default(), Vec::new());
    'walk: loop {
        let lines = process.store.audit_chain(chain.last()).await?;
        if lines.is_empty() {
            break;
        }
        for line in &lines {
            let looked = chain.look_at(&line.kept()).and_then(|()| chain.compare(head.number, &head.hash));
            if let Err(fault) = looked {
                faults.push(fault.to_string());
                break 'walk;
            }
        }
        progress.advance(lines.len());
    }
    if faults.is_empty() {
        faults.extend(chain.end(head.number).err().map(|fault| fault.to_string()));
    }
    if head.lines_outside != head.lines_before {
        let fault = Fault::Outside { found: head.lines_outside, kept: head.lines_before };
        faults.push(fault.to_string());
    }
    let end = match head.number {
        number if number > 0 && faults.is_empty() => {
            format!("; the audit ends at line {number}, hash {}", head.hash)
        }
        _ => String::new(),
    };
    Ok(Audited { faults, end })
}
