//! No log contains keys, signatures that are still valid, tokens, or whole addresses of people.

use crate::support::app::{APP_SECRET, app};
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::http::{Connection, Request, call};
use crate::support::network::{Event, USER_IP, deliver, send, sign};
use crate::support::settings::SECRET;
use crate::support::wait::until;

on_both_databases!(logs_hold_no_secret_no_signature_no_token_and_no_address_of_a_person,);

/// Distinct enough that nothing else in a log can look like it.
const CALLER_IP: &str = "198.51.100.77";
const DATABASE_PASSWORD: &str = "correct-horse-battery";

fn logs_hold_no_secret_no_signature_no_token_and_no_address_of_a_person(on: Kind) {
    let app = app();
    // Everything that anybody writes, libraries included.
    let gate = Gate::with(on, |settings| {
        settings.with("log = \"trace\"").with("trusted_proxies = 1").forwarding_to(&app, "")
    });
    if on == Kind::Postgres {
        // The server trusts everybody, so any password will do.
        let url = gate.database.url().replace("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"));
        assert!(url.contains(DATABASE_PASSWORD), "no place for a password in {url}");
        gate.change(|settings| settings.with(&format!("database_url = \"{url}\"")));
    }
    let mut up = gate.up();
    let api = gate.api(up.address);
    let signed = Event::large("u-1", "T-1", 500).credit();
    let (_, hash) = signed.split_once("&hash=").expect("a hash");

    // Everything that could be logged: credit, repeat, refusal, quarantine, poison, bad HTTP, decisions, errors.
    let behind_proxy =
        |target: &str| call(up.address, &Request::get(target).header("X-Forwarded-For", CALLER_IP));
    for _ in 0..2 {
        assert!(behind_proxy(&signed).is_acknowledged());
    }
    assert_eq!(behind_proxy(&signed.replace("uid=u-1", "uid=u-2")).status, 403);
    assert!(behind_proxy(&sign(&format!("/pb/targo?ip={USER_IP}&uid=u-1"))).is_acknowledged());
    assert_eq!(behind_proxy(&signed.replace("targo", "other")).status, 404);
    let mut connection = Connection::open(up.address).expect("a connection");
    connection
        .send(format!("GET {signed}\u{7f} HTTP/9\r\nX-Forwarded-For: {CALLER_IP}\r\n\r\n").as_bytes())
        .expect("a connection");
    let _ = connection.answer(false);
    let id = api.reward("T-1")["id"].as_i64().expect("an id");
    assert_eq!(api.decide(id, "release", "it is fine").status, 200);
    assert_eq!(api.decide(id, "release", "it is fine").status, 409);
    assert_eq!(api.ask("rewards?colour=red").status, 400);
    gate.database
        .execute("UPDATE accounts SET balance_micros = 9000000000000000000 WHERE name = 'user:main/u-1'");
    let poison = Event::honest("u-1", "T-2", 500).credit();
    deliver(up.address, &poison);
    until("the poison put aside", || (api.all("postbacks?outcome=quarantined", 10).len() == 2).then_some(()));
    assert_eq!(send(up.address, "/pb/targo").status, 403);
    deliver(up.address, &Event::honest("u-3", "T-3", 500).credit());
    until("the app is called", || (app.calls() > 1).then_some(()));
    up.process.stop();

    let log = up.process.log();
    assert!(log.contains("TRACE"), "nothing was logged:\n{log}");
    let (_, poison_hash) = poison.split_once("&hash=").expect("a hash");
    for word in [SECRET, APP_SECRET, hash, poison_hash, &api.token, USER_IP, CALLER_IP, DATABASE_PASSWORD] {
        let line = log.lines().find(|line| line.contains(word));
        assert_eq!(line, None, "a log line holds {word}");
    } // What the app was sent is signed, too.
    let is_signed = |line: &&str| {
        let hashes =
            line.split("hash=").skip(1).map(|rest| rest.bytes().take_while(u8::is_ascii_hexdigit).count());
        hashes.max().unwrap_or(0) >= 40
    };
    assert_eq!(log.lines().find(is_signed), None, "a log line holds a signed URL");
}
