//! The settings, or settings that are made up from the name of a network.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use domain::caller::{CallerList, IpPolicy};
use domain::money::Micros;
use domain::postback::event::Params;
use domain::postback::networks::signature::{Keys, Place, Proof, PublicKey};
use domain::postback::networks::{Definition, Field, shipped};
use domain::postback::signature::Secret;
use domain::text::is_similar;
use store::statements::Reading;

use super::PastArgs;
use super::sources::Sources;
use crate::commands::bad_usage;
use crate::config::{DEFAULT_FILE, Environment, Settings, Source, secret};
use crate::roles;

/// Stands for the users' currency of a source that is made up.
const UNITS: &str = "units";
/// Units of reward for a USD, where the network names no reward and nobody says.
const UNITS_PER_USD: Micros = Micros(1_000_000);

/// Why a signature is not checked.
const NO_SECRET: &str = "not checked: no secret was given";
const IN_HEADER: &str = "not checked: this network signs in a header, which the files do not have";
const OF_BODY: &str = "not checked: this network signs the body, which the files do not have";

/// What a network needs that is not in the settings.
#[derive(Debug, Default, Args)]
pub(crate) struct NetworkArgs {
    /// The secret of the network that --source names: `env:NAME` or `file:PATH`. Without it signatures are not checked.
    #[arg(long, value_name = "REFERENCE", requires = "source")]
    secret: Option<String>,
    /// The second secret that some networks sign, too: `env:NAME` or `file:PATH`.
    #[arg(long, value_name = "REFERENCE", requires = "secret")]
    second_secret: Option<String>,
    /// The network's public keys: its key list in JSON, or a PEM file.
    #[arg(long, value_name = "FILE", requires = "source")]
    public_keys: Option<String>,
    /// Units of reward for one USD of payout, for networks that name no reward.
    #[arg(long, value_name = "UNITS")]
    reward_per_usd: Option<String>,
}

/// The settings in force: those of the file, if there is one, with the network that `--source` names if they lack it.
/// Without a file every network that ships is a source of its own name.
pub(crate) fn settings(
    config: Option<&Path>,
    folder: &Path,
    args: &PastArgs,
    network: &NetworkArgs,
) -> anyhow::Result<(Settings, Sources)> {
    let has_file = config.is_some() || Path::new(DEFAULT_FILE).exists();
    let mut settings = if has_file { Settings::load(config)? } else { made_up(folder)? };
    let of_file = settings.sources.len();
    let like = Like::of(&settings)?;
    let has = |settings: &Settings, name: &str| settings.sources.iter().any(|source| source.name == name);
    match args.source.as_deref() {
        Some(name) if has_file && has(&settings, name) => {
            if network.secret.is_some() || network.public_keys.is_some() {
                return Err(bad_usage(format!(
                    "`--secret` has no use: the settings have the source `{name}` with its own; remove it"
                )));
            }
        }
        Some(name) => {
            let found = definition(&settings, name)?;
            if !has_file {
                settings.sources.clear();
            }
            let keys = keys(network)?;
            let source = source(&like, found, keys, reward_per_usd(network)?);
            settings.sources.push(source);
        }
        None if has_file => {}
        None => {
            let units = reward_per_usd(network)?;
            let shipped: Vec<_> =
                shipped::names().filter_map(|name| shipped::definition(name)?.ok()).collect();
            let all = shipped.into_iter().map(|found| source(&like, found, Keys::default(), units));
            settings.sources = all.collect();
        }
    }
    let given = if has_file { of_file } else { 0 };
    let sources = sources(&settings, given, args);
    Ok((settings, sources))
}

/// The sources of `settings`; the first `given` of them are not made up.
pub(crate) fn sources(settings: &Settings, given: usize, args: &PastArgs) -> Sources {
    let unchecked: BTreeMap<_, _> = settings
        .sources
        .iter()
        .enumerate()
        .filter_map(|(index, source)| Some((source.name.clone(), unchecked(source, index >= given)?)))
        .collect();
    let origins = args.origin.iter().map(|origin| origin.trim_end_matches('/').to_owned());
    let of_settings = (given > 0).then(|| settings.public_url.clone());
    Sources {
        endpoints: roles::endpoints(settings),
        unchecked,
        fallback: args.source.clone(),
        // At least one, so that every call is checked under something.
        origins: origins.chain(of_settings).chain([String::new()]).collect(),
    }
}

