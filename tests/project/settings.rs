//! The handbook's chapter on settings is generated from the example file, so that they cannot differ.
//!
//! `WRITE_SETTINGS=1 cargo test --test project settings` writes it anew.

use std::fmt::Write as _;

use crate::{read, root};

const EXAMPLE: &str = "src/config/rewardgate.example.toml";
const CHAPTER: &str = "src/handbook/settings.md";
/// The variable that makes the test write the chapter.
const WRITE: &str = "WRITE_SETTINGS";
/// The first word of the comment above a key that must be given.
const REQUIRED: &str = "Required. ";

/// The end of a key's name, and its unit.
const UNITS: [(&str, &str); 12] = [
    ("_mib_per_hour", "MiB an hour"),
    ("_per_minute", "a minute"),
    ("_per_second", "a second"),
    ("_seconds", "s"),
    ("_minutes", "min"),
    ("_hours", "h"),
    ("_days", "days"),
    ("_kib", "KiB"),
    ("_usd", "USD"),
    ("_ppm", "parts per million"),
    ("_reward", "users' currency"),
    ("_percent", "%"),
];

const HEAD: &str = "# Settings

For whoever installs or operates RewardGate. It lists every key with its meaning, unit, default and the environment variable that sets it.

The file is `--config FILE`, else the one that `REWARDGATE_CONFIG` names, else `rewardgate.toml` in the working directory. Start from
`src/config/rewardgate.example.toml`, from which this chapter is generated, and keep only what differs from the defaults.

Every key can come from the environment: `REWARDGATE_` and its name in capitals, with the value as in the file. A table is given as an
inline table, whose keys override those in the file; a list (`sources`, `apps`) replaces the whole list:

```sh
export REWARDGATE_TIMEZONE=Europe/Berlin
export REWARDGATE_LIMITS='{ connections = 1024 }'
export REWARDGATE_SOURCES='[{ name = \"targo-main\", network = \"targo\", secret = \"env:TARGO_SECRET\", currency = \"coins\" }]'
```

If there are errors, all are listed with their keys, and the process exits with 2. An unknown key is an error. *required*: there is no default.
*none*: not set unless you set it; the value after it is an example.
";

/// `[limits]`, `[[sources]]`, `[apps.forward]`; without a name: the top level.
#[derive(Debug, Default, PartialEq, Eq)]
struct Section {
    /// As the file writes it, brackets too.
    header: String,
    meaning: String,
    keys: Vec<Key>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    name: String,
    value: String,
    meaning: String,
    unset: Unset,
}

/// The default of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unset {
    /// The value in the file.
    Shown,
    /// None: the key is required.
    Required,
    /// None: the key is optional.
    None,
}

/// The sections of an example file. The comment directly above a key or a header is its meaning.
fn sections(example: &str) -> Result<Vec<Section>, String> {
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_.".contains(&byte));
    let is_header = |line: &str| {
        let inner = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
        inner.is_some_and(|name| is_name(name.trim_start_matches('[').trim_end_matches(']')))
    };
    let mut sections = vec![Section::default()];
    let mut comment: Vec<&str> = Vec::new();
    // In a section that is commented out as a whole each line has one more `# ` in front.
    let mut in_section_off = false;
    // What stands above the first key speaks of the file.
    for line in example.split_once("\n\n").map_or("", |(_, rest)| rest).lines() {
        if line.is_empty() {
            comment.clear();
            in_section_off = false;
            continue;
        }
        in_section_off = in_section_off || line.strip_prefix("# ").is_some_and(is_header);
        let line = if in_section_off {
            line.strip_prefix("# ").ok_or("a section ends without an empty line")?
        } else {
            line
        };
        let (bare, is_off) = line.strip_prefix("# ").map_or((line, false), |bare| (bare, true));
        if is_header(line) {
            let meaning = std::mem::take(&mut comment).join(" ");
            sections.push(Section { header: line.to_owned(), meaning, keys: Vec::new() });
        } else if let Some((name, value)) = bare.split_once(" = ").filter(|(name, _)| is_name(name)) {
            let meaning = std::mem::take(&mut comment).join(" ");
            if meaning.is_empty() {
                return Err(format!("`{name}` has no comment directly above it"));
            }
            let (meaning, unset) = match meaning.strip_prefix(REQUIRED) {
                Some(meaning) => (meaning.to_owned(), Unset::Required),
                None if is_off => (meaning, Unset::None),
                None => (meaning, Unset::Shown),
            };
            let key = Key { name: name.to_owned(), value: value.to_owned(), meaning, unset };
            sections.last_mut().ok_or("no section")?.keys.push(key);
        } else if is_off {
            comment.push(bare);
        } else {
            return Err(format!("this line is neither a key, a section nor a comment: {line}"));
        }
    }
    Ok(sections)
}

