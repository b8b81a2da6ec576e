//! Exact amounts: micros (10⁻⁶ of a unit), parsed from decimal text without ever touching a float.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Micros in one unit of any currency.
pub const MICROS_PER_UNIT: i64 = 1_000_000;

/// The largest amount of one reward or payout, in units. Nine thousand of them fit into one balance; no reward of
/// any offerwall comes near, so a larger figure is a fault of the sender.
pub const MAX_AMOUNT_UNITS: i64 = 1_000_000_000;

/// The longest decimal text that is read at all, in bytes.
const MAX_DECIMAL_LEN: usize = 64;
/// The same for what a network sends: some pad with zeros.
const MAX_SENT_LEN: usize = 256;
/// An exponent beyond this leaves nothing of any amount that is read, or more than any.
const MAX_EXPONENT: i64 = 400;

/// The currency that networks pay in.
pub const PAYOUT_CURRENCY: &str = "USD";

/// An amount or balance in micros; may be negative as a balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

/// An amount above zero: the only kind a transfer can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Positive(i64);

impl Positive {
    /// The amount, if it is above zero.
    pub fn new(amount: Micros) -> Option<Self> {
        (amount.0 > 0).then_some(Self(amount.0))
    }

    /// In micros; always above zero.
    pub fn micros(self) -> i64 {
        self.0
    }
}

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Anything but digits with at most one decimal point.
    #[error("is not a decimal number")]
    NotDecimal,
    /// It has a minus sign.
    #[error("is negative")]
    Negative,
    /// More than [`MAX_AMOUNT_UNITS`].
    #[error("is larger than {MAX_AMOUNT_UNITS}")]
    TooLarge,
}

/// A parsed amount, and whether digits beyond the sixth decimal were rounded away (half to even).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The amount, rounded to a micro.
    pub amount: Micros,
    /// True if the text was more precise than a micro.
    pub rounded: bool,
}

/// An amount as a network writes it: how much, and with which sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How much, whatever the sign.
    pub magnitude: Micros,
    /// True for an amount below zero. A negative zero is zero.
    pub negative: bool,
    /// True if the text was more precise than a micro.
    pub rounded: bool,
}

impl Sent {
    /// The amount where none may be below zero.
    pub fn not_negative(self) -> Result<Parsed, MoneyError> {
        if self.negative {
            return Err(MoneyError::Negative);
        }
        Ok(Parsed { amount: self.magnitude, rounded: self.rounded })
    }

    /// True if the text says zero, and not something that only rounds to it.
    pub fn is_zero(self) -> bool {
        self.magnitude.0 == 0 && !self.rounded
    }
}

impl Micros {
    /// So many `units` for each whole of this amount, rounded half to even; an error if that is more than an amount may
    /// be.
    pub fn times(self, units: Self) -> Result<Self, MoneyError> {
        let product = share(i128::from(self.0) * i128::from(units.0), i128::from(MICROS_PER_UNIT));
        if product > MAX_AMOUNT_UNITS * MICROS_PER_UNIT {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self(product))
    }

