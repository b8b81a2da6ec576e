//! The audit as a file: one line of CSV, or one line of JSON, for each line of the audit.

use bytes::Bytes;
use domain::actor::Actor;
use domain::audit::Action;
use domain::time::TimestampMs;
use futures_util::{Stream, stream};
use serde_json::json;
use store::Store;
use store::access::audit::{AuditRow, ExportFilter, Line};

use crate::export;
use crate::statements::lists::SyncStream;

/// Lines that are read at once.
pub const PAGE: i64 = 1_000;

/// Columns of the file. `number` is the position in the chain; empty for lines from before the chain existed.
const COLUMNS: [&str; 12] = [
    "number",
    "at",
    "actor",
    "via",
    "via_name",
    "network",
    "address",
    "action",
    "subject",
    "detail",
    "address_digest",
    "hash",
];

/// The first line of a CSV file.
pub fn csv_head() -> String {
    COLUMNS.join(",") + "\r\n"
}

fn at(row: &AuditRow) -> String {
    TimestampMs(row.happened_at).rfc3339()
}

/// A line of a CSV file.
pub fn csv_line(row: &AuditRow) -> String {
    let number = row.seq.map(|seq| seq.to_string());
    let at = at(row);
    let text = |value: &'_ Option<String>| -> String { value.clone().unwrap_or_default() };
    let fields = [
        number.unwrap_or_default(),
        at,
        row.actor.clone(),
        text(&row.via),
        text(&row.via_name),
        text(&row.from_network),
        text(&row.address),
        row.action.clone(),
        row.subject.clone(),
        row.detail.clone(),
        text(&row.address_digest),
        text(&row.hash),
    ];
    export::csv_line(&fields.each_ref().map(String::as_str)) + "\r\n"
}

/// A line of JSON. `at_ms` is the time as the hash covers it.
pub fn json_line(row: &AuditRow) -> String {
    let value = json!({
        "number": row.seq,
        "at": at(row),
        "at_ms": row.happened_at,
        "actor": row.actor,
        "via": row.via,
        "via_name": row.via_name,
        "network": row.from_network,
        "address": row.address,
        "action": row.action,
        "subject": row.subject,
        "detail": row.detail,
        "address_digest": row.address_digest,
        "hash": row.hash,
    });
    format!("{value}\n")
}

/// Notes in the audit that `actor` exports the lines of `filter` as `format`; without this note nothing is exported.
pub async fn note_export(
    store: &Store,
    actor: &Actor,
    filter: &ExportFilter,
    format: &str,
    now: TimestampMs,
) -> store::Result<()> {
    let terms = [
        Some(format.to_owned()),
        filter.actor.as_ref().map(|actor| format!("of {actor}")),
        filter.action.as_ref().map(|action| format!("only {action}")),
        filter.from.map(|from| format!("from {}", from.rfc3339())),
        filter.to.map(|to| format!("before {}", to.rfc3339())),
    ];
    let detail: Vec<String> = terms.into_iter().flatten().collect();
    let line = Line::new(actor, Action::AuditExported, "audit".into(), detail.join(", "));
    store.note_in_audit(line, now).await
}

/// The lines of `filter` as CSV, read page by page while they are sent; whole addresses only if `with_addresses`.
pub(crate) fn stream(
    store: Store,
    filter: ExportFilter,
    with_addresses: bool,
) -> impl Stream<Item = Result<Bytes, store::Error>> + Send + Sync + 'static {
    let begun = (Some(csv_head()), 0_i64);
    let pages =
        stream::try_unfold((store, filter, begun), move |(store, filter, (head, after))| async move {
            if let Some(head) = head {
                return Ok(Some((Bytes::from(head), (store, filter, (None, after)))));
            }
            let mut rows = store.audit_export(&filter, after, PAGE).await?;
            let Some(last) = rows.last().map(|row| row.id) else { return Ok(None) };
            if !with_addresses {
                for row in &mut rows {
                    row.address = None;
                }
            }
            let lines: String = rows.iter().map(csv_line).collect();
            Ok(Some((Bytes::from(lines), (store, filter, (None, last)))))
        });
    SyncStream::of(pages)
}