fn unchecked(source: &Source, is_made_up: bool) -> Option<&'static str> {
    let definition = source.params.definition();
    let has_keys = !source.keys.secrets.is_empty() || !source.keys.public.is_empty();
    match (&definition.signature.proof, definition.signature.place()) {
        (Proof::Nothing, _) => None,
        _ if is_made_up && !has_keys => Some(NO_SECRET),
        (_, Some(Place::Header { .. })) => Some(IN_HEADER),
        _ if definition.reads_bodies() => Some(OF_BODY),
        _ => None,
    }
}

/// Settings whose sources are still to be made up. A source needs a secret, so the folder has one that nobody uses.
fn made_up(folder: &Path) -> anyhow::Result<Settings> {
    let file = folder.join("unused");
    std::fs::write(&file, crate::commands::new_token()?).context("the temporary folder cannot be written")?;
    let text = format!(
        "public_url = \"https://gw.example.com\"\n[[sources]]\nname = \"unused\"\nnetwork = \"targo\"\n\
         secret = \"file:{}\"\ncurrency = {UNITS:?}\n",
        file.display()
    );
    Settings::parse(&text, Environment::Ignored).map_err(|faults| anyhow::anyhow!("{}", faults.join("\n")))
}

/// What a source that is made up has in common with the others.
struct Like {
    app: String,
    statements: Reading,
}

impl Like {
    fn of(settings: &Settings) -> anyhow::Result<Self> {
        let source = settings.sources.first().context("the settings have no source")?;
        Ok(Self { app: source.app.clone(), statements: source.statements.clone() })
    }
}

/// A source of `network` under its name, with the terms for statements of another one: none are read here.
fn source(like: &Like, network: Definition, keys: Keys, units: Option<Micros>) -> Source {
    let (name, ips) = (network.name.clone(), network.callers.ips.clone());
    let names_reward = network.field(Field::Reward).is_some();
    let params = Params::of(network);
    let params =
        if names_reward { params } else { params.with_reward_per_usd(units.unwrap_or(UNITS_PER_USD)) };
    Source {
        name,
        app: like.app.clone(),
        currency: UNITS.into(),
        keys,
        params,
        callers: CallerList::new(ips, IpPolicy::Flag),
        statements: like.statements.clone(),
    }
}

fn definition(settings: &Settings, name: &str) -> anyhow::Result<Definition> {
    let own = settings.networks.iter().find(|definition| definition.name == name).cloned();
    if let Some(found) = own.or_else(|| shipped::definition(name).and_then(Result::ok)) {
        return Ok(found);
    }
    let of_settings = settings.sources.iter().map(|source| source.name.as_str());
    let meant = of_settings.chain(shipped::names().map(|it| it as &str)).find(|near| is_similar(name, near));
    let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
    Err(bad_usage(format!(
        "`--source {name}` is neither a source of the settings nor a network{meant}: `rewardgate networks list` shows all \
         networks; your own need --config FILE"
    )))
}

fn keys(args: &NetworkArgs) -> anyhow::Result<Keys> {
    let read = |option: &str, reference: Option<&String>| -> anyhow::Result<Vec<Secret>> {
        let Some(reference) = reference else { return Ok(Vec::new()) };
        Ok(vec![secret(reference).map_err(|what| bad_usage(format!("`{option}` {what}")))?])
    };
    let public = match &args.public_keys {
        None => Vec::new(),
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|why| bad_usage(format!("`--public-keys` {file} cannot be read: {why}")))?;
            PublicKey::read_list(&text).map_err(|why| bad_usage(format!("`--public-keys` {file} {why}")))?
        }
    };
    Ok(Keys {
        secrets: read("--secret", args.secret.as_ref())?,
        second: read("--second-secret", args.second_secret.as_ref())?,
        public,
    })
}

fn reward_per_usd(args: &NetworkArgs) -> anyhow::Result<Option<Micros>> {
    let Some(text) = &args.reward_per_usd else { return Ok(None) };
    match Micros::parse(text) {
        Ok(parsed) if parsed.amount.0 > 0 && !parsed.rounded => Ok(Some(parsed.amount)),
        _ => Err(bad_usage(format!(
            "`--reward-per-usd` must be a number above zero such as 500, not `{text}`"
        ))),
    }
}
