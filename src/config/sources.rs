//! Sources and apps, and the secrets that they refer to.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use domain::caller::{CallerList, IpPolicy, parse_network};
use domain::postback::event::{Params, ReversalId};
use domain::postback::networks::Definition;
use domain::postback::networks::kinds::Meaning;
use domain::postback::networks::signature::{Keys, Proof};
use domain::postback::query::Plus;
use domain::postback::signature::Secret;
use ipnet::IpNet;
use store::statements::Reading;

use super::forward::{Forward, forward};
use super::layers::Section;
use super::networks;
use super::statements::statements;

/// An endpoint for one app at one network, with its own secrets.
#[derive(Debug)]
pub(crate) struct Source {
    /// The last part of its URL.
    pub(crate) name: String,
    /// Name of the app that its users belong to.
    pub(crate) app: String,
    /// Currency of its rewards, e.g. `coins`.
    pub(crate) currency: String,
    /// What its signatures are checked with; several secrets while rotating.
    pub(crate) keys: Keys,
    /// Its network, with its names of parameters and statuses.
    pub(crate) params: Params,
    /// Addresses that the network calls from.
    pub(crate) callers: CallerList,
    /// How statements of the network are read and matched.
    pub(crate) statements: Reading,
}

pub(super) fn apps(top: &mut Section<'_>) -> (BTreeSet<String>, Vec<Forward>) {
    let (mut apps, mut forwards) = (BTreeSet::new(), Vec::new());
    for part in top.list_or_shown("apps") {
        let mut section = top.inner(part);
        let name = name(&mut section);
        if let Some(name) = &name
            && !apps.insert(name.clone())
        {
            section.fault("name", &format!("`{name}` is used twice"));
        }
        if let Some(part) = section.optional_table("forward") {
            let mut inner = section.inner(part);
            forwards.extend(forward(&mut inner, name.as_deref()));
            inner.finish();
        }
        section.finish();
    }
    (apps, forwards)
}

/// The `[[sources]]`, whose networks are `own` or ship.
pub(super) fn sources(
    top: &mut Section<'_>,
    own: &[Definition],
    apps: &BTreeSet<String>,
    timezone: Option<Tz>,
) -> Vec<Source> {
    let list = top.list("sources");
    if list.is_empty() {
        top.fault("sources", "is empty: add a [[sources]] section for each endpoint");
    }
    let mut sources: Vec<Source> = Vec::new();
    for part in list {
        let mut section = top.inner(part);
        if let Some(source) = source(&mut section, own, apps, timezone) {
            if sources.iter().any(|other| other.name == source.name) {
                section.fault("name", &format!("`{}` is used twice", source.name));
            }
            sources.push(source);
        }
        section.finish();
    }
    sources
}

fn source(
    section: &mut Section<'_>,
    own: &[Definition],
    apps: &BTreeSet<String>,
    timezone: Option<Tz>,
) -> Option<Source> {
    let name = name(section);
    let network = networks::network(section, own);
    let keys = networks::keys(section, network.as_ref());
    let network = networks::with_form(section, network);
    let currency: Option<String> =
        section.required("currency", "the name of the users' currency, e.g. \"coins\"");
    let app: Option<String> = section.optional("app").or_else(|| only(apps));
    match &app {
        Some(app) if !apps.contains(app) => {
            section.fault("app", &format!("names `{app}`, which is not in [[apps]]"));
        }
        None => section.fault("app", "is missing: there is more than one app"),
        Some(_) => {}
    }
    let renames: Option<BTreeMap<String, String>> = section.value("params");
    let callers = callers(section, network.as_ref());
    let params = network.clone().zip(renames).map(|(network, renames)| Params::of(network).renamed(&renames));
    if let Some(Err(bad)) = &params {
        section.fault("params", &format!("is invalid: {bad}"));
    }
    let plus: Option<Plus> = section.value("plus");
    let statuses: Option<BTreeMap<String, Meaning>> = section.value("statuses");
    let reward_per_usd = networks::reward_per_usd(section, network.as_ref());
    let test_users: Option<BTreeSet<String>> = section.value("test_users");
    let reversal_id: Option<ReversalId> = section.optional("reversal_id");
    let params = params.and_then(Result::ok).and_then(|params| {
        let params = reward_per_usd.into_iter().fold(params, Params::with_reward_per_usd);
        let params = test_users.into_iter().fold(params, Params::with_test_users);
        // Errors are recorded, and reading continues to find the others.
        let params = plus.into_iter().fold(params, Params::with_plus);
        let params = reversal_id.into_iter().fold(params, Params::with_reversal_id);
        let read = params.with_statuses(&statuses?);
        read.map_err(|bad| section.fault("statuses", &bad.to_string())).ok()
    });
    let statements = statements(section, network.as_ref(), timezone);
    if currency.as_deref().is_some_and(|currency| currency.trim().is_empty() || currency.len() > 32) {
        section.fault("currency", "must have 1 to 32 characters");
    }
    Some(Source {
        name: name?,
        app: app?,
        currency: currency?,
        keys,
        params: params?,
        callers: callers?,
        statements: statements?,
    })
}

