//! A file on its way in: cut into pieces of whole lines and hashed as it comes. Never more than one piece is held in
//! memory.

use domain::statement::format::Format;
use domain::statement::pieces::{Cutter, Piece};
use domain::text::hex;
use sha2::{Digest, Sha256};

use super::{NewStatement, Received, Then};
use crate::Store;

/// Why a file was not received.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Something in the file cannot be right.
    #[error("{0}")]
    File(String),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] crate::Error),
}

/// A file on its way into the store.
#[derive(Debug)]
pub struct Intake {
    store: Store,
    id: i64,
    format: Format,
    cutter: Cutter,
    hash: Sha256,
    pieces: i64,
}

impl Intake {
    /// Begins to receive a file.
    pub async fn begin(store: &Store, new: NewStatement, format: Format) -> Result<Self, Refused> {
        let id = store.begin_statement(new).await?;
        let (cutter, hash) = (Cutter::default(), Sha256::new());
        Ok(Self { store: store.clone(), id, format, cutter, hash, pieces: 0 })
    }

    /// Takes the next bytes.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.hash.update(bytes);
        match self.cutter.push(bytes).map_err(Refused::File)? {
            Some(piece) => self.keep(piece).await,
            None => Ok(()),
        }
    }

    /// The file is complete: its statement, and whether it is new.
    pub async fn finish(mut self, then: Then) -> Result<(i64, Received), Refused> {
        if let Some(rest) = std::mem::take(&mut self.cutter).finish().map_err(Refused::File)? {
            self.keep(rest).await?;
        }
        if self.pieces == 0 {
            return Err(Refused::File("the file is empty".into()));
        }
        let hash = hex(&std::mem::take(&mut self.hash).finalize());
        Ok((self.id, self.store.finish_receiving(self.id, hash, self.pieces, then).await?))
    }

    async fn keep(&mut self, piece: Piece) -> Result<(), Refused> {
        if self.pieces == 0 {
            // A file whose columns cannot be found is refused before it is kept.
            self.format.reader_of(&piece.content).map_err(Refused::File)?;
        }
        self.store.add_statement_piece(self.id, self.pieces, piece).await?;
        self.pieces += 1;
        Ok(())
    }
}
