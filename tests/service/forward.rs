//! Every credit and reversal is delivered to the app: in the network's form, in order, and despite failures.

use std::time::{Duration, Instant};

use domain::delivery::sign::webhook_secret;
use sandbox::app::{App, Reply};
use serde_json::{Value, json};

use crate::support::api::{Api, field, json_of};
use crate::support::app::{app, app_with};
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::network::{Event, deliver};
use crate::support::wait::until;

on_both_databases!(
    a_credit_and_its_reversal_are_sent_in_the_networks_own_form,
    a_webhook_is_signed_with_both_secrets_while_they_rotate,
    a_webhook_has_the_same_body_before_and_after_its_secret_is_changed,
    an_unacknowledged_delivery_is_sent_again_under_the_same_id,
    a_decision_is_sent_after_its_grace_and_never_if_undone,
    what_failed_waits_for_a_person_and_is_sent_again,
    an_app_that_is_gone_is_left_alone_until_it_is_switched_on_again,
    an_address_that_is_not_public_is_refused_and_named,
    no_redirect_is_followed_and_no_answer_waited_for_in_vain,
    an_app_is_not_called_more_often_than_it_wants,
    an_app_that_is_down_costs_no_attempts,
);

/// Waits until the app has been called so often.
fn calls(app: &App, count: usize) {
    until(&format!("{count} calls of the app"), || (app.calls() >= count).then_some(()));
}

/// Waits until every delivery of the reward stands as `expected` says, e.g. `credited delivered`.
fn deliveries(api: &Api, tx: &str, expected: &[&str]) -> Value {
    until(&format!("{expected:?}"), || {
        let found = api.reward(tx)["deliveries"].clone();
        let lines = |one: &Value| format!("{} {}", text_of(&one["event"]), text_of(&one["status"]));
        let found_lines: Vec<_> = found.as_array().expect("a list").iter().map(lines).collect();
        (found_lines == expected).then_some(found)
    })
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn is_measured(api: &Api, wanted: &str) -> bool {
    api.metrics().lines().any(|line| line == wanted)
}

fn a_credit_and_its_reversal_are_sent_in_the_networks_own_form(on: Kind) {
    let app = app();
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, ""));
    let mut up = gate.up();
    let api = gate.api(up.address);
    let event = Event::honest("u%201", "T-1", 500);
    deliver(up.address, &event.credit());
    calls(&app, 1);
    deliveries(&api, "T-1", &["credited delivered"]);
    deliver(up.address, &event.reversal());
    calls(&app, 2);
    let rows = deliveries(&api, "T-1", &["credited delivered", "reversed delivered"]);

    let arrivals = app.arrivals();
    assert!(arrivals.iter().all(|arrival| arrival.verified && arrival.user_id == "u 1"), "{arrivals:?}");
    let said: Vec<_> = arrivals
        .iter()
        .map(|one| {
            (one.status, one.reward.to_string(), one.balance.as_str(), one.reason.as_str(), one.sequence)
        })
        .collect();
    assert_eq!(said, [(1, "500".into(), "500", "completed", 1), (2, "500".into(), "0", "taken_back", 2)]);
    assert_eq!(field(&rows, "reason"), ["completed", "taken_back"]);
    let attempt = &rows[0]["attempts"][0];
    assert_eq!(
        (&attempt["result"], &attempt["http_status"], &attempt["answer"], &attempt["number"]),
        (&json!("delivered"), &json!(200), &json!("OK"), &json!(1))
    );
    let list = api.get("deliveries?status=delivered&app=main");
    assert_eq!(field(&list["items"], "event"), ["reversed", "credited"]);
    assert!(is_measured(&api, "rewardgate_delivery_attempts_total{app=\"main\",result=\"delivered\"} 2"));
    up.process.stop();
}

fn a_webhook_is_signed_with_both_secrets_while_they_rotate(on: Kind) {
    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    // Each app knows one of the two.
    for known in [OLD, NEW] {
        let app = app_with(vec![webhook_secret(known).expect("a secret")]);
        let gate = Gate::with(on, |settings| {
            settings
                .with_variable("OLD_SECRET", OLD)
                .with_variable("NEW_SECRET", NEW)
                .with_tail(&format!(
                    "[deliveries]\nallow_networks = [\"127.0.0.1\"]\n[[apps]]\nname = \"main\"\n[apps.forward]\n\
                     form = \"standard-webhooks\"\nurl = \"{}/hook\"\nsecret = [\"env:NEW_SECRET\", \"env:OLD_SECRET\"]",
                    app.origin()
                ))
        });
        let up = gate.up();
        let api = gate.api(up.address);
        deliver(up.address, &Event::honest("u-1", "T-1", 500).credit());
        deliveries(&api, "T-1", &["credited delivered"]);
        let arrival = app.arrivals().remove(0);
        assert!(arrival.verified, "{arrival:?}");
        assert_eq!((arrival.status, arrival.tx_id.as_str(), arrival.balance.as_str()), (1, "T-1", "500"));
    }
}

