//! Password hashing: at most two hashes at once in the process, on separate threads of low priority.
//!
//! A hash costs 19 MiB and tens of milliseconds on purpose, and anybody who can reach the page can cause one. So there
//! are two lanes, each with one hash at a time and a short queue: one for people at addresses where they have signed in
//! before, and one for everybody else, so that the second never blocks the first. A caller who hangs up while waiting
//! costs nothing.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Hashes of one lane at once. Two lanes of 19 MiB stay below 64 MiB, also if the allocator keeps one more.
const AT_ONCE: usize = 1;
/// Length of the queue of one lane. A hash takes 20 to 50 ms, so the last in it waits about a second.
const MAX_WAITING: usize = 24;
/// Places in the queue for one caller, so that one address cannot fill it.
const MAX_WAITING_OF_ONE: usize = 6;
/// The longest wait, e.g. while ingest needs every core.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// `Retry-After` for a refused caller, in seconds.
const RETRY_AFTER_S: u64 = 2;
/// `nice` value of the hashing threads; ingest has a higher priority.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 15;

/// The password was not hashed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotHashed {
    /// The queue is full, or the wait took too long.
    #[error("too many passwords are being checked at the moment; try again in {retry_after_s} s")]
    Busy {
        /// Seconds until the caller may try again.
        retry_after_s: u64,
    },
    /// Hashing failed.
    #[error("the password cannot be hashed: {0}")]
    Failed(String),
}

const BUSY: NotHashed = NotHashed::Busy { retry_after_s: RETRY_AFTER_S };

/// One queue for hashing. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    room: Arc<Semaphore>,
    waiting: Arc<Waiting>,
    hasher: Arc<Hasher>,
}

/// The thread of a lane, started by its first hash. It is reused, because the allocator keeps memory for every thread:
/// with a new thread for each hash that grew to hundreds of megabytes.
#[derive(Debug, Default)]
struct Hasher(Mutex<Option<mpsc::Sender<Job>>>);

type Job = Box<dyn FnOnce() + Send>;

impl Hasher {
    /// Queues `job` on the thread; starts the thread if it is not running.
    fn hand(&self, job: Job) -> std::io::Result<()> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match &*jobs {
            Some(thread) => match thread.send(job) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(job)) => job,
            },
            None => job,
        };
        let (thread, given) = mpsc::channel::<Job>();
        std::thread::Builder::new().name("password".into()).spawn(move || {
            #[cfg(target_os = "linux")]
            crate::apart::yield_by(NICENESS);
            for job in given {
                // After a panic the caller gets an error, because the answer channel is dropped.
                drop(catch_unwind(AssertUnwindSafe(job)));
            }
        })?;
        // The new thread receives until it ends, so this cannot fail.
        let _ = thread.send(job);
        *jobs = Some(thread);
        Ok(())
    }
}

/// Number of waiting attempts by caller.
#[derive(Debug, Default)]
struct Waiting(Mutex<HashMap<u64, usize>>);

/// A place in the queue, freed when dropped.
struct Place {
    waiting: Arc<Waiting>,
    caller: u64,
}

impl Waiting {
    fn enter(self: &Arc<Self>, caller: u64) -> Option<Place> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.values().sum::<usize>() >= MAX_WAITING {
            return None;
        }
        let of_caller = waiting.entry(caller).or_default();
        (*of_caller < MAX_WAITING_OF_ONE).then(|| {
            *of_caller += 1;
            Place { waiting: self.clone(), caller }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_caller) = waiting.get_mut(&self.caller) {
            *of_caller -= 1;
            if *of_caller == 0 {
                waiting.remove(&self.caller);
            }
        }
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::default(), hasher: Arc::default() }
    }
}

impl Lane {
    /// Waits for a turn. `caller` is a hash of the address; each has at most [`MAX_WAITING_OF_ONE`] places.
    pub(crate) async fn turn(&self, caller: u64) -> Result<Turn, NotHashed> {
        let _place = self.waiting.enter(caller).ok_or(BUSY)?;
        let room = tokio::time::timeout(MAX_WAIT, self.room.clone().acquire_owned()).await;
        let room = room.map_err(|_| BUSY)?.map_err(|closed| NotHashed::Failed(closed.to_string()))?;
        Ok(Turn { _room: room, hasher: self.hasher.clone() })
    }
}

