//! The log and the truth as files.

use std::io::Write;

use chrono::DateTime;
use domain::time::TimestampMs;
use serde::Serialize;

use super::line::Act;
use super::log::Logged;

/// The form of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line: `received_at`, `source`, `target`, `remote_ip`.
    Ndjson,
    /// The combined form of nginx and Apache: whole seconds, and the source in the path only.
    Combined,
}

#[derive(Serialize)]
struct Object<'a> {
    received_at: String,
    source: &'a str,
    target: &'a str,
    remote_ip: String,
}

impl Form {
    /// Writes one call as a line.
    pub fn write(self, call: &Logged, mut out: impl Write) -> std::io::Result<()> {
        let at_ms = call.line.received_at_ms;
        match self {
            Self::Ndjson => {
                let object = Object {
                    received_at: TimestampMs(at_ms).rfc3339(),
                    source: &call.source,
                    target: &call.target,
                    remote_ip: call.remote_ip.to_string(),
                };
                serde_json::to_writer(&mut out, &object)?;
                out.write_all(b"\n")
            }
            Self::Combined => {
                let at = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
                let at = at.format("%d/%b/%Y:%H:%M:%S +0000");
                writeln!(
                    out,
                    "{} - - [{at}] \"GET {} HTTP/1.1\" 200 2 \"-\" \"network/1.0\"",
                    call.remote_ip, call.target
                )
            }
        }
    }
}

/// Writes who is behind each credit: `tx_id,source,user_id,persona,is_fraud`.
#[derive(Debug)]
pub struct Truth<W: Write>(csv::Writer<W>);

impl<W: Write> Truth<W> {
    /// Begins with the names of the columns.
    pub fn begin(out: W) -> csv::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(["tx_id", "source", "user_id", "persona", "is_fraud"])?;
        Ok(Self(writer))
    }

    /// Adds a row if `call` is the first of a credit; true if it is.
    pub fn add(&mut self, call: &Logged) -> csv::Result<bool> {
        if call.line.act != Act::Credit {
            return Ok(false);
        }
        let persona = call.line.completion.persona;
        let is_fraud = if persona.is_fraud() { "true" } else { "false" };
        self.0.write_record([&call.tx_id, &call.source, &call.user_id, persona.name(), is_fraud])?;
        Ok(true)
    }

    /// Flushes, and gives the file back.
    pub fn finish(self) -> std::io::Result<W> {
        self.0.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}
