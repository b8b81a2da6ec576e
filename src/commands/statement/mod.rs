//! `rewardgate statement`: imports the network's statements, shows differences, and books what finance decides.
//!
//! | module | what it does |
//! |---|---|
//! | [`columns`] | proposes the settings for a file |
//! | [`import`] | sends a file in and follows it until it is matched |
//! | [`preview`] | reads the first lines of a file, and imports nothing |
//! | [`show`] | totals, differences, and the transactions that never came |
//! | [`resolve`] | accepts a difference, books and reverses payments, discards and restores |

mod columns;
mod import;
mod preview;
mod resolve;
mod show;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use domain::access::Role;
use domain::actor::Actor;
use domain::statement::pieces::SameReason;
use domain::text::count;
use store::statements::{Reading, Resolution};

use super::{acting, say};
use crate::EXIT_FAILED;
use crate::process::Process;

/// Bytes of a file that are read at once.
const READ_LEN: usize = 64 * 1_024;
/// Lines that a preview prints, and reasons of each kind.
const PREVIEW_LINES: usize = 10;

/// From a file of a network to booking what was paid for it.
#[derive(Debug, Subcommand)]
pub(crate) enum StatementCommand {
    /// Propose the settings for a file, and say what it leaves open; imports nothing. Exit code 1 if something has to be
    /// decided before it can be imported.
    Columns(columns::ColumnsArgs),
    #[command(flatten)]
    Booked(BookedCommand),
}

/// What works on statements in the database.
#[derive(Debug, Subcommand)]
pub(crate) enum BookedCommand {
    /// Import a CSV file and match it with the books. Can be stopped and run again at any time. Exit code 1 if
    /// anything differs.
    Import {
        /// CSV file.
        file: PathBuf,
        /// Source whose network wrote the file.
        #[arg(long, value_name = "NAME")]
        source: String,
        /// First business day. Default: taken from the lines; required if some of them lie far off.
        #[arg(long, value_name = "DATE", requires = "to")]
        from: Option<String>,
        /// Last business day.
        #[arg(long, value_name = "DATE", requires = "from")]
        to: Option<String>,
        /// Statements that this one replaces: IDs separated by commas, or `none`. Default: an earlier version of the
        /// same days.
        #[arg(long, value_name = "ID|none")]
        supersedes: Option<String>,
        /// Print the first lines as they would be read, and import nothing.
        #[arg(long)]
        preview: bool,
    },
    /// Show a statement's totals by state. Exit code 1 if anything differs.
    Show {
        /// Statement ID.
        id: i64,
        /// List the lines in this state, e.g. `missing_here`.
        #[arg(long)]
        state: Option<String>,
    },
    /// Print the transactions in the statement that were never received, for the network's account manager.
    Missing {
        /// Statement ID.
        id: i64,
        /// Print the text of a letter instead of CSV.
        #[arg(long)]
        text: bool,
    },
    /// Accept a difference.
    Accept {
        /// Statement ID.
        id: i64,
        /// Difference, as printed by `show --state`, e.g. "line 17".
        subject: String,
        /// Person who accepts it.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Reason.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Book a payment that the network made for a statement.
    Paid {
        /// Statement ID.
        id: i64,
        /// Amount in USD.
        amount: String,
        /// Person who books it.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Note, e.g. the reference of the payment.
        #[arg(long, value_name = "TEXT")]
        note: String,
        /// Idempotency key: a payment with the same key is booked once. Default: amount and note.
        #[arg(long, value_name = "TEXT")]
        key: Option<String>,
        /// Book it even if it is more than the open amount.
        #[arg(long)]
        yes: bool,
    },
    /// Reverse a payment with the opposite transfer.
    TakeBack {
        /// Statement ID.
        id: i64,
        /// Payment ID, as printed by `show`.
        payment: i64,
        /// Person who reverses it.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Reason.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Discard a statement: it counts no longer, what it superseded counts again, and its file can be imported again.
    Discard {
        /// Statement ID.
        id: i64,
        /// Person who discards it.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
    },
    /// Count a superseded statement again, beside the newer one. Transactions in both count once.
    Restore {
        /// ID of the superseded statement.
        id: i64,
        /// Person who restores it.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
    },
}

/// Runs `command`; `opened` is awaited only by those that need the database.
pub(crate) async fn statement(
    config: Option<&Path>,
    opened: impl Future<Output = anyhow::Result<Process>>,
    command: StatementCommand,
) -> anyhow::Result<u8> {
    match command {
        StatementCommand::Columns(args) => columns::columns(config, args).await,
        StatementCommand::Booked(command) => booked(&opened.await?, command).await,
    }
}

async fn booked(process: &Process, command: BookedCommand) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    match command {
        BookedCommand::Import { file, source, from, to, preview: true, .. } => {
            anyhow::ensure!(
                from.is_none() && to.is_none(),
                "`--preview` imports nothing: leave `--from` and `--to` out"
            );
            preview::preview(&settings_of(process, &source)?, &file)
        }
        BookedCommand::Import { file, source, from, to, supersedes, preview: false } => {
            let reading = settings_of(process, &source)?;
            let request = import::Request { source, from, to, supersedes };
            match import::import(process, &file, &reading, request).await? {
                Some(id) => show::show(process, id).await,
                None => Ok(EXIT_FAILED),
            }
        }
        BookedCommand::Show { id, state: None } => show::show(process, id).await,
        BookedCommand::Show { id, state: Some(state) } => show::list(process, id, &state).await,
        BookedCommand::Missing { id, text } => show::missing(process, id, text).await,
        BookedCommand::Accept { id, subject, actor, reason } => {
            resolve::accept(process, id, subject, resolution(process, &actor, reason).await?).await
        }
        BookedCommand::Paid { id, amount, actor, note, key, yes } => {
            let resolution = resolution(process, &actor, note).await?;
            resolve::paid(process, id, &amount, resolution, key, yes).await
        }
        BookedCommand::TakeBack { id, payment, actor, reason } => {
            resolve::take_back(process, id, payment, resolution(process, &actor, reason).await?).await
        }
        BookedCommand::Discard { id, actor } => {
            resolve::discard(process, id, controller(process, &actor).await?).await
        }
        BookedCommand::Restore { id, actor } => {
            resolve::restore(process, id, controller(process, &actor).await?).await
        }
    }
}

/// The person named by `--as`, who must have the role finance or admin.
async fn controller(process: &Process, name: &str) -> anyhow::Result<Actor> {
    acting::named(process, name, Role::may_settle, "settle statements").await
}

/// What a person decides, signed and with its reason.
async fn resolution(process: &Process, actor: &str, reason: String) -> anyhow::Result<Resolution> {
    anyhow::ensure!(!reason.trim().is_empty(), "a reason is required");
    let actor = controller(process, actor).await?;
    Ok(Resolution { actor, reason, now: process.clock.now() })
}

fn settings_of(process: &Process, source: &str) -> anyhow::Result<Reading> {
    let found = process.settings.sources.iter().find(|known| known.name == source);
    let found = found.with_context(|| format!("`--source`: `{source}` is not in the settings"))?;
    Ok(found.statements.clone())
}

/// Prints each reason once, with the lines that it applies to.
fn say_reasons(what: &str, reasons: Vec<SameReason>) {
    for same in reasons.into_iter().take(PREVIEW_LINES) {
        say(&format!("line {} {what}: {}", same.lines(), same.reason));
    }
}

fn lines(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX), "line")
}
