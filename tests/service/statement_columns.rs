//! `statement columns`: the settings for a file of which nothing is known, and what it leaves open.

use std::fs;

use serde_json::{Value, json};

use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::network::{Event, deliver};

on_both_databases!(
    the_proposed_section_imports_the_file,
    bookings_tell_which_column_holds_the_transaction,
    what_a_file_leaves_open_is_said_and_left_out,
    without_a_source_neither_settings_nor_a_database_are_read,
);

/// The exit code, and what was printed.
fn columns(gate: &Gate, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = gate.run(&[&["statement", "columns"], arguments].concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn write(gate: &Gate, name: &str, content: &str) -> String {
    let path = gate.path(name);
    fs::write(&path, content).expect("room for a file");
    path.to_string_lossy().into_owned()
}

/// A file as no settings read it, with the transactions `T-1` to `T-4`.
fn file(name_of_tx: &str) -> String {
    let lines = (1..=4).map(|n| {
        let status = if n == 4 { "Charged back" } else { "Completed" };
        format!("T-{n};{};u-{n};{status};1,50;2{n}.11.2026 12:00\n", 90_000 + n)
    });
    let names = format!("{name_of_tx};Row;Player ID;Zustand Status;Payout;Booked on (UTC)");
    format!("Report of November;;;;;\n{names}\n{}Total;;;;3,00;\n", lines.collect::<String>())
}

fn the_proposed_section_imports_the_file(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    deliver(up.address, &Event::honest("u-1", "T-1", 10).credit());
    let path = write(&gate, "november.csv", &file("Transaction"));
    let (code, said, errors) = columns(&gate, &[&path, "--source", "targo"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    for part in [
        "decimal_comma = true",
        "time = \"%d.%m.%Y %H:%M\"",
        "zone = \"UTC\"",
        "reversals = [\"Charged back\"",
        "amount = \"Payout\"",
        "# line  kind      amount  currency  transaction",
        "4 lines are read, 0 lines with errors",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    // All of it is TOML, and can be added to the settings as it is.
    assert!(said.parse::<toml::Table>().is_ok(), "{said}");
    let refused = gate.run(&["statement", "import", &path, "--source", "targo", "--preview"]);
    assert_ne!(refused.status.code(), Some(0), "the settings do not read it yet");
    gate.change(|settings| settings.with_tail(&said));
    let preview = gate.run(&["statement", "import", &path, "--source", "targo", "--preview"]);
    assert_eq!(preview.status.code(), Some(0), "{}{}", text(&preview.stdout), text(&preview.stderr));
    let imported = gate.run(&["statement", "import", &path, "--source", "targo"]);
    assert!(text(&imported.stdout).contains("matched"), "{}", text(&imported.stderr));
}

fn bookings_tell_which_column_holds_the_transaction(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for n in 1..=3 {
        deliver(up.address, &Event::honest(&format!("u-{n}"), &format!("T-{n}"), 10).credit());
    }
    api.await_processing();
    // Two names that could be the transaction's: the bookings decide.
    let path = write(&gate, "two.csv", &file("Conversion ID").replace("Row;", "Reference;"));
    let (code, said, _) = columns(&gate, &[&path]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("# To decide: Column 1 (Conversion ID), e.g. "), "{said}");
    let (code, said, errors) = columns(&gate, &[&path, "--source", "targo"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    for part in [
        "# 3 of 4 lines in column 1 (Conversion ID) have the id of a booking",
        "# 0 of 4 lines in column 2 (Reference) have the id of a booking",
        "tx_id = \"Conversion ID\"",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    let (code, said, _) = columns(&gate, &[&path, "--source", "targo", "--json"]);
    let json: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &json["complete"], &json["read"]), (Some(0), &json!(true), &json!(4)));
    assert_eq!((&json["columns"][0]["field"], &json["columns"][0]["booked"]), (&json!("tx_id"), &json!(3)));
    assert_eq!(json["first"][3]["kind"], "reversal");
    // Nothing was imported.
    assert_eq!(api.get("statements")["items"].as_array().map_or(0, Vec::len), 0);
}

fn what_a_file_leaves_open_is_said_and_left_out(on: Kind) {
    let gate = Gate::new(on);
    let path = write(
        &gate,
        "open.csv",
        "tx_id,Payout,Revenue,date\nA,1.50,2.50,01/02/2026\nB,1.60,2.60,03/04/2026\n",
    );
    let (code, said, _) = columns(&gate, &[&path]);
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "# To decide: Column 2 (Payout), e.g. `1.50`, `1.60`; or column 3 (Revenue)",
        "# amount = \"Payout\"\n# amount = \"Revenue\"",
        "# time = \"%d/%m/%Y\"\n# time = \"%m/%d/%Y\"",
        "# Uncertain: The times name no zone: ask the network",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    let (_, said, _) = columns(&gate, &[&path, "--json"]);
    let json: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&json["complete"], &json["first"]), (&json!(false), &Value::Null));
    assert!(json["uncertain"].as_array().is_some_and(|all| all.iter().any(|doubt| doubt["key"] == "time")));
    for (content, why) in [("", "the file is empty"), ("PK\u{3}\u{4}", "save it as CSV")] {
        let (code, _, errors) = columns(&gate, &[&write(&gate, "bad.csv", content)]);
        assert!(code == Some(1) && errors.contains(why), "{errors}");
    }
    let (code, _, errors) = columns(&gate, &[&path, "--source", "other"]);
    assert!(code == Some(1) && errors.contains("`other` is not in the settings"), "{errors}");
}

fn without_a_source_neither_settings_nor_a_database_are_read(on: Kind) {
    let gate = Gate::new(on);
    let path = write(&gate, "november.csv", &file("Transaction"));
    // The database was never made.
    let (code, said, errors) = columns(&gate, &[&path, "--source", "targo"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    assert!(said.contains("# not compared with bookings: "), "{said}");
    gate.change(|settings| settings.with("batch = \"many\""));
    let (code, said, errors) = columns(&gate, &[&path]);
    assert_eq!(code, Some(0), "{said}{errors}");
    assert_eq!(columns(&gate, &[&path, "--source", "targo"]).0, Some(2), "the settings are faulty");
}
