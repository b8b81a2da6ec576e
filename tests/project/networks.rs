//! The handbook's chapter on networks: its table is made from the definitions, and its example works as it says.
//!
//! `WRITE_NETWORKS=1 cargo test --test project networks` writes the table anew.

use std::fmt::Write as _;

use domain::postback::event::Params;
use domain::postback::networks::signature::Keys;
use domain::postback::networks::trial::trial;
use domain::postback::networks::{Call, Definition, shipped};
use domain::postback::signature::Secret;
use domain::time::TimestampMs;

use crate::{read, root};

const CHAPTER: &str = "src/handbook/networks.md";
/// The variable that makes the test write the table.
const WRITE: &str = "WRITE_NETWORKS";
/// The first line of the table; an empty line ends it.
const HEAD: &str = "| name | title | confirmed | signed |\n";

/// The table of all networks that ship.
fn table() -> String {
    let mut table = format!("{HEAD}|---|---|---|---|\n");
    for name in shipped::names() {
        let definition = shipped::definition(name).expect("it ships").unwrap_or_else(|bad| panic!("{bad}"));
        let (title, sure, signed) =
            (&definition.title, definition.confirmed.name(), definition.coverage().short());
        let unproven = if definition.unsigned().is_unproven { ", formula unproven" } else { "" };
        let _ = writeln!(table, "| `{name}` | {title} | {sure} | {signed}{unproven} |");
    }
    table
}

#[test]
fn the_table_of_networks_is_made_from_their_definitions() {
    let chapter = read(CHAPTER);
    let start = chapter.find(HEAD).expect("the table");
    let end = chapter[start..].find("\n\n").map_or(chapter.len(), |len| start + len + 1);
    let (stands, made) = (&chapter[start..end], table());
    if std::env::var_os(WRITE).is_some() {
        let text = format!("{}{made}{}", &chapter[..start], &chapter[end..]);
        std::fs::write(root().join(CHAPTER), text).unwrap_or_else(|why| panic!("{CHAPTER}: {why}"));
        return;
    }
    assert!(made == stands, "{CHAPTER} is stale: {WRITE}=1 cargo test --test project networks\n{made}");
}

#[test]
fn the_example_of_the_chapter_verifies_and_becomes_what_it_says() {
    let chapter = read(CHAPTER);
    let start = chapter.find("```toml\nname = \"coinrail\"").expect("the example") + "```toml\n".len();
    let text = chapter[start..].split("```").next().unwrap_or_default();
    let definition = Definition::parse("coinrail.toml", text).unwrap_or_else(|faults| panic!("{faults}"));
    let (_, url) = chapter.split_once("env:COINRAIL_KEY '").expect("the call");
    let url = url.split('\'').next().unwrap_or_default();
    let target = url.strip_prefix("https://gw.example.com").expect("its host");
    let keys = Keys { secrets: Secret::new("example-secret").into_iter().collect(), ..Keys::default() };
    let call = Call::get("https://gw.example.com", target);
    let trial = trial(&call, &Params::of(definition), Some(&keys), TimestampMs(0));
    let result = trial.lines("units").pop().expect("a result").text;
    assert!(trial.is_good() && chapter.contains(&result), "{result}");
}
