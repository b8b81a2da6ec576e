use super::*;

/// A seat for a connection of a trusted proxy.
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
fn the_stranger_that_is_idle_longest_is_closed_first() {
    let room = Room::new(4);
    let (first, second) = (enter(&room).expect("room"), enter(&room).expect("room"));
    assert!(first.begin(false), "it is served");
    first.end();
    let third = enter(&room).expect("room");
    assert!(is_gone(&second) && !is_gone(&first) && !is_gone(&third));
    assert!(!second.begin(false), "a closed connection is not served");
}

#[test]
fn strangers_share_half_of_the_seats() {
    let room = Room::new(4);
    let known: Vec<Place> = (0..3).map(|_| enter(&room).expect("room")).inspect(Place::know).collect();
    let strangers: Vec<Place> = (0..9).map(|_| enter(&room).expect("room")).collect();
    assert!(!known.iter().any(is_gone), "strangers only replace strangers");
    assert_eq!(strangers.iter().filter(|place| !is_gone(place)).count(), 1);
}

#[test]
fn without_idle_strangers_the_longest_idle_known_one_is_closed() {
    let room = Room::new(2);
    let (first, second) = (enter(&room).expect("room"), enter(&room).expect("room"));
    first.know();
    second.know();
    let third = enter(&room).expect("room");
    assert!(is_gone(&first) && !is_gone(&second) && !is_gone(&third));
}

#[test]
fn a_request_is_never_cut_off_but_a_strangers_slow_body_is() {
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
    assert!(enter(&room).is_none(), "its body is complete, so it is being answered");
    drop(next);
    assert!(enter(&room).is_some());
}

#[test]
fn a_refused_caller_gets_a_seat_as_soon_as_one_is_idle() {
    let room = Room::new(1);
    let first = enter(&room).expect("room");
    first.begin(false);
    assert!(enter(&room).is_none());
    first.end();
    let second = enter(&room).expect("room");
    assert!(is_gone(&first) && !is_gone(&second));
}

#[test]
fn the_caller_who_holds_most_loses_a_seat() {
    let room = Room::new(8);
    let now = Instant::now();
    let enter = |address: &str| room.enter(Some(caller(address)), true, now);
    let one = enter("203.0.113.1").expect("room");
    let many: Vec<Place> = (0..3).map(|_| enter("203.0.113.9").expect("room")).collect();
    let newcomer = enter("203.0.113.2").expect("a seat of the caller with three");
    assert_eq!(many.iter().filter(|place| is_gone(place)).count(), 1);
    assert!(!is_gone(&one) && !is_gone(&newcomer), "although it had been idle longest");
}

#[test]
fn a_caller_gains_nothing_by_reconnecting() {
    let room = Room::new(8);
    let began = Instant::now();
    let held: Vec<Place> =
        (0..4).map(|_| room.enter(Some(caller("203.0.113.9")), true, began).expect("room")).collect();
    assert!(
        room.enter(Some(caller("203.0.113.9")), true, began).is_none(),
        "its own have not been idle long enough"
    );
    let last = room.enter(Some(caller("203.0.113.9")), false, began).expect("it cannot wait");
    assert_eq!(held.iter().filter(|place| is_gone(place)).count(), 1);
    let other = room.enter(Some(caller("203.0.113.2")), true, began).expect("another caller has none yet");
    assert_eq!(held.iter().filter(|place| is_gone(place)).count(), 2);
    let later = room
        .enter(Some(caller("203.0.113.9")), true, began + LEAST_STAY)
        .expect("its own have been idle long enough");
    assert_eq!(held.iter().filter(|place| is_gone(place)).count(), 3);
    assert!(!is_gone(&last) && !is_gone(&other) && !is_gone(&later));
}

#[test]
fn callers_do_not_take_seats_from_each_other_in_turn() {
    let room = Room::new(10);
    let began = Instant::now();
    let enter = |address: &str| room.enter(Some(caller(address)), true, began);
    let held: Vec<Place> = ["203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.2", "203.0.113.1"]
        .map(|address| enter(address).expect("room"))
        .into();
    assert!(enter("203.0.113.2").is_none(), "a difference of one does not count");
    assert!(!held.iter().any(is_gone));
}

#[test]
fn a_connection_being_answered_keeps_its_seat() {
    let room = Room::new(8);
    let now = Instant::now();
    let busy: Vec<Place> =
        (0..3).map(|_| room.enter(Some(caller("203.0.113.9")), true, now).expect("room")).collect();
    assert!(busy.iter().all(|place| place.begin(false)));
    let one = room.enter(Some(caller("203.0.113.1")), true, now).expect("room");
    assert!(
        room.enter(Some(caller("203.0.113.9")), true, now).is_none(),
        "it holds more than the caller whose seat is idle"
    );
    let newcomer = room.enter(Some(caller("203.0.113.2")), true, now).expect("the idle one is closed");
    assert!(is_gone(&one) && !busy.iter().any(is_gone) && !is_gone(&newcomer));
}

#[test]
fn freed_seats_are_forgotten() {
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
