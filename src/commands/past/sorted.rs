//! Sorts any number of calls by time in bounded memory: sorted runs on disk, merged when they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, Write as _};

use anyhow::Context as _;
use domain::time::TimestampMs;
use serde::{Deserialize, Serialize};
use store::postbacks::inbox::NewPostback;

/// Text of the calls that are sorted in memory, in bytes.
const RUN_BYTES: usize = 16 * 1024 * 1024;
/// What a call takes besides its text.
const OVERHEAD_BYTES: usize = 160;
/// Runs that are merged at once: each is an open file.
const MAX_RUNS: usize = 64;

/// A call with its place in the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// When it came, in unix milliseconds.
    pub(crate) at: i64,
    /// Its place among calls of the same time: that in the files.
    pub(crate) number: u64,
    pub(crate) source: String,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) remote_ip: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
}

impl Kept {
    /// The call as the gateway records it.
    pub(crate) fn into_postback(self, request_id: String) -> NewPostback {
        let Self { at, number: _, source, method, target, remote_ip, body } = self;
        NewPostback {
            source,
            received_at: TimestampMs(at),
            method,
            target,
            body_counts: body.is_some(),
            body,
            headers: None,
            body_left_out: None,
            remote_ip,
            request_id,
        }
    }
}

/// Takes calls in any order.
pub(crate) struct Sorter {
    /// [`RUN_BYTES`], but in tests.
    max_run_bytes: usize,
    run: Vec<Kept>,
    run_bytes: usize,
    /// Sorted, in temporary files that have no name any more.
    runs: Vec<File>,
    count: u64,
}

impl Default for Sorter {
    fn default() -> Self {
        Self::with_runs_of(RUN_BYTES)
    }
}

impl Sorter {
    fn with_runs_of(max_run_bytes: usize) -> Self {
        Self { max_run_bytes, run: Vec::new(), run_bytes: 0, runs: Vec::new(), count: 0 }
    }

    pub(crate) fn add(&mut self, kept: Kept) -> anyhow::Result<()> {
        self.count += 1;
        self.run_bytes += kept.target.len() + kept.body.as_ref().map_or(0, String::len) + OVERHEAD_BYTES;
        self.run.push(kept);
        if self.run_bytes < self.max_run_bytes {
            return Ok(());
        }
        let run = self.take_run();
        self.runs.push(write(run.into_iter().map(Ok))?);
        if self.runs.len() >= MAX_RUNS {
            let merged = Merged::of(std::mem::take(&mut self.runs), Vec::new())?;
            self.runs.push(write(merged)?);
        }
        Ok(())
    }

    /// Number of calls.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// All calls by time.
    pub(crate) fn sorted(mut self) -> anyhow::Result<Merged> {
        let mut run = self.take_run();
        // While files are merged, the last run need not take memory either.
        if !self.runs.is_empty() {
            self.runs.push(write(std::mem::take(&mut run).into_iter().map(Ok))?);
        }
        Merged::of(self.runs, run)
    }

    fn take_run(&mut self) -> Vec<Kept> {
        self.run_bytes = 0;
        let mut run = std::mem::take(&mut self.run);
        run.sort_unstable_by_key(|kept| (kept.at, kept.number));
        run
    }
}

fn write(calls: impl Iterator<Item = anyhow::Result<Kept>>) -> anyhow::Result<File> {
    const WHAT: &str = "temporary files cannot be written: is there room in the folder that TMPDIR names?";
    let mut out = BufWriter::new(tempfile::tempfile().context(WHAT)?);
    for kept in calls {
        serde_json::to_writer(&mut out, &kept?).context(WHAT)?;
        out.write_all(b"\n").context(WHAT)?;
    }
    let mut file = out.into_inner().context(WHAT)?;
    file.rewind().context(WHAT)?;
    Ok(file)
}

/// Sorted runs, read as one.
pub(crate) struct Merged {
    runs: Vec<Run>,
    /// The next call of each run: time, number, run.
    heads: BinaryHeap<Reverse<(i64, u64, usize)>>,
}

enum Run {
    Disk(BufReader<File>, Option<Kept>),
    Memory(std::vec::IntoIter<Kept>, Option<Kept>),
}

impl Run {
    /// Reads the next call of this run; it becomes the head.
    fn advance(&mut self) -> anyhow::Result<Option<(i64, u64)>> {
        let head = match self {
            Self::Disk(file, head) => {
                let mut line = String::new();
                file.read_line(&mut line).context("a temporary file cannot be read")?;
                *head = (!line.is_empty()).then(|| serde_json::from_str(&line)).transpose()?;
                head
            }
            Self::Memory(calls, head) => {
                *head = calls.next();
                head
            }
        };
        Ok(head.as_ref().map(|kept| (kept.at, kept.number)))
    }

    fn take(&mut self) -> Option<Kept> {
        let (Self::Disk(_, head) | Self::Memory(_, head)) = self;
        head.take()
    }
}

impl Merged {
    fn of(files: Vec<File>, memory: Vec<Kept>) -> anyhow::Result<Self> {
        let mut runs: Vec<_> = files.into_iter().map(|file| Run::Disk(BufReader::new(file), None)).collect();
        runs.push(Run::Memory(memory.into_iter(), None));
        let mut heads = BinaryHeap::new();
        for (index, run) in runs.iter_mut().enumerate() {
            heads.extend(run.advance()?.map(|(at, number)| Reverse((at, number, index))));
        }
        Ok(Self { runs, heads })
    }

    fn next_call(&mut self) -> anyhow::Result<Option<Kept>> {
        let Some(Reverse((_, _, index))) = self.heads.pop() else { return Ok(None) };
        let run = &mut self.runs[index];
        let kept = run.take();
        self.heads.extend(run.advance()?.map(|(at, number)| Reverse((at, number, index))));
        Ok(kept)
    }
}

impl Iterator for Merged {
    type Item = anyhow::Result<Kept>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_call().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(at: i64, number: u64, len: usize) -> Kept {
        let text = String::new;
        Kept {
            at,
            number,
            source: text(),
            method: text(),
            target: "x".repeat(len),
            remote_ip: text(),
            body: None,
        }
    }

    #[test]
    fn calls_are_sorted_by_time_and_then_by_their_place_however_many_there_are() {
        const RUN: usize = 2_000;
        let mut sorter = Sorter::with_runs_of(RUN);
        let count = 150 * RUN / OVERHEAD_BYTES;
        for number in 0..count as u64 {
            let at = i64::try_from(number * 7_919 % 1_009).expect("small");
            sorter.add(kept(at, number, 1)).expect("room");
            assert!(sorter.runs.len() < MAX_RUNS && sorter.run_bytes < RUN);
        }
        assert_eq!(sorter.count(), count as u64);
        let sorted: Vec<_> = sorter
            .sorted()
            .expect("read")
            .map(|kept| kept.expect("read"))
            .map(|kept| (kept.at, kept.number))
            .collect();
        assert_eq!(sorted.len(), count);
        assert!(sorted.is_sorted());
    }

    #[test]
    fn few_calls_need_no_file() {
        let mut sorter = Sorter::default();
        for (at, number) in [(5, 0), (3, 1), (5, 2), (3, 3)] {
            sorter.add(kept(at, number, 1)).expect("room");
        }
        assert!(sorter.runs.is_empty());
        let sorted: Vec<_> = sorter.sorted().expect("read").map(|kept| kept.expect("read").number).collect();
        assert_eq!(sorted, [1, 3, 0, 2]);
    }
}
