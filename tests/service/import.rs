//! `import`: history is settled as the network said, once, without telling any app; the books are proven.

use crate::assess::troubled_calls;
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::network::{Event, deliver, now_s};

on_both_databases!(history_is_settled_once_and_the_books_are_proven, mistakes_leave_nothing_half_done);

fn history_is_settled_once_and_the_books_are_proven(on: Kind) {
    let gate = Gate::with(on, |settings| settings.forwarding_to_url("http://127.0.0.1:9", ""));
    assert!(gate.run(&["migrate"]).status.success());
    let start_s = now_s();
    let lines = |calls: &[String]| {
        let line = |(number, call): (usize, &String)| {
            let time_s = start_s + i64::try_from(number).expect("few calls");
            format!("{time_s} {call}\n")
        };
        calls.iter().enumerate().map(line).collect::<String>()
    };
    let calls = troubled_calls();
    std::fs::write(gate.path("part.txt"), lines(&calls[..4])).expect("room");
    std::fs::write(gate.path("all.txt"), lines(&calls)).expect("room");
    std::fs::write(gate.path("balances.csv"), "app,user_id,currency,balance\nmain,u-A-1,coins,40.5\n")
        .expect("room");
    let import = |arguments: &[&str]| {
        let output = gate.run(&[&["import"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    };
    // As if the first one had been killed: the second goes on where it ended.
    assert!(import(&["part.txt"]).starts_with("imported: 4 calls; 0 had been"));
    let said = import(&["all.txt", "--opening-balances", "balances.csv"]);
    assert!(said.contains("imported: 6 calls; 4 had been imported before"), "{said}");
    assert!(said.contains("opening balances: 1 booked") && said.contains("1 × call refused"), "{said}");
    let said = import(&["all.txt", "--opening-balances", "balances.csv"]);
    assert!(said.contains("imported: 0 calls; 10 had been imported before"), "{said}");
    assert!(said.contains("opening balances: 0 booked, 1 had been booked before"), "{said}");
    gate.assert_proven();
    let up = gate.up();
    let api = gate.api(up.address);
    for (tx, status, decision) in [
        ("A-1", "credited", "credit"),
        ("A-2", "reversed", "credit"),
        ("B-1", "credited", "hold"),
        ("B-2", "reversed", "hold"),
    ] {
        let reward = api.reward(tx);
        assert_eq!(
            (&reward["status"], &reward["verdict"]["decision"]),
            (&status.into(), &decision.into()),
            "{tx}"
        );
    }
    assert_eq!(api.all("deliveries", 100).len(), 0, "no app is told");
    // What comes live afterwards meets the history.
    deliver(up.address, &Event::honest("u-A-1", "A-9", 100).credit());
    api.await_processing();
    let balances = api.get("users/u-A-1/balance");
    assert!(balances.to_string().contains("240.5"), "{balances}");
    gate.assert_proven();
}

fn mistakes_leave_nothing_half_done(on: Kind) {
    let gate = Gate::new(on);
    assert!(gate.run(&["migrate"]).status.success());
    for (text_of_file, words) in [
        ("user,balance\n", "line 1: the first line must be app,user_id,currency,balance"),
        ("app,user_id,currency,balance\nother,u,coins,1\n", "line 2: `other` is not an app"),
        (
            "app,user_id,currency,balance\nmain,u,coins,1\nmain,u,coins,2\n",
            "line 3: user u of main stands there twice",
        ),
        (
            "app,user_id,currency,balance\nmain,u,coins,1\nmain,v,coins,many\n",
            "line 3: `many` is not an amount",
        ),
        ("app,user_id,currency,balance\nmain,u,coins\n", "line 2: the line does not have the columns"),
    ] {
        std::fs::write(gate.path("balances.csv"), text_of_file).expect("room");
        let output = gate.run(&["import", "--opening-balances", "balances.csv"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
    std::fs::write(gate.path("timeless.txt"), Event::honest("u", "T-1", 1).credit()).expect("room");
    for (arguments, words) in [
        (&["import"][..], "name at least one FILE"),
        (&["import", "timeless.txt"], "1 call without a time"),
        (&["import", "missing.log"], "missing.log cannot be read"),
        (&["import", "balances.csv", "--source", "other"], "known sources: targo"),
    ] {
        let output = gate.run(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
    let good = "app,user_id,currency,balance\nmain,u,coins,1\n";
    std::fs::write(gate.path("balances.csv"), good).expect("room");
    assert_eq!(gate.run(&["import", "--opening-balances", "balances.csv"]).status.code(), Some(0));
    std::fs::write(gate.path("balances.csv"), good.replace(",1", ",2")).expect("room");
    let output = gate.run(&["import", "--opening-balances", "balances.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("was opened with 1 coins before, and keeps that"));
    gate.assert_proven();
}
