//! Whoever is there in a scenario: people who decide and change their minds, processes that listen or do not.

use domain::review::Review;
use domain::reward::{Status, Step};
use domain::time::TimestampMs;
use rand::RngExt as _;
use store::Store;
use store::reviews::{Reviewed, Reviewer, Undone};

use super::happened::date;
use super::scenario::{DAYS, HOUR_MS, Scenario};
use crate::database::Home;
use crate::telling::told;

/// A silence up to here is no window.
const NO_WINDOW_MS: i64 = 75_000;

/// A reviewer, and the web processes.
pub(super) struct Desk {
    store: Store,
    /// What can still be taken back.
    decided: Vec<((&'static str, String), Step)>,
    /// How many processes there were, and since when the present one listens.
    processes: i64,
    began: i64,
}

impl Desk {
    pub(super) fn new(home: &Home, from: i64) -> Self {
        // A decision can be undone for as long as the scenario lasts.
        let undoable = domain::delivery::Subscriptions { grace_ms: 2 * DAYS * 24 * HOUR_MS, ..told() };
        Self { store: home.store.clone().telling(undoable), decided: Vec::new(), processes: 0, began: from }
    }

    /// Somebody listens until `now`.
    pub(super) async fn heard(&mut self, scenario: &mut Scenario<'_>, now: i64) {
        self.note(&format!("web {}", self.processes), self.began, now).await;
        scenario.happenings.heard_until = now;
    }

    /// What is listened to from `before` to `now`: often all of it, sometimes not, sometimes by another process.
    pub(super) async fn listen(&mut self, scenario: &mut Scenario<'_>, before: i64, now: i64) {
        let gone = before + scenario.chance.random_range(1_000..1_000_000);
        let longest = now - gone;
        let short = [1_000, NO_WINDOW_MS, NO_WINDOW_MS + 1, 90_000, longest / 2, longest];
        let silence = scenario.one(&short).min(longest);
        if scenario.chance.random_bool(0.2) {
            // One that was gone again while the other listened on.
            self.note(&format!("brief {before}"), before, before + 1_000).await;
        }
        if scenario.chance.random_bool(0.3) {
            self.note(&format!("web {}", self.processes), self.began, gone).await;
            if scenario.chance.random_bool(0.2) {
                let from = gone - 60_000;
                self.note(&format!("beside {}", self.processes), from, gone + silence).await;
            } else if silence > NO_WINDOW_MS {
                scenario.happenings.silences.push((gone, gone + silence));
            }
            self.processes += 1;
            self.began = gone + silence;
        }
        self.heard(scenario, now).await;
    }

    async fn note(&self, process: &str, began: i64, seen: i64) {
        let noted = self.store.note_listening(process.into(), TimestampMs(began), TimestampMs(seen)).await;
        noted.expect("it is noted");
    }

    /// Perhaps somebody decides on something, or takes a decision back.
    pub(super) async fn decide(&mut self, scenario: &mut Scenario<'_>, now: i64) {
        if scenario.chance.random_bool(0.4) {
            let now = scenario.late(now, 0.2);
            self.review(scenario, now).await;
        }
        if scenario.chance.random_bool(0.2) && !self.decided.is_empty() {
            let now = scenario.late(now, 0.2);
            self.undo(scenario, now).await;
        }
    }

    async fn review(&mut self, scenario: &mut Scenario<'_>, now: i64) {
        let open = scenario
            .rewards
            .iter()
            .filter(|(_, (_, status))| matches!(status, Status::Held | Status::Rejected));
        let open: Vec<_> = open.map(|(name, (_, status))| (name.clone(), *status)).collect();
        if open.is_empty() {
            return;
        }
        let (name, status) = scenario.one(&open);
        let (decision, step) = match (status, scenario.chance.random_bool(0.5)) {
            (Status::Rejected, _) => (Review::Release, Step::Overturn),
            (_, true) => (Review::Release, Step::Release),
            (_, false) => (Review::Reject, Step::Reject),
        };
        let id = id(scenario, &name).await;
        let reviewed = self.store.review(id, decision, ann(scenario, now)).await.expect("it is decided");
        assert_eq!(reviewed, Reviewed::Done);
        scenario.take(&name, step, now);
        // Only the last decision on a reward can be taken back.
        self.decided.retain(|(decided, _)| *decided != name);
        self.decided.push((name, step));
    }

    async fn undo(&mut self, scenario: &mut Scenario<'_>, now: i64) {
        let (name, step) = self.decided.swap_remove(scenario.chance.random_range(0..self.decided.len()));
        let id = id(scenario, &name).await;
        let undone = self.store.undo(id, ann(scenario, now)).await.expect("an answer");
        let status = scenario.rewards[&name].1;
        if undone == Undone::Done {
            assert_eq!(status, step.to());
            let back = match step {
                Step::Release => Step::UndoRelease,
                Step::Reject => Step::UndoReject,
                _ => Step::UndoOverturn,
            };
            scenario.take(&name, back, now);
        } else {
            assert_eq!(status, Status::Reversed, "{undone:?}");
        }
    }
}

async fn id(scenario: &Scenario<'_>, (source, key): &(&'static str, String)) -> i64 {
    let sql = format!("SELECT id FROM rewards WHERE source = '{source}' AND event_key = '{key}'");
    scenario.home.raw().await.number(&sql).await
}

fn ann(scenario: &Scenario<'_>, now: i64) -> Reviewer {
    let business_date = date(scenario.zone.day_of(now));
    Reviewer { actor: "ann".into(), note: None, now: TimestampMs(now), business_date }
}
