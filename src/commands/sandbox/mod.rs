//! `rewardgate sandbox`: plays the network against any gateway, and checks what became of it.

mod scenario;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use domain::postback::event::Params;
use domain::postback::network::Network;
use domain::postback::signature::SignatureForm;
use domain::text::count;
use rand::RngExt as _;
use sandbox::{
    Answer, Call, CheckOptions, Expected, Keep, Kept, Mix, Plan, PlanOptions, Retries, SendOptions, Signer,
    Template, check, mark_delivered, run, write_statement,
};
use tokio_util::sync::CancellationToken;

use crate::commands::progress::{Progress, during};
use crate::commands::{private_file, say, say_lines};
use crate::{EXIT_DONE, EXIT_FAILED, config, roles};
use scenario::Scenario;

/// How the network insists: once every so many of its hours …
const RETRY_EVERY_HOURS: u64 = 6;
/// … and so often.
const RETRIES: u32 = 5;
/// The slowest clock is the real one.
const MAX_HOUR_MS: u64 = 3_600_000;

/// What is sent where.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[expect(clippy::doc_markdown, reason = "these comments are the help text, which knows no markup")]
pub(crate) struct SandboxArgs {
    /// What was given up before.
    #[command(subcommand)]
    command: Option<SandboxCommand>,
    /// The publisher's URL as it stands in the network's dashboard, with macros in braces; without a query every
    /// macro under its own name.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8080/pb/targo-main")]
    url: String,
    /// The source's secret: env:NAME or file:PATH.
    #[arg(long, default_value = "env:TARGO_SECRET", value_name = "REFERENCE")]
    secret: String,
    /// What of the URL is signed.
    #[arg(long, value_enum, default_value_t = FormArg::Empty)]
    signature_form: FormArg,
    /// The gateway's public_url, if that is not where the calls go: it is what is signed.
    #[arg(long, value_name = "URL")]
    signed_origin: Option<String>,
    /// A TOML file that says what follows below; flags go before it.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// How many calls [default: 1000].
    #[arg(long)]
    count: Option<u64>,
    /// Calls a second on a fixed schedule, however slow the answers; 0: as fast as the connections allow [default:
    /// 100].
    #[arg(long)]
    rate: Option<u32>,
    /// Keep-alive connections [default: 64].
    #[arg(long)]
    connections: Option<usize>,
    /// The same seed plans the same calls; without it a new one.
    #[arg(long)]
    seed: Option<u64>,
    /// Shares of what is not honest, e.g. reversal=0.2,forged=0.05. Known: impossible_speed, wrong_country, repeat,
    /// reversal, early_reversal, duplicate, forged, broken.
    #[arg(long, value_name = "NAME=SHARE,…")]
    mix: Option<Mix>,
    /// How often a call that is not acknowledged is sent again, a second apart [default: 0].
    #[arg(long)]
    retries: Option<u32>,
    /// Insist as the network does, every 6 hours and 5 times, on a clock whose hour lasts so many milliseconds.
    #[arg(long, value_name = "MS", conflicts_with = "retries", value_parser = clap::value_parser!(u64).range(1..=MAX_HOUR_MS))]
    hour_ms: Option<u64>,
    /// Where to keep what was given up after the last retry, to be sent again by `sandbox resend`.
    #[arg(long, value_name = "FILE")]
    kept: Option<PathBuf>,
    /// Where to write the network's own statement as CSV: what it thinks it sent and owes.
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,
    /// A token of the API: env:NAME or file:PATH. With it, every acknowledged event is checked to have had exactly
    /// one effect.
    #[arg(long, value_name = "REFERENCE")]
    token: Option<String>,
    /// Where the API is, if not where the calls go.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// How long the gateway has to finish, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    deadline: u64,
}

/// What was given up before.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Lists what was given up.
    Kept {
        /// Where it is kept.
        #[arg(long, value_name = "FILE")]
        kept: PathBuf,
    },
    /// Sends again what was given up, as a network does when its account manager is asked. Exit 1 if something still
    /// is not acknowledged.
    Resend {
        /// Where it is kept.
        #[arg(long, value_name = "FILE")]
        kept: PathBuf,
        /// Only this transaction; may be given several times.
        #[arg(long, value_name = "ID")]
        tx: Vec<String>,
        /// The network's statement that was written before: what is acknowledged now is delivered in it, too.
        #[arg(long, value_name = "FILE")]
        statement: Option<PathBuf>,
    },
}

