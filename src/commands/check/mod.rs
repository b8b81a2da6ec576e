//! `rewardgate check`: everything that can be checked before the first postback, and the URL for the network's dashboard.

mod sources;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use domain::delivery::schedule::Class;
use domain::proxies::Proxies;
use domain::text::{count, duration};
use domain::time::{Clock, TimestampMs};
use geo::Geo;
use jobs::deliveries::outgoing::Outgoing;
use jobs::deliveries::trial::{TRIAL_USER, Tried, try_out};
use jobs::probe::{Probed, probe};
use store::Store;

use super::say;
use crate::config::{Settings, Source};
use crate::{EXIT_DONE, EXIT_FAILED, clock, process};

/// What to compare and whom not to call.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// URL from the network's dashboard, with its macros: parameters that are missing or have another name are
    /// reported.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Source of that URL. Required only if there are several sources.
    #[arg(long, value_name = "NAME", requires = "url")]
    pub(crate) source: Option<String>,
    /// Call neither the public URL nor the apps.
    #[arg(long)]
    pub(crate) offline: bool,
}

/// Older geo files are reported: address blocks move, and new files are built every week or month.
const GEO_OLD_MS: i64 = 45 * 24 * 60 * 60 * 1_000;
/// Click-to-completion times are judged in seconds.
const CLOCK_TOLERANCE_MS: i64 = 5_000;

/// Characters of an app's answer that are printed.
const MAX_SHOWN_CHARS: usize = 80;

/// How severe a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Good,
    /// It works, but deserves attention.
    Warning,
    /// It must be corrected.
    Bad,
}

impl fmt::Display for Mark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Good => "✓",
            Self::Warning => "!",
            Self::Bad => "✗",
        })
    }
}

/// Prints findings, and counts the bad ones.
struct Findings {
    bad: u64,
}

impl Findings {
    fn add(&mut self, mark: Mark, what: &str, text: &str) {
        self.bad += u64::from(mark == Mark::Bad);
        say(&format!("{mark} {what:<10} {text}"));
    }
}

/// Checks everything and prints what it finds. Changes nothing here; each app gets one call that credits nothing.
pub(crate) async fn check(config: Option<&Path>, args: CheckArgs) -> anyhow::Result<u8> {
    let settings = Settings::load(config)?;
    let clock = clock::system();
    let mut findings = Findings { bad: 0 };
    let [sources, apps] = [(settings.sources.len(), "source"), (settings.apps.len(), "app")]
        .map(|(number, noun)| count(u64::try_from(number).unwrap_or(u64::MAX), noun));
    findings.add(Mark::Good, "settings", &format!("{sources}, {apps}, policy {}", settings.policy.version()));
    if settings.sources.is_empty() {
        findings.add(Mark::Bad, "settings", "no [[sources]]: nothing can be received");
    }
    listeners(&settings, &mut findings);
    for warning in &settings.warnings {
        findings.add(Mark::Warning, "secrets", warning);
    }
    let store = database(&settings, &mut findings).await;
    for warning in process::open_to_all(&settings) {
        findings.add(Mark::Warning, "database", &warning);
    }
    geo(&settings, &clock, &mut findings);
    against_database(store.as_ref(), &clock, &mut findings).await;
    for source in &settings.sources {
        sources::network(source, &mut findings);
    }
    for source in &settings.sources {
        public_url(&settings, source, args.offline, &clock, &mut findings).await;
    }
    call_apps(&settings, args.offline, &clock, &mut findings).await?;
    sources::in_dashboard(&settings, &args, &mut findings)?;
    if let Some(store) = store {
        store.close().await;
    }
    if findings.bad == 0 {
        say("ready");
        return Ok(EXIT_DONE);
    }
    say(&format!("{} found: see ✗ above", count(findings.bad, "problem")));
    Ok(EXIT_FAILED)
}

/// What each address serves, and whose forwarding headers it believes.
fn listeners(settings: &Settings, findings: &mut Findings) {
    let everything = "networks, pages and API";
    let mut add = |key, address: SocketAddr, serves, proxies: &Proxies| {
        let (mark, cure) = match proxies {
            Proxies::Anyone { .. } => {
                (Mark::Warning, "; list the proxies' addresses, unless only they can connect")
            }
            _ => (Mark::Good, ""),
        };
        findings.add(mark, key, &format!("{address} serves {serves}; {proxies}{cure}"));
    };
    match settings.admin_listen {
        Some(admin) => {
            add("listen", settings.listen, "networks and health", &settings.trusted_proxies);
            add("admin_listen", admin, "pages and API", &settings.admin_trusted_proxies);
        }
        None => add("listen", settings.listen, everything, &settings.trusted_proxies),
    }
    if settings.admin_listen.is_none() && !settings.listen.ip().is_loopback() {
        let text = "pages and API are served at the address that networks call; `admin_listen` serves them separately";
        findings.add(Mark::Warning, "listen", text);
    }
}

async fn database(settings: &Settings, findings: &mut Findings) -> Option<Store> {
    let store = match process::open_store(settings, false).await {
        Ok(store) => store,
        Err(error) => {
            findings.add(Mark::Bad, "database", &format!("{error:#}"));
            return None;
        }
    };
    match store.assert_migrated().await {
        Ok(()) => findings.add(Mark::Good, "database", "reachable, durable, schema up to date"),
        // A process brings it up to date when it starts.
        Err(store::Error::Unfit(why)) => {
            findings.add(Mark::Warning, "database", &format!("reachable and durable, but {why}"));
        }
        Err(error) => findings.add(Mark::Bad, "database", &error.to_string()),
    }
    Some(store)
}

