//! Apps whose deliveries are disabled: automatically after too many users in a row answered with 410 (counted over all
//! workers), until a person enables the app again.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::delivery::gone::{Run, USERS_IN_A_ROW};
use domain::delivery::schedule::Class;
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::deliveries::lease::FinishedAttempt;
use crate::{Result, Store, read};

/// An app that gets no deliveries.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DisabledApp {
    /// As in the settings.
    pub app: String,
    /// Unix milliseconds.
    pub disabled_at: i64,
    /// The reason, as in the audit line.
    pub why: String,
}

/// The actor of the audit line when an app is disabled.
const FORWARDER: &str = "forwarder";

static DISABLE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO disabled_apps (app, disabled_at, why) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[],
    )
});

static END_RUN: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM gone_users WHERE app = $1", &[]));

static LENGTHEN_RUN: LazyStatement = LazyLock::new(|| {
    Statement::given::<GoneRow<'_>>(
        "INSERT INTO gone_users (app, user_id, delivery_id)
         SELECT {columns} FROM {given} WHERE true ON CONFLICT DO NOTHING",
    )
});

static COUNT_RUN: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT COUNT(*) FROM gone_users WHERE app = $1", &[]));

static ENABLE: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM disabled_apps WHERE app = $1", &[]));

impl Store {
    /// The disabled apps, by name.
    pub async fn disabled_apps(&self) -> Result<Vec<DisabledApp>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT app, disabled_at, why FROM disabled_apps ORDER BY app"
        ).fetch_all(pool).await)?)
    }

    /// Enables deliveries to an app again; `false` if it was not disabled.
    pub async fn enable_app(&self, app: String, by: Actor, now: TimestampMs) -> Result<bool> {
        self.write_and_wake(move |tx| {
            Box::pin(async move {
                let is_enabled = enable(tx, &app).await?;
                if is_enabled {
                    audit::note(
                        tx,
                        &Line::new(&by, Action::AppEnabled, format!("app {app}"), String::new()),
                        now,
                    );
                }
                Ok(is_enabled)
            })
        })
        .await
    }
}

/// Counts the users in a row for whom `app` answered 410, and disables the app at [`USERS_IN_A_ROW`].
pub(crate) async fn count_gone(
    tx: &mut Tx,
    app: &str,
    ended: &[FinishedAttempt],
    now: TimestampMs,
) -> Result<()> {
    let of_app = || ended.iter().filter(|ended| ended.app == app);
    let run = Run::of(of_app().map(|ended| (ended.user_id.as_str(), ended.class)));
    if run.begins_anew {
        end_run(tx, app).await?;
    }
    if run.users.is_empty() {
        return Ok(());
    }
    let gone = of_app().filter(|ended| ended.class == Class::Gone);
    let gone: Vec<_> = gone.filter(|ended| run.users.contains(ended.user_id.as_str())).collect();
    let mut rows: Vec<_> =
        gone.iter().map(|ended| GoneRow { app, user_id: &ended.user_id, id: ended.id }).collect();
    rows.sort_unstable_by_key(|row| row.user_id);
    tx.execute(&LENGTHEN_RUN, &rows).await?;
    let users: i64 = with_statement!(tx, COUNT_RUN, |sql, connection| {
        sqlx::query_scalar(sql).bind(app).fetch_one(connection).await?
    });
    if usize::try_from(users).is_ok_and(|users| users >= USERS_IN_A_ROW) {
        let last = gone.last().map_or(0, |ended| ended.id);
        let why = format!("it answered 410 for {users} users in a row, the last time to delivery {last}");
        let disabled = with_statement!(tx, DISABLE, |sql, connection| {
            sqlx::query(sql).bind(app).bind(now.0).bind(&why).execute(connection).await?.rows_affected()
        });
        if disabled == 1 {
            audit::note(
                tx,
                &Line::new(&FORWARDER.into(), Action::AppDisabled, format!("app {app}"), why),
                now,
            );
        }
    }
    Ok(())
}

/// Resets the count of users answered with 410.
pub(crate) async fn end_run(tx: &mut Tx, app: &str) -> Result<()> {
    with_statement!(tx, END_RUN, |sql, connection| {
        sqlx::query(sql).bind(app).execute(connection).await?;
    });
    Ok(())
}

async fn enable(tx: &mut Tx, app: &str) -> Result<bool> {
    end_run(tx, app).await?;
    Ok(with_statement!(tx, ENABLE, |sql, connection| sqlx::query(sql)
        .bind(app)
        .execute(connection)
        .await?
        .rows_affected())
        == 1)
}

given_row! {
    struct GoneRow<'a> {
        app: &'a str,
        user_id: &'a str,
        id: i64,
    }
}
