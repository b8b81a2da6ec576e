//! `rewardgate sandbox`: plays the network against a gateway, and checks that each event had exactly one effect.
//!
//! | module | what it holds |
//! |---|---|
//! | [`scenario`] | the options, from flags, file and defaults |
//! | [`network`] | the network that is played, and its secrets |
//! | [`personas`] | a population with known truth: a log to assess, instead of calls |
//! | [`given_up`] | calls that were given up after the last retry |

mod given_up;
mod network;
mod personas;
mod scenario;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use domain::money::Micros;
use domain::text::count;
use rand::RngExt as _;
use sandbox::{
    Answer, Call, CheckOptions, Expected, Keep, Mix, Network, Plan, PlanOptions, Retries, SendOptions,
    Signer, Template, check, mark_delivered, run, write_statement,
};
use tokio_util::sync::CancellationToken;

use crate::commands::progress::{Progress, during};
use crate::commands::{private_file, say, say_lines};
use crate::{EXIT_DONE, EXIT_FAILED, config, process};
use given_up::GivenUp;
use scenario::Scenario;

/// Hours between two attempts of the network.
const RETRY_EVERY_HOURS: u64 = 6;
/// Retries of the network after the first attempt.
const RETRIES: u32 = 5;
/// Upper bound of `--hour-ms`: the clock in real time.
const MAX_HOUR_MS: u64 = 3_600_000;

/// Where to send, what, and how to check it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[expect(clippy::doc_markdown, reason = "these comments are the help text, which knows no markup")]
pub(crate) struct SandboxArgs {
    #[command(subcommand)]
    command: Option<SandboxCommand>,
    /// URL from the network's dashboard, with the network's macros. Without a query, every parameter is sent under its
    /// own name. Parameters that the network adds itself are added.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8080/pb/targo-main")]
    url: String,
    /// Network to play: the name of one that ships (`rewardgate networks list`), or a definition file ending in .toml.
    #[arg(long, default_value = "targo", value_name = "NAME")]
    network: String,
    /// Secret of the source: env:NAME or file:PATH; of a network that signs with ECDSA its private key, 32 bytes or 64
    /// hexadecimal digits [default of targo: env:TARGO_SECRET].
    #[arg(long, value_name = "REFERENCE")]
    secret: Option<String>,
    /// Second secret, where the network signs an app key or a placement id, too: env:NAME or file:PATH.
    #[arg(long, value_name = "REFERENCE")]
    second_secret: Option<String>,
    /// Part of the URL that is signed, of networks that sign the URL [default: as the network does].
    #[arg(long, value_enum)]
    signature_form: Option<FormArg>,
    /// The source lists the address that the calls come from (allow_ips): then what the signature leaves open does not
    /// hold rewards.
    #[arg(long)]
    caller_listed: bool,
    /// Reward units for each USD of payout; of a network that names no reward, the reward_per_usd of the source.
    #[arg(long, default_value = "500", value_name = "UNITS")]
    reward_per_usd: String,
    /// The public_url of the gateway, which is signed. Default: the origin of URL.
    #[arg(long, value_name = "URL")]
    signed_origin: Option<String>,
    /// TOML file with the options below. Flags override it.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Number of calls [default: 1000].
    #[arg(long)]
    count: Option<u64>,
    /// Calls per second on a fixed schedule, however slow the answers are; 0: as fast as the connections allow
    /// [default: 100].
    #[arg(long)]
    rate: Option<u32>,
    /// Number of keep-alive connections [default: 64].
    #[arg(long)]
    connections: Option<usize>,
    /// Seed of the plan: the same seed plans the same calls. Default: a random one.
    #[arg(long)]
    seed: Option<u64>,
    /// Shares of events that are not honest, e.g. reversal=0.2,forged=0.05. Names: impossible_speed, wrong_country,
    /// repeat, reversal, early_reversal, duplicate, forged, broken.
    #[arg(long, value_name = "NAME=SHARE,…")]
    mix: Option<Mix>,
    /// Maximum number of retries of a call that is not acknowledged, one second apart [default: 0].
    #[arg(long)]
    retries: Option<u32>,
    /// Retry as the network does, 5 times with 6 hours between, on a clock whose hour lasts this many milliseconds.
    #[arg(long, value_name = "MS", conflicts_with = "retries", value_parser = clap::value_parser!(u64).range(1..=MAX_HOUR_MS))]
    hour_ms: Option<u64>,
    /// File for calls that are given up after the last retry; `sandbox resend` sends them again.
    #[arg(long, value_name = "FILE")]
    kept: Option<PathBuf>,
    /// CSV file for the network's own statement: what it counts as sent and owed.
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,
    /// Token of the API: env:NAME or file:PATH. With it, the sandbox checks that every acknowledged event had exactly
    /// one effect.
    #[arg(long, value_name = "REFERENCE")]
    token: Option<String>,
    /// Origin of the API. Default: the origin of URL.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// Maximum time for the gateway to finish, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    deadline: u64,
    #[command(flatten)]
    log: personas::LogArgs,
}

