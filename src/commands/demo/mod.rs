//! `rewardgate demo`: everything at once, at a pace that people can follow.
//!
//! A temporary SQLite database, secrets of its own, web and workers as they run for real, and the sandbox as the network
//! on one side and as the publisher's app, which fails now and then, on the other. Nothing is staged: every line is a postback that came over HTTP and what the worker saved of it.

mod finance;
mod history;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use domain::access::{Role, token_hash};
use domain::batch::{BatchOutcome, Outcome, RewardChange};
use domain::money::Micros;
use domain::postback::event::Params;
use domain::postback::network::Network;
use domain::postback::signature::{Secret, SignatureForm};
use domain::reward::Step;
use domain::time::{DAY_MS, TimestampMs};
use sandbox::app::{App, Reply, postback_url};
use sandbox::{
    Act, Answer, Call, Forgery, Mix, Plan, PlanOptions, Retries, SendOptions, Signer, Template, run,
};
use store::access::staff::NewPerson;
use store::access::tokens::NewToken;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::commands::{new_password, new_token, say, say_lines};
use crate::config::{Environment, Settings};
use crate::roles::{self, Process, Web};
use crate::{EXIT_DONE, EXIT_FAILED, metrics};

/// Pace, length and address of the demo.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Postbacks per second.
    #[arg(long, default_value_t = 3)]
    pub(crate) rate: u32,
    /// Stop after this many seconds. Default: run until Ctrl-C.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<u64>,
    /// Address to listen on; port 0 takes any free port.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    pub(crate) listen: String,
}

/// What the demo's network signs; the calls themselves go to the port that was free.
const PUBLIC_URL: &str = "https://gw.example.com";
/// The demo's only app.
const APP: &str = "main";
/// The pauses before the app is told again, in seconds: a demo has little time.
const RETRIES: &str = "[0.5, 0.5, 1, 1, 1, 1, 1, 1, 1, 1]";
/// How long the demo waits at its end for the app to have heard of everything.
const TELLING_DEADLINE: Duration = Duration::from_secs(15);
/// How many users' balances are shown side by side.
const SHOWN_USERS: usize = 5;
/// The demo's only source.
const SOURCE: &str = "targo-demo";
/// A seed whose first calls already hold something of everything.
const SEED: u64 = 12;
/// More of what is interesting than a network sends on a good day.
const MIX: Mix = Mix {
    impossible_speed: 0.12,
    wrong_country: 0.06,
    repeat: 0.08,
    reversal: 0.14,
    early_reversal: 0.05,
    duplicate: 0.04,
    forged: 0.06,
    broken: 0.04,
};
/// Who may decide on what is held.
const REVIEWER: &str = "mara";
/// How often the totals are said.
const TOTALS_EVERY: Duration = Duration::from_secs(10);

/// Runs until Ctrl-C, or for the seconds asked for.
pub(crate) async fn demo(args: DemoArgs) -> anyhow::Result<u8> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let secret = new_token()?;
    std::fs::write(folder.path().join("secret"), &secret).context("the secret cannot be kept")?;
    let app = start_app(folder.path()).await?;
    let prepare_settings = || prepare_settings(folder.path(), &args.listen, &app);
    let process = prepare(prepare_settings()?).await?;
    let token = new_token()?;
    let new = NewToken { name: "demo".into(), owner: None, role: Role::Admin, expires_at: None };
    process.store.add_token(new, token_hash(&token), "demo".into(), process.clock.now()).await?;
    let geo = roles::locate(&process.settings)?;
    let password = add_person(&process, REVIEWER, Role::Risk).await?;
    let controllers = add_person(&process, finance::CONTROLLER, Role::Finance).await?;
    let web = Web::bind(&process.settings)?;
    let url = format!("http://{}", web.address);
    let template = template(&url)?;
    eprintln!("filling the sixty days before today …");
    history::fill(&process, &geo, &template, &secret, process.clock.now()).await?;
    greet(&url, &token, &password, &controllers);
    end_after(args.seconds, &process.stop);

    let totals = Arc::new(Totals::default());
    let observer = {
        let totals = totals.clone();
        Arc::new(move |outcome: &BatchOutcome| totals.tell(outcome))
    };
    // The network stops first; what it was told was recorded is still judged before the workers stop.
    let sending = CancellationToken::new();
    let network = network(template, &secret, args.rate, &totals, &sending);
    let stopping = async {
        process.stop.cancelled().await;
        sending.cancel();
    };
    let serving = CancellationToken::new();
    let serving_process = Process {
        stop: serving.clone(),
        ..Process::new(prepare_settings()?, process.store.clone(), process.metrics.clone())
    };
    let listening = async {
        let ended = web.run(&serving_process, true).await;
        process.stop.cancel();
        serving.cancel();
        ended
    };
    let working = async {
        let ended = Box::pin(roles::work(&serving_process, geo, Some(observer))).await;
        process.stop.cancel();
        serving.cancel();
        ended
    };
    let sent = async {
        let sent = network.await;
        process.stop.cancel();
        settled(&process).await;
        told(&process).await;
        serving.cancel();
        sent
    };
    let saying = totals.say_from_time_to_time(&process.stop);
    let ((), sent, listened, worked, ()) = tokio::join!(stopping, sent, listening, working, saying);
    sent.and(listened).and(worked)?;
    farewell(&process, &totals, &app).await
}

