//! Deliveries: what the app is notified of, in which order, and when to retry.
//!
//! A delivery is enqueued in the transaction of its cause. It is identified by its reward and the number of the step
//! that caused it, so it stays the same delivery however often it is sent.
//!
//! **Order.** Deliveries of one user are sent in the order of their causes, one at a time: a later one waits
//! ([`Status::Blocked`]) for an earlier one that is not done. One that has *failed* waits for a person and lets the
//! others pass, because it could wait for ever; only deliveries of the same reward stay blocked by it, so a reversal
//! never overtakes its credit.
//!
//! | module | what it answers |
//! |---|---|
//! | here | which events there are, and what a step sends or cancels |
//! | [`answer`] | what an app's answer means |
//! | [`schedule`] | what to do after an attempt: done, retry, give up |
//! | [`gone`] | when an app that answers 410 is disabled |
//! | [`breaker`], [`pace`] | whether an app that is down is called, and how many calls a second |
//! | [`address`] | whether an address may be called |
//! | [`template`] | the app's URL with its macros |
//! | [`message`], [`sign`] | the call itself: values, signature, headers, body |

pub mod address;
pub mod answer;
pub mod breaker;
pub mod gone;
pub mod message;
pub mod pace;
pub mod schedule;
pub mod sign;
pub mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::reward::Step;
use crate::time::TimestampMs;

/// An event that an app is notified of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// The user has the reward.
    Credited,
    /// The network took it back. Only sent if the credit was.
    Reversed,
    /// It waits for a person. Only sent if the app subscribes to it.
    Held,
    /// It will not be credited. Only sent if the app subscribes to it.
    Rejected,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 4] = [Self::Credited, Self::Reversed, Self::Held, Self::Rejected];

    /// The name in settings, tables and calls.
    pub fn name(self) -> &'static str {
        match self {
            Self::Credited => "credited",
            Self::Reversed => "reversed",
            Self::Held => "held",
            Self::Rejected => "rejected",
        }
    }

    /// The event of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// The value of `{status}`: the network's own numbers, and two more for what networks do not report.
    pub fn status_number(self) -> u8 {
        match self {
            Self::Credited => 1,
            Self::Reversed => 2,
            Self::Held => 3,
            Self::Rejected => 4,
        }
    }
}

/// Why, in a word that reveals nothing about the rules: users learn quickly what a rule checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The user did what the offer asked for.
    Completed,
    /// A person looked at it and agreed.
    Reviewed,
    /// A person is going to look at it.
    UnderReview,
    /// A person looked at it and did not agree.
    NotApproved,
    /// The network took it back.
    TakenBack,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::Completed, Self::Reviewed, Self::UnderReview, Self::NotApproved, Self::TakenBack];

    /// The value of `{reason}`, and the name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Reviewed => "reviewed",
            Self::UnderReview => "under_review",
            Self::NotApproved => "not_approved",
            Self::TakenBack => "taken_back",
        }
    }

    /// The reason of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is due, waits for its time, or is being sent.
    Waiting,
    /// An earlier delivery of the same user comes first. Named `behind` outside the code.
    Blocked,
    /// The app has acknowledged it.
    Delivered,
    /// Every attempt failed: it waits for a person.
    Failed,
    /// A person gave it up, with a reason.
    GivenUp,
    /// It was never sent: its cause was undone first. Named `withdrawn` outside the code.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Blocked, Self::Delivered, Self::Failed, Self::GivenUp, Self::Cancelled];

    /// The name in tables, pages and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Blocked => "behind",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
            Self::Cancelled => "withdrawn",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// The events that an app subscribes to besides credits and reversals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Rewards that wait for a person.
    pub held: bool,
    /// Rewards that will not be credited.
    pub rejected: bool,
}

impl Wanted {
    fn wants(self, event: Event) -> bool {
        match event {
            Event::Credited | Event::Reversed => true,
            Event::Held => self.held,
            Event::Rejected => self.rejected,
        }
    }
}

/// Which app is notified of what, and how long a decision can be undone before its app is notified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// By app. No delivery is enqueued for an app that is not listed.
    pub apps: BTreeMap<String, Wanted>,
    /// The grace of a person's decision, in milliseconds.
    pub grace_ms: i64,
}

/// A delivery that exists already, as far as a later step of the same reward needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorDelivery {
    /// Row id in `deliveries`.
    pub id: i64,
    /// The step that caused it.
    pub seq: i64,
    /// What it reports to the app.
    pub event: Event,
    /// As last saved.
    pub status: Status,
    /// How often it was leased for sending; 0 if never.
    pub lease_count: i64,
}

impl PriorDelivery {
    /// True if it was never sent but still would be.
    pub fn never_left(&self) -> bool {
        self.lease_count == 0 && matches!(self.status, Status::Waiting | Status::Blocked)
    }
}

