//! What must have become of every event, as far as the answers bind the gateway.
//!
//! Acknowledged binds: exactly one effect. Not acknowledged binds to nothing: the call may have arrived all the same.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use domain::reward::Status;
use domain::time::SECOND_MS;

use super::call::{Act, Call, Event, Outlook, number_of};
use super::mix::Variety;
use super::send::Answer;

/// Below this no offer can be done; a gateway that got the event within it must have seen the speed.
const IMPOSSIBLE_BELOW_MS: i64 = 5 * SECOND_MS;

/// So many unexpected answers are remembered; all are counted.
const KEPT_UNEXPECTED: usize = 20;

/// Every event that was sent, with what was acknowledged of it.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    plan: Option<Arc<str>>,
    fates: HashMap<u64, Fate>,
    unexpected: u64,
    first_unexpected: Vec<Unexpected>,
}

/// An answer that no healthy gateway gives.
#[derive(Clone, Debug)]
pub(super) struct Unexpected {
    pub(super) tx_id: String,
    pub(super) act: Act,
    pub(super) status: u16,
    pub(super) text: String,
}

/// One event, and what was sent and acknowledged of it.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub(super) event: Arc<Event>,
    pub(super) credits: Sendings,
    pub(super) reversals: Sendings,
    pub(super) broken: Sendings,
}

/// Calls that say the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sendings {
    pub(super) attempted: u32,
    pub(super) acknowledged: u32,
    pub(super) first_sent_at_ms: Option<i64>,
    first_acknowledged_at_ms: Option<i64>,
}

/// Where a reward may stand; `None` is no reward at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowed(pub(super) Vec<Option<Status>>);

impl Expected {
    /// Takes note of a call. The events must be of one plan.
    pub fn observe(&mut self, call: &Call, answer: &Answer) {
        let event = &call.event;
        self.plan.get_or_insert_with(|| Arc::clone(&event.plan));
        let fate = self.fates.entry(event.number).or_insert_with(|| Fate::new(event));
        match call.act {
            Act::Credit | Act::Again => fate.credits.add(answer),
            Act::Reversal { .. } => fate.reversals.add(answer),
            Act::Broken(_) => fate.broken.add(answer),
            Act::Forged(_) => {}
        }
        if let (true, Some(status)) = (call.is_unexpected(answer), answer.status) {
            self.unexpected += 1;
            if self.first_unexpected.len() < KEPT_UNEXPECTED {
                let (tx_id, text) = (event.tx_id(), answer.text.clone());
                self.first_unexpected.push(Unexpected { tx_id, act: call.act, status, text });
            }
        }
    }

    /// How many events were sent.
    pub fn len(&self) -> usize {
        self.fates.len()
    }

    /// True if nothing was sent.
    pub fn is_empty(&self) -> bool {
        self.fates.is_empty()
    }

    /// How many answers were unexpected, and the first of them.
    pub(super) fn unexpected(&self) -> (u64, &[Unexpected]) {
        (self.unexpected, &self.first_unexpected)
    }

    /// Every event in the order of the plan.
    pub(super) fn fates(&self) -> Vec<&Fate> {
        let mut fates: Vec<_> = self.fates.values().collect();
        fates.sort_unstable_by_key(|fate| fate.event.number);
        fates
    }

    /// The number of the event that `tx_id` names, if it was sent.
    pub(super) fn number_of(&self, tx_id: &str) -> Option<u64> {
        let number = number_of(self.plan.as_deref()?, tx_id)?;
        self.fates.contains_key(&number).then_some(number)
    }

    /// Where the reward of `fate` may stand.
    pub(super) fn allowed(&self, fate: &Fate) -> Allowed {
        let (credits, reversals) = (&fate.credits, &fate.reversals);
        if credits.attempted + reversals.attempted == 0 {
            // Forged or broken: no effect whatever the answer.
            return Allowed(vec![None]);
        }
        if reversals.acknowledged > 0 {
            // Before or after the credit, seen or unseen: a reversal wins.
            return Allowed(vec![Some(Status::Reversed)]);
        }
        let outlook = self.outlook(fate);
        let mut allowed = Vec::new();
        if credits.attempted > 0 {
            allowed.extend(Status::ALL.into_iter().filter(|status| outlook.allows(*status)).map(Some));
        }
        if reversals.attempted > 0 {
            allowed.push(Some(Status::Reversed));
        }
        if credits.acknowledged == 0 {
            allowed.push(None);
        }
        Allowed(allowed)
    }

    /// What the plan expects, unless the course of the run took the certainty away.
    fn outlook(&self, fate: &Fate) -> Outlook {
        let (event, credits) = (&fate.event, &fate.credits);
        let is_certain = match event.variety {
            // Sent in time, but perhaps arrived too late to be impossible.
            Variety::ImpossibleSpeed => {
                let arrived_by_ms = credits.first_acknowledged_at_ms;
                let clicked_at_ms = event.clicked_at_ms();
                arrived_by_ms.zip(clicked_at_ms).is_some_and(|(by, click)| by - click < IMPOSSIBLE_BELOW_MS)
            }
            // Whichever arrives first is credited.
            Variety::Duplicate => self.is_order_certain(fate),
            _ => true,
        };
        if is_certain { event.outlook } else { Outlook::Judged }
    }

    /// True if the first of two events of one task was acknowledged before the second was sent.
    fn is_order_certain(&self, fate: &Fate) -> bool {
        let (number, credits) = (fate.event.number, &fate.credits);
        if let Some(first) = fate.event.same_task_as {
            return self.fates.get(&first).is_some_and(|first| first.credits.arrived_before(credits));
        }
        let second = self.fates.get(&(number + 1)).filter(|second| second.event.same_task_as == Some(number));
        second.is_none_or(|second| credits.arrived_before(&second.credits))
    }
}

