//! The definitions that ship, one file for each.

use crate::postback::networks::Definition;
use crate::postback::networks::fault::BadDefinition;

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        /// Name and text of each, sorted by name.
        const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../definitions/", $name, ".toml")))),+
        ];
    };
}

shipped![
    "acorn-ads",
    "adgate",
    "adgem",
    "admob",
    "adscend-media",
    "annecy-media",
    "ayet-studios",
    "bitcotasks",
    "bitlabs",
    "cpalead",
    "cpx-research",
    "digital-turbine",
    "gemiads",
    "inbrain",
    "kiwiwall",
    "levelplay",
    "lootably",
    "md5-family",
    "mmolove",
    "monlix",
    "mychips",
    "notik",
    "offertoro",
    "playtimeads",
    "pollfish",
    "pubscale",
    "purespectrum",
    "rapidoreach",
    "revlum",
    "revtoo",
    "revu",
    "sparkwall",
    "superrewards",
    "tapjoy",
    "targo",
    "theoremreach",
    "timewall",
    "tyrads",
    "unity-ads",
    "wannads",
    "wannads-migrated",
    "wannads-new",
];

/// The names, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The text of a definition.
pub fn text(name: &str) -> Option<&'static str> {
    let at = SHIPPED.binary_search_by_key(&name, |(name, _)| *name).ok()?;
    Some(SHIPPED[at].1)
}

/// The definition of that name; `None` if none ships. It is read anew each time. It has no faults: a test reads all.
pub fn definition(name: &str) -> Option<Result<Definition, BadDefinition>> {
    Some(Definition::parse(&format!("{name}.toml"), text(name)?))
}

#[cfg(test)]
mod tests;
