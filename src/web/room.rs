//! Room for connections: who is let in, and who has to go when room is short.
//!
//! A connection that waits costs a place and brings nothing, so when room is short the one that has waited longest is
//! closed. Whoever has not shown yet that it has business here (a recorded postback, a call with a token, a page of a
//! session) shares half of the room with all others of its kind: strangers cannot keep networks out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::counter;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What part of the room strangers share: one half.
const STRANGERS_PART: usize = 2;

/// What a connection does. Kept in the lowest bits beside when that began, so that both change at once.
const WAITS: u64 = 0;
const SENDS_BODY: u64 = 1;
const IS_ANSWERED: u64 = 2;
const DOING_BITS: u32 = 2;
/// The connection was told to go.
const GONE: u64 = u64::MAX;

/// The room of one listener.
#[derive(Debug)]
pub(crate) struct Room {
    size: usize,
    strangers_size: usize,
    taken: Mutex<Taken>,
    /// Counts events, so that what began earlier has a smaller number.
    events: AtomicU64,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    strangers: usize,
    seats: HashMap<u64, Arc<Seat>>,
}

/// The place of one connection.
#[derive(Debug)]
pub(crate) struct Seat {
    /// When what it does began, and what it does.
    doing: AtomicU64,
    is_known: AtomicBool,
    /// Cancelled when the connection has to go.
    gone: CancellationToken,
}

/// Holds a place until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    id: u64,
    seat: Arc<Seat>,
}

impl Room {
    pub(crate) fn new(size: usize) -> Arc<Self> {
        Arc::new(Self {
            size,
            strangers_size: (size / STRANGERS_PART).max(1),
            taken: Mutex::default(),
            events: AtomicU64::new(0),
            freed: Notify::new(),
        })
    }

