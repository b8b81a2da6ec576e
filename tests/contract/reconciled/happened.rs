//! What happened in a scenario, as whoever looks at the reports knows it: the list that the naive computation reads.

use chrono_tz::Tz;
use domain::review::reversal::Situation;
use domain::reward::Step;
use domain::time::{DAY_MS, TimestampMs};

/// From this instant (unix milliseconds) on, a zone is so many minutes ahead of UTC.
type Offsets = &'static [(i64, i64)];

/// A zone, with its offsets written down by hand.
#[derive(Clone, Copy)]
pub(super) struct Zone {
    pub(super) tz: Tz,
    pub(super) offsets: Offsets,
}

pub(super) const UTC: Zone = Zone { tz: Tz::UTC, offsets: &[(0, 0)] };
pub(super) const KOLKATA: Zone = Zone { tz: chrono_tz::Asia::Kolkata, offsets: &[(0, 330)] };
/// Clocks change on 2026-03-08 at 07:00 UTC and on 2026-11-01 at 06:00 UTC.
pub(super) const NEW_YORK: Zone = Zone {
    tz: chrono_tz::America::New_York,
    offsets: &[(0, -300), (1_772_953_200_000, -240), (1_793_512_800_000, -300)],
};

impl Zone {
    /// The number of the local day of an instant.
    pub(super) fn day_of(self, at: i64) -> i64 {
        let (_, minutes) = self.offsets.iter().rev().find(|(from, _)| at >= *from).expect("an offset");
        (at + minutes * 60_000).div_euclid(DAY_MS)
    }

    /// The first instant of a local day: days of these zones begin at a quarter of an hour.
    pub(super) fn starts_at(self, day: i64) -> i64 {
        let quarters = (day - 1) * DAY_MS..(day + 1) * DAY_MS;
        quarters.step_by(15 * 60_000).find(|at| self.day_of(*at) == day).expect("it begins")
    }
}

/// The date of a day by its number.
pub(super) fn date(day: i64) -> String {
    TimestampMs(day * DAY_MS).business_date(Tz::UTC)
}

/// What is known of a reward from the first postback under its key.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) source: &'static str,
    pub(super) currency: &'static str,
    /// The name of the user's account.
    pub(super) user: String,
    pub(super) key: String,
    pub(super) offer: String,
    pub(super) country: String,
    pub(super) sub1: String,
    /// The day of the conversion.
    pub(super) converted: i64,
    /// Of a step: what it moved.
    pub(super) reward: i64,
    pub(super) payout: i64,
}

/// One step as it happened.
#[derive(Clone)]
pub(super) struct Happened {
    pub(super) of: Terms,
    pub(super) step: Step,
    /// The day on which it was booked.
    pub(super) booked: i64,
    /// The day whose report counts it: a later one, if that day was closed by then. `None` if none does: what moved
    /// nothing left no trace of when it came.
    pub(super) counted: Option<i64>,
    /// The policy that was in force.
    pub(super) policy: String,
}

/// What was moved from one account to another without a reward.
pub(super) struct Moved {
    pub(super) counted: i64,
    pub(super) debit: String,
    pub(super) credit: String,
    pub(super) currency: &'static str,
    pub(super) amount: i64,
}

/// The outcome of a postback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    Waiting,
    Did(Step),
    ReversedBefore,
    Repeat,
    Conflict,
    Quarantined,
    Information,
    Refused,
}

/// A postback as it was received.
pub(super) struct Incoming {
    pub(super) source: &'static str,
    pub(super) received: i64,
    pub(super) disposition: Disposition,
}

/// A reversal that a person had to look at.
pub(super) struct Case {
    pub(super) source: &'static str,
    pub(super) key: String,
    pub(super) situation: Situation,
    pub(super) due: i64,
    pub(super) ended: Option<i64>,
    /// The amount at stake, in micros of USD.
    pub(super) stake: i64,
}

