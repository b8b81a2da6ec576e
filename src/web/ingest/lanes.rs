//! A bounded queue in which everybody has room: one lane for each source, or each network that sends what is refused.
//!
//! A lane may hold twice as much as is free in all. So one alone can fill two thirds, and whatever it does a third stays
//! for the others; and they are served in turn, so that nobody waits behind another's flood.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A lane may hold so many times what is free.
const TIMES_FREE: usize = 2;

/// How much waits, or may wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// In number.
    pub(super) items: usize,
    /// In KiB.
    pub(super) kib: usize,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    state: Mutex<State<T>>,
    changed: Notify,
    most: Held,
}

#[derive(Debug)]
struct State<T> {
    lanes: BTreeMap<String, Lane<T>>,
    held: Held,
    /// Whose turn was the last one.
    served: String,
    /// Nothing more comes.
    is_closed: bool,
}

#[derive(Debug)]
struct Lane<T> {
    /// Each with its KiB.
    waiting: VecDeque<(usize, T)>,
    /// Also by what was taken and is in hand.
    held: Held,
}

/// The room that one item takes up, until this is dropped.
#[derive(Debug)]
pub(super) struct Room<T> {
    lanes: Arc<Lanes<T>>,
    of: String,
    kib: usize,
}

impl<T> Drop for Room<T> {
    fn drop(&mut self) {
        let mut state = self.lanes.lock();
        state.held.items = state.held.items.saturating_sub(1);
        state.held.kib = state.held.kib.saturating_sub(self.kib);
        let is_over = state.lanes.get_mut(&self.of).is_some_and(|lane| {
            lane.held.items = lane.held.items.saturating_sub(1);
            lane.held.kib = lane.held.kib.saturating_sub(self.kib);
            lane.held.items == 0 && lane.waiting.is_empty()
        });
        if is_over {
            state.lanes.remove(&self.of);
        }
    }
}

impl<T> Lanes<T> {
    pub(super) fn new(most: Held) -> Arc<Self> {
        let state =
            State { lanes: BTreeMap::new(), held: Held::default(), served: String::new(), is_closed: false };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new(), most })
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing in here panics while it holds the lock; and if it did, the state is whole between two lines.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for an item of `kib` in the lane `of`; `None` if that is full, or nothing is taken any more.
    pub(super) fn room(self: &Arc<Self>, of: &str, kib: usize) -> Option<Room<T>> {
        let mut state = self.lock();
        let own = state.lanes.get(of).map_or_else(Held::default, |lane| lane.held);
        let fits = |own: usize, more: usize, held: usize, most: usize| {
            let free = most.saturating_sub(held);
            more <= free && own + more <= TIMES_FREE * (free - more) + more
        };
        let has_room = fits(own.items, 1, state.held.items, self.most.items)
            && fits(own.kib, kib, state.held.kib, self.most.kib);
        if state.is_closed || !has_room {
            return None;
        }
        state.held.items += 1;
        state.held.kib += kib;
        let lane = state
            .lanes
            .entry(of.to_owned())
            .or_insert_with(|| Lane { waiting: VecDeque::new(), held: Held::default() });
        lane.held.items += 1;
        lane.held.kib += kib;
        Some(Room { lanes: self.clone(), of: of.to_owned(), kib })
    }

    /// Puts `item` where it has room.
    pub(super) fn push(&self, of: &str, kib: usize, item: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(item);
        }
        match state.lanes.get_mut(of) {
            Some(lane) => lane.waiting.push_back((kib, item)),
            None => return Err(item),
        }
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Up to `most`, and one at least, the lanes in turn, as soon as there are some; `None` when nothing more comes.
    pub(super) async fn take(&self, most: Held) -> Option<Vec<T>> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                let taken = state.take(most);
                if !taken.is_empty() {
                    return Some(taken);
                }
                if state.is_closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Nothing more comes; what waits can still be taken.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Drops what waits, and takes nothing more.
    pub(super) fn abandon(&self) {
        let waiting: Vec<T> = {
            let mut state = self.lock();
            state.is_closed = true;
            let waiting = state.lanes.values_mut().flat_map(|lane| std::mem::take(&mut lane.waiting));
            waiting.map(|(_, item)| item).collect()
        };
        // Outside the lock: each gives its room back.
        drop(waiting);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// How much waits or is in hand.
    pub(super) fn held(&self) -> Held {
        self.lock().held
    }
}

