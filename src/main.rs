//! # RewardGate
//!
//! The executable: reads the settings, opens the database, wires the crates together, and runs the chosen roles or
//! command. `README.md` says what RewardGate is for; the top of each `lib.rs`, what its crate does and never does.
//!
//! | module | what it is |
//! |---|---|
//! | [`cli`] | the list of subcommands |
//! | [`config`] | every setting, from file and environment |
//! | [`process`] | settings, database and clock of a process |
//! | [`roles`] | web and worker |
//! | [`threads`] | threads for ingest, and threads for everything else |
//! | [`commands`] | commands that run once, with their arguments |
//! | [`metrics`] | metrics of the process |
//! | [`logging`] | log lines: one per event, control characters escaped |
//! | [`clock`] | the only place that reads the system time |

mod cli;
mod clock;
mod commands;
mod config;
mod logging;
mod metrics;
mod process;
mod roles;
mod threads;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use domain::text::visible_lines;

use cli::{Cli, Command};
use commands::BadUsage;
use config::{BadSettings, LogFormat, Settings};
use geo::Geo;
use process::{Process, open_geo, open_store, open_to_all, stop_on_signals};
use roles::{Web, WorkerWatch};

/// Also of SQLite. Chosen by measuring (`tests/bench/RESULTS.md`): with it, deciding takes a fifth less time than with the
/// allocator of glibc, for 10 MB more memory; mimalloc is between the two, for 70 MB more.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Success.
const EXIT_DONE: u8 = 0;
/// Failure, or a difference was found.
const EXIT_FAILED: u8 = 1;
/// Wrong usage or settings.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Some(Command::Staff(_)))
        && let Some(notice) = cli::notice_of_former_name()
    {
        eprintln!("{notice}");
    }
    let listens = matches!(cli.command, None | Some(Command::Up | Command::Web));
    let code = match threads::of_the_rest(listens).context("cannot start threads") {
        Ok(runtime) => runtime.block_on(Box::pin(run(cli))),
        Err(error) => Err(error),
    };
    let code = match code {
        Ok(code) => code,
        Err(error) if error.is::<BadSettings>() || error.is::<BadUsage>() => {
            eprintln!("{}", visible_lines(&error.to_string()));
            EXIT_USAGE
        }
        Err(error) => {
            eprintln!("rewardgate: {}", visible_lines(&format!("{error:#}")));
            EXIT_FAILED
        }
    };
    ExitCode::from(code)
}

async fn run(cli: Cli) -> anyhow::Result<u8> {
    // The cryptography of TLS. It fails only if a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = cli.config.as_deref();
    let existing = once(config, false);
    match cli.command.unwrap_or(Command::Up) {
        Command::Up => Box::pin(up(config)).await,
        Command::Web => Box::pin(web(prepare(config).await?)).await,
        Command::Worker => Box::pin(worker(config)).await,
        Command::Migrate => commands::migrate(&once(config, true).await?).await,
        Command::Report(args) => commands::report::report(&existing.await?, args).await,
        Command::Statement(command) => {
            Box::pin(commands::statement::statement(config, existing, command)).await
        }
        Command::Replay(args) => commands::replay::replay(&existing.await?, args).await,
        Command::Postbacks(command) => commands::postbacks::postbacks(&existing.await?, command).await,
        Command::Diagnose(args) => commands::diagnose::diagnose(&existing.await?, args).await,
        Command::Healthcheck(args) => {
            commands::healthcheck::healthcheck(&Settings::load(config)?, &args).await
        }
        Command::Check(args) => commands::check::check(config, args).await,
        Command::Networks(command) => commands::networks::networks(config, command),
        Command::Audit(command) => commands::audit::audit(&existing.await?, command).await,
        Command::Verify(args) => commands::verify::verify(&existing.await?, args).await,
        Command::Deliveries(command) => commands::deliveries::deliveries(&existing.await?, command).await,
        Command::Lists(command) => commands::lists::lists(&existing.await?, command).await,
        Command::Token(command) => commands::token::token(&existing.await?, command).await,
        Command::Staff(command) => commands::staff::staff(&existing.await?, command).await,
        // These two read no settings file.
        Command::Demo(args) => {
            log_to_standard_error("warn", LogFormat::Text)?;
            Box::pin(commands::demo::demo(args)).await
        }
        Command::Sandbox(args) => {
            log_to_standard_error("warn", LogFormat::Text)?;
            commands::sandbox::sandbox(*args).await
        }
    }
}