/// A closed report.
#[derive(Clone)]
pub(super) struct Closed {
    pub(super) day: i64,
    pub(super) hash: String,
    pub(super) transfers: i64,
}

/// Everything that happened so far.
pub(super) struct Happenings {
    pub(super) zone: Zone,
    pub(super) steps: Vec<Happened>,
    pub(super) moved: Vec<Moved>,
    /// In the order of their ids.
    pub(super) postbacks: Vec<Incoming>,
    pub(super) refused: Vec<Incoming>,
    /// In the order of their ids.
    pub(super) cases: Vec<Case>,
    /// Periods in which no process listened, without gaps too short to count.
    pub(super) silences: Vec<(i64, i64)>,
    /// When a process last noted that it listens.
    pub(super) heard_until: i64,
    pub(super) closed: Option<Closed>,
}

impl Happenings {
    pub(super) fn new(zone: Zone, from: i64) -> Self {
        Self {
            zone,
            steps: Vec::new(),
            moved: Vec::new(),
            postbacks: Vec::new(),
            refused: Vec::new(),
            cases: Vec::new(),
            silences: Vec::new(),
            heard_until: from,
            closed: None,
        }
    }

    /// The day that counts what is booked at an instant from now on.
    pub(super) fn counted(&self, booked: i64) -> i64 {
        let day = self.zone.day_of(booked);
        self.closed.as_ref().map_or(day, |closed| day.max(closed.day + 1))
    }

    /// Notes a step that is taken now.
    pub(super) fn step(&mut self, of: Terms, step: Step, booked: i64, policy: &str) {
        let (day, counted) = (self.zone.day_of(booked), self.counted(booked));
        let counted = (counted == day || moves(&of, step).next().is_some()).then_some(counted);
        self.steps.push(Happened { of, step, booked: day, counted, policy: policy.to_owned() });
    }

    /// Every transfer, with the day that counts it.
    pub(super) fn transfers(&self) -> Vec<Moved> {
        let of_step = |it: &Happened| {
            let counted = it.counted.unwrap_or(it.booked);
            moves(&it.of, it.step).map(move |moved| Moved { counted, ..moved }).collect::<Vec<_>>()
        };
        let other =
            self.moved.iter().map(|it| Moved { debit: it.debit.clone(), credit: it.credit.clone(), ..*it });
        self.steps.iter().flat_map(of_step).chain(other).collect()
    }
}

/// What a step moves.
fn moves(of: &Terms, step: Step) -> impl Iterator<Item = Moved> {
    let [granted, held, network, earned] =
        ["granted", "held", "network", "earned"].map(|kind| format!("{kind}:{}", of.source));
    let user = of.user.clone();
    let reward = match step {
        Step::Credit | Step::Overturn => Some((granted, user)),
        Step::Hold | Step::Reapprove | Step::UndoReject => Some((granted, held)),
        Step::Release => Some((held, user)),
        Step::Reject | Step::ReverseHeld | Step::ReverseHeldPart => Some((held, granted)),
        Step::ReverseCredited | Step::ReverseCreditedPart | Step::UndoOverturn => Some((user, granted)),
        Step::UndoRelease => Some((user, held)),
        Step::ReverseRejected | Step::ReverseRejectedPart | Step::ReverseUnseen => None,
    };
    let payout = match step {
        Step::Credit | Step::Hold | Step::Reapprove => Some((network, earned)),
        Step::ReverseCredited
        | Step::ReverseHeld
        | Step::ReverseRejected
        | Step::ReverseCreditedPart
        | Step::ReverseHeldPart
        | Step::ReverseRejectedPart => Some((earned, network)),
        _ => None,
    };
    let moved = |accounts: Option<(String, String)>, currency, amount| {
        let (debit, credit) = accounts?;
        (amount > 0).then_some(Moved { counted: 0, debit, credit, currency, amount })
    };
    [moved(reward, of.currency, of.reward), moved(payout, "USD", of.payout)].into_iter().flatten()
}
