//! Who listens where: with `admin_listen`, the address that faces the internet answers networks and nobody else.

use std::net::{SocketAddr, TcpListener};

use crate::api::json_of;
use crate::database::Kind;
use crate::gate::{Gate, announced};
use crate::http::{Request, call};
use crate::network::{Event, send};
use crate::wait::until;

on_both_databases!(the_api_is_only_at_admin_listen_and_ingest_only_at_listen);

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
    // Only `listen` is announced, so the other port has to be chosen: again, should somebody take it meanwhile.
    let (admin_address, up) = until("a port that stays free", || {
        let admin_address = free_address();
        gate.change(|settings| settings.with(&format!("admin_listen = \"{admin_address}\"")));
        Some((admin_address, announced(gate.start(&["up"]))?))
    });
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
            assert_eq!(answer.said(), (404, "not found"), "{method} {path}");
        }
    }
    for path in ["/?x=1", "/pb/targo", "/index.html"] {
        assert_eq!(call(admin_address, &Request::get(path)).status, 404, "{path}");
    }
    assert_eq!(json_of(&api.ask("openapi.json"))["info"]["title"], "RewardGate");
}

/// An address that nobody listens on.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}
