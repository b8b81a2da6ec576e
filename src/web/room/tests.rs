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
    assert!(room.enter(Some(caller("203.0.113.9")), true, began).is_none(), "its own have only just come");
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