/// Calls that were given up in an earlier run.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// List the calls that were given up.
    Kept {
        /// File written by `sandbox --kept`.
        #[arg(long, value_name = "FILE")]
        kept: PathBuf,
    },
    /// Send calls again that were given up, as a network does when its account manager is asked. Exit code 1 if one is
    /// still not acknowledged.
    Resend {
        /// File written by `sandbox --kept`.
        #[arg(long, value_name = "FILE")]
        kept: PathBuf,
        /// Transaction ID; can be repeated. Default: all.
        #[arg(long, value_name = "ID")]
        tx: Vec<String>,
        /// Statement written by `sandbox --statement`, in which calls that are acknowledged now are marked as delivered.
        #[arg(long, value_name = "FILE")]
        statement: Option<PathBuf>,
    },
}

/// The value of `--signature-form`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormArg {
    /// The whole URL, with `hash=` present but empty.
    Empty,
    /// The URL up to `&hash=`, exclusive.
    Cut,
}

/// Sends, reports, checks. Exit code 1 if an answer or an effect is not as expected.
pub(crate) async fn sandbox(args: SandboxArgs) -> anyhow::Result<u8> {
    match &args.command {
        Some(SandboxCommand::Kept { kept }) => return list(&Keep::at(kept)),
        Some(SandboxCommand::Resend { kept, tx, statement }) => {
            return resend(&Keep::at(kept), tx, statement.as_deref()).await;
        }
        None if args.log.is_wanted() => return personas::write(&args),
        None => {}
    }
    let scenario = Scenario::of(&args)?;
    let network = network::network(&args.network, args.signature_form)?;
    let template = Template::parse(&with_query(&args.url, &network), &network).context("URL")?;
    let secrets = network::secrets(&network, args.secret.as_deref(), args.second_secret.as_deref())?;
    let seed = scenario.seed.unwrap_or_else(|| rand::rng().random_range(1..=u64::from(u32::MAX)));
    let signer = Signer::new(&template, args.signed_origin.as_deref(), &secrets)
        .map_err(|error| network::in_words(&error))?;
    let plan_options = PlanOptions {
        mix: scenario.mix,
        ratio: ratio(&args.reward_per_usd)?,
        is_caller_listed: args.caller_listed,
        ..PlanOptions::new(seed, Some(scenario.count), template.clone())
    };
    let plan = Plan::new(&plan_options)?;
    let stop = CancellationToken::new();
    process::stop_on_signals(stop.clone())?;
    let send = SendOptions {
        template: template.clone(),
        signer,
        connections: scenario.connections,
        rate_per_s: scenario.rate,
        retries: retries(&scenario),
        remember: true,
    };
    if scenario.hour_ms.is_none() && scenario.kept.is_none() {
        // With retries the gateway may start later; otherwise an unreachable one is reported at once.
        reach(template.origin()).await?;
    }
    say(&format!("seed {seed}: {} calls to {}", scenario.count, template.origin()));
    network::say_what_differs(&plan_options);
    let given_up = GivenUp::new(&send, scenario.kept.as_deref().map(Keep::at));
    // On the network's clock, each hour prints a line of its own.
    let progress = scenario.hour_ms.is_none().then(|| Progress::of("sending", Some(scenario.count)));
    let on_answer = |call: &Call, answer: &Answer| {
        given_up.observe(call, answer);
        if let Some(progress) = progress.as_ref().filter(|_| answer.attempt == 1) {
            progress.advance(1);
        }
    };
    let report = {
        let sending = run(&send, plan, on_answer, &stop);
        tokio::select! {
            report = sending => report?,
            () = given_up.print_hours(scenario.hour_ms) => anyhow::bail!("the network's clock stopped"),
        }
    };
    drop(progress);
    say_lines(report.to_string().trim_end());
    let keeps = given_up.is_kept();
    let mut clean = given_up.sum_up()? && report.unexpected == 0;
    if let Some(why) = report.nobody_answered() {
        say(&format!("no answer from {}: {why}", template.origin()));
        clean &= keeps;
    }
    if let (Some(path), Some(expected)) = (&scenario.statement, &report.expected) {
        statement(expected, path)?;
    }
    match (&args.token, &report.expected) {
        (Some(token), Some(expected)) => {
            let token = config::reference(token).map_err(|what| anyhow::anyhow!("--token {what}"))?;
            let options = CheckOptions {
                api_url: args.api.unwrap_or_else(|| template.origin().to_owned()),
                token,
                source: source(&args.url)?,
                app: None,
                is_quarantine_counted: network.hides_transactions(),
                deadline: Duration::from_secs(args.deadline),
            };
            let mut checked = during("checking the effects", check(&options, expected)).await?;
            checked.explain(&template);
            say(checked.to_string().trim_end());
            clean &= checked.is_clean();
        }
        _ => say(
            "effects not checked: pass --token to check that each acknowledged event had exactly one effect",
        ),
    }
    Ok(if clean { EXIT_DONE } else { EXIT_FAILED })
}