/// What of the URL is signed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormArg {
    /// `hash=` present but empty.
    Empty,
    /// The URL before `&hash=`.
    Cut,
}

/// Sends, reports, checks. Exit 1 if an answer or an effect is not what it must be.
pub(crate) async fn sandbox(args: SandboxArgs) -> anyhow::Result<u8> {
    match &args.command {
        Some(SandboxCommand::Kept { kept }) => return list(&Keep::at(kept)),
        Some(SandboxCommand::Resend { kept, tx, statement }) => {
            return resend(&Keep::at(kept), tx, statement.as_deref()).await;
        }
        None => {}
    }
    let scenario = Scenario::of(&args)?;
    let template = Template::parse(&with_query(&args.url)?).context("URL")?;
    let secret = config::secret(&args.secret).map_err(|what| anyhow::anyhow!("--secret {what}"))?;
    let form = match args.signature_form {
        FormArg::Empty => SignatureForm::Empty,
        FormArg::Cut => SignatureForm::Cut,
    };
    let seed = scenario.seed.unwrap_or_else(|| rand::rng().random_range(1..=u64::from(u32::MAX)));
    let signer =
        Signer::new(&template, args.signed_origin.as_deref(), form, secret).context("--signed-origin")?;
    let plan_options =
        PlanOptions { mix: scenario.mix, ..PlanOptions::new(seed, Some(scenario.count), template.clone()) };
    let plan = Plan::new(&plan_options)?;
    let stop = CancellationToken::new();
    roles::stop_on_signals(stop.clone())?;
    let send = SendOptions {
        template: template.clone(),
        signer,
        connections: scenario.connections,
        rate_per_s: scenario.rate,
        retries: retries(&scenario),
        remember: true,
    };
    if scenario.hour_ms.is_none() && scenario.kept.is_none() {
        // A network that insists may be earlier than the gateway; everybody else wants to know at once.
        reach(template.origin()).await?;
    }
    say(&format!("seed {seed}: {} calls to {}", scenario.count, template.origin()));
    let given_up = GivenUp::new(&send, scenario.kept.as_deref().map(Keep::at));
    // The hours of the network's clock say how far it is by themselves.
    let progress = scenario.hour_ms.is_none().then(|| Progress::of("sending", Some(scenario.count)));
    let on_answer = |call: &Call, answer: &Answer| {
        given_up.look(call, answer);
        if let Some(progress) = progress.as_ref().filter(|_| answer.attempt == 1) {
            progress.advance(1);
        }
    };
    let report = {
        let sending = run(&send, plan, on_answer, &stop);
        tokio::select! {
            report = sending => report?,
            () = given_up.tell_hours(scenario.hour_ms) => anyhow::bail!("the network's clock stood still"),
        }
    };
    drop(progress);
    say_lines(report.to_string().trim_end());
    let keeps = given_up.keep.is_some();
    let mut clean = given_up.sum_up()? && report.unexpected == 0;
    if let Some(why) = report.nobody_answered() {
        say(&format!("nobody answered at {}: {why}", template.origin()));
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
                deadline: Duration::from_secs(args.deadline),
            };
            let mut checked = during("checking what became of them", check(&options, expected)).await?;
            checked.explain(&template);
            say(checked.to_string().trim_end());
            clean &= checked.is_clean();
        }
        _ => say("not checked: give --token to compare what was acknowledged with what became of it"),
    }
    Ok(if clean { EXIT_DONE } else { EXIT_FAILED })
}

/// How long a connection may take to come about.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);

/// Fails if nobody listens at `origin`.
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
        "nobody listens at {origin}: {why}; nothing was sent. Is the gateway running, and is the URL right?"
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

/// Watches for what is given up, and keeps it.
struct GivenUp<'s> {
    send: &'s SendOptions,
    keep: Option<Keep>,
    seen: Mutex<Seen>,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    acknowledged: u64,
    /// Not acknowledged yet, by the number of the call.
    waiting: HashMap<u64, Kept>,
    given_up: u64,
    fault: Option<anyhow::Error>,
}

