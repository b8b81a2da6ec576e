//! Loads files that are replaced on disk without a restart, and never a damaged one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::database::Database;
use crate::error::FileError;
use crate::{Geo, Service};

/// Watches the files. The owner decides how often [`look`](Self::look) is called.
#[derive(Debug)]
pub struct Refresh {
    geo: Geo,
    files: Vec<Watched>,
}

/// One file of the settings.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// The file on disk when the database in service was read.
    in_service: Stamp,
    /// The file at the last look, if it differed.
    pending: Option<Stamp>,
    /// The file that was tried last and could not be used.
    failed: Option<Stamp>,
}

/// Identifies the content of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    /// The file does not exist, or its metadata cannot be read.
    Missing,
    /// The file exists.
    File { modified: Option<SystemTime>, len: u64, inode: u64 },
}

/// The result of a look at the files.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// Files that were loaded.
    pub taken_up: Vec<PathBuf>,
    /// Errors of files that could not be loaded, each reported once; the old ones stay in service.
    pub faults: Vec<String>,
    /// Loaded files with an earlier build time than those they replaced, which may be on purpose.
    pub older: Vec<PathBuf>,
    /// Number of files on disk that cannot be used now.
    pub failing: usize,
}

impl Refresh {
    /// `files` are those that `geo` was opened with, in the same order. Call it before they can change.
    pub fn new(geo: Geo, files: &[PathBuf]) -> Self {
        let watch = |path: &PathBuf| Watched {
            path: path.clone(),
            in_service: Stamp::of(path),
            pending: None,
            failed: None,
        };
        Self { geo, files: files.iter().map(watch).collect() }
    }

    /// Loads every changed file that was the same at two looks, so that a file being written is not read. Reads whole files,
    /// so it must not run on an async thread.
    pub fn look(&mut self) -> Refreshed {
        let mut refreshed = Refreshed::default();
        let mut databases = self.geo.service().files.clone();
        for (watched, database) in self.files.iter_mut().zip(&mut databases) {
            match watched.look(database) {
                Some(Ok(taken_up)) => {
                    if taken_up.built_at_s() < database.built_at_s() {
                        refreshed.older.push(watched.path.clone());
                    }
                    *database = Arc::new(taken_up);
                    refreshed.taken_up.push(watched.path.clone());
                }
                Some(Err(fault)) => refreshed.faults.push(fault.to_string()),
                None => {}
            }
            refreshed.failing += usize::from(watched.failed.is_some());
        }
        if !refreshed.taken_up.is_empty() {
            self.geo.replace(Service::of(databases));
        }
        refreshed
    }
}

impl Watched {
    /// Opens the replacement of `old`; `None` if there is nothing new.
    fn look(&mut self, old: &Database) -> Option<Result<Database, FileError>> {
        let stamp = Stamp::of(&self.path);
        if stamp == self.in_service {
            (self.pending, self.failed) = (None, None);
            return None;
        }
        if self.failed == Some(stamp) {
            return None;
        }
        if self.pending.replace(stamp) != Some(stamp) {
            return None;
        }
        let opened = Database::open(&self.path)
            .and_then(|opened| opened.may_replace(old, &self.path).map(|()| opened));
        let after = Stamp::of(&self.path);
        if after != stamp {
            // Replaced while it was read, so the content may be a mix of both.
            self.pending = Some(after);
            return None;
        }
        match &opened {
            Ok(_) => (self.in_service, self.pending, self.failed) = (stamp, None, None),
            Err(_) => self.failed = Some(stamp),
        }
        Some(opened)
    }
}

impl Stamp {
    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(path).map_or(Self::Missing, |file| Self::File {
            modified: file.modified().ok(),
            len: file.len(),
            inode: file.ino(),
        })
    }
}
