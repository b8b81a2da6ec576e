//! `rewardgate diagnose`: why a signature does not match and what to change.

use anyhow::Context as _;
use clap::Args;
use domain::postback::carried::Carried;
use domain::postback::diagnosis::network::{Cause, Unmatched};
use domain::postback::networks::Call;
use domain::postback::signature::Secret;
use domain::time::TimestampMs;

use super::captured::{CapturedArgs, captured};
use super::{say, say_lines};
use crate::config::{Settings, Source};
use crate::process::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Which call to diagnose.
#[derive(Debug, Args)]
pub(crate) struct DiagnoseArgs {
    /// Captured URL, complete or from the path on, or a file with it or with the whole request.
    #[arg(required_unless_present = "last_refused", conflicts_with = "last_refused")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) captured: CapturedArgs,
    /// Diagnose the last refused call.
    #[arg(long)]
    pub(crate) last_refused: bool,
    /// URL from the network's dashboard; its host is tried, too.
    #[arg(long, value_name = "URL")]
    pub(crate) dashboard: Option<String>,
    /// Source name. Default: the last part of the URL's path.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
}

/// Diagnoses the call in `args`, or the last refused one.
pub(crate) async fn diagnose(process: &Process, args: DiagnoseArgs) -> anyhow::Result<u8> {
    let settings = &process.settings;
    let dashboard = args.dashboard.as_deref();
    let (said, verifies) = if let Some(url) = &args.url {
        let captured = captured(url, &args.captured)?;
        let name = args.source.clone().map_or_else(|| source_of(settings, &captured.target), Ok)?;
        let (source, now) = (source(settings, &name)?, process.clock.now());
        let host = captured.host().map(str::to_owned);
        captured.with(&settings.public_url, |call| {
            of(settings, source, &Seen { call, carried: Carried::of(call.body), host, dashboard, now })
        })
    } else {
        let refused = process.store.last_refused(args.source.as_deref()).await?;
        let refused = refused.context("no refused call is stored")?;
        say(&format!("the last refused call: {} ({})", without_values(&refused.target), refused.reason));
        // A signature that expires is judged by when it came.
        let (source, now) = (source(settings, &refused.source)?, TimestampMs(refused.received_at));
        refused.kept().with(&settings.public_url, |call| {
            // Read as it is stored: of a method that has no body, too.
            let carried = refused.body.as_deref().and_then(Carried::of_kept);
            of(settings, source, &Seen { call, carried, host: None, dashboard, now })
        })
    };
    say_lines(&said);
    Ok(if verifies { EXIT_DONE } else { EXIT_FAILED })
}

/// What is known about the call.
struct Seen<'a> {
    call: &'a Call<'a>,
    carried: Option<Carried>,
    /// Of the captured URL.
    host: Option<String>,
    dashboard: Option<&'a str>,
    now: TimestampMs,
}

/// The sentences, and whether the call verifies.
fn of(settings: &Settings, source: &Source, seen: &Seen<'_>) -> (String, bool) {
    let definition = source.params.definition();
    let mut other_hosts: Vec<_> = seen.host.iter().cloned().collect();
    let port = settings.listen.port();
    other_hosts.extend([
        settings.listen.to_string(),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
    ]);
    let others = settings.sources.iter().filter(|other| other.name != source.name);
    let other_secrets: Vec<(String, Secret)> = others
        .flat_map(|other| other.keys.secrets.iter().map(|secret| (other.name.clone(), secret.clone())))
        .collect();
    let unmatched = Unmatched {
        definition,
        call: seen.call,
        keys: &source.keys,
        now: seen.now,
        other_hosts: &other_hosts,
        other_secrets: &other_secrets,
        dashboard: seen.dashboard,
        callers: source.callers.networks(),
    };
    let cause = Cause::of(&unmatched, seen.carried.as_ref());
    (cause.to_string(), cause.verifies())
}

fn source<'s>(settings: &'s Settings, name: &str) -> anyhow::Result<&'s Source> {
    let known: Vec<_> = settings.sources.iter().map(|source| source.name.as_str()).collect();
    settings.sources.iter().find(|source| source.name == name).with_context(|| {
        format!("the source `{name}` is not in the settings; known sources: {}", known.join(", "))
    })
}

/// The source that the path names: `/pb/NAME`, and behind it the secret of some networks.
fn source_of(settings: &Settings, target: &str) -> anyhow::Result<String> {
    let path = target.split('?').next().unwrap_or_default();
    let mut parts = path.rsplit('/').filter(|part| !part.is_empty());
    let is_known = |name: &&str| settings.sources.iter().any(|source| source.name == **name);
    // The part behind `pb` counts, even if something follows it.
    let named = path.split_once("/pb/").and_then(|(_, rest)| rest.split('/').next()).filter(is_known);
    let name = named.or_else(|| parts.next());
    Ok(name.context("the URL names no source: add --source NAME")?.to_owned())
}

/// The parameter names only: values are personal data, and the hash may be valid.
fn without_values(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let names: Vec<_> = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).collect();
    format!("{path}?{}", names.join("=…&"))
}
