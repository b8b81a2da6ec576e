//! Room for connections: who is let in, and who has to go when room is short.
//!
//! A connection that waits costs a seat and brings nothing, so when room is short one that waits is closed: of the caller
//! who holds most, the one that has waited longest. Whoever has not shown yet that it has business here (a recorded
//! postback, a call with a token, a page of a session) shares half of the room with all others of its kind: strangers
//! cannot keep networks out. And nobody gains by coming again and again: a caller who holds about as much as any other
//! gets a further seat only for one that has waited for [`LEAST_STAY`].

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::counter;
use tokio_util::sync::CancellationToken;

use crate::limits::Caller;

/// What part of the room strangers share: one half.
const STRANGERS_PART: usize = 2;

/// A seat is not taken from one caller for another who holds as much before it has waited so long. Without that, a caller
/// whose connections are closed opens new ones as fast as the machine can.
const LEAST_STAY: Duration = Duration::from_secs(1);

/// Who a connection is counted with: its caller, or nobody when a believed proxy brings those of many.
pub(crate) type Group = Option<Caller>;

/// The room of one listener.
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
    /// Known ones that may have to go.
    idle: BTreeSet<Idle>,
    /// Those that are not known yet.
    strangers: HashMap<Group, Strangers>,
    /// How many these are.
    strangers_count: usize,
}

/// Strangers of one caller.
#[derive(Debug, Default)]
struct Strangers {
    count: usize,
    /// Those of them that may have to go.
    idle: BTreeSet<Idle>,
}

/// What a connection does. The earlier in this order, the sooner it has to go; one that is answered never has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    Waits,
    SendsBody,
    IsAnswered,
}

/// Whether a stranger can go for another connection.
enum ToGo {
    Now(u64),
    /// Not before it has stayed a while.
    Later,
    Nobody,
}

/// One that may have to go: what it does, since when, and which one it is.
type Idle = (Doing, Instant, u64);

/// The seat of one connection.
#[derive(Debug)]
struct Seat {
    group: Group,
    doing: Doing,
    since: Instant,
    is_known: bool,
    /// Cancelled when the connection has to go.
    gone: CancellationToken,
}

/// Holds a seat until it is dropped.
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

    /// A seat for one more of `group`, if there is one, or somebody who can go; otherwise ask again later. `can_wait`
    /// says whether it can be asked again.
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
    /// Which stranger goes for one more of `group`.
    fn stranger_to_go(&self, group: Group, can_wait: bool, now: Instant) -> ToGo {
        let idle = self.strangers.iter().filter_map(|(of, strangers)| {
            let first = strangers.idle.first()?;
            Some((strangers.count, Reverse(*first), *of))
        });
        let Some((most, Reverse(first), _)) = idle.max() else { return ToGo::Nobody };
        let own = self.strangers.get(&group);
        // One more is no difference: it would be taken back at once, and so on without an end.
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

    /// Where it stands while it may have to go; nowhere if it may not.
    fn idle_of(&mut self, seat: &Seat) -> Option<&mut BTreeSet<Idle>> {
        match seat.doing {
            Doing::Waits if seat.is_known => Some(&mut self.idle),
            // What somebody known sends is wanted.
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

    /// Changes the seat of `id`; false if it was sent away.
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
    /// Cancelled when the connection has to go.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    /// A request has begun; false if the connection has to go.
    pub(crate) fn begin(&self, has_body: bool) -> bool {
        self.does(if has_body { Doing::SendsBody } else { Doing::IsAnswered })
    }

    /// Its body is whole.
    pub(crate) fn body_ended(&self) {
        self.does(Doing::IsAnswered);
    }

    /// It is answered.
    pub(crate) fn end(&self) {
        self.does(Doing::Waits);
    }

    /// The connection has shown that it has business here.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets one more of a proxy in, if there is room.
    fn enter(room: &Arc<Room>) -> Option<Place> {
        room.enter(None, true, Instant::now())
    }

    fn caller(address: &str) -> Caller {
        Caller::of(address.parse().expect("an address"))
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

    #[test]
    fn whoever_finds_no_room_gets_some_as_soon_as_there_is_any() {
        let room = Room::new(1);
        let first = enter(&room).expect("room");
        first.begin(false);
        assert!(enter(&room).is_none());
        first.end();
        let second = enter(&room).expect("room");
        assert!(is_gone(&first) && !is_gone(&second));
    }

    #[test]
    fn of_the_caller_who_holds_most_one_goes() {
        let room = Room::new(8);
        let now = Instant::now();
        let enter = |address: &str| room.enter(Some(caller(address)), true, now);
        let one = enter("203.0.113.1").expect("room");
        let many: Vec<Place> = (0..3).map(|_| enter("203.0.113.9").expect("room")).collect();
        let newcomer = enter("203.0.113.2").expect("a seat of the one who has three");
        assert_eq!(many.iter().filter(|place| is_gone(place)).count(), 1);
        assert!(!is_gone(&one) && !is_gone(&newcomer), "although the one had waited longest");
    }

    #[test]
    fn a_caller_who_comes_again_and_again_gains_nothing() {
        let room = Room::new(8);
        let began = Instant::now();
        let held: Vec<Place> =
            (0..4).map(|_| room.enter(Some(caller("203.0.113.9")), true, began).expect("room")).collect();
        assert!(
            room.enter(Some(caller("203.0.113.9")), true, began).is_none(),
            "its own have only just come"
        );
        let last = room.enter(Some(caller("203.0.113.9")), false, began).expect("it cannot wait");
        assert_eq!(held.iter().filter(|place| is_gone(place)).count(), 1);
        let other = room.enter(Some(caller("203.0.113.2")), true, began).expect("another has none yet");
        assert_eq!(held.iter().filter(|place| is_gone(place)).count(), 2);
        let later = room
            .enter(Some(caller("203.0.113.9")), true, began + LEAST_STAY)
            .expect("its own have had their time");
        assert_eq!(held.iter().filter(|place| is_gone(place)).count(), 3);
        assert!(!is_gone(&last) && !is_gone(&other) && !is_gone(&later));
    }

    #[test]
    fn callers_do_not_take_each_others_seats_by_turns() {
        let room = Room::new(10);
        let began = Instant::now();
        let enter = |address: &str| room.enter(Some(caller(address)), true, began);
        let held: Vec<Place> = ["203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.2", "203.0.113.1"]
            .map(|address| enter(address).expect("room"))
            .into();
        assert!(enter("203.0.113.2").is_none(), "three and two are as even as can be");
        assert!(!held.iter().any(is_gone));
    }

    #[test]
    fn whoever_is_answered_keeps_the_seat_even_if_that_caller_holds_most() {
        let room = Room::new(8);
        let now = Instant::now();
        let busy: Vec<Place> =
            (0..3).map(|_| room.enter(Some(caller("203.0.113.9")), true, now).expect("room")).collect();
        assert!(busy.iter().all(|place| place.begin(false)));
        let one = room.enter(Some(caller("203.0.113.1")), true, now).expect("room");
        assert!(
            room.enter(Some(caller("203.0.113.9")), true, now).is_none(),
            "it has more than the one that could go"
        );
        let newcomer = room.enter(Some(caller("203.0.113.2")), true, now).expect("the one that waits goes");
        assert!(is_gone(&one) && !busy.iter().any(is_gone) && !is_gone(&newcomer));
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
        assert_eq!((taken.strangers_count, taken.seats.len()), (0, 0));
        assert!(taken.strangers.is_empty() && taken.idle.is_empty());
    }
}
