//! The example file matches the code: every key, every default, every comment.

use std::collections::{BTreeMap, BTreeSet};

use super::layers::EXAMPLE;
use super::{Environment, Settings};

/// The content of a line of the example.
enum Shown<'t> {
    Section(&'t str),
    Key { name: &'t str, value: &'t str, is_set: bool },
    Text,
}

/// Classifies a line of the example, commented out or not.
fn shown(line: &str) -> Shown<'_> {
    let plain = line.trim_start_matches("# ");
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_.".contains(&byte));
    let bare = plain.trim_start_matches('[').trim_end_matches(']');
    if plain.starts_with('[') && plain.ends_with(']') && is_name(bare) {
        return Shown::Section(bare);
    }
    match plain.split_once(" = ") {
        Some((name, value)) if is_name(name) => Shown::Key { name, value, is_set: plain == line },
        _ => Shown::Text,
    }
}

/// The example with every key and section active; `change` may replace their lines.
fn everything(change: impl Fn(&str, &Shown<'_>) -> Option<String>) -> String {
    let mut section = "";
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        let shown = shown(line);
        if let Shown::Section(name) = shown {
            section = name;
        }
        if !matches!(shown, Shown::Text) {
            let plain = line.trim_start_matches("# ");
            text += &change(section, &shown).unwrap_or_else(|| plain.to_owned());
            text += "\n";
        }
    }
    text
}

#[test]
fn every_key_of_the_example_is_read_and_every_key_read_is_in_it() {
    // The error about an unknown key lists all known ones.
    let text = everything(|_, shown| match shown {
        Shown::Section(name) if ["sources", "apps"].contains(name) => {
            Some(format!("[[{name}]]\nnonsense = 1"))
        }
        Shown::Section(name) => Some(format!("[{name}]\nnonsense = 1")),
        _ => None,
    });
    let faults =
        Settings::parse(&format!("nonsense = 1\n{text}"), Environment::Ignored).expect_err("nonsense");
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in EXAMPLE.lines() {
        match shown(line) {
            Shown::Section(name) => {
                section = name.to_owned();
                let (above, last) = name.rsplit_once('.').unwrap_or(("", name));
                documented.entry(above.to_owned()).or_default().insert(last.to_owned());
            }
            Shown::Key { name, .. } => {
                let is_new = documented.entry(section.clone()).or_default().insert(name.to_owned());
                assert!(is_new, "`{name}` stands twice in [{section}]");
            }
            Shown::Text => {}
        }
    }
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in &faults {
        let Some((key, known)) = line.split_once("` is not a setting; known here: ") else { continue };
        let section = key.trim_start_matches('`').replace(".0.", ".");
        let section =
            section.strip_suffix("nonsense").unwrap_or_else(|| panic!("{section} is not read: {line}"));
        let known = known.split(", ").map(str::to_owned).collect();
        read.insert(section.trim_end_matches('.').to_owned(), known);
    }
    assert_eq!(documented, read);
}

#[test]
fn each_key_of_the_example_has_a_comment_of_its_own() {
    let mut before = "";
    let mut section = String::new();
    for line in EXAMPLE.lines() {
        match shown(line) {
            Shown::Section(name) => {
                section = name.to_owned();
                assert!(before.starts_with("# "), "[{name}] has no comment above it");
            }
            Shown::Key { name, .. } => {
                let is_comment = before.starts_with("# ") && matches!(shown(before), Shown::Text);
                assert!(is_comment, "`{name}` of [{section}] has no comment directly above it");
            }
            Shown::Text => {}
        }
        before = line;
    }
}

/// Another valid value of the same type; `None` if there is none.
fn another(value: &str) -> Option<String> {
    let other = match value {
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        "\"127.0.0.1:8080\"" => "\"127.0.0.1:1\"".to_owned(),
        "\"sqlite://rewardgate.db\"" => "\"postgres://other\"".to_owned(),
        "\"UTC\"" => "\"Europe/Berlin\"".to_owned(),
        "\"info\"" => "\"warn\"".to_owned(),
        "\"text\"" => "\"json\"".to_owned(),
        "\"02:00\"" => "\"03:00\"".to_owned(),
        "\"starttls\"" => "\"tls\"".to_owned(),
        "\"empty\"" => "\"cut\"".to_owned(),
        "\"flag\"" => "\"off\"".to_owned(),
        "\"space\"" => "\"plus\"".to_owned(),
        "\",\"" => "\";\"".to_owned(),
        "\"rfc3339\"" => "\"unix\"".to_owned(),
        "\"0\"" => "\"1\"".to_owned(),
        "\"delivered\"" => "\"failed\"".to_owned(),
        "\"sha1\"" => "\"sha256\"".to_owned(),
        "\"default\"" => "\"targo\"".to_owned(),
        number => match number.parse::<i64>() {
            // Addresses must not be kept for a shorter time than postbacks.
            Ok(180) => "181".to_owned(),
            Ok(number) => (number - 1).max(1).to_string(),
            Err(_) => return None,
        },
    };
    Some(other)
}

#[test]
fn what_the_example_shows_as_default_is_what_holds() {
    let least = "public_url = \"https://gw.example.com\"\n[mail]\nserver = \"s\"\nfrom = \"a@b.example\"\n\
                 to = [\"a@b.example\"]\n[review]\nauto_release_below_usd = \"1\"\n[[apps]]\nname = \"main\"\n[apps.forward]\nurl = \"https://a.example/\
                 ?u={user_id}&t={tx_id}&r={reward}&s={status}\"\nsecret = \"env:PATH\"\n[[sources]]\n\
                 name = \"targo-main\"\nnetwork = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"coins\"";
    let with = |example: &str| Settings::parse_over(example, least, Environment::Ignored);
    let debug = |settings: &Settings| {
        let mail = settings.mail.as_ref().map(|mail| (mail.retry_ms, mail.workbook.is_some()));
        format!("{settings:?} {mail:?}")
    };
    let defaults = debug(&with(EXAMPLE).expect("valid"));
    let mut changed = 0;
    let mut start = 0;
    for line in EXAMPLE.lines() {
        let end = start + line.len();
        let in_section_off = line.starts_with("# ") && !line.starts_with("# # ");
        if let Shown::Key { name, value, is_set } = shown(line)
            && (is_set || in_section_off)
            && let Some(other) = another(value)
            && other != value
        {
            let line = line.replace(&format!("= {value}"), &format!("= {other}"));
            let example = format!("{}{line}{}", &EXAMPLE[..start], &EXAMPLE[end..]);
            let settings = with(&example).map(|settings| debug(&settings));
            assert!(settings.as_ref() != Ok(&defaults), "`{name}` = {other} changes nothing");
            changed += 1;
        }
        start = end + 1;
    }
    assert!(changed > 40, "{changed}");
}
