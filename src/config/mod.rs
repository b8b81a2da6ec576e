//! Every setting. `rewardgate.example.toml` documents them and is the only list of defaults: it is embedded as the lowest
//! layer, and no default is in code.
//!
//! The file is `--config FILE`, or `REWARDGATE_CONFIG`, or `rewardgate.toml` in the working directory. An environment
//! variable `REWARDGATE_` plus the key in capitals overrides the file.

#[cfg(test)]
mod example;
mod forward;
mod layers;
mod limits;
mod lists;
mod mail;
mod networks;
mod proxies;
mod public_url;
mod reports;
mod review;
mod secrecy;
mod sources;
mod statements;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use domain::lists::own::OwnNetworks;
use domain::policy::Policy;
use domain::postback::networks::Definition;
use domain::proxies::Proxies;
use domain::review::queue::ReviewTerms;
use jobs::retention::RetentionPeriods;
use serde::Deserialize;
use web::limits::Limits;

pub(crate) use forward::{Deliveries, Forward};
use layers::{EXAMPLE, Section, defaults, layered};
pub(crate) use networks::own_networks_alone;
pub(crate) use sources::{Source, reference, secret};
use sources::{apps, sources};

/// The settings file in the working directory, read without `--config`.
pub(crate) const DEFAULT_FILE: &str = "rewardgate.toml";

/// All settings, validated.
#[derive(Debug)]
pub(crate) struct Settings {
    /// For networks; for API and pages too, unless `admin_listen` is set.
    pub(crate) listen: SocketAddr,
    /// For API and pages, so that `listen` can face the internet.
    pub(crate) admin_listen: Option<SocketAddr>,
    /// For health and metrics of a process without the web role.
    pub(crate) worker_listen: Option<SocketAddr>,
    /// The URL that networks call and sign: scheme, host and port, no slash at the end.
    pub(crate) public_url: String,
    /// `sqlite://FILE` or `postgres://…`.
    pub(crate) database_url: DatabaseUrl,
    /// Time zone of the business day.
    pub(crate) timezone: Tz,
    /// `.mmdb` files; empty: only registry data.
    pub(crate) geo_databases: Vec<PathBuf>,
    /// Proxies in front of `listen` whose forwarding headers are believed.
    pub(crate) trusted_proxies: Proxies,
    /// Proxies in front of `admin_listen`.
    pub(crate) admin_trusted_proxies: Proxies,
    /// Rules, thresholds, points.
    pub(crate) policy: Policy,
    /// Maximum database connections of this process.
    pub(crate) database_connections: u32,
    /// Workers of this process; SQLite uses one.
    pub(crate) workers: usize,
    /// Maximum postbacks per batch.
    pub(crate) batch: i64,
    /// Log filter, e.g. `info` or `jobs=debug,info`.
    pub(crate) log: String,
    /// Text or JSON.
    pub(crate) log_format: LogFormat,
    /// Limits per caller and per process.
    pub(crate) limits: Limits,
    /// How long data is kept.
    pub(crate) retention: RetentionPeriods,
    /// Hosting networks and relays that the publisher names.
    pub(crate) own_networks: OwnNetworks,
    /// When reports are created and closed.
    pub(crate) reports: jobs::reports::ReportConfig,
    /// Mail with the daily report; `None`: no mail.
    pub(crate) mail: Option<jobs::mail::Mail>,
    /// Claims, targets and second persons.
    pub(crate) review: ReviewTerms,
    /// Definitions of networks from the publisher's own files.
    pub(crate) networks: Vec<Definition>,
    /// The endpoints of networks.
    pub(crate) sources: Vec<Source>,
    /// Names of the apps.
    pub(crate) apps: BTreeSet<String>,
    /// The apps that receive deliveries.
    pub(crate) forwards: Vec<Forward>,
    /// Settings for the deliveries to all apps.
    pub(crate) deliveries: Deliveries,
    /// Weak secrets, and secrets that other accounts may read.
    pub(crate) warnings: Vec<String>,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A database URL; `Debug` hides everything after the scheme.
#[derive(Clone)]
pub(crate) struct DatabaseUrl(pub(crate) String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split(':').next().unwrap_or_default();
        write!(out, "{scheme}://…")
    }
}

