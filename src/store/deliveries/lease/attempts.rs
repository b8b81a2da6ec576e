//! Completing attempts: each is recorded, and its delivery is finished, retried or failed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use domain::delivery::Status;
use domain::delivery::schedule::{Class, Next};
use domain::time::TimestampMs;

use crate::Result;
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::deliveries::disabled_apps::count_gone;
use crate::deliveries::outbox::{UserRow, lock_users, move_up};

/// A finished attempt with its result and the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedAttempt {
    /// The id of the delivery.
    pub id: i64,
    /// As in the settings.
    pub app: String,
    /// The user of the delivery; the app's next delivery for them moves up.
    pub user_id: String,
    /// The [`number`](super::Leased::number) of its lease.
    pub number: i64,
    /// Earlier attempts that count towards the retry limit.
    pub counted_attempts: i64,
    /// When the call started.
    pub began_at: TimestampMs,
    /// From sending the request to the end of the answer.
    pub duration_ms: i64,
    /// The kind of result.
    pub class: Class,
    /// `None` without an answer.
    pub http_status: Option<u16>,
    /// The error in one sentence; `None` after a success.
    pub detail: Option<String>,
    /// The beginning of the answer's body.
    pub answer: Option<String>,
    /// Delivered, retried or given up.
    pub next: Next,
}

static INSERT_ATTEMPTS: LazyStatement = LazyLock::new(|| {
    Statement::given::<AttemptInsert<'_>>(
        "INSERT INTO attempts (delivery_id, number, began_at, duration_ms, result, http_status, detail, answer)
         SELECT {columns} FROM {given} WHERE true
         ON CONFLICT DO NOTHING")
});

static DECIDE: LazyStatement = LazyLock::new(|| {
    Statement::given::<DecisionRow>(
        "UPDATE deliveries {by_id}
         SET status = given.status, due_at = given.due_at, attempts = given.attempts, ended_at = given.ended_at
         FROM {given}
         WHERE deliveries.id = given.id AND deliveries.tries = given.number AND deliveries.status = 'waiting'")
});

/// Records the attempts, and updates every delivery whose lease is still the attempt's own.
pub(super) async fn complete(tx: &mut Tx, ended: &[FinishedAttempt], now: TimestampMs) -> Result<()> {
    // Only a finished delivery lets the user's next one move up.
    let done = ended.iter().filter(|ended| matches!(ended.next, Next::Done | Next::GiveUp));
    let users =
        done.map(|ended| UserRow { app: ended.app.clone(), user_id: ended.user_id.clone() }).collect();
    let users = lock_users(tx, users).await?;
    let attempts: Vec<_> = ended.iter().map(AttemptInsert::of).collect();
    tx.execute(&INSERT_ATTEMPTS, &attempts).await?;
    let decisions: Vec<_> = ended.iter().map(|ended| DecisionRow::of(ended, now)).collect();
    tx.execute(&DECIDE, &decisions).await?;
    move_up(tx, &users).await?;
    let apps: BTreeSet<&str> = ended.iter().map(|ended| ended.app.as_str()).collect();
    for app in apps {
        count_gone(tx, app, ended, now).await?;
    }
    Ok(())
}

given_row! {
    struct AttemptInsert<'a> {
        id: i64,
        number: i64,
        began_at: i64,
        duration_ms: i64,
        result: &'static str,
        http_status: Option<i64>,
        detail: Option<&'a str>,
        answer: Option<&'a str>,
    }
}

impl<'a> AttemptInsert<'a> {
    fn of(ended: &'a FinishedAttempt) -> Self {
        Self {
            id: ended.id,
            number: ended.number,
            began_at: ended.began_at.0,
            duration_ms: ended.duration_ms,
            result: ended.class.name(),
            http_status: ended.http_status.map(i64::from),
            detail: ended.detail.as_deref(),
            answer: ended.answer.as_deref(),
        }
    }
}

given_row! {
    struct DecisionRow {
        id: i64,
        number: i64,
        status: &'static str,
        due_at: i64,
        attempts: i64,
        ended_at: Option<i64>,
    }
}

impl DecisionRow {
    fn of(ended: &FinishedAttempt, now: TimestampMs) -> Self {
        let (status, due_at, spent) = match ended.next {
            Next::Done => (Status::Delivered, now, 1),
            Next::RetryAt(at) => (Status::Waiting, at, 1),
            Next::KeepUntil(at) => (Status::Waiting, at, 0),
            Next::GiveUp => (Status::Failed, now, 1),
        };
        Self {
            id: ended.id,
            number: ended.number,
            status: status.name(),
            due_at: due_at.0,
            attempts: ended.counted_attempts + spent,
            ended_at: (status != Status::Waiting).then_some(now.0),
        }
    }
}
