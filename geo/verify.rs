//! Checks that a file is complete and the expected product before it is used.
//!
//! A file that opens may still be damaged in the middle, or be another product under the wrong name. Addresses in the damaged
//! part would then count as "unknown country" unnoticed. So the whole structure is walked and every record is read once. This
//! takes seconds for the largest files, so it must not run on an async thread.

use std::collections::HashSet;
use std::path::Path;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};

use crate::record::Record;

/// Error text for a missing description, which is accepted: some writers leave it out.
const NO_DESCRIPTION: &str = "description - ";
/// Most networks per node of a search tree, with a margin; a tree with a cycle has more.
const NETWORKS_OF_A_NODE: usize = 3;
/// Zeros between the search tree and the records.
const SEPARATOR_LEN: usize = 16;
/// Words in the name or type of a file that identify the product.
const PRODUCTS: [&str; 10] =
    ["city", "country", "enterprise", "asn", "isp", "anonymous", "connection", "domain", "privacy", "static"];

/// The kinds of data in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The type in its metadata.
    pub(crate) kind: String,
    /// True if a record has a known country.
    countries: bool,
    /// True if a record has a country field.
    country_fields: bool,
    /// True if a record has an autonomous system.
    systems: bool,
}

/// Reads a whole file; the error describes the damage.
pub(crate) fn verify(bytes: &[u8]) -> Result<Contents, String> {
    let reader = Reader::from_source(bytes).map_err(|error| error.to_string())?;
    match reader.verify() {
        // The library stops there, so the rest of its checks follow below.
        Err(MaxMindDbError::InvalidDatabase { message, .. }) if message.starts_with(NO_DESCRIPTION) => {
            separator(&reader, bytes)?;
        }
        verified => verified.map_err(|error| error.to_string())?,
    }
    let metadata = reader.metadata();
    let mut contents = Contents { kind: metadata.database_type.clone(), ..Contents::default() };
    let most = usize::try_from(metadata.node_count).unwrap_or(usize::MAX).saturating_mul(NETWORKS_OF_A_NODE);
    let mut read = HashSet::new();
    let options = WithinOptions::default().include_networks_without_data();
    for (number, found) in reader.networks(options).map_err(|error| error.to_string())?.enumerate() {
        if number > most {
            return Err("its search tree does not end".to_owned());
        }
        let found = found.map_err(|error| error.to_string())?;
        let Some(offset) = found.offset() else { continue };
        // Many networks share a record. This reads it exactly as lookups do.
        if read.insert(offset)
            && let Some(record) = found.decode::<Record>().map_err(|error| error.to_string())?
        {
            contents.countries |= record.names_a_country();
            contents.country_fields |= record.carries_a_country();
            contents.systems |= record.names_a_system();
        }
    }
    if read.is_empty() {
        return Err("it has no records".to_owned());
    }
    Ok(contents)
}

/// Checks the zeros between the search tree and the records.
fn separator(reader: &Reader<&[u8]>, bytes: &[u8]) -> Result<(), String> {
    let metadata = reader.metadata();
    // A node has two records of so many bits.
    let tree_len = usize::try_from(metadata.node_count)
        .ok()
        .and_then(|nodes| nodes.checked_mul(usize::from(metadata.record_size) / 4));
    let between = tree_len.and_then(|len| bytes.get(len..len.checked_add(SEPARATOR_LEN)?));
    match between {
        Some(between) if between.iter().all(|byte| *byte == 0) => Ok(()),
        _ => Err("the separator between its search tree and its records is damaged".to_owned()),
    }
}

impl Contents {
    /// The error if the name of the file suggests another product.
    pub(crate) fn misfits_name(&self, path: &Path) -> Option<String> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let says = |product: &str| words(&name).any(|word| word == product);
        if (says("city") || says("country")) && !self.country_fields {
            return Some(format!(
                "its name suggests countries, but its type is `{}` and it has none",
                self.kind
            ));
        }
        // Some country files have `asn` in their name, because they are derived from systems.
        if says("asn") && !says("country") && !says("city") && !self.systems {
            return Some(format!("its name suggests ASN, but its type is `{}` and it has none", self.kind));
        }
        None
    }

    /// The error if this may not replace `old`. Another edition of the same product may.
    pub(crate) fn misfits_place_of(&self, old: &Self) -> Option<String> {
        let is_other = product(&self.kind).zip(product(&old.kind)).is_some_and(|(new, old)| new != old);
        if is_other {
            return Some(format!(
                "its type is `{}`, but the file in service is of type `{}`",
                self.kind, old.kind
            ));
        }
        let lost = [
            (old.countries && !self.countries, "known countries"),
            (old.country_fields && !self.country_fields, "countries"),
            (old.systems && !self.systems, "autonomous systems"),
        ];
        let (_, what) = lost.into_iter().find(|(is_lost, _)| *is_lost)?;
        Some(format!("its type is `{}` and it has no {what}, unlike the file in service", self.kind))
    }
}

/// The first product that a type names: `GeoLite2-City` and `DBIP-City-Lite` are the same.
fn product(kind: &str) -> Option<&'static str> {
    words(kind).find_map(|word| PRODUCTS.into_iter().find(|product| *product == word))
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(kind: &str, countries: bool, systems: bool) -> Contents {
        Contents { kind: kind.into(), countries, country_fields: countries, systems }
    }

    #[test]
    fn only_the_same_product_may_replace_a_file() {
        let city = contents("GeoLite2-City", true, false);
        for kind in ["GeoLite2-City", "GeoIP2-City", "DBIP-City-Lite", "GeoIP2-City-Europe", "flat"] {
            assert_eq!(contents(kind, true, false).misfits_place_of(&city), None, "{kind}");
        }
        for (kind, countries, systems) in [
            ("GeoLite2-ASN", false, true),
            ("GeoLite2-Country", true, false),
            ("GeoIP2-Anonymous-IP", false, false),
            ("GeoLite2-City", false, false),
            ("flat", false, true),
        ] {
            assert!(contents(kind, countries, systems).misfits_place_of(&city).is_some(), "{kind}");
        }
        let asn = contents("GeoLite2-ASN", false, true);
        assert!(contents("GeoLite2-ASN", false, false).misfits_place_of(&asn).is_some());
        assert!(city.misfits_place_of(&asn).is_some());
    }

    #[test]
    fn a_file_must_match_its_name() {
        let (city, asn) = (contents("GeoLite2-City", true, false), contents("GeoLite2-ASN", false, true));
        for (name, contents, fits) in [
            ("GeoLite2-City.mmdb", &city, true),
            ("/var/geo/GeoLite2-City_20261101.mmdb", &asn, false),
            ("dbip-country-lite-2026-11.mmdb", &asn, false),
            ("GeoLite2-ASN.mmdb", &asn, true),
            ("GeoLite2-ASN.mmdb", &city, false),
            ("asn-country.mmdb", &city, true),
            ("geo.mmdb", &asn, true),
            ("capacity.mmdb", &asn, true),
        ] {
            assert_eq!(contents.misfits_name(Path::new(name)).is_none(), fits, "{name}");
        }
    }
}