/// Opens the process of a command that runs once, without metrics. `create`: a missing SQLite file is created. Only
/// `migrate` does that: for other commands a mistyped path would look like an empty database.
async fn once(config: Option<&Path>, create: bool) -> anyhow::Result<Process> {
    let settings = Settings::load(config)?;
    log_to_standard_error(&settings.log, settings.log_format)?;
    let store = open_store(&settings, create).await?;
    Ok(Process::new(settings, store, Arc::new(String::new)))
}

/// Opens the process of the web role.
async fn prepare(config: Option<&Path>) -> anyhow::Result<Process> {
    open(Settings::load(config)?).await
}

/// Opens a process with workers. The geo databases are opened first, so that a wrong setting leaves no database behind.
async fn prepare_to_work(config: Option<&Path>) -> anyhow::Result<(Process, Geo)> {
    let settings = Settings::load(config)?;
    let geo = open_geo(&settings)?;
    Ok((open(settings).await?, geo))
}

async fn open(settings: Settings) -> anyhow::Result<Process> {
    log_to_standard_error(&settings.log, settings.log_format)?;
    let metrics = metrics::measure()?;
    let store = open_store(&settings, true).await?;
    for warning in settings.warnings.iter().chain(&open_to_all(&settings)) {
        tracing::warn!("{warning}");
    }
    Ok(Process::new(settings, store, metrics))
}

/// Runs web and worker. Whichever ends first stops the other.
async fn up(config: Option<&Path>) -> anyhow::Result<u8> {
    let (process, geo) = prepare_to_work(config).await?;
    let web = announce(start(&process).await?);
    commands::say("worker ready");
    let listening = async { stopping(&process, web.run(&process, true).await) };
    let working = async { stopping(&process, Box::pin(roles::work(&process, geo, None)).await) };
    let (listened, worked, (), ()) =
        tokio::join!(listening, working, metrics::look(&process), process.keep_log_short());
    process.store.close().await;
    listened.and(worked)
}

/// Runs the web role.
async fn web(process: Process) -> anyhow::Result<u8> {
    let web = announce(start(&process).await?);
    let listening = async { stopping(&process, web.run(&process, false).await) };
    let (listened, (), ()) = tokio::join!(listening, metrics::look(&process), process.keep_log_short());
    process.store.close().await;
    listened
}

/// Runs the worker role.
async fn worker(config: Option<&Path>) -> anyhow::Result<u8> {
    let (process, geo) = prepare_to_work(config).await?;
    process.store.migrate().await?;
    stop_on_signals(process.stop.clone())?;
    let monitored = WorkerWatch::bind(&process.settings)?;
    metrics::announce(&process);
    commands::say("worker ready");
    if let Some(monitored) = &monitored {
        commands::say(&format!("monitoring on http://{}", monitored.address));
    }
    let working = async { stopping(&process, Box::pin(roles::work(&process, geo, None)).await) };
    let monitoring = async {
        if let Some(monitored) = monitored {
            monitored.run(&process).await;
        }
    };
    let (worked, (), (), ()) =
        tokio::join!(working, monitoring, metrics::look(&process), process.keep_log_short());
    process.store.close().await;
    worked
}

async fn start(process: &Process) -> anyhow::Result<Web> {
    process.store.migrate().await?;
    stop_on_signals(process.stop.clone())?;
    metrics::announce(process);
    Web::bind(&process.settings)
}

fn announce(web: Web) -> Web {
    commands::say(&format!("listening on http://{}", web.address));
    if let Some(address) = web.admin_address {
        commands::say(&format!("admin on http://{address}"));
    }
    web
}

fn stopping(process: &Process, ended: anyhow::Result<()>) -> anyhow::Result<u8> {
    process.stop.cancel();
    ended.map(|()| EXIT_DONE)
}

fn log_to_standard_error(log: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(log)
        .with_context(|| format!("`log`: `{log}` is not a filter such as info or jobs=debug,info"))?;
    let colours = commands::progress::may_colour();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    match format {
        LogFormat::Json => lines.json().with_writer(std::io::stderr).init(),
        LogFormat::Text => {
            lines.with_writer(move || logging::Visible::new(std::io::stderr(), colours)).init();
        }
    }
    Ok(())
}
