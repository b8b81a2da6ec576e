//! How a network writes its statements, and when a line is the same as a booking.

use chrono_tz::Tz;
use domain::report::amount::Amount;
use domain::statement::format::Format;
use domain::statement::matching::Tolerance;
use store::statements::{MatchTerms, Reading};

use super::layers::Section;

/// An hour, in milliseconds.
const HOUR_MS: i64 = 3_600_000;

/// `[sources.statement]`
pub(super) fn statements(source: &mut Section<'_>, timezone: Option<Tz>) -> Reading {
    let (path, dict) = source.table("statement");
    let key = key_of(&path);
    let mut section = source.inner(path, dict);
    let default = Format::default();
    let format = Format {
        delimiter: section.or("delimiter", default.delimiter),
        header: section.or("header", default.header),
        decimal_comma: section.or("decimal_comma", default.decimal_comma),
        amounts: section.or("amounts", default.amounts),
        time: section.or("time", default.time),
        zone: section.or("zone", default.zone),
        currency: default.currency,
        columns: section.or("columns", default.columns),
        credits: section.or("credits", default.credits),
        reversals: section.or("reversals", default.reversals),
        daily_sums: section.or("daily_sums", default.daily_sums),
        controls: section.or("controls", default.controls),
        key,
    };
    let key = |fault: &str| {
        ["delimiter", "time", "zone", "columns", "controls"]
            .into_iter()
            .find(|key| fault.contains(&format!("`{key}`")))
    };
    for fault in format.faults() {
        section.fault(key(&fault).unwrap_or("columns"), &fault);
    }
    let text: String = section.or("tolerance", "0".to_owned());
    let absolute = Amount::parse(&text).filter(|amount| amount.0 >= 0);
    if absolute.is_none() {
        section.fault("tolerance", &format!("must be an amount such as \"0.01\", not `{text}`"));
    }
    let relative_ppm = super::bounded(&mut section, "tolerance_ppm", 0, 0..=1_000_000);
    let window_hours = super::bounded(&mut section, "window_hours", 48, 1..=8_784);
    let cut_off_days = super::bounded(&mut section, "cut_off_days", 3, 0..=366).unsigned_abs();
    section.finish();
    let tolerance = Tolerance { absolute: absolute.unwrap_or_default(), relative_ppm };
    let timezone = timezone.unwrap_or(Tz::UTC);
    let terms = MatchTerms { tolerance, window_ms: window_hours * HOUR_MS, cut_off_days, timezone };
    Reading { format, terms }
}

/// `sources.0.statement.` as people write it: `sources[0].statement`.
fn key_of(path: &str) -> String {
    path.split('.').filter(|part| !part.is_empty()).fold(String::new(), |key, part| {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("{key}[{part}]")
        } else if key.is_empty() {
            part.to_owned()
        } else {
            format!("{key}.{part}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_a_file_names_its_setting_as_people_write_it() {
        assert_eq!(key_of("sources.0.statement."), "sources[0].statement");
        assert_eq!(key_of("sources.12.statement."), "sources[12].statement");
    }
}
