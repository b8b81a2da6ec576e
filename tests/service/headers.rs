//! The headers that every answer has.

use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::http::{Answer, Connection, Request, call};
use crate::support::network::Event;
use crate::support::signed_in::SignedIn;

on_both_databases!(every_answer_carries_the_headers_that_keep_it_to_itself);

/// The host of `public_url`: calls to it came by https.
const BY_HTTPS: &str = "gw.example.com";

/// Bytes as they are, on a connection of their own.
fn raw(address: std::net::SocketAddr, bytes: &[u8]) -> Answer {
    let mut connection = Connection::open(address).expect("a connection");
    connection.send(bytes).expect("room");
    connection.answer(false).expect("an answer")
}

fn assert_guarded(answer: &Answer, what: &str, is_https: bool) {
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'; "), "{what}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{what}");
    let is_static = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/css"));
    let cache = if is_static { "public, max-age=31536000, immutable" } else { "no-store" };
    assert_eq!(answer.header("cache-control"), Some(cache), "{what}");
    let hsts = is_https.then_some("max-age=31536000");
    assert_eq!(answer.header("strict-transport-security"), hsts, "{what}");
    assert_eq!(answer.header("www-authenticate"), (answer.status == 401).then_some("Bearer"), "{what}");
    assert_eq!(answer.header("allow").is_some(), [204, 405].contains(&answer.status), "{what}");
}

fn every_answer_carries_the_headers_that_keep_it_to_itself(on: Kind) {
    let gate = Gate::with(on, |settings| settings.with("limits = { body_seconds = 1 }"));
    let up = gate.up();
    let api = gate.api(up.address);
    gate.add_person("root", "admin");
    let root = SignedIn::new(up.address, "root", &[]);
    let form = "application/x-www-form-urlencoded";
    let get = |path: &str| Request::get(path);
    let post = |path: &str| Request::new("POST", path);
    let signed = || Request::get(Event::honest("u-1", "T-1", 10).credit());
    let with_token = |request: Request| request.header("Authorization", &format!("Bearer {}", api.token));
    let style = root.get("/review").body;
    let style = style.split('"').find(|text| text.starts_with("/static/")).expect("a stylesheet").to_owned();
    let large = "x".repeat(70_000);
    let answers = [
        (200, signed()),
        (200, get("/healthz")),
        (200, get("/readyz")),
        (200, with_token(get("/metrics"))),
        (200, with_token(get("/api/v1/rewards"))),
        (200, get("/api/v1/openapi.json")),
        (200, get("/login")),
        (200, get(&style)),
        (200, Request::new("HEAD", "/api/v1/openapi.json")),
        (204, Request::new("OPTIONS", "/healthz")),
        (303, get("/review")),
        (400, with_token(get("/api/v1/rewards?status=x"))),
        (400, with_token(post("/api/v1/rewards/1/release")).body("[1]")),
        (401, get("/api/v1/rewards")),
        (401, get("/metrics")),
        (401, post("/review/decide").header("Content-Type", form).body("do=x")),
        (403, get("/pb/targo?x=1")),
        (403, post("/login").header("Content-Type", form).body("name=x")),
        (404, get("/pb/nobody")),
        (404, get("/api/v1/nothing")),
        (404, get("/nowhere")),
        (404, get("/nowhere").header("Accept", "text/html")),
        (405, Request::new("PUT", "/pb/targo")),
        (405, Request::new("PUT", "/review")),
        (405, post("/api/v1/rewards")),
        (405, post("/healthz")),
        (405, Request::new("TRACE", "/metrics")),
        (413, post("/pb/targo").body(&large)),
        (413, post("/login").header("Content-Type", form).body(&large)),
        (413, with_token(post("/api/v1/rewards/1/release")).body(&large)),
        (414, Request::get(Event::honest("u-1", "T-1", 10).credit_of_length(9_000))),
        (415, post("/login").header("Content-Type", "application/json").body("{}")),
        (415, with_token(post("/api/v1/rewards/1/release")).header("Content-Type", form).body("note=x")),
    ];
    for (status, request) in answers {
        for (host, is_https) in [("localhost", false), (BY_HTTPS, true), ("GW.example.com", true)] {
            let answer = call(up.address, &request.clone().host(host));
            let what = format!("{status} at {host}: {}", answer.body);
            assert_eq!(answer.status, status, "{what}");
            assert_guarded(&answer, &what, is_https);
        }
    }
    // What hyper answers by itself, and what comes too late.
    let late = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nx";
    for (status, bytes) in [
        (400, "GET /pb/targo?a b HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET /review HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n".to_owned()),
        (408, format!("POST /login HTTP/1.1\r\nHost: x\r\n{late}")),
        (408, format!("POST {} HTTP/1.1\r\nHost: x\r\n{late}", Event::honest("u", "T", 1).credit())),
        (431, format!("GET /review HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(200_000))),
    ] {
        let answer = raw(up.address, bytes.as_bytes());
        assert_eq!(answer.status, status, "{bytes:.60}");
        assert_guarded(&answer, &format!("{bytes:.60}"), false);
        assert!(!answer.body.contains("yyy"), "what was sent is not said again");
    }
    let mut tries = 0;
    let slowed = crate::support::wait::until("guessing is slowed down", || {
        tries += 1;
        let guess = guess(up.address, tries);
        (guess.status == 429).then_some(guess)
    });
    assert_guarded(&slowed, "429", false);
    gate.database.execute("ALTER TABLE rewards RENAME TO rewards_gone");
    let broken = api.ask("rewards");
    assert!(broken.status == 500 || broken.status == 503, "{}", broken.body);
    assert_guarded(&broken, "a fault", false);
    gate.database.execute("ALTER TABLE rewards_gone RENAME TO rewards");
}

/// A try to sign in with a wrong password.
fn guess(address: std::net::SocketAddr, number: u32) -> Answer {
    let csrf = format!("{number:064}");
    let request = Request::new("POST", "/login")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Cookie", &format!("rewardgate_login={csrf}"))
        .body(format!("csrf={csrf}&name=root&password=wrong"));
    call(address, &request)
}

#[test]
fn cookies_are_bound_to_the_host_where_the_browser_came_by_https() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("trusted_proxies = [\"127.0.0.1/32\"]"));
    let up = gate.up();
    gate.add_person("root", "admin");
    let https: &[(&str, &str)] = &[("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "203.0.113.7")];
    for (headers, name) in [(https, "__Host-rewardgate_session"), (&[][..], "rewardgate_session")] {
        let root = SignedIn::new(up.address, "root", headers);
        assert!(root.cookie.starts_with(&format!("{name}=")), "{}", root.cookie);
        let get = |cookie: &str| {
            let request = Request::get("/review").header("Cookie", cookie);
            call(up.address, &headers.iter().fold(request, |it, (name, value)| it.header(name, value))).status
        };
        assert_eq!(get(&root.cookie), 200);
        // Under the other name it was not set by us on such a connection.
        let value = root.cookie.split_once('=').expect("a value").1;
        let other =
            if name.starts_with("__Host-") { "rewardgate_session" } else { "__Host-rewardgate_session" };
        assert_eq!(get(&format!("{other}={value}")), 303);
    }
    let login = call(up.address, &Request::get("/login").host(BY_HTTPS));
    let cookie = login.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-rewardgate_login=") && cookie.contains("; Secure"), "{cookie}");
    assert!(cookie.contains("; Path=/;") && !cookie.contains("Domain"), "{cookie}");
}
