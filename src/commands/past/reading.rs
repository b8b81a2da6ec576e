//! Lines become calls of sources, verified and counted.

use std::collections::BTreeMap;

use domain::assessment::calls::without_values;
use domain::assessment::{Calls, Lines};
use domain::masked::masked;
use domain::past::{BadLine, PastCall, Reader};
use domain::postback::event::Kind;
use domain::postback::mapping::map_stated;
use domain::postback::networks::kept::kept_body;
use domain::postback::networks::{Call, Method};
use domain::postback::stated::Stated;
use domain::time::TimestampMs;

use super::input::{Bytes, Input};
use super::sorted::{Kept, Sorter};
use super::sources::{Sources, Whose};
use crate::commands::progress::Progress;

/// Lines between two updates of the progress.
const LINES_A_LOOK: u64 = 4_096;

/// What was read.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) lines: Lines,
    pub(crate) calls: Calls,
    /// Calls that were taken, to be sorted.
    pub(crate) taken: Sorter,
    /// Calls of each source: taken, refused.
    pub(crate) by_source: BTreeMap<String, (u64, u64)>,
    /// The form of each file.
    pub(crate) formats: Vec<(String, &'static str)>,
}

/// Reads every line of `inputs`. Calls without a time have that of the call before them, the first ones `now`; `currencies`:
/// of the sources.
pub(crate) fn read(
    inputs: Vec<Input>,
    bytes: &Bytes,
    sources: &Sources,
    currencies: &BTreeMap<String, String>,
    now: TimestampMs,
) -> anyhow::Result<Read> {
    let progress = Progress::of("reading bytes", bytes.total);
    let mut reading = Reading { read: Read::default(), sources, currencies, last_at: now };
    for mut input in inputs {
        let (mut reader, file) = (Reader::default(), input.name.clone());
        loop {
            let number = input.number + 1;
            let line = match input.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(why) => {
                    let reason = "the file cannot be read to its end";
                    reading.read.lines.unreadable.note(reason, || format!("{file}, line {number}: {why}"));
                    break;
                }
            };
            let read = reader.read(line);
            if number.is_multiple_of(LINES_A_LOOK) {
                progress.reach(bytes.read());
            }
            reading.line(read, &Place { file: &file, number, line })?;
        }
        let format = reader.format().map_or("nothing that can be read", domain::past::format::Format::name);
        reading.read.formats.push((file, format));
    }
    Ok(reading.read)
}

/// Where a line stands.
struct Place<'a> {
    file: &'a str,
    number: u64,
    line: &'a [u8],
}

impl Place<'_> {
    /// With the beginning of `text`, without signatures and secrets.
    fn with(&self, text: &str) -> String {
        format!("{}, line {}: {}", self.file, self.number, shortened(text))
    }
}

struct Reading<'a> {
    read: Read,
    sources: &'a Sources,
    currencies: &'a BTreeMap<String, String>,
    last_at: TimestampMs,
}

impl Reading<'_> {
    fn line(&mut self, read: Result<Option<PastCall>, BadLine>, place: &Place<'_>) -> anyhow::Result<()> {
        let lines = &mut self.read.lines;
        let shown = || place.with(&masked(&String::from_utf8_lossy(place.line)));
        let call = match read {
            Ok(None) => return Ok(()),
            Ok(Some(call)) => call,
            Err(bad) => {
                lines.read += 1;
                lines.unreadable.note(&bad.to_string(), shown);
                return Ok(());
            }
        };
        lines.read += 1;
        let source = match self.sources.whose(&call) {
            Whose::Source(source) => source,
            Whose::Nobody => {
                lines.other_requests += 1;
                return Ok(());
            }
            Whose::Unknown(name) => {
                lines.unknown_sources.note(&name, shown);
                return Ok(());
            }
        };
        let at = call.received_at.unwrap_or_else(|| {
            lines.without_time += 1;
            self.last_at
        });
        self.last_at = at;
        self.call(source, call, at, place)
    }

    fn call(
        &mut self,
        source: String,
        call: PastCall,
        at: TimestampMs,
        place: &Place<'_>,
    ) -> anyhow::Result<()> {
        self.read.calls.came(at);
        let counts = match self.read.by_source.get_mut(&source) {
            Some(counts) => counts,
            None => self.read.by_source.entry(source.clone()).or_default(),
        };
        if let Some(reason) = self.sources.refusal(&source, &call, at) {
            counts.1 += 1;
            self.refused(&source, &call, &reason, place);
            return Ok(());
        }
        counts.0 += 1;
        let number = self.read.taken.count();
        self.read.taken.add(Kept {
            at: at.0,
            number,
            source,
            method: call.method,
            target: call.target,
            remote_ip: call.remote_ip,
            body: call.body.as_deref().and_then(|body| kept_body(body.as_bytes())),
        })
    }

    /// Counts a refused call, and the money that it names: what a script books that does not look.
    fn refused(&mut self, source: &str, call: &PastCall, reason: &str, place: &Place<'_>) {
        let Some(endpoint) = self.sources.endpoints.get(source) else { return };
        let shown = || place.with(&endpoint.definition().masked(&call.target));
        self.read.calls.refused.note(&without_values(reason), shown);
        let method = if call.method == "POST" { Method::Post } else { Method::Get };
        let body = call.body.as_deref().unwrap_or_default().as_bytes();
        let seen = Call { method, body, ..Call::get("", &call.target) };
        if let Ok(event) = map_stated(&seen, &endpoint.params, &Stated::default())
            && event.kind == Kind::Credit
            && event.information.is_none()
        {
            let currency = self.currencies.get(source).map_or("", String::as_str);
            self.read.calls.refused_credits.add(currency, event.reward, event.payout);
        }
    }
}

/// The beginning of a line, for an example.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 120;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
