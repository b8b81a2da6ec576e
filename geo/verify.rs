//! Whether a file is whole and holds what its place asks for, before anything is looked up in it.
//!
//! A file that opens may still be damaged in the middle, or be another product that was fetched to the wrong name.
//! Every address in the damaged part would be credited as "unknown country", and nobody would notice. So the whole
//! structure is walked and every record is read once, which takes seconds for the largest files: not for an async
//! thread.

use std::collections::HashSet;
use std::path::Path;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};

use crate::record::Record;

/// A file without a description is whole all the same: some writers leave it out.
const NO_DESCRIPTION: &str = "description - ";
/// How many networks a tree can have for each of its nodes, with room to spare: one that goes in circles has more.
const NETWORKS_OF_A_NODE: usize = 3;
/// Zeros between the search tree and the records.
const SEPARATOR_LEN: usize = 16;
/// Words in the name or type of a file that say which product it is.
const PRODUCTS: [&str; 10] =
    ["city", "country", "enterprise", "asn", "isp", "anonymous", "connection", "domain", "privacy", "static"];

/// What a file holds, all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The type that it gives itself.
    pub(crate) kind: String,
    /// True if some record has a country that exists.
    countries: bool,
    /// True if some record has a field for a country.
    country_fields: bool,
    /// True if some record has an autonomous system.
    systems: bool,
}

/// Reads the whole of a file; the error says what is wrong with it.
pub(crate) fn verify(bytes: &[u8]) -> Result<Contents, String> {
    let reader = Reader::from_source(bytes).map_err(|error| error.to_string())?;
    match reader.verify() {
        // The library looks no further then, so what it would have found is looked for below.
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
        // Many networks share a record. What is read here is what lookups read, texts included.
        if read.insert(offset)
            && let Some(record) = found.decode::<Record>().map_err(|error| error.to_string())?
        {
            contents.countries |= record.names_a_country();
            contents.country_fields |= record.carries_a_country();
            contents.systems |= record.names_a_system();
        }
    }
    if read.is_empty() {
        return Err("it holds no record".to_owned());
    }
    Ok(contents)
}

/// Between the search tree and the records stand zeros.
fn separator(reader: &Reader<&[u8]>, bytes: &[u8]) -> Result<(), String> {
    let metadata = reader.metadata();
    // A node has two records of so many bits.
    let tree_len = usize::try_from(metadata.node_count)
        .ok()
        .and_then(|nodes| nodes.checked_mul(usize::from(metadata.record_size) / 4));
    let between = tree_len.and_then(|len| bytes.get(len..len.checked_add(SEPARATOR_LEN)?));
    match between {
        Some(between) if between.iter().all(|byte| *byte == 0) => Ok(()),
        _ => Err("what stands between its search tree and its records is no separator".to_owned()),
    }
}

impl Contents {
    /// What is wrong if a file of this name holds this: a product under the name of another one.
    pub(crate) fn misfits_name(&self, path: &Path) -> Option<String> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let says = |product: &str| words(&name).any(|word| word == product);
        if (says("city") || says("country")) && !self.country_fields {
            return Some(format!(
                "its name says countries, but it is of the type `{}` and holds none",
                self.kind
            ));
        }
        // Some files of countries have `asn` in their name: they are made from systems.
        if says("asn") && !says("country") && !says("city") && !self.systems {
            return Some(format!("its name says ASN, but it is of the type `{}` and holds none", self.kind));
        }
        None
    }

    /// What is wrong if this takes the place of `old`. Another edition of the same product is fine.
    pub(crate) fn misfits_place_of(&self, old: &Self) -> Option<String> {
        let is_other = product(&self.kind).zip(product(&old.kind)).is_some_and(|(new, old)| new != old);
        if is_other {
            return Some(format!(
                "it is of the type `{}`, and replaces one of the type `{}`",
                self.kind, old.kind
            ));
        }
        let lost = [
            (old.countries && !self.countries, "known countries"),
            (old.country_fields && !self.country_fields, "countries"),
            (old.systems && !self.systems, "autonomous systems"),
        ];
        let (_, what) = lost.into_iter().find(|(is_lost, _)| *is_lost)?;
        Some(format!("it is of the type `{}` and holds no {what}, which the one in service does", self.kind))
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
    fn only_the_same_product_may_take_a_files_place() {
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
    fn a_file_holds_what_its_name_says() {
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
