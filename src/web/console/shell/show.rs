//! Formats of money, times and statuses on pages.

use domain::money::{Micros, PAYOUT_CURRENCY};
use domain::reward::{Status, Step};
use domain::time::TimestampMs;

/// Digits of an amount in micros, with a comma for each thousand, a real minus sign and at least `decimals` of the six
/// decimals: more stand there only if the amount has them.
fn digits(micros: i64, decimals: usize) -> String {
    let text = Micros(micros).to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("−", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = grouped(whole);
    if decimals == 0 && fraction.is_empty() {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{fraction:0<2}")
}

/// The digits of an amount of `currency`: money has two decimals (more if it has more), coins have none unless they
/// have some. Currencies of money are written as ISO 4217 does, `USD`.
pub(crate) fn figure(micros: i64, currency: &str) -> String {
    let is_money = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    digits(micros, if is_money { 2 } else { 0 })
}

/// The digits of an amount whose currency stands elsewhere: two decimals or none.
pub(crate) fn amount(micros: i64) -> String {
    digits(micros, 0)
}

/// An amount with its currency: `$8.50`, `1,234.00 EUR`, `4,250 coins`.
pub(crate) fn priced(micros: i64, currency: &str) -> String {
    if currency == PAYOUT_CURRENCY { usd(micros) } else { format!("{} {currency}", figure(micros, currency)) }
}

/// US dollars with at least two decimals, e.g. `$8.50`.
pub(crate) fn usd(micros: i64) -> String {
    let text = digits(micros, 2);
    text.strip_prefix('−').map_or_else(|| format!("${text}"), |digits| format!("−${digits}"))
}

/// US dollars that were estimated: to the cent, which is more than an estimate knows.
pub(crate) fn to_the_cent(micros: i64) -> i64 {
    const CENT: i64 = 10_000;
    let rest = micros % CENT;
    let away = if rest.abs() >= CENT / 2 { CENT * rest.signum() } else { 0 };
    (micros - rest).saturating_add(away)
}

/// A sentence whose dollars are written as on every page. Sentences are kept for ever as they were made, `$0.5` included.
pub(crate) fn dollars_in(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('$');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(part.len());
        // A full stop ends the sentence, not the number.
        let number = part[..end].trim_end_matches('.');
        match Micros::parse(number) {
            Ok(parsed) if !parsed.rounded => {
                out.push_str(&usd(parsed.amount.0));
                out.push_str(&part[number.len()..]);
            }
            _ => {
                out.push('$');
                out.push_str(part);
            }
        }
    }
    out
}

/// A whole number with a comma for each thousand.
pub(crate) fn number(number: i64) -> String {
    let (sign, digits) =
        if number < 0 { ("−", number.unsigned_abs()) } else { ("", number.unsigned_abs()) };
    format!("{sign}{}", grouped(&digits.to_string()))
}

/// A count with its unit: `1 reward`, `1,200 rewards`, `2 deliveries`.
pub(crate) fn counted(count: i64, noun: &str) -> String {
    let many = match noun.strip_suffix('y') {
        _ if count == 1 => noun.to_owned(),
        Some(stem) if !stem.ends_with(['a', 'e', 'o']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    format!("{} {many}", number(count))
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share as a percentage with one decimal; a dash if there is nothing to share.
pub(crate) fn percent(part: i64, whole: i64) -> String {
    if whole == 0 {
        return "–".into();
    }
    let thousandths = part.saturating_mul(1_000) / whole;
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// A moment: exact for machines and on hover, and how long ago it is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// RFC 3339 in UTC.
    pub(crate) utc: String,
    /// The same for people, with its zone: `2026-11-26 05:38:12 UTC`.
    pub(crate) exact: String,
    /// E.g. `3 min ago`.
    pub(crate) ago: String,
}

/// A moment as seen at `now`.
pub(crate) fn moment(at: i64, now: TimestampMs) -> Moment {
    let elapsed_ms = now.0 - at;
    let ago = match elapsed_ms {
        ..=-1_000 => format!("in {}", span(-elapsed_ms)),
        1_000.. => format!("{} ago", span(elapsed_ms)),
        _ => "now".into(),
    };
    let utc = TimestampMs(at).rfc3339();
    Moment { exact: exact(&utc), utc, ago }
}

/// An instant for people, to the second: `2026-11-26 05:38:12 UTC`.
fn exact(utc: &str) -> String {
    let whole = utc.split(['.', 'Z', '+']).next().unwrap_or_default();
    format!("{} UTC", whole.replace('T', " "))
}

/// A span of time in its largest unit: `40 min`, `5 h`, `3 days`.
pub(crate) fn span(ms: i64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Time left until a deadline, or overdue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    /// E.g. `1 h left` or `2 h overdue`.
    pub(crate) text: String,
    /// When it is due.
    pub(crate) due: Moment,
    /// True if it is late.
    pub(crate) overdue: bool,
    /// True if less than a quarter of a day is left.
    pub(crate) soon: bool,
}

/// The timer of something that is due at `due_at`.
pub(crate) fn timer(due_at: i64, now: TimestampMs) -> Timer {
    let left_ms = due_at - now.0;
    let overdue = left_ms < 0;
    let text =
        if overdue { format!("{} overdue", span(-left_ms)) } else { format!("{} left", span(left_ms)) };
    Timer { text, due: moment(due_at, now), overdue, soon: !overdue && left_ms < 6 * 3_600_000 }
}

/// An id shortened in the middle; the whole stands in the title.
pub(crate) fn short(id: &str) -> String {
    let count = id.chars().count();
    if count <= 16 {
        return id.to_owned();
    }
    let head: String = id.chars().take(7).collect();
    let tail: String = id.chars().skip(count - 5).collect();
    format!("{head}…{tail}")
}

/// The sign before the word of a status; colour never carries the meaning alone.
pub(crate) fn sign(status: &str) -> &'static str {
    match Status::parse(status) {
        Some(Status::Credited) => "●",
        Some(Status::Held) => "◐",
        Some(Status::Rejected) => "✕",
        Some(Status::Reversed) => "↩",
        None => match status {
            "delivered" | "processed" => "●",
            "waiting" | "behind" | "received" => "◐",
            "withdrawn" | "given_up" | "refused" | "set_aside" => "✕",
            "repeat" | "information" | "test" => "·",
            _ => "⚠",
        },
    }
}

/// A step in the past tense, e.g. `credited`.
pub(crate) fn happened(step: &str) -> &'static str {
    let Some(step) = Step::ALL.into_iter().find(|known| known.name() == step) else { return "changed" };
    match step {
        Step::Credit => "credited",
        Step::Hold => "held",
        Step::ReverseUnseen => "reversed before its credit arrived",
        Step::Release => "released",
        Step::Reject => "rejected",
        Step::Overturn => "overturned and released",
        Step::ReverseCredited => "reversed after it was credited",
        Step::ReverseHeld => "reversed while it was held",
        Step::ReverseRejected => "reversed after it was rejected",
        Step::ReverseCreditedPart => "partly reversed after it was credited",
        Step::ReverseHeldPart => "partly reversed while it was held",
        Step::ReverseRejectedPart => "partly reversed after it was rejected",
        Step::Reapprove => "approved again by the network",
        Step::UndoRelease => "release undone",
        Step::UndoReject => "rejection undone",
        Step::UndoOverturn => "overturn undone",
    }
}

/// A rule's name for a person, short enough for a chip.
pub(crate) fn rule_name(code: &str) -> &'static str {
    match code {
        "Q1" => "No click time",
        "Q2" => "Clock ahead",
        "Q2b" => "Click in the future",
        "Q3" => "Odd amount",
        "Q4" => "Rounded amount",
        "Q5" => "Unknown caller",
        "Q6" => "Not signed",
        "Q7" => "Values cleaned",
        "Q8" => "Macro not filled in",
        "Q9" => "No real user",
        "T1" => "Impossibly fast",
        "T2" => "Too fast",
        "T3" => "Fast for a survey",
        "T4" => "Far faster than normal",
        "T4b" => "Faster than normal",
        "T5" => "Events too close",
        "T6" => "Same time as others",
        "T7" => "Fast sub id",
        "T8" => "Slow sub id",
        "T10" => "Always fast",
        "T9" => "Old click",
        "G1" => "Country differs",
        "G2" => "Related country",
        "G3" => "Country unknown",
        "G4" => "Address unusable",
        "N1" => "Hosting or proxy",
        "S1" => "Crowded address",
        "S2" => "Same task, same address",
        "S3" => "Many countries",
        "S4" => "Many networks",
        "V1" => "Too many",
        "V2" => "New user, large reward",
        "V3" => "Task done before",
        "H1" => "Often taken back",
        "H2" => "Sub id taken back",
        "C1" => "Trusted user",
        "C2" => "Approved again",
        "M1" => "Large reward",
        "L1" => "Blocked by a list",
        "L2" => "Watched by a list",
        "L3" => "Trusted by a list",
        _ => "Held",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_two_decimals_and_more_only_where_it_has_them() {
        for (micros, coins, dollars) in [
            (0, "0 coins", "$0.00"),
            (300_000, "0.30 coins", "$0.30"),
            (4_250_000_000, "4,250 coins", "$4,250.00"),
            (8_500_000, "8.50 coins", "$8.50"),
            (126_169_946, "126.169946 coins", "$126.169946"),
            (-1_234_567_890_123, "−1,234,567.890123 coins", "−$1,234,567.890123"),
            (999_000_000, "999 coins", "$999.00"),
            (i64::MIN, "−9,223,372,036,854.775808 coins", "−$9,223,372,036,854.775808"),
        ] {
            assert_eq!(priced(micros, "coins"), coins);
            assert_eq!(priced(micros, "USD"), dollars);
        }
        assert_eq!(priced(12_000_000, "EUR"), "12.00 EUR");
        assert_eq!(figure(12_000_000, "USD"), "12.00");
    }

    #[test]
    fn what_was_estimated_is_written_to_the_cent() {
        for (micros, expected) in
            [(126_169_946, "$126.17"), (-5_000, "−$0.01"), (4_999, "$0.00"), (1_000_000, "$1.00")]
        {
            assert_eq!(usd(to_the_cent(micros)), expected);
        }
    }

    #[test]
    fn dollars_in_a_kept_sentence_are_written_as_on_every_page() {
        for (kept, shown) in [
            ("decision 5, $0.3. why", "decision 5, $0.30. why"),
            ("It pays $600; from $1500.5 on.", "It pays $600.00; from $1,500.50 on."),
            ("costs $ or $x", "costs $ or $x"),
            ("$1", "$1.00"),
            ("no money", "no money"),
            ("$1.2.3 is none", "$1.2.3 is none"),
            ("", ""),
        ] {
            assert_eq!(dollars_in(kept), shown);
        }
    }

    #[test]
    fn a_count_never_stands_without_its_unit_and_has_separators() {
        for (count, noun, expected) in [
            (1, "reward", "1 reward"),
            (0, "reward", "0 rewards"),
            (1_200, "delivery", "1,200 deliveries"),
            (2, "day", "2 days"),
        ] {
            assert_eq!(counted(count, noun), expected);
        }
        assert_eq!(number(i64::MIN), "−9,223,372,036,854,775,808");
    }

    #[test]
    fn a_moment_says_its_exact_time_with_its_zone() {
        assert_eq!(
            moment(1_764_135_492_123, TimestampMs(1_764_135_492_123)).exact,
            "2025-11-26 05:38:12 UTC"
        );
    }

    #[test]
    fn every_rule_has_a_name_for_people() {
        for code in domain::rules::CODES {
            assert_ne!(rule_name(code), "Held", "{code}");
        }
    }

    #[test]
    fn a_timer_says_what_is_left_and_what_is_late() {
        let now = TimestampMs(10_000_000);
        assert_eq!(timer(now.0 + 3_600_000, now).text, "1 h left");
        let late = timer(now.0 - 120_000, now);
        assert!(late.overdue && !late.soon);
        assert_eq!(late.text, "2 min overdue");
    }

    #[test]
    fn ids_keep_head_and_tail() {
        assert_eq!(short("a91f"), "a91f");
        assert_eq!(short("a91f0000000000000000077c2"), "a91f000…077c2");
    }

    #[test]
    fn moments_are_told_from_now() {
        let now = TimestampMs(1_000_000_000);
        for (at, ago) in [(now.0, "now"), (now.0 - 180_000, "3 min ago"), (now.0 + 61_000, "in 1 min")] {
            assert_eq!(moment(at, now).ago, ago);
        }
    }
}
