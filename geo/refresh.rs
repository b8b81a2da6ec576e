//! Files that are replaced on disk are taken up without a restart, and a damaged one never is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::database::Database;
use crate::error::FileError;
use crate::{Geo, Service};

/// Looks at the files from time to time. Whoever owns it decides how often.
#[derive(Debug)]
pub struct Refresh {
    geo: Geo,
    files: Vec<Watched>,
}

/// One file of the settings.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// What was on disk when the database in service was read.
    in_service: Stamp,
    /// What was there at the last look, if it was something else.
    pending: Option<Stamp>,
    /// What was tried and could not be used.
    failed: Option<Stamp>,
}

/// Tells one content of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    /// There is no file, or it cannot be looked at.
    Missing,
    /// There is one.
    File { modified: Option<SystemTime>, len: u64, inode: u64 },
}

/// What a look at the files led to.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// Files that were taken up.
    pub taken_up: Vec<PathBuf>,
    /// What is wrong with files that could not be, the first time it is seen: they stay in service as they were.
    pub faults: Vec<String>,
    /// Of the files that were taken up, those that were built before what they replace: perhaps on purpose.
    pub older: Vec<PathBuf>,
    /// How many files on disk cannot be used now.
    pub failing: usize,
}

impl Refresh {
    /// For the files that `geo` was opened with, in the same order. Begin before the files can change.
    pub fn new(geo: Geo, files: &[PathBuf]) -> Self {
        let watch = |path: &PathBuf| Watched {
            path: path.clone(),
            in_service: Stamp::of(path),
            pending: None,
            failed: None,
        };
        Self { geo, files: files.iter().map(watch).collect() }
    }

    /// Takes up every file that is not as it was and has been the same for two looks: one that is still being
    /// written is left alone. Reads whole files: not for an async thread.
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
    /// What is to be taken up in the place of `old`, or why it cannot be; `None` if there is nothing new.
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
            // It was replaced while it was read: what was read may be half of each.
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
