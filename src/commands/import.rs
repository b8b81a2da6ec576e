//! `rewardgate statement import`: hands a file over, and stays with it until it is matched. A server may be working on
//! the same database, and may well read the statement first: then its progress is followed.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use chrono::NaiveDate;
use domain::statement::life::{Act, State};
use store::Error;
use store::statements::intake::{Intake, Refused};
use store::statements::{Confirm, NewStatement, Reading, Received, StatementRow, Step, Supersedes, Then};
use tokio::time::Instant;

use super::acting::command_line;
use super::progress::Progress;
use super::say;
use super::statement::READ_LEN;
use crate::roles::Process;

/// How long it is waited for another process that writes, and for any progress of a statement.
const PATIENCE: Duration = Duration::from_mins(2);
/// The pause between two looks at a statement that another process has.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is said of a file.
pub(super) struct Said {
    pub(super) source: String,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) supersedes: Option<String>,
}

/// Imports a file and waits until it is matched; `None` if a person is asked first, which is said.
pub(super) async fn import(
    process: &Process,
    path: &Path,
    reading: &Reading,
    said: Said,
) -> anyhow::Result<Option<i64>> {
    let period = web::statements::period(said.from.as_deref(), said.to.as_deref(), reading);
    let period = period.map_err(anyhow::Error::msg)?;
    let supersedes = said.supersedes.as_deref().unwrap_or_default();
    let supersedes = Supersedes::parse(supersedes).map_err(anyhow::Error::msg)?;
    let new = NewStatement {
        source: said.source,
        file_name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        format: serde_json::to_string(&reading.format)?,
        period: period.clone(),
        actor: command_line(),
        now: process.clock.now(),
    };
    let (mut id, received) = receive(process, path, reading, new, supersedes.clone()).await?;
    if let Received::Before(first) = received {
        let row = process.store.statement(first).await?.context("the statement is gone")?;
        let state = row.stands()?;
        anyhow::ensure!(
            !state.is_done(),
            "this file was imported before, as statement {first} on {}: `rewardgate statement discard {first}` takes it \
             back",
            domain::time::TimestampMs(row.received_at).rfc3339()
        );
        say(&format!("statement {first} was not finished: going on with it"));
        id = first;
    }
    let row = process.store.statement(id).await?.context("the statement is gone")?;
    if Act::Import.is_allowed(row.stands()?) && !confirm(process, &row, reading, period, supersedes).await? {
        return Ok(None);
    }
    follow(process, id, reading).await?;
    Ok(Some(id))
}

async fn receive(
    process: &Process,
    path: &Path,
    reading: &Reading,
    new: NewStatement,
    supersedes: Supersedes,
) -> anyhow::Result<(i64, Received)> {
    let mut file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let store = &process.store;
    let begun = patiently(async || match Intake::begin(store, new.clone(), reading.format.clone()).await {
        Err(Refused::Store(error)) => Err(error),
        Err(refused) => Ok(Err(refused)),
        Ok(intake) => Ok(Ok(intake)),
    });
    let intake = begun.await?.map_err(anyhow::Error::msg)?;
    let mut intake = intake.superseding(supersedes).patient(PATIENCE);
    let mut bytes = vec![0; READ_LEN];
    loop {
        let read = file.read(&mut bytes)?;
        if read == 0 {
            return Ok(intake.finish(Then::Import).await?);
        }
        intake.push(bytes.get(..read).unwrap_or_default()).await?;
    }
}

/// Lets a statement be read that waits: it was previewed before, or its period is not certain. False if it is asked
/// about.
async fn confirm(
    process: &Process,
    row: &StatementRow,
    reading: &Reading,
    period: Option<(String, String)>,
    supersedes: Supersedes,
) -> anyhow::Result<bool> {
    let confirm = Confirm {
        format: reading.format.clone(),
        period,
        supersedes,
        actor: command_line(),
        now: process.clock.now(),
    };
    let id = row.id;
    let done = patiently(async || process.store.confirm_statement(id, confirm.clone()).await).await?;
    match web::statements::confirmed(id, done) {
        Ok(()) => Ok(true),
        Err(why) => {
            say(&format!("statement {id} of {} is kept and not imported: {why}", row.source));
            say("import the file again with --from and --to, or discard it");
            Ok(false)
        }
    }
}

