//! The recorder: one task that commits whatever is waiting in one transaction.
//!
//! Group commit without a timer: while one commit is on its way to the disk, the next calls gather, and are
//! committed together. A call that comes alone waits for nothing but its own commit. The queue is bounded in number
//! and in bytes, and every source has room in it, however many calls another one sends; when there is none, the database
//! says no, or says nothing for some seconds, the call is answered 503 and the network tries again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::histogram;
use store::Store;
use store::postbacks::bodies::{bytes_of, left_out};
use store::postbacks::inbox::NewPostback;
use store::postbacks::refused::NewRefused;
use tokio::sync::{Notify, oneshot, watch};
use tracing::{error, warn};

use super::lanes::{Held, Lanes, Room};

/// How many calls wait at most, and what they hold together: of one source alone two thirds of it.
const MAX_WAITING: Held = Held { items: 12_288, kib: 48 * 1_024 };
/// How many are committed at once at most, and what they hold together: a commit that is full of large bodies must not
/// take so long that those behind it are put off.
const MAX_BATCH: Held = Held { items: 512, kib: 4 * 1_024 };

/// Refused calls: how many wait, how many are kept at once, and the pause after that. Together the most that anyone
/// can make us write without a signature: 64 rows of 8 KiB a second.
const MAX_REFUSED_WAITING: Held = Held { items: 256, kib: 8 * 1_024 };
const MAX_REFUSED_BATCH: Held = Held { items: 64, kib: 2 * 1_024 };
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// How often a batch of them is tried. Nobody sends them again: when the database is busy, or the process stops while it
/// is, they have waited for a connection only once.
const KEEP_ATTEMPTS: u32 = 3;

/// How long a caller waits to hear that the call is recorded. What is recorded later all the same comes again as a
/// repeat, which is harmless.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How much of it may pass before its commit begins. Whoever has waited for longer stands behind a database that says
/// nothing, and is told no without another attempt, of which they would not hear.
const COMMIT_WITHIN: Duration = Duration::from_millis(2_500);
/// A commit that is in hand for longer than this is not ordinary any more.
const SLOW_COMMIT: Duration = Duration::from_secs(3);

/// The least time between two notices to other processes.
const NOTICE_PAUSE: Duration = Duration::from_millis(20);

/// The call was not recorded, so it must not be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRecorded;

/// The way in. Cheap to clone; when the last one is dropped, the recorder records what it has and ends.
#[derive(Clone, Debug)]
pub struct Recorder {
    open: Arc<Open>,
    /// Since when the commit in hand is in hand.
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

/// Both queues, for as long as somebody may put something in.
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

/// Whoever waits is told at once when nobody records any more.
struct Abandoned(Arc<Lanes<Waiting>>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Recorder {
    /// Starts recording into `store`. The second value ends when every [`Recorder`] is dropped and everything taken
    /// is recorded; its error means that the process must end.
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
            while let Some(batch) = abandoned.0.take(MAX_BATCH).await {
                committing.send_replace(Some(Instant::now()));
                record(&store, batch).await?;
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

    /// Records `postback`; `Ok` means that it is on disk. If there is room for it, but not for its body, the body is left
    /// out: nothing that moves money depends on it.
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
        // What is not taken is dropped here, outside the lock, because it gives its room back.
        lanes.push(&of, size, waiting).map_err(|_| NotRecorded)?;
        tokio::time::timeout(ANSWER_WITHIN, answer)
            .await
            .map_or(Err(NotRecorded), |answer| answer.unwrap_or(Err(NotRecorded)))
    }

    /// Keeps a refused call, unless more come of its network than are kept; true if it is.
    pub fn keep_refused(&self, refused: NewRefused) -> bool {
        let lanes = &self.open.refused;
        // Full: dropped. Whoever floods us with unsigned calls gets no more than this, and the others have room.
        let (of, size) = (format!("{} {}", refused.share(), refused.network()), kib(&refused.call));
        lanes
            .room(&of, kib(&refused.call))
            .is_some_and(|room| lanes.push(&of, size, WaitingRefused { refused, _room: room }).is_ok())
    }

    /// How long the commit in hand has taken so far, if it takes longer than it should.
    pub fn stuck_for(&self) -> Option<Duration> {
        let began: Option<Instant> = *self.committing.borrow();
        began.map(|began| began.elapsed()).filter(|taken| *taken >= SLOW_COMMIT)
    }

    /// How many calls wait, and how many can.
    pub fn waiting(&self) -> (usize, usize) {
        (self.open.waiting.held().items, MAX_WAITING.items)
    }
}

/// What a call takes up.
fn kib(call: &NewPostback) -> usize {
    (call.target.len() + call.body.as_ref().map_or(0, String::len)) / 1_024 + 1
}

/// Commits `batch` and answers every call of it. An error means that the process must end.
async fn record(store: &Store, mut batch: Vec<Waiting>) -> Result<(), store::Error> {
    // The way back is closed with the call.
    let calls = batch.len();
    batch.retain(|call| call.since.elapsed() < COMMIT_WITHIN);
    if batch.len() < calls {
        warn!(calls = calls - batch.len(), "calls that waited for too long behind a commit are put off");
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
    match store.record(postbacks.clone()).await {
        Ok(()) => send_all(answers, Ok(())),
        Err(error) if error.is_broken() => return Err(error),
        Err(error) if postbacks.len() == 1 || error.is_transient() => {
            warn!(%error, calls = answers.len(), "cannot record now");
            send_all(answers, Err(NotRecorded));
        }
        // Something in the batch is not acceptable to the database: it must not take the others with it.
        Err(error) => {
            error!(%error, "a batch was refused; recording one by one");
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

/// Batches are far smaller than what a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "at most MAX_BATCH")]
fn f64_of(count: usize) -> f64 {
    count as f64
}

/// The way back to one caller, and the room that their call takes up until then.
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
        // The caller may have hung up; what is recorded is recorded all the same.
        let _ = self.recorded.send(result);
    }
}

async fn keep_refused(store: Store, calls: Arc<Lanes<WaitingRefused>>) {
    while let Some(batch) = calls.take(MAX_REFUSED_BATCH).await {
        let batch: Vec<_> = batch.into_iter().map(|waiting| waiting.refused).collect();
        for attempt in 1..=KEEP_ATTEMPTS {
            match store.keep_refused(batch.clone()).await {
                Err(error) if error.is_transient() && attempt < KEEP_ATTEMPTS => {
                    warn!(%error, attempt, "refused calls are not kept yet; trying again");
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

/// Tells workers of other processes, at most every [`NOTICE_PAUSE`], however many commits there are.
async fn notify_others(store: Store, notices: Arc<Notify>) {
    loop {
        notices.notified().await;
        if let Err(error) = store.wake_other_processes().await {
            warn!(%error, "workers of other processes are not told; they look by themselves every second");
        }
        tokio::time::sleep(NOTICE_PAUSE).await;
    }
}
