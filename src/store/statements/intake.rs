//! Receives a file while it arrives: it is cut into pieces of whole lines and hashed. At most one piece is in memory.

use std::time::Duration;

use domain::actor::Actor;
use domain::statement::Unreadable;
use domain::statement::format::Format;
use domain::statement::line::LineReader;
use domain::statement::period::Days;
use domain::statement::pieces::{Cutter, Piece};
use domain::text::hex;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::receive::Complete;
use super::{NewStatement, Received, Supersedes, Then};
use crate::{Error, Store};

/// Pause before retrying while the database is busy.
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// Why a file was not received.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The file cannot be read at all.
    #[error(transparent)]
    File(#[from] Unreadable),
    /// It cannot supersede the chosen statements; the sentence says why.
    #[error("{0}")]
    Supersedes(String),
    /// A database error.
    #[error(transparent)]
    Store(#[from] crate::Error),
}

/// A file that is being received.
#[derive(Debug)]
pub struct Intake {
    store: Store,
    id: i64,
    format: Format,
    /// `None` at the end of the file.
    cutter: Option<Cutter>,
    hash: Sha256,
    pieces: i64,
    reader: Option<LineReader>,
    days: Days,
    supersedes: Supersedes,
    actor: Actor,
    patience: Duration,
}

/// Pauses and returns `true` if the database was busy and there is time left for a retry.
async fn should_retry<T>(done: &Result<T, Error>, give_up: Instant) -> bool {
    let again = matches!(done, Err(Error::Unavailable(_))) && Instant::now() < give_up;
    if again {
        tokio::time::sleep(BUSY_PAUSE).await;
    }
    again
}

impl Intake {
    /// Starts receiving a file.
    pub async fn begin(store: &Store, new: NewStatement, format: Format) -> Result<Self, Refused> {
        let actor = new.actor.clone();
        let id = store.begin_statement(new).await?;
        Ok(Self {
            store: store.clone(),
            id,
            cutter: Some(Cutter::new(format.clone())),
            format,
            hash: Sha256::new(),
            pieces: 0,
            reader: None,
            days: Days::default(),
            supersedes: Supersedes::Decide,
            actor,
            patience: Duration::ZERO,
        })
    }

    /// Sets which statements it supersedes.
    #[must_use]
    pub fn superseding(self, supersedes: Supersedes) -> Self {
        Self { supersedes, ..self }
    }

    /// Sets how long a busy database is retried; without it, not at all.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Adds the next bytes. A file whose columns cannot be found is refused before anything is saved.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.hash.update(bytes);
        let pieces = self.cutter.as_mut().map(|cutter| cutter.push(bytes)).transpose()?;
        self.keep(pieces.unwrap_or_default()).await
    }

    /// Completes the file; returns its statement and whether it is new.
    pub async fn finish(mut self, then: Then) -> Result<(i64, Received), Refused> {
        let rest = self.cutter.take().map(Cutter::finish).transpose()?;
        self.keep(rest.unwrap_or_default()).await?;
        let hash = hex(&std::mem::take(&mut self.hash).finalize());
        let give_up = Instant::now() + self.patience;
        loop {
            let complete = Complete {
                hash: hash.clone(),
                pieces: self.pieces,
                days: self.days.clone(),
                then,
                supersedes: self.supersedes.clone(),
                actor: self.actor.clone(),
            };
            let received = self.store.finish_receiving(self.id, complete).await;
            if !should_retry(&received, give_up).await {
                return Ok((self.id, received?.map_err(Refused::Supersedes)?));
            }
        }
    }

    async fn keep(&mut self, pieces: Vec<Piece>) -> Result<(), Refused> {
        for piece in pieces {
            self.keep_one(piece).await?;
        }
        Ok(())
    }

    async fn keep_one(&mut self, piece: Piece) -> Result<(), Refused> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.format.reader_of(&piece.content)?,
        };
        for line in &self.format.read(&reader, &piece).lines {
            self.days.add(line);
        }
        self.reader = Some(reader);
        let give_up = Instant::now() + self.patience;
        loop {
            let kept = self.store.add_statement_piece(self.id, self.pieces, piece.clone()).await;
            if !should_retry(&kept, give_up).await {
                kept?;
                break;
            }
        }
        self.pieces += 1;
        Ok(())
    }
}
