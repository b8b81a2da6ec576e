//! Seats for connections: which connection gets one, and which is closed when all are taken.
//!
//! When no seat is free, an idle connection is closed: the longest idle one of the caller who holds the most. A connection is
//! a stranger until it has had a recorded postback, a call with a token or a page of a session. All strangers together have
//! half of the seats, so they cannot keep networks out. Reconnecting gains nothing: a caller who holds about as many seats
//! as any other gets a further one only from a connection that has been idle for [`LEAST_STAY`].

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::counter;
use tokio_util::sync::CancellationToken;

use crate::limits::Caller;

/// Strangers share the seats divided by this.
const STRANGERS_PART: usize = 2;

/// Idle time before a seat passes to a caller who holds as many. Without it a caller whose connections are closed would
/// reopen them as fast as possible.
const LEAST_STAY: Duration = Duration::from_secs(1);

/// The caller under which a connection is counted; `None` for a trusted proxy, which brings many callers.
pub(crate) type Group = Option<Caller>;

/// All seats of one listener.
#[derive(Debug)]
pub(crate) struct Room {
    size: usize,
    strangers_size: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    seats: HashMap<u64, Seat>,
    /// Idle connections that are no strangers.
    idle: BTreeSet<Idle>,
    /// Strangers by caller.
    strangers: HashMap<Group, Strangers>,
    /// Their total number.
    strangers_count: usize,
}

/// The strangers of one caller.
#[derive(Debug, Default)]
struct Strangers {
    count: usize,
    /// Those that may be closed.
    idle: BTreeSet<Idle>,
}

/// The activity of a connection, in the order in which connections are closed; one that is being answered never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    Waits,
    SendsBody,
    IsAnswered,
}

/// The stranger to close for a new connection.
enum ToGo {
    Now(u64),
    /// None until one has been idle for [`LEAST_STAY`].
    Later,
    Nobody,
}

/// A connection that may be closed: activity, start of it, id.
type Idle = (Doing, Instant, u64);

/// The seat of one connection.
#[derive(Debug)]
struct Seat {
    group: Group,
    doing: Doing,
    since: Instant,
    is_known: bool,
    /// Cancelled when the connection must be closed.
    gone: CancellationToken,
}

/// A connection's hold on its seat; frees it when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    id: u64,
    gone: CancellationToken,
}

impl Room {
    pub(crate) fn new(size: usize) -> Arc<Self> {
        let strangers_size = (size / STRANGERS_PART).max(1);
        Arc::new(Self { size, strangers_size, taken: Mutex::default() })
    }

