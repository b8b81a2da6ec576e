//! Work by the clock: looked up every minute, pushed once for each slot, worked on by apalis from its own storage.
//!
//! The clock only ever says what is due; a slot that was missed while nothing ran is pushed at the next look. The
//! storage's workers die of any fault of the database, so they are supervised like those of the inbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerBuilderExt, WorkerError};
use apalis_core::backend::ext::BackendExt as _;
use chrono_tz::Tz;
use domain::time::{Clock, TimestampMs};
use store::Store;
use store::operations::jobs::{Begun, Job, JobStorage};
use store::statements::MatchTerms;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::mail::{Mail, MailError};
use crate::reports;
use crate::retention::{self, RetentionPeriods};
use crate::shutdown::rest;
use crate::statements::{self, Worked};
use crate::supervise::supervise;

/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// How often the storage is asked for jobs; left alone, apalis would wait for its own heartbeat.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How often it is looked whether a statement waits to be read: whoever sent it looks at its page.
const STATEMENTS_EVERY: Duration = Duration::from_secs(2);
/// At every how many of these looks lines are looked for whose postback has arrived since.
const CLOSE_EVERY_LOOKS: u64 = 5;
/// The pause before a worker that died is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(5);
/// How long jobs that run have to notice that the process stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// How many jobs one process works on at once: one that has years to make up stops none of the others.
const JOBS_AT_ONCE: usize = 4;
/// How often a job is begun before it is given up.
const MAX_ATTEMPTS: i64 = 5;
/// How long after a failure a job is begun again.
const RETRY_AFTER_MS: i64 = 60_000;

/// How many rewards the policy releases in one transaction.
const RELEASED_AT_ONCE: i64 = 500;

/// The job that retention is.
const PURGE: &str = "purge";
/// The job that makes the reports of the days that are over.
const REPORT: &str = "report";
/// The job that sends the newest of them by mail.
const MAIL: &str = "mail";
/// How often a mail is tried before it is given up: about half a day.
const MAX_MAIL_ATTEMPTS: i64 = 16;

/// Everything that work by the clock needs.
#[derive(Debug)]
pub struct Scheduled {
    /// The database.
    pub store: Store,
    /// What time it is.
    pub clock: Clock,
    /// The zone of the business day.
    pub timezone: Tz,
    /// How long what is kept.
    pub terms: RetentionPeriods,
    /// When reports are made and closed.
    pub reports: reports::ReportConfig,
    /// Who receives them by mail.
    pub mail: Option<Mail>,
    /// How statements of each source are matched.
    pub statements: BTreeMap<String, MatchTerms>,
    /// Ends it when cancelled, after the step in hand.
    pub stop: CancellationToken,
}

/// Works until told to stop.
pub async fn run(scheduled: Scheduled) {
    let scheduled = Arc::new(scheduled);
    tokio::join!(look_at_the_clock(&scheduled), read_statements(&scheduled), run_jobs(&scheduled));
}

async fn look_at_the_clock(scheduled: &Scheduled) {
    while !scheduled.stop.is_cancelled() {
        let now = scheduled.clock.now();
        for job in due(scheduled, now) {
            match scheduled.store.schedule(job.clone(), now).await {
                Ok(true) => info!(job = job.name, slot = job.slot, "due"),
                Ok(false) => {}
                Err(error) => warn!(%error, "what is due cannot be looked up; trying again in a minute"),
            }
        }
        if let Err(error) = release_small_holds(scheduled, now).await {
            warn!(%error, "what the policy releases cannot be released; trying again in a minute");
        }
        rest(&scheduled.stop, LOOK_EVERY).await;
    }
}

/// Releases what nobody needs to look at, in steps, until nothing is left.
async fn release_small_holds(scheduled: &Scheduled, now: TimestampMs) -> Result<(), store::Error> {
    let Scheduled { store, timezone, stop, .. } = scheduled;
    while !stop.is_cancelled() {
        let released = store.auto_release(now, now.business_date(*timezone), RELEASED_AT_ONCE).await?;
        if released == 0 {
            break;
        }
        info!(released, "small soft holds are released by policy");
    }
    Ok(())
}

