//! What was measured when a reward was judged: stored with the verdict instead of sentences. Signals and their sentences
//! are computed from it by the function that decided, so that a verdict can be explained, and proved, for good.
//!
//! The facts of a reward are this document and those columns of the reward that never change once it is judged
//! ([`Reported`]). What is usual is left out of the document, so that most of them stay under 150 bytes.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::baseline::shares::Oddity;
use crate::baseline::{Normal, Times};
use crate::history::History;
use crate::lists::hit::Hit;
use crate::location::{DatabaseBuild, GeoResult, Location, NetworkTrait};
use crate::money::Micros;
use crate::policy::Policy;
use crate::postback::event::{Click, Event, Kind, Note};
use crate::postback::networks::Field;
use crate::postback::networks::coverage::Unsigned;
use crate::rules::{COMMON_MISMATCH_PERMILLE, Facts};
use crate::skew::Clicks;
use crate::time::TimestampMs;
use crate::verdict::{Verdict, decide};

/// The measured facts that no column of the reward holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Evidence {
    /// When the postback of the reward arrived, in documents of before: it is the reward's own time of receipt.
    #[serde(rename = "at", default, skip_serializing_if = "Option::is_none")]
    completed_at: Option<TimestampMs>,
    /// A click time that cannot be read, as sent.
    #[serde(rename = "click", default, skip_serializing_if = "Option::is_none")]
    unusable_click: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    rounded: bool,
    /// True if the network sent no usable address. The reward's own column loses its address after a time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_ip: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unsent: Vec<Field>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<Note>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    /// Absent if it is the same as `country`, or is not known although the country is the registry's; empty if it is not
    /// known otherwise.
    #[serde(rename = "registered", default, skip_serializing_if = "Option::is_none")]
    registered_country: Option<String>,
    #[serde(rename = "represented", default, skip_serializing_if = "Option::is_none")]
    represented_country: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(rename = "org", default, skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    network: Vec<NetworkTrait>,
    /// True in documents of before whose country is the registry's. They name a country of registration as others do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    registry_only: bool,
    /// True if the country comes from registry data alone, which tell nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    registry: bool,
    #[serde(rename = "caller", default, skip_serializing_if = "Option::is_none")]
    caller_listed: Option<bool>,
    /// Absent if no entry of a list matched.
    #[serde(rename = "lists", default, skip_serializing_if = "Vec::is_empty")]
    listed: Vec<Hit>,
    /// Absent if the signature proves everything.
    #[serde(default, skip_serializing_if = "Unsigned::is_nothing")]
    unsigned: Unsigned,
    #[serde(rename = "same", default, skip_serializing_if = "Option::is_none")]
    same_task: Option<i64>,
    /// Absent if the past says nothing unusual.
    #[serde(rename = "past", default, skip_serializing_if = "History::is_usual")]
    history: History,
    /// All and those ahead, if they tell that our own clock is slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clicks: Option<(i64, i64)>,
    /// The figures of the baseline that was used, so that it is not needed to decide once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    normal: Option<Normal>,
    #[serde(rename = "share", default, skip_serializing_if = "Option::is_none")]
    oddity: Option<Oddity>,
    /// Kept only where it weighs: above [`COMMON_MISMATCH_PERMILLE`].
    #[serde(rename = "differs", default, skip_serializing_if = "Option::is_none")]
    mismatch_permille: Option<i64>,
}

/// The columns of a judged reward that rules read.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    /// Name in the settings.
    pub source: &'a str,
    /// As the app knows the user.
    pub user_id: &'a str,
    /// `None` if the network named none; so are those below.
    pub offer_id: Option<&'a str>,
    /// For people, and to tell the class of the offer.
    pub offer_name: Option<&'a str>,
    /// Within the offer.
    pub event_id: Option<&'a str>,
    /// For people, and to tell the class of the offer.
    pub event_name: Option<&'a str>,
    /// As the network sent it.
    pub country_code: Option<&'a str>,
    /// In the user's currency.
    pub reward: Option<Micros>,
    /// In USD.
    pub payout: Option<Micros>,
    /// When its postback arrived: the completion.
    pub received_at: TimestampMs,
    /// `None` if it was missing or cannot be read.
    pub clicked_at: Option<TimestampMs>,
    /// How the address and the reported country agreed.
    pub geo: GeoResult,
}

