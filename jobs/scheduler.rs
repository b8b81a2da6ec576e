//! Scheduled jobs: checked every minute, pushed once for each slot, and run by apalis from its own storage.
//!
//! A slot that was missed while no process ran is pushed at the next check. The storage's workers end at any database
//! error, so they are supervised like those of the inbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerBuilderExt, WorkerError};
use apalis_core::backend::ext::BackendExt as _;
use chrono_tz::Tz;
use domain::policy::BaselineTerms;
use domain::time::{Clock, TimestampMs};
use store::Store;
use store::operations::jobs::{Begun, Job, JobStorage};
use store::statements::MatchTerms;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::baselines;
use crate::mail::{Mail, MailError};
use crate::reports;
use crate::retention::{self, RetentionPeriods};
use crate::shutdown::rest;
use crate::silence;
use crate::statements::{self, Worked};
use crate::supervise::supervise;

/// Interval of checks for due jobs.
const CHECK_EVERY: Duration = Duration::from_mins(1);
/// Interval of polling the storage; by default apalis would wait for its own heartbeat.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Interval of checks for statements to import; short, because the sender is waiting at the page.
const STATEMENTS_EVERY: Duration = Duration::from_secs(2);
/// Every this many checks, late lines are closed and discarded statements cleared.
const CLOSE_EVERY_CHECKS: u64 = 5;
/// Pause before a failed worker is restarted.
const RESTART_PAUSE: Duration = Duration::from_secs(5);
/// How long running jobs have to stop with the process.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Jobs that one process runs at once, so that one with years to catch up does not block the others.
const JOBS_AT_ONCE: usize = 4;
/// Attempts before a job is given up.
const MAX_ATTEMPTS: i64 = 5;
/// Pause before a failed job is retried.
const RETRY_AFTER_MS: i64 = 60_000;

/// Rewards that the policy releases in one transaction.
const RELEASED_AT_ONCE: i64 = 500;

/// The job of retention.
const PURGE: &str = "purge";
/// The job that makes the reports of past days.
const REPORT: &str = "report";
/// The job that sends the newest report by mail.
const MAIL: &str = "mail";
/// The job that makes the baseline of the day.
const BASELINE: &str = "baseline";
/// Attempts before a mail is given up: about half a day.
const MAX_MAIL_ATTEMPTS: i64 = 16;

/// Everything that scheduled jobs need.
#[derive(Debug)]
pub struct Scheduled {
    /// Where jobs and their data are.
    pub store: Store,
    /// The source of the current time.
    pub clock: Clock,
    /// The time zone of business days.
    pub timezone: Tz,
    /// When data expires.
    pub terms: RetentionPeriods,
    /// When reports are made and closed.
    pub reports: reports::ReportConfig,
    /// `None`: no mail is sent.
    pub mail: Option<Mail>,
    /// Settings of matching, for every source of the settings.
    pub statements: BTreeMap<String, MatchTerms>,
    /// From which completions baselines are made.
    pub baseline: BaselineTerms,
    /// Ends everything when cancelled, after the current step.
    pub stop: CancellationToken,
}

/// Runs scheduled jobs and imports of statements until `scheduled.stop` is cancelled.
pub async fn run(scheduled: Scheduled) {
    let scheduled = Arc::new(scheduled);
    tokio::join!(schedule_due_jobs(&scheduled), work_on_statements(&scheduled), run_jobs(&scheduled));
}

