//! Records, processes and counts the calls.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use domain::assessment::Calls;
use domain::assessment::calls::without_values;
use domain::batch::Outcome;
use domain::postback::event::Kind;
use domain::time::TimestampMs;
use jobs::postbacks::past::Past;
use jobs::postbacks::process::Processor;
use store::Store;
use store::postbacks::inbox::{NewPostback, WaitingPostback};
use store::rewards::process::ProcessedBatch;

use crate::commands::past::sorted::{Kept, Sorter};
use crate::commands::progress::Progress;
use crate::config::Settings;

/// Takes all calls in the order of their time.
pub(super) async fn run(
    store: &Store,
    processor: Arc<Processor>,
    settings: &Settings,
    taken: Sorter,
    calls: &mut Calls,
) -> anyhow::Result<()> {
    let first_at = calls.first_at.unwrap_or(TimestampMs(0));
    let policy = &settings.policy;
    store.keep_policy(policy.version().to_owned(), policy.content().to_owned(), first_at).await?;
    let progress = Progress::of("deciding", Some(taken.count()));
    let mut past = Past::new(store.clone(), processor.clone());
    let work = async {
        for kept in taken.sorted()? {
            for batch in past.take(postback(kept?)).await? {
                progress.advance(batch.postbacks.len());
                count(&processor, &batch, calls);
            }
        }
        for batch in past.flush().await? {
            progress.advance(batch.postbacks.len());
            count(&processor, &batch, calls);
        }
        anyhow::Ok(())
    };
    tokio::select! {
        done = work => done.context("the calls could not be processed"),
        () = store.keep_log_short(std::future::pending()) => anyhow::bail!("the temporary database closed early"),
    }
}

/// The call as the gateway records it.
pub(super) fn postback(kept: Kept) -> NewPostback {
    let Kept { at, number, source, method, target, remote_ip, body } = kept;
    NewPostback {
        source,
        received_at: TimestampMs(at),
        method,
        target,
        body_counts: body.is_some(),
        body,
        headers: None,
        body_left_out: None,
        remote_ip,
        request_id: format!("{number:016x}"),
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
                calls.unmapped.note(&without_values(reason), || masked(processor, postback));
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
fn masked(processor: &Processor, postback: &WaitingPostback) -> String {
    let source = processor.sources.get(&postback.source);
    source.map_or_else(String::new, |source| source.params.definition().masked(&postback.target))
}
