//! A line between two ends that can be cut, or go dark: then nothing comes through any more, and neither end is told.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes everything on to `target` until it is cut or goes dark.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    line: Arc<Mutex<Line>>,
}

#[derive(Default)]
struct Line {
    cut: bool,
    dark: bool,
    streams: Vec<TcpStream>,
    /// Whether what comes through the connections so far is swallowed.
    silent: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn new(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let line = Arc::new(Mutex::new(Line::default()));
        let shared = line.clone();
        // Ends with the test's process; until then it only waits.
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let mut line = shared.lock().expect("the line");
                if line.cut {
                    continue;
                }
                if line.dark {
                    // Kept, so that nobody hears of an end.
                    line.streams.push(near);
                    continue;
                }
                let Ok(far) = TcpStream::connect(target) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (copy(from), copy(to));
                    line.streams.push(copy(&from));
                    let silent = line.silent.clone();
                    thread::spawn(move || pass(from, to, &silent));
                }
            }
        });
        Self { address, line }
    }

    /// Breaks every connection and every later one.
    pub(crate) fn cut(&self) {
        let mut line = self.line.lock().expect("the line");
        line.cut = true;
        for stream in line.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets new connections through again.
    pub(crate) fn mend(&self) {
        let mut line = self.line.lock().expect("the line");
        (line.cut, line.dark) = (false, false);
    }

    /// From now on nothing comes through any connection that there is. New ones are as good as ever.
    pub(crate) fn fall_silent(&self) {
        let mut line = self.line.lock().expect("the line");
        std::mem::take(&mut line.silent).store(true, Ordering::SeqCst);
    }

    /// The same, and new connections get no answer either, until [`Proxy::mend`].
    pub(crate) fn go_dark(&self) {
        self.line.lock().expect("the line").dark = true;
        self.fall_silent();
    }
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a handle")
}

fn pass(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut bytes = vec![0; 64 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if !silent.load(Ordering::SeqCst) && to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    if !silent.load(Ordering::SeqCst) {
        let _ = to.shutdown(Shutdown::Both);
    }
}
