//! A file on its way in: cut into pieces of whole lines and hashed as it comes. Never more than one piece is held in
//! memory.

use domain::statement::Unreadable;
use domain::statement::format::Format;
use domain::statement::pieces::{Cutter, Piece};
use domain::text::hex;
use sha2::{Digest, Sha256};

use super::{NewStatement, Received, Then};
use crate::Store;

/// Why a file was not received.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The file cannot be read at all.
    #[error(transparent)]
    File(#[from] Unreadable),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] crate::Error),
}

/// A file on its way into the store.
#[derive(Debug)]
pub struct Intake {
    store: Store,
    id: i64,
    /// `None` at the end of the file.
    cutter: Option<Cutter>,
    hash: Sha256,
    pieces: i64,
}

impl Intake {
    /// Begins to receive a file.
    pub async fn begin(store: &Store, new: NewStatement, format: Format) -> Result<Self, Refused> {
        let id = store.begin_statement(new).await?;
        let (cutter, hash) = (Cutter::new(format), Sha256::new());
        Ok(Self { store: store.clone(), id, cutter: Some(cutter), hash, pieces: 0 })
    }

    /// Takes the next bytes. A file whose columns cannot be found is refused before anything of it is kept.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.hash.update(bytes);
        let pieces = self.cutter.as_mut().map(|cutter| cutter.push(bytes)).transpose()?;
        self.keep(pieces.unwrap_or_default()).await
    }

    /// The file is complete: its statement, and whether it is new.
    pub async fn finish(mut self, then: Then) -> Result<(i64, Received), Refused> {
        let rest = self.cutter.take().map(Cutter::finish).transpose()?;
        self.keep(rest.unwrap_or_default()).await?;
        let hash = hex(&std::mem::take(&mut self.hash).finalize());
        Ok((self.id, self.store.finish_receiving(self.id, hash, self.pieces, then).await?))
    }

    async fn keep(&mut self, pieces: Vec<Piece>) -> Result<(), Refused> {
        for piece in pieces {
            self.store.add_statement_piece(self.id, self.pieces, piece).await?;
            self.pieces += 1;
        }
        Ok(())
    }
}