impl<T> State<T> {
    fn take(&mut self, most: Held) -> Vec<T> {
        let waits = self.lanes.iter().filter(|(_, lane)| !lane.waiting.is_empty());
        let mut names: Vec<String> = waits.map(|(name, _)| name.clone()).collect();
        // Whoever comes after the last one that was served is first.
        let first = names.partition_point(|name| *name <= self.served);
        names.rotate_left(first);
        let (mut taken, mut kib) = (Vec::new(), 0);
        // Large ones are taken in turn, too: nobody waits for a commit that is full of another's.
        let mut turn = names.into_iter().collect::<VecDeque<_>>();
        while taken.len() < most.items
            && let Some(name) = turn.pop_front()
        {
            let Some(lane) = self.lanes.get_mut(&name) else { continue };
            let fits = |(size, _): &mut (usize, T)| taken.is_empty() || kib + *size <= most.kib;
            let Some((size, item)) = lane.waiting.pop_front_if(fits) else { continue };
            taken.push(item);
            kib += size;
            self.served.clone_from(&name);
            if !lane.waiting.is_empty() {
                turn.push_back(name);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Held1 = (usize, Room<()>);

    const MOST: Held = Held { items: 12, kib: 120 };

    fn filled(lanes: &Arc<Lanes<()>>, of: &str, kib: usize) -> Vec<Held1> {
        (0..100).map_while(|number| Some((number, lanes.room(of, kib)?))).collect()
    }

    #[test]
    fn one_alone_fills_two_thirds_and_the_others_still_have_room() {
        for kib in [1, 10] {
            let lanes = Lanes::new(MOST);
            let flood = filled(&lanes, "a", kib);
            assert!((8..=9).contains(&flood.len()), "{}", flood.len());
            let others = filled(&lanes, "b", kib);
            assert!(!others.is_empty());
            assert!(!filled(&lanes, "c", kib).is_empty());
            drop(flood);
            assert!(filled(&lanes, "b", kib).len() >= 3, "what was given back is free");
            drop(others);
            assert_eq!(lanes.held(), Held::default());
            assert!(lanes.lock().lanes.is_empty(), "a lane that holds nothing is forgotten");
        }
    }

    #[test]
    fn what_is_larger_than_all_room_never_fits() {
        let lanes: Arc<Lanes<()>> = Lanes::new(MOST);
        assert!(lanes.room("a", 121).is_none());
    }

    #[tokio::test]
    async fn lanes_are_served_in_turn_and_each_in_its_order() {
        let lanes: Arc<Lanes<(&str, usize)>> = Lanes::new(Held { items: 1_000, kib: 1_000 });
        let mut rooms = Vec::new();
        for (of, number) in [("a", 100), ("b", 2), ("c", 1)] {
            for item in 0..number {
                rooms.push(lanes.room(of, 1).expect("room"));
                lanes.push(of, 1, (of, item)).expect("taken");
            }
        }
        let first = lanes.take(Held { items: 6, kib: 1_000 }).await.expect("some");
        assert_eq!(first, [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1), ("a", 2)]);
        assert_eq!(lanes.take(Held { items: 2, kib: 1_000 }).await.expect("some"), [("a", 3), ("a", 4)]);
        lanes.close();
        assert_eq!(
            lanes.take(Held { items: 1_000, kib: 1_000 }).await.expect("what waits is taken").len(),
            95
        );
        assert_eq!(lanes.take(Held { items: 1, kib: 1_000 }).await, None);
        assert_eq!(lanes.push("a", 1, ("a", 0)), Err(("a", 0)));
        assert!(lanes.room("a", 1).is_none());
    }

    #[tokio::test]
    async fn a_batch_is_bounded_in_kib_and_what_is_too_large_for_one_goes_alone() {
        let lanes: Arc<Lanes<(&str, usize)>> = Lanes::new(Held { items: 1_000, kib: 1_000 });
        let mut rooms = Vec::new();
        for (of, kib) in [("a", 40), ("a", 40), ("a", 150), ("b", 1), ("b", 2)] {
            rooms.push(lanes.room(of, kib).expect("room"));
            lanes.push(of, kib, (of, kib)).expect("taken");
        }
        let most = Held { items: 100, kib: 60 };
        assert_eq!(lanes.take(most).await.expect("some"), [("a", 40), ("b", 1), ("b", 2)]);
        assert_eq!(lanes.take(most).await.expect("some"), [("a", 40)]);
        assert_eq!(lanes.take(most).await.expect("some"), [("a", 150)]);
    }

    #[tokio::test]
    async fn more_lanes_than_a_batch_holds_all_have_their_turn() {
        let lanes: Arc<Lanes<usize>> = Lanes::new(Held { items: 1_000, kib: 1_000 });
        let mut rooms = Vec::new();
        for number in 0..6 {
            for _ in 0..2 {
                let of = number.to_string();
                rooms.push(lanes.room(&of, 1).expect("room"));
                lanes.push(&of, 1, number).expect("taken");
            }
        }
        let mut taken = Vec::new();
        for _ in 0..6 {
            taken.extend(lanes.take(Held { items: 2, kib: 1_000 }).await.expect("some"));
        }
        assert_eq!(taken, [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]);
    }
}