/// Whether environment variables override the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    /// They do.
    Counts,
    /// They do not: the demo is the same everywhere.
    Ignored,
}

/// All errors in the settings.
#[derive(Debug, thiserror::Error)]
#[error("the settings{} have {} fault{}:\n{}", .file, .faults.len(), if .faults.len() == 1 { "" } else { "s" },
    .faults.iter().map(|fault| format!("  - {fault}")).collect::<Vec<_>>().join("\n"))]
pub(crate) struct BadSettings {
    file: String,
    faults: Vec<String>,
}

impl Settings {
    /// Reads the settings file (`config`, or the default if it exists) and the environment.
    pub(crate) fn load(config: Option<&Path>) -> Result<Self, BadSettings> {
        let path = config.map_or_else(|| PathBuf::from(DEFAULT_FILE), Path::to_path_buf);
        let file = format!(" in {}", path.display());
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let mut settings =
                    Self::parse(&text, Environment::Counts).map_err(|faults| BadSettings { file, faults })?;
                settings.warnings.extend(secrecy::of_settings(&path, &text));
                Ok(settings)
            }
            Err(why) if config.is_none() && why.kind() == std::io::ErrorKind::NotFound => {
                let file = format!(" (no {DEFAULT_FILE} in this folder: read from the environment)");
                Self::parse("", Environment::Counts).map_err(|faults| BadSettings { file, faults })
            }
            Err(why) => Err(BadSettings { file, faults: vec![format!("the file cannot be read: {why}")] }),
        }
    }

    /// An error found when a setting is used, e.g. a damaged file.
    pub(crate) fn fault(key: &str, what: &dyn fmt::Display) -> BadSettings {
        BadSettings { file: String::new(), faults: vec![format!("`{key}` {what}")] }
    }

    /// Reads `text` and the environment; returns all errors, not only the first.
    pub(crate) fn parse(text: &str, environment: Environment) -> Result<Self, Vec<String>> {
        Self::parse_over(EXAMPLE, text, environment)
    }

    /// Like [`Settings::parse`], with the defaults in `example`.
    fn parse_over(example: &str, text: &str, environment: Environment) -> Result<Self, Vec<String>> {
        if let Err(error) = text.parse::<toml::Table>() {
            return Err(vec![format!("not TOML: {error}")]);
        }
        let defaults = defaults(example).map_err(|fault| vec![fault])?;
        let (mut faults, mut warnings) = (Vec::new(), Vec::new());
        let given = layered(text, environment);
        let settings = Self::read(Section::top(given, defaults, &mut faults, &mut warnings));
        match settings {
            Some(settings) if faults.is_empty() => Ok(Self { warnings, ..settings }),
            _ => Err(faults),
        }
    }

    fn read(mut top: Section<'_>) -> Option<Self> {
        let listen = top.value("listen").and_then(|text: String| address(&mut top, "listen", &text));
        let admin_listen =
            top.optional("admin_listen").and_then(|text: String| address(&mut top, "admin_listen", &text));
        let worker_listen =
            top.optional("worker_listen").and_then(|text: String| address(&mut top, "worker_listen", &text));
        let public_url = public_url::public_url(&mut top);
        let database_url = database_url(&mut top);
        let timezone = timezone(&mut top);
        let geo_databases: Option<Vec<PathBuf>> = top.value("geo_databases");
        let trusted_proxies = proxies::public(&mut top);
        let admin_trusted_proxies = proxies::admin(&mut top, admin_listen.is_some());
        let policy_file: Option<PathBuf> = top.optional("policy");
        let policy = policy(&mut top, policy_file.as_deref());
        let database_connections = bounded(&mut top, "database_connections", 1..=100);
        let workers = bounded(&mut top, "workers", 1..=16);
        let batch = bounded(&mut top, "batch", 1..=1_000);
        let log: Option<String> = top.value("log");
        if let Some(log) = log.as_ref().filter(|log| tracing_subscriber::EnvFilter::try_new(log).is_err()) {
            top.fault("log", &format!("`{log}` is not a filter such as info or jobs=debug,info"));
        }
        let log_format = top.value("log_format");
        let limits = limits::limits(&mut top);
        let retention = limits::retention(&mut top);
        let own_networks = lists::lists(&mut top);
        let mail = mail::mail(&mut top, public_url.as_deref());
        let review = review::review(&mut top);
        let deliveries = forward::deliveries(&mut top);
        let (apps, forwards) = apps(&mut top);
        let networks = networks::own_networks(&mut top);
        let sources = sources(&mut top, &networks, &apps, timezone);
        let reports = reports::reports(&mut top, timezone, &sources);
        if let Some(policy) = &policy {
            for name in
                policy.source_names().filter(|name| !sources.iter().any(|source| source.name == *name))
            {
                top.fault(
                    "policy",
                    &format!("has a section for the source `{name}`, which is not in the settings"),
                );
            }
        }
        top.finish();
        Some(Self {
            listen: listen?,
            admin_listen,
            worker_listen,
            public_url: public_url?,
            database_url: database_url?,
            timezone: timezone?,
            geo_databases: geo_databases?,
            trusted_proxies: trusted_proxies?,
            admin_trusted_proxies,
            policy: policy?,
            database_connections: u32::try_from(database_connections?).ok()?,
            workers: usize::try_from(workers?).ok()?,
            batch: batch?,
            log: log?,
            log_format: log_format?,
            limits: limits?,
            retention: retention?,
            own_networks: own_networks?,
            reports: reports?,
            mail,
            review: review?,
            networks,
            sources,
            apps,
            forwards,
            deliveries: deliveries?,
            warnings: Vec::new(),
        })
    }
}

