//! # store: the database
//!
//! The only crate with SQL. It makes no decisions: it loads what a decision needs and saves the result, with a fixed
//! number of statements however large the batch is. One SQL text serves SQLite and Postgres; places where they must
//! differ are marked `// dialect:`.
//!
//! **It never writes in its caller's future.** Every writing method runs in a task of its own. A dropped caller (a client
//! that disconnects, a time-out) can neither interrupt a transaction nor return a connection with an open one to the pool.
//!
//! | module | contents |
//! |---|---|
//! | [`db`] | connections, schema, deadlines, one SQL text for two databases, transactions |
//! | [`postbacks`] | inbox, refused calls, quarantine, replay, lists |
//! | [`rewards`] | processing a batch (load, then save), what is remembered, lists |
//! | [`ledger`] | balances and their proof; opening balances |
//! | [`deliveries`] | the outbox of every app: deliveries are created with their cause, leased by workers, resent by people |
//! | [`review`] | holds, claims, the context of a decision, decisions, reversal cases |
//! | [`reports`] | the reconciliation report of a business day, and its data |
//! | [`statements`] | the network's statements, imported and matched step by step |
//! | [`access`] | staff, sign-ins, sessions, tokens, audit |
//! | [`lists`] | users, networks, sub ids and offers that people block, watch or trust |
//! | [`operations`] | scheduled jobs, retention, policies, baselines |
//!
//! # Lock order
//!
//! Every transaction locks in this order, so that transactions do not deadlock:
//!
//! | | rows | locked by |
//! |---|---|---|
//! | 1 | the person's row in `tallies` | decisions, if `review.second_person_bulk_usd` is set |
//! | 2 | users, by app and id | processing, decisions, cases, deliveries |
//! | 3 | rewards, by id | the same |
//! | 4 | reversal cases, by id | cases, processing |
//! | 5 | postbacks, by id (`SKIP LOCKED` where workers claim) | processing, quarantine, replay |
//! | 6 | statements, by id | statements |
//! | 7 | accounts, by name and currency | everything that moves money |
//! | 8 | deliveries, by id (`SKIP LOCKED` where workers lease) | everything that changes deliveries; under the user's row |
//! | 9 | sightings, by key | processing |
//! | 10 | tallies of sources, by key | processing, replay |
//! | 11 | `list_version` | everything that changes lists |
//! | 12 | `audit_head` | every audited act, right before the commit |
//!
//! A transaction that loses a conflict starts again and reloads everything. On SQLite a writing transaction owns the
//! whole file from its beginning.

pub mod access;
pub mod db;
pub mod deliveries;
pub mod ledger;
pub mod lists;
pub mod operations;
pub mod postbacks;
pub mod reports;
pub mod review;
pub mod rewards;
pub mod statements;

use std::sync::Arc;

use domain::delivery::Subscriptions;
use domain::review::queue::ReviewTerms;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use db::{deadline, line, moment, turns};

pub use db::connect::OpenOptions;
pub use db::error::{Error, Result};

/// An open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    wake: Arc<tokio::sync::Notify>,
    /// Signals that a delivery may be due.
    wake_forwarders: Arc<tokio::sync::watch::Sender<()>>,
    subscriptions: Arc<Subscriptions>,
    terms: Arc<ReviewTerms>,
    /// Limit of stored unsigned bodies, for each source.
    body_bytes_per_hour: i64,
    commits: Arc<deadline::Commits>,
    /// Postgres: connections reserved for ingest, opened on first use.
    ingest_line: Option<Arc<line::Line>>,
    /// Ids of texts that verdicts share, if they are committed.
    repeated: rewards::repeated::Repeated,
    /// Policies of verdicts that were explained.
    policies: db::remembered::Remembered<Arc<domain::policy::Policy>>,
    /// The snapshot for all reads, if there is one.
    moment: Option<moment::Moment>,
}

/// More connections than any pool has; a larger count is an underflow.
const MAX_POOL_SIZE: u32 = 10_000;

/// The connections of this process to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Idle or in use.
    pub open: u32,
    /// Open and not in use.
    pub idle: u32,
}

#[derive(Clone, Debug)]
enum Database {
    /// One writing connection, several reading ones.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
        turns: Arc<turns::Turns>,
        /// Opens the connection that moves pages from the log to the file.
        connect: Box<SqliteConnectOptions>,
    },
    Postgres(Arc<line::Line>),
}

