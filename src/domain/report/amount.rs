//! Amounts in a report: micros inside, decimal text outside.

use std::fmt;
use std::iter;
use std::ops::{Add, AddAssign, Neg, Sub};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::money::{MICROS_PER_UNIT, Micros};

/// An amount in micros, of either sign; decimal text without trailing zeros in files and the API.
///
/// A sum that leaves the range stays at its end: the balances of the ledger are bounded well inside it, so such a
/// sum cannot tie out, and the report says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub i64);

impl Amount {
    /// Reads what [`fmt::Display`] writes: an optional minus, digits, up to six decimals.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (units, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if units.is_empty() || !plain(units) || !plain(decimals) || decimals.len() > 6 {
            return None;
        }
        let fraction: i64 = if decimals.is_empty() { 0 } else { format!("{decimals:0<6}").parse().ok()? };
        let whole: i64 = units.parse().ok()?;
        let micros = whole.checked_mul(MICROS_PER_UNIT)?.checked_add(fraction)?;
        Some(Self(if negative { -micros } else { micros }))
    }

    /// True if there is nothing.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        Micros(self.0).fmt(out)
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self(0), Add::add)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is not an amount")))
    }
}

/// A count and its total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Number of rewards, lines or users.
    pub count: i64,
    /// Their total; the containing field says in which currency.
    pub amount: Amount,
}

impl Sum {
    /// From a count and micros.
    pub fn new(count: i64, micros: i64) -> Self {
        Self { count, amount: Amount(micros) }
    }
}

impl Add for Sum {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { count: self.count + other.count, amount: self.amount + other.amount }
    }
}

impl Sub for Sum {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { count: self.count - other.count, amount: self.amount - other.amount }
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(micros in -9_000_000_000_000_000_000_i64..=9_000_000_000_000_000_000) {
            prop_assert_eq!(Amount::parse(&Amount(micros).to_string()), Some(Amount(micros)));
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-", ".5", "1.0000001", "1e3", "+1", "--1", "99999999999999"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }
}
