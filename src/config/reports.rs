//! When reports are created and closed.

use chrono_tz::Tz;
use domain::report::day::parse_time;
use jobs::reports::ReportConfig;

use super::Source;
use super::layers::Section;

/// `[reports]`
pub(super) fn reports(
    top: &mut Section<'_>,
    timezone: Option<Tz>,
    sources: &[Source],
) -> Option<ReportConfig> {
    let part = top.table("reports");
    let mut section = top.inner(part);
    let text: Option<String> = section.value("time");
    let time = text.as_deref().and_then(parse_time);
    if let Some(text) = text.filter(|_| time.is_none()) {
        section.fault("time", &format!("must be a time such as 02:00, not `{text}`"));
    }
    let cut_off_hours = super::bounded(&mut section, "cut_off_hours", 1..=720);
    section.finish();
    Some(ReportConfig {
        timezone: timezone?,
        time: time?,
        cut_off_hours: u32::try_from(cut_off_hours?).ok()?,
        // Of the most patient network: what it still repeats may belong to the day.
        retry_horizon_ms: sources
            .iter()
            .map(|source| source.params.definition().retry_horizon_ms())
            .max()
            .unwrap_or(0),
    })
}
