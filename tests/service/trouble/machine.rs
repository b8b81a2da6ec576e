//! A machine in trouble: a disk without room, and a clock that is set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::gate::text;

/// The library preloaded before the C library of a process, and the folder with the faults that it simulates.
pub(crate) struct Machine {
    preloaded: PathBuf,
    folder: PathBuf,
}

impl Machine {
    /// Nothing is wrong yet. Files of `folder`, and of folders in it, will be without room.
    pub(crate) fn new(folder: &Path) -> Self {
        let (source, library) = (folder.join("machine.c"), folder.join("machine.so"));
        fs::write(&source, include_str!("machine.c")).expect("room for it");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .output()
            .expect("a C compiler, which the program needs anyway");
        assert!(compiled.status.success(), "{}", text(&compiled.stderr));
        Self { preloaded: library, folder: folder.to_owned() }
    }

    /// What a process needs in its environment to run on this machine.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("LD_PRELOAD", self.preloaded.display().to_string()),
            ("TROUBLE_FOLDER", self.folder.display().to_string()),
        ]
    }

    /// From now on no file grows.
    pub(crate) fn fill_disk(&self) {
        fs::write(self.folder.join("full"), "").expect("room for an empty file");
    }

    /// There is room again.
    pub(crate) fn clear_disk(&self) {
        fs::remove_file(self.folder.join("full")).expect("the disk was full");
    }

    /// Sets the clock so many seconds before or after the right time.
    pub(crate) fn set_clock(&self, seconds: i64) {
        // By renaming: a concurrent reader reads one or the other.
        let (new, clock) = (self.folder.join("clock.new"), self.folder.join("clock"));
        fs::write(&new, seconds.to_string())
            .and_then(|()| fs::rename(&new, &clock))
            .expect("room for a number");
    }
}
