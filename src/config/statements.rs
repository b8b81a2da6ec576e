//! The format of a network's statements, and when a line matches a booking.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use domain::money::PAYOUT_CURRENCY;
use domain::postback::networks::Definition;
use domain::postback::networks::definition::Confirmed;
use domain::postback::networks::statement::StatementFormat;
use domain::report::amount::Amount;
use domain::statement::format::Format;
use domain::statement::matching::Tolerance;
use store::statements::{MatchTerms, Reading};

use super::layers::Section;

const HOUR_MS: i64 = 3_600_000;

/// `[sources.statement]`, over what the network's definition says of its statements.
pub(super) fn statements(
    source: &mut Section<'_>,
    network: Option<&Definition>,
    timezone: Option<Tz>,
) -> Option<Reading> {
    let part = source.table("statement");
    let key = part.name();
    let mut section = source.inner(part);
    let unknown = StatementFormat::unknown(Confirmed::Unproven);
    let below = network.map_or(&unknown, |network| &network.statement);
    let format = format(&mut section, below, key);
    for fault in format.iter().flat_map(Format::faults) {
        section.fault(fault.key, &format!("{}; {}", fault.what, fault.cure));
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

fn format(section: &mut Section<'_>, below: &StatementFormat, key: String) -> Option<Format> {
    // Read every key before `?` returns, so that all errors are recorded.
    let delimiter = section.value_over("delimiter", below.delimiter);
    let header = section.value_over("header", below.header);
    let decimal_comma = section.value_over("decimal_comma", below.decimal_comma);
    let amounts = section.value_over("amounts", below.amounts.clone());
    let time = section.value_over("time", below.time.clone());
    let zone = section.value_over("zone", below.zone.clone());
    let columns = over(section.value("columns"), &below.columns);
    let daily_sums = section.value_over("daily_sums", below.daily_sums);
    let controls = over(section.value("controls"), &below.controls);
    let credits = section.value_over("credits", below.credits.clone());
    let reversals = section.value_over("reversals", below.reversals.clone());
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

/// A table of the settings over that of the definition, entry by entry.
fn over(
    given: Option<BTreeMap<String, String>>,
    below: &BTreeMap<String, String>,
) -> Option<BTreeMap<String, String>> {
    let mut whole = below.clone();
    whole.extend(given?);
    Some(whole)
}