    /// A place, as soon as there is one: at once if somebody waits who can go.
    pub(crate) async fn enter(self: &Arc<Self>) -> Place {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Some(place) = self.try_enter() {
                return place;
            }
            freed.await;
        }
    }

    fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.lock();
        if taken.strangers >= self.strangers_size && !taken.send_away(Seat::is_stranger) {
            return None;
        }
        if taken.seats.len() >= self.size
            && !taken.send_away(Seat::is_stranger)
            && !taken.send_away(|seat| !seat.is_stranger())
        {
            return None;
        }
        let seat = Arc::new(Seat {
            doing: AtomicU64::new(self.now(WAITS)),
            is_known: AtomicBool::new(false),
            gone: CancellationToken::new(),
        });
        let id = taken.next;
        taken.next += 1;
        taken.strangers += 1;
        taken.seats.insert(id, seat.clone());
        Some(Place { room: self.clone(), id, seat })
    }

    fn now(&self, doing: u64) -> u64 {
        (self.events.fetch_add(1, Ordering::Relaxed) << DOING_BITS) | doing
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Sends the one of them away that waits longest, or else dawdles longest over a body; false if none does. It no
    /// longer counts from now on.
    fn send_away(&mut self, of_them: impl Fn(&Seat) -> bool) -> bool {
        loop {
            let idle = self.seats.iter().filter(|(_, seat)| of_them(seat)).filter_map(|(id, seat)| {
                let since = seat.doing.load(Ordering::Relaxed);
                let rank = match since & ((1 << DOING_BITS) - 1) {
                    WAITS => 0,
                    // What somebody known sends is wanted.
                    SENDS_BODY if seat.is_stranger() => 1,
                    _ => return None,
                };
                Some((rank, since, *id))
            });
            let Some((_, since, id)) = idle.min() else { return false };
            let Some(seat) = self.seats.get(&id) else { return false };
            // Should it have begun something else meanwhile, it stays, and another is looked for.
            if seat.doing.compare_exchange(since, GONE, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                seat.gone.cancel();
                counter!("rewardgate_connections_sent_away_total").increment(1);
                self.remove(id);
                return true;
            }
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(seat) = self.seats.remove(&id)
            && seat.is_stranger()
        {
            self.strangers -= 1;
        }
    }
}

impl Seat {
    fn is_stranger(&self) -> bool {
        !self.is_known.load(Ordering::Relaxed)
    }
}

impl Place {
    /// Cancelled when the connection has to go.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.seat.gone.clone()
    }

    /// A request has begun; false if the connection has to go.
    pub(crate) fn begin(&self, has_body: bool) -> bool {
        self.change(if has_body { SENDS_BODY } else { IS_ANSWERED })
    }

    /// Its body is whole.
    pub(crate) fn body_ended(&self) {
        self.change(IS_ANSWERED);
    }

    /// It is answered.
    pub(crate) fn end(&self) {
        self.change(WAITS);
    }

    /// The connection has shown that it has business here.
    pub(crate) fn know(&self) {
        if !self.seat.is_stranger() {
            return;
        }
        let mut taken = self.room.lock();
        // One that was sent away counts no longer.
        if taken.seats.contains_key(&self.id) && !self.seat.is_known.swap(true, Ordering::Relaxed) {
            taken.strangers -= 1;
            drop(taken);
            self.room.freed.notify_one();
        }
    }

    fn change(&self, doing: u64) -> bool {
        let now = self.room.now(doing);
        let changed = self
            .seat
            .doing
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |before| (before != GONE).then_some(now));
        // Somebody may wait for one who can go.
        if changed.is_ok() && doing != IS_ANSWERED {
            self.room.freed.notify_one();
        }
        changed.is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.lock().remove(self.id);
        self.room.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets one more in, if there is room.
    fn enter(room: &Arc<Room>) -> Option<Place> {
        room.try_enter()
    }

    fn is_gone(place: &Place) -> bool {
        place.gone().is_cancelled()
    }

    #[test]
    fn the_stranger_that_waits_longest_goes_first() {
        let room = Room::new(4);
        let (first, second) = (enter(&room).expect("room"), enter(&room).expect("room"));
        assert!(first.begin(false), "it is served");
        first.end();
        let third = enter(&room).expect("room");
        assert!(is_gone(&second) && !is_gone(&first) && !is_gone(&third));
        assert!(!second.begin(false), "whoever has to go is not served any more");
    }

    #[test]
    fn strangers_have_half_of_the_room_and_whoever_is_known_the_rest() {
        let room = Room::new(4);
        let known: Vec<Place> = (0..3).map(|_| enter(&room).expect("room")).inspect(Place::know).collect();
        let strangers: Vec<Place> = (0..9).map(|_| enter(&room).expect("room")).collect();
        assert!(!known.iter().any(is_gone), "strangers take each other's place only");
        assert_eq!(strangers.iter().filter(|place| !is_gone(place)).count(), 1);
    }

    #[test]
    fn when_nobody_else_waits_the_known_one_that_waits_longest_goes() {
        let room = Room::new(2);
        let (first, second) = (enter(&room).expect("room"), enter(&room).expect("room"));
        first.know();
        second.know();
        let third = enter(&room).expect("room");
        assert!(is_gone(&first) && !is_gone(&second) && !is_gone(&third));
    }

    #[test]
    fn a_request_in_hand_is_never_cut_but_a_strangers_slow_body_is() {
        let room = Room::new(2);
        let answered = enter(&room).expect("room");
        answered.begin(false);
        assert!(enter(&room).is_none(), "there is no room for another stranger");
        answered.know();
        let slow = enter(&room).expect("room");
        slow.begin(true);
        let next = enter(&room).expect("room");
        assert!(is_gone(&slow));
        next.begin(true);
        next.body_ended();
        assert!(enter(&room).is_none(), "its body is whole: it is answered");
        drop(next);
        assert!(enter(&room).is_some());
    }

    #[tokio::test]
    async fn whoever_finds_no_room_waits_until_there_is_some() {
        let room = Room::new(1);
        let first = room.enter().await;
        first.begin(false);
        let waiting = tokio::spawn({
            let room = room.clone();
            async move { room.enter().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        first.end();
        let second = waiting.await.expect("a place");
        assert!(is_gone(&first) && !is_gone(&second));
    }

    #[test]
    fn places_that_are_free_again_are_forgotten() {
        let room = Room::new(2);
        for is_known in [true, false] {
            let place = enter(&room).expect("room");
            if is_known {
                place.know();
            }
        }
        let taken = room.lock();
        assert_eq!((taken.strangers, taken.seats.len()), (0, 0));
    }
}
