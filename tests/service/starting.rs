//! Settings and the command line: every error is named, and nothing starts.

use std::fs;
use std::process::Command;

use crate::support::database::Kind;
use crate::support::gate::{Gate, listening, ready, text};
use crate::support::network::{Event, send};
use crate::support::process::Process;
use crate::support::settings::{PUBLIC_URL, SECRET_NAME, Settings};

/// Every role and every subcommand that reads the settings.
const ALL: [&[&str]; 6] =
    [&[], &["web"], &["worker"], &["migrate"], &["verify"], &["token", "add", "somebody", "--role", "risk"]];

/// What is wrong, how it becomes so, and what standard error names.
type Fault = (&'static str, fn(Settings) -> Settings, &'static [&'static str]);

#[test]
fn settings_that_are_wrong_are_named_and_nothing_starts() {
    let faults: [Fault; 12] = [
        ("an unknown key", |settings| settings.with("colour = \"red\""), &["`colour` is not a setting"]),
        (
            "an unknown key of a source",
            |settings| settings.with_in_source("colour = \"red\""),
            &["`sources.0.colour` is not a setting"],
        ),
        (
            "a missing secret",
            |settings| settings.without_variable(SECRET_NAME),
            &["`sources.0.secret`", "TARGO_SECRET"],
        ),
        ("an empty secret", |settings| settings.with_variable(SECRET_NAME, ""), &["`sources.0.secret`"]),
        (
            "a secret in a file that is not there",
            |settings| settings.with_in_source("secret = \"file:not-there\""),
            &["`sources.0.secret`", "not-there"],
        ),
        (
            "a secret in the settings themselves",
            |settings| settings.with_in_source("secret = \"hunter2\""),
            &["`sources.0.secret`", "never the secret itself"],
        ),
        (
            "a policy that is not there",
            |settings| settings.with("policy = \"not-there.toml\""),
            &["`policy` cannot be read"],
        ),
        ("no public URL", |settings| settings.with("public_url = \"\""), &["`public_url` must be"]),
        (
            "an address that is none",
            |settings| settings.with("listen = \"here\""),
            &["`listen` must be", "here"],
        ),
        (
            "a wrong value in the environment",
            |settings| settings.with_variable("REWARDGATE_BATCH", "0"),
            &["`batch` must be between"],
        ),
        (
            "an unknown key in the environment",
            |settings| settings.with_variable("REWARDGATE_COLOUR", "red"),
            &["`colour` is not a setting"],
        ),
        (
            "two faults",
            |settings| settings.with("colour = \"red\"").with("workers = 0"),
            &["2 faults", "`colour`", "`workers` must be between"],
        ),
    ];
    for (what, change, named) in faults {
        let gate = Gate::with(Kind::Sqlite, change);
        for arguments in ALL {
            assert_refused(&gate, gate.command(arguments), named, &format!("{what}: {arguments:?}"));
        }
    }
}

#[test]
fn a_log_filter_that_is_none_is_a_wrong_setting() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("log = \"in=fo=x\""));
    for arguments in ALL {
        assert_refused(&gate, gate.command(arguments), &["`log`"], &format!("{arguments:?}"));
    }
}

#[test]
fn an_unreadable_geo_database_is_a_wrong_setting() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("geo_databases = [\"not-there.mmdb\"]"));
    for arguments in [&[][..], &["worker"]] {
        let command = gate.command(arguments);
        assert_refused(&gate, command, &["`geo_databases`", "not-there.mmdb"], &format!("{arguments:?}"));
    }
}

#[test]
fn a_settings_file_that_cannot_be_read_is_named() {
    let gate = Gate::new(Kind::Sqlite);
    for file in ["not-there.toml", "."] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rewardgate"));
        command.env_clear().current_dir(gate.path("")).args(["--config", file]);
        assert_refused(&gate, command, &[file, "cannot be read"], file);
    }
    fs::write(gate.path("settings.toml"), "listen = ").expect("room for the settings");
    assert_refused(&gate, gate.command(&[]), &["settings.toml", "not TOML"], "no TOML");
}