/// Does `work` until it is done or fails for good, as long as another process is writing.
async fn patiently<T>(mut work: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match work().await {
            Err(Error::Unavailable(_)) if Instant::now() < give_up => tokio::time::sleep(LOOK_EVERY).await,
            done => return done,
        }
    }
}

/// How far a statement is; another value is progress.
type Stand = (String, i64, Option<String>);

/// Works a statement off, or follows whoever does, until it is matched or has failed.
async fn follow(process: &Process, id: i64, reading: &Reading) -> anyhow::Result<()> {
    let store = &process.store;
    let (mut last, mut since): (Option<Stand>, Instant) = (None, Instant::now());
    let mut told: Option<(&'static str, Progress)> = None;
    // An earlier one of the same source may come first: it is read by the same terms.
    let mut turn = id;
    loop {
        let failed = match store.statement_step(turn, reading.terms).await {
            Ok(Step::After(earlier)) => {
                turn = earlier;
                continue;
            }
            Ok(Step::More) => None,
            Ok(Step::Done) if turn != id => {
                turn = id;
                continue;
            }
            Ok(Step::Done) => {
                let row = store.statement(id).await?.context("the statement was discarded meanwhile")?;
                return match row.stands()? {
                    State::Matched | State::Superseded | State::Failed => Ok(()),
                    state => anyhow::bail!("statement {id} {}", web::statements::stands(state)),
                };
            }
            Err(error) if error.is_broken() => return Err(error.into()),
            Err(error) => Some(error),
        };
        let Some(row) = store.statement(turn).await? else {
            anyhow::ensure!(turn != id, "statement {id} was discarded meanwhile");
            turn = id;
            continue;
        };
        let now = (row.state.clone(), row.chunks_done, row.missing_upto.clone());
        if last.as_ref() != Some(&now) {
            (last, since) = (Some(now), Instant::now());
        }
        tell(&row, &mut told);
        match failed {
            None => {}
            // Where nobody else makes progress, it is given up after some tries, as a server does.
            Some(error) if !matches!(error, Error::Unavailable(_)) => {
                jobs::statements::gave_up(store, turn, error, process.clock.now()).await?;
                tokio::time::sleep(LOOK_EVERY).await;
            }
            // Another process writes, perhaps on the same statement.
            Some(error) if since.elapsed() < PATIENCE => {
                tracing::debug!(%error, "another process is writing");
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Some(error) => {
                return Err(anyhow::Error::new(error).context(format!(
                    "statement {turn} made no progress for {} s; it is kept, and a running server goes on with it",
                    PATIENCE.as_secs()
                )));
            }
        }
    }
}

/// Says how far it is, in parts that are read and then in days that are looked through.
fn tell(row: &StatementRow, told: &mut Option<(&'static str, Progress)>) {
    let (what, done, all) = match row.state.as_str() {
        "importing" => ("reading the statement, by parts", row.chunks_done, Some(row.chunks)),
        _ => days_looked_through(row),
    };
    if told.as_ref().is_none_or(|(before, _)| *before != what) {
        *told = Some((what, Progress::of(what, all.map(i64::unsigned_abs))));
    }
    if let Some((_, progress)) = told {
        progress.reach(done.unsigned_abs());
    }
}

/// Of a statement whose every line is read: how many days were looked through for what it lacks, and how many there are.
fn days_looked_through(row: &StatementRow) -> (&'static str, i64, Option<i64>) {
    let date = |date: &Option<String>| date.as_deref().and_then(|date| date.parse::<NaiveDate>().ok());
    let days = date(&row.period_from).zip(date(&row.period_to)).map(|(first, last)| {
        let done = date(&row.missing_upto).map_or(0, |upto| (upto - first).num_days());
        let all = (last - first).num_days() + 1;
        (done.clamp(0, all), Some(all))
    });
    let (done, all) = days.unwrap_or((0, None));
    ("looking for what the statement lacks, by day", done, all)
}
