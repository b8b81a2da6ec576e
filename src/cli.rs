//! The subcommands and the global options; the arguments of each subcommand stand beside it in [`crate::commands`].

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::assess::AssessArgs;
use crate::commands::audit::AuditCommand;
use crate::commands::baseline::BaselineCommand;
use crate::commands::check::CheckArgs;
use crate::commands::deliveries::DeliveriesCommand;
use crate::commands::demo::DemoArgs;
use crate::commands::diagnose::DiagnoseArgs;
use crate::commands::healthcheck::HealthcheckArgs;
use crate::commands::import::ImportArgs;
use crate::commands::lists::ListsCommand;
use crate::commands::networks::NetworksCommand;
use crate::commands::postbacks::PostbacksCommand;
use crate::commands::replay::ReplayArgs;
use crate::commands::report::ReportArgs;
use crate::commands::sandbox::SandboxArgs;
use crate::commands::staff::StaffCommand;
use crate::commands::statement::StatementCommand;
use crate::commands::token::TokenCommand;
use crate::commands::verify::VerifyArgs;

/// The former name of `staff`; in RewardGate, a user is an end user of an app.
const FORMER_STAFF: &str = "user";

/// The notice to print when a command was called by its former name, which still works.
pub(crate) fn notice_of_former_name() -> Option<String> {
    let called = std::env::args().skip(1).find(|word| word == FORMER_STAFF || word == "staff")?;
    (called == FORMER_STAFF).then(|| {
        format!("`rewardgate {FORMER_STAFF}` is called `rewardgate staff` now; the former name still works")
    })
}

/// Check, record and book the rewards that offerwall networks report to a publisher.
#[derive(Debug, Parser)]
#[command(name = "rewardgate", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Settings file. Default: rewardgate.toml in the working directory, if it exists.
    #[arg(long, global = true, env = "REWARDGATE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Default: up.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The subcommands, those that run a server first.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run web and worker in one process.
    Up,
    /// Receive postbacks; serve the API and the web pages.
    Web,
    /// Process recorded postbacks, deliver to apps, run scheduled jobs.
    Worker,
    /// Run a demo with a temporary database, four simulated networks and a simulated app.
    Demo(DemoArgs),
    /// Say what would have been done with the calls in logs that you already have: repeats, forgeries, holds, with their
    /// money. Needs no settings; nothing is sent or changed.
    Assess(Box<AssessArgs>),
    /// Check settings, database, geo files, clock, public URL and apps, and print the URL to paste into each network's
    /// dashboard. Writes nothing; each app receives one test call with a credit of 0. Exit code 1 if a problem is
    /// found.
    Check(CheckArgs),
    /// List networks, show one, or try one on a captured call. Needs no settings and no database.
    #[command(subcommand)]
    Networks(NetworksCommand),
    /// Bring the database schema up to date.
    Migrate,
    /// Ask the running process whether it is ready, and print the result of each check. Exit code 1 if it is not.
    Healthcheck(HealthcheckArgs),
    /// Verify the database, the ledger, the chain of reports and the audit chain. Exit code 1 if anything differs.
    Verify(VerifyArgs),
    /// Export the audit: who did what, when and from where.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Create the reconciliation report of a business day, or print it if it is closed. Exit code 1 if it does not tie
    /// out.
    Report(ReportArgs),
    /// Import the network's statements, resolve differences, book payments.
    #[command(subcommand)]
    Statement(StatementCommand),
    /// Show what is normal for each offer, or draw it anew from settled completions.
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Import calls of the past as settled history, and opening balances. Apps are told nothing; what was imported before is
    /// left out.
    Import(ImportArgs),
    /// Replay refused calls whose signature verifies now, or quarantined postbacks.
    Replay(ReplayArgs),
    /// Complete quarantined postbacks, or set them aside.
    #[command(subcommand)]
    Postbacks(PostbacksCommand),
    /// Explain why a signature does not match and what to change. Exit code 1 unless it verifies with the current
    /// settings.
    Diagnose(DiagnoseArgs),
    /// List deliveries to apps, send them again or give them up; enable a disabled app.
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// Block, watch or trust users, addresses and networks, sub IDs and offers.
    #[command(subcommand)]
    Lists(ListsCommand),
    /// Manage bearer tokens of the API.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Manage the people who sign in to the web pages.
    #[command(subcommand, alias = FORMER_STAFF)]
    Staff(StaffCommand),
    /// Play the network: sign and send postbacks, and check that each had exactly one effect.
    Sandbox(Box<SandboxArgs>),
}