impl Store {
    /// The same store, which also creates deliveries for the apps of `subscriptions`, in the transaction of each cause.
    #[must_use]
    pub fn notifying(self, subscriptions: Subscriptions) -> Self {
        Self { subscriptions: Arc::new(subscriptions), ..self }
    }

    /// The same store, with `terms` for all decisions.
    #[must_use]
    pub fn with_review_terms(self, terms: ReviewTerms) -> Self {
        Self { terms: Arc::new(terms), ..self }
    }

    /// The same store, with another hourly limit of stored unsigned bodies for each source.
    #[must_use]
    pub fn with_body_limit(self, body_bytes_per_hour: i64) -> Self {
        Self { body_bytes_per_hour, ..self }
    }

    /// The same store for ingest. On Postgres it has [`db::connect::INGEST_CONNECTIONS`] of its own, so that ingest never
    /// waits for a connection that others use. SQLite has a single writing connection for everybody.
    #[must_use]
    pub fn for_ingest(&self) -> Self {
        let mut store = self.clone();
        if let Some(line) = self.ingest_line.clone() {
            store.database = Database::Postgres(line);
        }
        store
    }

    /// `sqlite` or `postgres`.
    pub fn database_name(&self) -> &'static str {
        match self.database {
            Database::Sqlite { .. } => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }

    /// The useful number of workers in one process: 1 on SQLite, which has one writer.
    pub fn useful_workers(&self, wanted: usize) -> usize {
        match self.database {
            Database::Sqlite { .. } => 1,
            Database::Postgres(_) => wanted,
        }
    }

    /// The open and the idle connections of all pools.
    pub fn connections(&self) -> Connections {
        // A pool may decrement its count just before it increments it, so the count can underflow for a moment.
        let counted = |count: u32| if count > MAX_POOL_SIZE { 0 } else { count };
        let of = |open: u32, idle: usize| Connections {
            open: counted(open),
            idle: counted(u32::try_from(idle).unwrap_or(u32::MAX)),
        };
        match &self.database {
            Database::Sqlite { writer, readers, .. } => {
                let (writer, readers) =
                    (of(writer.size(), writer.num_idle()), of(readers.size(), readers.num_idle()));
                Connections { open: writer.open + readers.open, idle: writer.idle + readers.idle }
            }
            Database::Postgres(line) => {
                let lines = [Some(line), self.ingest_line.as_ref()].into_iter().flatten();
                lines.map(|line| line.pool()).fold(Connections { open: 0, idle: 0 }, |sum, pool| {
                    let these = of(pool.size(), pool.num_idle());
                    Connections { open: sum.open + these.open, idle: sum.idle + these.idle }
                })
            }
        }
    }

    /// Closes every connection after running work has ended, or after a time-out.
    pub async fn close(&self) {
        let closed = async {
            match &self.database {
                Database::Sqlite { writer, readers, .. } => {
                    readers.close().await;
                    writer.close().await;
                }
                Database::Postgres(line) => {
                    if let Some(line) = &self.ingest_line {
                        line.pool().close().await;
                    }
                    line.pool().close().await;
                }
            }
        };
        let _ = tokio::time::timeout(deadline::WRITE, closed).await;
    }
}

/// Runs one body on a reading connection of either database, until its deadline.
macro_rules! read {
    ($store:expr, $pool:ident => $body:expr) => {
        $store
            .within($crate::db::deadline::READ, async {
                if let Some(moment) = &$store.moment {
                    return match &mut *moment.lock().await {
                        $crate::db::tx::Tx::Sqlite(tx, ..) => {
                            let $pool = &mut **tx;
                            $body
                        }
                        $crate::db::tx::Tx::Postgres(tx, _) => {
                            let $pool = &mut **tx;
                            $body
                        }
                    };
                }
                match &$store.database {
                    $crate::Database::Sqlite { readers: $pool, .. } => $body,
                    $crate::Database::Postgres(line) => {
                        let $pool = &line.pool();
                        $body
                    }
                }
            })
            .await
    };
}
pub(crate) use read;

/// Runs one body on a snapshot of either database. The snapshot is a transaction, so the caller runs it in a task of its
/// own; it may read much, so the caller also sets the deadline.
macro_rules! read_snapshot {
    ($store:expr, $snapshot:ident => $body:expr) => {
        match $store.begin_reading().await? {
            $crate::db::tx::Tx::Sqlite(mut $snapshot, ..) => $body,
            $crate::db::tx::Tx::Postgres(mut $snapshot, _) => $body,
        }
    };
}
pub(crate) use read_snapshot;