/// Maximum time to connect.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);

/// Fails if `origin` accepts no connection.
async fn reach(origin: &str) -> anyhow::Result<()> {
    let url = url::Url::parse(origin).with_context(|| format!("{origin} is not a URL"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let connected = tokio::time::timeout(REACH_TIMEOUT, tokio::net::TcpStream::connect((host, port))).await;
    let why = match connected {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "connection refused".to_owned()
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no connection within {} s", REACH_TIMEOUT.as_secs()),
    };
    anyhow::bail!(
        "cannot connect to {origin}: {why}; nothing was sent: check the URL, and that the gateway runs"
    )
}

fn retries(scenario: &Scenario) -> Retries {
    match scenario.hour_ms {
        Some(hour_ms) => {
            Retries { count: RETRIES, delay: Duration::from_millis(RETRY_EVERY_HOURS * hour_ms) }
        }
        None => Retries { count: scenario.retries, delay: Duration::from_secs(1) },
    }
}

fn statement(expected: &Expected, path: &Path) -> anyhow::Result<()> {
    let file = private_file(path).with_context(|| format!("--statement: cannot write {}", path.display()))?;
    let totals = write_statement(expected, file).context("--statement")?;
    say(&format!(
        "statement: {}, {} USD owed, {} never acknowledged",
        count(totals.lines, "line"),
        totals.payout,
        totals.undelivered
    ));
    Ok(())
}

fn list(keep: &Keep) -> anyhow::Result<u8> {
    for kept in keep.all()? {
        say(&format!("{}  {}  after {} attempts: {}", kept.tx_id, kept.act, kept.attempts, kept.last_answer));
    }
    Ok(EXIT_DONE)
}

async fn resend(keep: &Keep, tx: &[String], statement: Option<&Path>) -> anyhow::Result<u8> {
    let known: BTreeSet<String> = keep.all()?.into_iter().map(|kept| kept.tx_id).collect();
    if let Some(unknown) = tx.iter().find(|tx| !known.contains(*tx)) {
        anyhow::bail!("--tx {unknown}: no call of this transaction is kept; nothing was sent");
    }
    let resent = keep.resend(|kept| tx.is_empty() || tx.contains(&kept.tx_id)).await?;
    say(&format!("{} acknowledged, {} not", resent.acknowledged.len(), resent.failed));
    if let Some(path) = statement {
        let delivered = mark_delivered(path, &resent.acknowledged)
            .with_context(|| format!("--statement: {}", path.display()))?;
        say(&format!("statement: {} marked as delivered", count(delivered, "line")));
    }
    Ok(if resent.failed == 0 { EXIT_DONE } else { EXIT_FAILED })
}

/// Adds every parameter under its own name if `url` has no query.
fn with_query(url: &str, network: &Network) -> String {
    let query = network.query();
    if url.contains('?') || query.is_empty() { url.to_owned() } else { format!("{url}?{query}") }
}

fn ratio(text: &str) -> anyhow::Result<Micros> {
    let parsed = Micros::parse(text).ok().filter(|parsed| !parsed.rounded);
    let parsed = parsed.with_context(|| {
        format!("--reward-per-usd: `{text}` is not a number such as 500, with at most six decimals")
    })?;
    Ok(parsed.amount)
}

/// The last part of the URL's path.
fn source(url: &str) -> anyhow::Result<String> {
    let path = url.split('?').next().unwrap_or_default();
    let source = path.rsplit('/').next().filter(|source| !source.is_empty());
    source.map(ToOwned::to_owned).context("the URL names no source: it must end in /pb/NAME")
}
