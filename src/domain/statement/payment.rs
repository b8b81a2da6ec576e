//! The amount that a network paid for a statement: read strictly; more than is open needs a confirmation.

use crate::money::{Micros, Positive};
use crate::report::amount::Amount;

/// The most decimals of an amount.
const MAX_DECIMALS: usize = 6;

/// An amount as a person writes it, `1234.50`: digits, one point, six decimals at most, above zero. No sign, no comma,
/// no grouping, no exponent: `1,5` is neither fifteen nor one and a half.
pub fn parse(text: &str) -> Result<Positive, String> {
    let text = text.trim();
    let (units, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(units) || !are_digits(decimals) || decimals.len() > MAX_DECIMALS {
        return Err(format!(
            "`{}` is not an amount such as 1234.50: digits, one point, at most {MAX_DECIMALS} decimals, no comma",
            text.chars().take(40).collect::<String>()
        ));
    }
    let parsed = Micros::parse(text).map_err(|error| format!("`{text}` {error}"))?;
    Positive::new(parsed.amount).ok_or_else(|| "the amount must be above zero".to_owned())
}

/// True if a payment is more than is `open`, so that a person has to confirm it.
pub fn exceeds(amount: Positive, open: Amount) -> bool {
    amount.micros() > open.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_strictly() {
        for (text, micros) in
            [("1234.50", 1_234_500_000), ("5", 5_000_000), (" 0.000001 ", 1), ("007.1", 7_100_000)]
        {
            assert_eq!(parse(text).map(Positive::micros), Ok(micros), "{text}");
        }
        for text in [
            "1,5",
            "1.234,50",
            "1,234.50",
            "1 234",
            "1'234",
            "-1",
            "+1",
            "1e3",
            "$5",
            "5 USD",
            ".5",
            "5.",
            "",
            "0",
            "0.00",
            "0.0000001",
            "٣",
            "NaN",
            "99999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn more_than_is_open_is_asked_about() {
        let of = |micros| Positive::new(Micros(micros)).expect("above zero");
        assert!(!exceeds(of(5), Amount(5)));
        assert!(exceeds(of(6), Amount(5)));
        assert!(exceeds(of(1), Amount(0)) && exceeds(of(1), Amount(-3)));
    }
}
