//! One record, in any supported schema.
//!
//! One reader for all schemas, by the names of fields: GeoIP2 and GeoLite2 (Country, City, Enterprise, ASN, ISP,
//! Anonymous IP, Connection Type), DB-IP (the same shapes) and flat files (`country_code` and `asn` at the top).
//! A field that is in several schemas has the same meaning in all of them; display names are never read.

use std::fmt;

use domain::location::{Location, NetworkTrait};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::country::country;
use crate::value::{Entries, Lenient, Value};

/// The record of one address in one file.
#[derive(Debug, Default)]
pub(crate) struct Record {
    country: Option<String>,
    registered_country: Option<String>,
    represented_country: Option<String>,
    asn: Option<u32>,
    /// The organisation that owns the autonomous system.
    system: Option<String>,
    /// The organisation that uses the address.
    user: Option<String>,
    network: Vec<NetworkTrait>,
    is_anonymous: bool,
    /// True if a flag names the kind of anonymity.
    anonymity_is_named: bool,
    /// True if it has a country field, whatever its value.
    has_country_field: bool,
}

impl Record {
    /// Fills empty fields of `location`; network traits are appended and may repeat.
    pub(crate) fn complete(self, location: &mut Location) {
        // If files disagree on the system, its number and its name must come from the same file. Number 0 stands for
        // addresses that no system announces, often with a phrase instead of a name.
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

    /// True if it has a country field, even without a known code.
    pub(crate) fn carries_a_country(&self) -> bool {
        self.has_country_field
    }

    /// True if it has a known country.
    pub(crate) fn names_a_country(&self) -> bool {
        self.country.is_some() || self.registered_country.is_some()
    }

    /// True if it has an autonomous system.
    pub(crate) fn names_a_system(&self) -> bool {
        self.asn.is_some()
    }

    /// Reads every entry of `map`; `nested`: the map is inside the record.
    fn read<'de, M: MapAccess<'de>>(&mut self, mut map: M, nested: bool) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "traits" | "anonymizer" if !nested => {
                    map.next_value_seed(Lenient(Nested(self)))?;
                }
                // Flat files with both have a display name in `country`.
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

/// Keeps the first known value.
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

/// The trait for a type of user or connection; others (`residential`, `Cable/DSL`, …) have none.
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

/// Reads a whole record, which must be a map: anything else is an unknown schema and an error.
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

/// Reads a map inside a record as if its entries were in the record.
struct Nested<'r>(&'r mut Record);

impl<'de> Entries<'de> for Nested<'_> {
    fn read<M: MapAccess<'de>>(self, map: M) -> Result<Value<'de>, M::Error> {
        self.0.read(map, true)?;
        Ok(Value::Nothing)
    }
}
