//! `rewardgate demo`: everything at once, at a pace that people can follow.
//!
//! A temporary SQLite database with its own secrets, web and workers as in production, and the sandbox as four networks on one
//! side and as an app that sometimes fails on the other. Nothing is staged: every line is a postback that came over HTTP and
//! what the worker saved of it.
//!
//! | module | what it does |
//! |---|---|
//! | [`setup`] | settings, database, app, people and token |
//! | [`history`] | sixty days before the demo begins |
//! | [`finance`] | reports, sign-offs and statements of those days |
//! | [`network`] | the four networks, and sending their postbacks |
//! | [`totals`] | prints what happens, and counts it |
//! | [`ending`] | waits for the last deliveries, and compares the app's balances with ours |

mod ending;
mod finance;
mod history;
mod network;
mod setup;
mod totals;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use domain::batch::BatchOutcome;
use tokio_util::sync::CancellationToken;

use crate::commands::say;
use crate::process::{Process, open_geo};
use crate::roles::{self, Web};
use totals::Totals;

/// The origin that the networks sign; the calls go to the port that was free.
const PUBLIC_URL: &str = "https://gw.example.com";
/// The only app.
const APP: &str = "main";
/// The source with the history.
const SOURCE: &str = "targo-demo";
/// The person with the role risk.
const REVIEWER: &str = "mara";

/// Pace, length and address of the demo.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Postbacks per second of the first network; each of the three others sends a third of it.
    #[arg(long, default_value_t = 3)]
    pub(crate) rate: u32,
    /// Stop after this many seconds. Default: run until Ctrl-C.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<u64>,
    /// Address to listen on; port 0 takes any free port.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    pub(crate) listen: String,
}

/// Runs until Ctrl-C, or for `--seconds`. Exit code 1 if the books are not proven or the app's balances differ.
pub(crate) async fn demo(args: DemoArgs) -> anyhow::Result<u8> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    network::CAST.iter().try_for_each(|cast| cast.make_secret(folder.path()))?;
    let app = setup::start_app(folder.path()).await?;
    let settings = || setup::settings(folder.path(), &args.listen, &app);
    let process = setup::process(settings()?).await?;
    let geo = open_geo(&process.settings)?;
    let access = setup::Access::create(&process).await?;
    let web = Web::bind(&process.settings)?;
    let url = format!("http://{}", web.address);
    let template = network::CAST[0].template(&url)?;
    let signer = network::CAST[0].signer(&template, folder.path())?;
    eprintln!("creating 60 days of history …");
    history::fill(&process, &geo, &template, &signer, process.clock.now()).await?;
    greet(&url, &access);
    end_after(args.seconds, &process.stop);

    let totals = Arc::new(Totals::default());
    let observer = {
        let totals = totals.clone();
        Arc::new(move |outcome: &BatchOutcome| totals.count_batch(outcome))
    };
    // The networks stop first; what was acknowledged is still processed and delivered before the workers stop.
    let sending = CancellationToken::new();
    let network = network::send(&url, folder.path(), args.rate, &totals, &sending);
    let stopping = async {
        process.stop.cancelled().await;
        sending.cancel();
    };
    let serving = CancellationToken::new();
    let serving_process = Process {
        stop: serving.clone(),
        ..Process::new(settings()?, process.store.clone(), process.metrics.clone())
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
        ending::inbox_is_empty(&process).await;
        ending::app_is_up_to_date(&process).await;
        serving.cancel();
        sent
    };
    let printing = totals.print_regularly(&process.stop);
    let ((), sent, listened, worked, ()) = tokio::join!(stopping, sent, listening, working, printing);
    sent.and(listened).and(worked)?;
    ending::farewell(&process, &totals, &app).await
}

/// Prints where to look, and how to sign in.
fn greet(url: &str, access: &setup::Access) {
    let setup::Access { token, reviewer_password, controller_password } = access;
    say(&format!("listening on {url}"));
    say("");
    say(
        "  Four simulated networks send signed postbacks; RewardGate records, acknowledges and checks them, and notifies an app.",
    );
    say("  Stop with Ctrl-C.");
    say("");
    say(&format!("  review  {url}/review"));
    say(&format!("  sign in as {REVIEWER}, password {reviewer_password}"));
    say("");
    say(&format!("  finance {url}/reports"));
    say(&format!("  sign in as {}, password {controller_password}", finance::CONTROLLER));
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