#[test]
fn the_environment_stands_above_the_file() {
    let gate = Gate::with(Kind::Sqlite, |settings| {
        settings
            .with("listen = \"127.0.0.1:1\"")
            .with("public_url = \"https://other.example.com\"")
            .with("batch = 0")
            .with_variable("REWARDGATE_LISTEN", "127.0.0.1:0")
            .with_variable("REWARDGATE_PUBLIC_URL", PUBLIC_URL)
            .with_variable("REWARDGATE_BATCH", "7")
    });
    let up = gate.up();
    assert!(send(up.address, Event::honest("u-1", "T-1", 500).credit()).is_acknowledged());
}

#[test]
fn everything_can_come_from_the_environment_alone() {
    let gate = Gate::new(Kind::Sqlite);
    let start = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rewardgate"));
        command.env_clear().current_dir(gate.path("")).env(SECRET_NAME, crate::support::settings::SECRET);
        command.envs(variables.iter().copied());
        let up = listening(Process::start(command, gate.path("alone.log")));
        let process = ready(up.process);
        assert!(send(up.address, Event::honest("u-1", "T-1", 500).credit()).is_acknowledged());
        drop(process);
    };
    let source = format!(
        "[{{name=\"targo\", network=\"targo\", secret=\"env:{SECRET_NAME}\", currency=\"coins\", \
          params={{user_id=\"uid\", tx_id=\"tx\"}}}}]"
    );
    start(&[
        ("REWARDGATE_LISTEN", "127.0.0.1:0"),
        ("REWARDGATE_PUBLIC_URL", PUBLIC_URL),
        ("REWARDGATE_SOURCES", &source),
    ]);
    assert!(gate.path("rewardgate.db").exists(), "the default database stands in the working directory");

    // The file of that name in the working directory is read without being asked for.
    fs::rename(gate.path("settings.toml"), gate.path("rewardgate.toml")).expect("a file");
    start(&[]);
    fs::rename(gate.path("rewardgate.toml"), gate.path("elsewhere.toml")).expect("a file");
    start(&[("REWARDGATE_CONFIG", "elsewhere.toml")]);
}

#[test]
fn wrong_usage_exits_with_two() {
    let gate = Gate::new(Kind::Sqlite);
    for arguments in [
        &["frobnicate"][..],
        &["--frobnicate"],
        &["web", "worker"],
        &["token"],
        &["token", "add", "somebody"],
        &["token", "add", "somebody", "--role", "emperor"],
        &["token", "add", "--role", "risk"],
    ] {
        assert_refused(&gate, gate.command(arguments), &["help"], &format!("{arguments:?}"));
    }
}

