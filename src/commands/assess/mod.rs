//! `rewardgate assess`: what would have been done with the calls that a publisher already has in logs.
//!
//! Nothing of the installation is touched: the calls go through the same code as live ones, each at its own time, in a
//! temporary database that ends with the command.
//!
//! | module | what it does |
//! |---|---|
//! | [`adding`] | adds up the rewards as they stand at the end, and writes `verdicts.csv` |
//! | [`terminal`] | the summary on one screen |

mod adding;
mod terminal;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use domain::assessment::{Assessment, Scores, SourceNote, Truth};
use domain::postback::networks::signature::Proof;
use jobs::lists::LiveLists;
use jobs::postbacks::past::Purpose;
use store::Store;

use super::past::reading::{self, Read};
use super::past::setup::{self, NetworkArgs};
use super::past::sources::Sources;
use super::past::{PastArgs, input, running};
use super::{bad_usage, private_file, progress, say, say_raw};
use crate::config::Settings;
use crate::process::open_geo;
use crate::{EXIT_DONE, clock, roles};

/// Which files to assess, and where the result goes.
#[derive(Debug, Args)]
pub(crate) struct AssessArgs {
    #[command(flatten)]
    past: PastArgs,
    #[command(flatten)]
    network: NetworkArgs,
    /// Folder for summary.html, summary.csv, summary.json and verdicts.csv; it is created.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// CSV with `tx_id`, `source`, `user_id`, `persona`, `is_fraud`, to say how much fraud is held and how many honest users;
    /// gzip too.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

/// Assesses the files of `args`.
pub(crate) async fn assess(config: Option<&Path>, args: AssessArgs) -> anyhow::Result<u8> {
    if args.past.files.is_empty() {
        return Err(bad_usage(
            "name at least one FILE, e.g. /var/log/nginx/access.log*; - is standard input".into(),
        ));
    }
    let folder = tempfile::tempdir().context("a temporary folder cannot be made")?;
    let (settings, sources) = setup::settings(config, folder.path(), &args.past, &args.network)?;
    let (inputs, bytes) = input::open(&args.past.files)?;
    let truth = args.truth.as_deref().map(truth).transpose()?;
    let out = args.out.as_deref().map(Out::new).transpose()?;
    let geo = open_geo(&settings)?;
    let (settings, sources) = (Arc::new(settings), Arc::new(sources));
    let read = {
        let (sources, currencies, now) = (sources.clone(), currencies(&settings), clock::system().now());
        let reading = move || reading::read(inputs, &bytes, &sources, &currencies, now);
        tokio::task::spawn_blocking(reading).await.context("reading ended early")??
    };
    if read.calls.events == 0 {
        return Err(no_calls(&read, &args.past));
    }
    let store = Store::open_scratch(&folder.path().join("assess.db")).await?;
    store.migrate().await?;
    let processor = Arc::new(roles::processor(&settings, geo, LiveLists::default(), None));
    let Read { lines, calls, taken, by_source, formats } = read;
    let mut assessment = Assessment {
        lines,
        calls,
        sources: notes(&settings, &sources, &by_source),
        policy: settings.policy.version().to_owned(),
        truth: truth.is_some().then(Scores::default),
        ..Assessment::default()
    };
    let run = running::Run { store: &store, processor, policy: &settings.policy, purpose: Purpose::Assess };
    run.take_all(taken, &mut assessment.calls).await?;
    let verdicts = out.as_ref().map(|out| out.file("verdicts.csv")).transpose()?;
    adding::add(&store, &settings, truth.as_ref(), verdicts, &mut assessment).await?;
    assessment.books_proven = progress::during("proving the books", store.prove()).await?.is_proven();
    store.close().await;
    let json = serde_json::to_string_pretty(&assessment)?;
    if let Some(out) = &out {
        out.write("summary.json", &json)?;
        out.write("summary.csv", &web::export::csv_of(&domain::assessment::table::sheet(&assessment)))?;
        out.write("summary.html", &web::assessment::page(&assessment, &formats)?)?;
    }
    if args.json {
        say_raw(&json);
    } else {
        terminal::summary(&assessment);
        match &args.out {
            Some(folder) => {
                say(&format!(
                    "written: summary.html, summary.csv, summary.json and verdicts.csv in {}",
                    folder.display()
                ));
            }
            None => say(
                "for the details add --out DIR: it gets summary.html, summary.csv, summary.json and verdicts.csv",
            ),
        }
    }
    Ok(EXIT_DONE)
}

/// The folder of the result.
struct Out(PathBuf);

impl Out {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|why| bad_usage(format!("`--out`: {} cannot be created: {why}", folder.display())))?;
        Ok(Self(folder.to_path_buf()))
    }

    fn file(&self, name: &str) -> anyhow::Result<std::fs::File> {
        let path = self.0.join(name);
        private_file(&path).with_context(|| format!("{} cannot be written", path.display()))
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let written = self.file(name)?.write_all(text.as_bytes());
        written.with_context(|| format!("{} cannot be written", self.0.join(name).display()))
    }
}

fn currencies(settings: &Settings) -> BTreeMap<String, String> {
    settings.sources.iter().map(|source| (source.name.clone(), source.currency.clone())).collect()
}

/// What is known of the transactions.
fn truth(file: &Path) -> anyhow::Result<Truth> {
    let (mut inputs, _) = input::open(&[file.to_path_buf()])?;
    let mut truth = Truth::default();
    for input in &mut inputs {
        loop {
            let (name, number) = (input.name.clone(), input.number + 1);
            let Some(line) = input.next_line().with_context(|| format!("{name} cannot be read"))? else {
                break;
            };
            let read = truth.read(&String::from_utf8_lossy(line));
            read.map_err(|bad| bad_usage(format!("`--truth`: {name}, line {number}: {bad}")))?;
        }
    }
    Ok(truth.complete())
}

fn no_calls(read: &Read, args: &PastArgs) -> anyhow::Error {
    let lines = &read.lines;
    let unknown =
        lines.unknown_sources.ranked().into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    let cure = if !unknown.is_empty() {
        format!(
            "the files name the sources {unknown}: give the settings that have them (--config FILE), or --source NETWORK"
        )
    } else if args.source.is_none() {
        "no path is /pb/NAME: say whose calls these are (--source NETWORK; `rewardgate networks list` shows all)".into()
    } else {
        "no request has the user, the transaction or the signature of this network".into()
    };
    let example =
        lines.unreadable.ranked().first().map(|(reason, noted)| format!(" ({reason}: {})", noted.example));
    anyhow::anyhow!(
        "none of {} lines is a call: {} other requests, {} unreadable{}; {cure}",
        lines.read,
        lines.other_requests,
        lines.unreadable.total(),
        example.unwrap_or_default()
    )
}

/// What the reader must know about the sources that were called.
fn notes(
    settings: &Settings,
    sources: &Sources,
    by_source: &BTreeMap<String, (u64, u64)>,
) -> Vec<SourceNote> {
    let called = settings.sources.iter().filter_map(|source| Some((source, by_source.get(&source.name)?)));
    let notes = called.map(|(source, (taken, refused))| {
        let definition = source.params.definition();
        let signatures = match sources.unchecked.get(&source.name) {
            Some(why) => (*why).to_owned(),
            None if definition.signature.proof == Proof::Nothing => {
                "do not exist: this network signs nothing".into()
            }
            None => format!("checked: {refused} of {} calls refused", taken + refused),
        };
        SourceNote {
            source: source.name.clone(),
            network: definition.title.clone(),
            calls: *taken,
            signatures,
            coverage: definition.coverage().words(),
        }
    });
    notes.collect()
}
