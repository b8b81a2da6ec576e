//! SQLite: whose turn it is to write. SQLite itself lets writers of other processes wait by polling with growing pauses, so
//! that under load one of them may wait for half a second. Here they wait in line and are woken at once.
//!
//! Two advisory locks beside the database file make the line. Whoever wants to write takes the *gate*, then the *pen*, and
//! opens the gate again; the pen is kept until the transaction has ended. A writer that has just ended finds the gate shut
//! by whoever waits for its pen, and so cannot be first again: processes take turns. Within a process, one at a time goes
//! to the gate, in the order of asking.
//!
//! A process of an earlier version, or another program, knows nothing of it: SQLite's own lock still keeps both apart.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use tokio::sync::{Mutex, Notify, OwnedMutexGuard, oneshot};

use crate::{Error, Result};

/// The line of one process.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Held by whoever of this process has the pen, or waits for it.
    own: Arc<Mutex<()>>,
    /// How many of this process wait or write.
    wanting: AtomicUsize,
    /// Signals that somebody of this process has written.
    written: Notify,
    /// The database's file; `None` for one in memory, which no other process has.
    file: Option<PathBuf>,
    /// Made when somebody wants to write for the first time, so that looking at a database leaves no files beside it. `None`
    /// without a file, or where none can be made.
    shared: OnceLock<Option<Shared>>,
}

/// The line of all processes.
#[derive(Debug)]
struct Shared {
    gate: Arc<File>,
    pen: Arc<File>,
    /// A thread of its own waits for files: nobody else can be held up by another process, and no end of ours waits for it.
    waiter: mpsc::Sender<oneshot::Sender<std::io::Result<()>>>,
    /// How many have asked it and have no answer yet, those who have gone included.
    asking: Arc<AtomicUsize>,
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    _own: OwnedMutexGuard<()>,
}

impl Turns {
    /// The line for the database in `file`; `None` for one in memory.
    pub(crate) fn of(file: Option<&Path>) -> Arc<Self> {
        Arc::new(Self {
            own: Arc::default(),
            wanting: AtomicUsize::new(0),
            written: Notify::new(),
            file: file.map(Path::to_path_buf),
            shared: OnceLock::new(),
        })
    }

    fn shared(&self) -> Option<&Shared> {
        let make = || {
            let made = Shared::beside(self.file.as_deref()?);
            made.inspect_err(|error| {
                tracing::warn!(%error, "no lock files beside the database: processes wait for each other by polling");
            })
            .ok()
        };
        self.shared.get_or_init(make).as_ref()
    }

    /// Ends when somebody of this process has written since it ended last.
    pub(crate) async fn written(&self) {
        self.written.notified().await;
    }

    /// Waits in line. Dropped while it waits, it leaves the line.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Turn> {
        let wanting = Wanting::of(self);
        let own = self.own.clone().lock_owned().await;
        if let Some(shared) = self.shared() {
            shared.take_pen().await?;
        }
        // From here on the turn counts as one that wants.
        std::mem::forget(wanting);
        Ok(Turn { turns: self.clone(), _own: own })
    }
}

/// One who wants to write, counted until it is dropped.
struct Wanting<'t>(&'t Turns);

