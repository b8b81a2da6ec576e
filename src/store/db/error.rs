//! Database errors, sorted by what the caller should do.

/// The result of every method of the store.
pub type Result<T> = std::result::Result<T, Error>;

/// Sorted by reaction: wait, retry, stop, or investigate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Unreachable, busy beyond the time-out, or its disk is full: wait, then retry.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Another writer was first: reload and retry at once.
    #[error("another writer was first: {0}")]
    Contended(String),
    /// A write failed in the file system, or the file is damaged. It is unknown what is durable: the process must end and
    /// start again from the file; a failed fsync is never retried.
    #[error("the file system failed or the database file is damaged; this process must end: {0}")]
    Broken(#[source] sqlx::Error),
    /// A row with a value that our own rules forbid.
    #[error("{table}.{column} of row {row} contains the invalid value {found:?}")]
    Corrupt {
        /// Name in the schema.
        table: &'static str,
        /// Name in the schema.
        column: &'static str,
        /// The row's id.
        row: i64,
        /// The invalid value.
        found: String,
    },
    /// The database is not safe to use as it is; the text says what to change.
    #[error("{0}")]
    Unfit(String),
    /// A statement's file cannot be read: a retry does not help, other statements continue.
    #[error("statement {statement} cannot be read: {why}")]
    Unreadable {
        /// The statement's id.
        statement: i64,
        /// What is wrong with the file.
        why: domain::statement::Unreadable,
    },
    /// A migration failed.
    #[error("the schema could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A bug ended the writing task; nothing was saved.
    #[error("an internal error ended the write; nothing was saved: {0}")]
    Aborted(String),
    /// Anything else that the database refuses, usually because of the data.
    #[error("the database refused the statement: {0}")]
    Refused(#[source] sqlx::Error),
}

impl Error {
    /// True if a retry can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contended(_))
    }

    /// True if the deadline was missed: a smaller batch may succeed.
    pub fn is_too_late(&self) -> bool {
        matches!(self, Self::Unavailable(sqlx::Error::Io(why)) if why.kind() == std::io::ErrorKind::TimedOut)
    }

    /// The reason as a clause about the database ("it is read-only"), without names of hosts or users: safe to show to
    /// outside callers.
    pub fn reason(&self) -> &'static str {
        let (Self::Unavailable(error) | Self::Broken(error) | Self::Refused(error)) = self else {
            return "see the log";
        };
        match error {
            sqlx::Error::Io(_) if self.is_too_late() => "it does not answer",
            sqlx::Error::PoolTimedOut => "it does not answer",
            sqlx::Error::Io(_) => "it cannot be reached",
            _ => error.as_database_error().map_or("see the log", reason),
        }
    }

    /// True if the process must end.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let database = error.as_database_error();
        let code = database.and_then(|error| Some(error.code()?.into_owned()));
        match code {
            Some(code) if database.is_some_and(is_sqlite) => of_sqlite(&code, error),
            Some(code) => of_postgres(&code, error),
            None => match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Protocol(_) => Self::Unavailable(error),
                sqlx::Error::Configuration(what) => Self::Unfit(what.to_string()),
                _ => Self::Refused(error),
            },
        }
    }
}

fn reason(error: &dyn sqlx::error::DatabaseError) -> &'static str {
    let code = error.code().unwrap_or_default();
    if is_sqlite(error) {
        return match code.parse::<i64>().unwrap_or(0) & 0xff {
            5 | 6 => "another process has locked it",
            8 => "it is read-only",
            10 => "its disk failed",
            11 | 26 => "its file is damaged",
            13 => "its disk is full",
            _ => "see the log",
        };
    }
    match &*code {
        "25006" => "it is read-only",
        "42501" => "our role lacks a privilege",
        "53100" => "its disk is full",
        "53200" => "it is out of memory",
        "53300" => "it has no free connections",
        "55000" => "it accepts no connections",
        "57P01" | "57P02" | "57P03" => "it is stopping or starting",
        "3D000" => "there is no database of that name",
        _ if code.starts_with("28") => "it refuses our role or password",
        _ => "see the log",
    }
}

fn is_sqlite(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some()
}

/// Only errors caused by the data are [`Error::Refused`], because they quarantine a postback. All others, including
/// unknown codes, are caused by the state of the database and are waited out.
///
/// <https://www.sqlite.org/rescode.html>: the primary code is the lowest byte of the extended one.
fn of_sqlite(code: &str, error: sqlx::Error) -> Error {
    const IOERR: i64 = 10;
    let extended = code.parse::<i64>().unwrap_or(0);
    match (extended & 0xff, extended >> 8) {
        // WRITE, FSYNC, DIR_FSYNC, TRUNCATE: the commit may or may not be on disk. CORRUPT: reads cannot be trusted.
        (IOERR, 3..=6) | (11, _) => Error::Broken(error),
        // NOTADB.
        (26, _) => Error::Unfit(error.to_string()),
        // CONSTRAINT_UNIQUE, CONSTRAINT_PRIMARYKEY.
        (19, 8 | 6) => Error::Contended(error.to_string()),
        // TOOBIG, other CONSTRAINT, MISMATCH.
        (18..=20, _) => Error::Refused(error),
        // BUSY, LOCKED, FULL, CANTOPEN and the rest; a full disk can also show as an I/O error of the shared memory.
        _ => Error::Unavailable(error),
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_postgres(code: &str, error: sqlx::Error) -> Error {
    match code {
        // unique_violation, serialization_failure, deadlock_detected, lock_not_available
        "23505" | "40001" | "40P01" | "55P03" => Error::Contended(error.to_string()),
        // data exceptions, other integrity violations, exceptions raised by triggers
        _ if ["22", "23", "P0"].iter().any(|class| code.starts_with(class)) => Error::Refused(error),
        // connections, resources (a full disk among them), shutdowns, closed databases, changed passwords, …
        _ => Error::Unavailable(error),
    }
}
