//! `rewardgate sandbox --personas`: writes the access log of a population, with the truth and the settings to assess it.

use std::fmt::Write as _;
use std::fs::{File, create_dir_all};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use domain::text::count;
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::RngExt as _;
use sandbox::personas::{Extent, Form, HOSTING, Log, LogError, MAX_DAYS, MAX_EVENTS, Population, Truth};

use super::{SandboxArgs, network};
use crate::EXIT_DONE;
use crate::commands::progress::Progress;
use crate::commands::{private_file, say};
use crate::config::{BadSettings, Settings};

/// The population without a file; every key of a file is one of these.
const EXAMPLE: &str = include_str!("../personas.example.toml");
/// Names of the files in `--out`.
const TRUTH: &str = "truth.csv";
const SETTINGS: &str = "rewardgate.toml";

/// What to write instead of sending calls.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// Send nothing: write the access log of a population of honest users and fraud to --out, with the truth of each
    /// credit beside it. FILE describes another population; it needs only the keys that differ from
    /// src/commands/sandbox/personas.example.toml.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        requires = "out",
        conflicts_with_all = [
            "url", "secret", "second_secret", "caller_listed", "signed_origin", "scenario", "count", "rate", "connections",
            "mix", "retries", "hour_ms", "kept", "statement", "token", "api",
        ],
    )]
    #[expect(clippy::option_option, reason = "absent, given, and given with a file")]
    personas: Option<Option<PathBuf>>,
    /// Folder for the log, truth.csv, rewardgate.toml and the sources' secrets. Files of these names are replaced.
    #[arg(long, value_name = "DIR", requires = "personas")]
    out: Option<PathBuf>,
    /// Number of calls in the log [default: 200000].
    #[arg(long, value_name = "N", requires = "personas", value_parser = clap::value_parser!(u64).range(1..=MAX_EVENTS))]
    events: Option<u64>,
    /// Number of days in the log [default: 45].
    #[arg(long, value_name = "N", requires = "personas", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)))]
    days: Option<u32>,
    /// Form of the log: ndjson (access.ndjson.gz) or combined (access.log.gz, as nginx writes it) [default: ndjson].
    #[arg(long, value_enum, requires = "personas")]
    format: Option<FormArg>,
}

/// The value of `--format`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormArg {
    Ndjson,
    Combined,
}

impl LogArgs {
    /// True if a log is to be written.
    pub(super) fn is_wanted(&self) -> bool {
        self.personas.is_some()
    }
}

/// Writes the log, and says what it holds.
pub(super) fn write(args: &SandboxArgs) -> anyhow::Result<u8> {
    let LogArgs { personas, out, events, days, format } = &args.log;
    let file = personas.as_ref().and_then(Option::as_deref);
    let out = out.as_deref().context("--personas: where to? Add --out DIR")?;
    let network = network::network(&args.network, args.signature_form)?;
    let seed = args.seed.unwrap_or_else(|| rand::rng().random_range(1..=u64::from(u32::MAX)));
    let extent = Extent { events: events.unwrap_or(200_000), days: days.unwrap_or(45), seed };
    let log = Log::of(population(file)?, &network, extent).map_err(|error| in_words(error, file))?;
    create_dir_all(out).with_context(|| format!("--out: {} cannot be created", out.display()))?;
    for (name, secret) in log.sources() {
        create(out, &secret_file(name))?.write_all(secret.as_bytes()).context("--out: a secret")?;
    }
    let settings = settings(&log, &network.definition().name, out);
    create(out, SETTINGS)?.write_all(settings.as_bytes()).context("--out: the settings")?;
    let (form, name) = match format.unwrap_or(FormArg::Ndjson) {
        FormArg::Ndjson => (Form::Ndjson, "access.ndjson.gz"),
        FormArg::Combined => (Form::Combined, "access.log.gz"),
    };
    let (credits, fraud) = write_calls(log, form, create(out, name)?, create(out, TRUTH)?, extent.events)?;
    say(&format!("seed {seed}: {} in {}", count(extent.events, "call"), out.join(name).display()));
    say(&format!("{} in {}, {fraud} of them fraud", count(credits, "credit"), out.join(TRUTH).display()));
    say(&format!("settings: {}", out.join(SETTINGS).display()));
    Ok(EXIT_DONE)
}

