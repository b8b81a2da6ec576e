//! What an app's answers mean, at the real executable: yes, no, "I have it already", gone.

use sandbox::app::{App, Reply};
use serde_json::{Value, json};

use crate::support::api::{Api, field};
use crate::support::app::app;
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::network::{Event, deliver};
use crate::support::wait::until;

on_both_databases!(
    a_delivery_is_retried_until_the_app_acknowledges,
    an_app_with_a_yes_of_its_own_is_believed_only_that,
    an_app_that_has_a_repeat_already_has_it,
    an_app_that_has_what_was_never_sent_is_not_believed,
    a_user_who_is_gone_stops_nobody_else,
    a_repeat_carries_the_bytes_of_the_first_call,
    a_delivery_is_given_up_by_command_and_api_with_a_reason,
    check_calls_each_app_and_says_how_its_answer_is_taken,
);

/// Many short pauses.
const QUICK: &str = "schedule = [0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05]";

/// The first delivery of the reward, once it stands as `status` says.
fn delivery(api: &Api, tx: &str, status: &str) -> Value {
    until(&format!("{tx} {status}"), || {
        let found = api.reward(tx)["deliveries"][0].clone();
        (found["status"] == status).then_some(found)
    })
}

/// From now on the app gives these answers, and the last one for ever.
fn answers(app: &App, replies: &[Reply]) {
    let mut left = replies.to_vec();
    left.reverse();
    app.answer_with(move |_| {
        if left.len() > 1 { left.pop() } else { left.last().copied() }.unwrap_or(Reply::Acknowledge)
    });
}

fn a_delivery_is_retried_until_the_app_acknowledges(on: Kind) {
    let app = app();
    let bodies = [
        Reply::Say(200, "NOT OK"),
        Reply::Say(200, "unknown user 1042"),
        Reply::Say(200, "<html><body>OK 1</body></html>"),
        Reply::Say(200, "{\"status\":\"OK\"}"),
        Reply::Say(200, ""),
        Reply::Say(201, "OK"),
        Reply::Say(200, "\u{feff}\"ok\" - credited\n"),
    ];
    answers(&app, &bodies);
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, QUICK));
    let mut up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 500).credit());
    let row = delivery(&api, "T-1", "delivered");
    let results = field(&row["attempts"], "result");
    assert_eq!(
        (results.len(), results[..6].iter().all(|it| *it == "not_acknowledged")),
        (7, true),
        "{results:?}"
    );
    let detail = row["attempts"][0]["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("first word"), "{detail}");
    up.process.stop();
}

fn an_app_with_a_yes_of_its_own_is_believed_only_that(on: Kind) {
    let app = app();
    answers(&app, &[Reply::Say(200, "OK"), Reply::Say(200, " {\"status\":\"ok\",\"id\":7}\n")]);
    let lines = format!("{QUICK}\nacknowledged = '{{\"status\":\"ok\"*}}'");
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, &lines));
    let mut up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 500).credit());
    let row = delivery(&api, "T-1", "delivered");
    assert_eq!(field(&row["attempts"], "result"), ["not_acknowledged", "delivered"]);
    up.process.stop();
    gate.change(|settings| settings.replace_in_tail("'{\"status\"", "'*{\"status\""));
    let refused = gate.run(&["check", "--offline"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("acknowledged` ") && said.contains("would take `NOT OK` for a yes"), "{said}");
}

