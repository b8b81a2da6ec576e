//! The threads of a process: threads that acknowledge postbacks, threads that process them, and threads for everything
//! else. All others yield to those that acknowledge.

use std::future::Future;
use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;

use anyhow::Context as _;
use store::Store;
use tokio::runtime::{Builder, Runtime};
use web::ingest::recorder::Recorder;

/// Ingest has half as many threads as there are cores, and at least two: one may wait for the disk while the other
/// answers.
const LEAST_INGEST_THREADS: usize = 2;

/// The threads for everything except ingest. `yields`: this process has ingest to yield to.
pub(crate) fn of_the_rest(yields: bool) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all();
    if yields {
        builder.on_thread_start(web::apart::yield_to_ingest);
    }
    builder.build()
}

/// Threads for one kind of work.
pub(crate) struct Threads {
    /// `None` only while dropped: shutting down must not block a thread of another runtime.
    runtime: Option<Runtime>,
}

impl Threads {
    /// Threads that acknowledge postbacks and do nothing else.
    pub(crate) fn for_ingest() -> anyhow::Result<Self> {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads((cores / 2).max(LEAST_INGEST_THREADS))
            .thread_name("ingest")
            .enable_all()
            .build()
            .context("cannot start the ingest threads")?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// One thread for each worker that processes postbacks. An answer of the database wakes just that one: of several
    /// threads, each that wakes would wake another to look for more work.
    pub(crate) fn for_processing(workers: usize) -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers.max(1))
            .thread_name("processing")
            .on_thread_start(web::apart::yield_to_ingest)
            .enable_all()
            .build()
            .context("cannot start the threads that process postbacks")?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Starts a recorder on these threads; the future ends with the recorder.
    pub(crate) fn start_recorder(
        &self,
        store: &Store,
    ) -> (Recorder, impl Future<Output = Result<(), store::Error>> + Send + use<>) {
        let _entered = self.runtime.as_ref().map(Runtime::enter);
        Recorder::start(store.for_ingest())
    }

    /// Runs `work` on these threads, and passes its panic on; `None` if they are stopped before its end.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        match self.runtime.as_ref()?.spawn(work).await {
            Ok(done) => Some(done),
            Err(fault) => match fault.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => None,
            },
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