/// Writes every call, and the truth of every credit; returns the number of credits, and of those that are fraud.
fn write_calls(log: Log, form: Form, calls: File, truth: File, events: u64) -> anyhow::Result<(u64, u64)> {
    let failed = "--out: the log cannot be written";
    let progress = Progress::of("writing the log", Some(events));
    let mut calls = GzEncoder::new(BufWriter::new(calls), Compression::default());
    let mut truth = Truth::begin(BufWriter::new(truth)).context(failed)?;
    let (mut credits, mut fraud) = (0, 0);
    for call in log {
        let call = call?;
        form.write(&call, &mut calls).context(failed)?;
        if truth.add(&call).context(failed)? {
            credits += 1;
            fraud += u64::from(call.line.completion.persona.is_fraud());
        }
        progress.advance(1);
    }
    calls.finish().and_then(|mut file| file.flush()).context(failed)?;
    truth.finish().and_then(|mut file| file.flush()).context(failed)?;
    Ok((credits, fraud))
}

fn create(folder: &Path, name: &str) -> anyhow::Result<File> {
    let path = folder.join(name);
    private_file(&path).with_context(|| format!("--out: {} cannot be written", path.display()))
}

fn secret_file(source: &str) -> String {
    format!("{source}.secret")
}

/// The parameters of `file` over those of the example.
fn population(file: Option<&Path>) -> Result<Population, BadSettings> {
    let fault = |what: &dyn std::fmt::Display| {
        let whence = file.map(|file| format!("{}: ", file.display())).unwrap_or_default();
        Settings::fault("--personas", &format!("{whence}{what}"))
    };
    let mut all: toml::Table = EXAMPLE.parse().map_err(|why| fault(&why))?;
    if let Some(file) = file {
        let text = std::fs::read_to_string(file).map_err(|why| fault(&why))?;
        merge(&mut all, text.parse().map_err(|why| fault(&why))?);
    }
    all.try_into().map_err(|why| fault(&why))
}

/// Lays `over` over `under`, key by key.
fn merge(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// A parameter out of its bounds is wrong usage; whatever else is wrong is not.
fn in_words(error: LogError, file: Option<&Path>) -> anyhow::Error {
    match error {
        LogError::Population(bad) => {
            let whence = file.map(|file| format!("{}: ", file.display())).unwrap_or_default();
            Settings::fault("--personas", &format!("{whence}{bad}")).into()
        }
        error => anyhow::anyhow!("--personas: {error}"),
    }
}

/// Settings with which the log can be assessed.
fn settings(log: &Log, network: &str, folder: &Path) -> String {
    let population = log.population();
    let callers: Vec<_> = population.callers.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "# Made by `rewardgate sandbox --personas`: the sources of the log beside this file. The secrets are found from the\n\
         # folder in which it was made.\n\
         public_url = {:?}\n\n\
         # The hosting ranges in which some of the users are.\n\
         [lists]\nhosting_ranges = {:?}\n",
        population.origin,
        HOSTING.map(|(_, range)| range),
    );
    let rate = &population.reward_per_usd;
    let rate = if log.names_rewards() { String::new() } else { format!("reward_per_usd = {rate:?}\n") };
    for (name, _) in log.sources() {
        let secret = folder.join(secret_file(name));
        let _ = write!(
            text,
            "\n[[sources]]\nname = {name:?}\nnetwork = {network:?}\nsecret = {:?}\ncurrency = {:?}\nallow_ips = {callers:?}\n{rate}",
            format!("file:{}", secret.display()),
            population.currency,
        );
    }
    text
}

#[cfg(test)]
mod tests;
