//! A postback for a reward that is known: a repeat, a conflict, a reversal, or a case for a person.

use super::conflict;
use super::reward::Because;
use super::{ACTOR_NETWORK, ACTOR_RULES, Details, Incoming, Outcome, REVERSED_BEFORE, RewardChange};
use chrono_tz::Tz;

use crate::ledger::Amounts;
use crate::postback::event::Event;
use crate::review::reversal::{
    Ending, Extent, KnownCase, MAX_OPEN_CASES, REAPPROVED, Said, Situation, extent,
};
use crate::reward::Step;
use crate::time::TimestampMs;

/// The result of a postback for a known reward.
pub(super) struct Again {
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
    /// The case that it raises.
    pub(super) raises: Option<Situation>,
}

impl Again {
    fn processed(reason: Option<String>) -> Self {
        Self { outcome: Outcome::Processed, reason, raises: None }
    }

    fn repeat(change: &mut RewardChange, reason: Option<String>) -> Self {
        change.reward.repeats += 1;
        Self { outcome: Outcome::Repeat, reason, raises: None }
    }
}

/// User and amounts as the postback names them; zero counts as not named.
pub(super) fn said(event: &Event) -> Said {
    let named = |amount: Option<crate::money::Micros>| amount.filter(|amount| amount.0 > 0);
    Said { user_id: event.user_id.clone(), reward: named(event.reward), payout: named(event.payout) }
}

impl RewardChange {
    /// A credit for a key that is known.
    pub(super) fn credit_again(
        &mut self,
        incoming: Incoming,
        cases: &[KnownCase],
        zone: Tz,
        now: TimestampMs,
    ) -> Again {
        if !self.reward.credit_seen {
            return self.credit_at_last(incoming, cases, zone, now);
        }
        let differences = conflict::differences(&self.reward, &incoming.event);
        if !differences.is_empty() {
            self.reward.conflict = true;
            return Again::processed(Some(conflict::sentence(&differences)));
        }
        let horizon_ms = incoming.source.retry_horizon_ms;
        let is_no_retry = |at: TimestampMs| incoming.received_at.0.saturating_sub(at.0) > horizon_ms;
        match self.reward.reversed_at.filter(|at| is_no_retry(*at)) {
            Some(at) => {
                self.reapprove(
                    &format!("The network approves again what it took back on {}.", at.rfc3339()),
                    incoming.postback_id,
                    now,
                );
                Again::processed(None)
            }
            None => Again::repeat(self, None),
        }
    }

    /// The credit of a reward of which only the reversal was known. The reversal waited and wins, unless it does not
    /// match this credit; then a person decides.
    fn credit_at_last(
        &mut self,
        incoming: Incoming,
        cases: &[KnownCase],
        zone: Tz,
        now: TimestampMs,
    ) -> Again {
        let event = &incoming.event;
        let reversal = Said {
            user_id: self.reward.user_id.clone(),
            reward: self.reward.reward,
            payout: self.reward.payout,
        };
        let differences = conflict::differences(&self.reward, event);
        self.reward.user_id.clone_from(&event.user_id);
        self.reward.reward = event.reward;
        self.reward.payout = event.payout;
        self.reward.offer_id.clone_from(&event.offer_id);
        self.reward.event_id.clone_from(&event.event_id);
        self.reward.credit_seen = true;
        self.reward.conflict |= !differences.is_empty();
        self.closes.push(Ending::CreditCame);
        let was_decided = cases.iter().any(|case| case.ending.is_some_and(Ending::is_decision));
        let mut raises = None;
        let doubt = if reversal.user_id != event.user_id {
            raises = Some(Situation::OtherUser);
            Some(format!("The reversal that came first names the user {}.", reversal.user_id))
        } else if let Extent::Part(part) = extent(reversal.reward, reversal.payout, self.reward.whole()) {
            raises = Some(Situation::Part);
            Some(format!("The reversal that came first takes back only {}.", self.in_words(part)))
        } else if was_decided {
            Some("The reversal that came first was decided on by a person before this credit came.".into())
        } else {
            None
        };
        // The completion is the first receipt, also when both came in one batch.
        let received_at = self.details.as_ref().map_or(incoming.received_at, |details| details.received_at);
        self.details = Some(Details::new(incoming.event, received_at, zone));
        match doubt {
            Some(note) => {
                self.reversal_said = Some(reversal);
                self.reapprove(&note, incoming.postback_id, now);
                Again { outcome: Outcome::Processed, reason: None, raises }
            }
            None => Again::processed(Some(REVERSED_BEFORE.into())),
        }
    }

