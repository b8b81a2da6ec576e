//! Receives a file piece by piece until it is complete; deletes interrupted uploads.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::statement::life::State;
use domain::statement::period::Days;
use domain::statement::pieces::Piece;
use domain::text::hex;
use domain::time::{DAY_MS, TimestampMs};
use sha2::{Digest as _, Sha256};

use super::{StatementRow, Supersedes, counting, date_of, held, life, statement_columns, subject};
use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, guard, with_statement};
use crate::{Result, Store};

/// A statement to receive.
#[derive(Clone, Debug)]
pub struct NewStatement {
    /// As in the settings.
    pub source: String,
    /// The file's name, as sent.
    pub file_name: String,
    /// JSON of [`Format`](domain::statement::format::Format).
    pub format: String,
    /// First and last business date, if a person states them.
    pub period: Option<(String, String)>,
    /// The sender.
    pub actor: Actor,
    /// The start of the upload.
    pub now: TimestampMs,
}

/// What happens once a file is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is imported if its period is certain; otherwise it waits for a person.
    Import,
    /// It waits until a person has checked the preview.
    Ask,
}

/// The result of receiving a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A new statement.
    New,
    /// The file was already received as this statement; nothing changed.
    Before(i64),
}

/// A completely received file.
#[derive(Debug)]
pub(crate) struct Complete {
    /// SHA-256 of the file, in hexadecimal.
    pub(crate) hash: String,
    /// Number of pieces.
    pub(crate) pieces: i64,
    /// Number of lines by day.
    pub(crate) days: Days,
    pub(crate) then: Then,
    pub(crate) supersedes: Supersedes,
    /// The sender.
    pub(crate) actor: Actor,
}

impl Store {
    /// Starts receiving a file, and deletes what interrupted uploads left.
    pub async fn begin_statement(&self, new: NewStatement) -> Result<i64> {
        self.write(move |tx| {
            Box::pin(async move {
                for statement in [&FORGET_DRAFTS, &FORGET_DRAFT_ROWS] {
                    with_statement!(tx, statement, |sql, connection| {
                        sqlx::query(sql)
                            .bind(&new.source)
                            .bind(&new.file_name)
                            .bind(new.now.0 - DAY_MS)
                            .execute(connection)
                            .await?;
                    });
                }
                let is_stated = i64::from(new.period.is_some());
                let (from, to) = new.period.unzip();
                let format_hash = hash_of(&new.format);
                Ok(with_statement!(tx, BEGIN, |sql, connection| sqlx::query_scalar(sql)
                    .bind(new.source)
                    .bind(new.file_name)
                    .bind(new.format)
                    .bind(from)
                    .bind(to)
                    .bind(new.actor.name())
                    .bind(new.now.0)
                    .bind(format_hash)
                    .bind(is_stated)
                    .fetch_one(connection)
                    .await?))
            })
        })
        .await
    }

    /// Saves a piece of a file that is being received; `seq` starts at 0. [`Error::Contended`](crate::Error::Contended) if
    /// a new upload of the same file has started.
    pub async fn add_statement_piece(&self, id: i64, seq: i64, piece: Piece) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                let added = with_statement!(tx, ADD_CHUNK, |sql, connection| sqlx::query(sql)
                    .bind(id)
                    .bind(seq)
                    .bind(piece.first_line)
                    .bind(piece.stored().into_owned())
                    .execute(connection)
                    .await?
                    .rows_affected());
                guard("statements", added, 1)
            })
        })
        .await
    }

    /// Completes a file. If the same file was already received with the same format, the upload is deleted and the earlier
    /// statement returned. A sentence if it cannot supersede the chosen statements.
    pub(crate) async fn finish_receiving(
        &self,
        id: i64,
        complete: Complete,
    ) -> Result<std::result::Result<Received, String>> {
        self.write(move |tx| Box::pin(async move { finish_receiving(tx, id, complete).await })).await
    }
}

