//! Plain SQL on a connection that is not the store's: to look where it has no method, and to do what it never would.

use std::str::FromStr as _;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, FromRow};

/// A connection to either database.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A row that both databases can give.
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl Raw {
    pub(crate) async fn open(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            let options =
                SqliteConnectOptions::from_str(url).expect("a URL of SQLite").create_if_missing(true);
            Self::Sqlite(options.connect().await.expect("the file opens"))
        } else {
            Self::Postgres(PgConnection::connect(url).await.expect("the server answers"))
        }
    }

    /// Runs `sql`, which may be several statements, and answers with what the database says to it.
    pub(crate) async fn attempt(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        Ok(match self {
            Self::Sqlite(connection) => sql.execute(connection).await?.rows_affected(),
            Self::Postgres(connection) => sql.execute(connection).await?.rows_affected(),
        })
    }

    /// Runs `sql`, which must succeed.
    pub(crate) async fn execute(&mut self, sql: &str) {
        if let Err(why) = self.attempt(sql).await {
            panic!("{sql}: {why}");
        }
    }

    pub(crate) async fn rows<T: Row>(&mut self, sql: &str) -> Vec<T> {
        let text = AssertSqlSafe(sql.to_owned());
        let rows = match self {
            Self::Sqlite(connection) => sqlx::query_as(text).fetch_all(connection).await,
            Self::Postgres(connection) => sqlx::query_as(text).fetch_all(connection).await,
        };
        rows.unwrap_or_else(|why| panic!("{sql}: {why}"))
    }

    /// The single number that `sql` asks for.
    pub(crate) async fn number(&mut self, sql: &str) -> i64 {
        let rows: Vec<(i64,)> = self.rows(sql).await;
        let [(number,)] = rows[..] else { panic!("{sql}: {} rows", rows.len()) };
        number
    }

    /// The texts that `sql` asks for.
    pub(crate) async fn texts(&mut self, sql: &str) -> Vec<String> {
        self.rows::<(String,)>(sql).await.into_iter().map(|(text,)| text).collect()
    }

    /// How many rows every table has. Two that are equal say: nothing was added in between, and nothing removed.
    pub(crate) async fn census(&mut self) -> Vec<(&'static str, i64)> {
        const TABLES: [&str; 12] = [
            "accounts",
            "attempts",
            "deliveries",
            "policies",
            "postbacks",
            "refused",
            "rewards",
            "steps",
            "tokens",
            "transfers",
            "users",
            "verdicts",
        ];
        let mut census = Vec::new();
        for table in TABLES {
            census.push((table, self.number(&format!("SELECT COUNT(*) FROM {table}")).await));
        }
        census
    }

    /// From now on the database says no when `table` is changed by `event` (`INSERT` or `UPDATE`) to a row that
    /// fulfils `condition`.
    pub(crate) async fn forbid(&mut self, event: &str, table: &str, condition: &str) {
        let sql = match self {
            Self::Sqlite(_) => format!(
                "CREATE TRIGGER forbidden BEFORE {event} ON {table} WHEN {condition}
                 BEGIN SELECT RAISE(ABORT, 'forbidden by the test'); END"
            ),
            Self::Postgres(_) => format!(
                "CREATE FUNCTION forbidden() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'forbidden by the test'; END $$;
                 CREATE TRIGGER forbidden BEFORE {event} ON {table} FOR EACH ROW WHEN ({condition})
                 EXECUTE FUNCTION forbidden()"
            ),
        };
        self.execute(&sql).await;
    }

    /// Takes away what keeps `table` from being changed, as whoever wants to cheat would.
    pub(crate) async fn lift(&mut self, table: &str) {
        let sql = match self {
            Self::Sqlite(_) => format!("DROP TRIGGER {table}_are_frozen; DROP TRIGGER {table}_stay"),
            Self::Postgres(_) => format!("ALTER TABLE {table} DISABLE TRIGGER USER"),
        };
        self.execute(&sql).await;
    }

    /// Drops `triggers` of `table`.
    pub(crate) async fn lift_of(&mut self, table: &str, triggers: &[&str]) {
        for trigger in triggers {
            let sql = match self {
                Self::Sqlite(_) => format!("DROP TRIGGER {trigger}"),
                Self::Postgres(_) => format!("DROP TRIGGER {trigger} ON {table}"),
            };
            self.execute(&sql).await;
        }
    }

    /// Takes back [`Raw::forbid`].
    pub(crate) async fn allow(&mut self, table: &str) {
        let sql = match self {
            Self::Sqlite(_) => "DROP TRIGGER forbidden".to_owned(),
            Self::Postgres(_) => format!("DROP TRIGGER forbidden ON {table}; DROP FUNCTION forbidden()"),
        };
        self.execute(&sql).await;
    }
}
