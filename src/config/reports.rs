//! When reports are made and closed.

use chrono_tz::Tz;
use domain::postback::network::Network;
use domain::report::day::parse_time;
use jobs::reports::ReportConfig;

use super::layers::Section;

/// When the report of a day is made, unless told; a time at which clocks are rarely changed.
const DEFAULT_TIME: &str = "02:00";

/// `[reports]`
pub(super) fn reports(top: &mut Section<'_>, timezone: Option<Tz>) -> Option<ReportConfig> {
    let (path, dict) = top.table("reports");
    let mut section = top.inner(path, dict);
    let text: String = section.or("time", DEFAULT_TIME.to_owned());
    let time = parse_time(&text);
    if time.is_none() {
        section.fault("time", &format!("must be a time such as 02:00, not `{text}`"));
    }
    let cut_off_hours = super::bounded(&mut section, "cut_off_hours", 12, 1..=720);
    section.finish();
    Some(ReportConfig {
        timezone: timezone?,
        time: time?,
        cut_off_hours: u32::try_from(cut_off_hours).ok()?,
        // So far there is one network.
        retry_horizon_ms: Network::Targo.retry_horizon_ms(),
    })
}