/// A list of addresses and networks.
pub(super) fn addresses(section: &mut Section<'_>, key: &'static str, such_as: &str) -> Option<Vec<IpNet>> {
    let texts: Vec<String> = section.value(key)?;
    let mut networks = Vec::with_capacity(texts.len());
    for text in texts {
        match parse_network(&text) {
            Some(network) => networks.push(network),
            None => section.fault(
                key,
                &format!("holds `{text}`, which is neither an address nor a network such as {such_as}"),
            ),
        }
    }
    Some(networks)
}

/// The addresses that a network publishes count until the source names others.
fn callers(section: &mut Section<'_>, network: Option<&Definition>) -> Option<CallerList> {
    let given = section.is_given("allow_ips");
    let networks = addresses(section, "allow_ips", "203.0.113.0/24");
    let published = network.map(|network| network.callers.ips.clone()).filter(|_| !given);
    let networks = networks.map(|networks| published.filter(|ips| !ips.is_empty()).unwrap_or(networks));
    let policy: Option<IpPolicy> = section.value("ip_policy");
    let is_empty = networks.as_ref().is_some_and(Vec::is_empty);
    if policy == Some(IpPolicy::Enforce) && is_empty {
        section.fault("ip_policy", "is \"enforce\", but `allow_ips` is empty: every call would be refused");
    }
    // Nothing else tells a postback from a forgery.
    let unsigned = network.filter(|network| network.signature.proof == Proof::Nothing);
    if let Some(network) = unsigned {
        if is_empty {
            let what = format!(
                "is required: {} signs nothing, so only the caller's address tells; ask it for its addresses",
                network.title
            );
            section.fault("allow_ips", &what);
        }
        if section.is_given("ip_policy") && policy != Some(IpPolicy::Enforce) {
            let what = format!("must be \"enforce\": {} signs nothing; remove it", network.title);
            section.fault("ip_policy", &what);
        }
    }
    let policy = if unsigned.is_some() { Some(IpPolicy::Enforce) } else { policy };
    Some(CallerList::new(networks?, policy?))
}

fn only(apps: &BTreeSet<String>) -> Option<String> {
    if apps.len() == 1 { apps.first().cloned() } else { None }
}

/// A name that is part of URLs and account names.
fn name(section: &mut Section<'_>) -> Option<String> {
    let name: String = section.required("name", "lower-case letters, digits, - and _")?;
    let fits =
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    if !fits || name.is_empty() || name.len() > 64 {
        section.fault("name", "must have 1 to 64 lower-case letters, digits, - or _");
        return None;
    }
    Some(name)
}

/// The secret that `env:NAME` or `file:PATH` refers to.
pub(crate) fn secret(reference: &str) -> Result<Secret, String> {
    let text = self::reference(reference)?;
    Secret::new(text).ok_or_else(|| "refers to an empty value".into())
}

/// The value that `env:NAME` or `file:PATH` refers to. Errors never repeat `reference`: it may be the secret itself.
pub(crate) fn reference(reference: &str) -> Result<String, String> {
    let text = match reference.split_once(':') {
        Some(("env", name)) => std::env::var(name).map_err(|_| {
            format!(
                "refers to the environment variable {name}, which is not set: export it, or use file:PATH"
            )
        })?,
        Some(("file", path)) => std::fs::read_to_string(path)
            .map_err(|why| format!("refers to {path}, which cannot be read: {why}"))?,
        _ => return Err("must be \"env:NAME\" or \"file:PATH\", never the secret itself".into()),
    };
    // Editors add a line break at the end of a file; no secret ends with one.
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
