//! People who decide and change their minds, and processes that listen or do not.

use domain::review::decision::Review;
use domain::review::reversal::{Resolution, Situation};
use domain::reward::{Status, Step};
use domain::time::TimestampMs;
use rand::RngExt as _;
use store::Store;
use store::review::cases::{CaseFilter, Resolve, Resolved};
use store::review::decisions::{Reviewed, Reviewer, Undone};

use super::cohorts::nearest;
use super::happened::{Disposition, date};
use super::scenario::{DAYS, HOUR_MS, Scenario};
use crate::support::database::Home;
use crate::support::processing::grace_only;

/// The longest silence that is not a loss window, in milliseconds.
const NO_WINDOW_MS: i64 = 75_000;

/// A reviewer, and the web processes.
pub(super) struct Desk {
    store: Store,
    /// Decisions that can still be undone.
    decided: Vec<((&'static str, String), Step)>,
    /// How many processes there were, and since when the present one listens.
    processes: i64,
    began: i64,
}

impl Desk {
    pub(super) fn new(home: &Home, from: i64) -> Self {
        // A decision can be undone for as long as the scenario lasts.
        let undoable = domain::delivery::Subscriptions { grace_ms: 2 * DAYS * 24 * HOUR_MS, ..grace_only() };
        Self { store: home.store.clone().notifying(undoable), decided: Vec::new(), processes: 0, began: from }
    }

    /// Notes that the present process listens until `now`.
    pub(super) async fn listen_until(&mut self, scenario: &mut Scenario<'_>, now: i64) {
        self.note(&format!("web {}", self.processes), self.began, now).await;
        scenario.happenings.heard_until = now;
    }

    /// Listens from `before` to `now`: mostly without a gap, sometimes with one, sometimes by another process.
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
        self.listen_until(scenario, now).await;
    }

    async fn note(&self, process: &str, began: i64, seen: i64) {
        let noted = self.store.note_listening(process.into(), TimestampMs(began), TimestampMs(seen)).await;
        noted.expect("it is noted");
    }

    /// Perhaps decides on a hold, or undoes a decision.
    pub(super) async fn decide(&mut self, scenario: &mut Scenario<'_>, now: i64) {
        if scenario.chance.random_bool(0.4) {
            let now = scenario.late(now, 0.2);
            self.review(scenario, now).await;
        }
        if scenario.chance.random_bool(0.2) && !self.decided.is_empty() {
            let now = scenario.late(now, 0.2);
            self.undo(scenario, now).await;
        }
        if scenario.chance.random_bool(0.5) {
            self.resolve(scenario, now).await;
        }
    }

    /// Decides on one of the reversals that wait for a person.
    async fn resolve(&mut self, scenario: &mut Scenario<'_>, now: i64) {
        let open = self.store.cases(&CaseFilter::default(), TimestampMs(now), 100).await.expect("a list");
        if open.is_empty() {
            return;
        }
        let undecided = open
            .iter()
            .filter(|case| case.situation == "part" && matches!(case.status.as_str(), "held" | "rejected"));
        let undecided: Vec<_> = undecided.cloned().collect();
        let rare = scenario.chance.random_bool(0.6) && !undecided.is_empty();
        let case = scenario.one(if rare { &undecided } else { &open });
        let index = usize::try_from(case.id - 1).expect("ids begin with 1");
        let (source, situation) =
            (scenario.happenings.cases[index].source, scenario.happenings.cases[index].situation);
        let credits = scenario.rewards.iter().filter(|((of, _), known)| {
            *of == source && known.has_credit && known.last.is_some() && known.status != Status::Reversed
        });
        let credits: Vec<_> = credits.map(|(name, _)| name.clone()).collect();
        let name = match situation {
            Situation::Orphan if credits.is_empty() => return,
            Situation::Orphan => scenario.one(&credits),
            Situation::OtherUser | Situation::Part => (source, case.tx_id.clone()),
        };
        let known = scenario.rewards[&name].clone();
        let (reward, payout) = known.left;
        // A part of what is left, or of nothing, is none.
        let said = case.said_reward_micros.filter(|said| *said < reward);
        let resolution = match (scenario.chance.random_range(0..4), said) {
            (0, _) => Resolution::Dismiss,
            (1, _) | (_, None) => Resolution::All,
            (_, Some(_)) => Resolution::Part,
        };
        let reward_id = if situation == Situation::Orphan { Some(id(scenario, &name).await) } else { None };
        let reviewer = Reviewer { note: Some("as agreed".into()), ..ann(scenario, now) };
        let resolve = Resolve { case_id: case.id, resolution, reward_id, reviewer };
        let resolved = self.store.resolve_case(resolve).await.expect("it is decided");
        if known.status == Status::Reversed && resolution != Resolution::Dismiss {
            assert!(matches!(resolved, Resolved::NotPossible(_)), "{resolved:?}");
            return;
        }
        assert!(matches!(resolved, Resolved::Done { .. }), "{resolved:?}");
        scenario.happenings.cases[index].ended = Some(now);
        let steps = match known.status {
            Status::Credited => (Step::ReverseCredited, Step::ReverseCreditedPart),
            Status::Held => (Step::ReverseHeld, Step::ReverseHeldPart),
            Status::Rejected | Status::Reversed => (Step::ReverseRejected, Step::ReverseRejectedPart),
        };
        match (resolution, said) {
            (Resolution::All, _) => scenario.take(&name, steps.0, now),
            (Resolution::Part, Some(said)) => {
                let part = nearest(i128::from(payout) * i128::from(said), i128::from(reward));
                scenario.take_some(&name, steps.1, (said, part), now);
            }
            _ => {}
        }
        if situation != Situation::Orphan && resolution != Resolution::Dismiss {
            scenario.postback(case.postback_id).disposition =
                Disposition::Did(if resolution == Resolution::All { steps.0 } else { steps.1 });
        }
    }

    async fn review(&mut self, scenario: &mut Scenario<'_>, now: i64) {
        let open = scenario
            .rewards
            .iter()
            .filter(|(_, known)| matches!(known.status, Status::Held | Status::Rejected));
        let open: Vec<_> = open.map(|(name, known)| (name.clone(), known.status)).collect();
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
        let status = scenario.rewards[&name].status;
        let last = scenario.rewards[&name].last;
        if undone == Undone::Done {
            assert_eq!(status, step.to());
            let back = match step {
                Step::Release => Step::UndoRelease,
                Step::Reject => Step::UndoReject,
                _ => Step::UndoOverturn,
            };
            scenario.take(&name, back, now);
        } else {
            assert_ne!(last, Some(step), "{undone:?}");
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