async fn schedule_due_jobs(scheduled: &Scheduled) {
    while !scheduled.stop.is_cancelled() {
        let now = scheduled.clock.now();
        for job in due(scheduled, now) {
            match scheduled.store.schedule(job.clone(), now).await {
                Ok(true) => info!(job = job.name, slot = job.slot, "a job is due"),
                Ok(false) => {}
                Err(error) => warn!(%error, "due jobs cannot be scheduled; trying again in a minute"),
            }
        }
        if let Err(error) = release_small_holds(scheduled, now).await {
            warn!(%error, "holds cannot be released by policy; trying again in a minute");
        }
        let Scheduled { store, statements, mail, .. } = scheduled;
        if let Err(error) = silence::watch(store, statements.keys(), mail.is_some(), now).await {
            warn!(%error, "whether sources are silent cannot be checked; trying again in a minute");
        }
        rest(&scheduled.stop, CHECK_EVERY).await;
    }
}

/// Releases holds under the automatic release policy, in steps, until none is left.
async fn release_small_holds(scheduled: &Scheduled, now: TimestampMs) -> Result<(), store::Error> {
    let Scheduled { store, timezone, stop, .. } = scheduled;
    while !stop.is_cancelled() {
        let released = store.auto_release(now, now.business_date(*timezone), RELEASED_AT_ONCE).await?;
        if released == 0 {
            break;
        }
        info!(released, "small soft holds were released by policy");
    }
    Ok(())
}

/// Imports statements as they arrive, closes their lines when missing postbacks arrive, and clears discarded statements.
async fn work_on_statements(scheduled: &Scheduled) {
    let mut checks = 0_u64;
    while !scheduled.stop.is_cancelled() {
        if let Err(error) = finish_statements(scheduled).await {
            warn!(%error, "statements to import cannot be loaded; trying again");
        }
        if checks.is_multiple_of(CLOSE_EVERY_CHECKS) {
            if let Err(error) = close_late_lines(scheduled, scheduled.clock.now()).await {
                warn!(%error, "open lines of statements cannot be loaded; trying again");
            }
            if let Err(error) = clear_discarded(scheduled).await {
                warn!(%error, "discarded statements cannot be cleared; trying again");
            }
        }
        checks += 1;
        rest(&scheduled.stop, STATEMENTS_EVERY).await;
    }
}

/// Imports all statements whose import has started and not ended. None of them blocks another.
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
                "its source `{}` is not in the settings; add it, then import the statement again",
                row.source
            ))),
        };
        match worked {
            Ok(Worked::Done) => info!(id, source = row.source, "a statement was read and matched"),
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
                info!(id, closed, "missing postbacks arrived; lines of a statement were closed");
            }
            Err(error) if error.is_broken() => return Err(error),
            Err(error) => {
                warn!(id, %error, "open lines of a statement cannot be matched again; trying again");
            }
        }
    }
    Ok(())
}

/// Deletes the lines of discarded statements, some at a time.
async fn clear_discarded(scheduled: &Scheduled) -> Result<(), store::Error> {
    while !scheduled.stop.is_cancelled() && scheduled.store.clear_discarded_statements().await? {}
    Ok(())
}

/// The jobs due at `now`, whether or not they were pushed before. One report job also makes the reports of missed days.
fn due(scheduled: &Scheduled, now: TimestampMs) -> Vec<Job> {
    let purge = Job { name: PURGE.into(), slot: now.business_date(scheduled.timezone) };
    let report = scheduled.reports.last_due(now);
    let report = report.map(|day| Job { name: REPORT.into(), slot: day.date().to_string() });
    let baseline = Job { name: BASELINE.into(), slot: now.business_date(scheduled.timezone) };
    [purge, baseline].into_iter().chain(report).collect()
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
                    // The storage keeps the pool that it was made with, and would wait for it for ever.
                    () = renewed => Ok(()),
                },
            }
        }
    })
    .await;
}

/// Counts the running jobs.
#[derive(Clone, Default)]
struct Running(Arc<watch::Sender<usize>>);

/// One running job, until it is dropped.
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