impl<'s> GivenUp<'s> {
    fn new(send: &'s SendOptions, keep: Option<Keep>) -> Self {
        Self { send, keep, seen: Mutex::default() }
    }

    fn look(&self, call: &Call, answer: &Answer) {
        if !call.is_genuine() {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.waiting.remove(&call.number);
        if answer.acknowledged {
            seen.acknowledged += 1;
            return;
        }
        let kept = Kept::of(call, answer, &self.send.template, &self.send.signer);
        if answer.attempt <= self.send.retries.count {
            seen.waiting.insert(call.number, kept);
        } else {
            seen.given_up += 1;
            self.keep(&mut seen, &kept);
        }
    }

    fn keep(&self, seen: &mut Seen, kept: &Kept) {
        if let Some(keep) = &self.keep
            && let Err(error) = keep.add(kept)
        {
            seen.fault.get_or_insert(error.into());
        }
    }

    /// Says at every hour of the network's clock how things stand; says nothing on the real one.
    async fn tell_hours(&self, hour_ms: Option<u64>) {
        let Some(hour_ms) = hour_ms else { return std::future::pending().await };
        let (began, hour) = (Instant::now(), Duration::from_millis(hour_ms));
        for hours in 1_u32.. {
            tokio::time::sleep((hour * hours).saturating_sub(began.elapsed())).await;
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let Seen { acknowledged, waiting, given_up, .. } = &*seen;
            let waiting = waiting.len();
            say(&format!(
                "hour {hours}: {acknowledged} acknowledged, {waiting} wait for a retry, {given_up} given up"
            ));
        }
    }

    /// Says what was given up; true if all of it is kept. What still waited for a retry when the sandbox was stopped is
    /// given up, too.
    fn sum_up(self) -> anyhow::Result<bool> {
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let mut waiting: Vec<_> = std::mem::take(&mut seen.waiting).into_iter().collect();
        waiting.sort_unstable_by_key(|(number, _)| *number);
        for (_, kept) in &waiting {
            self.keep(&mut seen, kept);
        }
        if !waiting.is_empty() {
            let stopped = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
            seen.given_up += stopped;
            say(&format!("{} waited for a retry when it was stopped", count(stopped, "call")));
        }
        if let Some(fault) = seen.fault {
            return Err(fault.context("--kept: what was given up could not be kept"));
        }
        if seen.given_up > 0 {
            let how = match self.keep {
                Some(_) => "kept: see `sandbox kept`, and send them again with `sandbox resend`",
                None => "lost: with --kept FILE they would have been kept",
            };
            say(&format!("{} given up, {how}", count(seen.given_up, "call")));
        }
        Ok(waiting.is_empty() || self.keep.is_some())
    }
}

fn statement(expected: &Expected, path: &Path) -> anyhow::Result<()> {
    let file =
        private_file(path).with_context(|| format!("--statement: {} cannot be written", path.display()))?;
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
        anyhow::bail!("--tx {unknown}: nothing of this transaction is kept, so nothing was sent");
    }
    let resent = keep.resend(|kept| tx.is_empty() || tx.contains(&kept.tx_id)).await?;
    say(&format!("{} acknowledged, {} not", resent.acknowledged.len(), resent.failed));
    if let Some(path) = statement {
        let delivered = mark_delivered(path, &resent.acknowledged)
            .with_context(|| format!("--statement: {}", path.display()))?;
        say(&format!("statement: {} delivered now", count(delivered, "line")));
    }
    Ok(if resent.failed == 0 { EXIT_DONE } else { EXIT_FAILED })
}

/// The URL, with every macro under its own name if it has no query.
fn with_query(url: &str) -> anyhow::Result<String> {
    if url.contains('?') {
        return Ok(url.to_owned());
    }
    let params = Params::new(Network::Targo, &std::collections::BTreeMap::new())?;
    Ok(format!("{url}?{}", params.query_template()))
}

/// The source that the URL names: the last part of its path.
fn source(url: &str) -> anyhow::Result<String> {
    let path = url.split('?').next().unwrap_or_default();
    let source = path.rsplit('/').next().filter(|source| !source.is_empty());
    source.map(ToOwned::to_owned).context("the URL names no source: it ends in /pb/NAME")
}
