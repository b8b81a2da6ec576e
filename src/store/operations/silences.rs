//! Sources that fell silent, from the moment when it is noticed until they speak again. A mail about either is scheduled in
//! the same transaction, so it is sent once, whoever notices.

use std::sync::LazyLock;

use domain::time::TimestampMs;
use domain::traffic::silence::Silence;

use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::operations::jobs::{self, Job};
use crate::{Result, Store, read};

/// A source that is silent now.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SilentSource {
    /// As in the settings.
    pub source: String,
    /// The last postback before the silence, unix milliseconds.
    pub last_at: i64,
    /// The usual gap that it exceeds, in milliseconds.
    pub usual_ms: i64,
}

static BEGIN: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO silences (source, last_at, usual_ms, noticed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        &[],
    )
});

static END: LazyStatement = LazyLock::new(|| Statement::new("DELETE FROM silences WHERE source = $1", &[]));

impl Store {
    /// The sources that are silent now, by name. One row for each, so there are few.
    pub async fn silent_sources(&self) -> Result<Vec<SilentSource>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT source, last_at, usual_ms FROM silences ORDER BY source"
        ).fetch_all(pool).await)?)
    }

    /// Notes that `source` is silent, and schedules `mail`; `false` if it was noted before.
    pub async fn begin_silence(
        &self,
        source: String,
        silence: Silence,
        mail: Option<Job>,
        now: TimestampMs,
    ) -> Result<bool> {
        self.write(move |tx| Box::pin(async move { begin(tx, &source, silence, mail.as_ref(), now).await }))
            .await
    }

    /// Notes that `source` is not silent any more, and schedules `mail`; `false` if it was not noted as silent.
    pub async fn end_silence(&self, source: String, mail: Option<Job>, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| Box::pin(async move { end(tx, &source, mail.as_ref(), now).await })).await
    }
}

async fn begin(
    tx: &mut Tx,
    source: &str,
    silence: Silence,
    mail: Option<&Job>,
    now: TimestampMs,
) -> Result<bool> {
    let begun = with_statement!(tx, BEGIN, |sql, connection| sqlx::query(sql)
        .bind(source)
        .bind(silence.last_at.0)
        .bind(silence.usual_ms)
        .bind(now.0)
        .execute(connection)
        .await?
        .rows_affected());
    told(tx, begun > 0, mail, now).await
}

async fn end(tx: &mut Tx, source: &str, mail: Option<&Job>, now: TimestampMs) -> Result<bool> {
    let ended = with_statement!(tx, END, |sql, connection| sqlx::query(sql)
        .bind(source)
        .execute(connection)
        .await?
        .rows_affected());
    told(tx, ended > 0, mail, now).await
}

async fn told(tx: &mut Tx, changed: bool, mail: Option<&Job>, now: TimestampMs) -> Result<bool> {
    if changed && let Some(mail) = mail {
        jobs::schedule(tx, mail, now).await?;
    }
    Ok(changed)
}
