//! Country codes.

/// Codes in databases that are not countries: Asia-Pacific, European Union, two forms of "unknown". As countries they would
/// contradict every country that a network reports.
const NOT_COUNTRIES: [&str; 4] = ["AP", "EU", "XX", "ZZ"];

/// The country code in `text` (ISO 3166-1 alpha-2, upper case); `None` if it is not a country.
pub(crate) fn country(text: &str) -> Option<String> {
    domain::location::country_code(text).filter(|code| !NOT_COUNTRIES.contains(&code.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_country_codes_are_countries() {
        assert_eq!(country("us").as_deref(), Some("US"));
        assert_eq!(country("XK").as_deref(), Some("XK"));
        for other in ["", "U", "USA", "United States", "A1", "T1", "-", "eu", "AP", "ZZ", "XX", "ÄÖ"] {
            assert_eq!(country(other), None, "{other}");
        }
    }
}
