//! Why files cannot be opened, all of them at once.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Some files cannot be used. Names every one of them with its reason, so that one look at the settings is enough.
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

/// Why one file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is missing, or may not be read.
    #[error(
        "{}: cannot be read ({reason}); correct its path in the settings, or its permissions",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// It is no MaxMind DB file, or not a whole one.
    #[error(
        "{}: not a whole MaxMind DB file ({reason}); fetch it again, and unpack it if it is an archive",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// It is whole, but not what belongs in its place.
    #[error(
        "{}: not the file that belongs there ({reason}); fetch the right one, or restart to change to another product",
        path.display()
    )]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
}
