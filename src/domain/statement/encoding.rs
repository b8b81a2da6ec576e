//! The encoding of a file, or that it is not a text file.
//!
//! Lines are cut and quotation marks looked for in bytes, which UTF-8 and Windows-1252 allow and UTF-16 does not:
//! UTF-16 is converted to UTF-8 first. UTF-8 or Windows-1252 is decided line by line: one invalid byte never affects
//! more than its own line.

use std::borrow::Cow;

use encoding_rs::WINDOWS_1252;

use super::Unreadable;

/// Bytes of a file from which the encoding is guessed.
pub(super) const SNIFF_LEN: usize = 1_024;

/// How the bytes of a file become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8; a line that is not is read as Windows-1252.
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

/// What some programs write in front of a text.
const MARKS: [(&[u8], Encoding); 3] =
    [(b"\xef\xbb\xbf", Encoding::Utf8), (b"\xff\xfe", Encoding::Utf16Le), (b"\xfe\xff", Encoding::Utf16Be)];

/// What no statement begins with, and what it is.
const CONTAINERS: [(&[u8], &str); 15] = [
    (b"PK\x03\x04", "a workbook (XLSX, ODS) or a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old workbook (XLS)"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "packed with gzip"),
    (b"BZh", "packed with bzip2"),
    (b"\xfd7zXZ", "packed with xz"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"{\\rtf", "an RTF document"),
    (b"SQLite format 3", "a database"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"PAR1", "a Parquet file"),
];

/// How a text begins that is markup or data of another kind, in small letters.
const DOCUMENTS: [(&str, &str); 9] = [
    ("<!doctype", "a web page (HTML)"),
    ("<html", "a web page (HTML)"),
    ("<head", "a web page (HTML)"),
    ("<body", "a web page (HTML)"),
    ("<table", "a web page (HTML)"),
    ("<?xml", "an XML document"),
    ("{\"", "a JSON document"),
    ("[{", "a JSON document"),
    ("[\"", "a JSON document"),
];

impl Encoding {
    /// The encoding of a file that begins with `head`, and how many bytes of a mark stand there; an error if it is no
    /// text.
    pub(super) fn of(head: &[u8]) -> Result<(Self, usize), Unreadable> {
        if head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\0\0\xfe\xff") {
            return Err(Unreadable::NoText("UTF-32"));
        }
        if let Some((_, what)) = CONTAINERS.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(Unreadable::NoText(what));
        }
        let marked = MARKS.iter().find(|(mark, _)| head.starts_with(mark));
        let (encoding, skipped) =
            marked.map_or_else(|| (Self::unmarked(head), 0), |(mark, encoding)| (*encoding, mark.len()));
        let text = encoding.ascii_compatible(head.get(skipped..).unwrap_or_default());
        let text: String = text.iter().map(|&byte| char::from(byte.to_ascii_lowercase())).take(64).collect();
        let text = text.trim_start();
        match DOCUMENTS.iter().find(|(begin, _)| text.starts_with(begin)) {
            Some((_, what)) => Err(Unreadable::NoText(what)),
            None => Ok((encoding, skipped)),
        }
    }

    /// Without a mark: in UTF-16 every second byte of Latin letters and figures is 0.
    fn unmarked(head: &[u8]) -> Self {
        let head = head.get(..SNIFF_LEN).unwrap_or(head);
        let zeros = |rest: usize| head.iter().skip(rest).step_by(2).filter(|byte| **byte == 0).count();
        let (even, odd, half) = (zeros(0), zeros(1), head.len() / 2);
        match (even * 2 > half, odd * 2 > half) {
            (false, true) => Self::Utf16Le,
            (true, false) => Self::Utf16Be,
            _ => Self::Utf8,
        }
    }

    /// The same text as bytes of which those below 128 are ASCII. Half a unit at the end is left out.
    pub(super) fn ascii_compatible(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        let unit: fn([u8; 2]) -> u16 = match self {
            Self::Utf8 => return Cow::Borrowed(bytes),
            Self::Utf16Le => u16::from_le_bytes,
            Self::Utf16Be => u16::from_be_bytes,
        };
        let units = bytes.as_chunks::<2>().0.iter().map(|&pair| unit(pair));
        let text: String =
            char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        Cow::Owned(text.into_bytes())
    }

    /// How many bytes of the file are `text`, which [`Self::ascii_compatible`] made of them.
    pub(super) fn len_of(self, text: &[u8]) -> usize {
        match self {
            Self::Utf8 => text.len(),
            // It is UTF-8, because it was made so: one unit for each of its characters, two for long ones.
            Self::Utf16Le | Self::Utf16Be => String::from_utf8_lossy(text).encode_utf16().count() * 2,
        }
    }

    /// How many of these bytes are whole characters, so that the rest has to wait for what follows.
    pub(super) fn whole(self, bytes: &[u8]) -> usize {
        let high = match self {
            Self::Utf8 => return bytes.len(),
            Self::Utf16Le => 1,
            Self::Utf16Be => 0,
        };
        let even = bytes.len() & !1;
        let last = even.checked_sub(2).and_then(|from| bytes.get(from + high));
        // The first half of a pair waits for the second.
        if last.is_some_and(|byte| (0xd8..0xdc).contains(byte)) { even - 2 } else { even }
    }

    /// The name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
        }
    }
}