/// A delivery to enqueue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// The step that causes it.
    pub seq: i64,
    /// What it reports to the app.
    pub event: Event,
    /// The value of `{reason}`.
    pub reason: Reason,
    /// It is not sent before this time.
    pub due_at: TimestampMs,
    /// True if it is stored for the record only, because credit and reversal cancel out.
    pub cancelled: bool,
}

/// What steps of one reward mean for its deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Row ids of existing deliveries to cancel.
    pub cancel: Vec<i64>,
    /// Deliveries to enqueue, in order.
    pub new_deliveries: Vec<NewDelivery>,
}

/// The event of a step, whether or not the app subscribes to it.
fn notification(step: Step) -> Option<(Event, Reason)> {
    match step {
        Step::Credit => Some((Event::Credited, Reason::Completed)),
        Step::Release | Step::Overturn => Some((Event::Credited, Reason::Reviewed)),
        Step::Hold | Step::Reapprove => Some((Event::Held, Reason::UnderReview)),
        Step::Reject => Some((Event::Rejected, Reason::NotApproved)),
        Step::ReverseCredited | Step::ReverseCreditedPart => Some((Event::Reversed, Reason::TakenBack)),
        // An app that was notified of the hold learns how it ended.
        Step::ReverseHeld => Some((Event::Rejected, Reason::TakenBack)),
        // The app knows nothing that this would change; the delivery of an undone step is cancelled.
        Step::ReverseUnseen
        | Step::ReverseRejected
        | Step::ReverseHeldPart
        | Step::ReverseRejectedPart
        | Step::UndoRelease
        | Step::UndoReject
        | Step::UndoOverturn => None,
    }
}

/// The deliveries of `steps` (number and step, in order) of one reward, given those that it has already.
pub fn plan(
    known: &[PriorDelivery],
    steps: &[(i64, Step)],
    wanted: Wanted,
    grace_ms: i64,
    now: TimestampMs,
) -> Plan {
    let mut plan = Plan::default();
    for &(seq, step) in steps {
        if step.undoes().is_some() {
            let undone = known.iter().filter(|delivery| delivery.seq == seq - 1 && delivery.never_left());
            plan.cancel.extend(undone.map(|delivery| delivery.id));
        }
        let Some((event, reason)) = notification(step).filter(|(event, _)| wanted.wants(*event)) else {
            continue;
        };
        let due_at = TimestampMs(now.0 + if step.is_decision() { grace_ms.max(0) } else { 0 });
        let new_delivery = NewDelivery { seq, event, reason, due_at, cancelled: false };
        if step.is_part() {
            plan.reverse_part(known, new_delivery);
        } else if event == Event::Reversed {
            plan.reverse(known, new_delivery);
        } else {
            plan.new_deliveries.push(new_delivery);
        }
    }
    plan
}

impl Plan {
    /// A partial reversal: sent after its credit, or not at all without one. Also if the credit has not been sent
    /// yet, because the rest of it still stands.
    fn reverse_part(&mut self, known: &[PriorDelivery], reversal: NewDelivery) {
        let has_credit = self
            .new_deliveries
            .iter()
            .any(|new_delivery| new_delivery.event == Event::Credited && !new_delivery.cancelled)
            || known
                .iter()
                .any(|delivery| delivery.event == Event::Credited && delivery.status != Status::Cancelled);
        if has_credit {
            self.new_deliveries.push(reversal);
        }
    }

    /// A reversal: sent after a credit that may have been sent, cancelled with one that never was, omitted without one.
    fn reverse(&mut self, known: &[PriorDelivery], reversal: NewDelivery) {
        let new_credit = self
            .new_deliveries
            .iter_mut()
            .rev()
            .find(|new_delivery| new_delivery.event == Event::Credited && !new_delivery.cancelled);
        if let Some(credit) = new_credit {
            credit.cancelled = true;
            // A partial reversal of it has nothing to reverse any more.
            let seq = credit.seq;
            for part in self.new_deliveries.iter_mut().filter(|new_delivery| new_delivery.seq > seq) {
                part.cancelled |= part.event == Event::Reversed;
            }
            self.new_deliveries.push(NewDelivery { cancelled: true, ..reversal });
            return;
        }
        let known_credit = known
            .iter()
            .rev()
            .find(|delivery| delivery.event == Event::Credited && delivery.status != Status::Cancelled);
        let Some(credit) = known_credit else { return };
        if credit.never_left() {
            self.cancel.push(credit.id);
            // Its partial reversals go with it.
            let parts = known
                .iter()
                .filter(|part| part.seq > credit.seq && part.event == Event::Reversed && part.never_left());
            self.cancel.extend(parts.map(|part| part.id));
            for part in &mut self.new_deliveries {
                part.cancelled |= part.event == Event::Reversed && part.seq > credit.seq;
            }
        }
        // A credit that was given up before it was ever sent leaves nothing to reverse.
        self.new_deliveries.push(NewDelivery { cancelled: credit.lease_count == 0, ..reversal });
    }
}
