//! One reward to be judged, and the verdict on it.

use super::NOW;
use crate::baseline::Normal;
use crate::baseline::shares::Oddity;
use crate::evidence::{Evidence, Reported};
use crate::history::History;
use crate::lists::hit::Hit;
use crate::location::{Location, compare};
use crate::money::Micros;
use crate::policy::Policy;
use crate::postback::event::{Click, Event, Kind};
use crate::postback::networks::coverage::Unsigned;
use crate::rules::Facts;
use crate::skew::Clicks;
use crate::time::TimestampMs;
use crate::verdict::{Verdict, decide};

/// One reward to be judged; starts honest, and each test changes what it is about.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) event: Event,
    pub(super) location: Location,
    pub(super) caller_listed: Option<bool>,
    pub(super) listed: Vec<Hit>,
    pub(super) unsigned: Unsigned,
    pub(super) same_task: Option<i64>,
    pub(super) policy: &'static str,
    pub(super) clicks: Clicks,
    pub(super) history: History,
    pub(super) normal: Option<Normal>,
    pub(super) oddity: Option<Oddity>,
    pub(super) mismatch_permille: Option<i64>,
}

impl Case {
    pub(super) fn honest() -> Self {
        let event = Event {
            kind: Kind::Credit,
            user_id: "u1".into(),
            tx_id: "T1".into(),
            reward: Some(Micros(500_000_000)),
            payout: Some(Micros(1_000_000)),
            rounded: false,
            offer_id: Some("7".into()),
            offer_name: Some("Great Game".into()),
            event_id: Some("9".into()),
            event_name: None,
            ip: Some("8.8.8.8".into()),
            country_code: Some("US".into()),
            click: Click::At(TimestampMs(NOW.0 - 543_000)),
            sub1: None,
            sub2: None,
            other_ips: Vec::new(),
            unsent: Vec::new(),
            notes: Vec::new(),
            credit_tx: None,
            information: None,
        };
        let location = Location { country: Some("US".into()), ..Location::default() };
        Self {
            event,
            location,
            caller_listed: None,
            listed: Vec::new(),
            unsigned: Unsigned::default(),
            same_task: Some(0),
            clicks: Clicks::default(),
            history: History::default(),
            normal: None,
            oddity: None,
            mismatch_permille: None,
            policy: "",
        }
    }

    pub(super) fn took(mut self, ms: i64) -> Self {
        self.event.click = Click::At(TimestampMs(NOW.0 - ms));
        self
    }

    /// From what is stored of `facts` and from the columns of the reward.
    fn decided_again(&self, facts: &Facts<'_>, policy: &Policy) -> Verdict {
        let event = &self.event;
        let reported = Reported {
            source: facts.source,
            user_id: &event.user_id,
            offer_id: event.offer_id.as_deref(),
            offer_name: event.offer_name.as_deref(),
            event_id: event.event_id.as_deref(),
            event_name: event.event_name.as_deref(),
            country_code: event.country_code.as_deref(),
            received_at: facts.completed_at,
            reward: event.reward,
            payout: event.payout,
            clicked_at: match event.click {
                Click::At(at) => Some(at),
                Click::Missing | Click::Unusable(_) => None,
            },
            geo: facts.geo,
        };
        let stored = Evidence::of(facts).document();
        Evidence::parse(&stored).expect("it is read").decide(&reported, policy, NOW)
    }

    pub(super) fn verdict(&self) -> Verdict {
        let geo = compare(self.event.ip.as_deref(), &self.location, self.event.country_code.as_deref());
        let facts = Facts {
            source: "targo",
            event: &self.event,
            completed_at: NOW,
            location: &self.location,
            geo,
            caller_listed: self.caller_listed,
            listed: &self.listed,
            unsigned: &self.unsigned,
            same_task: self.same_task,
            history: &self.history,
            clicks: self.clicks,
            normal: self.normal.as_ref(),
            oddity: self.oddity,
            mismatch_permille: self.mismatch_permille,
        };
        let policy = Policy::parse(self.policy).expect("a valid policy");
        let verdict = decide(&facts, &policy, NOW);
        assert_eq!(self.decided_again(&facts, &policy), verdict, "what is stored explains the verdict");
        verdict
    }
}
