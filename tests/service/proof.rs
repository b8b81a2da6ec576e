//! `rewardgate verify`: the books that follow from the transfers are proven, and any others are named.

use serde_json::json;

use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::network::{Event, deliver};

on_both_databases!(
    books_that_follow_from_their_transfers_are_proven,
    a_balance_that_was_changed_is_named,
    a_status_that_was_changed_is_named,
    a_database_without_a_schema_proves_nothing,
    verdicts_follow_from_their_facts_and_a_forged_one_is_named,
);

/// Copies of the file: one that a backup made, one that misses its end, one with a page overwritten.
#[test]
fn a_copy_that_is_short_or_damaged_is_not_proven() {
    let gate = books(Kind::Sqlite);
    let (whole, copy) = (gate.path("rewardgate.db"), gate.path("copy.db"));
    gate.database.execute(&format!("VACUUM INTO '{}'", copy.display()));
    let url = format!("database_url = \"sqlite://{}\"", copy.display());
    let verify = |what: &str, bytes: &[u8], is_proven: bool| {
        for file in ["copy.db-wal", "copy.db-shm"] {
            let _ = std::fs::remove_file(gate.path(file));
        }
        std::fs::write(&copy, bytes).expect("room");
        gate.change(|settings| settings.with(&url));
        let output = gate.run(&["verify"]);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(i32::from(!is_proven)), "{what}: {said}");
        assert_eq!(text(&output.stdout).contains("\nproven: "), is_proven, "{what}: {said}");
        said
    };
    let sound = std::fs::read(&copy).expect("a copy");
    assert!(verify("a backup", &sound, true).contains("newest postback: 2"));
    verify("without its end", &sound[..sound.len() / 2], false);
    verify("without its last page", &sound[..sound.len() - 4_096], false);
    // Every page but the first, one by one: wherever it matters, it is found.
    let pages = sound.len() / 4_096;
    let mut found = 0;
    for page in (1..pages).step_by((pages / 12).max(1)) {
        let mut damaged = sound.clone();
        damaged[page * 4_096..][..4_096].fill(0x5a);
        verify(&format!("page {page} overwritten"), &damaged, false);
        found += 1;
    }
    assert!(found > 5);
    assert!(whole.exists());
}

/// A gate with two credited rewards, and no running process.
fn books(on: Kind) -> Gate {
    let gate = Gate::new(on);
    let mut up = gate.up();
    for (user, tx) in [("u-1", "T-1"), ("u-2", "T-2")] {
        deliver(up.address, &Event::honest(user, tx, 500).credit());
    }
    gate.api(up.address).await_processing();
    up.process.stop();
    gate
}

fn books_that_follow_from_their_transfers_are_proven(on: Kind) {
    let output = books(on).run(&["verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // Five accounts: two users, granted, network and earned.
    let said = text(&output.stdout);
    let (reach, proven) = said.split_once('\n').expect("two lines");
    assert!(reach.starts_with("newest postback: 2, received 20"), "{said}");
    assert_eq!(proven, "proven: 5 accounts, 4 transfers, 2 rewards, 0 closed reports\n");
}

fn a_balance_that_was_changed_is_named(on: Kind) {
    let gate = books(on);
    gate.database
        .execute("UPDATE accounts SET balance_micros = balance_micros + 1 WHERE name = 'user:main/u-1'");
    let output = gate.run(&["verify"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("user:main/u-1 coins: stored 500.000001, computed 500"), "{said}");
    assert!(said.contains("NOT proven") && !said.contains("u-2"), "{said}");

    let up = gate.up();
    let proof = gate.api(up.address).get("ledger/proof");
    assert_eq!(proof["proven"], false);
    assert_eq!(
        proof["differing_accounts"],
        json!([{ "account": "user:main/u-1", "currency": "coins", "kept": "500.000001", "computed": "500" }])
    );
}

fn a_status_that_was_changed_is_named(on: Kind) {
    let gate = books(on);
    gate.database.execute("UPDATE rewards SET status = 'reversed' WHERE tx_id = 'T-2'");
    let output = gate.run(&["verify"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is reversed, but its transfers add up to user 500, held 0, earned 1"), "{said}");
}

fn a_database_without_a_schema_proves_nothing(on: Kind) {
    let gate = Gate::new(on);
    let output = gate.run(&["verify"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    assert!(text(&output.stderr).contains("rewardgate migrate"), "{}", text(&output.stderr));
    assert_eq!(gate.run(&["migrate"]).status.code(), Some(0));
    assert_eq!(
        text(&gate.run(&["verify"]).stdout),
        "no postbacks\nproven: 0 accounts, 0 transfers, 0 rewards, 0 closed reports\n"
    );
}

fn verdicts_follow_from_their_facts_and_a_forged_one_is_named(on: Kind) {
    let gate = books(on);
    let run = |args: &[&str]| {
        let output = gate.run(args);
        (output.status.code(), text(&output.stdout))
    };
    let (code, said) = run(&["verify", "--verdicts"]);
    assert_eq!((code, said.as_str()), (Some(0), "proven: 2 verdicts follow from their facts\n"));
    let (code, said) = run(&["replay", "--verdict", "1"]);
    assert!(code == Some(0) && said.contains("T1") && said.contains("computed: credit"), "{said}");
    assert!(!gate.run(&["replay", "--verdict", "99"]).status.success());
    gate.database.execute(match on {
        Kind::Sqlite => "DROP TRIGGER verdicts_are_frozen",
        Kind::Postgres => "ALTER TABLE verdicts DISABLE TRIGGER USER",
    });
    gate.database.execute("UPDATE verdicts SET decision = 'hold', score = 60 WHERE reward_id = 2");
    let (code, said) = run(&["verify", "--verdicts"]);
    assert!(code == Some(1) && said.contains("reward 2: stored `hold 60"), "{said}");
    let (code, said) = run(&["replay", "--verdict", "2"]);
    assert!(code == Some(1) && said.contains("stored:   hold 60"), "{said}");
}
