//! The threads of a process: threads that acknowledge postbacks, and threads for everything else, which yield to them.

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

/// Threads that acknowledge postbacks and do nothing else.
pub(crate) struct IngestThreads {
    /// `None` only while dropped: shutting down must not block a thread of another runtime.
    runtime: Option<Runtime>,
}

impl IngestThreads {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads((cores / 2).max(LEAST_INGEST_THREADS))
            .thread_name("ingest")
            .enable_all()
            .build()
            .context("cannot start the ingest threads")?;
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

    /// Runs `work` on these threads, and passes its panic on.
    pub(crate) async fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Some(runtime) = &self.runtime else { return };
        if let Err(fault) = runtime.spawn(work).await
            && let Ok(panic) = fault.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for IngestThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
