//! `networks test`: a definition on a captured call.

use std::path::PathBuf;

use clap::Args;
use domain::money::Micros;
use domain::postback::carried::Carried;
use domain::postback::diagnosis::network::{Cause, Unmatched};
use domain::postback::event::Params;
use domain::postback::networks::pasted::PastedCall;
use domain::postback::networks::signature::{Keys, Message, Proof, PublicKey};
use domain::postback::networks::trial::{Checked, trial};
use domain::postback::networks::{Call, Definition};
use domain::postback::signature::Secret;

use super::Known;
use crate::commands::captured::{CapturedArgs, captured};
use crate::commands::{bad_usage, say};
use crate::config::{Source, secret};
use crate::{EXIT_DONE, EXIT_FAILED, clock};

/// Stands for the users' currency if no source names it.
const UNITS: &str = "units";

/// Which definition, which call, which secret.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Name of a network, or a definition's file (.toml).
    name: String,
    /// Captured URL, complete or from the path on, or a file with it or with the whole request.
    url: String,
    #[command(flatten)]
    captured: CapturedArgs,
    /// Source of the settings, whose secrets, renames and statuses count.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["secret", "second_secret", "public_keys", "reward_per_usd"])]
    source: Option<String>,
    /// The network's secret: `env:NAME` or `file:PATH`.
    #[arg(long, value_name = "REFERENCE")]
    secret: Option<String>,
    /// The second secret that some networks sign, too: `env:NAME` or `file:PATH`.
    #[arg(long, value_name = "REFERENCE")]
    second_secret: Option<String>,
    /// The network's public keys: its key list in JSON, or a PEM file.
    #[arg(long, value_name = "FILE")]
    public_keys: Option<PathBuf>,
    /// Units of reward for one USD of payout, for networks that name no reward.
    #[arg(long, value_name = "UNITS")]
    reward_per_usd: Option<String>,
}

/// Tries the definition, and prints what was found.
pub(super) fn test(known: &Known, args: &TestArgs) -> anyhow::Result<u8> {
    let definition = known.find(&args.name)?;
    let source = args.source.as_deref().map(|name| source(known, name, &definition)).transpose()?;
    let captured = captured(&args.url, &args.captured)?;
    let origin = origin(known, &captured, source, &definition)?;
    let now = clock::system().now();
    let (params, keys) = match source {
        Some(source) => (source.params.clone(), Some(source.keys.clone())),
        None => (params(args, &definition)?, keys(args)?),
    };
    let currency = source.map_or(UNITS, |source| source.currency.as_str());
    captured.with(&origin, |call| {
        let trial = trial(call, &params, keys.as_ref(), now);
        say(&definition.heading());
        for line in trial.lines(currency) {
            say(&format!("{:<11} {}", line.about, line.text));
        }
        if let (Checked::Refused(_), Some(keys)) = (&trial.signature, &keys) {
            say(&format!("{:<11} {}", "cause", cause(known, call, &params, keys, &captured, source)));
        }
        Ok(if trial.is_good() { EXIT_DONE } else { EXIT_FAILED })
    })
}

fn cause(
    known: &Known,
    call: &Call<'_>,
    params: &Params,
    keys: &Keys,
    captured: &PastedCall,
    source: Option<&Source>,
) -> String {
    let hosts: Vec<_> = captured.host().map(str::to_owned).into_iter().collect();
    let sources = known.settings.iter().flat_map(|settings| &settings.sources);
    let others = sources.filter(|other| source.is_some_and(|own| own.name != other.name));
    let others: Vec<(String, Secret)> = others
        .flat_map(|other| other.keys.secrets.iter().map(|secret| (other.name.clone(), secret.clone())))
        .collect();
    let unmatched = Unmatched {
        definition: params.definition(),
        call,
        keys,
        now: clock::system().now(),
        other_hosts: &hosts,
        other_secrets: &others,
        dashboard: None,
        callers: &params.definition().callers.ips,
    };
    let carried = Carried::of(call.body);
    Cause::of(&unmatched, carried.as_ref()).to_string()
}

/// The source of that name, which must have this network.
fn source<'k>(known: &'k Known, name: &str, definition: &Definition) -> anyhow::Result<&'k Source> {
    let Some(settings) = &known.settings else {
        return Err(bad_usage(
            "`--source` needs settings: name them with --config FILE, or use --secret".into(),
        ));
    };
    let sources = &settings.sources;
    let Some(source) = sources.iter().find(|source| source.name == name) else {
        let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
        return Err(bad_usage(format!(
            "the source `{name}` is not in the settings; known sources: {}",
            names.join(", ")
        )));
    };
    let own = &source.params.definition().name;
    if *own != definition.name {
        return Err(bad_usage(format!(
            "the source `{name}` has the network `{own}`, not `{0}`: test that network, or use --secret for `{0}`",
            definition.name
        )));
    }
    Ok(source)
}

/// What the network signs in front of the path: `public_url` for a source, else what was captured.
fn origin(
    known: &Known,
    captured: &PastedCall,
    source: Option<&Source>,
    definition: &Definition,
) -> anyhow::Result<String> {
    let of_settings = known.settings.as_ref().map(|settings| settings.public_url.clone());
    let of_call = captured.origin.clone();
    let of_host = captured.host().map(|host| format!("https://{host}"));
    let origin = if source.is_some() { of_settings } else { of_call.or(of_settings).or(of_host) };
    let signs_host = matches!(&definition.signature.proof, Proof::Signed(scheme) if matches!(scheme.message, Message::Url(_)));
    match origin {
        Some(origin) => Ok(origin),
        None if signs_host => Err(bad_usage(format!(
            "{} signs the host, too: give the complete URL, with https:// and host",
            definition.title
        ))),
        None => Ok(String::new()),
    }
}

fn params(args: &TestArgs, definition: &Definition) -> anyhow::Result<Params> {
    let params = Params::of(definition.clone());
    let Some(text) = &args.reward_per_usd else { return Ok(params) };
    match Micros::parse(text) {
        Ok(parsed) if parsed.amount.0 > 0 && !parsed.rounded => Ok(params.with_reward_per_usd(parsed.amount)),
        _ => Err(bad_usage(format!(
            "`--reward-per-usd` must be a number above zero such as 500, not `{text}`"
        ))),
    }
}

/// `None` if no secret and no key is given.
fn keys(args: &TestArgs) -> anyhow::Result<Option<Keys>> {
    let read = |option: &str, reference: &Option<String>| -> anyhow::Result<Vec<Secret>> {
        let Some(reference) = reference else { return Ok(Vec::new()) };
        let secret = secret(reference).map_err(|what| bad_usage(format!("`{option}` {what}")))?;
        Ok(vec![secret])
    };
    let secrets = read("--secret", &args.secret)?;
    let second = read("--second-secret", &args.second_secret)?;
    let public = match &args.public_keys {
        None => Vec::new(),
        Some(file) => {
            let shown = file.display();
            let text = std::fs::read_to_string(file)
                .map_err(|why| bad_usage(format!("`--public-keys` {shown} cannot be read: {why}")))?;
            PublicKey::read_list(&text).map_err(|why| bad_usage(format!("`--public-keys` {shown} {why}")))?
        }
    };
    let is_given = !secrets.is_empty() || !second.is_empty() || !public.is_empty();
    Ok(is_given.then_some(Keys { secrets, second, public }))
}