impl Evidence {
    /// What of `facts` is stored.
    pub fn of(facts: &Facts<'_>) -> Self {
        let (event, location) = (facts.event, facts.location);
        let usual = if location.registry_only { &None } else { &location.country };
        let is_registered_elsewhere = location.registered_country != *usual;
        Self {
            completed_at: None,
            unusable_click: match &event.click {
                Click::Unusable(sent) => Some(sent.clone()),
                Click::At(_) | Click::Missing => None,
            },
            rounded: event.rounded,
            no_ip: event.ip.is_none(),
            unsent: event.unsent.clone(),
            notes: event.notes.clone(),
            country: location.country.clone(),
            registered_country: is_registered_elsewhere
                .then(|| location.registered_country.clone().unwrap_or_default()),
            represented_country: location.represented_country.clone(),
            asn: location.asn,
            organisation: location.organisation.clone(),
            network: location.network.clone(),
            registry_only: false,
            registry: location.registry_only,
            caller_listed: facts.caller_listed,
            listed: facts.listed.to_vec(),
            unsigned: facts.unsigned.clone(),
            same_task: facts.same_task,
            history: facts.history.clone(),
            clicks: facts.clicks.blame_our_clock().then_some((facts.clicks.all, facts.clicks.ahead)),
            normal: facts.normal.cloned(),
            oddity: facts.oddity,
            mismatch_permille: facts.mismatch_permille.filter(|share| *share > COMMON_MISMATCH_PERMILLE),
        }
    }

    /// The times that were normal for the offer; `None` if that was not known.
    pub fn times(&self) -> Option<Times> {
        self.normal.as_ref()?.times
    }

    /// As it is stored.
    pub fn document(&self) -> String {
        // Plain data with text keys: writing it as JSON cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Evidence::document`] wrote.
    pub fn parse(document: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(document)
    }

    /// What the geo databases said of the address; `databases` are kept apart, because they are the same for many.
    pub fn location(&self, databases: Vec<DatabaseBuild>) -> Location {
        Location {
            country: self.country.clone(),
            registered_country: match &self.registered_country {
                None if self.registry => None,
                None => self.country.clone(),
                Some(registered) => Some(registered.clone()).filter(|registered| !registered.is_empty()),
            },
            represented_country: self.represented_country.clone(),
            asn: self.asn,
            organisation: self.organisation.clone(),
            network: self.network.clone(),
            databases,
            registry_only: self.registry_only || self.registry,
        }
    }

    /// Decides once more from the same facts, at the time at which it was decided.
    pub fn decide(&self, reported: &Reported<'_>, policy: &Policy, decided_at: TimestampMs) -> Verdict {
        let (event, location) = (self.event(reported), self.location(Vec::new()));
        let facts = Facts {
            source: reported.source,
            event: &event,
            completed_at: self.completed_at.unwrap_or(reported.received_at),
            location: &location,
            geo: reported.geo,
            caller_listed: self.caller_listed,
            listed: &self.listed,
            unsigned: &self.unsigned,
            same_task: self.same_task,
            history: &self.history,
            clicks: self.clicks.map_or_else(Clicks::default, |(all, ahead)| Clicks { all, ahead }),
            normal: self.normal.as_ref(),
            oddity: self.oddity,
            mismatch_permille: self.mismatch_permille,
        };
        decide(&facts, policy, decided_at)
    }

    /// The event as far as rules read it.
    fn event(&self, reported: &Reported<'_>) -> Event {
        Event {
            kind: Kind::Credit,
            user_id: reported.user_id.to_owned(),
            tx_id: String::new(),
            credit_tx: None,
            reward: reported.reward,
            payout: reported.payout,
            rounded: self.rounded,
            offer_id: reported.offer_id.map(str::to_owned),
            offer_name: reported.offer_name.map(str::to_owned),
            event_id: reported.event_id.map(str::to_owned),
            event_name: reported.event_name.map(str::to_owned),
            // Rules ask only whether there is one.
            ip: (!self.no_ip).then(String::new),
            other_ips: Vec::new(),
            country_code: reported.country_code.map(str::to_owned),
            click: match (&self.unusable_click, reported.clicked_at) {
                (Some(sent), _) => Click::Unusable(sent.clone()),
                (None, Some(at)) => Click::At(at),
                (None, None) => Click::Missing,
            },
            sub1: None,
            sub2: None,
            unsent: self.unsent.clone(),
            notes: self.notes.clone(),
            information: None,
        }
    }
}
