//! Errors about files, all reported at once.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Files that cannot be used, each with its reason.
#[derive(Debug)]
pub struct OpenError {
    files: Vec<FileError>,
}

impl OpenError {
    pub(crate) fn new(files: Vec<FileError>) -> Self {
        Self { files }
    }

    /// Every file that cannot be used, in order of the settings.
    pub fn files(&self) -> &[FileError] {
        &self.files
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.files.len() {
            1 => write!(out, "a geo database cannot be used:")?,
            count => write!(out, "{count} geo databases cannot be used:")?,
        }
        self.files.iter().try_for_each(|file| write!(out, "\n  {file}"))
    }
}

impl std::error::Error for OpenError {}

/// One file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It does not exist, or its permissions forbid reading.
    #[error(
        "{}: cannot be read ({reason}); correct its path in the settings, or its permissions",
        path.display()
    )]
    Unreadable {
        /// As in the settings.
        path: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// It is not a MaxMind DB file, or damaged or incomplete.
    #[error(
        "{}: not a complete MaxMind DB file ({reason}); download it again, and unpack it if it is an archive",
        path.display()
    )]
    Damaged {
        /// As in the settings.
        path: PathBuf,
        /// The first damage that was found.
        reason: String,
    },
    /// It is complete, but another product than its name or the file in service.
    #[error(
        "{}: the wrong file ({reason}); download the right one, or restart to change to another product",
        path.display()
    )]
    Misplaced {
        /// As in the settings.
        path: PathBuf,
        /// The difference to the expected product.
        reason: String,
    },
}
