//! Watches whether a source falls silent: notes it, and has a mail sent when it begins and when it ends.
//!
//! A check costs one row for a source that sends, and its hours of a month for one that does not. While the inbox lags,
//! nothing is concluded: what was received and is not yet counted would look like silence.

use domain::time::{DAY_MS, TimestampMs};
use domain::traffic::silence::{self, Letter, Silence, WINDOW_DAYS};
use store::Store;
use store::operations::jobs::Job;
use store::operations::silences::SilentSource;
use tracing::{info, warn};

/// The job that tells by mail that a source fell silent.
pub(crate) const SILENT: &str = "source-silent";
/// The job that tells by mail that a source sends again.
pub(crate) const SPEAKS: &str = "source-speaks";
/// While something has waited in the inbox for longer than this, in milliseconds, no silence is noted.
const MAX_LAG_MS: i64 = 5 * 60_000;

/// What changed at one check.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Sources that are silent since this check.
    pub silent: Vec<String>,
    /// Sources that send again.
    pub speaking: Vec<String>,
}

/// Looks at every one of `sources`. With `mails`, a mail about each change is scheduled with it.
pub async fn watch(
    store: &Store,
    sources: impl Iterator<Item = &String>,
    mails: bool,
    now: TimestampMs,
) -> Result<Changes, store::Error> {
    let sources: Vec<&String> = sources.collect();
    let known = store.silent_sources().await?;
    let mut changes = Changes::default();
    for was in &known {
        if !sources.contains(&&was.source) {
            // It is no longer in the settings: nobody waits for it.
            store.end_silence(was.source.clone(), None, now).await?;
        }
    }
    let waiting_since = store.inbox_depth().await?.oldest_received_at;
    if waiting_since.is_some_and(|oldest| now.0 - oldest.0 > MAX_LAG_MS) {
        return Ok(changes);
    }
    for source in sources {
        let silence = silence_of(store, source, now).await?;
        let was = known.iter().find(|was| was.source == *source);
        match (was, silence) {
            (None, Some(silence)) => {
                let mail = mails.then(|| job(SILENT, source, silence.last_at, silence.usual_ms));
                if store.begin_silence(source.clone(), silence, mail, now).await? {
                    warn!(source, last_postback = silence.last_at.rfc3339(), "a source fell silent");
                    changes.silent.push(source.clone());
                }
            }
            (Some(was), None) => {
                if end(store, was, mails, now).await? {
                    changes.speaking.push(source.clone());
                }
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
    Ok(changes)
}

async fn silence_of(store: &Store, source: &str, now: TimestampMs) -> Result<Option<Silence>, store::Error> {
    let Some(last_at) = store.last_postback_of(source).await? else { return Ok(None) };
    if now.0 - last_at.0 <= silence::SHORTEST_MS {
        return Ok(None);
    }
    let hours = store.source_hours(source, TimestampMs(last_at.0 - WINDOW_DAYS * DAY_MS)).await?;
    Ok(Silence::of(&hours, now))
}

/// Ends a silence: the source sends again, or is no longer used. Only the former is told.
async fn end(store: &Store, was: &SilentSource, mails: bool, now: TimestampMs) -> Result<bool, store::Error> {
    let speaks = store.last_postback_of(&was.source).await?.is_some_and(|last| last.0 > was.last_at);
    let mail = (mails && speaks).then(|| job(SPEAKS, &was.source, TimestampMs(was.last_at), was.usual_ms));
    let ended = store.end_silence(was.source.clone(), mail, now).await?;
    if ended && speaks {
        info!(source = was.source, "a source sends again");
    }
    Ok(ended && speaks)
}

/// The slot holds all that the mail says, and is different for every silence.
fn job(name: &str, source: &str, last_at: TimestampMs, usual_ms: i64) -> Job {
    Job { name: name.into(), slot: format!("{source} {} {usual_ms}", last_at.0) }
}

/// The mail of `job`, if it is one of these; `pages_url` has no slash at the end.
pub(crate) fn letter(job: &Job, pages_url: &str) -> Option<Letter> {
    let mut parts = job.slot.rsplitn(3, ' ');
    let usual_ms = parts.next()?.parse().ok()?;
    let last_at = TimestampMs(parts.next()?.parse().ok()?);
    let source = parts.next()?;
    let link = format!("{pages_url}/sources");
    match job.name.as_str() {
        SILENT => Some(silence::fell_silent(source, Silence { last_at, usual_ms }, &link)),
        SPEAKS => Some(silence::sends_again(source, last_at, &link)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_holds_all_that_its_mail_says() {
        let job = |name| job(name, "my source", TimestampMs(1_795_392_000_000), 7 * 3_600_000);
        let began = letter(&job(SILENT), "https://gw").expect("a letter");
        assert_eq!(began.subject, "RewardGate: my source has sent nothing for more than 7 h");
        assert!(
            began.text.contains("https://gw/sources") && began.text.contains("2026-11-2"),
            "{}",
            began.text
        );
        assert_eq!(letter(&job(SPEAKS), "").expect("a letter").subject, "RewardGate: my source sends again");
        assert_eq!(letter(&Job { name: SILENT.into(), slot: "garbled".into() }, ""), None);
    }
}
