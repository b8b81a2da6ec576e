//! `rewardgate report`: creates the reconciliation report of a day, writes it to files, and signs it off.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::access::Role;
use domain::report::day::BusinessDay;
use domain::report::letter;
use jobs::reports::make;
use store::reports::{SignOff, Signed};

use super::progress::during;
use super::{acting, private_file, say, say_raw};
use crate::process::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Which report, and in which formats.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ReportArgs {
    /// Business day, e.g. 2026-11-23.
    #[arg(required = true)]
    pub(crate) date: Option<String>,
    /// CSV file to write, with every table.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// XLSX file to write, with one sheet per table.
    #[arg(long, value_name = "FILE")]
    pub(crate) xlsx: Option<PathBuf>,
    /// Print JSON instead of a summary.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<ReportCommand>,
}

/// The only one: `sign-off`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Sign off the closed report of a day. This can be done once.
    SignOff {
        /// Business day.
        date: String,
        /// Person who signs off.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Note, kept with the signature.
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

/// Creates or prints a report, or signs it off.
pub(crate) async fn report(process: &Process, args: ReportArgs) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    match args.command {
        Some(ReportCommand::SignOff { date, actor, note }) => sign_off(process, &date, actor, note).await,
        None => show(process, &args).await,
    }
}

async fn show(process: &Process, args: &ReportArgs) -> anyhow::Result<u8> {
    let text = args.date.as_deref().unwrap_or_default();
    let terms = &process.settings.reports;
    let day = BusinessDay::parse(text, terms.timezone)
        .with_context(|| format!("`{text}` is not a valid business day such as 2026-11-23"))?;
    let now = process.clock.now();
    anyhow::ensure!(day.starts_at() <= now, "{text} has not begun yet");
    let report = during("creating the report", make(&process.store, terms, day, now)).await?.report;
    if let Some(path) = &args.csv {
        write(path, web::export::csv(&report.sheets()).as_bytes())?;
    }
    if let Some(path) = &args.xlsx {
        write(path, &web::export::xlsx(&format!("Reconciliation {text}"), &report.sheets())?)?;
    }
    if args.json {
        say_raw(&serde_json::to_string_pretty(&report)?);
    } else {
        for line in letter::lines(&report) {
            say(&line);
        }
    }
    Ok(if report.ties_out { EXIT_DONE } else { EXIT_FAILED })
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    private_file(path)
        .and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}

async fn sign_off(process: &Process, date: &str, actor: String, note: String) -> anyhow::Result<u8> {
    anyhow::ensure!(!note.trim().is_empty(), "`--note` must not be empty");
    let actor = acting::named(process, &actor, Role::may_settle, "sign reports off").await?;
    let sign_off = SignOff { actor, note, now: process.clock.now() };
    match process.store.sign_off(date, sign_off).await? {
        Signed::Done => {
            say(&format!("{date} is signed off"));
            return Ok(EXIT_DONE);
        }
        Signed::Before(by) => say(&format!("{date} is already signed off by {by}")),
        Signed::NotClosed => say(&format!("{date} is not closed yet: its report may still change")),
        Signed::Missing => {
            say(&format!("there is no report of {date}: create it with `rewardgate report {date}`"));
        }
    }
    Ok(EXIT_FAILED)
}