impl Fate {
    fn new(event: &Arc<Event>) -> Self {
        let none = Sendings::default();
        Self { event: Arc::clone(event), credits: none, reversals: none, broken: none }
    }

    /// How many repeats the reward may have counted: what was acknowledged beyond the first at least, what was sent
    /// beyond the first at most.
    pub(super) fn repeats(&self) -> RangeInclusive<i64> {
        let beyond_first = |count: fn(&Sendings) -> u32| {
            let sum = count(&self.credits).saturating_sub(1) + count(&self.reversals).saturating_sub(1);
            i64::from(sum)
        };
        beyond_first(|sendings| sendings.acknowledged)..=beyond_first(|sendings| sendings.attempted)
    }
}

impl Sendings {
    fn add(&mut self, answer: &Answer) {
        let earliest = |known: Option<i64>, at_ms| Some(known.map_or(at_ms, |known: i64| known.min(at_ms)));
        self.attempted += 1;
        self.first_sent_at_ms = earliest(self.first_sent_at_ms, answer.sent_at_ms);
        if answer.acknowledged {
            self.acknowledged += 1;
            self.first_acknowledged_at_ms = earliest(self.first_acknowledged_at_ms, answer.answered_at_ms);
        }
    }

    /// True if these were acknowledged before any of `others` was sent.
    fn arrived_before(&self, others: &Self) -> bool {
        let answered = self.first_acknowledged_at_ms;
        answered.is_some_and(|answered| others.first_sent_at_ms.is_none_or(|sent| answered < sent))
    }
}

impl Allowed {
    /// True if a reward may stand at `status`; `None`: if there may be none.
    pub(super) fn contains(&self, status: Option<Status>) -> bool {
        self.0.contains(&status)
    }
}

/// `credited or held`, `no reward`.
impl fmt::Display for Allowed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|status| status.map_or("no reward", Status::name)).collect();
        out.write_str(&names.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::double::{answer, plan};

    /// The first event of a plan of nothing but `mix`, after its calls were answered with `answers`: sent,
    /// answered (ms after the start), status.
    fn allowed(mix: &str, answers: &[(i64, i64, u16)]) -> Vec<String> {
        let mut expected = Expected::default();
        let calls = plan(1, 2, &format!("honest,{mix}=1"));
        for (call, (sent_at_ms, answered_at_ms, status)) in calls.zip(answers) {
            // The first writing fixes the click.
            let _ = call.event.clicked_at_s.get_or_init(|| 0);
            expected.observe(
                &call,
                &Answer { sent_at_ms: *sent_at_ms, answered_at_ms: *answered_at_ms, ..answer(*status) },
            );
        }
        expected.fates().into_iter().map(|fate| expected.allowed(fate).to_string()).collect()
    }

    #[test]
    fn an_acknowledged_event_has_one_effect_others_at_most_one() {
        assert_eq!(allowed("repeat", &[(0, 1, 200), (2, 3, 200)]), ["credited"]);
        assert_eq!(allowed("repeat", &[(0, 1, 503), (2, 3, 200)]), ["credited"]);
        assert_eq!(allowed("repeat", &[(0, 1, 503), (2, 3, 503)]), ["credited or no reward"]);
        assert_eq!(allowed("broken", &[(0, 1, 200)]), ["no reward"]);
    }

    #[test]
    fn an_acknowledged_reversal_wins_and_another_may_have() {
        for mix in ["reversal", "early_reversal"] {
            assert_eq!(allowed(mix, &[(0, 1, 200), (2, 3, 200)]), ["reversed"]);
        }
        assert_eq!(allowed("reversal", &[(0, 1, 503), (2, 3, 200)]), ["reversed"]);
        assert_eq!(allowed("reversal", &[(0, 1, 200), (2, 3, 503)]), ["credited or reversed"]);
        assert_eq!(allowed("early_reversal", &[(0, 1, 503)]), ["reversed or no reward"]);
    }

    #[test]
    fn impossible_speed_is_certain_only_if_it_arrived_in_time() {
        assert_eq!(allowed("impossible_speed", &[(1_000, 4_999, 200)]), ["held"]);
        assert_eq!(allowed("impossible_speed", &[(1_000, 5_000, 200)]), ["credited or held"]);
        assert_eq!(allowed("impossible_speed", &[(1_000, 1_001, 503)]), ["credited or held or no reward"]);
    }

    #[test]
    fn of_a_duplicate_the_second_is_held_if_the_first_was_there_before_it() {
        assert_eq!(allowed("duplicate", &[(0, 5, 200), (6, 7, 200)]), ["credited", "held"]);
        let unknown = ["credited or held", "credited or held"];
        assert_eq!(allowed("duplicate", &[(0, 5, 200), (5, 7, 200)]), unknown);
        let lost = ["credited or held or no reward", "credited or held"];
        assert_eq!(allowed("duplicate", &[(0, 5, 503), (6, 7, 200)]), lost);
    }

    #[test]
    fn repeats_are_at_least_what_was_acknowledged_and_at_most_what_was_sent() {
        let mut expected = Expected::default();
        let calls: Vec<_> = plan(1, 2, "honest,repeat=1").collect();
        for (call, status) in [(0, 503), (1, 200), (1, 503), (1, 200)] {
            expected.observe(&calls[call], &answer(status));
        }
        assert_eq!(expected.fates()[0].repeats(), 1..=3);
    }
}
