//! The audit as it is kept: exported, proven, and written only by whoever could act.

use domain::audit::Action;

use super::book::{Book, system_user};
use crate::finance::days_ago;
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::signed_in::SignedIn;

on_both_databases!(
    the_audit_is_exported_and_its_chain_is_verified,
    a_command_acts_only_as_somebody_who_could_do_it,
);

fn the_audit_is_exported_and_its_chain_is_verified(on: Kind) {
    let gate = Gate::new(on);
    assert!(gate.run(&["migrate"]).status.success());
    gate.add_person("mara", "risk");
    gate.add_person("root", "admin");
    let mut up = gate.up();
    let mut book = Book::open(&gate);
    let csv = text(&gate.run(&["audit", "export"]).stdout);
    let mut lines = csv.lines();
    assert!(lines.next().expect("a head").starts_with("number,at,actor,via,via_name,network,address,action"));
    assert!(lines.next().expect("a line").contains("person mara"), "{csv}");
    assert_eq!(text(&gate.run(&["audit", "export", "--to", "2020-01-01", "--json"]).stdout), "");
    assert_eq!(gate.run(&["audit", "export", "--from", "yesterday"]).status.code(), Some(1));
    let machine = system_user();
    let by_command = ("command line", "command", Some(machine.as_str()), None);
    book.these(by_command, &[(Action::AuditExported, "audit"), (Action::AuditExported, "audit")]);
    // Whole addresses are for admins.
    let (mara, root) = (SignedIn::new(up.address, "mara", &[]), SignedIn::new(up.address, "root", &[]));
    book.new_lines();
    let (of_mara, of_root) = (mara.get("/audit/audit.csv"), root.get("/audit/audit.csv?actor=mara"));
    assert!(of_mara.body.contains("127.0.0.0/24") && !of_mara.body.contains("127.0.0.1"), "{}", of_mara.body);
    assert!(of_root.body.contains("127.0.0.1") && !of_root.body.contains("person root"), "{}", of_root.body);
    let exported = book.new_lines();
    let said: Vec<_> = exported.iter().map(|line| (line.actor.as_str(), line.detail.as_str())).collect();
    assert_eq!(said, [("mara", "CSV"), ("root", "CSV, of mara")]);
    assert!(root.get("/audit").body.contains("on a page from 127.0.0.0/24"));
    let proven = text(&gate.run(&["verify"]).stdout);
    assert!(proven.contains("the audit ends at line 9, hash "), "{proven}");
    up.process.stop();
    let (drop, on_audit) = match on {
        Kind::Sqlite => ("DROP TRIGGER audit_is_frozen", ""),
        Kind::Postgres => ("DROP TRIGGER audit_is_frozen", " ON audit"),
    };
    gate.database.execute(&format!("{drop}{on_audit}"));
    gate.database.execute("UPDATE audit SET actor = 'joe' WHERE seq = 2");
    let output = gate.run(&["verify"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("audit line 2 does not fit the line before it"), "{said}");
}

fn a_command_acts_only_as_somebody_who_could_do_it(on: Kind) {
    let gate = Gate::new(on);
    assert!(gate.run(&["migrate"]).status.success());
    gate.add_person("fay", "finance");
    gate.add_person("mara", "risk");
    gate.add_person("gone", "admin");
    assert!(gate.run(&["staff", "disable", "gone"]).status.success());
    let before = gate.database.number("SELECT COUNT(*) FROM audit");
    let date = days_ago(1).date().to_string();
    for (arguments, of) in [
        (&["report", "sign-off", &date, "--note", "n", "--as"][..], "mara"),
        (&["statement", "accept", "1", "line 3", "--reason", "r", "--as"], "mara"),
        (&["statement", "paid", "1", "1.00", "--note", "n", "--as"], "mara"),
        (&["statement", "take-back", "1", "1", "--reason", "r", "--as"], "mara"),
        (&["statement", "discard", "1", "--as"], "mara"),
        (&["statement", "restore", "1", "--as"], "mara"),
        (&["deliveries", "give-up", "1", "--reason", "r", "--as"], "fay"),
        (&["postbacks", "state", "1", "--reward", "5", "--reason", "r", "--as"], "fay"),
        (&["postbacks", "confirm", "1", "1", "--as"], "fay"),
        (&["postbacks", "decline", "1", "1", "--reason", "r", "--as"], "fay"),
        (&["postbacks", "set-aside", "1", "--reason", "r", "--as"], "fay"),
        (&["postbacks", "take-up", "1", "--reason", "r", "--as"], "fay"),
    ] {
        for (name, says) in [
            ("nobody-known", "nobody named `nobody-known` may sign in"),
            ("gone", "nobody named `gone` may sign in"),
            ("Mara", "nobody named `Mara` may sign in"),
            ("", "nobody named `` may sign in"),
            (of, "has the role"),
        ] {
            let output = gate.run(&[arguments, &[name]].concat());
            assert_eq!(output.status.code(), Some(1), "{arguments:?} {name}");
            assert!(text(&output.stderr).contains(says), "{arguments:?} {name}: {}", text(&output.stderr));
        }
    }
    assert_eq!(gate.database.number("SELECT COUNT(*) FROM audit"), before);
}
