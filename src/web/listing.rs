//! Adding to the lists of people, for pages and the API: the names that an entry may use.

use std::collections::BTreeSet;

use chrono_tz::Tz;
use domain::lists::entry::Known;

use crate::stating::Stating;

/// The sources and apps of the settings, and the zone in which a date begins.
pub(crate) fn known(stating: &Stating, apps: &BTreeSet<String>, zone: Tz) -> Known {
    Known { sources: stating.sources.keys().cloned().collect(), apps: apps.iter().cloned().collect(), zone }
}
