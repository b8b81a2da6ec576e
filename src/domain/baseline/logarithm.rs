//! The logarithm of a time, in whole numbers: the same on every machine, which floating point does not promise.

/// Milli-nats: thousandths of a natural logarithm. 1,000 of them are a factor of 2.718, 693 a factor of 2.
pub type Millinats = i64;

/// What a factor of 2 is.
pub const FACTOR_2: Millinats = 693;
/// What a factor of 3 is.
pub const FACTOR_3: Millinats = 1_099;

/// Click times come in whole seconds, so shorter times are not told apart.
const SHORTEST_MS: i64 = 1_000;

/// Binary digits behind the point; 24 are far below a milli-nat.
const DIGITS: u32 = 24;
/// ln 2 in billionths.
const LN_2: i128 = 693_147_181;

/// The natural logarithm of `ms` in seconds; 0 for a second or less.
pub fn log(ms: i64) -> Millinats {
    let times_2_to_digits = i128::from(log_2(ms.max(SHORTEST_MS)) - log_2(SHORTEST_MS));
    // From billionths to thousandths, rounded.
    let divisor = 1_000_000_i128 << DIGITS;
    i64::try_from((times_2_to_digits * LN_2 + divisor / 2) / divisor).unwrap_or(i64::MAX)
}

/// The binary logarithm of a positive number, times 2 to the power of [`DIGITS`]: each squaring of the rest yields a digit.
fn log_2(number: i64) -> i64 {
    let number = number.max(1).unsigned_abs();
    let whole = number.ilog2();
    // From 1 to below 2, with 62 digits behind the point.
    let mut rest = number << (62 - whole);
    let mut log = i64::from(whole);
    for _ in 0..DIGITS {
        let square = (u128::from(rest) * u128::from(rest)) >> 62;
        let is_two_or_more = square >> 63 == 1;
        rest = u64::try_from(if is_two_or_more { square >> 1 } else { square }).unwrap_or(u64::MAX);
        log = log << 1 | i64::from(is_two_or_more);
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_of_times_are_those_of_mathematics() {
        for ms in [1_000_i64, 1_001, 2_000, 2_718, 60_000, 543_210, 86_400_000, 7_776_000_000, i64::MAX] {
            #[expect(clippy::cast_precision_loss, reason = "a test may round")]
            let exact = (ms as f64 / 1_000.0).ln() * 1_000.0;
            #[expect(clippy::cast_precision_loss, reason = "a test may round")]
            let off = (log(ms) as f64 - exact).abs();
            assert!(off <= 0.51, "{ms} ms: {} and {exact}", log(ms));
        }
        assert_eq!((log(2_000), log(3_000)), (FACTOR_2, FACTOR_3));
    }

    #[test]
    fn less_than_a_second_is_a_second() {
        assert_eq!([-5, 0, 1, 999, 1_000].map(log), [0; 5]);
    }
}
