//! The network: what it reports, how it signs, and how it insists until it is acknowledged.

use std::net::SocketAddr;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use domain::money::Micros;
use domain::postback::signature::{self, Secret, SignatureForm};

use crate::support::http::{Answer, Request, call};
use crate::support::settings::{PUBLIC_URL, SECRET, SOURCE};
use crate::support::wait::until;

/// The address that an honest user has, and its country.
pub(crate) const USER_IP: &str = "81.2.69.160";
const USER_COUNTRY: &str = "GB";
/// How long an honest user takes, in seconds.
const HONEST_S: i64 = 600;

/// One reward event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) user: String,
    pub(crate) tx: String,
    pub(crate) reward: Micros,
    payout: &'static str,
    clicked_at: i64,
}

impl Event {
    /// No rule holds it. Every transaction is an offer of its own.
    pub(crate) fn honest(user: &str, tx: &str, units: i64) -> Self {
        Self {
            user: user.into(),
            tx: tx.into(),
            reward: Micros(units * 1_000_000),
            payout: "1.00",
            clicked_at: now_s() - HONEST_S,
        }
    }

    /// Done in no time: the click is as late as clocks may differ, so that a slow machine makes no honest user of it.
    pub(crate) fn too_fast(user: &str, tx: &str, units: i64) -> Self {
        Self { clicked_at: now_s() + 3, ..Self::honest(user, tx, units) }
    }

    /// So large that a person looks, however long it took.
    pub(crate) fn large(user: &str, tx: &str, units: i64) -> Self {
        Self { payout: "60.00", ..Self::honest(user, tx, units) }
    }

    /// The same, with the click so many seconds earlier.
    #[must_use]
    pub(crate) fn clicked_earlier(self, seconds: i64) -> Self {
        Self { clicked_at: self.clicked_at - seconds, ..self }
    }

    /// The signed target that gives it.
    pub(crate) fn credit(&self) -> String {
        sign(&self.unsigned(1))
    }

    /// The signed target that gives it, made so long by a value of the publisher's own.
    pub(crate) fn credit_of_length(&self, len: usize) -> String {
        let padded = |padding: usize| sign(&format!("{}&note={}", self.unsigned(1), "x".repeat(padding)));
        padded(len - padded(0).len())
    }

    /// The signed target that takes it back.
    pub(crate) fn reversal(&self) -> String {
        sign(&self.unsigned(2))
    }

    /// The target before it is signed; status 1 gives, 2 takes back.
    pub(crate) fn unsigned(&self, status: u8) -> String {
        let Self { user, tx, reward, payout, clicked_at } = self;
        format!(
            "/pb/{SOURCE}?uid={user}&tx={tx}&reward={reward}&payout={payout}&offer_id=offer-{tx}\
             &timestamp={clicked_at}&ip={USER_IP}&country_code={USER_COUNTRY}&status={status}"
        )
    }
}

/// `target` with the hash that the network would append.
pub(crate) fn sign(target: &str) -> String {
    let secret = Secret::new(SECRET).expect("a key");
    signature::sign(PUBLIC_URL, target, SignatureForm::Empty, &secret)
}

/// Sends one postback and hands back whatever is answered.
pub(crate) fn send(address: SocketAddr, target: impl AsRef<[u8]>) -> Answer {
    call(address, &Request::get(target))
}

/// Sends one postback as networks do: again and again while it cannot be taken.
pub(crate) fn deliver(address: SocketAddr, target: &str) {
    until("the acknowledgement of a postback", || {
        let answer = send(address, target);
        assert!(answer.is_acknowledged() || answer.status == 503, "{answer:?}");
        answer.is_acknowledged().then_some(())
    });
}

/// Sends all of them at once, each on a connection of its own, and hands back what is answered.
pub(crate) fn send_at_once(address: SocketAddr, targets: &[String]) -> Vec<Answer> {
    let start = std::sync::Barrier::new(targets.len());
    thread::scope(|scope| {
        let start = &start;
        let sending = targets.iter().map(|target| {
            scope.spawn(move || {
                start.wait();
                send(address, target)
            })
        });
        let sending: Vec<_> = sending.collect();
        sending.into_iter().map(|sent| sent.join().expect("an answer")).collect()
    })
}

/// The network's own clock.
pub(crate) fn now_s() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the network is another machine")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
    i64::try_from(since.as_secs()).expect("a clock that is set")
}