fn an_app_that_has_a_repeat_already_has_it(on: Kind) {
    let app = app();
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, QUICK));
    let mut up = gate.up();
    let api = gate.api(up.address);
    for (number, (status, body)) in
        [(409, "conflict"), (200, "DUP"), (200, "Duplicate."), (422, "already credited")]
            .into_iter()
            .enumerate()
    {
        let tx = format!("T-{number}");
        // It books, the answer is lost (our client may call again at once), and it knows the repeat for one.
        let mut calls = 0;
        app.answer_with(move |_| {
            calls += 1;
            match calls {
                1 => Reply::BookAndClose,
                2 => Reply::Say(500, "duplicate key value violates a constraint"),
                _ => Reply::Say(status, body),
            }
        });
        deliver(up.address, &Event::honest(&format!("u-{number}"), &tx, 5).credit());
        let row = delivery(&api, &tx, "delivered");
        let attempts = row["attempts"].as_array().expect("a list");
        let last = attempts.last().expect("an attempt");
        assert_eq!(last["result"], "duplicate", "{row}");
        assert!(last["detail"].as_str().is_some_and(|detail| detail.contains("has this already")), "{last}");
    }
    assert_eq!(app.booked(), 4, "once each");
    up.process.stop();
}

fn an_app_that_has_what_was_never_sent_is_not_believed(on: Kind) {
    let app = app();
    answers(&app, &[Reply::Say(409, "exists")]);
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, "schedule = [0, 0]"));
    let mut up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 5).credit());
    let row = delivery(&api, "T-1", "failed");
    assert_eq!(field(&row["attempts"], "result"), ["rejected"; 3]);
    up.process.stop();
}

fn a_user_who_is_gone_stops_nobody_else(on: Kind) {
    let app = app();
    app.answer_with(|call| if call.user_id == "u-gone" { Reply::Refuse(410) } else { Reply::Acknowledge });
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, ""));
    let mut up = gate.up();
    let api = gate.api(up.address);
    for number in 0..5 {
        deliver(up.address, &Event::honest("u-gone", &format!("G-{number}"), 5).credit());
        deliver(up.address, &Event::honest("u-here", &format!("H-{number}"), 5).credit());
    }
    for number in 0..5 {
        let row = delivery(&api, &format!("G-{number}"), "failed");
        assert_eq!(field(&row["attempts"], "result"), ["gone"], "asked once");
        delivery(&api, &format!("H-{number}"), "delivered");
    }
    assert_eq!(api.get("apps")[0]["disabled_at"], Value::Null);
    up.process.stop();
}

fn a_repeat_carries_the_bytes_of_the_first_call(on: Kind) {
    let app = app();
    // The first user's call fails until others of the same user are credited.
    app.answer_with(|_| Reply::Refuse(500));
    let gate =
        Gate::with(on, |settings| settings.forwarding_to(&app, "schedule = [0.3, 0.3, 2, 2, 5, 5, 5, 5, 5]"));
    let mut up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 5).credit());
    until("a first call", || (app.calls() > 0).then_some(()));
    deliver(up.address, &Event::honest("u-1", "T-2", 7).credit());
    api.reward("T-2");
    let before = app.calls();
    until("a repeat", || (app.calls() > before + 1).then_some(()));
    up.process.stop();
    let mut up = gate.up();
    let api = api.at(up.address);
    app.answer_with(|_| Reply::Acknowledge);
    delivery(&api, "T-1", "delivered");
    delivery(&api, "T-2", "delivered");
    let first = api.reward("T-1")["deliveries"][0]["id"].as_i64().expect("an id");
    let before = app.calls();
    assert_eq!(api.post(&format!("deliveries/{first}/resend"), "").status, 200);
    until("it is sent again", || (app.calls() > before).then_some(()));
    let arrivals = app.arrivals();
    let of = |tx: &str| {
        arrivals.iter().filter(|one| one.tx_id == tx).map(|one| one.content.as_str()).collect::<Vec<_>>()
    };
    let calls = of("T-1");
    assert!(calls.len() >= 4 && calls.iter().all(|call| *call == calls[0]), "{calls:?}");
    assert!(calls[0].contains("&balance=5&"), "{calls:?}");
    assert!(of("T-2")[0].contains("&balance=12&"), "{:?}", of("T-2"));
    up.process.stop();
}

