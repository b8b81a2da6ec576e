//! How money, time and words are written on pages.

use domain::money::Micros;
use domain::reward::{Status, Step};
use domain::time::TimestampMs;

/// An amount with a comma for each thousand and a real minus sign, e.g. `−4,250.5`.
pub(crate) fn amount(micros: i64) -> String {
    let text = Micros(micros).to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("−", digits));
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let whole = grouped(whole);
    fraction.map_or_else(|| format!("{sign}{whole}"), |fraction| format!("{sign}{whole}.{fraction}"))
}

/// US dollars with at least two decimals, e.g. `$8.50`.
pub(crate) fn usd(micros: i64) -> String {
    let text = amount(micros);
    let (sign, digits) = text.strip_prefix('−').map_or(("", text.as_str()), |digits| ("−", digits));
    match digits.split_once('.') {
        None => format!("{sign}${digits}.00"),
        Some((whole, fraction)) => format!("{sign}${whole}.{fraction:0<2}"),
    }
}

/// A whole number with a comma for each thousand.
pub(crate) fn number(number: i64) -> String {
    amount(number.saturating_mul(1_000_000))
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
    Moment { utc: TimestampMs(at).rfc3339(), ago }
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

/// How long something may still wait, or how long it is overdue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    /// E.g. `1 h left` or `2 h overdue`.
    pub(crate) text: String,
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
    Timer { text, overdue, soon: !overdue && left_ms < 6 * 3_600_000 }
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
            "repeat" | "information" => "·",
            _ => "⚠",
        },
    }
}

/// What happened, in the past tense of a step's name.
pub(crate) fn happened(step: &str) -> &'static str {
    let Some(step) = Step::ALL.into_iter().find(|known| known.name() == step) else { return "changed" };
    match step {
        Step::Credit => "credited",
        Step::Hold => "held",
        Step::ReverseUnseen => "reversed before its credit came",
        Step::Release => "released",
        Step::Reject => "rejected",
        Step::Overturn => "rejection overturned",
        Step::ReverseCredited => "reversed after it was credited",
        Step::ReverseHeld => "reversed while it was held",
        Step::ReverseRejected => "reversed after it was rejected",
        Step::ReverseCreditedPart => "a part reversed after it was credited",
        Step::ReverseHeldPart => "a part reversed while it was held",
        Step::ReverseRejectedPart => "a part reversed after it was rejected",
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
        "Q7" => "Values cleaned",
        "Q8" => "Macro not filled in",
        "Q9" => "No real user",
        "T1" => "Impossibly fast",
        "T2" => "Too fast",
        "T9" => "Old click",
        "G1" => "Country differs",
        "G2" => "Related country",
        "G3" => "Country unknown",
        "G4" => "Address unusable",
        "N1" => "Hosting or proxy",
        "V3" => "Task done before",
        "C2" => "Approved again",
        "M1" => "Large reward",
        _ => "Held",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_as_finance_writes_it() {
        for (micros, plain, dollars) in [
            (0, "0", "$0.00"),
            (4_250_000_000, "4,250", "$4,250.00"),
            (8_500_000, "8.5", "$8.50"),
            (-1_234_567_890_123, "−1,234,567.890123", "−$1,234,567.890123"),
            (999_000_000, "999", "$999.00"),
        ] {
            assert_eq!(amount(micros), plain);
            assert_eq!(usd(micros), dollars);
        }
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
