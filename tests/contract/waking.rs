//! Waking workers: of the same process, and of others where the database can notify them.

use std::time::Duration;

use store::Store;
use tokio::task::AbortHandle;

use crate::support::database::{DEADLINE, Home, eventually};

contract! {
    both:
        a_worker_of_the_same_process_is_woken,
        a_worker_that_comes_late_is_woken_all_the_same,
        notifying_never_fails_where_nobody_listens;
    sqlite:
        on_sqlite_no_other_process_notifies;
    postgres:
        a_worker_of_another_process_is_woken_on_postgres,
        a_worker_is_woken_again_after_the_server_ended_every_session;
}

async fn woken(store: &Store) {
    tokio::time::timeout(DEADLINE, store.woken()).await.expect("it is woken");
}

async fn a_worker_of_the_same_process_is_woken(home: &Home) {
    let worker = home.store.clone();
    let waiting = tokio::spawn(async move { woken(&worker).await });
    tokio::task::yield_now().await;
    home.store.wake_workers();
    waiting.await.expect("it is woken");
}

async fn a_worker_that_comes_late_is_woken_all_the_same(home: &Home) {
    home.store.wake_workers();
    woken(&home.store.clone()).await;
}

async fn notifying_never_fails_where_nobody_listens(home: &Home) {
    home.store.wake_other_processes().await.expect("it is said");
}

async fn on_sqlite_no_other_process_notifies(home: &Home) {
    let other = home.another_process().await;
    other.wake_other_processes().await.expect("there is nothing to say");
    tokio::select! {
        biased;
        ended = home.store.pass_on_notices() => panic!("there is nothing to listen to: {ended:?}"),
        () = home.store.woken() => panic!("nobody said anything"),
        () = std::future::ready(()) => {}
    }
}

/// Notifies other processes until a worker of `listener` wakes: one that does not listen yet misses notices.
async fn wake_until_heard(home: &Home, listener: &Store) {
    eventually("the worker of the other process is woken", async || {
        if let Err(why) = home.store.wake_other_processes().await {
            assert!(why.is_transient(), "{why}");
        }
        tokio::time::timeout(Duration::from_millis(100), listener.woken()).await.ok()
    })
    .await;
}

/// Listens as a process does: starts again whenever listening ends.
fn listen(store: &Store) -> AbortHandle {
    let store = store.clone();
    let listening = tokio::spawn(async move {
        loop {
            let ended = store.pass_on_notices().await.expect_err("it never ends by itself");
            assert!(ended.is_transient(), "{ended}");
        }
    });
    listening.abort_handle()
}

async fn a_worker_of_another_process_is_woken_on_postgres(home: &Home) {
    let other = home.another_process().await;
    let listening = listen(&other);
    wake_until_heard(home, &other).await;
    wake_until_heard(home, &other).await;
    assert!(!listening.is_finished());
    listening.abort();
}

async fn a_worker_is_woken_again_after_the_server_ended_every_session(home: &Home) {
    let other = home.another_process().await;
    let listening = listen(&other);
    for _ in 0..3 {
        wake_until_heard(home, &other).await;
        end_sessions(home).await;
    }
    wake_until_heard(home, &other).await;
    assert!(!listening.is_finished());
    listening.abort();
}

/// Ends every session of the stores on this database, as a restart of the server does.
pub(crate) async fn end_sessions(home: &Home) {
    let sql = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    home.raw().await.number(sql).await;
}
