//! Many calls over many connections, each repeated until it is acknowledged, as a network does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::http::{Connection, Request};
use crate::support::wait::{DEADLINE, PAUSE, until};

/// Calls that have not been acknowledged yet.
pub(crate) struct Load {
    waiting: Mutex<VecDeque<String>>,
    acknowledged: AtomicUsize,
    senders: AtomicUsize,
    /// True while something is done that must happen under load.
    meanwhile: AtomicBool,
    /// Calls a second over all connections; as fast as they are answered if there is none.
    rate: Option<u32>,
    begun: AtomicUsize,
    since: Instant,
}

impl Load {
    /// These, in this order.
    pub(crate) fn new(targets: Vec<String>) -> Self {
        let (acknowledged, senders) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (rate, begun, since) = (None, AtomicUsize::new(0), Instant::now());
        let (waiting, meanwhile) = (Mutex::new(targets.into()), AtomicBool::new(false));
        Self { waiting, acknowledged, senders, meanwhile, rate, begun, since }
    }

    /// These, so many a second.
    pub(crate) fn paced(targets: Vec<String>, rate: u32) -> Self {
        Self { rate: Some(rate), ..Self::new(targets) }
    }

    /// What has not been acknowledged.
    pub(crate) fn into_left(self) -> Vec<String> {
        self.waiting.into_inner().expect("no sender failed while it held this").into()
    }

    /// Sends over this many connections until everything is acknowledged, or until whoever is called is gone.
    /// Meanwhile `meanwhile` runs on this thread; the last calls are sent when it is over, so that it is never too late,
    /// however slow this machine is.
    pub(crate) fn send_while<T>(
        &self,
        address: SocketAddr,
        connections: usize,
        meanwhile: impl FnOnce() -> T,
    ) -> T {
        self.senders.store(connections, Ordering::SeqCst);
        self.meanwhile.store(true, Ordering::SeqCst);
        thread::scope(|scope| {
            for _ in 0..connections {
                scope.spawn(|| {
                    self.send(address, connections);
                    self.senders.fetch_sub(1, Ordering::SeqCst);
                });
            }
            // Also if it fails: the senders are waited for.
            let _over = Over(&self.meanwhile);
            meanwhile()
        })
    }

    /// Sends everything and demands that everything is acknowledged.
    pub(crate) fn deliver(self, address: SocketAddr, connections: usize) {
        self.send_while(address, connections, || {});
        let left = self.into_left();
        assert_eq!(left.len(), 0, "calls that were never acknowledged");
    }

    /// How many have been acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits until this many have been acknowledged, or nobody sends any more.
    pub(crate) fn wait_for(&self, acknowledged: usize) {
        until("acknowledgements under load", || {
            let idle = self.senders.load(Ordering::SeqCst) == 0;
            (idle || self.acknowledged() >= acknowledged).then_some(())
        });
    }

    fn send(&self, address: SocketAddr, connections: usize) {
        let Ok(mut connection) = Connection::open(address) else { return };
        let mut since = Instant::now();
        loop {
            let Some(target) = self.next(connections) else { return };
            if let Some(rate) = self.rate {
                let before =
                    u32::try_from(self.begun.fetch_add(1, Ordering::SeqCst)).expect("a small number");
                thread::sleep((before * Duration::from_secs(1) / rate).saturating_sub(self.since.elapsed()));
            }
            match connection.call(&Request::get(&target)) {
                Ok(answer) if answer.is_acknowledged() => {
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                    since = Instant::now();
                }
                Ok(answer) if answer.status == 503 => {
                    self.waiting().push_back(target);
                    assert!(since.elapsed() < DEADLINE, "nothing is acknowledged any more");
                    thread::sleep(PAUSE);
                }
                Ok(answer) => panic!("neither taken nor put off: {answer:?}"),
                // Nobody is there any more: whether it was recorded is unknown, so it is sent again later.
                Err(_) => {
                    self.waiting().push_front(target);
                    return;
                }
            }
        }
    }

    /// The next call; none if there is none left.
    fn next(&self, kept_back: usize) -> Option<String> {
        loop {
            let is_over = !self.meanwhile.load(Ordering::SeqCst);
            let mut waiting = self.waiting();
            if is_over || waiting.len() > kept_back {
                return waiting.pop_front();
            }
            drop(waiting);
            thread::sleep(PAUSE);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.waiting.lock().expect("no sender failed while it held this")
    }
}

/// Ends what is done under load.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
