//! A mail server of one test: it refuses a given number of mails, and keeps the others.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What came in.
#[derive(Default)]
struct State {
    to_refuse: usize,
    refused: usize,
    mails: Vec<String>,
}

/// A server that runs until the test ends.
pub(crate) struct Mailbox {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl Mailbox {
    /// Refuses this many mails, and then takes them.
    pub(crate) fn refusing(to_refuse: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State { to_refuse, ..State::default() }));
        let kept = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = converse(stream, &kept);
            }
        });
        Self { port, state }
    }

    pub(crate) fn refused(&self) -> usize {
        self.state.lock().expect("unharmed").refused
    }

    /// Every mail that was taken, as it was sent.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.state.lock().expect("unharmed").mails.clone()
    }
}

/// RFC 5321, as far as one client needs it.
fn converse(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut writing = stream.try_clone()?;
    let mut say = |line: &str| writing.write_all(format!("{line}\r\n").as_bytes());
    say("220 test")?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next().transpose()? {
        let command = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match command.as_str() {
            "EHLO" | "HELO" => say("250 test")?,
            "MAIL" => {
                let mut state = state.lock().expect("unharmed");
                if state.to_refuse > 0 {
                    state.to_refuse -= 1;
                    state.refused += 1;
                    say("451 not now")?;
                } else {
                    say("250 OK")?;
                }
            }
            "DATA" => {
                say("354 go on")?;
                let mut mail = String::new();
                for line in lines.by_ref() {
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    mail += &line;
                    mail += "\n";
                }
                state.lock().expect("unharmed").mails.push(mail);
                say("250 OK")?;
            }
            "QUIT" => {
                say("221 bye")?;
                return Ok(());
            }
            _ => say("250 OK")?,
        }
    }
    Ok(())
}