/// The publisher's app: it answers one call in ten with an error, and closes one connection in twenty.
async fn start_app(folder: &Path) -> anyhow::Result<App> {
    let secret = new_token()?;
    std::fs::write(folder.join("app-secret"), &secret).context("the app's secret cannot be kept")?;
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

async fn prepare(settings: Settings) -> anyhow::Result<Process> {
    let store = roles::open(&settings, true).await?;
    store.migrate().await?;
    let process = Process::new(settings, store, metrics::measure()?);
    roles::stop_on_signals(process.stop.clone())?;
    metrics::announce(&process);
    Ok(process)
}

fn prepare_settings(folder: &Path, listen: &str, app: &App) -> anyhow::Result<Settings> {
    let text = format!(
        "listen = {listen:?}\npublic_url = {PUBLIC_URL:?}\ndatabase_url = \"sqlite://{folder}/demo.db\"\n\
         [[sources]]\nname = {SOURCE:?}\nnetwork = \"targo\"\nsecret = \"file:{folder}/secret\"\ncurrency = \"coins\"\n\
         [sources.statement]\ntolerance = \"0.02\"\n\
         [deliveries]\nallow_networks = [\"127.0.0.1\"]\n\
         [[apps]]\nname = {APP:?}\n[apps.forward]\nurl = {url:?}\nsecret = \"file:{folder}/app-secret\"\n\
         schedule = {RETRIES}\n",
        folder = folder.display(),
        url = postback_url(&app.origin()),
    );
    Settings::parse(&text, Environment::Ignored).map_err(|faults| anyhow::anyhow!("{}", faults.join("\n")))
}

fn greet(url: &str, token: &str, password: &str, controllers: &str) {
    say(&format!("listening on {url}"));
    say("");
    say(
        "  A network sends signed postbacks; RewardGate records, acknowledges and judges them, and tells an app. Ctrl-C ends it.",
    );
    say("");
    say(&format!("  review  {url}/review"));
    say(&format!("  sign in as {REVIEWER}, password {password}"));
    say("");
    say(&format!("  finance {url}/reports"));
    say(&format!("  sign in as {}, password {controllers}", finance::CONTROLLER));
    say("");
    say(&format!("  API     {url}/api/v1/rewards?status=held"));
    say(&format!("  token   {token}"));
    say(&format!(
        "  try     curl -H 'Authorization: Bearer {token}' '{url}/api/v1/rewards?status=held&limit=1'"
    ));
    say("");
}

fn end_after(seconds: Option<u64>, stop: &CancellationToken) {
    if let Some(seconds) = seconds {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            stop.cancel();
        });
    }
}

/// The URL that the demo's network calls.
fn template(url: &str) -> anyhow::Result<Template> {
    let params = Params::new(Network::Targo, &std::collections::BTreeMap::new())?;
    Ok(Template::parse(&format!("{url}/pb/{SOURCE}?{}", params.query_template()))?)
}

/// Adds somebody, and answers with their password.
async fn add_person(process: &Process, name: &str, role: Role) -> anyhow::Result<String> {
    let password = new_password()?;
    let hash = web::console::password::hash(&password).map_err(|error| anyhow::anyhow!("{error}"))?;
    let person = NewPerson { name: name.into(), role, password_hash: hash };
    // Since last week: whoever is new is no second person.
    let since = TimestampMs(process.clock.now().0 - 7 * DAY_MS);
    process.store.add_person(person, "demo".into(), since).await?;
    Ok(password)
}

