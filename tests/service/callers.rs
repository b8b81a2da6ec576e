//! How much one caller may use, and from where a network may call.

use std::io::Read as _;
use std::net::TcpStream;

use serde_json::json;

use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::http::Connection;
use crate::support::network::{Event, deliver, send};
use crate::support::wait::{DEADLINE, until};

/// True once the other end has closed the connection, whatever it sent before.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).is_ok()
}

#[test]
fn whoever_takes_too_long_loses_the_connection_and_others_are_served() {
    let limits = "limits = { header_seconds = 1, body_seconds = 1, idle_seconds = 1 }";
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with(limits));
    let mut up = gate.up();
    let post = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        Event::honest("u", "T", 1).credit()
    );
    for beginning in ["", "GET /pb/targo?uid=", post.as_str()] {
        let mut slow = TcpStream::connect(up.address).expect("a connection");
        std::io::Write::write_all(&mut slow, beginning.as_bytes()).expect("room");
        deliver(up.address, &Event::honest("u-1", &format!("T-{}", beginning.len()), 10).credit());
        assert!(is_closed(&mut slow), "after {beginning:?}");
    }
    up.process.stop();
}

#[test]
fn a_body_that_trickles_in_is_answered_with_408() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("limits = { body_seconds = 1 }"));
    let mut up = gate.up();
    let mut connection = Connection::open(up.address).expect("a connection");
    let target = Event::honest("u-1", "T-1", 10).credit();
    let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    connection.send(head.as_bytes()).expect("room");
    assert_eq!(connection.answer(false).expect("an answer").status, 408);
    up.process.stop();
}

#[test]
fn one_address_has_a_limit_of_open_connections() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("limits = { connections_per_address = 2 }"));
    let mut up = gate.web();
    let first = TcpStream::connect(up.address).expect("a connection");
    let mut second = Connection::open(up.address).expect("a connection");
    let request = crate::support::http::Request::get("/healthz");
    assert_eq!(second.call(&request).expect("it is served").status, 200);
    let mut third = TcpStream::connect(up.address).expect("the kernel takes it");
    assert!(is_closed(&mut third));
    drop(first);
    until("room for another", || {
        Connection::open(up.address).and_then(|mut connection| connection.call(&request)).ok()
    });
    drop(second);
    up.process.stop();
}

#[test]
fn a_caller_outside_the_allowlist_is_refused_or_flagged() {
    for (policy, status, fires) in [("enforce", 403, false), ("flag", 200, true), ("off", 200, false)] {
        let gate = Gate::with(Kind::Sqlite, |settings| {
            settings
                .with_in_source("allow_ips = [\"203.0.113.0/24\", \"2001:db8::/32\"]")
                .with_in_source(&format!("ip_policy = \"{policy}\""))
        });
        let mut up = gate.up();
        let api = gate.api(up.address);
        assert_eq!(send(up.address, Event::honest("u-1", "T-1", 10).credit()).status, status, "{policy}");
        if status == 200 {
            let reward = api.reward("T-1");
            let signals = reward["verdict"]["signals"].as_array().expect("signals");
            let signal = signals.iter().find(|signal| signal["code"] == "Q5").expect("a signal");
            assert_eq!(signal["fired"], json!(fires), "{policy}");
        } else {
            let refused = || api.get("postbacks?outcome=refused");
            let kept = until("the call being kept", || refused()["items"].get(0).cloned());
            assert!(kept["reason"].as_str().expect("a reason").contains("allow_ips"), "{kept}");
        }
        up.process.stop();
    }
}

#[test]
fn of_one_caller_only_so_many_refused_calls_are_kept() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("limits = { refused_per_minute = 2 }"));
    let mut up = gate.up();
    let api = gate.api(up.address);
    for _ in 0..5 {
        assert_eq!(send(up.address, Event::honest("u-1", "T-1", 10).unsigned(1)).status, 403);
    }
    until("the others being counted", || {
        api.metrics().contains("rewardgate_refused_not_kept_total 3").then_some(())
    });
    until("the first being kept", || {
        (api.get("postbacks?outcome=refused")["items"].as_array().map(Vec::len) == Some(2)).then_some(())
    });
    up.process.stop();
}

/// A signed credit as a proxy passes it on, with these lines of X-Forwarded-For.
fn through_proxy(address: std::net::SocketAddr, event: &Event, lines: &[&str]) -> u16 {
    let target = event.credit();
    let lines: Vec<_> = lines.iter().map(|line| format!("X-Forwarded-For: {line}\r\n")).collect();
    let lines = lines.concat();
    let mut connection = Connection::open(address).expect("a connection");
    let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
    connection.send(head.as_bytes()).expect("room");
    connection.answer(false).expect("an answer").status
}

#[test]
fn an_enforced_list_reads_the_address_however_the_proxy_writes_it() {
    let gate = Gate::with(Kind::Sqlite, |settings| {
        settings
            .with("trusted_proxies = 1")
            .with_in_source("allow_ips = [\"203.0.113.0/24\", \"2001:db8::/32\"]")
            .with_in_source("ip_policy = \"enforce\"")
    });
    let mut up = gate.up();
    let listed: [&[&str]; 8] = [
        &["203.0.113.5:51008"],
        &["[2001:db8::7]:443"],
        &["[2001:db8::7]"],
        &["\"[2001:db8::7]:443\""],
        &["::ffff:203.0.113.5"],
        &["198.51.100.1, 203.0.113.5:1"],
        &["unknown", "203.0.113.5"],
        &["203.0.113.5, "],
    ];
    for (number, lines) in listed.into_iter().enumerate() {
        let event = Event::honest("u-1", &format!("T-{number}"), 10);
        assert_eq!(through_proxy(up.address, &event, lines), 200, "{lines:?}");
    }
    let others: [&[&str]; 5] =
        [&["198.51.100.1:443"], &["203.0.113.5, 198.51.100.1"], &["unknown"], &["_hidden"], &[]];
    for (number, lines) in others.into_iter().enumerate() {
        let event = Event::honest("u-1", &format!("N-{number}"), 10);
        assert_eq!(through_proxy(up.address, &event, lines), 403, "{lines:?}");
    }
    let api = gate.api(up.address);
    let reasons = until("the calls being kept", || {
        let kept = api.get("postbacks?outcome=refused")["items"].clone();
        (kept.as_array().map(Vec::len) == Some(5)).then(|| kept.to_string())
    });
    assert!(reasons.contains("X-Forwarded-For does not name the caller"), "{reasons}");
    let log = up.process.log();
    assert_eq!(
        log.matches("the X-Forwarded-For entry of the trusted proxy is not an address").count(),
        1,
        "{log}"
    );
    assert!(api.metrics().contains("rewardgate_callers_untold_total 3"), "{}", api.metrics());
    up.process.stop();
}