fn address(top: &mut Section<'_>, key: &'static str, text: &str) -> Option<SocketAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        top.fault(key, &format!("must be an address and a port such as 127.0.0.1:8080, not `{text}`"));
    }
    address
}

fn database_url(top: &mut Section<'_>) -> Option<DatabaseUrl> {
    let url: String = top.value("database_url")?;
    let known = ["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if !known {
        top.fault("database_url", "must start with sqlite:// or postgres://");
    }
    known.then_some(DatabaseUrl(url))
}

fn timezone(top: &mut Section<'_>) -> Option<Tz> {
    let name: String = top.value("timezone")?;
    let timezone = name.parse().ok();
    if timezone.is_none() {
        top.fault("timezone", &format!("must be a name such as UTC or Europe/Berlin, not `{name}`"));
    }
    timezone
}

/// A number within bounds; it has a default.
fn bounded(section: &mut Section<'_>, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
    let value = section.value(key)?;
    within(section, key, value, &range)
}

/// A number within bounds; `None` if it is not set.
fn bounded_if_given(section: &mut Section<'_>, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
    let value = section.optional(key)?;
    within(section, key, value, &range)
}

fn within(section: &mut Section<'_>, key: &str, value: i64, range: &RangeInclusive<i64>) -> Option<i64> {
    let fits = range.contains(&value);
    if !fits {
        section.fault(key, &format!("must be between {} and {}", range.start(), range.end()));
    }
    fits.then_some(value)
}

fn policy(top: &mut Section<'_>, file: Option<&Path>) -> Option<Policy> {
    let text = match file.map(std::fs::read_to_string).transpose() {
        Ok(text) => text.unwrap_or_default(),
        Err(why) => {
            top.fault("policy", &format!("cannot be read: {why}"));
            return None;
        }
    };
    match Policy::parse(&text) {
        Ok(policy) => Some(policy),
        Err(bad) => {
            for fault in bad.0 {
                top.fault("policy", &format!("is invalid: {fault}"));
            }
            None
        }
    }
}
