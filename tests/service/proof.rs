//! `rewardgate verify`: the books that follow from the transfers are proven, and any others are named.

use serde_json::json;

use crate::database::Kind;
use crate::gate::{Gate, text};
use crate::network::{Event, deliver};

on_both_databases!(
    books_that_follow_from_their_transfers_are_proven,
    a_balance_that_was_changed_is_named,
    a_status_that_was_changed_is_named,
    a_database_without_a_schema_proves_nothing,
);

/// A gate with two credited rewards, and nobody at work.
fn books(on: Kind) -> Gate {
    let gate = Gate::new(on);
    let mut up = gate.up();
    for (user, tx) in [("u-1", "T-1"), ("u-2", "T-2")] {
        deliver(up.address, &Event::honest(user, tx, 500).credit());
    }
    gate.api(up.address).settle();
    up.process.stop();
    gate
}

fn books_that_follow_from_their_transfers_are_proven(on: Kind) {
    let output = books(on).run(&["verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // The users' two accounts, what they cost, what the network owes, and what was earned.
    assert_eq!(text(&output.stdout), "proven: 5 accounts, 4 transfers, 2 rewards, 0 closed reports\n");
}

fn a_balance_that_was_changed_is_named(on: Kind) {
    let gate = books(on);
    gate.database
        .execute("UPDATE accounts SET balance_micros = balance_micros + 1 WHERE name = 'user:main/u-1'");
    let output = gate.run(&["verify"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("user:main/u-1 coins: kept 500.000001, computed 500"), "{said}");
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
    assert!(said.contains("is reversed, but its transfers leave the user 500, held 0, earned 1"), "{said}");
}

fn a_database_without_a_schema_proves_nothing(on: Kind) {
    let gate = Gate::new(on);
    let output = gate.run(&["verify"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    assert!(text(&output.stderr).contains("rewardgate migrate"), "{}", text(&output.stderr));
    assert_eq!(gate.run(&["migrate"]).status.code(), Some(0));
    assert_eq!(
        text(&gate.run(&["verify"]).stdout),
        "proven: 0 accounts, 0 transfers, 0 rewards, 0 closed reports\n"
    );
}
