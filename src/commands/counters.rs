//! `rewardgate verify --counters`: what is remembered of users, addresses and times, rebuilt from the rewards.
//!
//! Rewards are read once for each part of the memories, so that a part fits into memory however many there are.

use domain::history::rebuilding::{Part, Rebuilding, lists_agree};
use domain::history::sightings::oldest_key;
use domain::history::{UserChange, UserMemory};
use domain::text::count;

use super::progress::Progress;
use super::say;
use crate::process::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Rewards in one part: with their users and lists about 100 MB.
const REWARDS_IN_PART: i64 = 250_000;
/// Rows that are read or replaced at once.
const ROWS_AT_ONCE: i64 = 2_000;
/// Differences that are printed; the others are only counted.
const PRINTED: u64 = 20;

/// Compares, and replaces what differs if `replaces`.
pub(super) async fn counters(process: &Process, replaces: bool) -> anyhow::Result<u8> {
    let store = &process.store;
    let rewards = store.verdict_count().await?;
    let parts = u64::try_from(rewards / REWARDS_IN_PART + 1).unwrap_or(1);
    let oldest = oldest_key(process.clock.now(), process.settings.retention.addresses_days);
    let progress = Progress::of("reading rewards", u64::try_from(rewards).ok().map(|all| all * parts));
    let mut found = Found { replaces, ..Found::default() };
    for number in 0..parts {
        let part = Part { number, of: parts };
        let mut rebuilding = Rebuilding::new(part, oldest);
        let mut after = 0;
        loop {
            let rows = store.remembered_rewards(after, ROWS_AT_ONCE).await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in &rows {
                row.add_to(&mut rebuilding);
            }
            progress.advance(rows.len());
        }
        users(process, part, &mut rebuilding, &mut found).await?;
        lists(process, part, oldest, &mut rebuilding, &mut found).await?;
    }
    drop(progress);
    let compared = format!("{} and {}", count(found.users, "user"), count(found.lists, "sighting list"));
    if found.differing == 0 {
        say(&format!("proven: what is remembered of {compared} follows from the rewards"));
        return Ok(EXIT_DONE);
    }
    if found.differing > PRINTED {
        say(&format!("and {} more", found.differing - PRINTED));
    }
    if replaces {
        say(&format!("{} replaced, of {compared}", count(found.differing, "difference")));
        return Ok(EXIT_DONE);
    }
    say(&format!(
        "NOT proven: {}, of {compared}; with --replace they are replaced",
        count(found.differing, "difference")
    ));
    Ok(EXIT_FAILED)
}

#[derive(Default)]
struct Found {
    replaces: bool,
    users: u64,
    lists: u64,
    differing: u64,
}

impl Found {
    fn differs(&mut self, what: &str) {
        self.differing += 1;
        if self.differing <= PRINTED {
            say(what);
        }
    }
}

async fn users(
    process: &Process,
    part: Part,
    rebuilding: &mut Rebuilding,
    found: &mut Found,
) -> anyhow::Result<()> {
    let (mut after, mut changes) = ((String::new(), String::new()), Vec::new());
    loop {
        let rows = process.store.user_memories((&after.0, &after.1), ROWS_AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        after = (last.app.clone(), last.user_id.clone());
        for row in rows.into_iter().filter(|row| part.has_user(&row.app, &row.user_id)) {
            found.users += 1;
            let kept = row.memory.as_deref().map(UserMemory::parse).unwrap_or_default();
            let key = (row.app, row.user_id);
            let rebuilt = rebuilding.users.remove(&key).unwrap_or_default();
            if !kept.agrees(&rebuilt) {
                found.differs(&format!("user {} of {}: what is remembered differs", key.1, key.0));
                changes.push(UserChange { app: key.0, user_id: key.1, memory: rebuilt.text() });
            }
        }
        if found.replaces {
            process.store.replace_memories(std::mem::take(&mut changes), Vec::new()).await?;
        }
        changes.clear();
    }
    Ok(())
}

async fn lists(
    process: &Process,
    part: Part,
    oldest: i64,
    rebuilding: &mut Rebuilding,
    found: &mut Found,
) -> anyhow::Result<()> {
    let (mut after, mut changes) = (oldest - 1, Vec::new());
    loop {
        let rows = process.store.sightings(after, ROWS_AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        after = last.0;
        for (key, kept) in rows.into_iter().filter(|(key, _)| part.has_list(*key)) {
            found.lists += 1;
            let rebuilt = rebuilding.lists.remove(&key).unwrap_or_default();
            if !lists_agree(&kept, &rebuilt) {
                found.differs(&format!("list of sightings {key}: it differs"));
                changes.push((key, rebuilt));
            }
        }
        if found.replaces {
            process.store.replace_memories(Vec::new(), std::mem::take(&mut changes)).await?;
        }
        changes.clear();
    }
    let missing = std::mem::take(&mut rebuilding.lists);
    for key in missing.keys() {
        found.lists += 1;
        found.differs(&format!("list of sightings {key}: it is missing"));
    }
    if found.replaces {
        let mut missing: Vec<_> = missing.into_iter().collect();
        while !missing.is_empty() {
            let rest = missing.split_off(missing.len().min(usize::try_from(ROWS_AT_ONCE).unwrap_or(1)));
            process.store.replace_memories(Vec::new(), std::mem::replace(&mut missing, rest)).await?;
        }
    }
    Ok(())
}
