//! Long answers: sent while their bytes are taken, however long that takes, and no longer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::finance::line;
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening};
use crate::support::signed_in::SignedIn;
use crate::support::wait::{DEADLINE, until};

on_both_databases!(
    a_download_goes_on_as_long_as_its_bytes_are_taken,
    a_reader_that_takes_nothing_is_given_up,
    a_list_of_a_statement_is_whole_however_many_pages_it_takes,
);

/// Of the longest pause; a download takes much longer.
const IDLE: Duration = Duration::from_secs(1);
/// More than the buffers of both ends hold.
const FILE_LEN: usize = 24 * 1024 * 1024;

/// A statement of [`FILE_LEN`] bytes that waits to be imported, and somebody who may see it.
fn with_file(on: Kind) -> (Gate, Listening, SignedIn, i64) {
    let limits = format!("limits = {{ idle_seconds = {}, body_seconds = 60 }}", IDLE.as_secs());
    let gate = Gate::with(on, |settings| settings.with(&limits));
    let up = gate.up();
    gate.add_person("fin", "finance");
    let mut file = String::from("tx_id,status,user_id,offer_id,amount,currency,time\n");
    let long = "x".repeat(60_000);
    for number in 0.. {
        if file.len() >= FILE_LEN {
            break;
        }
        file += &line(&format!("T-{number}"), "approved", &long, "1.00");
    }
    let api = gate.api(up.address);
    let answer = api.post("statements?source=targo&name=long.csv&preview=true", &file);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let statements = api.get("statements");
    let id = statements["items"][0]["id"].as_i64().expect("an id");
    let fin = SignedIn::new(up.address, "fin", &[]);
    (gate, up, fin, id)
}

/// Asks for the file of a statement, on a connection of its own.
fn ask(up: &Listening, fin: &SignedIn, id: i64) -> TcpStream {
    let mut stream = TcpStream::connect(up.address).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let cookie = &fin.cookie;
    let head = format!(
        "GET /reports/statements/{id}/original.csv HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("room");
    stream
}

fn a_download_goes_on_as_long_as_its_bytes_are_taken(on: Kind) {
    let (_gate, up, fin, id) = with_file(on);
    let mut stream = ask(&up, &fin, id);
    let (began, mut taken, mut buffer) = (Instant::now(), 0, vec![0; 64 * 1024]);
    let mut pause_at = 0;
    loop {
        let read = stream.read(&mut buffer).expect("the next bytes");
        if read == 0 {
            break;
        }
        taken += read;
        // A slow reader, and no slower than it may be.
        if taken >= pause_at {
            thread::sleep(IDLE / 4);
            pause_at += FILE_LEN / 32;
        }
    }
    assert!(taken > FILE_LEN, "it was cut after {taken} of {FILE_LEN} bytes");
    assert!(began.elapsed() > 4 * IDLE, "the test is too short to show anything");
}

fn a_reader_that_takes_nothing_is_given_up(on: Kind) {
    let (gate, up, fin, id) = with_file(on);
    let api = gate.api(up.address);
    let mut stream = ask(&up, &fin, id);
    // Only the connection that asks is left.
    until("the connection being given up", || {
        api.metrics().lines().any(|line| line == "rewardgate_connections 1").then_some(())
    });
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < FILE_LEN, "what was in the buffers of both ends is all that came");
}

fn a_list_of_a_statement_is_whole_however_many_pages_it_takes(on: Kind) {
    const LINES: usize = 2_500;
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let mut file = String::from("tx_id,status,user_id,offer_id,amount,currency,time\n");
    for number in 0..LINES {
        file += &line(&format!("T-{number}"), "approved", "u-1", "1.00");
    }
    let id = api.import("long.csv", &file);
    let list = api.ask(&format!("statements/{id}/missing.csv"));
    assert_eq!(list.status, 200);
    let found: Vec<&str> = list.body.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    let expected: Vec<String> = (0..LINES).map(|number| format!("T-{number}")).collect();
    assert_eq!(found, expected, "every line once, in order");
}
