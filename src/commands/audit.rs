//! `rewardgate audit`: exports who did what.

use std::io::Write as _;

use clap::Subcommand;
use store::access::audit::ExportFilter;
use web::audit_file::{PAGE, csv_head, csv_line, json_line, note_export};

use super::acting::command_line;
use super::time;
use crate::EXIT_DONE;
use crate::process::Process;

/// The only one: `export`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Print the audit, oldest line first, with the hashes of its chain.
    Export {
        /// Start, inclusive: RFC 3339, or a date in the time zone of the settings.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// End, exclusive.
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        /// Print CSV. This is the default.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        /// Print JSON, one object per line.
        #[arg(long)]
        json: bool,
    },
}

/// Writes the export to standard output, page by page, after an audit line for the export itself.
pub(crate) async fn audit(process: &Process, command: AuditCommand) -> anyhow::Result<u8> {
    let AuditCommand::Export { from, to, json, csv: _ } = command;
    process.store.assert_migrated().await?;
    let filter = ExportFilter {
        from: time(process, "from", from.as_ref())?,
        to: time(process, "to", to.as_ref())?,
        ..ExportFilter::default()
    };
    let format = if json { "JSON" } else { "CSV" };
    note_export(&process.store, &command_line(), &filter, format, process.clock.now()).await?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if !json {
        out.write_all(csv_head().as_bytes())?;
    }
    let mut after_id = 0;
    loop {
        let page = process.store.audit_export(&filter, after_id, PAGE).await?;
        let Some(last) = page.last() else { break };
        after_id = last.id;
        for row in &page {
            let line = if json { json_line(row) } else { csv_line(row) };
            out.write_all(line.as_bytes())?;
        }
    }
    out.flush()?;
    Ok(EXIT_DONE)
}
