use std::collections::HashSet;
use std::io::Read as _;

use clap::Parser as _;
use flate2::read::GzDecoder;
use geo::Geo;
use sandbox::Network;

use super::*;
use crate::config::Environment;

/// The log in this folder: `rewardgate sandbox --personas --out src/commands/sample --events 20000 --seed 1`.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/sample");
const SAMPLE_EXTENT: Extent = Extent { events: 20_000, days: 45, seed: 1 };

fn log(extent: Extent) -> Log {
    let targo = Network::shipped("targo").expect("it ships");
    Log::of(population(None).expect("the example"), &targo, extent).expect("a log")
}

/// A command line, as the executable reads it.
#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    args: SandboxArgs,
}

fn run(flags: &[&str]) -> anyhow::Result<u8> {
    write(&Line::try_parse_from([&["sandbox"], flags].concat())?.args)
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(File::open(path).expect("a file")).read_to_string(&mut text).expect("gzip of text");
    text
}

#[test]
fn every_address_is_in_the_country_that_the_network_says() {
    let geo = Geo::open(&[]).expect("built-in data");
    let (mut seen, mut is_v6) = (HashSet::new(), HashSet::new());
    for call in log(Extent { events: 15_000, days: 45, seed: 21 }) {
        let completion = call.expect("signed").line.completion;
        let (address, said) = (completion.address(), completion.country());
        if seen.insert(address) {
            let found = geo.locate(Some(&address.to_string()));
            assert_eq!(found.country.as_deref(), Some(said), "{address} of {:?}", completion.persona);
            is_v6.insert(address.is_ipv6());
        }
    }
    assert!(seen.len() > 3_000 && is_v6.len() == 2, "{} addresses", seen.len());
}

#[test]
fn the_sample_is_what_its_seed_gives() {
    let (mut calls, mut truth) = (Vec::new(), Truth::begin(Vec::new()).expect("room"));
    let log = log(SAMPLE_EXTENT);
    let folder = Path::new("src/commands/sample");
    let settings = settings(&log, "targo", folder);
    let secrets: Vec<_> =
        log.sources().map(|(name, secret)| (secret_file(name), secret.to_owned())).collect();
    for call in log {
        let call = call.expect("signed");
        Form::Ndjson.write(&call, &mut calls).expect("room");
        truth.add(&call).expect("room");
    }
    let same = |name: &str, new: &[u8]| {
        let path = Path::new(SAMPLE).join(name);
        let old = if path.extension().is_some_and(|extension| extension == "gz") {
            unpacked(&path)
        } else {
            std::fs::read_to_string(&path).expect(name)
        };
        assert!(old.as_bytes() == new, "{name} differs: make the sample again with the command above");
    };
    same("access.ndjson.gz", &calls);
    same("truth.csv.gz", &truth.finish().expect("room"));
    same(SETTINGS, settings.as_bytes());
    for (name, secret) in secrets {
        same(&name, secret.as_bytes());
    }
    let size = std::fs::metadata(Path::new(SAMPLE).join("access.ndjson.gz")).expect("a file").len();
    assert!(size < 1_500_000, "{size} bytes");
}

#[test]
fn a_folder_has_log_truth_and_settings_that_are_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("new");
    let dir = out.to_str().expect("text");
    run(&["--personas", "--out", dir, "--events", "500", "--days", "5", "--seed", "4"]).expect("written");
    let lines = unpacked(&out.join("access.ndjson.gz"));
    assert_eq!(lines.lines().count(), 500);
    let text = std::fs::read_to_string(out.join(SETTINGS)).expect("settings");
    let settings = Settings::parse(&text, Environment::Ignored).unwrap_or_else(|faults| panic!("{faults:?}"));
    let names: Vec<_> = settings.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["wall-north", "wall-south"]);
    assert!(
        std::fs::read_to_string(out.join(TRUTH))
            .expect("truth")
            .starts_with("tx_id,source,user_id,persona,is_fraud\n")
    );
    run(&[
        "--personas",
        "--out",
        dir,
        "--events",
        "500",
        "--days",
        "5",
        "--seed",
        "4",
        "--format",
        "combined",
    ])
    .expect("written");
    let combined = unpacked(&out.join("access.log.gz"));
    assert!(combined.lines().zip(lines.lines()).all(|(one, other)| {
        let target = one.split(' ').nth(6).expect("a target");
        other.contains(target)
    }));
}

#[test]
fn a_file_of_ones_own_changes_only_what_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |text: &str| {
        let file = folder.path().join("own.toml");
        std::fs::write(&file, text).expect("room");
        file
    };
    let file = write("sources = [\"one\"]\n[fraud.hosting]\nshare = 0.2\n");
    let own = population(Some(&file)).expect("sound");
    let hosting = sandbox::personas::Persona::Hosting;
    assert!((own.share(hosting) - 0.2).abs() < 1e-9);
    let log = Log::of(own, &Network::shipped("targo").expect("it ships"), SAMPLE_EXTENT).expect("a log");
    assert_eq!(log.sources().map(|(name, _)| name).collect::<Vec<_>>(), ["one"]);
    for (text, message) in [
        ("[fraud.hosting]\nshaer = 0.2\n", "unknown field `shaer`"),
        ("zipf = \"much\"\n", "invalid type: string \"much\""),
        ("[users]\nipv6 = 2\n", "`users.ipv6` must be between 0 and 1, not 2"),
    ] {
        let file = write(text);
        let out = folder.path().join("out");
        let flags =
            ["--personas", file.to_str().expect("text"), "--out", out.to_str().expect("text"), "--seed", "1"];
        let refused = run(&flags).expect_err(message);
        assert!(refused.is::<BadSettings>(), "exit code 2: {refused}");
        assert!(
            refused.to_string().contains(message) && refused.to_string().contains("own.toml"),
            "{refused}"
        );
        assert!(!out.exists(), "nothing is written");
    }
}

#[test]
fn flags_that_make_no_sense_together_are_refused() {
    for flags in [
        &["--personas"][..],
        &["--out", "x"],
        &["--personas", "--out", "x", "--count", "5"],
        &["--personas", "--out", "x", "--events", "0"],
        &["--events", "5"],
    ] {
        assert!(Line::try_parse_from([&["sandbox"], flags].concat()).is_err(), "{flags:?}");
    }
}
