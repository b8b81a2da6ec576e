//! What happens in the demo: a line for each event, and totals every ten seconds.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::batch::{BatchOutcome, Outcome, RewardChange};
use domain::postback::networks::Field;
use domain::reward::Step;
use sandbox::{Act, Answer, Call, Forgery};
use tokio_util::sync::CancellationToken;

use crate::commands::{say, say_lines};

/// Pause between two lines of totals.
const TOTALS_EVERY: Duration = Duration::from_secs(10);

/// Counts of what happened so far.
#[derive(Default)]
pub(super) struct Totals {
    acknowledged: AtomicU64,
    refused: AtomicU64,
    credited: AtomicU64,
    held: AtomicU64,
    reversed: AtomicU64,
    repeats: AtomicU64,
    quarantined: AtomicU64,
    users: Mutex<BTreeSet<String>>,
}

impl Totals {
    /// Counts an answer to the network, and prints it if it is a refusal.
    pub(super) fn count(&self, call: &Call, answer: &Answer) {
        if answer.is_acknowledged() {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let why = match call.act {
                Act::Forged(Forgery::WrongHash) => "its hash is wrong".to_owned(),
                Act::Forged(Forgery::MissingHash) => "it has no hash".to_owned(),
                Act::Forged(Forgery::Changed(Field::Reward | Field::Payout)) => {
                    "the amount was changed to ten times as much".to_owned()
                }
                Act::Forged(Forgery::Changed(_)) => "the hash is that of another transaction".to_owned(),
                _ => answer.text.clone(),
            };
            say(&line(
                '✕',
                "refused",
                &answer.status.map(|status| status.to_string()).unwrap_or_default(),
                "",
                &why,
            ));
        }
    }

    /// Counts and prints a batch that the worker saved.
    pub(super) fn count_batch(&self, outcome: &BatchOutcome) {
        for change in &outcome.rewards {
            for taken in &change.steps {
                self.step(change, taken.step, taken.note.as_deref());
            }
        }
        for postback in &outcome.postbacks {
            match postback.outcome {
                Outcome::Processed | Outcome::Information | Outcome::Test => {}
                Outcome::Repeat => {
                    self.repeats.fetch_add(1, Ordering::Relaxed);
                    let tx = postback.reward.and_then(|index| outcome.rewards.get(index));
                    let tx = tx.map_or("", |change| change.reward.key.as_str());
                    say(&line('·', "repeat", "", tx, "already processed: no second effect"));
                }
                Outcome::Quarantined => {
                    self.quarantined.fetch_add(1, Ordering::Relaxed);
                    say(&line('⚠', "quarantined", "", "", postback.reason.as_deref().unwrap_or_default()));
                }
            }
        }
    }

    /// Every user who had a reward.
    pub(super) fn users(&self) -> BTreeSet<String> {
        self.users.lock().map(|users| users.clone()).unwrap_or_default()
    }

    fn step(&self, change: &RewardChange, step: Step, note: Option<&str>) {
        let reward = &change.reward;
        if let Ok(mut users) = self.users.lock() {
            users.insert(reward.user_id.clone());
        }
        let amount = format!("{} {}", reward.reward.unwrap_or_default(), reward.currency);
        let (mark, word, counter, why) = match step {
            Step::Credit | Step::Release | Step::Overturn => {
                let details = change.details.as_ref().map(|details| &details.event);
                let offer = details.and_then(|event| event.offer_name.clone());
                let offer = offer.unwrap_or_else(|| format!("an offer of {}", reward.source));
                ('●', "credited", &self.credited, offer)
            }
            Step::Hold
            | Step::Reapprove
            | Step::Reject
            | Step::UndoRelease
            | Step::UndoReject
            | Step::UndoOverturn => ('◐', "held", &self.held, note.unwrap_or_default().to_owned()),
            Step::ReverseUnseen => (
                '↩',
                "reversed",
                &self.reversed,
                "the reversal came first: the credit will not count".to_owned(),
            ),
            Step::ReverseCredited | Step::ReverseHeld | Step::ReverseRejected => {
                ('↩', "reversed", &self.reversed, "reversed by the network".to_owned())
            }
            Step::ReverseCreditedPart | Step::ReverseHeldPart | Step::ReverseRejectedPart => {
                ('↩', "reversed", &self.reversed, "partly reversed by the network".to_owned())
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        say(&line(mark, word, &amount, &reward.user_id, &why));
    }

    /// Prints the totals every [`TOTALS_EVERY`] until `stop`.
    pub(super) async fn print_regularly(&self, stop: &CancellationToken) {
        let mut every = tokio::time::interval(TOTALS_EVERY);
        every.tick().await;
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = every.tick() => say_lines(&format!("\n{}\n", self.line())),
            }
        }
    }

    /// The totals in one line.
    pub(super) fn line(&self) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "  so far: {} acknowledged · ● {} credited · ◐ {} held · ↩ {} reversed · {} repeats · ⚠ {} quarantined · ✕ {} refused",
            of(&self.acknowledged),
            of(&self.credited),
            of(&self.held),
            of(&self.reversed),
            of(&self.repeats),
            of(&self.quarantined),
            of(&self.refused),
        )
    }
}

/// One event, in columns.
fn line(mark: char, word: &str, amount: &str, whom: &str, why: &str) -> String {
    format!("  {mark} {word:<12}{amount:>16}  {whom:<14}  {why}")
}
