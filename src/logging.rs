//! Log output: each event is exactly one line, and control and invisible characters in it are escaped.

use std::borrow::Cow;
use std::io::{self, Write};

use domain::text::visible;

/// First and last character of an ANSI colour sequence.
const COLOUR: (char, char) = ('\u{1b}', 'm');

/// Escapes each event to one line. Every `write` must contain exactly one event.
pub(crate) struct Visible<W> {
    out: W,
    /// True if the events contain colour sequences of our own.
    colours: bool,
}

impl<W> Visible<W> {
    pub(crate) fn new(out: W, colours: bool) -> Self {
        Self { out, colours }
    }
}

impl<W: Write> Write for Visible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        let shown = if self.colours { but_colours(line) } else { visible(line) };
        self.out.write_all(shown.as_bytes())?;
        self.out.write_all(end.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// As [`visible`], but keeps colour sequences (`ESC [ 3 1 m`). Those in foreign text are already escaped by the subscriber.
fn but_colours(line: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(COLOUR.0) {
        let (before, from) = rest.split_at(at);
        out.push_str(&visible(before));
        let inside = from.strip_prefix("\u{1b}[").unwrap_or_default();
        let end = inside.find(|letter: char| !letter.is_ascii_digit() && letter != ';');
        let length = match end.filter(|end| inside[*end..].starts_with(COLOUR.1)) {
            Some(end) => end + 3,
            None => COLOUR.0.len_utf8(),
        };
        let (mark, after) = from.split_at(length);
        if length > 1 {
            out.push_str(mark);
        } else {
            out.push_str(&visible(mark));
        }
        rest = after;
    }
    out.push_str(&visible(rest));
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(event: &str, colours: bool) -> String {
        let mut out = Vec::new();
        Visible::new(&mut out, colours).write_all(event.as_bytes()).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn an_event_is_one_line_without_hidden_characters() {
        let event = "WARN who=a\u{202e}b\n2026 INFO forged\u{1b}[2K\r\u{85}\n";
        let line = "WARN who=a\\u{202e}b\\u{a}2026 INFO forged\\u{1b}[2K\\u{d}\\u{85}\n";
        assert_eq!(written(event, false), line);
        assert_eq!(written(event, true), line);
    }

    #[test]
    fn our_own_colours_are_kept() {
        let event = "\u{1b}[33m WARN\u{1b}[0m \u{1b}[1;2mx\u{1b}[0m \u{1b}]0;title\u{7} \u{1b}\n";
        let shown = "\u{1b}[33m WARN\u{1b}[0m \u{1b}[1;2mx\u{1b}[0m \\u{1b}]0;title\\u{7} \\u{1b}\n";
        assert_eq!(written(event, true), shown);
        assert!(!written(event, false).contains('\u{1b}'));
    }
}
