//! What the demo runs on: settings, a database, an app that fails now and then, people and a token.

use std::path::Path;

use anyhow::Context as _;
use domain::access::{Role, token_hash};
use domain::postback::signature::Secret;
use domain::time::{DAY_MS, TimestampMs};
use sandbox::app::{App, Reply, postback_url};
use store::access::staff::NewPerson;
use store::access::tokens::NewToken;
use tokio::net::TcpListener;

use super::network::{CAST, Cast};
use super::{APP, PUBLIC_URL, REVIEWER, finance};
use crate::commands::{new_password, new_token};
use crate::config::{Environment, Settings};
use crate::metrics;
use crate::process::{Process, open_store, stop_on_signals};

/// Pauses between attempts to deliver, in seconds: a demo has little time.
const RETRIES: &str = "[0.5, 0.5, 1, 1, 1, 1, 1, 1, 1, 1]";

/// How to get in, each shown once.
pub(super) struct Access {
    /// Of the API, with the role admin.
    pub(super) token: String,
    pub(super) reviewer_password: String,
    pub(super) controller_password: String,
}

impl Access {
    pub(super) async fn create(process: &Process) -> anyhow::Result<Self> {
        let token = new_token()?;
        let new = NewToken { name: "demo".into(), owner: None, role: Role::Admin, expires_at: None };
        process.store.add_token(new, token_hash(&token), "demo".into(), process.clock.now()).await?;
        Ok(Self {
            token,
            reviewer_password: add_person(process, REVIEWER, Role::Risk).await?,
            controller_password: add_person(process, finance::CONTROLLER, Role::Finance).await?,
        })
    }
}

/// Starts an app that answers one call in ten with an error and closes one connection in twenty.
pub(super) async fn start_app(folder: &Path) -> anyhow::Result<App> {
    let secret = new_token()?;
    std::fs::write(folder.join("app-secret"), &secret).context("the app's secret cannot be saved")?;
    let listener = TcpListener::bind("127.0.0.1:0").await.context("the app cannot listen")?;
    let app =
        App::start(listener, Secret::new(secret).into_iter().collect()).context("the app cannot start")?;
    app.answer_with(|_| match rand::random::<u8>() % 20 {
        0 | 1 => Reply::Refuse(500),
        2 => Reply::BookAndClose,
        _ => Reply::Acknowledge,
    });
    Ok(app)
}

/// Opens and migrates the database of `settings`; a signal stops the process.
pub(super) async fn process(settings: Settings) -> anyhow::Result<Process> {
    let store = open_store(&settings, true).await?;
    store.migrate().await?;
    let process = Process::new(settings, store, metrics::measure()?);
    stop_on_signals(process.stop.clone())?;
    metrics::announce(&process);
    Ok(process)
}

/// The settings of the demo; the secrets are files in `folder`.
pub(super) fn settings(folder: &Path, listen: &str, app: &App) -> anyhow::Result<Settings> {
    let sources: String = CAST.iter().map(|cast| source(cast, folder)).collect();
    let text = format!(
        "listen = {listen:?}\npublic_url = {PUBLIC_URL:?}\ndatabase_url = \"sqlite://{folder}/demo.db\"\n\
         {sources}\
         [deliveries]\nallow_networks = [\"127.0.0.1\"]\n\
         [[apps]]\nname = {APP:?}\n[apps.forward]\nurl = {url:?}\nsecret = \"file:{folder}/app-secret\"\n\
         schedule = {RETRIES}\n",
        folder = folder.display(),
        url = postback_url(&app.origin()),
    );
    Settings::parse(&text, Environment::Ignored).map_err(|faults| anyhow::anyhow!("{}", faults.join("\n")))
}

/// The source of one network.
fn source(cast: &Cast, folder: &Path) -> String {
    let callers = if cast.is_caller_listed { "allow_ips = [\"127.0.0.1\", \"::1\"]\n" } else { "" };
    let statement = if cast.is_main { "[sources.statement]\ntolerance = \"0.02\"\n" } else { "" };
    format!(
        "[[sources]]\nname = {name:?}\nnetwork = {network:?}\nsecret = \"file:{folder}/{secret}\"\ncurrency = \"coins\"\n\
         {callers}{statement}",
        name = cast.source(),
        network = cast.name,
        folder = folder.display(),
        secret = cast.secret_file(),
    )
}

/// Adds a person, and returns their password.
async fn add_person(process: &Process, name: &str, role: Role) -> anyhow::Result<String> {
    let password = new_password()?;
    let hash = web::console::password::hash(&password).map_err(|error| anyhow::anyhow!("{error}"))?;
    let person = NewPerson { name: name.into(), role, password_hash: hash };
    // Since last week: a person added within 24 hours cannot be one of two.
    let since = TimestampMs(process.clock.now().0 - 7 * DAY_MS);
    process.store.add_person(person, "demo".into(), since).await?;
    Ok(password)
}
