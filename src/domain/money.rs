//! Exact amounts: micros (10⁻⁶ of a unit), parsed from decimal text without ever touching a float.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Micros in one unit of any currency.
pub const MICROS_PER_UNIT: i64 = 1_000_000;

/// The largest amount of one reward or payout, in units. Nine thousand of them fit into one balance; no reward of
/// any offerwall comes near, so a larger figure is a fault of the sender.
pub const MAX_AMOUNT_UNITS: i64 = 1_000_000_000;

/// The longest decimal text that is read at all, in bytes.
const MAX_DECIMAL_LEN: usize = 64;

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

    /// The amount in micros.
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
    /// A minus sign.
    #[error("is negative")]
    Negative,
    /// More than [`MAX_AMOUNT_UNITS`].
    #[error("is larger than {MAX_AMOUNT_UNITS}")]
    TooLarge,
}

/// A parsed amount, and whether digits beyond the sixth decimal were rounded away (half to even).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The amount.
    pub amount: Micros,
    /// True if the text was more precise than a micro.
    pub rounded: bool,
}

impl Micros {
    /// Reads `12`, `12.5`, `.5` or `12.` exactly; anything else is an error.
    pub fn parse(text: &str) -> Result<Parsed, MoneyError> {
        if let Some(rest) = text.strip_prefix('-') {
            return Err(if is_decimal(rest) { MoneyError::Negative } else { MoneyError::NotDecimal });
        }
        if !is_decimal(text) {
            return Err(MoneyError::NotDecimal);
        }
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
        Ok(Parsed { amount: Self(micros), rounded: !beyond.is_empty() })
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

fn is_decimal(text: &str) -> bool {
    text.len() <= MAX_DECIMAL_LEN
        && text.bytes().any(|byte| byte.is_ascii_digit())
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

    proptest! {
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
