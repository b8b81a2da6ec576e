//! CSV with a header that names `target` and, if they are known, `received_at`, `source`, `remote_ip`, `method`.

use super::{BadLine, PastCall, instant};

/// The columns of a file, by their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    target: usize,
    received_at: Option<usize>,
    source: Option<usize>,
    remote_ip: Option<usize>,
    method: Option<usize>,
}

impl Columns {
    /// Reads the header; `None` if it is none.
    pub(super) fn of(header: &str) -> Option<Self> {
        let names = cells(header)?;
        let place = |wanted: &str| names.iter().position(|name| name.trim().eq_ignore_ascii_case(wanted));
        let target = place("target").or_else(|| place("url"))?;
        Some(Self {
            target,
            received_at: place("received_at"),
            source: place("source"),
            remote_ip: place("remote_ip"),
            method: place("method"),
        })
        .filter(|columns| columns.received_at.is_some() || names.len() > 1)
    }

    /// Reads a line below it.
    pub(super) fn read(&self, line: &str) -> Result<PastCall, BadLine> {
        let cells = cells(line).ok_or(BadLine::Format)?;
        let cell = |at: Option<usize>| {
            at.and_then(|at| cells.get(at)).map(|cell| cell.trim()).filter(|cell| !cell.is_empty())
        };
        let received_at =
            cell(self.received_at).map(|time| instant::read(time).ok_or(BadLine::Time)).transpose()?;
        let call = PastCall::get(cell(Some(self.target)).ok_or(BadLine::NoTarget)?);
        PastCall {
            received_at,
            source: cell(self.source).map(str::to_owned),
            method: cell(self.method).unwrap_or("GET").to_owned(),
            remote_ip: cell(self.remote_ip).unwrap_or_default().to_owned(),
            ..call
        }
        .checked()
    }
}

/// The cells of one line (RFC 4180); `None` if a quote is not closed, or something follows it.
pub fn cells(line: &str) -> Option<Vec<String>> {
    let (mut cells, mut rest) = (Vec::new(), line);
    loop {
        let after = if let Some(quoted) = rest.strip_prefix('"') {
            let (mut cell, mut from) = (String::new(), quoted);
            loop {
                let (text, behind) = from.split_once('"')?;
                cell.push_str(text);
                if let Some(behind) = behind.strip_prefix('"') {
                    cell.push('"');
                    from = behind;
                } else {
                    cells.push(cell);
                    break behind;
                }
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            cells.push(rest[..end].to_owned());
            &rest[end..]
        };
        match after.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if after.is_empty() => return Some(cells),
            None => return None,
        }
    }
}
