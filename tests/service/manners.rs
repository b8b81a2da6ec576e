//! HTTP as specified: methods, hosts, paths, content types, and bodies that are late, large or of the wrong type.

use std::net::SocketAddr;

use crate::support::api::json_of;
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::http::{Answer, Connection, Request, call};
use crate::support::network::Event;
use crate::support::signed_in::SignedIn;
use crate::support::wait::until;

on_both_databases!(
    a_path_that_a_proxy_takes_for_another_leads_nowhere,
    a_call_with_two_hosts_is_refused_and_kept,
    of_a_form_that_may_not_be_sent_no_more_is_read_than_its_first_part,
);

const FORM: &str = "application/x-www-form-urlencoded";

fn a_path_that_a_proxy_takes_for_another_leads_nowhere(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    gate.add_person("root", "admin");
    let root = SignedIn::new(up.address, "root", &[]);
    assert_eq!(root.get("/reports").status, 200);
    for path in [
        "/reports/..%2fpb%2fx",
        "/reports/..%2Fpb%2Fx",
        "/reports/%2e%2e/pb/x",
        "/reports/../pb/x",
        "/reports/..\\pb\\x",
        "/reports/..%5cpb%5cx",
        "/reports/..;/pb/x",
        "/api/v1/..%2f..%2fpb",
        "/metrics/../pb/x",
        "/pb/../reports",
        "/pb/..%2freports",
        "/pb/x/../../reports",
        "//reports",
        "/;/reports",
        "/./reports",
        "/%72eports",
    ] {
        let request = root.with(Request::get(path)).header("Authorization", &format!("Bearer {}", api.token));
        let answer = call(up.address, &request);
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        assert!(!answer.body.contains("<main"), "{path}: {}", answer.body);
    }
    // Names of users may hold anything.
    assert_eq!(root.get("/users/main/a%2F..%2Fb").status, 404);
    assert!(root.get("/users/main/a%2F..%2Fb").body.contains("User not found"));
}

fn a_call_with_two_hosts_is_refused_and_kept(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let target = Event::honest("u-1", "T-1", 10).credit();
    let answer = call(up.address, &Request::get(&target).header("Host", "gw.example.com"));
    assert_eq!(answer.status_and_body(), (400, "the request has more than one Host header"));
    let kept = until("the call being kept", || api.get("postbacks?outcome=refused")["items"].get(0).cloned());
    assert_eq!(kept["target"], domain::masked::masked(&target).as_ref());
    assert!(kept["reason"].as_str().is_some_and(|why| why.contains("more than one Host")), "{kept}");
    for (target, host, status) in [
        ("http://a.example/healthz", "a.example", 200),
        ("http://a.example/healthz", "b.example", 400),
        ("/healthz", "a.example/x", 400),
        ("/healthz", "a b", 400),
        ("/healthz", "", 200),
    ] {
        assert_eq!(call(up.address, &Request::get(target).host(host)).status, status, "{target} {host}");
    }
}

