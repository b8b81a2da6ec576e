//! When connections run out, idle ones make room for new calls, and strangers keep nobody out.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::http::{Connection, Request};
use crate::support::network::{Event, deliver};
use crate::support::wait::{DEADLINE, until};

/// More strangers than there is room.
const CROWD: usize = 40;
const SMALL: &str =
    "limits = { connections = 8, header_seconds = 300, body_seconds = 300, idle_seconds = 3600 }";

/// Connections that send this and then nothing.
fn crowd(address: SocketAddr, beginning: &str) -> Vec<TcpStream> {
    let stranger = |_| {
        let mut stream = TcpStream::connect(address).expect("the kernel takes it");
        // One that was sent away already cannot be written to.
        let _ = stream.write_all(beginning.as_bytes());
        stream
    };
    (0..CROWD).map(stranger).collect()
}

/// True once the other end has closed the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let mut byte = [0];
    // An end, or a reset where something was sent that nobody read.
    !matches!(stream.read(&mut byte), Ok(1))
}

#[test]
fn strangers_that_wait_or_dawdle_make_room_for_a_networks_call() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with(SMALL));
    let mut up = gate.up();
    let form = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\n";
    let json = "POST /api/v1/rewards/1/release HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{";
    let answered = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let forged = "GET /pb/targo?hash=0 HTTP/1.1\r\nHost: x\r\n\r\n";
    for (number, beginning) in
        ["", "GET /pb/targo?uid=", "GET / HTTP/1.1\r\nHost: x\r\nX:", form, json, answered, forged]
            .into_iter()
            .enumerate()
    {
        let mut strangers = crowd(up.address, beginning);
        deliver(up.address, &Event::honest("u-1", &format!("T-{number}"), 10).credit());
        // Those that came first were closed first.
        if !beginning.starts_with("GET /healthz") && !beginning.starts_with("GET /pb/targo?hash") {
            assert!(is_closed(&mut strangers[0]), "after {beginning:?}");
        }
    }
    up.process.stop();
}

#[test]
fn a_connection_with_a_verified_call_stays_however_many_strangers_come() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with(SMALL));
    let mut up = gate.up();
    let api = gate.api(up.address);
    let mut network = Connection::open(up.address).expect("a connection");
    let call = |network: &mut Connection, tx: &str| {
        let request = Request::get(Event::honest("u-1", tx, 10).credit());
        network.call(&request).expect("it is answered").status_and_body() == (200, "OK")
    };
    assert!(call(&mut network, "T-1"));
    for number in 0..3 {
        let strangers = crowd(up.address, "");
        assert!(call(&mut network, &format!("T-2{number}")), "the same connection serves on");
        drop(strangers);
    }
    until("strangers that were sent away being counted", || {
        let metrics = api.metrics();
        let line = metrics.lines().find(|line| line.starts_with("rewardgate_connections_sent_away_total "));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).filter(|count| *count > 20)
    });
    up.process.stop();
}

/// A connection from `caller`, an address of this machine.
fn connected(caller: [u8; 4], address: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((caller, 0).into()).expect("an address of this machine");
        let stream = socket.connect(address).await.expect("the kernel takes it");
        stream.into_std().expect("a socket")
    })
}

/// What the other end sends within so long; nothing if it closes.
fn heard(stream: &mut TcpStream) -> String {
    stream.set_nonblocking(false).expect("a socket");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let mut answer = [0; 1_024];
    let length = stream.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[test]
fn one_caller_who_fills_the_room_stands_in_line_and_another_is_served() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with(SMALL));
    let mut up = gate.up();
    let mut crowd: Vec<_> = (0..14).map(|_| connected([127, 0, 0, 5], up.address)).collect();
    for number in 0..3 {
        deliver(up.address, &Event::honest("u-1", &format!("T-{number}"), 10).credit());
    }
    // The oldest connections made room, and the last one is still open.
    let last = crowd.last_mut().expect("a crowd");
    last.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is open");
    assert!(heard(last).starts_with("HTTP/1.1 200"));
    assert_eq!(heard(&mut crowd[0]), "", "the first one has had its time");
    up.process.stop();
}

#[test]
fn known_ones_that_wait_make_room_for_each_other() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with(SMALL));
    let mut up = gate.up();
    let mut kept = Vec::new();
    for number in 0..CROWD {
        let mut network = Connection::open(up.address).expect("a connection");
        let request = Request::get(Event::honest("u-1", &format!("T-{number}"), 10).credit());
        assert_eq!(network.call(&request).expect("it is answered").status_and_body(), (200, "OK"));
        kept.push(network);
    }
    assert!(kept[0].call(&Request::get("/healthz")).is_err(), "the one that waited longest is gone");
    assert!(kept[CROWD - 1].call(&Request::get("/healthz")).is_ok());
    up.process.stop();
}

#[test]
fn a_connection_ends_between_two_requests_when_its_life_is_over() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("limits = { life_seconds = 2 }"));
    let mut up = gate.up();
    let mut connection = Connection::open(up.address).expect("a connection");
    let last = until("the last answer", || {
        let answer = connection.call(&Request::get("/healthz")).expect("every request is answered");
        (answer.header("connection") == Some("close")).then_some(answer)
    });
    assert_eq!(last.status_and_body(), (200, "OK"));
    assert!(connection.call(&Request::get("/healthz")).is_err(), "then it is closed");
    up.process.stop();
}