fn geo(settings: &Settings, clock: &Clock, findings: &mut Findings) {
    let opened = match Geo::open(&settings.geo_databases) {
        Ok(opened) => opened,
        Err(error) => return findings.add(Mark::Bad, "geo", &error.to_string()),
    };
    for (name, built_at_s) in opened.files() {
        let age_ms = clock.now().0 - built_at_s.saturating_mul(1_000);
        let (mark, why) = if age_ms > GEO_OLD_MS {
            (Mark::Warning, ": outdated, install a newer one")
        } else {
            (Mark::Good, "")
        };
        findings.add(mark, "geo", &format!("{name}, built {} ago{why}", duration(age_ms)));
    }
    if settings.geo_databases.is_empty() {
        let text = "no `geo_databases`: registry data only, so a country mismatch weighs less";
        findings.add(Mark::Warning, "geo", text);
    }
}

/// Compares this machine's clock with the database server's and with the newest postback.
async fn against_database(store: Option<&Store>, clock: &Clock, findings: &mut Findings) {
    let Some(store) = store else { return };
    let newest = store.newest_received_at().await.ok().flatten();
    if let Some(ahead_ms) = newest.map(|newest| newest.0 - clock.now().0).filter(|ahead_ms| *ahead_ms > 0) {
        let text = format!(
            "the newest postback was received {} in the future: this clock was set back",
            duration(ahead_ms)
        );
        return findings.add(Mark::Bad, "clock", &text);
    }
    match store.server_time().await {
        Ok(Some(server)) => clocks(server, clock.now(), "the database server", 0, findings),
        Ok(None) => findings.add(Mark::Good, "clock", &format!("it is {}", clock.now().rfc3339())),
        Err(error) => findings.add(Mark::Bad, "clock", &error.to_string()),
    }
}

fn clocks(theirs: TimestampMs, ours: TimestampMs, whose: &str, precision_ms: i64, findings: &mut Findings) {
    let apart_ms = theirs.0 - ours.0;
    if apart_ms.abs() > CLOCK_TOLERANCE_MS + precision_ms {
        let which = if apart_ms > 0 { "ahead" } else { "behind" };
        let text = format!("{whose} is {} {which}: synchronise both (NTP)", duration(apart_ms));
        findings.add(Mark::Bad, "clock", &text);
    } else {
        findings.add(Mark::Good, "clock", &format!("agrees with {whose}"));
    }
}

/// From outside: is it us who answer, and does the URL arrive as it was signed?
async fn public_url(
    settings: &Settings,
    source: &Source,
    offline: bool,
    clock: &Clock,
    findings: &mut Findings,
) {
    let (url, what) = (format!("{}/pb/{}", settings.public_url, source.name), "public URL");
    if offline {
        return findings.add(Mark::Warning, what, &format!("{url} was not called (--offline)"));
    }
    let text = {
        let definition = source.params.definition();
        probe(&settings.public_url, &source.name, definition, &source.keys, clock.now()).await
    };
    let text = match text {
        Probed::Understood { unchanged, date } => {
            let arrives = if unchanged { ", and its query arrives unchanged" } else { "" };
            findings.add(Mark::Good, what, &format!("{url} leads here{arrives}"));
            if let Some(date) = date {
                // The header has whole seconds.
                clocks(date, clock.now(), "the public URL", 1_000, findings);
            }
            return;
        }
        Probed::Rewritten => format!(
            "{url} leads to RewardGate, but the signature does not match: a proxy rewrites the URL, or the process \
             there uses a different secret, `signature_form` or `public_url`"
        ),
        Probed::UnknownSource => format!("{url} leads to a RewardGate that has no source `{}`", source.name),
        Probed::Other { status } => format!(
            "{url} answered {status}, but not from RewardGate: check that the proxy forwards /pb/ and that the process runs"
        ),
        Probed::NoAnswer { reason } => format!("{url} does not answer: {reason}"),
    };
    findings.add(Mark::Bad, what, &text);
}

/// Calls each app once, and reports how its answer would count.
async fn call_apps(
    settings: &Settings,
    offline: bool,
    clock: &Clock,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let outgoing = Outgoing::new(settings.deliveries.allow_networks.clone())?;
    for forward in &settings.forwards {
        let app = &forward.target.app;
        if offline {
            findings.add(Mark::Warning, "app", &format!("{app} was not called (--offline)"));
            continue;
        }
        let (mark, text) = judged(&try_out(&forward.target, &outgoing, clock).await);
        findings.add(mark, "app", &format!("{app} {text}"));
    }
    Ok(())
}

/// How an app's answer to the test call would count for a real delivery.
fn judged(tried: &Tried) -> (Mark, String) {
    let what = tried.detail.as_deref().unwrap_or(tried.class.name());
    let Some(status) = tried.http_status else {
        return (Mark::Bad, format!("does not answer: {what}"));
    };
    let body: String = tried.answer.as_deref().unwrap_or_default().chars().take(MAX_SHOWN_CHARS).collect();
    let answered = format!(
        "answered {status} {:?} to a credit of 0 for the user `{TRIAL_USER}`",
        body.trim_matches('\u{feff}')
    );
    match tried.class {
        class if class.is_yes() => (Mark::Good, format!("{answered}: counts as delivered")),
        Class::NotAcknowledged => (
            Mark::Warning,
            format!(
                "{answered}: counts as refused, because {what}; if the app means success, set `acknowledged`"
            ),
        ),
        Class::Rejected | Class::Gone => (
            Mark::Warning,
            format!(
                "{answered}: counts as refused: correct if the app refuses unknown users, otherwise it refuses the signature"
            ),
        ),
        Class::Redirected => (Mark::Bad, format!("{answered}: redirects are not followed; correct `url`")),
        _ => (Mark::Bad, format!("{answered}: counts as a failure and is retried")),
    }
}