/// The chapter that an example file makes.
fn chapter(example: &str) -> Result<String, String> {
    let mut text = HEAD.to_owned();
    for section in sections(example)? {
        let Section { header, meaning, keys } = section;
        let title = if header.is_empty() { "Top level".to_owned() } else { format!("`{header}`") };
        let _ = writeln!(text, "\n## {title}\n");
        if !meaning.is_empty() {
            let _ = writeln!(text, "{meaning}\n");
        }
        text += "| key | meaning | unit | default | environment |\n|---|---|---|---|---|\n";
        for key in keys {
            let unit = UNITS.iter().find(|(end, _)| key.name.ends_with(end)).map_or("", |(_, unit)| unit);
            let value = &key.value;
            let default = match key.unset {
                Unset::Shown => format!("`{value}`"),
                Unset::Required => format!("required, e.g. `{value}`"),
                Unset::None => format!("none, e.g. `{value}`"),
            };
            let top = header.trim_start_matches('[').split(['.', ']']).next().unwrap_or_default();
            let variable = if top.is_empty() { &key.name } else { top }.to_uppercase();
            let cell = |text: &str| text.replace('|', "\\|");
            let (meaning, default) = (cell(&key.meaning), cell(&default));
            let _ = writeln!(
                text,
                "| `{}` | {meaning} | {unit} | {default} | `REWARDGATE_{variable}` |",
                key.name
            );
        }
    }
    Ok(text)
}

#[test]
fn the_chapter_on_settings_is_made_from_the_example() {
    let made = chapter(&read(EXAMPLE)).unwrap_or_else(|why| panic!("{EXAMPLE}: {why}"));
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(root().join(CHAPTER), &made).unwrap_or_else(|why| panic!("{CHAPTER}: {why}"));
    }
    let stands = read(CHAPTER);
    let pairs = made.lines().zip(stands.lines());
    let differs = pairs.clone().position(|(made, stands)| made != stands).unwrap_or(pairs.count());
    assert!(
        made == stands,
        "{CHAPTER} is not what {EXAMPLE} makes of it, from line {} on. Change the example, then write the chapter anew:\n\n    \
         {WRITE}=1 cargo test --test project settings\n\n   made: {}\n stands: {}",
        differs + 1,
        made.lines().nth(differs).unwrap_or("(ends)"),
        stands.lines().nth(differs).unwrap_or("(ends)"),
    );
}

#[test]
fn a_key_is_shown_with_the_comment_above_it_and_its_default() {
    let example = "# The file.\n\n# Where it\n# listens.\nlisten = \"a|b\"\n\n# Required. Its URL.\nurl = \"u\"\n\n# Off.\n\
                   # off_days = 1\n\n# Mail.\n# [mail]\n# # Required. Its server.\n# server = \"s\"\n# # Its port.\n\
                   # # port = 1\n# # How long.\n# retry_seconds = 2\n\n# Sources.\n[[sources]]\n# Its name.\nname = \"n\"\n";
    let chapter = chapter(example).expect("sound");
    let (_, tables) = chapter.split_once("## Top level").expect("a top level");
    let rows: Vec<_> =
        tables.lines().filter(|line| line.starts_with("| `") || line.starts_with("##")).collect();
    assert_eq!(
        rows,
        [
            "| `listen` | Where it listens. |  | `\"a\\|b\"` | `REWARDGATE_LISTEN` |",
            "| `url` | Its URL. |  | required, e.g. `\"u\"` | `REWARDGATE_URL` |",
            "| `off_days` | Off. | days | none, e.g. `1` | `REWARDGATE_OFF_DAYS` |",
            "## `[mail]`",
            "| `server` | Its server. |  | required, e.g. `\"s\"` | `REWARDGATE_MAIL` |",
            "| `port` | Its port. |  | none, e.g. `1` | `REWARDGATE_MAIL` |",
            "| `retry_seconds` | How long. | s | `2` | `REWARDGATE_MAIL` |",
            "## `[[sources]]`",
            "| `name` | Its name. |  | `\"n\"` | `REWARDGATE_SOURCES` |",
        ]
    );
    assert!(tables.contains("\nMail.\n") && tables.contains("\nSources.\n"), "{tables}");
    for bad in
        ["#\n\nkey = 1\n", "#\n\n# A comment.\n\nkey = 1\n", "#\n\n# Two.\na = 1\nb = 2\n", "#\n\nnonsense\n"]
    {
        assert!(super::settings::chapter(bad).is_err(), "{bad}");
    }
}
