//! Phrases that pages must not use, because readers have to guess their meaning.

use std::fs;
use std::path::{Path, PathBuf};

/// Banned phrases in lower case, with their replacement.
const RIDDLES: [(&str, &str); 35] = [
    ("what becomes of", "the result"),
    ("what became of", "the result"),
    ("out of service", "does not affect readiness"),
    ("wants a bearer token", "requires a bearer token"),
    ("over its term", "expired data is deleted"),
    ("term is over", "expired data is deleted"),
    ("is not told at all", "is not sent"),
    ("told nothing", "deliveries are disabled"),
    ("been told", "was sent"),
    ("put aside", "quarantined, or set aside"),
    ("takes once more", "replays"),
    ("take it again", "Replay"),
    ("things to mend", "problems found"),
    ("empty list is none", "empty: no allowlist"),
    ("which it never should", "contains an invalid value"),
    ("are not heard", "connection lost"),
    ("a day that is none", "not a valid business date"),
    ("needs words", "a reason is required"),
    ("any more", "is no longer"),
    (" fits.", "No holds match these filters"),
    ("is held fits", "No holds match these filters"),
    ("open at {", "claimed by"),
    ("has this open", "claimed by"),
    ("has it open", "claimed by"),
    ("<label>together", "Group by"),
    ("<label>first <", "Sort by"),
    ("finance's word", "finance actions"),
    ("for your word", "awaiting import"),
    ("network's word", "some values were entered by a person"),
    ("belong together", "Incorrect name or password"),
    ("there is no such", "not found"),
    ("worth nothing", "a reason"),
    ("they count", "the statement"),
    ("of theirs", "of the statement"),
    ("two persons", "two people"),
];

#[test]
fn no_page_speaks_in_riddles() {
    let console = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut said = Vec::new();
    for folder in ["console", "statements"] {
        for file in files(&console.join(folder)) {
            let text = words(&fs::read_to_string(&file).expect("a file of this crate"));
            let found = RIDDLES.iter().filter(|(riddle, _)| text.contains(riddle));
            said.extend(found.map(|(riddle, plain)| format!("{}: {riddle:?}: {plain}", file.display())));
        }
    }
    assert!(said.is_empty(), "{said:#?}");
}

/// Templates, code and scripts below `folder`, without this file.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of this crate") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("words.rs") && path.extension().is_some_and(|end| end != "css") {
            found.push(path);
        }
    }
    found
}

/// The text of a file in lower case, without comments and with continued lines joined.
fn words(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let text: String =
        lines.map(|line| line.strip_suffix('\\').map_or(format!("{line}\n"), str::to_owned)).collect();
    text.to_lowercase()
}

#[test]
fn a_sentence_over_two_lines_is_one_and_comments_say_nothing() {
    assert_eq!(words("/// It fits.\n\"Nothing \\\n    Fits.\""), "\"nothing fits.\"\n");
}