    /// Holds a reward that was reversed, for a person.
    fn reapprove(&mut self, note: &str, postback_id: i64, now: TimestampMs) {
        let because = Because {
            actor: ACTOR_RULES,
            note: Some(format!("{REAPPROVED}: {note}")),
            postback_id: Some(postback_id),
            now,
        };
        let taken = self.reward.take(Step::Reapprove, because);
        self.steps.push(taken);
    }

    /// A reversal for a key that is known.
    pub(super) fn reverse(&mut self, incoming: &Incoming, cases: &[KnownCase], now: TimestampMs) -> Again {
        let differences = conflict::differences(&self.reward, &incoming.event);
        let said = said(&incoming.event);
        let Some(step) = Step::reversal_of(Some(self.reward.status)) else {
            self.reward.conflict |= !differences.is_empty();
            let reason = (!differences.is_empty()).then(|| conflict::sentence(&differences));
            return Again::repeat(self, reason);
        };
        // Without a person, neither another user's reward is taken back nor the whole of it where a part is named.
        let situation = match extent(said.reward, said.payout, self.reward.left()) {
            _ if self.reward.user_id != incoming.event.user_id => Situation::OtherUser,
            Extent::Part(_) => Situation::Part,
            Extent::All => {
                self.reward.conflict |= !differences.is_empty();
                let reason = (!differences.is_empty()).then(|| conflict::sentence(&differences));
                let because = Because {
                    actor: ACTOR_NETWORK,
                    note: None,
                    postback_id: Some(incoming.postback_id),
                    now,
                };
                let taken = self.reward.take(step, because);
                self.steps.push(taken);
                self.closes.push(Ending::Reversed);
                return Again::processed(reason);
            }
        };
        self.raise(situation, &said, incoming, cases)
    }

    fn raise(
        &mut self,
        situation: Situation,
        said: &Said,
        incoming: &Incoming,
        cases: &[KnownCase],
    ) -> Again {
        let horizon_ms = incoming.source.retry_horizon_ms;
        let is_same = |case: &&KnownCase| {
            let is_recent = incoming.received_at.0.saturating_sub(case.raised_at.0) <= horizon_ms;
            case.situation == situation && case.said == *said && (case.ending.is_none() || is_recent)
        };
        if cases.iter().any(|case| is_same(&case)) {
            return Again::repeat(self, None);
        }
        self.reward.conflict = true;
        let open = cases.iter().filter(|case| case.ending.is_none()).count();
        let what = match (situation, extent(said.reward, said.payout, self.reward.left())) {
            (Situation::Part, Extent::Part(part)) => {
                format!("the reversal takes back only {}", self.in_words(part))
            }
            _ => conflict::sentence(&conflict::differences(&self.reward, &incoming.event)),
        };
        let (raises, follows) = if open < MAX_OPEN_CASES {
            (Some(situation), "a person decides")
        } else {
            (None, "this reward has too many open cases already, so it is only noted")
        };
        Again { outcome: Outcome::Processed, reason: Some(format!("{what}; {follows}")), raises }
    }

    fn in_words(&self, part: Amounts) -> String {
        let left = self.reward.left();
        format!(
            "{} of {} {} (${} of ${})",
            part.reward, left.reward, self.reward.currency, part.payout, left.payout
        )
    }
}
