//! Durability: what is acknowledged is on disk, and a database that cannot promise it is refused.

use std::path::{Path, PathBuf};

use store::Error;
use store::postbacks::inbox::Claim;

use crate::support::database::{Home, open};
use crate::support::postbacks::{NOW, credit, processed, processor};
use crate::support::processing::{ALL, CREDITED, plain};

contract! {
    both:
        a_url_of_neither_database_is_refused,
        what_is_acknowledged_is_there_after_opening_again,
        a_database_says_which_it_is_and_how_many_workers_are_of_use,
        a_closed_store_refuses_for_the_moment_and_keeps_what_it_has;
    sqlite:
        a_new_file_has_a_write_ahead_log,
        what_is_acknowledged_is_in_the_files_while_the_store_is_open,
        a_database_in_memory_is_refused_as_unfit,
        a_file_that_cannot_have_a_write_ahead_log_is_refused_as_unfit,
        a_file_that_is_no_database_is_refused;
    postgres:
        a_server_with_unsafe_durability_is_refused_naming_the_setting,
        a_server_that_is_not_there_is_unavailable;
}

/// Asserts that `url` is refused as unfit, with `says` in the text, and at once: waiting would not help.
async fn assert_unfit(url: &str, says: &[&str]) {
    match open(url).await {
        Err(Error::Unfit(text)) => {
            for says in says {
                assert!(text.contains(says), "{says} in: {text}");
            }
        }
        Err(other) => panic!("{url} is unfit, not: {other}"),
        Ok(_) => panic!("{url} is unfit, and was opened"),
    }
}

async fn a_url_of_neither_database_is_refused(_: &Home) {
    for url in ["", "mysql://localhost/x", "rewardgate.db", "SQLITE://x.db", "http://localhost"] {
        assert_unfit(url, &["sqlite://", "postgres://"]).await;
    }
}

async fn what_is_acknowledged_is_there_after_opening_again(home: &Home) {
    home.process(&[credit("T1")]).await;
    home.record(&[credit("T1")]).await;
    home.store.close().await;
    let store = home.another_process().await;
    let settlement = processed(&store, Claim::First(ALL), processor(), NOW).await.expect("it is settled");
    assert_eq!(settlement.rewards[0].reward.repeats, 1);
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
    store.close().await;
}

async fn a_database_says_which_it_is_and_how_many_workers_are_of_use(home: &Home) {
    let (name, workers) = (home.store.database_name(), home.store.useful_workers(4));
    assert!(home.url.starts_with(name));
    assert_eq!(workers, if name == "sqlite" { 1 } else { 4 });
    home.store.ping().await.expect("it answers");
}

async fn a_closed_store_refuses_for_the_moment_and_keeps_what_it_has(home: &Home) {
    home.record(&[credit("T1")]).await;
    home.store.close().await;
    home.store.close().await;
    let refusals = [
        home.store.ping().await.expect_err("closed"),
        home.store.record(std::sync::Arc::default()).await.expect_err("closed"),
        processed(&home.store, Claim::First(ALL), processor(), NOW).await.expect_err("closed"),
        home.store.prove().await.expect_err("closed"),
    ];
    for refused in refusals {
        assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    }
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM postbacks").await, 1);
}

async fn a_new_file_has_a_write_ahead_log(home: &Home) {
    assert_eq!(home.raw().await.texts("PRAGMA journal_mode").await, ["wal"]);
}

/// Whether the operating system was also asked to write them to the disk cannot be seen from outside the process; the
/// store asks every connection that writes, and the rules on unfit files show that it does.
async fn what_is_acknowledged_is_in_the_files_while_the_store_is_open(home: &Home) {
    home.process(&[credit("T1")]).await;
    home.record(&[credit("T2")]).await;
    // What stands in the files now is what a crash of the process would leave.
    let file = PathBuf::from(home.url.trim_start_matches("sqlite://"));
    let copy = tempfile::tempdir().expect("a temporary directory");
    let beside = |path: &Path, end: &str| PathBuf::from(format!("{}{end}", path.display()));
    let found = copy.path().join("copy.db");
    for end in ["", "-wal"] {
        std::fs::copy(beside(&file, end), beside(&found, end)).expect("it is copied");
    }

    let store = open(&format!("sqlite://{}", found.display())).await.expect("it opens");
    let settlement = processed(&store, Claim::First(ALL), processor(), NOW).await.expect("it is settled");
    assert_eq!(settlement.rewards[0].reward.key, "T2");
    assert_eq!(
        store.balances("main", "u1").await.expect("balances are read")[0].balance_micros,
        1_000_000_000
    );
    assert!(store.prove().await.expect("the books are read").is_proven());
    store.close().await;
}

async fn a_database_in_memory_is_refused_as_unfit(_: &Home) {
    assert_unfit("sqlite::memory:", &["journal_mode=memory", "WAL"]).await;
    let here = std::fs::read_dir(".").expect("a folder").map(|entry| entry.expect("a file").file_name());
    assert_eq!(
        here.filter(|name| name.to_string_lossy().contains("sqlx-in-memory")).count(),
        0,
        "it has no file"
    );
}

async fn a_file_that_cannot_have_a_write_ahead_log_is_refused_as_unfit(home: &Home) {
    // Locking by files beside the file, as where there is no shared memory: there a log for several is impossible.
    let url = format!("{}?vfs=unix-dotfile", home.blank().await);
    assert_unfit(&url, &["journal_mode=delete", "WAL"]).await;
}

async fn a_file_that_is_no_database_is_refused(home: &Home) {
    let url = home.blank().await;
    std::fs::write(
        url.trim_start_matches("sqlite://"),
        "no database at all, but a text of some length".repeat(100),
    )
    .expect("it is written");
    let refused = open(&url).await.expect_err("it is no database");
    assert!(!refused.is_transient(), "{refused}");
}

async fn a_server_with_unsafe_durability_is_refused_naming_the_setting(home: &Home) {
    let mut raw = home.raw().await;
    let name = raw.texts("SELECT current_database()::text").await.remove(0);
    raw.execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await;
    assert_unfit(&home.url, &["synchronous_commit"]).await;
    raw.execute(&format!("ALTER DATABASE {name} RESET synchronous_commit")).await;
    open(&home.url).await.expect("it is fit again").close().await;
}

async fn a_server_that_is_not_there_is_unavailable(_: &Home) {
    // Bound, so that nobody else takes the port, and never listening.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let port = socket.local_addr().expect("its address").port();
    let refused =
        open(&format!("postgres://nobody@127.0.0.1:{port}/none")).await.expect_err("nobody is there");
    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
}