    /// Gives `group` a seat, if one is free or another connection can be closed; otherwise `None`. `can_wait`: the caller can
    /// ask again later.
    pub(crate) fn enter(self: &Arc<Self>, group: Group, can_wait: bool, now: Instant) -> Option<Place> {
        let mut taken = self.lock();
        let is_full_of_strangers = taken.strangers_count >= self.strangers_size;
        if is_full_of_strangers || taken.seats.len() >= self.size {
            let is_free = match taken.stranger_to_go(group, can_wait, now) {
                ToGo::Now(id) => taken.send_away(id),
                ToGo::Later => false,
                ToGo::Nobody => !is_full_of_strangers && taken.send_known_away(),
            };
            if !is_free {
                return None;
            }
        }
        let (id, gone) = (taken.next, CancellationToken::new());
        taken.next += 1;
        taken.strangers_count += 1;
        taken.strangers.entry(group).or_default().count += 1;
        let seat = Seat { group, doing: Doing::Waits, since: now, is_known: false, gone: gone.clone() };
        taken.note_idle(id, &seat);
        taken.seats.insert(id, seat);
        drop(taken);
        Some(Place { room: self.clone(), id, gone })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Chooses the stranger to close for a new connection of `group`.
    fn stranger_to_go(&self, group: Group, can_wait: bool, now: Instant) -> ToGo {
        let idle = self.strangers.iter().filter_map(|(of, strangers)| {
            let first = strangers.idle.first()?;
            Some((strangers.count, Reverse(*first), *of))
        });
        let Some((most, Reverse(first), _)) = idle.max() else { return ToGo::Nobody };
        let own = self.strangers.get(&group);
        // A difference of one does not count: the two callers would take the seat from each other for ever.
        let own_count = own.map_or(0, |own| own.count);
        if own_count == 0 || most > own_count + 1 {
            return ToGo::Now(first.2);
        }
        let (_, since, id) = own.and_then(|own| own.idle.first()).copied().unwrap_or(first);
        if group.is_none() || !can_wait || now.saturating_duration_since(since) >= LEAST_STAY {
            ToGo::Now(id)
        } else {
            ToGo::Later
        }
    }

    fn send_known_away(&mut self) -> bool {
        self.idle.first().copied().is_some_and(|(_, _, id)| self.send_away(id))
    }

    fn send_away(&mut self, id: u64) -> bool {
        let seat = self.remove(id);
        if let Some(seat) = &seat {
            seat.gone.cancel();
            counter!("rewardgate_connections_sent_away_total").increment(1);
        }
        seat.is_some()
    }

    fn remove(&mut self, id: u64) -> Option<Seat> {
        let seat = self.seats.remove(&id)?;
        self.forget_idle(id, &seat);
        if !seat.is_known {
            self.leave_strangers(seat.group);
        }
        Some(seat)
    }

    fn leave_strangers(&mut self, group: Group) {
        self.strangers_count -= 1;
        if let Some(strangers) = self.strangers.get_mut(&group) {
            strangers.count -= 1;
            if strangers.count == 0 {
                self.strangers.remove(&group);
            }
        }
    }

    /// The set that lists the connection while it may be closed; `None` if it may not.
    fn idle_of(&mut self, seat: &Seat) -> Option<&mut BTreeSet<Idle>> {
        match seat.doing {
            Doing::Waits if seat.is_known => Some(&mut self.idle),
            // A body is never cut off unless a stranger sends it.
            Doing::Waits | Doing::SendsBody if !seat.is_known => {
                self.strangers.get_mut(&seat.group).map(|strangers| &mut strangers.idle)
            }
            _ => None,
        }
    }

    fn note_idle(&mut self, id: u64, seat: &Seat) {
        if let Some(idle) = self.idle_of(seat) {
            idle.insert((seat.doing, seat.since, id));
        }
    }

    fn forget_idle(&mut self, id: u64, seat: &Seat) {
        if let Some(idle) = self.idle_of(seat) {
            idle.remove(&(seat.doing, seat.since, id));
        }
    }

    /// Changes the seat of `id`; false if its connection was closed.
    fn change(&mut self, id: u64, change: impl FnOnce(&mut Seat)) -> bool {
        let Some(mut seat) = self.seats.remove(&id) else { return false };
        self.forget_idle(id, &seat);
        let was_known = seat.is_known;
        change(&mut seat);
        if seat.is_known && !was_known {
            self.leave_strangers(seat.group);
        }
        self.note_idle(id, &seat);
        self.seats.insert(id, seat);
        true
    }
}

impl Place {
    /// Cancelled when the connection must be closed.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    /// A request has begun; false if the connection must be closed.
    pub(crate) fn begin(&self, has_body: bool) -> bool {
        self.does(if has_body { Doing::SendsBody } else { Doing::IsAnswered })
    }

    /// The body is complete.
    pub(crate) fn body_ended(&self) {
        self.does(Doing::IsAnswered);
    }

    /// The answer is sent.
    pub(crate) fn end(&self) {
        self.does(Doing::Waits);
    }

    /// The connection is no stranger any more.
    pub(crate) fn know(&self) {
        self.room.lock().change(self.id, |seat| seat.is_known = true);
    }

    fn does(&self, doing: Doing) -> bool {
        let now = Instant::now();
        self.room.lock().change(self.id, |seat| (seat.doing, seat.since) = (doing, now))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.lock().remove(self.id);
    }
}
