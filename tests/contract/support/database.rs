//! A fresh database for every rule.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use domain::policy::Policy;
use store::{OpenOptions, Store};

use crate::support::place::{Kind, Place};
use crate::support::postbacks::processor;
use crate::support::raw::Raw;

/// How long a rule waits for anything. Far more than anything needs: whatever exceeds it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// How long closing may take after a rule: a failed one may have left a connection in use.
const CLOSING: Duration = Duration::from_secs(10);

/// A migrated, empty database and a store on it.
pub(crate) struct Home {
    pub(crate) url: String,
    pub(crate) store: Store,
    place: Place,
}

/// Tests `rule` on a database of its own, and cleans up even if it fails.
pub(crate) fn check(kind: Kind, rule: impl AsyncFnOnce(&Home)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let home = runtime.block_on(Home::on(kind));
    let held = catch_unwind(AssertUnwindSafe(|| runtime.block_on(rule(&home))));
    runtime.block_on(home.leave());
    if let Err(why) = held {
        resume_unwind(why);
    }
}

impl Home {
    pub(crate) async fn on(kind: Kind) -> Self {
        let place = Place::of(kind);
        let url = place.blank().await;
        let store = open(&url).await.expect("the database opens");
        store.migrate().await.expect("the schema is made");
        let home = Self { url, store, place };
        home.keep(&processor().policy).await;
        home
    }

    /// Keeps a policy that decides, as a worker does when it starts, but without a line in the audit.
    pub(crate) async fn keep(&self, policy: &Policy) {
        let (version, content) = (policy.version(), policy.content().replace('\'', "''"));
        let sql = format!(
            "INSERT INTO policies (version, content, first_used_at) VALUES ('{version}', '{content}', 0)"
        );
        self.raw().await.execute(&sql).await;
    }

    /// Closes the store, and gives its databases back.
    pub(crate) async fn leave(self) {
        // Past the deadline a connection is still in use; the next rule with this database ends it.
        let _ = tokio::time::timeout(CLOSING, self.store.close()).await;
        self.place.clear().await;
    }

    pub(crate) fn kind(&self) -> Kind {
        if self.url.starts_with("sqlite") { Kind::Sqlite } else { Kind::Postgres }
    }

    /// The URL of another database, without a schema.
    pub(crate) async fn blank(&self) -> String {
        self.place.blank().await
    }

    /// A store on the same database that shares nothing else with the first, as another process has it.
    pub(crate) async fn another_process(&self) -> Store {
        open(&self.url).await.expect("the database opens once more")
    }

    /// A connection that is not the store's.
    pub(crate) async fn raw(&self) -> Raw {
        Raw::open(&self.url).await
    }
}

/// Opens `url` with enough connections for a few workers.
pub(crate) async fn open(url: &str) -> store::Result<Store> {
    Store::open(url, OpenOptions { max_connections: 5, create: true }).await
}

/// Waits until `condition` is `Some`; fails after [`DEADLINE`].
pub(crate) async fn eventually<T>(what: &str, condition: impl AsyncFnMut() -> Option<T>) -> T {
    within(DEADLINE, what, condition).await
}

/// Waits until `condition` is `Some`; fails after `deadline`.
pub(crate) async fn within<T>(
    deadline: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let waiting = async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(deadline, waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"))
}
