//! `rewardgate replay`: replays refused calls that verify now, or quarantined postbacks.

use std::collections::BTreeMap;

use clap::Args;
use domain::rules::ENGINE;
use domain::text::count;
use domain::time::TimestampMs;
use store::postbacks::replay::{QuarantineFilter, Replayer};

use super::acting::command_line;
use super::progress::{Progress, during};
use super::{say, time};
use crate::process::Process;
use crate::roles;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Which calls or postbacks to replay.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Replay refused calls whose signature verifies with the current settings.
    #[arg(long, required_unless_present_any = ["quarantined", "verdict"], conflicts_with_all = ["quarantined", "id", "reason", "from", "to"])]
    pub(crate) refused: bool,
    /// Replay quarantined postbacks with the current mapping.
    #[arg(long)]
    pub(crate) quarantined: bool,
    /// Decide the verdict of a reward once more from its stored facts, and print every signal. Changes nothing. Exit code 1
    /// if decision, score or what fired differs.
    #[arg(long, value_name = "REWARD", conflicts_with_all = ["refused", "quarantined", "source", "id", "reason", "from", "to", "dry_run"])]
    pub(crate) verdict: Option<i64>,
    /// Source name.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Postback ID.
    #[arg(long)]
    pub(crate) id: Option<i64>,
    /// Text that the reason of the quarantine contains.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Received at or after this time: RFC 3339, or a date in the time zone of the settings.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Received before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Print what would be replayed, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Replays what `args` name.
pub(crate) async fn replay(process: &Process, args: ReplayArgs) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    if let Some(reward_id) = args.verdict {
        return verdict(process, reward_id).await;
    }
    if let Some(source) = &args.source {
        let known = process.settings.sources.iter().any(|known| known.name == *source);
        anyhow::ensure!(known, "`--source`: `{source}` is not in the settings");
    }
    if args.refused { refused(process, &args).await } else { quarantined(process, &args).await }
}

/// Prints a verdict with every signal as it follows from the facts.
async fn verdict(process: &Process, reward_id: i64) -> anyhow::Result<u8> {
    let Some(replayed) = process.store.replay_verdict(reward_id).await? else {
        anyhow::bail!("reward {reward_id} has no verdict");
    };
    say(&format!("stored:   {}", replayed.stored));
    let Some((computed, verdict)) = replayed.computed else {
        say("not repeated: a version that stored sentences instead of facts decided it");
        return Ok(EXIT_DONE);
    };
    say(&format!("computed: {computed}"));
    let engine = replayed.engine.unwrap_or_default();
    say(&format!("policy {}, rules of version {engine} (this one is {ENGINE})", replayed.policy));
    for signal in &verdict.signals {
        let mark = if signal.fired { "*" } else { " " };
        say(&format!("{mark} {:<4}{:>4}  {}", signal.code, signal.points, signal.text));
    }
    let differs = computed != replayed.stored && engine == ENGINE;
    Ok(if differs { EXIT_FAILED } else { EXIT_DONE })
}

fn replayer(process: &Process) -> Replayer {
    Replayer { actor: command_line(), now: process.clock.now() }
}

/// Checks the refused calls page by page, and then replays those that verify in one operation. Their number is bounded, and
/// only their ids are held in memory.
async fn refused(process: &Process, args: &ReplayArgs) -> anyhow::Result<u8> {
    let (mut seen, mut verified, mut after_id) = (0, Vec::new(), 0);
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    let (origin, endpoints) = (&process.settings.public_url, roles::endpoints(&process.settings));
    let kept = process.store.refused_count().await?.kept;
    let all = u64::try_from(kept).ok().filter(|_| args.source.is_none());
    let progress = Progress::of("checking refused calls", all);
    loop {
        let page = process.store.refused_calls(args.source.as_deref(), after_id).await?;
        let Some(last) = page.last() else { break };
        after_id = last.id;
        seen += page.len();
        progress.advance(page.len());
        for call in page {
            let checked = match endpoints.get(&call.source) {
                // At its own time: a signature may be valid for some minutes only.
                Some(endpoint) => call
                    .kept()
                    .with(origin, |received| {
                        let (caller, at) = (call.remote_ip.parse().ok(), TimestampMs(call.received_at));
                        endpoint.check(received, caller, at)
                    })
                    .map_err(|refusal| refusal.to_string()),
                None => Err(format!("the source `{}` is not in the settings", call.source)),
            };
            match checked {
                Ok(()) => verified.push(call.id),
                Err(why) => *left.entry(why).or_default() += 1,
            }
        }
    }
    drop(progress);
    let taken = if args.dry_run {
        verified.len()
    } else {
        let order = process.store.replay_refused(verified, replayer(process));
        during("replaying refused calls", order).await?
    };
    process.store.wake_other_processes().await?;
    let replayed = if args.dry_run { "would be replayed" } else { "are replayed" };
    say(&format!("{} checked: {taken} verify now and {replayed}", calls(seen)));
    for (why, number) in left {
        say(&format!("{} not replayed: {why}", calls(number)));
    }
    Ok(EXIT_DONE)
}

fn calls(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX), "refused call")
}

/// Finds quarantined postbacks page by page, and then replays them in one operation, so that one that is quarantined again
/// immediately is not replayed twice. Only their ids are held in memory, 8 bytes each.
async fn quarantined(process: &Process, args: &ReplayArgs) -> anyhow::Result<u8> {
    let filter = QuarantineFilter {
        id: args.id,
        source: args.source.clone(),
        reason: args.reason.clone(),
        from: time(process, "from", args.from.as_ref())?,
        to: time(process, "to", args.to.as_ref())?,
    };
    let (mut found, mut after_id) = (Vec::new(), 0);
    let progress = Progress::of("searching quarantined postbacks", None);
    loop {
        let page = process.store.quarantined(&filter, after_id).await?;
        let Some(last) = page.last() else { break };
        after_id = *last;
        progress.advance(page.len());
        found.extend(page);
    }
    drop(progress);
    let seen = found.len();
    anyhow::ensure!(args.id.is_none() || seen == 1, "`--id`: there is no quarantined postback with this ID");
    let taken = if args.dry_run {
        0
    } else {
        let order = process.store.replay_quarantined(found, replayer(process));
        during("replaying quarantined postbacks", order).await?
    };
    process.store.wake_other_processes().await?;
    let seen = count(u64::try_from(seen).unwrap_or(u64::MAX), "quarantined postback");
    if args.dry_run {
        say(&format!("{seen} would be replayed"));
    } else {
        say(&format!("{seen} found, {taken} wait in the inbox again"));
    }
    Ok(EXIT_DONE)
}
