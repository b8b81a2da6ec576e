//! `rewardgate statement import`: sends a file in, and follows it until it is matched. If a server on the same database
//! processes the statement first, its progress is followed.

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

use super::READ_LEN;
use crate::commands::acting::command_line;
use crate::commands::progress::Progress;
use crate::commands::say;
use crate::process::Process;

/// How long to wait for another writer, and for a statement to make progress.
const PATIENCE: Duration = Duration::from_mins(2);
/// Pause between two looks at a statement that another process is working on.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What the command line says about the file.
pub(super) struct Request {
    pub(super) source: String,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) supersedes: Option<String>,
}

/// Imports a file and waits until it is matched. `None` if a person has to confirm first; the question is printed.
pub(super) async fn import(
    process: &Process,
    path: &Path,
    reading: &Reading,
    request: Request,
) -> anyhow::Result<Option<i64>> {
    let period = web::statements::period(request.from.as_deref(), request.to.as_deref(), reading);
    let period = period.map_err(anyhow::Error::msg)?;
    let supersedes = request.supersedes.as_deref().unwrap_or_default();
    let supersedes = Supersedes::parse(supersedes).map_err(anyhow::Error::msg)?;
    let new = NewStatement {
        source: request.source,
        file_name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        format: serde_json::to_string(&reading.format)?,
        period: period.clone(),
        actor: command_line(),
        now: process.clock.now(),
    };
    let (mut id, received) = receive(process, path, reading, new, supersedes.clone()).await?;
    if let Received::Before(first) = received {
        let row = process.store.statement(first).await?.context("the statement was deleted meanwhile")?;
        let state = row.stands()?;
        anyhow::ensure!(
            !state.is_done(),
            "this file was already imported as statement {first} on {}; to import it again, first run `rewardgate \
             statement discard {first}`",
            domain::time::TimestampMs(row.received_at).rfc3339()
        );
        say(&format!("statement {first} was not finished: resuming"));
        id = first;
    }
    let row = process.store.statement(id).await?.context("the statement was deleted meanwhile")?;
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
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
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

/// Confirms a statement that waits because it was previewed before or its period is uncertain. False if a person has to
/// decide first.
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
            say(&format!("statement {id} of {} was saved but not imported: {why}", row.source));
            say(&format!(
                "import the file again with --from and --to, or run `rewardgate statement discard {id}`"
            ));
            Ok(false)
        }
    }
}

/// Repeats `work` while another process is writing, at most for [`PATIENCE`].
async fn patiently<T>(mut work: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match work().await {
            Err(Error::Unavailable(_)) if Instant::now() < give_up => tokio::time::sleep(LOOK_EVERY).await,
            done => return done,
        }
    }
}

/// State, chunks done and last day searched: any change is progress.
type Position = (String, i64, Option<String>);

/// Processes a statement, or follows the process that does, until it is matched or has failed.
async fn follow(process: &Process, id: i64, reading: &Reading) -> anyhow::Result<()> {
    let store = &process.store;
    let (mut last, mut since): (Option<Position>, Instant) = (None, Instant::now());
    let mut shown: Option<(&'static str, Progress)> = None;
    // An earlier statement of the same source is processed first, with the same terms.
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
                let row = store
                    .statement(id)
                    .await?
                    .with_context(|| format!("statement {id} was discarded meanwhile"))?;
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
        report(&row, &mut shown);
        match failed {
            None => {}
            // If nobody else makes progress, it fails after some attempts, as in a server.
            Some(error) if !matches!(error, Error::Unavailable(_)) => {
                jobs::statements::gave_up(store, turn, error, process.clock.now()).await?;
                tokio::time::sleep(LOOK_EVERY).await;
            }
            // Another process is writing, perhaps on the same statement.
            Some(error) if since.elapsed() < PATIENCE => {
                tracing::debug!(%error, "another process is writing");
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Some(error) => {
                return Err(anyhow::Error::new(error).context(format!(
                    "statement {turn} made no progress for {} s; it is saved, and a running server will continue with it",
                    PATIENCE.as_secs()
                )));
            }
        }
    }
}

/// Shows the progress: chunks read, then days searched.
fn report(row: &StatementRow, shown: &mut Option<(&'static str, Progress)>) {
    let (what, done, all) = match row.state.as_str() {
        "importing" => ("reading the statement (chunks)", row.chunks_done, Some(row.chunks)),
        _ => days_searched(row),
    };
    if shown.as_ref().is_none_or(|(before, _)| *before != what) {
        *shown = Some((what, Progress::of(what, all.map(i64::unsigned_abs))));
    }
    if let Some((_, progress)) = shown {
        progress.reach(done.unsigned_abs());
    }
}

/// Days searched for bookings that no line has, and all days of the period if they are known.
fn days_searched(row: &StatementRow) -> (&'static str, i64, Option<i64>) {
    let date = |date: &Option<String>| date.as_deref().and_then(|date| date.parse::<NaiveDate>().ok());
    let days = date(&row.period_from).zip(date(&row.period_to)).map(|(first, last)| {
        let done = date(&row.missing_upto).map_or(0, |upto| (upto - first).num_days());
        let all = (last - first).num_days() + 1;
        (done.clamp(0, all), Some(all))
    });
    let (done, all) = days.unwrap_or((0, None));
    ("searching for bookings missing in the statement (days)", done, all)
}