/// The text of a line, and whether it had to be read as Windows-1252.
pub(super) fn text_of(line: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(line) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (WINDOWS_1252.decode_without_bom_handling(line).0, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn the_encoding_is_recognised_with_and_without_a_mark() {
        let text = "tx_id,amount\nT1,1.50\n";
        for (bytes, encoding, mark) in [
            (text.as_bytes().to_vec(), Encoding::Utf8, 0),
            ([b"\xef\xbb\xbf".to_vec(), text.into()].concat(), Encoding::Utf8, 3),
            (utf16(text, u16::to_le_bytes), Encoding::Utf16Le, 0),
            (utf16(&format!("\u{feff}{text}"), u16::to_le_bytes), Encoding::Utf16Le, 2),
            (utf16(text, u16::to_be_bytes), Encoding::Utf16Be, 0),
            (utf16(&format!("\u{feff}{text}"), u16::to_be_bytes), Encoding::Utf16Be, 2),
            (Vec::new(), Encoding::Utf8, 0),
        ] {
            assert_eq!(Encoding::of(&bytes), Ok((encoding, mark)));
            assert_eq!(
                encoding.ascii_compatible(&bytes[mark..]).as_ref(),
                if bytes.is_empty() { b"" } else { text.as_bytes() }
            );
        }
    }

    #[test]
    fn a_file_that_is_no_text_is_refused_by_what_it_is() {
        for (bytes, what) in [
            (&b"PK\x03\x04\x14\0"[..], "workbook"),
            (b"%PDF-1.7", "PDF"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1", "XLS"),
            (b"\xef\xbb\xbf \r\n<!DOCTYPE html><html>", "HTML"),
            (b"<html><body>Please log in", "HTML"),
            (b"[{\"tx_id\": 1}]", "JSON"),
            (b"<?xml version=\"1.0\"?>", "XML"),
            (b"\xff\xfe\0\0t\0\0\0", "UTF-32"),
        ] {
            let refused = Encoding::of(bytes).expect_err("no text").to_string();
            assert!(refused.contains(what) && refused.contains("CSV"), "{refused}");
        }
        let html = utf16("\u{feff}<html>", u16::to_le_bytes);
        assert!(Encoding::of(&html).is_err());
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_read_as_windows_1252() {
        assert_eq!(text_of(b"Caf\xe9 \x80"), ("Café €".into(), true));
        assert_eq!(text_of("Café €".as_bytes()), ("Café €".into(), false));
    }

    #[test]
    fn utf_16_is_never_cut_within_a_character_and_its_length_is_known() {
        let bytes = utf16("a😀b", u16::to_le_bytes);
        assert_eq!(
            (3..=8).map(|len| Encoding::Utf16Le.whole(&bytes[..len])).collect::<Vec<_>>(),
            [2, 2, 2, 6, 6, 8]
        );
        let text = Encoding::Utf16Le.ascii_compatible(&bytes);
        assert_eq!((text.as_ref(), Encoding::Utf16Le.len_of(&text)), ("a😀b".as_bytes(), 8));
        // Half a pair is one character that nobody can read.
        let lone = [0x3d, 0xd8, b'x', 0];
        let text = Encoding::Utf16Le.ascii_compatible(&lone);
        assert_eq!((text.as_ref(), Encoding::Utf16Le.len_of(&text)), ("\u{fffd}x".as_bytes(), 4));
    }
}
