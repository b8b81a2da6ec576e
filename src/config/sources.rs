//! Sources and apps, and the secrets that they refer to.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use domain::caller::{CallerList, IpPolicy, parse_network};
use domain::postback::event::{Meaning, Params, ReversalId};
use domain::postback::network::Network;
use domain::postback::query::Plus;
use domain::postback::signature::{Secret, SignatureForm};
use ipnet::IpNet;
use serde::Deserialize;
use store::statements::Reading;

use super::forward::{Forward, forward};
use super::layers::Section;
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
    /// Accepted secrets; several while rotating.
    pub(crate) secrets: Vec<Secret>,
    /// The part of the URL that is signed.
    pub(crate) signature_form: SignatureForm,
    /// Names of parameters and statuses.
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

pub(super) fn sources(top: &mut Section<'_>, apps: &BTreeSet<String>, timezone: Option<Tz>) -> Vec<Source> {
    let list = top.list("sources");
    if list.is_empty() {
        top.fault("sources", "is empty: add a [[sources]] section for each endpoint");
    }
    let mut sources: Vec<Source> = Vec::new();
    for part in list {
        let mut section = top.inner(part);
        if let Some(source) = source(&mut section, apps, timezone) {
            if sources.iter().any(|other| other.name == source.name) {
                section.fault("name", &format!("`{}` is used twice", source.name));
            }
            sources.push(source);
        }
        section.finish();
    }
    sources
}

fn source(section: &mut Section<'_>, apps: &BTreeSet<String>, timezone: Option<Tz>) -> Option<Source> {
    let name = name(section);
    let network: Option<Network> = section.required("network", "the only network is \"targo\"");
    let secrets = secrets(section);
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
    let signature_form: Option<SignatureForm> = section.value("signature_form");
    let renames: Option<BTreeMap<String, String>> = section.value("params");
    let params = network.zip(renames).map(|(network, renames)| Params::new(network, &renames));
    if let Some(Err(bad)) = &params {
        section.fault("params", &format!("is invalid: {bad}"));
    }
    let plus: Option<Plus> = section.value("plus");
    let statuses: Option<BTreeMap<String, Meaning>> = section.value("statuses");
    let reversal_id: Option<ReversalId> = section.value("reversal_id");
    let params = params.and_then(Result::ok).and_then(|params| {
        // Errors are recorded, and reading continues to find the others.
        let params = plus.into_iter().fold(params, Params::with_plus);
        let params = reversal_id.into_iter().fold(params, Params::with_reversal_id);
        let read = params.with_statuses(&statuses?);
        read.map_err(|bad| section.fault("statuses", &bad.to_string())).ok()
    });
    let callers = callers(section);
    let statements = statements(section, timezone);
    if currency.as_deref().is_some_and(|currency| currency.trim().is_empty() || currency.len() > 32) {
        section.fault("currency", "must have 1 to 32 characters");
    }
    Some(Source {
        name: name?,
        app: app?,
        currency: currency?,
        secrets,
        signature_form: signature_form?,
        params: params?,
        callers: callers?,
        statements: statements?,
    })
}

/// A list of addresses and networks.
pub(super) fn networks(section: &mut Section<'_>, key: &'static str, such_as: &str) -> Option<Vec<IpNet>> {
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

fn callers(section: &mut Section<'_>) -> Option<CallerList> {
    let networks = networks(section, "allow_ips", "203.0.113.0/24");
    let policy: Option<IpPolicy> = section.value("ip_policy");
    if policy == Some(IpPolicy::Enforce) && networks.as_ref().is_some_and(Vec::is_empty) {
        section.fault("ip_policy", "is \"enforce\", but `allow_ips` is empty: every call would be refused");
    }
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

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

fn secrets(section: &mut Section<'_>) -> Vec<Secret> {
    let given = section.required("secret", "\"env:NAME\" or \"file:PATH\"; several in a list while rotating");
    let references = match given {
        Some(OneOrMore::One(reference)) => vec![reference],
        Some(OneOrMore::More(references)) => references,
        None => return Vec::new(),
    };
    if references.is_empty() {
        section.fault("secret", "is an empty list: add at least one secret");
    }
    let mut secrets = Vec::new();
    for reference in references {
        let secret = section.secret("secret", &reference);
        match secret.and_then(|text| Secret::new(text).ok_or_else(|| "refers to an empty value".into())) {
            Ok(secret) => secrets.push(secret),
            Err(what) => section.fault("secret", &what),
        }
    }
    secrets
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
