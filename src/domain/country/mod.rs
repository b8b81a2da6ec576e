//! Countries by two-letter code, three-letter code or English name.
//!
//! Networks are asked for ISO 3166-1 alpha-2 and send what their own database says. Whatever can mean only one
//! country is read; everything else is unknown, which is not suspicious.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A country a line: alpha-2, alpha-3, names in English, separated by `|`.
const COUNTRIES: &str = include_str!("countries.txt");

/// Two-letter codes that are still sent, and what they stand for today. `UK` is widely sent for `GB`, `EL` for `GR`.
const ALIASES: [(&str, &str); 9] = [
    ("UK", "GB"),
    ("EL", "GR"),
    ("FX", "FR"),
    ("TP", "TL"),
    ("ZR", "CD"),
    ("BU", "MM"),
    ("DD", "DE"),
    ("AC", "SH"),
    ("TA", "SH"),
];

/// Three-letter codes that are no ISO codes of today, but can mean only one country.
const OTHER_ALPHA_3: [(&str, &str); 4] = [("ENG", "GB"), ("SCO", "GB"), ("ROM", "RO"), ("ZAR", "CD")];

struct Tables {
    alpha_2: HashMap<&'static str, &'static str>,
    alpha_3: HashMap<&'static str, &'static str>,
    names: HashMap<String, &'static str>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut tables = Tables { alpha_2: HashMap::new(), alpha_3: HashMap::new(), names: HashMap::new() };
    for line in COUNTRIES.lines() {
        let mut parts = line.splitn(3, ' ');
        let (Some(code), Some(alpha_3), Some(names)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        tables.alpha_2.insert(code, code);
        tables.alpha_3.insert(alpha_3, code);
        for name in names.split('|') {
            tables.names.insert(spelled(name), code);
        }
    }
    tables.alpha_2.extend(ALIASES);
    tables.alpha_3.extend(OTHER_ALPHA_3);
    tables
});

/// The user's country as a network reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// A country (alpha-2, upper case).
    Country(&'static str),
    /// No country, but a kind of network that hides it.
    Hidden(Hidden),
}

/// Codes of geo databases that mean a kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// `T1`: a Tor exit.
    Tor,
    /// `A1`: an anonymous proxy.
    Anonymous,
    /// `A2`: a satellite link.
    Satellite,
}

/// The country of a two-letter code in any case: a code of ISO 3166-1, `XK`, or a known alias. `EU`, `AP`, `XX` and
/// `ZZ` stand for "somewhere", which is no country; neither is a code that nobody assigned.
pub fn of_code(text: &str) -> Option<&'static str> {
    let bytes = text.trim().as_bytes();
    let [first, second] = bytes else { return None };
    let upper = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
    let code = std::str::from_utf8(&upper).ok()?;
    TABLES.alpha_2.get(code).copied()
}

/// The kind of network that a code means, if it is one of those.
pub fn hidden(text: &str) -> Option<Hidden> {
    match text.trim() {
        "T1" | "t1" => Some(Hidden::Tor),
        "A1" | "a1" => Some(Hidden::Anonymous),
        "A2" | "a2" => Some(Hidden::Satellite),
        _ => None,
    }
}

/// What `text` says: a code of two or three letters, an English name, or the code of a hidden network. `None` if that
/// could be more than one country, or none.
pub fn read(text: &str) -> Option<Reported> {
    let text = text.trim();
    if let Some(hidden) = hidden(text) {
        return Some(Reported::Hidden(hidden));
    }
    let by_alpha_3 = || TABLES.alpha_3.get(text.to_ascii_uppercase().as_str()).copied();
    of_code(text)
        .or_else(by_alpha_3)
        .or_else(|| TABLES.names.get(&spelled(text)).copied())
        .map(Reported::Country)
}

/// A name as it is looked up: lower case, its words without articles and punctuation, `&` as `and`, `St.` as `Saint`.
fn spelled(name: &str) -> String {
    let name = name.to_lowercase().replace('&', " and ").replace('.', "").replace(['\u{2019}', '\''], "");
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty() && *word != "the");
    words.map(|word| if word == "st" { "saint" } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(text: &str) -> Option<&'static str> {
        match read(text) {
            Some(Reported::Country(code)) => Some(code),
            Some(Reported::Hidden(_)) | None => None,
        }
    }

    #[test]
    fn a_country_is_read_by_its_codes_and_its_english_names() {
        for (text, code) in [
            ("US", "US"),
            ("us", "US"),
            (" de ", "DE"),
            ("USA", "US"),
            ("usa", "US"),
            ("United States of America", "US"),
            ("united states", "US"),
            ("U.S.A.", "US"),
            ("GBR", "GB"),
            ("UK", "GB"),
            ("EL", "GR"),
            ("The Netherlands", "NL"),
            ("Côte d’Ivoire", "CI"),
            ("COTE D'IVOIRE", "CI"),
            ("Korea, Republic of", "KR"),
            ("Trinidad & Tobago", "TT"),
            ("St. Lucia", "LC"),
            ("Kosovo", "XK"),
            ("Türkiye", "TR"),
            ("Viet Nam", "VN"),
        ] {
            assert_eq!(country(text), Some(code), "{text}");
        }
    }

    #[test]
    fn what_could_be_two_countries_or_none_is_not_known() {
        for text in [
            "", "-", "XX", "ZZ", "EU", "AP", "O1", "QQ", "QZ", "XA", "Korea", "Congo", "Europe", "840",
            "en-US", "null", "Ü",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn codes_that_hide_a_country_name_the_kind_of_network() {
        for (text, kind) in
            [("T1", Hidden::Tor), ("t1", Hidden::Tor), ("A1", Hidden::Anonymous), ("A2", Hidden::Satellite)]
        {
            assert_eq!(read(text), Some(Reported::Hidden(kind)));
        }
    }

    #[test]
    fn the_table_has_every_country_once() {
        assert_eq!(COUNTRIES.lines().count(), 250, "249 of ISO 3166-1, and Kosovo");
        assert_eq!(TABLES.alpha_3.len(), 250 + OTHER_ALPHA_3.len());
        let names: usize = COUNTRIES.lines().map(|line| line.split('|').count()).sum();
        assert!(TABLES.names.len() <= names);
        assert!(COUNTRIES.lines().all(|line| of_code(&line[..2]) == Some(&line[..2])));
    }
}
