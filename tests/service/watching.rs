//! What monitoring sees: health with reasons, metrics, and a name that follows a call through the logs.

use serde_json::{Value, json};

use crate::support::api::json_of;
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::http::{Request, call};
use crate::support::network::{Event, deliver, send};
use crate::support::wait::until;

on_both_databases!(
    a_request_id_follows_a_postback_from_the_answer_to_the_verdict,
    metrics_count_postbacks_and_their_outcomes,
    clicks_in_the_future_point_to_our_clock_and_readiness_stays,
);

fn a_request_id_follows_a_postback_from_the_answer_to_the_verdict(on: Kind) {
    let gate = Gate::with(on, |settings| settings.with("log = \"info,web=debug,jobs=debug\""));
    let (web, worker) = (gate.web(), gate.worker());
    let api = gate.api(web.address);
    let answer = send(web.address, Event::honest("u-1", "T-1", 10).credit());
    let request_id = answer.header("X-Request-Id").expect("a name").to_owned();
    let reward = api.reward("T-1");
    assert_eq!(reward["postbacks"][0]["request_id"], json!(request_id));
    let named = format!("request_id=\"{request_id}\"");
    for process in [&web.process, &worker] {
        until("the name in the log", || process.log().contains(&named).then_some(()));
    }
}

fn metrics_count_postbacks_and_their_outcomes(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    let api = gate.api(up.address);
    assert_eq!(call(up.address, &Request::get("/metrics")).status, 401, "it names sources and volumes");
    deliver(up.address, &Event::honest("u-1", "T-1", 10).credit());
    deliver(up.address, &Event::too_fast("u-1", "T-2", 10).credit());
    assert_eq!(send(up.address, Event::honest("u-1", "T-3", 10).unsigned(1)).status, 403);
    api.await_processing();
    let wanted = [
        "rewardgate_calls_total{source=\"targo\",answer=\"recorded\"} 2",
        "rewardgate_calls_total{source=\"targo\",answer=\"bad_signature\"} 1",
        "rewardgate_postbacks_total{source=\"targo\",outcome=\"processed\"} 2",
        "rewardgate_verdicts_total{source=\"targo\",decision=\"credit\"} 1",
        "rewardgate_verdicts_total{source=\"targo\",decision=\"hold\"} 1",
        "rewardgate_rules_fired_total{source=\"targo\",rule=\"T1\"} 1",
        "rewardgate_decide_seconds_count 2",
        "rewardgate_database_up 1",
    ];
    until("the metrics", || {
        let text = api.metrics();
        wanted.iter().all(|line| text.contains(line)).then_some(())
    });
    up.process.stop();
}

fn clicks_in_the_future_point_to_our_clock_and_readiness_stays(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let clock = || {
        let ready = call(up.address, &Request::get("/readyz"));
        let body = json_of(&ready);
        let checks = body["checks"].as_array().expect("checks").clone();
        let clock = checks.into_iter().find(|check| check["name"] == "clock").expect("a look at the clock");
        (ready.status, clock["ok"] == true, clock["detail"].as_str().expect("words").to_owned())
    };
    let text = |tx: &str, rule: &str| {
        let signals = api.reward(tx)["verdict"]["signals"].as_array().expect("signals").clone();
        let signal = signals.into_iter().find(|signal| signal["code"] == rule).expect("every rule speaks");
        signal["text"].as_str().expect("a sentence").to_owned()
    };
    let ahead = |number: u32, seconds: i64| {
        let (user, tx) = (format!("u-{number}"), format!("T-{number}"));
        deliver(up.address, &Event::honest(&user, &tx, 10).clicked_earlier(-600 - seconds).credit());
        tx
    };
    let first = ahead(0, 400);
    assert!(!text(&first, "Q1").contains("our clock"), "of one nobody can tell: {}", text(&first, "Q1"));
    assert_eq!((clock().0, clock().1), (200, true));
    for number in 1..12 {
        ahead(number, 400);
    }
    api.await_processing();
    let last = ahead(12, 100);
    assert!(text(&last, "Q2b").contains("our clock is probably slow"), "{}", text(&last, "Q2b"));
    let (status, is_good, words) = clock();
    assert!(status == 200 && !is_good && words.contains("our clock"), "{words}");
    until("the metric", || api.metrics().contains("rewardgate_clicks_ahead_ratio 1").then_some(()));
    // Others whose click lies behind us outweigh them.
    for number in 20..35 {
        deliver(up.address, &Event::honest(&format!("u-{number}"), &format!("T-{number}"), 10).credit());
    }
    api.await_processing();
    assert_eq!((clock().0, clock().1), (200, true));
}

fn checks(body: &Value) -> Vec<(String, bool)> {
    let checks = body["checks"].as_array().expect("checks");
    checks.iter().map(|check| (check["name"].as_str().expect("a name").into(), check["ok"] == true)).collect()
}

#[test]
fn a_process_is_ready_while_its_database_answers_and_says_why_it_is_not() {
    let gate = Gate::with(Kind::Postgres, |settings| settings.with("admin_listen = \"127.0.0.1:0\""));
    let web = gate.web();
    let admin = web.process.line().expect("where people call");
    let admin =
        admin.strip_prefix("admin on http://").and_then(|address| address.parse().ok()).expect("an address");
    for address in [web.address, admin] {
        assert_eq!(call(address, &Request::get("/healthz")).status_and_body(), (200, "OK"));
        let ready = call(address, &Request::get("/readyz"));
        assert_eq!((ready.status, &json_of(&ready)["ready"]), (200, &json!(true)), "{ready:?}");
        assert!(checks(&json_of(&ready)).contains(&("database".into(), true)));
    }
    assert_eq!(call(web.address, &Request::get("/metrics")).status, 404, "networks are not concerned");
    assert_eq!(call(admin, &Request::get("/metrics")).status, 200);

    gate.database.close();
    until("the loss being noticed", || {
        let ready = call(admin, &Request::get("/readyz"));
        let lost = ready.status == 503 && checks(&json_of(&ready)).contains(&("database".into(), false));
        lost.then_some(())
    });
    assert_eq!(call(admin, &Request::get("/healthz")).status, 200, "it lives all the same");
    gate.database.reopen();
    until("the return being noticed", || (call(admin, &Request::get("/readyz")).status == 200).then_some(()));
}

#[test]
fn healthcheck_answers_for_the_process_that_the_settings_start() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with(&format!("worker_listen = \"{address}\"")));
    drop(free);
    let down = gate.run(&["healthcheck", "--worker"]);
    assert_eq!(down.status.code(), Some(1), "{}", text(&down.stderr));
    let worker = gate.worker();
    assert_eq!(worker.line(), Some(format!("monitoring on http://{address}")));
    let alive = gate.run(&["healthcheck", "--worker"]);
    let said = text(&alive.stdout);
    assert_eq!(alive.status.code(), Some(0), "{said}");
    assert!(said.contains("✓ database") && said.contains("✓ worker"), "{said}");
    let unknown = gate.run(&["healthcheck"]);
    assert_eq!(unknown.status.code(), Some(1), "the port is taken anew at every start");
}
