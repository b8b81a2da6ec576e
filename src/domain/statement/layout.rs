//! How the bytes of a file divide into records: encoding, byte order mark, header line, delimiter.

use super::encoding::Encoding;
use super::records::Shape;

/// How many bytes of a file may come before the end of its header.
pub(super) const HEAD_LEN: usize = 32 * 1_024;

/// How the bytes of a file are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) encoding: Encoding,
    /// Length of the byte order mark, in bytes.
    pub(super) mark_len: usize,
    /// The line that names the columns; 0 if none does.
    pub(super) header_line: i64,
    pub(super) shape: Shape,
    /// True if ids begin with `#`, so that such a line is not a comment.
    pub(super) has_hash_ids: bool,
}

impl Default for Layout {
    fn default() -> Self {
        let shape = Shape { delimiter: b',', width: None };
        Self { encoding: Encoding::Utf8, mark_len: 0, header_line: 0, shape, has_hash_ids: false }
    }
}
