//! Users whom an app calls gone (410), counted over all workers, and the app that is switched off for too many of them.

use std::sync::LazyLock;

use domain::audit::Action;
use domain::delivery::gone::{Run, USERS_IN_A_ROW};
use domain::delivery::schedule::Class;
use domain::time::TimestampMs;

use crate::Result;
use crate::access::audit::{self, Line};
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::deliveries::lease::FinishedAttempt;

/// Who switches an app off.
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

/// Counts the users whom `app` calls gone, and switches it off if there are too many of them in a row.
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

/// Whoever was gone counts no more.
pub(crate) async fn end_run(tx: &mut Tx, app: &str) -> Result<()> {
    with_statement!(tx, END_RUN, |sql, connection| {
        sqlx::query(sql).bind(app).execute(connection).await?;
    });
    Ok(())
}

given_row! {
    struct GoneRow<'a> {
        app: &'a str,
        user_id: &'a str,
        id: i64,
    }
}