/// Reads and matches statements as they come, closes their lines when what was missing comes, and clears what was taken
/// back.
async fn read_statements(scheduled: &Scheduled) {
    let mut looks = 0_u64;
    while !scheduled.stop.is_cancelled() {
        if let Err(error) = finish_statements(scheduled).await {
            warn!(%error, "statements cannot be looked up; trying again");
        }
        if looks.is_multiple_of(CLOSE_EVERY_LOOKS) {
            if let Err(error) = close_late_lines(scheduled, scheduled.clock.now()).await {
                warn!(%error, "lines of statements cannot be looked at again; trying again");
            }
            if let Err(error) = clear_discarded(scheduled).await {
                warn!(%error, "statements that were taken back cannot be cleared; trying again");
            }
        }
        looks += 1;
        rest(&scheduled.stop, STATEMENTS_EVERY).await;
    }
}

/// Reads and matches what was received and is not matched yet: by a page or the API, or by an import that was killed.
/// None of them stops another one.
async fn finish_statements(scheduled: &Scheduled) -> Result<(), store::Error> {
    let Scheduled { store, statements, stop, clock, .. } = scheduled;
    for id in store.unfinished_statements().await? {
        if stop.is_cancelled() {
            break;
        }
        let Some(row) = store.statement(id).await? else { continue };
        let worked = match statements.get(&row.source) {
            Some(terms) => statements::work_off(store, id, *terms, || !stop.is_cancelled()).await,
            None => Err(store::Error::Unfit(format!(
                "its source `{}` is not in the settings: add it, then import the statement again",
                row.source
            ))),
        };
        match worked {
            Ok(Worked::Done) => info!(id, source = row.source, "a statement is read and matched"),
            Ok(Worked::Stopped | Worked::After(_)) => {}
            Err(error) => statements::gave_up(store, id, error, clock.now()).await?,
        }
    }
    Ok(())
}

/// Closes lines of statements whose postbacks have arrived since.
async fn close_late_lines(scheduled: &Scheduled, now: TimestampMs) -> Result<(), store::Error> {
    let Scheduled { store, statements, stop, .. } = scheduled;
    for (id, source) in store.statements_with_open_lines().await? {
        let Some(terms) = statements.get(&source).filter(|_| !stop.is_cancelled()) else { continue };
        match store.close_late_lines(id, *terms, now).await {
            Ok(0) => {}
            Ok(closed) => {
                info!(
                    id,
                    closed, "postbacks arrived that a statement had and we had not: its lines are closed"
                );
            }
            Err(error) if error.is_broken() => return Err(error),
            Err(error) => warn!(id, %error, "lines of a statement cannot be looked at again; trying again"),
        }
    }
    Ok(())
}

/// Clears the lines of statements that were taken back, some at a time.
async fn clear_discarded(scheduled: &Scheduled) -> Result<(), store::Error> {
    while !scheduled.stop.is_cancelled() && scheduled.store.clear_discarded_statements().await? {}
    Ok(())
}

/// What is due at `now`, whether or not it was pushed before. One report makes up every day that was missed.
fn due(scheduled: &Scheduled, now: TimestampMs) -> Vec<Job> {
    let purge = Job { name: PURGE.into(), slot: now.business_date(scheduled.timezone) };
    let report = scheduled.reports.last_due(now);
    let report = report.map(|day| Job { name: REPORT.into(), slot: day.date().to_string() });
    std::iter::once(purge).chain(report).collect()
}

/// Keeps one worker running on the storage of whichever database is open.
async fn run_jobs(scheduled: &Arc<Scheduled>) {
    let running = Running::default();
    // A macro, because the two storages are different types.
    macro_rules! worker {
        ($name:ident, $storage:ident, $scheduled:ident, $running:ident) => {
            WorkerBuilder::new($name.as_str())
                .backend($storage.poll_with_interval(POLL_INTERVAL))
                .concurrency(JOBS_AT_ONCE)
                .data($scheduled.clone())
                .data($running.clone())
                .build(work)
                .run_until(idle($scheduled.stop.clone(), $running.clone()))
        };
    }
    supervise("clock", &scheduled.stop, RESTART_PAUSE, |name| {
        let (scheduled, running) = (scheduled.clone(), running.clone());
        async move {
            let renewed = scheduled.store.connections_renewed();
            match scheduled.store.job_storage() {
                JobStorage::Sqlite(storage) => worker!(name, storage, scheduled, running).await,
                JobStorage::Postgres(storage) => tokio::select! {
                    ended = worker!(name, storage, scheduled, running) => ended,
                    // The storage keeps the connections that it was made with, and waits on them without an end.
                    () = renewed => Ok(()),
                },
            }
        }
    })
    .await;
}

