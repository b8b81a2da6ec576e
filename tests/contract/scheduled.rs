//! Scheduled jobs: each slot is pushed once, attempts are counted, and finished jobs are deleted.

use domain::time::TimestampMs;
use store::operations::jobs::{Begun, Job};

use crate::support::database::Home;
use crate::support::place::Kind;
use crate::support::postbacks::NOW;

contract! {
    both:
        a_slot_is_pushed_once,
        many_processes_that_look_at_the_clock_at_once_push_a_slot_once,
        attempts_are_counted_until_the_job_is_done,
        a_postponed_job_is_pushed_again_and_waits_until_its_time,
        finished_jobs_and_dead_workers_are_pruned_and_others_stay;
    sqlite:
        apalis_notes_its_migrations_apart_from_ours;
}

fn purge(slot: &str) -> Job {
    Job { name: "purge".into(), slot: slot.into() }
}

fn jobs(home: &Home) -> &'static str {
    if home.kind() == Kind::Sqlite { "Jobs" } else { "apalis.jobs" }
}

fn workers(home: &Home) -> &'static str {
    if home.kind() == Kind::Sqlite { "Workers" } else { "apalis.workers" }
}

async fn pushed(home: &Home) -> i64 {
    home.raw().await.number(&format!("SELECT COUNT(*) FROM {}", jobs(home))).await
}

async fn a_slot_is_pushed_once(home: &Home) {
    for (slot, is_new) in [("2026-11-23", true), ("2026-11-23", false), ("2026-11-24", true)] {
        assert_eq!(home.store.schedule(purge(slot), NOW).await.expect("it is scheduled"), is_new, "{slot}");
    }
    assert_eq!(pushed(home).await, 2);
}

async fn many_processes_that_look_at_the_clock_at_once_push_a_slot_once(home: &Home) {
    let mut looks = Vec::new();
    for _ in 0..8 {
        let store = home.another_process().await;
        looks.push(tokio::spawn(async move { store.schedule(purge("2026-11-23"), NOW).await }));
    }
    let mut first = 0;
    for look in looks {
        first += usize::from(look.await.expect("it ends").expect("it is scheduled"));
    }
    assert_eq!((first, pushed(home).await), (1, 1));
}

async fn attempts_are_counted_until_the_job_is_done(home: &Home) {
    home.store.schedule(purge("2026-11-23"), NOW).await.expect("it is scheduled");
    let begin = async || home.store.begin_job(purge("2026-11-23")).await.expect("it is counted");
    assert_eq!((begin().await, begin().await), (Begun::Attempt(1), Begun::Attempt(2)));
    home.store.finish_job(purge("2026-11-23"), NOW).await.expect("it is noted");
    assert_eq!(begin().await, Begun::Done);
    let unknown = home.store.begin_job(purge("2026-11-24")).await.expect("it is counted");
    assert_eq!(unknown, Begun::Done, "nobody scheduled it");
}

async fn a_postponed_job_is_pushed_again_and_waits_until_its_time(home: &Home) {
    home.store.schedule(purge("2026-11-23"), NOW).await.expect("it is scheduled");
    let later = TimestampMs(NOW.0 + 60_000);
    home.store.postpone_job(purge("2026-11-23"), later).await.expect("it is pushed");
    let run_at = match home.kind() {
        Kind::Sqlite => "run_at",
        Kind::Postgres => "CAST(EXTRACT(EPOCH FROM run_at) AS BIGINT)",
    };
    let times: Vec<(i64,)> =
        home.raw().await.rows(&format!("SELECT {run_at} FROM {} ORDER BY 1", jobs(home))).await;
    assert_eq!(times, [(NOW.0 / 1_000,), (later.0 / 1_000,)]);
}

async fn finished_jobs_and_dead_workers_are_pruned_and_others_stay(home: &Home) {
    for slot in ["old", "young", "waiting"] {
        home.store.schedule(purge(slot), NOW).await.expect("it is scheduled");
    }
    let (jobs, workers) = (jobs(home), workers(home));
    let at = |seconds: i64| match home.kind() {
        Kind::Sqlite => seconds.to_string(),
        Kind::Postgres => format!("to_timestamp({seconds})"),
    };
    let (old, young) = (at(NOW.0 / 1_000 - 100), at(NOW.0 / 1_000));
    let payload = match home.kind() {
        Kind::Sqlite => "CAST(job AS TEXT)",
        Kind::Postgres => "convert_from(job, 'UTF8')",
    };
    let mut raw = home.raw().await;
    for (slot, done_at) in [("old", &old), ("young", &young)] {
        raw.execute(&format!(
            "UPDATE {jobs} SET status = 'Done', done_at = {done_at} WHERE {payload} LIKE '%{slot}%'"
        ))
        .await;
    }
    for (name, seen) in [("dead", &old), ("alive", &young)] {
        raw.execute(&format!(
            "INSERT INTO {workers} (id, worker_type, storage_name, last_seen) VALUES ('{name}', 'q', 's', {seen})"
        ))
        .await;
    }
    home.store.prune_jobs(TimestampMs(NOW.0 - 50_000)).await.expect("they are pruned");
    assert_eq!(pushed(home).await, 2);
    assert_eq!(raw.texts(&format!("SELECT id FROM {workers}")).await, ["alive"]);
}

async fn apalis_notes_its_migrations_apart_from_ours(home: &Home) {
    let mut raw = home.raw().await;
    let count = async |raw: &mut crate::support::raw::Raw, table| {
        raw.number(&format!("SELECT COUNT(*) FROM {table}")).await
    };
    assert!(count(&mut raw, "_apalis_migrations").await > 0);
    let foreign = "SELECT COUNT(*) FROM _sqlx_migrations WHERE version > 1000";
    assert_eq!(raw.number(foreign).await, 0);
}
