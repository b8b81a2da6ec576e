//! Calls that the network gave up after the last retry.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::text::count;
use sandbox::{Answer, Call, Keep, Kept, SendOptions};

use crate::commands::say;

/// Collects the calls that are given up, and writes them to the file of `--kept`.
pub(super) struct GivenUp<'s> {
    send: &'s SendOptions,
    keep: Option<Keep>,
    seen: Mutex<Seen>,
}

/// The answers so far.
#[derive(Default)]
struct Seen {
    acknowledged: u64,
    /// Calls that wait for a retry, by their number.
    waiting: HashMap<u64, Kept>,
    given_up: u64,
    fault: Option<anyhow::Error>,
}

impl<'s> GivenUp<'s> {
    pub(super) fn new(send: &'s SendOptions, keep: Option<Keep>) -> Self {
        Self { send, keep, seen: Mutex::default() }
    }

    /// True if calls that are given up are kept in a file.
    pub(super) fn is_kept(&self) -> bool {
        self.keep.is_some()
    }

    /// Counts `answer`, the last so far to `call`.
    pub(super) fn observe(&self, call: &Call, answer: &Answer) {
        if !call.is_genuine() {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.waiting.remove(&call.number);
        if answer.is_acknowledged() {
            seen.acknowledged += 1;
            return;
        }
        let kept = match Kept::of(call, answer, &self.send.template, &self.send.signer) {
            Ok(kept) => kept,
            Err(refusal) => {
                seen.fault.get_or_insert(anyhow::anyhow!("a call cannot be signed: {refusal}"));
                return;
            }
        };
        if answer.attempt <= self.send.retries.count {
            seen.waiting.insert(call.number, kept);
        } else {
            seen.given_up += 1;
            self.keep(&mut seen, &kept);
        }
    }

    fn keep(&self, seen: &mut Seen, kept: &Kept) {
        if let Some(keep) = &self.keep
            && let Err(error) = keep.add(kept)
        {
            seen.fault.get_or_insert(error.into());
        }
    }

    /// Prints the totals at every hour of the network's clock; never returns in real time (`None`).
    pub(super) async fn print_hours(&self, hour_ms: Option<u64>) {
        let Some(hour_ms) = hour_ms else { return std::future::pending().await };
        let (began, hour) = (Instant::now(), Duration::from_millis(hour_ms));
        for hours in 1_u32.. {
            tokio::time::sleep((hour * hours).saturating_sub(began.elapsed())).await;
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let Seen { acknowledged, waiting, given_up, .. } = &*seen;
            let waiting = waiting.len();
            say(&format!(
                "hour {hours}: {acknowledged} acknowledged, {waiting} wait for a retry, {given_up} given up"
            ));
        }
    }

    /// Prints how many calls were given up; calls that still waited for a retry when the sandbox was stopped count, too.
    /// False if such waiting calls are lost because there is no file.
    pub(super) fn sum_up(self) -> anyhow::Result<bool> {
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let mut waiting: Vec<_> = std::mem::take(&mut seen.waiting).into_iter().collect();
        waiting.sort_unstable_by_key(|(number, _)| *number);
        for (_, kept) in &waiting {
            self.keep(&mut seen, kept);
        }
        if !waiting.is_empty() {
            let stopped = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
            seen.given_up += stopped;
            say(&format!("{} waited for a retry when the sandbox was stopped", count(stopped, "call")));
        }
        if let Some(fault) = seen.fault {
            return Err(fault.context("--kept: calls that were given up could not be saved"));
        }
        if seen.given_up > 0 {
            let how = match self.keep {
                Some(_) => {
                    "kept: list them with `rewardgate sandbox kept`, send them again with `rewardgate sandbox resend`"
                }
                None => "lost: use --kept FILE to keep them",
            };
            say(&format!("{} given up, {how}", count(seen.given_up, "call")));
        }
        Ok(waiting.is_empty() || self.keep.is_some())
    }
}
