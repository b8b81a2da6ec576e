//! Accepts connections: each gets a seat, or queues until one is free.
//!
//! A connection without a seat is accepted all the same and left idle. Closing it would make the caller reconnect at once, and
//! in the system's backlog it would block everybody behind it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::proxies::Proxies;
use metrics::counter;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use crate::limits::{Caller, Census, Counted, Limits};
use crate::room::{Group, Place, Room};

/// The pause after the system refused a connection, for want of file handles for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Queued connections for each seat. When the queue is full, a new connection takes the seat of an idle one at once, or is
/// closed.
const IN_LINE_PER_SEAT: usize = 2;
/// Pause between two attempts to seat queued callers, and the number of callers per attempt, so that an attempt stays short.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
const CALLERS_PER_LOOK: usize = 64;

/// Accepts the connections of one listener.
pub(crate) struct Door {
    listener: TcpListener,
    room: Arc<Room>,
    census: Census,
    line: Line,
}

/// A connection with a seat.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) place: Place,
    pub(crate) counted: Option<Counted>,
}

/// A connection without a seat yet.
struct Standing {
    stream: TcpStream,
    peer: SocketAddr,
    counted: Option<Counted>,
}

/// The queue, in order for each caller.
struct Line {
    standing: BTreeMap<Group, VecDeque<Standing>>,
    count: usize,
    most: usize,
    /// The caller who was tried last.
    last: Group,
    /// Time of the next attempt.
    next_look: Instant,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, limits: &Limits) -> Self {
        let most = limits.connections.saturating_mul(IN_LINE_PER_SEAT);
        Self {
            listener,
            room: Room::new(limits.connections),
            census: Census::new(limits.connections_per_address),
            line: Line { standing: BTreeMap::new(), count: 0, most, last: None, next_look: Instant::now() },
        }
    }

    /// The next one who has a seat. Cancel-safe.
    pub(crate) async fn accept(&mut self, proxies: &Proxies) -> Accepted {
        loop {
            if let Some(accepted) = self.line.seat(&self.room, Instant::now()) {
                return accepted;
            }
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        if let Some(accepted) = self.admit(stream, peer, proxies) {
                            return accepted;
                        }
                    }
                    Err(fault) => {
                        warn!(%fault, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = tokio::time::sleep(LOOK_PAUSE), if self.line.count > 0 => {}
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, proxies: &Proxies) -> Option<Accepted> {
        let group = (!proxies.believes(peer.ip())).then(|| Caller::of(peer.ip()));
        let counted = match group {
            None => None,
            Some(caller) => match self.census.admit(caller) {
                Some(counted) => Some(counted),
                None => return refuse(),
            },
        };
        // Answers are one small packet each: waiting to fill it would only cost time.
        if let Err(fault) = stream.set_nodelay(true) {
            debug!(%fault, "a connection was gone before it was served");
        }
        let can_wait = self.line.count < self.line.most;
        // A caller's earlier connections come first, as long as all can wait.
        let may_enter = !can_wait || !self.line.standing.contains_key(&group);
        if may_enter && let Some(place) = self.room.enter(group, can_wait, Instant::now()) {
            return Some(Accepted { stream, peer, place, counted });
        }
        if !can_wait {
            return refuse();
        }
        self.line.stand(group, Standing { stream, peer, counted });
        None
    }
}

/// Closes a connection at once.
fn refuse<T>() -> Option<T> {
    counter!("rewardgate_connections_refused_total").increment(1);
    None
}

impl Line {
    fn stand(&mut self, group: Group, standing: Standing) {
        self.standing.entry(group).or_default().push_back(standing);
        self.count += 1;
    }

    /// Gives one a seat for whom there is one, the callers in turn.
    fn seat(&mut self, room: &Arc<Room>, now: Instant) -> Option<Accepted> {
        if self.count == 0 || now < self.next_look {
            return None;
        }
        let (after, before) = ((Bound::Excluded(self.last), Bound::Unbounded), ..=self.last);
        let callers = self.standing.range(after).chain(self.standing.range(before)).map(|(group, _)| *group);
        let mut last = self.last;
        let seated = callers
            .take(CALLERS_PER_LOOK)
            .inspect(|group| last = *group)
            .find_map(|group| room.enter(group, true, now).map(|place| (group, place)));
        self.last = last;
        let Some((group, place)) = seated else {
            self.next_look = now + LOOK_PAUSE;
            return None;
        };
        let standing = self.standing.get_mut(&group)?;
        let first = standing.pop_front();
        if standing.is_empty() {
            self.standing.remove(&group);
        }
        let Standing { stream, peer, counted } = first?;
        self.count -= 1;
        Some(Accepted { stream, peer, place, counted })
    }
}