async fn finish_receiving(
    tx: &mut Tx,
    id: i64,
    complete: Complete,
) -> Result<std::result::Result<Received, String>> {
    let Some(row) = held(tx, id).await?.filter(|row| row.state == "receiving") else {
        return guard("statements", 0, 1).map(|()| Ok(Received::New));
    };
    let same: Vec<StatementRow> = with_statement!(tx, SAME_FILE, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .bind(&complete.hash)
        .fetch_all(connection)
        .await?);
    let mut supersedes = complete.supersedes;
    for before in same {
        match before.stands()? {
            // It failed before; the new upload replaces it.
            State::Failed => {
                life::discard(tx, &before, &complete.actor, TimestampMs(row.received_at)).await?;
            }
            // The same file read with another format is a new version.
            State::Matched if before.format()? != row.format()? => {
                if supersedes == Supersedes::Decide {
                    supersedes = Supersedes::These(vec![before.id]);
                }
            }
            State::Superseded if before.format()? != row.format()? => {}
            _ => {
                for statement in [&FORGET_CHUNKS, &FORGET] {
                    with_statement!(tx, statement, |sql, connection| {
                        sqlx::query(sql).bind(id).execute(connection).await?;
                    });
                }
                return Ok(Ok(Received::Before(before.id)));
            }
        }
    }
    if let Err(fault) = counting::choose(tx, &row, &supersedes).await? {
        return Ok(Err(fault));
    }
    let proposal = complete.days.proposal(date_of(TimestampMs(row.received_at)));
    let is_certain = row.period_stated == 1 || proposal.is_certain();
    let state = if complete.then == Then::Import && is_certain { State::Importing } else { State::Received };
    let period = row.period().or(proposal.period.filter(|_| state == State::Importing));
    let (from, to) = period.map(|period| (period.from, period.to)).unzip();
    let days =
        serde_json::to_string(&complete.days).map_err(|error| row.corrupt("days", error.to_string()))?;
    let received = with_statement!(tx, RECEIVED, |sql, connection| sqlx::query(sql)
        .bind(id)
        .bind(&complete.hash)
        .bind(complete.pieces)
        .bind(state.name())
        .bind(from)
        .bind(to)
        .bind(days)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", received, 1)?;
    let detail = format!("{} of {}", row.file_name, row.source);
    let line = Line::new(&complete.actor, Action::StatementReceived, subject(id), detail);
    audit::note(tx, &line, TimestampMs(row.received_at));
    Ok(Ok(Received::New))
}

/// A hash to compare the formats of one file.
pub(super) fn hash_of(format: &str) -> String {
    hex(&Sha256::digest(format.as_bytes()))
}

/// Interrupted uploads: of the same file, or older than a day.
static FORGET_DRAFTS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM statement_chunks WHERE statement_id IN
             (SELECT id FROM statements
              WHERE state = 'receiving' AND ((source = $1 AND file_name = $2) OR received_at < $3))",
        &[],
    )
});

static FORGET_DRAFT_ROWS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM statements
         WHERE state = 'receiving' AND ((source = $1 AND file_name = $2) OR received_at < $3)",
        &[],
    )
});

static BEGIN: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statements (source, file_name, state, version, format, format_hash, chunks, chunks_done,
                                 period_from, period_to, period_stated, actor, received_at)
         VALUES ($1, $2, 'receiving', 1, $3, $8, 0, 0, $4, $5, $9, $6, $7)
         RETURNING id",
        &[],
    )
});

static ADD_CHUNK: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_chunks (statement_id, seq, first_line, content)
         SELECT id, $2, $3, $4 FROM statements WHERE id = $1 AND state = 'receiving'",
        &[],
    )
});

static SAME_FILE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            statement_columns!(),
            "WHERE file_hash = $2 AND source = (SELECT source FROM statements WHERE id = $1) ORDER BY id DESC"
        ),
        &[],
    )
});

static RECEIVED: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET state = $4, file_hash = $2, chunks = $3, period_from = $5, period_to = $6, days = $7,
                begun_at = CASE WHEN $4 = 'importing' THEN received_at END
         WHERE id = $1 AND state = 'receiving'",
        &[],
    )
});

pub(crate) static FORGET_CHUNKS: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_chunks WHERE statement_id = $1", &[]));

static FORGET: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statements WHERE id = $1 AND state = 'receiving'", &[]));
