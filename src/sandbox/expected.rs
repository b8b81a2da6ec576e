//! The effect that every event must have had, as far as the answers of the gateway tell.
//!
//! An acknowledged event must have exactly one effect. One that was not acknowledged may have one: the call may have
//! arrived.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use domain::reward::Status;
use domain::time::SECOND_MS;

use super::answer::Answer;
use super::call::{Act, Call, Event, Outlook, number_of};
use super::mix::Variety;

/// No offer can be completed in less time; a gateway that received the event within it must have noticed the speed.
const IMPOSSIBLE_BELOW_MS: i64 = 5 * SECOND_MS;

/// Unexpected answers that are kept; all are counted.
const KEPT_UNEXPECTED: usize = 20;

/// Every event that was sent, and which of its calls were acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    plan: Option<Arc<str>>,
    dispositions: HashMap<u64, Disposition>,
    /// Event numbers by the key of the reward.
    keys: HashMap<String, u64>,
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

/// One event, and how many of its calls were sent and acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Disposition {
    pub(super) event: Arc<Event>,
    pub(super) credits: Sendings,
    pub(super) reversals: Sendings,
    pub(super) broken: Sendings,
}

/// Counts of calls with the same content.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sendings {
    pub(super) attempted: u32,
    pub(super) acknowledged: u32,
    pub(super) first_sent_at_ms: Option<i64>,
    first_acknowledged_at_ms: Option<i64>,
}

/// The statuses that a reward may have; `None` is no reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowed(pub(super) Vec<Option<Status>>);