    /// Reads an amount in the forms that networks write: blanks around it, a sign, an exponent (`5e2`, `1.5E-3`). The
    /// value is exact, and anything that could be read in two ways (`1,234.50`) is an error.
    pub fn parse_sent(text: &str) -> Result<Sent, MoneyError> {
        let text = text.trim();
        let (negative, unsigned) = match text.strip_prefix(['-', '\u{2212}']) {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if text.len() > MAX_SENT_LEN {
            return Err(MoneyError::NotDecimal);
        }
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        if !is_digits_with_a_point(mantissa) {
            return Err(MoneyError::NotDecimal);
        }
        let Parsed { amount, rounded } = parse_plain(&shifted(mantissa, self::exponent(exponent)?))?;
        Ok(Sent { magnitude: amount, negative: negative && (amount.0 > 0 || rounded), rounded })
    }

    /// Reads `12`, `12.5`, `.5` or `12.` exactly; anything else is an error.
    pub fn parse(text: &str) -> Result<Parsed, MoneyError> {
        if let Some(rest) = text.strip_prefix('-') {
            return Err(if is_decimal(rest) { MoneyError::Negative } else { MoneyError::NotDecimal });
        }
        if !is_decimal(text) {
            return Err(MoneyError::NotDecimal);
        }
        parse_plain(text)
    }
}

/// `part / whole` rounded half to even; 0 if there is no whole.
pub(crate) fn share(part: i128, whole: i128) -> i64 {
    if whole <= 0 {
        return 0;
    }
    let (floor, rest) = (part.div_euclid(whole), part.rem_euclid(whole));
    let up = match (rest * 2).cmp(&whole) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => floor % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    i64::try_from(floor + i128::from(up)).unwrap_or(i64::MAX)
}

/// Reads digits with at most one point.
fn parse_plain(text: &str) -> Result<Parsed, MoneyError> {
    let (units, decimals) = text.split_once('.').unwrap_or((text, ""));
    let units = units.trim_start_matches('0');
    // Ten digits or more exceed the limit, so what is left cannot overflow.
    if units.len() > 10 {
        return Err(MoneyError::TooLarge);
    }
    let whole = units.bytes().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let kept = decimals.bytes().chain(std::iter::repeat(b'0')).take(6);
    let fraction = kept.fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let beyond = decimals.get(6..).unwrap_or("").trim_end_matches('0');
    let floor = whole * MICROS_PER_UNIT + fraction;
    let up = match beyond.as_bytes() {
        [] => false,
        [b'5'] => floor % 2 == 1,
        [first, ..] => *first >= b'5',
    };
    let micros = floor + i64::from(up);
    if micros > MAX_AMOUNT_UNITS * MICROS_PER_UNIT {
        return Err(MoneyError::TooLarge);
    }
    Ok(Parsed { amount: Micros(micros), rounded: !beyond.is_empty() })
}

fn is_decimal(text: &str) -> bool {
    text.len() <= MAX_DECIMAL_LEN && is_digits_with_a_point(text)
}

/// A whole number with or without a sign; whatever is too large is as large as any amount can feel.
fn exponent(text: &str) -> Result<i64, MoneyError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MoneyError::NotDecimal);
    }
    let size = digits.parse().unwrap_or(MAX_EXPONENT).min(MAX_EXPONENT);
    Ok(if negative { -size } else { size })
}

/// `mantissa` with its point moved to the right by `exponent` places.
fn shifted(mantissa: &str, exponent: i64) -> Cow<'_, str> {
    if exponent == 0 {
        return Cow::Borrowed(mantissa);
    }
    let (units, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let places = usize::try_from(exponent.unsigned_abs()).unwrap_or(0);
    let digits = format!("{units}{decimals}");
    Cow::Owned(if exponent > 0 {
        let after = decimals.len().saturating_sub(places);
        let digits = format!("{digits}{}", "0".repeat(places.saturating_sub(decimals.len())));
        let (units, decimals) = digits.split_at(digits.len() - after);
        format!("{units}.{decimals}")
    } else {
        let digits = format!("{}{digits}", "0".repeat(places.saturating_sub(units.len())));
        let (units, decimals) = digits.split_at(units.len().saturating_sub(places));
        format!("{units}.{decimals}")
    })
}

fn is_digits_with_a_point(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.bytes().filter(|byte| *byte == b'.').count() <= 1
}

