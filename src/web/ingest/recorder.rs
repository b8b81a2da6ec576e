//! The recorder: one task that commits all waiting calls in one transaction.
//!
//! Group commit without a timer: calls that arrive during a commit are committed together in the next one. A single call
//! waits only for its own commit. The queue is bounded in number and bytes, and no source can fill it alone. If it is full,
//! or the database fails or does not answer for some seconds, the call is answered 503 and the network tries again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::histogram;
use store::Store;
use store::postbacks::bodies::{bytes_of, left_out};
use store::postbacks::inbox::{NewPostback, RecordTurn};
use store::postbacks::refused::NewRefused;
use tokio::sync::{Notify, oneshot, watch};
use tracing::{error, warn};

use super::lanes::{Held, Lanes, Room};

/// Limit of the queue; one source alone gets two thirds of it.
const MAX_WAITING: Held = Held { items: 12_288, kib: 48 * 1_024 };
/// Limit of one commit. Bounded in KiB, too: a commit full of large bodies must not take so long that the calls behind it
/// time out.
const MAX_BATCH: Held = Held { items: 512, kib: 4 * 1_024 };

/// Limits for refused calls: queue, one write, and the pause after it. Together they bound what callers without a
/// signature can make us write: 64 rows of 8 KiB per second.
const MAX_REFUSED_WAITING: Held = Held { items: 256, kib: 8 * 1_024 };
const MAX_REFUSED_BATCH: Held = Held { items: 64, kib: 2 * 1_024 };
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Attempts to write a batch of refused calls. Networks do not resend them, so a busy database is tried again.
const KEEP_ATTEMPTS: u32 = 3;

/// Time until the answer. A call that is recorded after it is sent again by the network as a repeat, which is harmless.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait until the commit of a call begins. After that the database is probably stuck and the answer would come too
/// late, so the call is answered 503 without an attempt.
const COMMIT_WITHIN: Duration = Duration::from_millis(2_500);
/// A commit that takes longer than this is reported by [`Recorder::stuck_for`].
const SLOW_COMMIT: Duration = Duration::from_secs(3);

/// The least time between two notices to other processes.
const NOTICE_PAUSE: Duration = Duration::from_millis(20);

/// The call was not recorded, so it must not be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRecorded;

/// Handle to the recorder. Cheap to clone; when the last one is dropped, the recorder commits the waiting calls and ends.
#[derive(Clone, Debug)]
pub struct Recorder {
    open: Arc<Open>,
    /// Start of the current commit; `None` between commits.
    committing: Arc<watch::Sender<Option<Instant>>>,
}

#[derive(Debug)]
struct Waiting {
    postback: NewPostback,
    since: Instant,
    recorded: oneshot::Sender<Result<(), NotRecorded>>,
    room: Room<Waiting>,
}

#[derive(Debug)]
struct WaitingRefused {
    refused: NewRefused,
    _room: Room<WaitingRefused>,
}

/// Both queues; dropping it closes them.
#[derive(Debug)]
struct Open {
    waiting: Arc<Lanes<Waiting>>,
    refused: Arc<Lanes<WaitingRefused>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.waiting.close();
        self.refused.close();
    }
}

