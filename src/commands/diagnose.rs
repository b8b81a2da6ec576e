//! `rewardgate diagnose`: why a signature does not match and what to change.

use anyhow::Context as _;
use clap::Args;
use domain::postback::carried::Carried;
use domain::postback::diagnosis::{Diagnosis, Suspect, diagnose as look};

use super::{say, say_lines};
use crate::config::Settings;
use crate::process::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Which call to diagnose.
#[derive(Debug, Args)]
pub(crate) struct DiagnoseArgs {
    /// Captured URL, complete or from the path on.
    #[arg(required_unless_present = "last_refused", conflicts_with = "last_refused")]
    pub(crate) url: Option<String>,
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

/// Diagnoses the URL in `args`, or the last refused call.
pub(crate) async fn diagnose(process: &Process, args: DiagnoseArgs) -> anyhow::Result<u8> {
    let settings = &process.settings;
    let (target, host, source, carried) = if let Some(url) = &args.url {
        let (target, host) = split(url);
        let source = args.source.clone().or_else(|| source_of(&target));
        (target, host, source.context("the URL names no source: add --source NAME")?, None)
    } else {
        let call = process.store.last_refused(args.source.as_deref()).await?;
        let call = call.context("no refused call is stored")?;
        say(&format!("the last refused call: {} ({})", without_values(&call.target), call.reason));
        let carried = call.body.as_deref().and_then(Carried::of_kept);
        (call.target, None, call.source, carried)
    };
    let seen =
        Seen { target: &target, host, carried: carried.as_ref(), dashboard: args.dashboard.as_deref() };
    let diagnosis = of(settings, &source, seen)?;
    say_lines(&diagnosis.to_string());
    Ok(if diagnosis == Diagnosis::Verifies { EXIT_DONE } else { EXIT_FAILED })
}

/// What is known about the call.
struct Seen<'a> {
    target: &'a str,
    /// Of the captured URL.
    host: Option<String>,
    carried: Option<&'a Carried>,
    dashboard: Option<&'a str>,
}

fn of(settings: &Settings, source: &str, seen: Seen<'_>) -> anyhow::Result<Diagnosis> {
    let known: Vec<_> = settings.sources.iter().map(|source| source.name.as_str()).collect();
    let configured =
        settings.sources.iter().find(|configured| configured.name == source).with_context(|| {
            format!("the source `{source}` is not in the settings; known sources: {}", known.join(", "))
        })?;
    let mut other_hosts: Vec<_> = seen.host.into_iter().collect();
    let port = settings.listen.port();
    other_hosts.extend([
        settings.listen.to_string(),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
    ]);
    let others = settings.sources.iter().filter(|other| other.name != source);
    let other_secrets: Vec<_> = others
        .flat_map(|other| other.keys.secrets.iter().map(|secret| (other.name.clone(), secret.clone())))
        .collect();
    Ok(look(&Suspect {
        target: seen.target,
        origin: &settings.public_url,
        other_hosts: &other_hosts,
        form: configured.params.definition().signature.url_form().unwrap_or_default(),
        secrets: &configured.keys.secrets,
        other_secrets: &other_secrets,
        carried: seen.carried,
        dashboard: seen.dashboard,
    }))
}

/// Path and query of a URL, and its host if it has one.
fn split(url: &str) -> (String, Option<String>) {
    match url.split_once("://") {
        Some((_, rest)) => match rest.find('/') {
            Some(at) => (rest[at..].to_owned(), Some(rest[..at].to_owned())),
            None => ("/".into(), Some(rest.to_owned())),
        },
        None => (url.to_owned(), None),
    }
}

/// The last part of the path.
fn source_of(target: &str) -> Option<String> {
    let path = target.split('?').next().unwrap_or_default();
    path.rsplit('/').next().filter(|name| !name.is_empty()).map(ToOwned::to_owned)
}

/// The parameter names only: values are personal data, and the hash may be valid.
fn without_values(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let names: Vec<_> = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).collect();
    format!("{path}?{}", names.join("=…&"))
}
