//! Who listens where: with `admin_listen`, the address that faces the internet answers networks and nobody else.

use std::net::{SocketAddr, TcpListener};

use crate::support::api::json_of;
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening, announced, text};
use crate::support::http::{Request, call};
use crate::support::network::{Event, send};
use crate::support::wait::until;

on_both_databases!(
    the_api_is_only_at_admin_listen_and_ingest_only_at_listen,
    proxies_are_believed_only_at_the_listener_that_names_them,
);

const API: [&str; 8] = [
    "/api/v1/openapi.json",
    "/api/v1/rewards",
    "/api/v1/rewards/1",
    "/api/v1/rewards/1/release",
    "/api/v1/users/u-1/balance",
    "/api/v1/postbacks",
    "/api/v1/ledger/proof",
    "/api/v1/",
];

fn the_api_is_only_at_admin_listen_and_ingest_only_at_listen(on: Kind) {
    let gate = Gate::new(on);
    let (admin_address, up) = apart(&gate);
    let api = gate.api(admin_address);
    let event = Event::honest("u-1", "T-1", 500);

    assert_eq!(send(admin_address, event.credit()).status, 404);
    assert!(send(up.address, event.credit()).is_acknowledged());
    assert_eq!(api.reward("T-1")["status"], "credited");
    let outside = api.at(up.address);
    for path in API {
        for method in ["GET", "POST"] {
            let request = Request::new(method, path)
                .header("Authorization", &format!("Bearer {}", outside.token))
                .body("{\"note\":\"x\"}");
            let answer = call(up.address, &request);
            assert_eq!(answer.status_and_body(), (404, "not found"), "{method} {path}");
        }
    }
    for path in ["/?x=1", "/pb/targo", "/index.html"] {
        assert_eq!(call(admin_address, &Request::get(path)).status, 404, "{path}");
    }
    assert_eq!(json_of(&api.ask("openapi.json"))["info"]["title"], "RewardGate");
}

fn proxies_are_believed_only_at_the_listener_that_names_them(on: Kind) {
    const HERE: &str = "[\"127.0.0.1/32\"]";
    const ELSEWHERE: &str = "[\"203.0.113.1/32\"]";
    let https = |address| {
        let request = Request::get("/login").header("X-Forwarded-Proto", "https");
        let answer = call(address, &request.header("X-Forwarded-For", "203.0.113.7"));
        answer.header("set-cookie").is_some_and(|cookie| cookie.starts_with("__Host-"))
    };
    // The proxies of each; whether networks' calls come from where the header says, and people by https.
    for (public, admin, of_networks, of_people) in [
        (HERE, "[]", 200, false),
        ("1", "[]", 200, false),
        (ELSEWHERE, HERE, 403, true),
        ("[]", "1", 403, true),
        ("{ from = [\"127.0.0.1\"], hops = 1 }", ELSEWHERE, 200, false),
    ] {
        let gate = Gate::with(on, |settings| {
            settings
                .with(&format!("trusted_proxies = {public}"))
                .with(&format!("admin_trusted_proxies = {admin}"))
                .with_in_source("allow_ips = [\"203.0.113.0/24\"]")
                .with_in_source("ip_policy = \"enforce\"")
        });
        let (admin_address, up) = apart(&gate);
        let call_of_network = Request::get(Event::honest("u-1", "T-1", 10).credit());
        let call_of_network = call_of_network.header("X-Forwarded-For", "198.51.100.1, 203.0.113.7");
        assert_eq!(call(up.address, &call_of_network).status, of_networks, "{public} {admin}");
        assert_eq!(https(admin_address), of_people, "{public} {admin}");
        let said = text(&gate.run(&["check", "--offline"]).stdout);
        let believed = said.lines().filter(|line| line.contains("X-Forwarded-For is believed from")).count();
        let named = [public, admin].iter().filter(|proxies| **proxies != "[]").count();
        assert_eq!(believed, named, "{said}");
        assert_eq!(said.contains("from whoever connects"), public == "1" || admin == "1", "{said}");
    }
}

/// A process that listens at two addresses: that of people and programs, and the one it announces. The other port has
/// to be chosen: again, should somebody take it meanwhile.
fn apart(gate: &Gate) -> (SocketAddr, Listening) {
    until("a port that stays free", || {
        let admin_address = free_address();
        gate.change(|settings| settings.with(&format!("admin_listen = \"{admin_address}\"")));
        Some((admin_address, announced(gate.start(&["up"]))?))
    })
}

/// An address that nobody listens on.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}