/// On drop, waiting calls fail at once, because nothing records them any more.
struct Abandoned(Arc<Lanes<Waiting>>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Recorder {
    /// Starts recording into `store`. The future ends when every [`Recorder`] is dropped and all accepted calls are
    /// recorded; an error means that the process must end.
    pub fn start(store: Store) -> (Self, impl Future<Output = Result<(), store::Error>> + Send) {
        let (waiting, refused) = (Lanes::new(MAX_WAITING), Lanes::new(MAX_REFUSED_WAITING));
        let committing = Arc::new(watch::Sender::new(None));
        let open = Arc::new(Open { waiting: waiting.clone(), refused: refused.clone() });
        let recorder = Self { open, committing: committing.clone() };
        let notices = Arc::new(Notify::new());
        let notifier = tokio::spawn(notify_others(store.clone(), notices.clone()));
        let keeper = tokio::spawn(keep_refused(store.clone(), refused));
        let work = tokio::spawn(async move {
            let abandoned = Abandoned(waiting);
            while abandoned.0.wait().await {
                committing.send_replace(Some(Instant::now()));
                // The turn first: all calls that arrive while a worker writes are committed together.
                let turn = store.turn_to_record().await;
                record(&store, turn, abandoned.0.take_waiting(MAX_BATCH)).await?;
                committing.send_replace(None);
                store.wake_workers();
                notices.notify_one();
            }
            Ok(())
        });
        (recorder, async move {
            let ended = work.await.unwrap_or_else(|fault| Err(store::Error::Aborted(fault.to_string())));
            notifier.abort();
            if ended.is_ok() && keeper.await.is_err() {
                warn!("the last refused calls could not be kept");
            }
            ended
        })
    }

    /// Records `postback`; `Ok` means that it is on disk. If there is no room for its body, the body is left out: no booking
    /// depends on it.
    pub async fn record(&self, mut postback: NewPostback) -> Result<(), NotRecorded> {
        let lanes = &self.open.waiting;
        let of = postback.source.clone();
        let whole = kib(&postback);
        let (size, room) = if let Some(room) = lanes.room(&of, whole) {
            (whole, room)
        } else {
            let body = postback.body.take().ok_or(NotRecorded)?;
            postback.body_left_out = Some(left_out(bytes_of(&body), "too many calls of this source at once"));
            let size = kib(&postback);
            (size, lanes.room(&of, size).ok_or(NotRecorded)?)
        };
        let (recorded, answer) = oneshot::channel();
        let since = Instant::now();
        let waiting = Waiting { postback, since, recorded, room };
        // A call that is not accepted is dropped here, outside of the lock: that releases its room, which locks.
        lanes.push(&of, size, waiting).map_err(|_| NotRecorded)?;
        tokio::time::timeout(ANSWER_WITHIN, answer)
            .await
            .map_or(Err(NotRecorded), |answer| answer.unwrap_or(Err(NotRecorded)))
    }

    /// Queues a refused call to be kept; false if the share of its network is used up.
    pub fn keep_refused(&self, refused: NewRefused) -> bool {
        let lanes = &self.open.refused;
        // If the lane is full, the call is dropped: a flood from one network leaves room for others.
        let (of, size) = (format!("{} {}", refused.share(), refused.network()), kib(&refused.call));
        lanes
            .room(&of, kib(&refused.call))
            .is_some_and(|room| lanes.push(&of, size, WaitingRefused { refused, _room: room }).is_ok())
    }

    /// Duration of the current commit so far, if it is at least 3 s.
    pub fn stuck_for(&self) -> Option<Duration> {
        let began: Option<Instant> = *self.committing.borrow();
        began.map(|began| began.elapsed()).filter(|taken| *taken >= SLOW_COMMIT)
    }

    /// The number of waiting calls, and its limit.
    pub fn waiting(&self) -> (usize, usize) {
        (self.open.waiting.held().items, MAX_WAITING.items)
    }
}

/// Size of a call in KiB, rounded up.
fn kib(call: &NewPostback) -> usize {
    (call.target.len() + call.body.as_ref().map_or(0, String::len)) / 1_024 + 1
}

/// Commits `batch` and answers each of its calls. An error means that the process must end.
async fn record(
    store: &Store,
    turn: Result<RecordTurn, store::Error>,
    mut batch: Vec<Waiting>,
) -> Result<(), store::Error> {
    // A dropped call is answered 503, because its channel closes.
    let calls = batch.len();
    batch.retain(|call| call.since.elapsed() < COMMIT_WITHIN);
    if batch.len() < calls {
        warn!(calls = calls - batch.len(), "calls waited too long for a slow commit; they are answered 503");
    }
    if batch.is_empty() {
        return Ok(());
    }
    let (postbacks, answers): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|Waiting { postback, recorded, room, .. }| (postback, Answer { recorded, _room: room }))
        .unzip();
    let postbacks = Arc::new(postbacks);
    histogram!("rewardgate_recorder_batch").record(f64_of(postbacks.len()));
    let recorded = match turn {
        Ok(turn) => store.record_in(turn, postbacks.clone()).await,
        Err(error) => Err(error),
    };
    match recorded {
        Ok(()) => send_all(answers, Ok(())),
        Err(error) if error.is_broken() => return Err(error),
        Err(error) if postbacks.len() == 1 || error.is_transient() => {
            warn!(%error, calls = answers.len(), "calls cannot be recorded; they are answered 503");
            send_all(answers, Err(NotRecorded));
        }
        // The database rejects something in the batch; the other calls must still be recorded.
        Err(error) => {
            error!(%error, "the database rejected a batch; recording its calls one by one");
            for (postback, answer) in postbacks.iter().zip(answers) {
                match store.record(Arc::new(vec![postback.clone()])).await {
                    Ok(()) => answer.send(Ok(())),
                    Err(error) if error.is_broken() => return Err(error),
                    Err(_) => answer.send(Err(NotRecorded)),
                }
            }
        }
    }
    Ok(())
}

/// Exact, because batches are small.
#[expect(clippy::cast_precision_loss, reason = "at most MAX_BATCH")]
fn f64_of(count: usize) -> f64 {
    count as f64
}

/// The answer channel of one call, and its room in the queue until it is answered.
struct Answer {
    recorded: oneshot::Sender<Result<(), NotRecorded>>,
    _room: Room<Waiting>,
}

fn send_all(answers: Vec<Answer>, result: Result<(), NotRecorded>) {
    for answer in answers {
        answer.send(result);
    }
}

impl Answer {
    fn send(self, result: Result<(), NotRecorded>) {
        // The caller may have hung up; the result stands all the same.
        let _ = self.recorded.send(result);
    }
}

async fn keep_refused(store: Store, calls: Arc<Lanes<WaitingRefused>>) {
    while let Some(batch) = calls.take(MAX_REFUSED_BATCH).await {
        let batch: Vec<_> = batch.into_iter().map(|waiting| waiting.refused).collect();
        for attempt in 1..=KEEP_ATTEMPTS {
            match store.keep_refused(batch.clone()).await {
                Err(error) if error.is_transient() && attempt < KEEP_ATTEMPTS => {
                    warn!(%error, attempt, "refused calls could not be kept; trying again");
                }
                Err(error) => warn!(%error, "refused calls could not be kept"),
                Ok(()) => break,
            }
        }
        if !calls.is_closed() {
            tokio::time::sleep(REFUSED_PAUSE).await;
        }
    }
}

/// Notifies workers of other processes of commits, at most every [`NOTICE_PAUSE`].
async fn notify_others(store: Store, notices: Arc<Notify>) {
    loop {
        notices.notified().await;
        if let Err(error) = store.wake_other_processes().await {
            warn!(%error, "workers of other processes cannot be notified; they poll every second");
        }
        tokio::time::sleep(NOTICE_PAUSE).await;
    }
}