/// Decimal text without trailing zeros: `-0.5`, `12`, `0`.
impl fmt::Display for Micros {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let unit = MICROS_PER_UNIT.unsigned_abs();
        let (whole, fraction) = (self.0.unsigned_abs() / unit, self.0.unsigned_abs() % unit);
        if fraction == 0 {
            return write!(out, "{sign}{whole}");
        }
        let decimals = format!("{fraction:06}");
        write!(out, "{sign}{whole}.{}", decimals.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, micros) in [
            ("500", 500_000_000),
            ("1.00", 1_000_000),
            ("0.000001", 1),
            (".5", 500_000),
            ("7.", 7_000_000),
            ("0001.10", 1_100_000),
            ("1000000000", 1_000_000_000_000_000),
        ] {
            assert_eq!(Micros::parse(text), Ok(Parsed { amount: Micros(micros), rounded: false }), "{text}");
        }
    }

    #[test]
    fn more_than_six_decimals_round_half_to_even_and_say_so() {
        for (text, micros) in
            [("0.0000005", 0), ("0.0000015", 2), ("0.00000151", 2), ("0.00000249", 2), ("0.0000025", 2)]
        {
            assert_eq!(Micros::parse(text), Ok(Parsed { amount: Micros(micros), rounded: true }), "{text}");
        }
        assert!(Micros::parse("1.0000000").is_ok_and(|parsed| !parsed.rounded));
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in ["", ".", "1e3", "1,5", "+1", "NaN", "0x10", "1.2.3", " 1", "१", "--1"] {
            assert_eq!(Micros::parse(text), Err(MoneyError::NotDecimal), "{text}");
        }
        assert_eq!(Micros::parse("-1.5"), Err(MoneyError::Negative));
        for text in ["1000000000.000001", "99999999999", "1000000000.0000009"] {
            assert_eq!(Micros::parse(text), Err(MoneyError::TooLarge), "{text}");
        }
    }

    fn sent(text: &str) -> Option<(i64, bool, bool)> {
        Micros::parse_sent(text).ok().map(|sent| (sent.magnitude.0, sent.negative, sent.rounded))
    }

    #[test]
    fn blanks_signs_and_exponents_of_a_network_are_read_exactly() {
        for (text, micros, negative) in [
            ("500 ", 500_000_000, false),
            ("\u{a0}500\t", 500_000_000, false),
            ("+500", 500_000_000, false),
            ("-500", 500_000_000, true),
            ("\u{2212}1.5", 1_500_000, true),
            ("5e2", 500_000_000, false),
            ("1.5E-3", 1_500, false),
            ("0.05e+4", 500_000_000, false),
            ("12.345e1", 123_450_000, false),
            ("12345e-6", 12_345, false),
            (".5e1", 5_000_000, false),
            ("5.e0", 5_000_000, false),
            ("-0", 0, false),
            ("-0.00", 0, false),
            ("0e999999999999", 0, false),
            ("1.0000000000000000000000000000000000000000000000000000000000000000000000000", 1_000_000, false),
        ] {
            assert_eq!(sent(text), Some((micros, negative, false)), "{text}");
        }
        assert_eq!(sent("1e-999"), Some((0, false, true)));
        assert_eq!(sent("-1e-7"), Some((0, true, true)));
        assert!(!Micros::parse_sent("1e-999").expect("read").is_zero());
    }

    #[test]
    fn an_amount_that_could_mean_two_things_is_never_guessed() {
        for text in [
            "1,234.50",
            "500 coins",
            "1 000",
            "$5",
            "5%",
            "e5",
            "5e",
            "5e1.5",
            "5e1e1",
            "--5",
            "+-5",
            "- 5",
            "(5)",
            "5-",
            "0x1F",
            "NaN",
            "Infinity",
            "null",
            "",
            " ",
            "५",
        ] {
            assert_eq!(Micros::parse_sent(text), Err(MoneyError::NotDecimal), "{text}");
        }
        for text in ["1e10", "1e99999999999999999999", "1000000000.000001", "0.1e11"] {
            assert_eq!(Micros::parse_sent(text), Err(MoneyError::TooLarge), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_amount_is_read_alike_in_both_ways(text in "[0-9]{0,12}[.]?[0-9]{0,9}") {
            let strict = Micros::parse(&text);
            prop_assert_eq!(Micros::parse_sent(&text).and_then(Sent::not_negative), strict);
        }

        #[test]
        fn an_exponent_moves_the_point_and_nothing_else(micros in 0..=MAX_AMOUNT_UNITS, places in 0..6_u32) {
            let plain = Micros::parse_sent(&micros.to_string()).expect("read");
            let text = format!("{micros}e-{places}");
            let part = Micros::parse_sent(&text).expect("read").magnitude.0;
            prop_assert_eq!(part * 10_i64.pow(places), plain.magnitude.0);
        }

        #[test]
        fn no_sent_text_makes_the_parser_panic(text in "\\PC{0,40}|[-+0-9.eE ]{0,300}") {
            let _ = Micros::parse_sent(&text);
        }

        #[test]
        fn what_is_printed_reads_back(micros in 0..=MAX_AMOUNT_UNITS * MICROS_PER_UNIT) {
            let parsed = Micros::parse(&Micros(micros).to_string());
            prop_assert_eq!(parsed, Ok(Parsed { amount: Micros(micros), rounded: false }));
        }

        #[test]
        fn no_text_makes_the_parser_fail_otherwise_than_by_an_error(text in "[-+0-9.eE]{0,80}") {
            let _ = Micros::parse(&text);
        }
    }
}