#[test]
fn an_address_that_is_taken_ends_the_process_with_one_and_names_the_key() {
    let gate = Gate::new(Kind::Sqlite);
    let up = gate.up();
    gate.change(|settings| settings.with(&format!("listen = \"{}\"", up.address)));
    for arguments in [&[][..], &["web"]] {
        let output = gate.run(arguments);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
        assert!(text(&output.stderr).contains("`listen`"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_database_that_cannot_be_opened_ends_the_process_with_one() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("database_url = \"sqlite://not/there.db\""));
    for arguments in ALL {
        let output = gate.run(arguments);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""), "{arguments:?}");
        assert!(text(&output.stderr).contains("database"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_token_has_a_name_of_its_own_and_is_shown_once_and_kept_nowhere() {
    let gate = Gate::new(Kind::Sqlite);
    assert!(gate.run(&["migrate"]).status.success());
    let add = |name: &str| gate.run(&["token", "add", name, "--role", "risk"]);
    let first = add("till");
    assert_eq!(first.status.code(), Some(0));
    let token = text(&first.stdout).trim_end().to_owned();
    assert!(token.len() > 40, "too short to be safe from guessing: {token}");
    for name in ["till", "", " ", &"x".repeat(65)] {
        let again = add(name);
        assert_eq!((again.status.code(), text(&again.stdout).as_str()), (Some(1), ""), "{name:?}");
        assert!(text(&again.stderr).contains("token"), "{}", text(&again.stderr));
    }
    let needle = token.as_bytes();
    for entry in fs::read_dir(gate.path("")).expect("a folder").flatten() {
        let content = fs::read(entry.path()).expect("a file");
        assert!(!content.windows(needle.len()).any(|window| window == needle), "{}", entry.path().display());
    }
}

/// Every subcommand that works on a database that is there already, and makes none.
const WORK_ON_ONE: [&[&str]; 14] = [
    &["verify"],
    &["check", "--offline"],
    &["report", "2026-11-23"],
    &["report", "sign-off", "2026-11-23", "--as", "mara", "--note", "fine"],
    &["statement", "import", "settings.toml", "--source", "targo"],
    &["statement", "show", "1"],
    &["replay", "--refused"],
    &["replay", "--quarantined"],
    &["diagnose", "--last-refused"],
    &["deliveries", "list"],
    &["token", "add", "somebody", "--role", "risk"],
    &["token", "list"],
    &["staff", "add", "mara", "--role", "risk"],
    &["staff", "list"],
];

#[test]
fn in_a_wrong_folder_no_command_makes_an_empty_database() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("database_url = \"sqlite://elsewhere.db\""));
    for arguments in WORK_ON_ONE {
        let output = gate.command(arguments).stdin(std::process::Stdio::null()).output().expect("it runs");
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        let whole = gate.path("elsewhere.db");
        assert!(said.contains(&whole.display().to_string()), "{arguments:?}: {said}");
        assert!(said.contains("rewardgate migrate"), "{arguments:?}: {said}");
        let files = fs::read_dir(gate.path("")).expect("a folder").flatten();
        let made: Vec<_> =
            files.map(|file| file.file_name()).filter(|name| name != "settings.toml").collect();
        assert!(made.is_empty(), "{arguments:?} made {made:?}");
    }
    assert!(gate.run(&["migrate"]).status.success());
    assert!(gate.run(&["token", "add", "somebody", "--role", "risk"]).status.success());
}

#[test]
fn a_command_keeps_its_former_name_with_a_notice() {
    let gate = Gate::new(Kind::Sqlite);
    assert!(gate.run(&["migrate"]).status.success());
    let (now, before) = (gate.run(&["staff", "list"]), gate.run(&["user", "list"]));
    assert!(now.status.success() && before.status.success());
    assert_eq!(now.stdout, before.stdout);
    assert!(!text(&now.stderr).contains("former name"));
    assert!(text(&before.stderr).contains("is called `rewardgate staff` now"), "{}", text(&before.stderr));
}

#[test]
fn a_database_without_a_schema_is_left_alone_by_all_but_migrate() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("database_url = \"sqlite://blank.db\""));
    fs::write(gate.path("blank.db"), "").expect("room for nothing");
    for arguments in
        [&["token", "list"][..], &["token", "add", "x", "--role", "risk"], &["staff", "list"], &["verify"]]
    {
        let output = gate.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains("rewardgate migrate"), "{}", text(&output.stderr));
    }
}

/// Asserts exit code 2, the reasons on standard error, nothing on standard output, and no database.
fn assert_refused(gate: &Gate, command: Command, named: &[&str], what: &str) {
    let mut process = Process::start(command, gate.path("refused.log"));
    assert_eq!(process.line(), None, "{what}: nothing starts, so nothing is announced");
    assert_eq!(process.exit().code(), Some(2), "{what}");
    for name in named {
        assert!(process.log().contains(name), "{what}: {name} is not in:\n{}", process.log());
    }
    assert!(!process.log().contains("hunter2"), "{what}: a secret is shown:\n{}", process.log());
    assert!(!gate.path("rewardgate.db").exists(), "{what}: a database was made");
}

#[test]
fn the_demo_shows_books_that_agree_with_the_apps() {
    let gate = Gate::new(Kind::Sqlite);
    let demo = gate.run(&["demo", "--seconds", "3", "--rate", "30"]);
    let said = text(&demo.stdout);
    assert_eq!(demo.status.code(), Some(0), "{said}{}", text(&demo.stderr));
    for line in ["have the same balance on both sides", "books proven: "] {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
}