fn a_webhook_has_the_same_body_before_and_after_its_secret_is_changed(on: Kind) {
    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let app = app_with([OLD, NEW].map(|secret| webhook_secret(secret).expect("a secret")).to_vec());
    app.answer_with(|_| Reply::Refuse(500));
    let gate = Gate::with(on, |settings| {
        settings.with_variable("HOOK_SECRET", OLD).with_tail(&format!(
            "[deliveries]\nallow_networks = [\"127.0.0.1\"]\n[[apps]]\nname = \"main\"\n[apps.forward]\n\
             form = \"standard-webhooks\"\nurl = \"{}/hook\"\nsecret = \"env:HOOK_SECRET\"\n\
             schedule = [0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]",
            app.origin()
        ))
    });
    let mut up = gate.up();
    deliver(up.address, &Event::honest("u-1", "T-1", 500).credit());
    until("a first call", || (app.calls() > 0).then_some(()));
    // Meanwhile the balance is another.
    deliver(up.address, &Event::honest("u-1", "T-2", 7).credit());
    gate.api(up.address).reward("T-2");
    up.process.stop();
    gate.change(|settings| settings.with_variable("HOOK_SECRET", NEW));
    let up = gate.up();
    app.answer_with(|_| Reply::Acknowledge);
    deliveries(&gate.api(up.address), "T-1", &["credited delivered"]);
    let calls: Vec<_> = app.arrivals().into_iter().filter(|call| call.tx_id == "T-1").collect();
    assert!(calls.len() >= 2 && calls.iter().all(|call| call.verified), "{calls:?}");
    assert!(calls.iter().all(|call| call.content == calls[0].content), "{calls:?}");
}

fn an_unacknowledged_delivery_is_sent_again_under_the_same_id(on: Kind) {
    let app = app();
    let mut left = vec![
        Reply::Acknowledge,
        Reply::BookAndClose,
        Reply::Close,
        Reply::WrongBody,
        Reply::Refuse(500),
        Reply::Refuse(500),
    ];
    app.answer_with(move |_| left.pop().unwrap_or(Reply::Acknowledge));
    let gate =
        Gate::with(on, |settings| settings.forwarding_to(&app, "schedule = [0.05, 0.05, 0.05, 0.05, 0.05]"));
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 500).credit());
    let rows = deliveries(&api, "T-1", &["credited delivered"]);
    let results = field(&rows[0]["attempts"], "result");
    assert_eq!(
        results,
        ["server_error", "server_error", "not_acknowledged", "closed", "closed", "delivered"]
    );
    let arrivals = app.arrivals();
    assert!(arrivals.len() >= 6 && arrivals.iter().all(|one| one.id == arrivals[0].id), "{arrivals:?}");
    assert_eq!(app.balances()["u-1"].to_string(), "500", "booked once");
}

fn a_decision_is_sent_after_its_grace_and_never_if_undone(on: Kind) {
    let app = app();
    let gate = Gate::with(on, |settings| {
        let settings = settings.forwarding_to(&app, "also = [\"rejected\"]");
        settings.replace_in_tail("[deliveries]", "[deliveries]\ngrace_seconds = 2")
    });
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::large("u-1", "T-1", 500).credit());
    let id = api.reward("T-1")["id"].as_i64().expect("an id");

    assert_eq!(api.decide(id, "release", "looks fine").status, 200);
    assert_eq!(api.balance("u-1"), "500");
    let undone = api.decide(id, "undo", "the wrong one");
    assert_eq!((undone.status, &json_of(&undone)["status"]), (200, &json!("held")));
    assert_eq!(api.balance("u-1"), "0");
    assert_eq!(api.decide(id, "undo", "once more").status, 409);
    assert_eq!(api.decide(id, "reject", "no").status, 200);
    let decided = Instant::now();
    assert_eq!(app.calls(), 0);
    calls(&app, 1);
    assert!(decided.elapsed() > Duration::from_millis(1_500), "it left too early: {:?}", decided.elapsed());
    let rows = deliveries(&api, "T-1", &["credited withdrawn", "rejected delivered"]);
    assert_eq!(field(&rows, "reason"), ["reviewed", "not_approved"]);
    assert_eq!(api.decide(id, "undo", "too late").status, 409);
    let reward = api.reward("T-1");
    assert_eq!(field(&reward["steps"], "step"), ["hold", "release", "undo_release", "reject"]);
    assert_eq!(app.arrivals()[0].status, 4);
    gate.assert_proven();
}

