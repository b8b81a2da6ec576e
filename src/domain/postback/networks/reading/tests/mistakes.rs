//! Typical mistakes, one at a time, with the whole message of each in `mistakes.txt`.
//!
//! `WRITE_MISTAKES=1 cargo test -p domain mistakes` writes that file anew: read what has changed before it is committed.

use super::*;

/// What is said of every mistake, each below a line that shows it.
const GOLDEN: &str = include_str!("mistakes.txt");
/// The variable that makes the test write the file.
const WRITE: &str = "WRITE_MISTAKES";

/// What is replaced in the good definition, and by what.
const MISTAKES: &[(&str, &str)] = &[
    ("methods = [", "metods = ["),
    ("name = \"mine\"", "name = \"My Network\""),
    ("\"https://example.com/postback\"", "\"their PDF\""),
    ("confirmed = \"documented\"", "confirmed = \"yes\""),
    ("[\"GET\"]", "[\"GET\", \"get\"]"),
    ("parameters = \"query\"", "parameters = \"json\""),
    ("user_id = {", "userid = {"),
    ("parameter = \"tx\"", "parameter = \"uid\""),
    ("unit = \"usd\"", "unit = \"cents\""),
    ("by = [\"status\"]", "by = [\"state\"]"),
    ("2 = \"reversal\"", "2 = \"chargeback\""),
    ("2 = \"reversal\"", "01 = \"reversal\""),
    ("event = \"{tx_id}\"", "event = \"{transaction}\""),
    ("event = \"{tx_id}\"", "event = \"{tx_id}{status}\""),
    ("\"reward\", \"secret\"]", "\"reward\"]"),
    ("\"tx_id\", \"reward\"", "\"tx_id\", \"offer_id\""),
    ("digest = \"md5\"", "digest = \"sha512\""),
    ("encoding = \"hex\"", "encoding = \"HEX\""),
    ("at = { query = \"sig\" }", "at = { query = \"status\" }"),
    ("body = \"OK\"", "body = \"{event_id}:OK\""),
    ("body = \"OK\"", "body = \"OK\\n\""),
    ("status = 200, body", "status = 404, body"),
    ("horizon_minutes = 60", "horizon_minutes = \"1h\""),
    ("203.0.113.0/24", "203.0.113.0/33"),
    ("delimiter = \";\"", "delimitr = \";\""),
    ("delimiter = \";\"", "delimiter = \"tab\""),
    ("delimiter = \";\"", "delimiter = \"x\""),
    ("header = true", "header = false"),
    ("\"%d.%m.%Y\"", "\"dd.mm.yyyy\""),
    ("Europe/Berlin", "CET/CEST"),
    ("[\"currency_sign\"]", "[\"sign\"]"),
    ("{ tx_id = \"ID\"", "{ transaction = \"ID\""),
    ("{ total = \"Sum\" }", "{ balance = \"Sum\" }"),
    ("[\"charged back\"]", "[\"charged back\", \"Paid\"]"),
];

#[test]
fn each_typical_mistake_names_file_line_key_and_cure() {
    assert!(MISTAKES.len() >= 20);
    let told = MISTAKES.iter().map(|(good, bad)| {
        let message = with(good, bad);
        for line in message.lines() {
            let (place, rest) = line.split_once(": ").expect("file and line");
            assert!(place.starts_with("mine.toml:") && rest.contains(": ") && rest.contains("; "), "{line}");
        }
        let one_line = |text: &str| text.replace('\n', "\\n");
        format!("# {}  ->  {}\n{message}\n\n", one_line(good), one_line(bad))
    });
    let told: String = told.collect();
    if std::env::var_os(WRITE).is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/postback/networks/reading/tests/mistakes.txt");
        std::fs::write(path, &told).unwrap_or_else(|why| panic!("{path}: {why}"));
        return;
    }
    for (told, golden) in told.split("\n\n").zip(GOLDEN.split("\n\n")) {
        assert_eq!(told, golden);
    }
    assert_eq!(told, GOLDEN);
}