/// Sends until told to stop.
async fn network(
    template: Template,
    secret: &str,
    rate: u32,
    totals: &Arc<Totals>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let secret = Secret::new(secret).context("an empty secret")?;
    let signer = Signer::new(&template, Some(PUBLIC_URL), SignatureForm::Empty, secret)?;
    let plan = Plan::new(&plan(SEED, &template))?;
    let options = SendOptions {
        template,
        signer,
        connections: 8,
        rate_per_s: rate.max(1),
        retries: Retries::default(),
        remember: false,
    };
    run(&options, plan, |call, answer| totals.count(call, answer), stop).await?;
    Ok(())
}

/// Without end, and with little time between an event and what follows.
fn plan(seed: u64, template: &Template) -> PlanOptions {
    PlanOptions { mix: MIX, follow_up_calls: 3..=20, ..PlanOptions::new(seed, None, template.clone()) }
}

/// Waits, for a moment, until nothing waits in the inbox.
async fn settled(process: &Process) {
    let empty = async {
        while process.store.inbox_depth().await.is_ok_and(|depth| depth.waiting > 0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), empty).await;
}

/// Waits, for a while, until the app has been told everything.
async fn told(process: &Process) {
    let told = async {
        while process.store.backlog().await.is_ok_and(|backlog| !backlog.is_empty()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let _ = tokio::time::timeout(TELLING_DEADLINE, told).await;
}

async fn farewell(process: &Process, totals: &Totals, app: &App) -> anyhow::Result<u8> {
    say("");
    say(&totals.line());
    let agree = compare(process, totals, app).await?;
    let proof = process.store.prove().await?;
    process.store.close().await;
    if proof.is_proven() {
        say(&format!("books proven: {} accounts from {} transfers", proof.accounts, proof.transfers));
    } else {
        say("the books are NOT proven");
    }
    Ok(if proof.is_proven() && agree { EXIT_DONE } else { EXIT_FAILED })
}

/// The app's own balances beside ours.
async fn compare(process: &Process, totals: &Totals, app: &App) -> anyhow::Result<bool> {
    let theirs = app.balances();
    let mut users = totals.users();
    users.extend(theirs.keys().cloned());
    say("");
    say(&format!("  {:<16}{:>14}{:>14}", "balance of", "the app", "RewardGate"));
    let mut differing = 0;
    for (number, user) in users.iter().enumerate() {
        let ours = process.store.balances(APP, user).await?;
        let ours = Micros(ours.iter().map(|balance| balance.balance_micros).sum());
        let theirs = theirs.get(user).copied().unwrap_or_default();
        differing += usize::from(ours != theirs);
        if number < SHOWN_USERS || ours != theirs {
            say(&format!(
                "  {user:<16}{theirs:>14}{ours:>14}",
                theirs = theirs.to_string(),
                ours = ours.to_string()
            ));
        }
    }
    let (calls, events) = (app.calls(), app.booked());
    say(&format!("  the app heard of {events} events in {calls} calls, and booked each once"));
    say(&match differing {
        0 => format!("  all {} users have the same in both books", users.len()),
        _ => format!("  {differing} of {} users do NOT have the same in both books", users.len()),
    });
    Ok(differing == 0)
}

/// What happened so far.
#[derive(Default)]
struct Totals {
    acknowledged: AtomicU64,
    refused: AtomicU64,
    credited: AtomicU64,
    held: AtomicU64,
    reversed: AtomicU64,
    repeats: AtomicU64,
    quarantined: AtomicU64,
    users: Mutex<BTreeSet<String>>,
}

impl Totals {
    /// One answer that the network got.
    fn count(&self, call: &Call, answer: &Answer) {
        if answer.acknowledged {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let why = match call.act {
                Act::Forged(Forgery::WrongHash) => "its hash is wrong".to_owned(),
                Act::Forged(Forgery::MissingHash) => "it has no hash".to_owned(),
                Act::Forged(Forgery::ChangedAmount) => "somebody made the amount tenfold".to_owned(),
                _ => answer.text.clone(),
            };
            say(&line(
                '✕',
                "refused",
                &answer.status.map(|status| status.to_string()).unwrap_or_default(),
                "",
                &why,
            ));
        }
    }

    /// One batch that the worker saved.
    fn tell(&self, outcome: &BatchOutcome) {
        for settled in &outcome.rewards {
            for taken in &settled.steps {
                self.step(settled, taken.step, taken.note.as_deref());
            }
        }
        for postback in &outcome.postbacks {
            match postback.outcome {
                Outcome::Processed | Outcome::Information => {}
                Outcome::Repeat => {
                    self.repeats.fetch_add(1, Ordering::Relaxed);
                    let tx = postback.reward.and_then(|index| outcome.rewards.get(index));
                    let tx = tx.map_or("", |settled| settled.reward.key.as_str());
                    say(&line('·', "repeat", "", tx, "known already: no second effect"));
                }
                Outcome::Quarantined => {
                    self.quarantined.fetch_add(1, Ordering::Relaxed);
                    say(&line('⚠', "quarantined", "", "", postback.reason.as_deref().unwrap_or_default()));
                }
            }
        }
    }

    /// Whoever had something to do with a reward.
    fn users(&self) -> BTreeSet<String> {
        self.users.lock().map(|users| users.clone()).unwrap_or_default()
    }

    fn step(&self, settled: &RewardChange, step: Step, note: Option<&str>) {
        let reward = &settled.reward;
        if let Ok(mut users) = self.users.lock() {
            users.insert(reward.user_id.clone());
        }
        let amount = format!("{} {}", reward.reward.unwrap_or_default(), reward.currency);
        let (mark, word, counter, why) = match step {
            Step::Credit | Step::Release | Step::Overturn => {
                let details = settled.details.as_ref().map(|details| &details.event);
                let offer = details.and_then(|event| event.offer_name.clone()).unwrap_or_default();
                ('●', "credited", &self.credited, offer)
            }
            Step::Hold
            | Step::Reapprove
            | Step::Reject
            | Step::UndoRelease
            | Step::UndoReject
            | Step::UndoOverturn => ('◐', "held", &self.held, note.unwrap_or_default().to_owned()),
            Step::ReverseUnseen => (
                '↩',
                "reversed",
                &self.reversed,
                "the reversal came first: its credit will not count".to_owned(),
            ),
            Step::ReverseCredited | Step::ReverseHeld | Step::ReverseRejected => {
                ('↩', "reversed", &self.reversed, "the network took it back".to_owned())
            }
            Step::ReverseCreditedPart | Step::ReverseHeldPart | Step::ReverseRejectedPart => {
                ('↩', "reversed", &self.reversed, "the network took a part of it back".to_owned())
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        say(&line(mark, word, &amount, &reward.user_id, &why));
    }

    async fn say_from_time_to_time(&self, stop: &CancellationToken) {
        let mut every = tokio::time::interval(TOTALS_EVERY);
        every.tick().await;
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = every.tick() => say_lines(&format!("\n{}\n", self.line())),
            }
        }
    }

    fn line(&self) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "  so far: {} acknowledged · ● {} credited · ◐ {} held · ↩ {} reversed · {} repeats · ⚠ {} quarantined · ✕ {} refused",
            of(&self.acknowledged),
            of(&self.credited),
            of(&self.held),
            of(&self.reversed),
            of(&self.repeats),
            of(&self.quarantined),
            of(&self.refused),
        )
    }
}