#[test]
fn what_is_late_or_large_is_named_so_whatever_it_was_for() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("limits = { body_seconds = 1 }"));
    let up = gate.up();
    let token = gate.token("admin");
    let authorization = format!("Authorization: Bearer {token}\r\n");
    let json = "Content-Type: application/json\r\n";
    let form = format!("Content-Type: {FORM}\r\n");
    for (target, headers, words) in [
        ("/login", form.as_str(), "The form timed out"),
        ("/review/decide", form.as_str(), "The form timed out"),
        ("/api/v1/rewards/1/release", &format!("{authorization}{json}"), "too_slow"),
        ("/api/v1/statements/1/paid", &format!("{authorization}{json}"), "too_slow"),
    ] {
        let mut connection = Connection::open(up.address).expect("a connection");
        let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 9\r\n\r\n{{");
        connection.send(head.as_bytes()).expect("room");
        let answer = connection.answer(false).expect("an answer");
        assert_eq!(answer.status, 408, "{target}: {}", answer.body);
        assert!(answer.body.contains(words), "{target}: {}", answer.body);
        for is_chunked in [false, true] {
            let kind = if target.starts_with("/api") { "application/json" } else { FORM };
            let request = Request::new("POST", target)
                .header("Authorization", &format!("Bearer {token}"))
                .header("Content-Type", kind);
            let body = "x".repeat(100_000);
            let request =
                if is_chunked { request.chunked_body(body.as_bytes()) } else { request.body(&body) };
            assert_eq!(call(up.address, &request).status, 413, "{target}");
        }
    }
}

#[test]
fn methods_are_answered_as_http_says() {
    let gate = Gate::new(Kind::Sqlite);
    let up = gate.up();
    let token = gate.token("admin");
    let ask = |method: &str, path: &str| -> Answer {
        let request = Request::new(method, path).header("Authorization", &format!("Bearer {token}"));
        let mut connection = Connection::open(up.address).expect("a connection");
        connection.call(&request).expect("an answer")
    };
    for (path, allowed) in [
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/readyz", "GET, HEAD, OPTIONS"),
        ("/metrics", "GET, HEAD, OPTIONS"),
        ("/api/v1/rewards", "GET, HEAD, OPTIONS"),
        ("/api/v1/openapi.json", "GET, HEAD, OPTIONS"),
        ("/api/v1/rewards/1/release", "OPTIONS, POST"),
        ("/api/v1/statements", "GET, HEAD, OPTIONS, POST"),
        ("/review", "GET, HEAD, POST, OPTIONS"),
        ("/pb/targo", "GET, POST, HEAD"),
    ] {
        for method in ["DELETE", "TRACE", "BREW"] {
            let answer = ask(method, path);
            assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{method} {path}");
        }
        if path != "/pb/targo" {
            let answer = ask("OPTIONS", path);
            assert_eq!((answer.status, answer.header("allow")), (204, Some(allowed)), "{path}");
        }
    }
    for path in ["/healthz", "/metrics", "/api/v1/rewards", "/api/v1/openapi.json", "/login"] {
        let (get, head) = (ask("GET", path), ask("HEAD", path));
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[test]
fn a_body_that_is_no_object_or_of_another_kind_is_refused_by_name() {
    let gate = Gate::new(Kind::Sqlite);
    let up = gate.up();
    let token = gate.token("admin");
    for path in [
        "rewards/1/release",
        "rewards/1/undo",
        "deliveries/resend",
        "deliveries/1/give-up",
        "postbacks/1/state",
        "reversals/1/resolve",
        "reports/2026-01-01/sign-off",
        "statements/1/accept",
        "statements/1/paid",
    ] {
        let post = |kind: &str, body: &str| {
            let request = Request::new("POST", format!("/api/v1/{path}"))
                .header("Authorization", &format!("Bearer {token}"))
                .header("Content-Type", kind);
            call(up.address, &request.body(body))
        };
        for (body, what) in [
            ("[\"x\"]", "an array"),
            ("[{\"note\":\"x\"}]", "an array"),
            (" 7", "a number"),
            ("\"x\"", "a string"),
            ("null", "null"),
            ("true", "a boolean"),
        ] {
            let answer = post("application/json", body);
            let message = json_of(&answer)["error"]["message"].as_str().unwrap_or_default().to_owned();
            assert_eq!(answer.status, 400, "{path} {body}: {message}");
            assert_eq!(message, format!("the body must be a JSON object, not {what}"), "{path}");
        }
        for (kind, is_taken) in [
            ("application/json; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/plain", false),
            (FORM, false),
            ("multipart/form-data; boundary=x", false),
        ] {
            let answer = post(kind, "{}");
            assert_eq!(answer.status != 415, is_taken, "{path} {kind}: {}", answer.body);
        }
    }
    let file = Request::new("POST", "/api/v1/statements?source=targo")
        .header("Authorization", &format!("Bearer {token}"))
        .header("Content-Type", "multipart/form-data; boundary=x");
    assert_eq!(call(up.address, &file.body("--x--")).status, 415);
}

/// The answer to a form with a file of which only the beginning arrives.
fn begun(address: SocketAddr, headers: &str, body: &str) -> Answer {
    let mut connection = Connection::open(address).expect("a connection");
    let head = format!(
        "POST /reports/statements HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n{headers}\
         Content-Length: 300000000\r\n\r\n{body}"
    );
    connection.send(head.as_bytes()).expect("room");
    connection.answer(false).expect("an answer")
}

fn of_a_form_that_may_not_be_sent_no_more_is_read_than_its_first_part(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    gate.add_person("mara", "risk");
    gate.add_person("fin", "finance");
    let (mara, fin) = (SignedIn::new(up.address, "mara", &[]), SignedIn::new(up.address, "fin", &[]));
    let field = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.csv\"\r\n\r\ntx_id,amount\n";
    let cookie = |session: &SignedIn| format!("Cookie: {}\r\n", session.cookie);
    let token = format!("{}X-Csrf-Token: {}\r\n", cookie(&fin), fin.csrf);
    let long = format!("--b\r\nX-Long: {}", "x".repeat(20_000));
    let many = format!("--b\r\n{}", "X-Many: x\r\n".repeat(2_000));
    for (what, headers, body, status, words) in [
        ("nobody", String::new(), String::new(), 401, "Sign in"),
        ("another role", cookie(&mara), String::new(), 403, "Finance role required"),
        ("no token", cookie(&fin), field("source", "targo"), 403, "does not come first"),
        ("a wrong token", cookie(&fin), field("csrf", &mara.csrf), 403, "does not come first"),
        (
            "a wrong header",
            format!("{}X-Csrf-Token: x\r\n", cookie(&fin)),
            field("source", "x"),
            403,
            "has expired",
        ),
        ("a file first", cookie(&fin), format!("{file}{}\r\n", field("csrf", &fin.csrf)), 403, "has expired"),
        ("a long header", token.clone(), long.clone(), 400, "larger than 8 KiB"),
        ("many headers", token.clone(), many, 400, "larger than 8 KiB"),
        ("a long header without a token", cookie(&fin), long, 400, "larger than 8 KiB"),
        ("a long field", token.clone(), field("source", &"x".repeat(20_000)), 400, "The form is incomplete"),
        ("many fields", token.clone(), field("x", "y").repeat(40), 400, "too many fields"),
    ] {
        // A field ends where the next part begins.
        let answer = begun(up.address, &headers, &(body + "--b\r\n"));
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        assert!(answer.body.contains(words), "{what}: {}", answer.body);
    }
    // The whole form is taken, with its token in the first field or in a header.
    for (headers, first) in [(cookie(&fin), field("csrf", &fin.csrf)), (token, String::new())] {
        let body = format!("{first}{}{file}T-{},1.00\r\n--b--\r\n", field("source", "targo"), first.len());
        let request = headers.lines().fold(Request::new("POST", "/reports/statements"), |request, line| {
            let (name, value) = line.split_once(": ").expect("a header");
            request.header(name, value)
        });
        let request = request.header("Content-Type", "multipart/form-data; boundary=b").body(&body);
        let answer = call(up.address, &request);
        assert_eq!(answer.status, 303, "{}", answer.body);
    }
}
