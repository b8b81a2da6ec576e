//! Adding to the lists of people, for pages and the API: the names that an entry may use, and what is said when there is
//! no room.

use std::collections::BTreeSet;

use chrono_tz::Tz;
use domain::lists::MAX_ENTRIES;
use domain::lists::entry::Known;
use domain::text::count;

use crate::stating::Stating;

/// The sources and apps of the settings, and the zone in which a date begins.
pub(crate) fn known(stating: &Stating, apps: &BTreeSet<String>, zone: Tz) -> Known {
    Known { sources: stating.sources.keys().cloned().collect(), apps: apps.iter().cloned().collect(), zone }
}

/// What was done with a file.
pub(crate) fn imported(number: usize, replaced: usize) -> String {
    let number = count(u64::try_from(number).unwrap_or(u64::MAX), "entry");
    format!("{number} imported; {replaced} of them replaced another.")
}

/// Why nothing was added while `in_force` entries are.
pub(crate) fn too_many(in_force: i64) -> String {
    format!(
        "nothing was added: {in_force} entries are in force, and at most {MAX_ENTRIES} can be; remove some, or list a \
         network instead of its addresses"
    )
}