impl Expected {
    /// Records the answer to a call. All events must be of one plan.
    pub fn observe(&mut self, call: &Call, answer: &Answer) {
        let event = &call.event;
        self.plan.get_or_insert_with(|| Arc::clone(&event.plan));
        if !self.dispositions.contains_key(&event.number) {
            self.keys.insert(event.key.clone(), event.number);
        }
        let disposition = self.dispositions.entry(event.number).or_insert_with(|| Disposition::new(event));
        match call.act {
            Act::Credit | Act::Again => disposition.credits.add(answer),
            Act::Reversal { .. } => disposition.reversals.add(answer),
            Act::Broken(_) => disposition.broken.add(answer),
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
        self.dispositions.len()
    }

    /// True if nothing was sent.
    pub fn is_empty(&self) -> bool {
        self.dispositions.is_empty()
    }

    /// How many answers were unexpected, and the first of them.
    pub(super) fn unexpected(&self) -> (u64, &[Unexpected]) {
        (self.unexpected, &self.first_unexpected)
    }

    /// Every event in the order of the plan.
    pub(super) fn dispositions(&self) -> Vec<&Disposition> {
        let mut dispositions: Vec<_> = self.dispositions.values().collect();
        dispositions.sort_unstable_by_key(|disposition| disposition.event.number);
        dispositions
    }

    /// The number of the event with this transaction ID; `None` if it was not sent.
    pub(super) fn number_of(&self, tx_id: &str) -> Option<u64> {
        let number = number_of(self.plan.as_deref()?, tx_id)?;
        self.dispositions.contains_key(&number).then_some(number)
    }

    /// The number of the event whose reward has this key; `None` if it was not sent.
    pub(super) fn number_of_key(&self, key: &str) -> Option<u64> {
        self.keys.get(key).copied()
    }

    /// The statuses that the reward of this event may have.
    pub(super) fn allowed(&self, disposition: &Disposition) -> Allowed {
        let (credits, reversals) = (&disposition.credits, &disposition.reversals);
        if credits.attempted + reversals.attempted == 0 {
            // Forged or broken: no effect whatever the answer.
            return Allowed(vec![None]);
        }
        if reversals.acknowledged > 0 {
            // A reversal wins, whether it came before or after the credit.
            return Allowed(vec![Some(Status::Reversed)]);
        }
        let outlook = self.outlook(disposition);
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

    /// The outlook of the plan, or [`Outlook::Judged`] if the timing of the run made it uncertain.
    fn outlook(&self, disposition: &Disposition) -> Outlook {
        let (event, credits) = (&disposition.event, &disposition.credits);
        let is_certain = match event.variety {
            // Neither its speed nor its order matters.
            _ if event.is_open => true,
            // It may have arrived too late to look impossible.
            Variety::ImpossibleSpeed => {
                let arrived_by_ms = credits.first_acknowledged_at_ms;
                let clicked_at_ms = event.clicked_at_ms();
                arrived_by_ms.zip(clicked_at_ms).is_some_and(|(by, click)| by - click < IMPOSSIBLE_BELOW_MS)
            }
            // Whichever arrives first is credited.
            Variety::Duplicate => self.is_order_certain(disposition),
            _ => true,
        };
        if is_certain { event.outlook } else { Outlook::Judged }
    }

    /// True if the first of two events of one task was acknowledged before the second was sent, or there is one only.
    fn is_order_certain(&self, disposition: &Disposition) -> bool {
        let (number, credits) = (disposition.event.number, &disposition.credits);
        if let Some(first) = disposition.event.same_task_as {
            return self.dispositions.get(&first).is_some_and(|first| first.credits.arrived_before(credits));
        }
        let second =
            self.dispositions.get(&(number + 1)).filter(|second| second.event.same_task_as == Some(number));
        second.is_none_or(|second| credits.arrived_before(&second.credits))
    }
}

impl Disposition {
    fn new(event: &Arc<Event>) -> Self {
        let none = Sendings::default();
        Self { event: Arc::clone(event), credits: none, reversals: none, broken: none }
    }

    /// Repeats that the reward may have counted: at least the calls acknowledged after the first, at most the calls sent
    /// after the first.
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
        if answer.is_acknowledged() {
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
    /// True if the reward may have `status`; for `None`, if there may be no reward.
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
            // The first call fixes the click time.
            let _ = call.event.clicked_at_s.get_or_init(|| 0);
            expected.observe(
                &call,
                &Answer { sent_at_ms: *sent_at_ms, answered_at_ms: *answered_at_ms, ..answer(*status) },
            );
        }
        expected
            .dispositions()
            .into_iter()
            .map(|disposition| expected.allowed(disposition).to_string())
            .collect()
    }

    #[test]
    fn an_acknowledged_event_has_one_effect_others_may_have_none() {
        assert_eq!(allowed("repeat", &[(0, 1, 200), (2, 3, 200)]), ["credited"]);
        assert_eq!(allowed("repeat", &[(0, 1, 503), (2, 3, 200)]), ["credited"]);
        assert_eq!(allowed("repeat", &[(0, 1, 503), (2, 3, 503)]), ["credited or no reward"]);
        assert_eq!(allowed("broken", &[(0, 1, 200)]), ["no reward"]);
    }

    #[test]
    fn an_acknowledged_reversal_wins_and_another_may_win() {
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
    fn a_duplicate_is_held_if_the_first_event_arrived_before_it() {
        assert_eq!(allowed("duplicate", &[(0, 5, 200), (6, 7, 200)]), ["credited", "held"]);
        let unknown = ["credited or held", "credited or held"];
        assert_eq!(allowed("duplicate", &[(0, 5, 200), (5, 7, 200)]), unknown);
        let lost = ["credited or held or no reward", "credited or held"];
        assert_eq!(allowed("duplicate", &[(0, 5, 503), (6, 7, 200)]), lost);
    }

    #[test]
    fn repeats_lie_between_acknowledged_and_sent_calls() {
        let mut expected = Expected::default();
        let calls: Vec<_> = plan(1, 2, "honest,repeat=1").collect();
        for (call, status) in [(0, 503), (1, 200), (1, 503), (1, 200)] {
            expected.observe(&calls[call], &answer(status));
        }
        assert_eq!(expected.dispositions()[0].repeats(), 1..=3);
    }
}
