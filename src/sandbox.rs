//! `rewardgate sandbox`: plays the network against any gateway, and checks what became of it.

use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use domain::event::Params;
use domain::network::Network;
use domain::signature::SignatureForm;
use jobs::sandbox::{
    CheckOptions, Mix, Plan, PlanOptions, Retries, SendOptions, Signer, Template, check, run,
};
use rand::RngExt as _;
use tokio_util::sync::CancellationToken;

use crate::commands::say;
use crate::{EXIT_DONE, EXIT_FAILED, config, roles};

/// What is sent where.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "these comments are the help text, which knows no markup")]
pub(crate) struct SandboxArgs {
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
    /// How many calls.
    #[arg(long, default_value_t = 1_000)]
    count: u64,
    /// Calls a second on a fixed schedule, however slow the answers; 0: as fast as the connections allow.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// The same seed plans the same calls; without it a new one.
    #[arg(long)]
    seed: Option<u64>,
    /// Shares of what is not honest, e.g. reversal=0.2,forged=0.05. Known: impossible_speed, wrong_country, repeat,
    /// reversal, early_reversal, duplicate, forged, broken.
    #[arg(long, value_name = "NAME=SHARE,…")]
    mix: Option<Mix>,
    /// How often a call that is not acknowledged is sent again, a second apart.
    #[arg(long, default_value_t = 0)]
    retries: u32,
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
    let template = Template::parse(&with_query(&args.url)?).context("URL")?;
    let secret = config::secret(&args.secret).map_err(|what| anyhow::anyhow!("--secret {what}"))?;
    let form = match args.signature_form {
        FormArg::Empty => SignatureForm::Empty,
        FormArg::Cut => SignatureForm::Cut,
    };
    let seed = args.seed.unwrap_or_else(|| rand::rng().random_range(1..=u64::from(u32::MAX)));
    let signer =
        Signer::new(&template, args.signed_origin.as_deref(), form, secret).context("--signed-origin")?;
    let plan_options = PlanOptions {
        mix: args.mix.unwrap_or_default(),
        ..PlanOptions::new(seed, Some(args.count), template.clone())
    };
    let plan = Plan::new(&plan_options)?;
    let stop = CancellationToken::new();
    roles::stop_on_signals(stop.clone())?;
    let send = SendOptions {
        template: template.clone(),
        signer,
        connections: args.connections,
        rate_per_s: args.rate,
        retries: Retries { count: args.retries, delay: Duration::from_secs(1) },
        remember: true,
    };
    say(&format!("seed {seed}: {} calls to {}", args.count, template.origin()));
    let report = run(&send, plan, |_, _| {}, &stop).await?;
    say(report.to_string().trim_end());
    let mut clean = report.unexpected == 0;
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
            let checked = check(&options, expected).await?;
            say(checked.to_string().trim_end());
            clean &= checked.is_clean();
        }
        _ => say("not checked: give --token to compare what was acknowledged with what became of it"),
    }
    Ok(if clean { EXIT_DONE } else { EXIT_FAILED })
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