fn a_delivery_is_given_up_by_command_and_api_with_a_reason(on: Kind) {
    let app = app();
    app.answer_with(|_| Reply::Refuse(400));
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, "schedule = [600]"));
    let mut up = gate.up();
    let api = gate.api(up.address);
    let waits = |tx: &str, user: &str| {
        deliver(up.address, &Event::honest(user, tx, 5).credit());
        until("an attempt", || {
            let found = api.reward(tx)["deliveries"][0].clone();
            found["attempts"][0].is_object().then(|| found["id"].as_i64().expect("an id"))
        })
    };
    let one = waits("T-1", "u-1");
    deliver(up.address, &Event::honest("u-1", "T-2", 5).credit());
    delivery(&api, "T-2", "behind");
    for bad in ["", "{}", "{\"reason\":\" \"}"] {
        assert_eq!(api.post(&format!("deliveries/{one}/give-up"), bad).status, 400, "{bad}");
    }
    let finance = Api { token: gate.token("finance"), ..api.clone() };
    let body = "{\"reason\":\"deleted in the app\"}";
    assert_eq!(finance.post(&format!("deliveries/{one}/give-up"), body).status, 403);
    assert_eq!(api.post("deliveries/999/give-up", body).status, 404);
    assert_eq!(api.post(&format!("deliveries/{one}/give-up"), body).status, 200);
    assert_eq!(api.post(&format!("deliveries/{one}/give-up"), body).status, 409);
    let given_up = delivery(&api, "T-1", "given_up");
    assert_eq!(given_up["given_up_why"], json!("deleted in the app"));
    // The blocked delivery is sent.
    until("the next of the user", || {
        api.reward("T-2")["deliveries"][0]["attempts"][0].is_object().then_some(())
    });
    gate.add_person("mara", "risk");
    let other = waits("T-3", "u-3").to_string();
    let usage = gate.run(&["deliveries", "give-up", &other]);
    assert_eq!(usage.status.code(), Some(2), "by whom, and why?");
    let done = gate.run(&["deliveries", "give-up", &other, "--as", "mara", "--reason", "asked by the user"]);
    assert_eq!(
        text(&done.stdout),
        format!("delivery {other} is given up: it is not sent any more\n"),
        "{done:?}"
    );
    let again = gate.run(&["deliveries", "give-up", &other, "--as", "mara", "--reason", "twice"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let listed = text(&gate.run(&["deliveries", "list", "--status", "given_up"]).stdout);
    assert!(listed.lines().count() == 2 && listed.contains("by mara: asked by the user"), "{listed}");
    up.process.stop();
}

fn check_calls_each_app_and_says_how_its_answer_is_taken(on: Kind) {
    let app = app();
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, ""));
    assert!(gate.run(&["migrate"]).status.success());
    let check = |arguments: &[&str]| {
        let output = gate.run(&[&["check"], arguments].concat());
        text(&output.stdout) + &text(&output.stderr)
    };
    for (reply, says) in [
        (
            Reply::Acknowledge,
            "✓ app        main answered 200 \"OK\" to a credit of 0 for the user `rewardgate-check`",
        ),
        (Reply::Say(200, "NOT OK"), "! app        main answered 200 \"NOT OK\""),
        (Reply::Refuse(404), "! app        main answered 404"),
        (Reply::Redirect, "✗ app        main answered 302"),
        (Reply::Refuse(500), "✗ app        main answered 500"),
        (Reply::Close, "✗ app        main does not answer"),
    ] {
        answers(&app, &[reply]);
        let said = check(&[]);
        assert!(said.contains(says), "no {says:?} in {said}");
    }
    let calls = app.calls();
    assert!(
        app.arrivals()
            .iter()
            .all(|call| call.verified && call.user_id == "rewardgate-check" && call.reward.0 == 0)
    );
    assert!(check(&["--offline"]).contains("! app        main was not called"));
    assert_eq!(app.calls(), calls);
    assert!(app.balances().values().all(|balance| balance.0 == 0), "nobody got anything");
}
