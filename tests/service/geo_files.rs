//! Geo files that are replaced on disk are taken up while the process runs, and damaged ones are not.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{Value, Writer};

use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::network::{Event, deliver};
use crate::support::wait::until;

/// Long ago.
const BUILT_AT_S: u64 = 1_700_000_000;

/// A file that says of every address that its country is `code`.
fn country_file(code: &str) -> Vec<u8> {
    let mut writer =
        Writer::builder("Test-Country").build_epoch(UNIX_EPOCH + Duration::from_secs(BUILT_AT_S)).build();
    let network: IpNet = "0.0.0.0/0".parse().expect("a network");
    let country = Value::map([("iso_code", Value::from(code))]);
    writer.insert_value(network, Value::map([("country", country)])).expect("it can be written");
    writer.to_bytes().expect("a whole file")
}

/// Puts `bytes` in the place of `path` at once, as updaters do.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, bytes).and_then(|()| fs::rename(&new, path)).expect("room for a file");
}

fn is_measured(api: &Api, wanted: &str) -> Option<()> {
    api.metrics().lines().any(|line| line == wanted).then_some(())
}

#[test]
fn geo_files_are_taken_up_while_the_process_runs_and_damaged_ones_are_not() {
    let gate = Gate::new(Kind::Sqlite);
    let path = gate.path("country.mmdb");
    replace(&path, &country_file("GB"));
    gate.change(|settings| settings.with("geo_databases = [\"country.mmdb\"]"));
    let mut up = gate.up();
    let api = gate.api(up.address);
    let country = |tx: &str| {
        deliver(up.address, &Event::honest("u-1", tx, 10).credit());
        api.reward(tx)["geo"]["country"].clone()
    };
    assert_eq!(country("T-1"), "GB");
    let checked = text(&gate.run(&["check", "--offline"]).stdout);
    assert!(
        checked.contains("! geo        country.mmdb, built ") && checked.contains("install a newer one"),
        "{checked}"
    );

    replace(&path, &country_file("FR"));
    let mut number = 1;
    until("the new file", || {
        number += 1;
        (country(&format!("T-{number}")) == "FR").then_some(())
    });

    replace(&path, &country_file("DE")[..300]);
    until("the alert", || is_measured(&api, "rewardgate_geo_reload_failed 1"));
    assert_eq!(country("T-damaged"), "FR", "the old one stays in service");
    assert!(up.process.log().contains("the previous one stays in use"));

    replace(&path, &country_file("DE"));
    until("the end of the alert", || is_measured(&api, "rewardgate_geo_reload_failed 0"));
    assert_eq!(country("T-mended"), "DE");
    up.process.stop();
}
