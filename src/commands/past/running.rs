//! Records, processes and counts the calls.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use domain::assessment::Calls;
use domain::assessment::calls::without_values;
use domain::batch::Outcome;
use domain::policy::Policy;
use domain::postback::event::Kind;
use domain::text::sha256;
use domain::time::TimestampMs;
use jobs::postbacks::past::{Past, Processed, Purpose};
use jobs::postbacks::process::Processor;
use store::Store;
use store::postbacks::inbox::WaitingPostback;
use store::rewards::process::ProcessedBatch;

use super::sorted::{Kept, Sorter};
use crate::commands::progress::Progress;

/// Hexadecimal digits of a call's id: 128 bits.
const ID_LEN: usize = 32;

/// Where calls go, and what becomes of them.
pub(crate) struct Run<'a> {
    pub(crate) store: &'a Store,
    pub(crate) processor: Arc<Processor>,
    pub(crate) policy: &'a Policy,
    pub(crate) purpose: Purpose,
}

impl Run<'_> {
    /// Takes all calls in the order of their time, and counts them. Returns how many had been imported before.
    pub(crate) async fn take_all(&self, taken: Sorter, calls: &mut Calls) -> anyhow::Result<u64> {
        let first_at = calls.first_at.unwrap_or(TimestampMs(0));
        let (version, content) = (self.policy.version().to_owned(), self.policy.content().to_owned());
        self.store.keep_policy(version, content, first_at).await?;
        let progress = Progress::of("deciding", Some(taken.count()));
        let mut past = Past::new(self.store.clone(), self.processor.clone(), self.purpose);
        let mut before = 0;
        let work = async {
            let mut ids = Ids::default();
            for kept in taken.sorted()? {
                let kept = kept?;
                let id = ids.of(&kept);
                before += self.count(&past.take(kept.into_postback(id)).await?, calls, &progress);
            }
            before += self.count(&past.flush().await?, calls, &progress);
            anyhow::Ok(())
        };
        // Only SQLite has a log; with Postgres the second future ends at once.
        let keep_log_short = async {
            self.store.keep_log_short(std::future::pending()).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            done = work => done.context("the calls could not be processed")?,
            () = keep_log_short => {}
        }
        Ok(before)
    }

    /// Counts what was processed; returns how many calls had been imported before.
    fn count(&self, processed: &Processed, calls: &mut Calls, progress: &Progress) -> u64 {
        progress.advance(processed.done);
        let new: usize = processed.batches.iter().map(|batch| batch.postbacks.len()).sum();
        for batch in &processed.batches {
            count(&self.processor, batch, calls);
        }
        for unsaved in &processed.unsaved {
            let postback = &unsaved.postback;
            calls.unmapped.note(&unsaved.reason, || self.masked(&postback.source, &postback.target));
        }
        (processed.done - new - processed.unsaved.len()) as u64
    }

    fn masked(&self, source: &str, target: &str) -> String {
        masked(&self.processor, source, target)
    }
}

/// The id of a call: the same whenever the same files are read.
#[derive(Default)]
struct Ids {
    at: i64,
    /// Of that time: digests, with how many calls had them.
    met: HashMap<String, u64>,
}

impl Ids {
    fn of(&mut self, kept: &Kept) -> String {
        if self.at != kept.at {
            self.met.clear();
            self.at = kept.at;
        }
        let Kept { at, source, method, target, body, .. } = kept;
        let text = format!("{source}\n{at}\n{method}\n{target}\n{}", body.as_deref().unwrap_or_default());
        let number = self.met.entry(sha256(text.as_bytes())).or_default();
        *number += 1;
        let mut id = sha256(format!("{text}\n{number}").as_bytes());
        id.truncate(ID_LEN);
        id
    }
}

fn count(processor: &Processor, batch: &ProcessedBatch, calls: &mut Calls) {
    let claimed: HashMap<i64, &WaitingPostback> =
        batch.postbacks.iter().map(|postback| (postback.id, postback)).collect();
    for processed in &batch.outcome.postbacks {
        let Some(postback) = claimed.get(&processed.postback_id) else { continue };
        match processed.outcome {
            Outcome::Processed => calls.processed += 1,
            Outcome::Information => calls.information += 1,
            Outcome::Test => calls.tests += 1,
            Outcome::Quarantined => {
                let reason = processed.reason.as_deref().unwrap_or("no reason");
                let example = || masked(processor, &postback.source, &postback.target);
                calls.unmapped.note(&without_values(reason), example);
            }
            Outcome::Repeat => match processor.map(postback).mapped {
                Ok(mapped) if mapped.event.kind == Kind::Credit => {
                    let event = &mapped.event;
                    calls.repeated_credits.add(&mapped.source.currency, event.reward, event.payout);
                }
                _ => calls.repeated_reversals += 1,
            },
        }
    }
}

/// The call without its signature.
fn masked(processor: &Processor, source: &str, target: &str) -> String {
    let source = processor.sources.get(source);
    source.map_or_else(String::new, |source| source.params.definition().masked(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_agree_in_everything_are_numbered_and_the_same_whenever_they_are_read() {
        let kept = |at: i64, target: &str| Kept {
            at,
            number: 0,
            source: "main".into(),
            method: "GET".into(),
            target: target.into(),
            remote_ip: "192.0.2.1".into(),
            body: None,
        };
        let calls = [kept(1, "/a"), kept(1, "/b"), kept(1, "/a"), kept(2, "/a")];
        let ids = |calls: &[Kept]| {
            let mut ids = Ids::default();
            calls.iter().map(|kept| ids.of(kept)).collect::<Vec<_>>()
        };
        let first = ids(&calls);
        assert_eq!(first, ids(&calls));
        let different: std::collections::HashSet<_> = first.iter().collect();
        assert_eq!(different.len(), 4);
        assert!(first.iter().all(|id| id.len() == ID_LEN));
    }
}
