//! The lists of people in the memory of a worker: read again as soon as their version has changed.

use std::sync::Arc;
use std::time::Duration;

use domain::lists::matcher::Lists;
use domain::time::Clock;
use store::Store;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::current::Current;
use crate::shutdown::rest;

/// Pause between two looks at the version: how long an entry needs at most to take effect, besides reading.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The lists by which the workers of a process decide. Cheap to clone; all clones show the same lists.
#[derive(Clone, Debug, Default)]
pub struct LiveLists(Current<Lists>);

impl LiveLists {
    /// The lists now.
    pub fn current(&self) -> Arc<Lists> {
        self.0.get()
    }

    /// Decides by `lists` from now on.
    pub fn replace(&self, lists: Lists) {
        self.0.replace(lists);
    }

    /// Reads the lists if their version is not `known`; returns their version.
    pub async fn read(&self, store: &Store, clock: &Clock, known: Option<i64>) -> Result<i64, store::Error> {
        let version = store.lists_version().await?;
        if known != Some(version) {
            let lists = Lists::new(store.lists_in_force(clock.now()).await?);
            info!(version, entries = lists.len(), "lists read");
            self.replace(lists);
        }
        Ok(version)
    }

    /// Keeps the lists as they are in the database until `stop`; `version` is that of the lists now.
    pub async fn keep(self, store: Store, clock: Clock, mut version: i64, stop: CancellationToken) {
        while !stop.is_cancelled() {
            rest(&stop, LOOK_EVERY).await;
            match self.read(&store, &clock, Some(version)).await {
                Ok(read) => version = read,
                Err(error) => warn!(%error, "the lists cannot be read; the former ones stay in force"),
            }
        }
    }
}
