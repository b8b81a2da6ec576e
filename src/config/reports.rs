//! When reports are created and closed.

use chrono_tz::Tz;
use domain::postback::network::Network;
use domain::report::day::parse_time;
use jobs::reports::ReportConfig;

use super::layers::Section;

/// `[reports]`
pub(super) fn reports(top: &mut Section<'_>, timezone: Option<Tz>) -> Option<ReportConfig> {
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
        // There is only one network.
        retry_horizon_ms: Network::Targo.retry_horizon_ms(),
    })
}
