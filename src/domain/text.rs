//! Words for people: durations and counts as a reviewer would say them; and hexadecimal digits.

/// A span of time in its two largest units: `4 s`, `9 min 3 s`, `2 h 5 min`, `41 days`.
pub fn duration(ms: i64) -> String {
    let seconds = ms.unsigned_abs() / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let pair = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {small_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => pair(minutes, "min", seconds % 60, "s"),
        3_600..172_800 => pair(hours, "h", minutes % 60, "min"),
        _ => format!("{days} days"),
    }
}

/// `1 reward`, `2 rewards`, `2 deliveries`, `2 days`.
pub fn count(number: u64, noun: &str) -> String {
    let consonant_before_y = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (number, consonant_before_y) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// Lowercase hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// SHA-256 in lowercase hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    #[test]
    fn durations_read_as_people_say_them() {
        for (ms, text) in [
            (0, "0 s"),
            (4_900, "4 s"),
            (60_000, "1 min"),
            (543_000, "9 min 3 s"),
            (7_500_000, "2 h 5 min"),
            (3_542_400_000, "41 days"),
        ] {
            assert_eq!(super::duration(ms), text);
        }
    }
}
