//! Opens files, unpacks gzip, splits into lines of bounded length.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::past::MAX_LINE_LEN;
use flate2::bufread::MultiGzDecoder;

use crate::commands::bad_usage;

/// Names standard input.
const STANDARD_INPUT: &str = "-";
/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const BUFFER_LEN: usize = 256 * 1024;

/// An open file.
pub(crate) struct Input {
    /// As it was given.
    pub(crate) name: String,
    lines: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    /// Number of the current line, from 1.
    pub(crate) number: u64,
}

/// Bytes of all files, as they are on disk: packed ones count packed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bytes {
    /// Of all files; `None` if one of them is standard input.
    pub(crate) total: Option<u64>,
    read: Arc<AtomicU64>,
}

impl Bytes {
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// A file that counts what is read of it.
struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(into)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Opens every file before the first is read, so that a mistyped name costs no time.
pub(crate) fn open(files: &[PathBuf]) -> anyhow::Result<(Vec<Input>, Bytes)> {
    let mut bytes = Bytes { total: Some(0), read: Arc::default() };
    let mut inputs = Vec::with_capacity(files.len());
    for path in files {
        let (input, len) = of_file(path, &bytes.read)?;
        bytes.total = bytes.total.zip(len).map(|(total, len)| total + len);
        inputs.push(input);
    }
    Ok((inputs, bytes))
}

fn of_file(path: &Path, read: &Arc<AtomicU64>) -> anyhow::Result<(Input, Option<u64>)> {
    let name = path.display().to_string();
    let cannot = |why: std::io::Error| bad_usage(format!("{name} cannot be read: {why}"));
    let (raw, len): (Box<dyn Read + Send>, _) = if name == STANDARD_INPUT {
        (Box::new(std::io::stdin()), None)
    } else {
        let file = File::open(path).map_err(cannot)?;
        let data = file.metadata().map_err(cannot)?;
        if data.is_dir() {
            return Err(bad_usage(format!("{name} is a folder: name its files, e.g. {name}/*.log*")));
        }
        (Box::new(file), data.is_file().then_some(data.len()))
    };
    let mut raw = BufReader::with_capacity(BUFFER_LEN, Counted(raw, read.clone()));
    let is_packed = raw.fill_buf().map_err(cannot)?.starts_with(&GZIP);
    let lines: Box<dyn BufRead + Send> = if is_packed {
        Box::new(BufReader::with_capacity(BUFFER_LEN, MultiGzDecoder::new(raw)))
    } else {
        Box::new(raw)
    };
    Ok((Input { name, lines, line: Vec::new(), number: 0 }, len))
}

impl Input {
    /// The next line without its line break; of a line that is too long, its beginning, one byte more than is allowed.
    /// `None` at the end.
    pub(crate) fn next_line(&mut self) -> std::io::Result<Option<&[u8]>> {
        self.line.clear();
        let mut is_any = false;
        loop {
            let buffer = self.lines.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            is_any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = (MAX_LINE_LEN + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.lines.consume(used);
            if end.is_some() {
                break;
            }
        }
        self.number += 1;
        Ok(is_any.then_some(self.line.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn lines(bytes: &[u8]) -> Vec<usize> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("room");
        let (mut inputs, _) = open(&[file.path().to_path_buf()]).expect("opened");
        let mut lens = Vec::new();
        while let Some(line) = inputs[0].next_line().expect("readable") {
            lens.push(line.len());
        }
        lens
    }

    #[test]
    fn lines_are_bounded_and_the_last_needs_no_break() {
        assert_eq!(lines(b""), Vec::<usize>::new());
        assert_eq!(lines(b"a\n\nbc"), [1, 0, 2]);
        let mut long = vec![b'x'; MAX_LINE_LEN * 5];
        long.extend(b"\nabc\n");
        assert_eq!(lines(&long), [MAX_LINE_LEN + 1, 3]);
    }

    #[test]
    fn packed_files_are_unpacked_also_when_several_were_joined() {
        let packed = |text: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(text).expect("packed");
            encoder.finish().expect("packed")
        };
        assert_eq!(lines(&[packed(b"one\n"), packed(b"three\n")].concat()), [3, 5]);
    }
}