fn what_failed_waits_for_a_person_and_is_sent_again(on: Kind) {
    let app = app();
    app.answer_with(|_| Reply::Refuse(400));
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, "schedule = [0]"));
    let mut up = gate.up();
    let api = gate.api(up.address);
    for number in 0..3 {
        deliver(up.address, &Event::honest(&format!("u-{number}"), &format!("T-{number}"), 5).credit());
    }
    for number in 0..3 {
        deliveries(&api, &format!("T-{number}"), &["credited failed"]);
    }
    let listed = gate.run(&["deliveries", "list", "--status", "failed"]);
    assert_eq!(text(&listed.stdout).lines().count(), 3, "{listed:?}");
    let first = api.get("deliveries?status=failed")["items"][0].clone();
    let one = first["id"].as_i64().expect("an id");
    // Two workers may have processed them in any order.
    let tx_of_one = text_of(&api.get(&format!("rewards/{}", first["reward_id"]))["tx_id"]).to_owned();

    app.answer_with(|_| Reply::Acknowledge);
    let finance = Api { token: gate.token("finance"), ..api.clone() };
    assert_eq!(finance.post(&format!("deliveries/{one}/resend"), "").status, 403);
    assert_eq!(api.post(&format!("deliveries/{one}/resend"), "").status, 200);
    deliveries(&api, &tx_of_one, &["credited delivered"]);
    assert_eq!(api.post("deliveries/999/resend", "").status, 404);

    let all = json_of(&api.post("deliveries/resend", "{\"app\":\"main\",\"status\":\"failed\"}"));
    assert_eq!((&all["deliveries"], &all["next"]), (&json!(2), &Value::Null), "{all}");
    let again = json_of(&api.post("deliveries/resend", &json!({ "ended_by": all["ended_by"] }).to_string()));
    assert_eq!(again["deliveries"], 0, "the same order twice sends nothing twice");
    for number in 0..3 {
        deliveries(&api, &format!("T-{number}"), &["credited delivered"]);
    }
    for bad in ["{\"status\":\"waiting\"}", "{\"statu\":\"failed\"}", "{\"from\":\"yesterday\"}"] {
        assert_eq!(api.post("deliveries/resend", bad).status, 400, "{bad}");
    }

    // The app has lost what it acknowledged; it knows the repeat by its id.
    let resent = gate.run(&["deliveries", "resend", "--status", "delivered", "--app", "main"]);
    assert!(text(&resent.stdout).starts_with("3 deliveries are sent again"), "{resent:?}");
    calls(&app, 12);
    assert_eq!(app.balances()["u-0"].to_string(), "5");
    assert_eq!(gate.run(&["deliveries", "resend"]).status.code(), Some(2), "of what?");
    up.process.stop();
}

fn an_app_that_is_gone_is_left_alone_until_it_is_switched_on_again(on: Kind) {
    let app = app();
    app.answer_with(|_| Reply::Refuse(410));
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, ""));
    let mut up = gate.up();
    let api = gate.api(up.address);
    for number in 1..=3 {
        assert!(!is_measured(&api, "rewardgate_app_disabled{app=\"main\"} 1"), "{number} users");
        deliver(up.address, &Event::honest(&format!("u-{number}"), &format!("T-{number}"), 5).credit());
        deliveries(&api, &format!("T-{number}"), &["credited failed"]);
    }
    until("the alert", || is_measured(&api, "rewardgate_app_disabled{app=\"main\"} 1").then_some(()));
    let log = up.process.log();
    assert!(log.contains("the app is disabled") && log.contains("410 for 3 users in a row"), "{log}");
    deliver(up.address, &Event::honest("u-4", "T-4", 5).credit());
    deliveries(&api, "T-4", &["credited waiting"]);
    assert_eq!(app.calls(), 3);

    app.answer_with(|_| Reply::Acknowledge);
    let enabled = text(&gate.run(&["deliveries", "enable", "main"]).stdout);
    assert!(enabled.starts_with("main is enabled\n3 deliveries failed before; "), "{enabled}");
    deliveries(&api, "T-4", &["credited delivered"]);
    deliveries(&api, "T-1", &["credited failed"]);
    assert!(gate.run(&["deliveries", "resend", "--app", "main"]).status.success());
    for number in 1..=3 {
        deliveries(&api, &format!("T-{number}"), &["credited delivered"]);
    }
    until("the end of the alert", || {
        is_measured(&api, "rewardgate_app_disabled{app=\"main\"} 0").then_some(())
    });
    up.process.stop();
}

