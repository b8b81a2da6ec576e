//! `rewardgate check`: everything that can be known before the first postback, and what to paste into the dashboard.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use domain::dashboard;
use domain::delivery::schedule::Class;
use domain::proxies::Proxies;
use domain::text::{count, duration};
use domain::time::{Clock, TimestampMs};
use geo::Geo;
use jobs::deliveries::outgoing::Outgoing;
use jobs::deliveries::trial::{TRIAL_USER, Tried, try_out};
use jobs::probe::{Probed, probe};
use store::Store;

use super::{say, say_lines};
use crate::config::{Settings, Source};
use crate::{EXIT_DONE, EXIT_FAILED, clock, roles};

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

/// A geo file that is older misplaces what has moved since; they are built every week or month.
const GEO_OLD_MS: i64 = 45 * 24 * 60 * 60 * 1_000;
/// Click-to-completion times are judged in seconds.
const CLOCK_TOLERANCE_MS: i64 = 5_000;

/// How much of an app's answer is shown.
const MAX_SHOWN_CHARS: usize = 80;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Good,
    /// It works; somebody should know.
    Warning,
    /// It has to be mended.
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

/// Says what was looked at, and remembers whether something was bad.
struct Findings {
    bad: u64,
}

impl Findings {
    fn add(&mut self, mark: Mark, what: &str, text: &str) {
        self.bad += u64::from(mark == Mark::Bad);
        say(&format!("{mark} {what:<10} {text}"));
    }
}

/// Looks at everything, and says what it found. Changes nothing here; each app gets one call that credits nothing.
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
    for warning in roles::open_to_all(&settings) {
        findings.add(Mark::Warning, "database", &warning);
    }
    geo(&settings, &clock, &mut findings);
    against_database(store.as_ref(), &clock, &mut findings).await;
    for source in &settings.sources {
        public_url(&settings, source, args.offline, &clock, &mut findings).await;
    }
    call_apps(&settings, args.offline, &clock, &mut findings).await?;
    sources_in_dashboard(&settings, &args, &mut findings)?;
    if let Some(store) = store {
        store.close().await;
    }
    if findings.bad == 0 {
        say("ready");
        return Ok(EXIT_DONE);
    }
    say(&format!("{} to mend: see ✗ above", count(findings.bad, "thing")));
    Ok(EXIT_FAILED)
}

/// What is served where, and what is believed there.
fn listeners(settings: &Settings, findings: &mut Findings) {
    let everything = "networks, pages and API";
    let mut add = |key, address: SocketAddr, serves, proxies: &Proxies| {
        let (mark, cure) = match proxies {
            Proxies::Anyone { .. } => {
                (Mark::Warning, "; name the proxies' addresses, unless nobody else can connect")
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
        let text = "pages and API are served where networks call; `admin_listen` serves them at an address of their own";
        findings.add(Mark::Warning, "listen", text);
    }
}

async fn database(settings: &Settings, findings: &mut Findings) -> Option<Store> {
    let store = match roles::open(settings, false).await {
        Ok(store) => store,
        Err(error) => {
            findings.add(Mark::Bad, "database", &format!("{error:#}"));
            return None;
        }
    };
    match store.assert_migrated().await {
        Ok(()) => findings.add(Mark::Good, "database", "reachable, durable, its schema is up to date"),
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
            (Mark::Warning, ": addresses have moved since; fetch a newer one")
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

/// This machine's clock against the database's, and against what it has seen.
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
    let Some(secret) = source.secrets.first() else { return };
    let text = match probe(&settings.public_url, &source.name, source.signature_form, secret).await {
        Probed::Understood { date } => {
            findings.add(Mark::Good, what, &format!("{url} leads here, and its query arrives unchanged"));
            if let Some(date) = date {
                // The header has whole seconds.
                clocks(date, clock.now(), "the public URL", 1_000, findings);
            }
            return;
        }
        Probed::Rewritten => format!(
            "{url} leads to RewardGate, but what arrives is not what was signed: a proxy rewrites the URL, or the \
             process there runs with another secret, `signature` or `public_url`"
        ),
        Probed::UnknownSource => format!("{url} leads to a RewardGate that has no source `{}`", source.name),
        Probed::Other { status } => format!(
            "{url} answered {status}, but not from RewardGate: does the proxy pass /pb/ on, and is the process up?"
        ),
        Probed::NoAnswer { reason } => format!("{url} does not answer: {reason}"),
    };
    findings.add(Mark::Bad, what, &text);
}

/// How the answer of each app would be taken.
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
        let (mark, text) = taken(&try_out(&forward.target, &outgoing, clock).await);
        findings.add(mark, "app", &format!("{app} {text}"));
    }
    Ok(())
}

/// What an app's answer to the call that credits nothing says of the calls that will.
fn taken(tried: &Tried) -> (Mark, String) {
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
        class if class.is_yes() => (Mark::Good, format!("{answered}: taken as delivered")),
        Class::NotAcknowledged => (
            Mark::Warning,
            format!("{answered}: taken as a no, because {what}; if the app means yes, set `acknowledged`"),
        ),
        Class::Rejected | Class::Gone => (
            Mark::Warning,
            format!(
                "{answered}: taken as a no; right if it refuses users it does not know, else it refuses the signature"
            ),
        ),
        Class::Redirected => (Mark::Bad, format!("{answered}: redirects are not followed; correct `url`")),
        _ => (Mark::Bad, format!("{answered}: taken as a failure that is tried again")),
    }
}

/// What is in the dashboard, or is to stand there.
fn sources_in_dashboard(
    settings: &Settings,
    args: &CheckArgs,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let origin = &settings.public_url;
    if let Some(pasted) = &args.url {
        let chosen = match &args.source {
            Some(name) => settings.sources.iter().find(|source| source.name == *name),
            None if settings.sources.len() == 1 => settings.sources.first(),
            None => anyhow::bail!("say which source that URL is for: --source NAME"),
        };
        let Some(source) = chosen else {
            anyhow::bail!(
                "the source `{}` is not in the settings",
                args.source.as_deref().unwrap_or_default()
            )
        };
        let found = dashboard::look(pasted, origin, &source.name, &source.params);
        for finding in &found {
            let mark = if finding.is_fatal() { Mark::Bad } else { Mark::Warning };
            findings.add(mark, "dashboard", &finding.to_string());
        }
        if found.is_empty() {
            findings.add(Mark::Good, "dashboard", "the URL names everything as the settings do");
        }
    }
    for source in &settings.sources {
        let left = dashboard::left_as_they_are(&source.params);
        if !left.is_empty() {
            let left: Vec<_> = left.into_iter().map(|name| format!("`{name}`")).collect();
            let text = format!(
                "{}: `params` renames some parameters, but not {}: is that what the dashboard's URL says? Compare with \
                 --url",
                source.name,
                left.join(", ")
            );
            findings.add(Mark::Warning, "params", &text);
        }
        say_lines(&format!(
            "\n{}: paste this into the dashboard of {}",
            source.name,
            source.params.network().name()
        ));
        say_lines(&format!("{}\n", dashboard::url(origin, &source.name, &source.params)));
    }
    Ok(())
}
