//! Limits of callers, and retention periods.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use jobs::retention::RetentionPeriods;
use web::limits::Limits;

use super::layers::Section;

/// Maximum retention: a hundred years.
const MAX_DAYS: i64 = 36_500;

/// `[limits]`
pub(super) fn limits(top: &mut Section<'_>) -> Option<Limits> {
    let part = top.table("limits");
    let mut section = top.inner(part);
    let connections = number(&mut section, "connections", 1..=100_000);
    let connections_per_address = number(&mut section, "connections_per_address", 1..=100_000);
    // At least a target of 8 KiB with its headers; at most what a stranger may occupy per connection.
    let header_kib = number(&mut section, "header_kib", 16..=128);
    let header_seconds = number(&mut section, "header_seconds", 1..=300);
    let body_seconds = number(&mut section, "body_seconds", 1..=300);
    let idle_seconds = number(&mut section, "idle_seconds", 1..=3_600);
    let life_seconds = number(&mut section, "life_seconds", 1..=86_400);
    let refused_per_minute = number(&mut section, "refused_per_minute", 1..=10_000);
    let body_mib_per_hour = super::bounded(&mut section, "body_mib_per_hour", 0..=1_024);
    section.finish();
    Some(Limits {
        connections: usize::try_from(connections?).ok()?,
        connections_per_address: usize::try_from(connections_per_address?).ok()?,
        header_bytes: usize::try_from(header_kib?).ok()? * 1_024,
        header_time: Duration::from_secs(u64::from(header_seconds?)),
        body_time: Duration::from_secs(u64::from(body_seconds?)),
        idle_time: Duration::from_secs(u64::from(idle_seconds?)),
        life_time: Duration::from_secs(u64::from(life_seconds?)),
        refused_per_minute: NonZeroU32::new(refused_per_minute?)?,
        body_bytes_per_hour: body_mib_per_hour? * 1_024 * 1_024,
    })
}

/// `[retention]`
pub(super) fn retention(top: &mut Section<'_>) -> Option<RetentionPeriods> {
    let part = top.table("retention");
    let mut section = top.inner(part);
    let [postbacks, quarantined, refused, addresses] =
        ["postbacks_days", "quarantined_days", "refused_days", "addresses_days"]
            .map(|key| number(&mut section, key, 0..=MAX_DAYS));
    let days = |days: u32| if days == 0 { u32::MAX } else { days };
    for (key, kept) in [("postbacks_days", postbacks), ("quarantined_days", quarantined)] {
        if kept.zip(addresses).is_some_and(|(kept, addresses)| days(kept) > days(addresses)) {
            section.fault(
                key,
                "must not be longer than `retention.addresses_days`: raw postbacks hold addresses",
            );
        }
    }
    section.finish();
    Some(RetentionPeriods {
        postbacks_days: postbacks?,
        quarantined_days: quarantined?,
        refused_days: refused?,
        addresses_days: addresses?,
    })
}

fn number(section: &mut Section<'_>, key: &'static str, range: RangeInclusive<i64>) -> Option<u32> {
    u32::try_from(super::bounded(section, key, range)?).ok()
}
