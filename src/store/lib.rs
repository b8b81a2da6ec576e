//! # store: remembers postbacks, rewards and the books
//!
//! The only crate with SQL. It decides nothing: it loads what a decision needs and saves what the decision says, each
//! with a fixed number of statements however large the batch. One SQL text serves SQLite and Postgres; the places
//! where they must differ are marked `// dialect:`.
//!
//! **It never writes in its caller's future.** Every writing method runs in a task of its own, so a caller that is
//! dropped (a client that hangs up, a time-out) can neither tear a transaction nor hand a half-begun one back to the
//! pool.
//!
//! | room | what it keeps |
//! |---|---|
//! | [`db`] | connections, schema, deadlines, one SQL text for two databases, one transaction in one task |
//! | [`postbacks`] | the inbox, refused calls, quarantine, replay, and lists of them |
//! | [`rewards`] | processing: what a batch touches is loaded, what the domain decided is saved; lists |
//! | [`ledger`] | balances and their proof |
//! | [`deliveries`] | the outbox of every app: created with its cause, leased by workers, sent again by people |
//! | [`review`] | holds, claims, the context of a decision, decisions, reversals that a person must look at |
//! | [`reports`] | the reconciliation of a business day, and what it is made from |
//! | [`statements`] | the network's own statements, imported and matched step by step |
//! | [`access`] | staff, sign-ins, sessions, tokens, and the audit |
//! | [`operations`] | scheduled jobs, retention, policies |
//!
//! # Lock order
//!
//! Every transaction locks in this order, so that no two wait for each other:
//!
//! | | what | by whom |
//! |---|---|---|
//! | 1 | the person's row in `tallies` | decisions, if `review.second_person_bulk_usd` is set |
//! | 2 | users, by app and id | processing, decisions, cases, deliveries |
//! | 3 | rewards, by id | the same |
//! | 4 | reversal cases, by id | cases, processing |
//! | 5 | postbacks, by id (`SKIP LOCKED` where workers claim) | processing, quarantine, replay |
//! | 6 | statements, by id | statements |
//! | 7 | accounts, by name and currency | whoever moves money |
//! | 8 | deliveries, by id (`SKIP LOCKED` where workers lease) | whoever changes what an app hears; under the user's row |
//! | 9 | `audit_head` | every act, right before the commit |
//!
//! A transaction that loses a conflict begins again with fresh facts. On SQLite a writing transaction owns the whole
//! file from its beginning.

pub mod access;
pub mod db;
pub mod deliveries;
pub mod ledger;
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

use db::{deadline, line, moment};

pub use db::connect::OpenOptions;
pub use db::error::{Error, Result};

/// An open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    wake: Arc<tokio::sync::Notify>,
    /// Changes whenever a delivery may be due.
    wake_forwarders: Arc<tokio::sync::watch::Sender<()>>,
    subscriptions: Arc<Subscriptions>,
    terms: Arc<ReviewTerms>,
    /// How much of unsigned bodies is kept of one source in an hour.
    body_bytes_per_hour: i64,
    commits: Arc<deadline::Commits>,
    /// Postgres: the connections that only ingest uses. None of them is open before it does.
    ingest_line: Option<Arc<line::Line>>,
    /// What it reads on, if all of it must be of one moment.
    moment: Option<moment::Moment>,
}

/// More connections than any pool has.
const MAX_POOL_SIZE: u32 = 10_000;

/// The connections of this process to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Open ones.
    pub open: u32,
    /// Those of them that nobody uses at the moment.
    pub idle: u32,
}

#[derive(Clone, Debug)]
enum Database {
    /// One connection that writes, several that read.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(Arc<line::Line>),
}

impl Store {
    /// The same store, which from now on writes down what the apps of `subscriptions` are to be told, in the
    /// transaction of each cause.
    #[must_use]
    pub fn notifying(self, subscriptions: Subscriptions) -> Self {
        Self { subscriptions: Arc::new(subscriptions), ..self }
    }

    /// The same store, on which decisions are made under `terms` from now on.
    #[must_use]
    pub fn with_review_terms(self, terms: ReviewTerms) -> Self {
        Self { terms: Arc::new(terms), ..self }
    }

    /// The same store, which from now on keeps so many bytes of unsigned bodies of one source in an hour.
    #[must_use]
    pub fn with_body_limit(self, body_bytes_per_hour: i64) -> Self {
        Self { body_bytes_per_hour, ..self }
    }

    /// The same store for whoever records postbacks: on Postgres it has [`db::connect::INGEST_CONNECTIONS`] of its own, so
    /// that nobody who reads or works can keep ingest waiting for one. SQLite has one that writes, and takes turns.
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

    /// How many workers in one process are of use: SQLite has one writer, Postgres shares rows out.
    pub fn useful_workers(&self, wanted: usize) -> usize {
        match self.database {
            Database::Sqlite { .. } => 1,
            Database::Postgres(_) => wanted,
        }
    }

    /// How many connections are open, and how many of them are idle.
    pub fn connections(&self) -> Connections {
        // A pool may count a connection down just before it counts it up: for that moment it has less than none.
        let counted = |count: u32| if count > MAX_POOL_SIZE { 0 } else { count };
        let of = |open: u32, idle: usize| Connections {
            open: counted(open),
            idle: counted(u32::try_from(idle).unwrap_or(u32::MAX)),
        };
        match &self.database {
            Database::Sqlite { writer, readers } => {
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

    /// Closes every connection, after what runs on them is done, or when it has had its time.
    pub async fn close(&self) {
        let closed = async {
            match &self.database {
                Database::Sqlite { writer, readers } => {
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

/// Runs one body on a connection that may read, whichever database is open, until its deadline.
macro_rules! read {
    ($store:expr, $pool:ident => $body:expr) => {
        $store
            .within($crate::db::deadline::READ, async {
                if let Some(moment) = &$store.moment {
                    return match &mut *moment.lock().await {
                        $crate::db::tx::Tx::Sqlite(tx, _) => {
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

/// Runs one body on a snapshot of either database. It is a transaction, so it belongs into a task of its own although
/// it only reads, and it reads much, so that its caller gives it a deadline of its own.
macro_rules! read_snapshot {
    ($store:expr, $snapshot:ident => $body:expr) => {
        match $store.begin_reading().await? {
            $crate::db::tx::Tx::Sqlite(mut $snapshot, _) => $body,
            $crate::db::tx::Tx::Postgres(mut $snapshot, _) => $body,
        }
    };
}
pub(crate) use read_snapshot;
