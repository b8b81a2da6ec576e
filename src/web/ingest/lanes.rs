//! A bounded, fair queue: one lane for each source, or for each network that sends refused calls.
//!
//! A lane may hold at most twice the free capacity. So a single lane can fill two thirds, and a third stays for the others.
//! Lanes are served in turn, so that none waits behind a flood in another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A lane may hold this many times the free capacity.
const TIMES_FREE: usize = 2;

/// An amount of queued items, or a limit for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Number of items.
    pub(super) items: usize,
    /// Their size in KiB.
    pub(super) kib: usize,
}

/// The queue with all its lanes.
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
    /// Name of the lane that was served last.
    served: String,
    /// True if no further items are accepted.
    is_closed: bool,
}

#[derive(Debug)]
struct Lane<T> {
    /// Items with their size in KiB.
    waiting: VecDeque<(usize, T)>,
    /// Waiting items and taken ones whose [`Room`] still exists.
    held: Held,
}

/// Reserves capacity for one item until it is dropped.
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
        // No code panics while it holds the lock; even after a panic the state would be consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves `kib` KiB for one item in the lane `of`; `None` if the lane is full or the queue is closed.
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

    /// Appends `item` to the lane `of`, where it has a [`Room`]; returns it if the queue is closed.
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

    /// Waits for items and takes up to `most` (at least one item), from the lanes in turn; `None` when the queue is closed
    /// and empty.
    pub(super) async fn take(&self, most: Held) -> Option<Vec<T>> {
        while self.wait().await {
            let taken = self.take_waiting(most);
            if !taken.is_empty() {
                return Some(taken);
            }
        }
        None
    }

    /// Waits until there are items to take; false when the queue is closed and empty.
    pub(super) async fn wait(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.lock();
                if state.lanes.values().any(|lane| !lane.waiting.is_empty()) {
                    return true;
                }
                if state.is_closed {
                    return false;
                }
            }
            changed.await;
        }
    }

    /// Takes up to `most` of those that wait now, from the lanes in turn.
    pub(super) fn take_waiting(&self, most: Held) -> Vec<T> {
        self.lock().take(most)
    }

    /// Accepts no further items; waiting ones can still be taken.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Drops the waiting items and accepts no further ones.
    pub(super) fn abandon(&self) {
        let waiting: Vec<T> = {
            let mut state = self.lock();
            state.is_closed = true;
            let waiting = state.lanes.values_mut().flat_map(|lane| std::mem::take(&mut lane.waiting));
            waiting.map(|(_, item)| item).collect()
        };
        // Outside of the lock: dropping an item releases its room, which locks.
        drop(waiting);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Waiting items and taken ones that are not finished.
    pub(super) fn held(&self) -> Held {
        self.lock().held
    }
}

impl<T> State<T> {
    fn take(&mut self, most: Held) -> Vec<T> {
        let waits = self.lanes.iter().filter(|(_, lane)| !lane.waiting.is_empty());
        let mut names: Vec<String> = waits.map(|(name, _)| name.clone()).collect();
        // Begin with the lane after the one that was served last.
        let first = names.partition_point(|name| *name <= self.served);
        names.rotate_left(first);
        let (mut taken, mut kib) = (Vec::new(), 0);
        // The limit in KiB also applies in turn: a commit must not be full of one lane's large items.
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
    fn one_lane_fills_two_thirds_and_leaves_room_for_others() {
        for kib in [1, 10] {
            let lanes = Lanes::new(MOST);
            let flood = filled(&lanes, "a", kib);
            assert!((8..=9).contains(&flood.len()), "{}", flood.len());
            let others = filled(&lanes, "b", kib);
            assert!(!others.is_empty());
            assert!(!filled(&lanes, "c", kib).is_empty());
            drop(flood);
            assert!(filled(&lanes, "b", kib).len() >= 3, "released room is free again");
            drop(others);
            assert_eq!(lanes.held(), Held::default());
            assert!(lanes.lock().lanes.is_empty(), "an empty lane is removed");
        }
    }

    #[test]
    fn an_item_larger_than_the_queue_never_fits() {
        let lanes: Arc<Lanes<()>> = Lanes::new(MOST);
        assert!(lanes.room("a", 121).is_none());
    }

    #[tokio::test]
    async fn lanes_are_served_in_turn_and_in_order() {
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
        assert_eq!(lanes.take(Held { items: 1_000, kib: 1_000 }).await.expect("waiting items").len(), 95);
        assert_eq!(lanes.take(Held { items: 1, kib: 1_000 }).await, None);
        assert_eq!(lanes.push("a", 1, ("a", 0)), Err(("a", 0)));
        assert!(lanes.room("a", 1).is_none());
    }

    #[tokio::test]
    async fn an_item_too_large_for_a_batch_is_taken_alone() {
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
    async fn lanes_beyond_one_batch_get_their_turn() {
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