/// Ends when the process stops and no job runs any more (each job checks `stop` itself). An apalis worker that is stopped
/// earlier no longer polls its own statements while it waits for its jobs, so a job could wait for a connection that such
/// a statement holds; on SQLite that is the only writing connection.
async fn idle(stop: CancellationToken, running: Running) -> Result<(), WorkerError> {
    stop.cancelled().await;
    let mut running = running.0.subscribe();
    let _ = tokio::time::timeout(STOP_WITHIN, running.wait_for(|running| *running == 0)).await;
    Ok(())
}

/// Runs one job. For apalis it always succeeds: a failed job is pushed again here, with a delay that survives a restart.
async fn work(job: Job, scheduled: Data<Arc<Scheduled>>, running: Data<Running>) -> Result<(), BoxDynError> {
    let _runs = running.one();
    let Scheduled { store, clock, terms, mail, stop, .. } = &**scheduled;
    let now = clock.now();
    let max_attempts = if is_mail(&job) { MAX_MAIL_ATTEMPTS } else { MAX_ATTEMPTS };
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
        BASELINE => make_baseline(&scheduled, now).await.map_err(Fault::from),
        MAIL => send_mail(&scheduled, &job).await,
        silence::SILENT | silence::SPEAKS => send_notice(&scheduled, &job).await,
        unknown => {
            warn!(job = unknown, "a job of a newer version is skipped; that version's workers run it");
            return Ok(());
        }
    };
    match done {
        // Stopped midway: another worker starts it again.
        Ok(()) if stop.is_cancelled() => store.postpone_job(job, now).await?,
        Ok(()) => store.finish_job(job, clock.now()).await?,
        Err(error) => {
            warn!(%error, job = job.name, slot = job.slot, "a job failed; it will be retried");
            let after_ms = match mail {
                Some(mail) if is_mail(&job) => mail.retry_after_ms(attempt),
                _ => RETRY_AFTER_MS,
            };
            store.postpone_job(job, TimestampMs(clock.now().0 + after_ms)).await?;
        }
    }
    Ok(())
}

fn is_mail(job: &Job) -> bool {
    [MAIL, silence::SILENT, silence::SPEAKS].contains(&job.name.as_str())
}

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// Makes reports, then schedules the mail about them. If it is killed in between, both run again without harm.
async fn report_and_notify(scheduled: &Scheduled, job: &Job, now: TimestampMs) -> Result<(), store::Error> {
    let Scheduled { store, clock, reports, stop, .. } = scheduled;
    reports::make_up_to(store, reports, &job.slot, clock, stop).await?;
    if scheduled.mail.is_some() && !stop.is_cancelled() {
        store.schedule(Job { name: MAIL.into(), slot: job.slot.clone() }, now).await?;
    }
    Ok(())
}

/// Makes the baseline of the day.
async fn make_baseline(scheduled: &Scheduled, now: TimestampMs) -> Result<(), store::Error> {
    let Scheduled { store, baseline, stop, .. } = scheduled;
    if let Some(made) = baselines::make(store, *baseline, now, stop, |_| {}).await? {
        let (version, offers) = (made.baseline.version(), made.baseline.offers().len());
        info!(version, offers, completions = made.completions, is_new = made.is_new, "a baseline was made");
    }
    Ok(())
}

/// Sends the mail with the report of a day.
async fn send_mail(scheduled: &Scheduled, job: &Job) -> Result<(), Fault> {
    let Some(mail) = &scheduled.mail else { return Ok(()) };
    let Some(row) = scheduled.store.report(&job.slot).await? else { return Ok(()) };
    mail.send(&row.report()?).await?;
    info!(date = job.slot, "the report was sent by mail");
    Ok(())
}

/// Sends a notice about a source.
async fn send_notice(scheduled: &Scheduled, job: &Job) -> Result<(), Fault> {
    let Some(mail) = &scheduled.mail else { return Ok(()) };
    let Some(letter) = silence::letter(job, &mail.pages_url) else { return Ok(()) };
    mail.send_letter(&letter).await?;
    info!(job = job.name, slot = job.slot, "a notice about a source was sent by mail");
    Ok(())
}
