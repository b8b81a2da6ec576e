//! What one record says, whichever schema it is written in.
//!
//! One reader for all schemas, by the names of fields: GeoIP2 and GeoLite2 (Country, City, Enterprise, ASN, ISP,
//! Anonymous IP, Connection Type), DB-IP (the same shapes) and flat files (`country_code` and `asn` at the top).
//! Where a field stands in several schemas it means the same in all of them; names for people are never read.

use std::fmt;

use domain::location::{Location, NetworkTrait};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::country::country;
use crate::value::{Entries, Lenient, Value};

/// What a file says of one address.
#[derive(Debug, Default)]
pub(crate) struct Record {
    country: Option<String>,
    registered_country: Option<String>,
    represented_country: Option<String>,
    asn: Option<u32>,
    /// The organisation named as the autonomous system's own.
    system: Option<String>,
    /// The organisation named as the user of the address.
    user: Option<String>,
    network: Vec<NetworkTrait>,
    is_anonymous: bool,
    /// True if a flag says in which way the address is anonymous.
    anonymity_is_named: bool,
    /// True if it has a field for a country, whatever stands in it.
    has_country_field: bool,
}

impl Record {
    /// Adds to `location` what is not known yet; traits of the network are collected, perhaps repeatedly.
    pub(crate) fn complete(self, location: &mut Location) {
        // Files that disagree on the system must not be mixed into one with another's name. Number 0 is written for
        // addresses that no system announces, often with a phrase in place of a name.
        let known = location.asn;
        let same_system = known.is_none() || self.asn.is_none() || self.asn == known;
        if same_system && self.asn != Some(0) {
            fill(&mut location.asn, self.asn);
            fill(&mut location.organisation, self.system.or(self.user));
        }
        fill(&mut location.country, self.country);
        fill(&mut location.registered_country, self.registered_country);
        fill(&mut location.represented_country, self.represented_country);
        location.network.extend(self.network);
        if self.is_anonymous && !self.anonymity_is_named {
            location.network.push(NetworkTrait::Anonymous);
        }
    }

    /// True if records of this kind carry countries: this one has a field for it, even if it holds no known code.
    pub(crate) fn carries_a_country(&self) -> bool {
        self.has_country_field
    }

    /// True if it has a country that exists.
    pub(crate) fn names_a_country(&self) -> bool {
        self.country.is_some() || self.registered_country.is_some()
    }

    /// True if it has an autonomous system.
    pub(crate) fn names_a_system(&self) -> bool {
        self.asn.is_some()
    }

    /// Reads every entry of `map`; `nested` if the map stands inside the record.
    fn read<'de, M: MapAccess<'de>>(&mut self, mut map: M, nested: bool) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "traits" | "anonymizer" if !nested => {
                    map.next_value_seed(Lenient(Nested(self)))?;
                }
                // Flat files with both have a name for people in `country`.
                "country" | "country_code" => {
                    fill(&mut self.country, code(map.next_value()?));
                    self.has_country_field = true;
                }
                "registered_country" => {
                    fill(&mut self.registered_country, code(map.next_value()?));
                    self.has_country_field = true;
                }
                "represented_country" => fill(&mut self.represented_country, code(map.next_value()?)),
                "autonomous_system_number" | "asn" => {
                    fill(&mut self.asn, map.next_value::<Value<'_>>()?.asn());
                }
                "autonomous_system_organization" | "as_organization" | "as_name" => {
                    fill(&mut self.system, words(map.next_value()?));
                }
                "organization" => fill(&mut self.user, words(map.next_value()?)),
                "user_type" | "connection_type" => self.network.extend(kind(map.next_value()?)),
                "is_anonymous" => self.is_anonymous |= map.next_value::<Value<'_>>()?.is_set(),
                "is_anonymous_vpn" => self.name_anonymity(NetworkTrait::Vpn, map.next_value()?),
                "is_hosting_provider" => self.name_anonymity(NetworkTrait::Hosting, map.next_value()?),
                "is_public_proxy" => self.name_anonymity(NetworkTrait::PublicProxy, map.next_value()?),
                "is_residential_proxy" => {
                    self.name_anonymity(NetworkTrait::ResidentialProxy, map.next_value()?);
                }
                "is_tor_exit_node" => self.name_anonymity(NetworkTrait::Tor, map.next_value()?),
                "is_anonymous_proxy" => self.flag(NetworkTrait::Anonymous, map.next_value()?),
                "is_satellite_provider" => self.flag(NetworkTrait::Satellite, map.next_value()?),
                "is_anycast" => self.flag(NetworkTrait::Anycast, map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn flag(&mut self, network: NetworkTrait, value: Value<'_>) {
        if value.is_set() {
            self.network.push(network);
        }
    }

    fn name_anonymity(&mut self, network: NetworkTrait, value: Value<'_>) {
        self.flag(network, value);
        self.anonymity_is_named |= value.is_set();
    }
}

/// The first to know wins.
fn fill<T>(known: &mut Option<T>, found: Option<T>) {
    if known.is_none() {
        *known = found;
    }
}

fn code(value: Value<'_>) -> Option<String> {
    value.text().and_then(country)
}

fn words(value: Value<'_>) -> Option<String> {
    value.text().map(str::to_owned)
}

/// The kinds of user and connection that are traits; the others (`residential`, `Cable/DSL`, …) are no news.
fn kind(value: Value<'_>) -> Option<NetworkTrait> {
    match value.text()?.to_ascii_lowercase().as_str() {
        "hosting" => Some(NetworkTrait::Hosting),
        "cellular" => Some(NetworkTrait::Cellular),
        "satellite" => Some(NetworkTrait::Satellite),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Whole)
    }
}

/// A whole record must be a map: anything else is a schema this module does not know, and worth a fault.
struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Record;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a map of what is known of an address")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Record, M::Error> {
        let mut record = Record::default();
        record.read(map, false)?;
        Ok(record)
    }
}

/// A map inside a record whose entries are facts of the record.
struct Nested<'r>(&'r mut Record);

impl<'de> Entries<'de> for Nested<'_> {
    fn read<M: MapAccess<'de>>(self, map: M) -> Result<Value<'de>, M::Error> {
        self.0.read(map, true)?;
        Ok(Value::Nothing)
    }
}
