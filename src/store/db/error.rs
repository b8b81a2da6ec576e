//! What can go wrong with a database, sorted by what the caller should do about it.

/// The result of every method of the store.
pub type Result<T> = std::result::Result<T, Error>;

/// Sorted by the answer: wait, try again, stop, or look into it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, is busy beyond its time-out, or its disk is full: wait, then try again.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Another writer was first: try again at once, with fresh facts.
    #[error("another writer was first: {0}")]
    Contended(String),
    /// The file system failed under a write, or the file is damaged. What is durable is unknown: the process must end
    /// and start again from the file; a failed fsync is never tried again.
    #[error("the file system failed or the file is damaged, so this process must end: {0}")]
    Broken(#[source] sqlx::Error),
    /// A row that our own rules forbid.
    #[error("{table}.{column} of row {row} holds {found:?}, which it never should")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id.
        row: i64,
        /// What stands there.
        found: String,
    },
    /// The database is not fit for money as it is; the text says what to change.
    #[error("{0}")]
    Unfit(String),
    /// Nothing of a statement's file can be read: trying again does not help, and other statements go on.
    #[error("statement {statement} cannot be read: {why}")]
    Unreadable {
        /// The statement.
        statement: i64,
        /// Why.
        why: domain::statement::Unreadable,
    },
    /// The schema could not be brought up to date.
    #[error("the schema could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The task that wrote was ended by a fault in it; nothing of it was saved.
    #[error("the write was ended by a fault in it; nothing of it was saved: {0}")]
    Aborted(String),
    /// Anything else the database says no to.
    #[error("the database refused: {0}")]
    Refused(#[source] sqlx::Error),
}

impl Error {
    /// True if waiting and trying again can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contended(_))
    }

    /// True if it was not done in time: less of it may be.
    pub fn is_too_late(&self) -> bool {
        matches!(self, Self::Unavailable(sqlx::Error::Io(why)) if why.kind() == std::io::ErrorKind::TimedOut)
    }

    /// What is wrong with the database, half a sentence that names no host and nobody: for whoever asks from outside.
    pub fn reason(&self) -> &'static str {
        let (Self::Unavailable(error) | Self::Broken(error) | Self::Refused(error)) = self else {
            return "see the log";
        };
        match error {
            sqlx::Error::Io(_) if self.is_too_late() => "it gives no answer",
            sqlx::Error::PoolTimedOut => "it gives no answer",
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
            5 | 6 => "another process keeps it locked",
            8 => "it is read-only",
            10 => "its disk fails",
            11 | 26 => "its file is damaged",
            13 => "its disk is full",
            _ => "see the log",
        };
    }
    match &*code {
        "25006" => "it is read-only",
        "42501" => "our role lacks a right",
        "53100" => "its disk is full",
        "53200" => "its memory is full",
        "53300" => "it has no connection to spare",
        "55000" => "it takes no connections",
        "57P01" | "57P02" | "57P03" => "it stops or starts",
        "3D000" => "there is no database of that name",
        _ if code.starts_with("28") => "it refuses our role or password",
        _ => "see the log",
    }
}

fn is_sqlite(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some()
}

/// Only a fault of the data is [`Error::Refused`], because that is what a postback is quarantined for. Everything
/// else, also what nobody thought of, is waited out: it is the database's state, and no postback's fault.
///
/// <https://www.sqlite.org/rescode.html>: the primary code is the lowest byte of the extended one.
fn of_sqlite(code: &str, error: sqlx::Error) -> Error {
    const IOERR: i64 = 10;
    let extended = code.parse::<i64>().unwrap_or(0);
    match (extended & 0xff, extended >> 8) {
        // WRITE, FSYNC, DIR_FSYNC, TRUNCATE: the commit may or may not be on disk. CORRUPT: what is read cannot be
        // trusted any more.
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