fn an_address_that_is_not_public_is_refused_and_named(on: Kind) {
    let app = app();
    let port = app.address.port();
    for (host, named) in
        [("127.0.0.1", "127.0.0.1"), ("localhost", "loopback"), ("[::ffff:7f00:1]", "127.0.0.1")]
    {
        // The machine itself is not listed.
        let gate =
            Gate::with(on, |settings| settings.forwarding_to_url(&format!("http://{host}:{port}"), ""));
        let up = gate.up();
        let api = gate.api(up.address);
        deliver(up.address, &Event::honest("u-1", "T-1", 5).credit());
        let attempt = until("an attempt", || {
            let attempt = api.reward("T-1")["deliveries"][0]["attempts"][0].clone();
            attempt.is_object().then_some(attempt)
        });
        assert_eq!((&attempt["result"], &attempt["http_status"]), (&json!("address_refused"), &Value::Null));
        assert!(text_of(&attempt["detail"]).contains(named), "{attempt}");
    }
    assert_eq!(app.calls(), 0);
}

fn no_redirect_is_followed_and_no_answer_waited_for_in_vain(on: Kind) {
    let app = app();
    let mut left = vec![Reply::Acknowledge, Reply::Slow(Duration::from_secs(20)), Reply::Redirect];
    app.answer_with(move |_| left.pop().unwrap_or(Reply::Acknowledge));
    let gate =
        Gate::with(on, |settings| settings.forwarding_to(&app, "timeout_seconds = 1\nschedule = [0, 0]"));
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 5).credit());
    let rows = deliveries(&api, "T-1", &["credited delivered"]);
    assert_eq!(field(&rows[0]["attempts"], "result"), ["redirected", "timeout", "delivered"]);
    assert!(app.arrivals().iter().all(|arrival| arrival.content.starts_with("/postback?")));
}

fn an_app_is_not_called_more_often_than_it_wants(on: Kind) {
    let app = app();
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, "rate_per_second = 10"));
    let up = gate.up();
    for number in 0..40 {
        deliver(up.address, &Event::honest(&format!("u-{number}"), &format!("T-{number}"), 5).credit());
    }
    calls(&app, 40);
    let times: Vec<_> = app.arrivals().iter().map(|arrival| arrival.at_ms).collect();
    // Ten at once and ten a second: within any second at most twenty, and forty not within less than three.
    let busiest =
        times.iter().map(|from| times.iter().filter(|at| (*from..from + 900).contains(*at)).count()).max();
    assert!(busiest.is_some_and(|busiest| busiest <= 20), "{busiest:?}");
    assert!(times[39] - times[0] >= 2_700, "{}", times[39] - times[0]);
}

fn an_app_that_is_down_costs_no_attempts(on: Kind) {
    let app = app();
    app.answer_with(|_| Reply::Close);
    // Three attempts in all. Far enough apart that the breaker opens before one delivery has spent them, however slow the
    // database is.
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, "schedule = [5, 5]\nconcurrency = 4"));
    let up = gate.up();
    let api = gate.api(up.address);
    let open = "rewardgate_app_breaker_open{app=\"main\"} 1";
    for number in 0..40 {
        deliver(up.address, &Event::honest(&format!("u-{number}"), &format!("T-{number}"), 5).credit());
    }
    until("the breaker opens", || is_measured(&api, open).then_some(()));
    let called = app.calls();
    assert!(called < 40, "{called} calls of an app that is down");
    // One probe after the other, and nothing fails of it.
    calls(&app, called + 2);
    assert_eq!(api.get("deliveries?status=failed")["items"], json!([]));
    app.answer_with(|_| Reply::Acknowledge);
    until("everything arrives", || (app.booked() == 40).then_some(()));
    assert!(up.process.log().contains("the app is down"), "{}", up.process.log());
}