/// How many jobs run.
#[derive(Clone, Default)]
struct Running(Arc<watch::Sender<usize>>);

/// One job that runs, until it is dropped.
struct Runs(Running);

impl Running {
    fn one(&self) -> Runs {
        self.0.send_modify(|running| *running += 1);
        Runs(self.clone())
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.0.0.send_modify(|running| *running = running.saturating_sub(1));
    }
}

/// Ends when the process stops and no job runs any more, which each notices by itself. A worker of apalis that is told
/// earlier no longer polls its own statements while it waits for jobs, so that a job could wait for the connection that
/// such a statement holds: on SQLite, where there is one that writes, for everybody.
async fn idle(stop: CancellationToken, running: Running) -> Result<(), WorkerError> {
    stop.cancelled().await;
    let mut running = running.0.subscribe();
    let _ = tokio::time::timeout(STOP_WITHIN, running.wait_for(|running| *running == 0)).await;
    Ok(())
}

/// One job. It always ends well for apalis: what failed is pushed again by us, with a delay that outlives us.
async fn work(job: Job, scheduled: Data<Arc<Scheduled>>, running: Data<Running>) -> Result<(), BoxDynError> {
    let _runs = running.one();
    let Scheduled { store, clock, terms, mail, stop, .. } = &**scheduled;
    let now = clock.now();
    let max_attempts = if job.name == MAIL { MAX_MAIL_ATTEMPTS } else { MAX_ATTEMPTS };
    let attempt = match store.begin_job(job.clone()).await? {
        Begun::Done => return Ok(()),
        Begun::Attempt(attempt) if attempt > max_attempts => {
            error!(job = job.name, slot = job.slot, attempt, "a job failed too often and is given up");
            return Ok(store.finish_job(job, now).await?);
        }
        Begun::Attempt(attempt) => attempt,
    };
    let done: Result<(), Fault> = match job.name.as_str() {
        PURGE => retention::purge(store, *terms, now, stop).await.map_err(Fault::from),
        REPORT => report_and_notify(&scheduled, &job, now).await.map_err(Fault::from),
        MAIL => send_mail(&scheduled, &job).await,
        unknown => {
            warn!(job = unknown, "a job of a newer version; left to its workers");
            return Ok(());
        }
    };
    match done {
        // Stopped in the middle: another worker begins it again.
        Ok(()) if stop.is_cancelled() => store.postpone_job(job, now).await?,
        Ok(()) => store.finish_job(job, clock.now()).await?,
        Err(error) => {
            warn!(%error, job = job.name, slot = job.slot, "a job failed; trying again later");
            let after_ms = match mail {
                Some(mail) if job.name == MAIL => mail.retry_after_ms(attempt),
                _ => RETRY_AFTER_MS,
            };
            store.postpone_job(job, TimestampMs(clock.now().0 + after_ms)).await?;
        }
    }
    Ok(())
}

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// Makes reports, and then schedules the mail about them. Killed in between, both are done again, and nothing twice.
async fn report_and_notify(scheduled: &Scheduled, job: &Job, now: TimestampMs) -> Result<(), store::Error> {
    let Scheduled { store, clock, reports, stop, .. } = scheduled;
    reports::make_up_to(store, reports, &job.slot, clock, stop).await?;
    if scheduled.mail.is_some() && !stop.is_cancelled() {
        store.schedule(Job { name: MAIL.into(), slot: job.slot.clone() }, now).await?;
    }
    Ok(())
}

/// Sends the mail about the report of a day.
async fn send_mail(scheduled: &Scheduled, job: &Job) -> Result<(), Fault> {
    let Some(mail) = &scheduled.mail else { return Ok(()) };
    let Some(row) = scheduled.store.report(&job.slot).await? else { return Ok(()) };
    mail.send(&row.report()?).await?;
    info!(date = job.slot, "the report was sent by mail");
    Ok(())
}
