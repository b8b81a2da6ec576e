//! `check`: what it finds before the first postback, and that it changes nothing.

use crate::support::database::Kind;
use crate::support::gate::{Gate, text};

on_both_databases!(
    check_says_what_is_ready_and_what_to_paste,
    a_public_url_that_leads_elsewhere_or_is_rewritten_is_named,
    a_url_from_the_dashboard_is_compared_with_the_settings,
    weak_secrets_are_warned_of_and_never_printed,
);

const DASHBOARD: &str = "uid={user_id}&tx={tx_id}&reward={reward}&payout={payout}&status={status}&offer_id={offer_id}\
                         &offer_name={offer_name}&event_id={event_id}&event_name={event_name}&ip={ip}\
                         &country_code={country_code}&timestamp={timestamp}&sub1={sub1}&sub2={sub2}";

/// Runs `check` and hands back its exit code and what it said.
fn check(gate: &Gate, arguments: &[&str]) -> (Option<i32>, String) {
    let output = gate.run(&[&["check"], arguments].concat());
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn check_says_what_is_ready_and_what_to_paste(on: Kind) {
    let gate = Gate::new(on);
    if on == Kind::Sqlite {
        // A path that is mistyped must not look like an empty database.
        let (code, said) = check(&gate, &["--offline"]);
        assert!(
            code == Some(1) && said.contains("✗ database   the database cannot be opened: there is no"),
            "{said}"
        );
        assert!(!gate.path("rewardgate.db").exists());
        for command in [&["verify"][..], &["replay", "--refused"], &["diagnose", "--last-refused"]] {
            let output = gate.run(command);
            assert_eq!(output.status.code(), Some(1), "{command:?}");
            assert!(!gate.path("rewardgate.db").exists(), "{command:?}");
        }
    }
    assert!(gate.run(&["migrate"]).status.success());
    let mut up = gate.up();
    // The way of a network that calls the address of the process itself.
    gate.change(|settings| settings.with(&format!("public_url = \"http://{}\"", up.address)));
    up.process.stop();
    gate.change(|settings| settings.with(&format!("listen = \"{}\"", up.address)));
    let mut up = gate.up();
    let (code, said) = check(&gate, &[]);
    assert_eq!(code, Some(0), "{said}");
    for line in [
        "✓ settings   1 source, 1 app, policy ",
        "✓ database   reachable, durable, schema up to date",
        "! geo        no `geo_databases`",
        &format!("✓ public URL http://{}/pb/targo leads here, and its query arrives unchanged", up.address),
        &format!("http://{}/pb/targo?{DASHBOARD}", up.address),
        "! params     targo: `params` renames some parameters, but not `status`",
        "ready",
    ] {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
    let api = gate.api(up.address);
    assert_eq!(api.all("postbacks?outcome=received", 10).len(), 0, "the probe is no postback");
    assert_eq!(api.all("postbacks?outcome=refused", 10).len(), 0, "nor a refused one");
    up.process.stop();
}

fn weak_secrets_are_warned_of_and_never_printed(on: Kind) {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;

    let gate = Gate::new(on);
    let (short, open) = ("hunter2", "a-secret-that-is-long-enough");
    write(gate.path("open"), open).expect("written");
    set_permissions(gate.path("open"), Permissions::from_mode(0o644)).expect("set");
    let mode = |name: &str| gate.path(name).metadata().map(|data| data.permissions().mode() & 0o777).ok();
    gate.change(|settings| {
        settings
            .with_in_source(&format!("secret = [\"env:SHORT\", \"file:{}\"]", gate.path("open").display()))
            .with_variable("SHORT", short)
    });
    // Whatever the umask is, the database is its owner's alone.
    let migrate = gate.command(&["migrate"]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$0\" \"$@\""]).arg(migrate.get_program()).args(migrate.get_args());
    shell.env_clear().envs(migrate.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(shell.current_dir(gate.path("")).status().expect("a shell").success());
    let mut up = gate.up();
    if on == Kind::Sqlite {
        for name in ["rewardgate.db", "rewardgate.db-wal", "rewardgate.db-shm"] {
            assert_eq!(mode(name), Some(0o600), "{name}");
        }
        set_permissions(gate.path("rewardgate.db"), Permissions::from_mode(0o644)).expect("set");
    }
    up.process.stop();
    assert!(gate.run(&["report", "2020-01-01", "--csv", "report.csv"]).status.code().is_some());
    if let Some(mode) = mode("report.csv") {
        assert_eq!(mode, 0o600);
    }
    let mut up = gate.up();
    let (code, said) = check(&gate, &["--offline"]);
    assert_eq!(code, Some(0), "{said}");
    up.process.stop();
    let log = up.process.log();
    for text in [&said, &log] {
        assert!(text.contains("`sources.0.secret` refers to a secret of fewer than 16 bytes"), "{text}");
        assert!(text.contains("which every account of this machine may open: chmod o= "), "{text}");
        assert_eq!(
            on == Kind::Sqlite,
            text.contains("rewardgate.db may be opened by every account"),
            "{text}"
        );
        assert!(!text.contains(short) && !text.contains(open), "{text}");
    }
}

fn a_public_url_that_leads_elsewhere_or_is_rewritten_is_named(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    // The process that answers was started with another `public_url`.
    gate.change(|settings| settings.with(&format!("public_url = \"http://{}\"", up.address)));
    let (code, said) = check(&gate, &[]);
    assert!(code == Some(1) && said.contains("the signature does not match"), "{said}");
    gate.change(|settings| settings.with_in_source("name = \"other\""));
    let (code, said) = check(&gate, &[]);
    assert!(code == Some(1) && said.contains("a RewardGate that has no source `other`"), "{said}");
    up.process.stop();
    let (code, said) = check(&gate, &[]);
    assert!(code == Some(1) && said.contains("does not answer"), "{said}");
}

fn a_url_from_the_dashboard_is_compared_with_the_settings(on: Kind) {
    let gate = Gate::new(on);
    assert!(gate.run(&["migrate"]).status.success());
    let pasted = format!("https://gw.example.com/pb/targo?{DASHBOARD}");
    let (code, said) = check(&gate, &["--offline", "--url", &pasted]);
    assert!(code == Some(0) && said.contains("✓ dashboard  the URL matches the settings"), "{said}");
    let (code, said) = check(&gate, &["--offline", "--url", &pasted.replace("&tx=", "&transaction=")]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("✗ dashboard  {tx_id} is sent as `transaction`, but the settings expect `tx`"),
        "{said}"
    );
}