/// The right to hash once.
#[derive(Debug)]
pub(crate) struct Turn {
    _room: OwnedSemaphorePermit,
    hasher: Arc<Hasher>,
}

impl Turn {
    /// Runs `work` on the thread of the lane. The turn lasts until the work ends, even if the caller hangs up.
    pub(crate) async fn take<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, NotHashed> {
        let (answer, answered) = oneshot::channel();
        let hasher = self.hasher.clone();
        let hashing = move || {
            let done = work();
            drop(self);
            let _ = answer.send(done);
        };
        let handed = hasher.hand(Box::new(hashing));
        handed.map_err(|error| NotHashed::Failed(format!("no thread for it: {error}")))?;
        let done = answered.await.map_err(|_| NotHashed::Failed("its thread ended early".into()))?;
        done.map_err(NotHashed::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_hash_at_a_time_and_the_next_begins_when_it_ends() {
        let lane = Lane::default();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = lane.turn(1).await.expect("a turn");
        let first = tokio::spawn(first.take(move || wait.recv().map_err(|error| error.to_string())));
        let second = lane.turn(2);
        tokio::pin!(second);
        tokio::task::yield_now().await;
        assert!(futures_util::poll!(&mut second).is_pending());
        go.send(()).expect("it waits");
        first.await.expect("it ends").expect("done");
        second.await.expect("its turn").take(|| Ok(())).await.expect("done");
    }

    #[tokio::test]
    async fn a_hash_that_nobody_waits_for_any_more_keeps_its_turn_until_it_ends() {
        let lane = Lane::default();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let turn = lane.turn(1).await.expect("a turn");
        let given_up = tokio::spawn(turn.take(move || wait.recv().map_err(|error| error.to_string())));
        tokio::task::yield_now().await;
        given_up.abort();
        let _ = given_up.await;
        let next = lane.turn(1);
        tokio::pin!(next);
        assert!(futures_util::poll!(&mut next).is_pending());
        go.send(()).expect("it still works");
        next.await.expect("its turn");
    }

    #[tokio::test]
    async fn whoever_goes_away_while_waiting_costs_no_hash_and_no_place() {
        let lane = Lane::default();
        let held = lane.turn(0).await.expect("a turn");
        for caller in 0..10_000 {
            let mut waiting = Box::pin(lane.turn(caller));
            assert!(futures_util::poll!(&mut waiting).is_pending());
        }
        assert!(lane.waiting.0.lock().expect("whole").is_empty());
        drop(held);
        lane.turn(0).await.expect("the next turn is free at once");
    }

    #[tokio::test]
    async fn the_queue_is_short_and_one_caller_never_fills_it() {
        let lane = Lane::default();
        let _held = lane.turn(0).await.expect("a turn");
        let mut waiting: Vec<_> = (0..MAX_WAITING_OF_ONE).map(|_| Box::pin(lane.turn(1))).collect();
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        assert_eq!(lane.turn(1).await.expect_err("one caller has its share"), BUSY);
        for caller in 2.. {
            let mut one = Box::pin(lane.turn(caller));
            if futures_util::poll!(&mut one).is_ready() {
                break;
            }
            waiting.push(one);
        }
        assert_eq!(waiting.len(), MAX_WAITING);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_deadline() {
        let lane = Lane::default();
        let _held = lane.turn(0).await.expect("a turn");
        assert_eq!(lane.turn(1).await.expect_err("it takes too long"), BUSY);
        assert!(lane.waiting.0.lock().expect("whole").is_empty());
    }

    #[tokio::test]
    async fn a_hash_that_breaks_lets_go_of_its_turn() {
        let lane = Lane::default();
        let broken = lane.turn(0).await.expect("a turn").take(|| Err::<(), _>("no".into())).await;
        assert_eq!(broken, Err(NotHashed::Failed("no".into())));
        lane.turn(0).await.expect("free again");
    }

    #[tokio::test]
    async fn after_a_hash_that_panics_the_next_one_is_made() {
        let lane = Lane::default();
        let broken = lane.turn(0).await.expect("a turn").take(|| -> Result<(), String> { panic!("broken") });
        assert_eq!(broken.await, Err(NotHashed::Failed("its thread ended early".into())));
        lane.turn(0).await.expect("free again").take(|| Ok(())).await.expect("done");
    }
}