/// One line of the demo, in columns.
fn line(mark: char, word: &str, amount: &str, whom: &str, why: &str) -> String {
    format!("  {mark} {word:<12}{amount:>16}  {whom:<14}  {why}")
}

#[cfg(test)]
mod tests {
    use sandbox::Variety;

    use super::*;

    #[test]
    fn the_first_ten_seconds_show_something_of_everything() {
        let params = Params::new(Network::Targo, &std::collections::BTreeMap::new()).expect("valid");
        let template =
            Template::parse(&format!("http://localhost/pb/x?{}", params.query_template())).expect("valid");
        let shown = |seed: u64| {
            let first: Vec<Call> = Plan::new(&plan(seed, &template)).expect("valid").take(27).collect();
            let any = |wanted: &dyn Fn(&Call) -> bool| first.iter().any(wanted);
            let is = |call: &Call, variety: Variety| call.event.variety == variety;
            any(&|call| is(call, Variety::Reversal) && matches!(call.act, Act::Reversal { .. }))
                && any(&|call| is(call, Variety::ImpossibleSpeed))
                && any(&|call| is(call, Variety::EarlyReversal) && call.act == Act::Credit)
                && any(&|call| call.act == Act::Again)
                && any(&|call| matches!(call.act, Act::Forged(_)))
                && any(&|call| matches!(call.act, Act::Broken(_)))
        };
        assert!(
            shown(SEED),
            "take one of {:?}",
            (1..5_000).filter(|seed| shown(*seed)).take(5).collect::<Vec<_>>()
        );
    }
}
