//! The format of a network's statements, and when a line matches a booking.

use chrono_tz::Tz;
use domain::money::PAYOUT_CURRENCY;
use domain::report::amount::Amount;
use domain::statement::format::Format;
use domain::statement::matching::Tolerance;
use store::statements::{MatchTerms, Reading};

use super::layers::Section;

const HOUR_MS: i64 = 3_600_000;

/// `[sources.statement]`
pub(super) fn statements(source: &mut Section<'_>, timezone: Option<Tz>) -> Option<Reading> {
    let part = source.table("statement");
    let key = part.name();
    let mut section = source.inner(part);
    let format = format(&mut section, key);
    let key = |fault: &str| {
        ["delimiter", "time", "zone", "columns", "controls"]
            .into_iter()
            .find(|key| fault.contains(&format!("`{key}`")))
    };
    for fault in format.iter().flat_map(Format::faults) {
        section.fault(key(&fault).unwrap_or("columns"), &fault);
    }
    let text: Option<String> = section.value("tolerance");
    let absolute = text.as_deref().and_then(Amount::parse).filter(|amount| amount.0 >= 0);
    if let Some(text) = text.filter(|_| absolute.is_none()) {
        section.fault("tolerance", &format!("must be an amount such as \"0.01\", not `{text}`"));
    }
    let relative_ppm = super::bounded(&mut section, "tolerance_ppm", 0..=1_000_000);
    let window_hours = super::bounded(&mut section, "window_hours", 1..=8_784);
    let cut_off_days = super::bounded(&mut section, "cut_off_days", 0..=366);
    section.finish();
    let terms = MatchTerms {
        tolerance: Tolerance { absolute: absolute?, relative_ppm: relative_ppm? },
        window_ms: window_hours? * HOUR_MS,
        cut_off_days: cut_off_days?.unsigned_abs(),
        timezone: timezone?,
    };
    Some(Reading { format: format?, terms })
}

fn format(section: &mut Section<'_>, key: String) -> Option<Format> {
    // Read every key before `?` returns, so that all errors are recorded.
    let (delimiter, header) = (section.value("delimiter"), section.value("header"));
    let (decimal_comma, amounts) = (section.value("decimal_comma"), section.value("amounts"));
    let (time, zone) = (section.value("time"), section.value("zone"));
    let (columns, daily_sums) = (section.value("columns"), section.value("daily_sums"));
    let controls = section.value("controls");
    let (credits, reversals) = (section.value("credits"), section.value("reversals"));
    Some(Format {
        delimiter: delimiter?,
        header: header?,
        decimal_comma: decimal_comma?,
        amounts: amounts?,
        time: time?,
        zone: zone?,
        currency: PAYOUT_CURRENCY.to_owned(),
        columns: columns?,
        daily_sums: daily_sums?,
        controls: controls?,
        credits: credits?,
        reversals: reversals?,
        key,
    })
}