impl<'t> Wanting<'t> {
    fn of(turns: &'t Turns) -> Self {
        turns.wanting.fetch_add(1, Ordering::Relaxed);
        Self(turns)
    }
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.wanting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turn {
    /// True if somebody waits for this turn to end, in this process or in another.
    pub(crate) fn is_awaited(&self) -> bool {
        let of_ours = self.turns.wanting.load(Ordering::Relaxed) > 1;
        of_ours || self.turns.shared().is_some_and(Shared::is_gate_shut)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(shared) = self.turns.shared() {
            // An error means that the file is gone, and with it the lock.
            let _ = shared.pen.unlock();
        }
        drop(Wanting(&self.turns));
        self.turns.written.notify_one();
    }
}

impl Shared {
    fn beside(database: &Path) -> std::io::Result<Self> {
        let open = |suffix: &str| {
            let mut path = database.as_os_str().to_owned();
            path.push(suffix);
            let mut options = File::options();
            options.create(true).truncate(false).write(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(path).map(Arc::new)
        };
        let (gate, pen) = (open("-gate")?, open("-pen")?);
        let (waiter, asked) = mpsc::channel::<oneshot::Sender<std::io::Result<()>>>();
        let (locks, asking) = ((gate.clone(), pen.clone()), Arc::new(AtomicUsize::new(0)));
        let answered = asking.clone();
        thread::Builder::new().name("sqlite-turns".into()).spawn(move || {
            let (gate, pen) = locks;
            // Ends when the store is dropped.
            for answer in asked {
                let taken = gate.lock().and_then(|()| {
                    let taken = pen.lock();
                    gate.unlock().and(taken)
                });
                if answer.send(taken).is_err() {
                    // Whoever asked has gone.
                    let _ = pen.unlock();
                }
                answered.fetch_sub(1, Ordering::Release);
            }
        })?;
        Ok(Self { gate, pen, waiter, asking })
    }

    /// Takes the pen if nobody has it or waits for it. Not while our thread works on the same files: locks belong to a file,
    /// not to a thread.
    fn take_free_pen(&self) -> bool {
        if self.asking.load(Ordering::Acquire) > 0 || self.gate.try_lock().is_err() {
            return false;
        }
        let taken = self.pen.try_lock().is_ok();
        let _ = self.gate.unlock();
        taken
    }

    async fn take_pen(&self) -> Result<()> {
        if self.take_free_pen() {
            return Ok(());
        }
        let (answer, taken) = oneshot::channel();
        let gone = || Error::Aborted("the thread that waits for the lock files has ended".into());
        self.asking.fetch_add(1, Ordering::Relaxed);
        self.waiter.send(answer).map_err(|_| gone())?;
        let mut taken = Taken { taken: Some(taken), pen: &self.pen };
        let result = match &mut taken.taken {
            Some(receiver) => receiver.await,
            None => return Err(gone()),
        };
        taken.taken = None;
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(sqlx::Error::Io(error).into()),
            Err(_) => Err(gone()),
        }
    }

    /// True if another process waits at the gate or for the pen.
    fn is_gate_shut(&self) -> bool {
        match self.gate.try_lock() {
            Ok(()) => {
                let _ = self.gate.unlock();
                false
            }
            Err(_) => true,
        }
    }
}

/// An answer that is waited for; dropped before it is read, it gives the pen back that may already lie in it.
struct Taken<'s> {
    taken: Option<oneshot::Receiver<std::io::Result<()>>>,
    pen: &'s File,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Some(mut taken) = self.taken.take() else { return };
        taken.close();
        if let Ok(Ok(())) = taken.try_recv() {
            let _ = self.pen.unlock();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Two lines on one file, as two processes have them.
    fn two() -> (tempfile::TempDir, Arc<Turns>, Arc<Turns>) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("one.db");
        let (one, other) = (Turns::of(Some(&file)), Turns::of(Some(&file)));
        (folder, one, other)
    }

    #[tokio::test]
    async fn who_only_reads_leaves_no_files() {
        let (folder, one, _other) = two();
        let files = || std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files(), 0);
        drop(one.take().await.expect("its turn"));
        assert_eq!(files(), 2);
        drop(Turns::of(None).take().await.expect("its turn"));
    }

    #[tokio::test]
    async fn one_process_writes_at_a_time() {
        let (_folder, one, other) = two();
        let turn = one.take().await.expect("its turn");
        assert!(!turn.is_awaited());
        let waiting = tokio::spawn({
            let other = other.clone();
            async move { other.take().await }
        });
        while !turn.is_awaited() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!waiting.is_finished());
        drop(turn);
        let turn = waiting.await.expect("it ends").expect("its turn");
        assert!(!turn.is_awaited());
    }

    #[tokio::test]
    async fn who_has_just_written_is_not_first_again() {
        let (_folder, one, other) = two();
        let turn = one.take().await.expect("its turn");
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let second = tokio::spawn({
            let (other, order) = (other.clone(), order.clone());
            async move {
                let turn = other.take().await.expect("its turn");
                order.lock().expect("a lock").push("other");
                drop(turn);
            }
        });
        while !turn.is_awaited() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(turn);
        let again = one.take().await.expect("its turn");
        order.lock().expect("a lock").push("one");
        drop(again);
        second.await.expect("it ends");
        assert_eq!(*order.lock().expect("a lock"), ["other", "one"]);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_the_line() {
        let (_folder, one, other) = two();
        let turn = one.take().await.expect("its turn");
        for _ in 0..3 {
            let waiting = tokio::time::timeout(Duration::from_millis(20), other.take());
            assert!(waiting.await.is_err());
        }
        drop(turn);
        for turns in [&one, &other, &one] {
            drop(turns.take().await.expect("its turn"));
        }
    }
}
