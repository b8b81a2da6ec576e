//! An entry that matched, as a verdict keeps it: enough for its sentence, for as long as the verdict is kept.

use std::net::IpAddr;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::entry::Key;
use super::{Effect, Kind};
use crate::caller::parse_network;
use crate::location::shortened;
use crate::time::TimestampMs;

/// An entry that matched. Its JSON is part of the stored facts: names are short, and never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// The entry's row.
    pub id: i64,
    /// What it names.
    #[serde(rename = "k")]
    pub kind: Kind,
    /// What it does.
    #[serde(rename = "e")]
    pub effect: Effect,
    /// What it names, for a person. Of an address its network: facts outlive the term of personal data.
    #[serde(rename = "v")]
    pub value: String,
    /// `None`: until it is removed.
    #[serde(rename = "to", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<TimestampMs>,
    /// The author.
    pub by: String,
    /// The author's reason.
    pub why: String,
}

impl Hit {
    /// How the entry is named in verdicts: `203.0.113.0/24`, `AS64500`, `site-9 of targo`.
    pub(super) fn value_of(key: &Key) -> String {
        match key.kind {
            Kind::User => key.value.clone(),
            Kind::Asn => format!("AS{}", key.value),
            Kind::SubId | Kind::Offer => format!("{} of {}", key.value, key.source),
            Kind::Address => parse_network(&key.value).map_or_else(
                || key.value.clone(),
                |listed| {
                    let kept = shortened(listed.addr());
                    let is_narrow = listed.prefix_len() > kept.prefix_len();
                    if is_narrow { kept.to_string() } else { listed.to_string() }
                },
            ),
        }
    }

    /// One sentence: `The address 203.0.113.0/24 is blocked until 2026-12-27 by anna: card testing (entry 7).`
    pub fn sentence(&self) -> String {
        let until = self.until.map(|at| format!(" until {}", at.business_date(Tz::UTC))).unwrap_or_default();
        let why = self.why.trim_end_matches('.');
        format!(
            "The {} {} is {}{until} by {}: {why} (entry {}).",
            self.kind.words(),
            self.value,
            self.effect.participle(),
            self.by,
            self.id
        )
    }
}

/// The addresses of an event that lists look at.
pub fn addresses(first: Option<&str>, others: &[IpAddr]) -> Vec<IpAddr> {
    let first = first.and_then(|address| address.parse::<IpAddr>().ok());
    first.into_iter().chain(others.iter().copied()).map(|address| address.to_canonical()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(kind: Kind, value: &str) -> Hit {
        let key = Key { kind, source: "targo".into(), value: value.into(), app: None };
        Hit {
            id: 7,
            kind,
            effect: Effect::Block,
            value: Hit::value_of(&key),
            until: Some(TimestampMs(1_798_329_600_000)),
            by: "anna".into(),
            why: "card testing.".into(),
        }
    }

    #[test]
    fn a_sentence_names_the_entry_its_end_its_author_and_its_reason() {
        assert_eq!(
            hit(Kind::Address, "203.0.113.0/24").sentence(),
            "The address 203.0.113.0/24 is blocked until 2026-12-27 by anna: card testing (entry 7)."
        );
        let forever = Hit { until: None, effect: Effect::Trust, ..hit(Kind::SubId, "site-9") };
        assert_eq!(
            forever.sentence(),
            "The sub id site-9 of targo is trusted by anna: card testing (entry 7)."
        );
    }

    #[test]
    fn facts_keep_the_network_of_an_address_and_not_the_address() {
        for (listed, kept) in [
            ("203.0.113.7", "203.0.113.0/24"),
            ("203.0.112.0/23", "203.0.112.0/23"),
            ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ] {
            assert_eq!(hit(Kind::Address, listed).value, kept);
        }
    }
}
