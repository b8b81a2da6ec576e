//! Policies: the content behind each version, kept once.

use domain::time::TimestampMs;
use store::access::audit::AuditFilter;

use crate::support::database::Home;
use crate::support::postbacks::{NOW, processor};

contract! {
    both:
        a_policy_is_kept_as_it_was_when_it_was_first_used,
        two_processes_may_keep_the_same_policy_at_once,
        another_policy_than_before_is_noted_once;
}

/// Without the policy that every home has.
async fn forget(home: &Home) {
    home.raw().await.execute("DELETE FROM policies").await;
}

async fn kept(home: &Home) -> Vec<(String, String, i64)> {
    home.raw().await.rows("SELECT version, content, first_used_at FROM policies ORDER BY version").await
}

async fn a_policy_is_kept_as_it_was_when_it_was_first_used(home: &Home) {
    forget(home).await;
    let (processor, later) = (processor(), TimestampMs(NOW.0 + 1));
    let policy = &processor.policy;
    let keep =
        |version: &str, content: &str, now| home.store.keep_policy(version.into(), content.into(), now);
    keep(policy.version(), policy.content(), NOW).await.expect("it is kept");
    keep(policy.version(), policy.content(), later).await.expect("it is kept already");
    keep(policy.version(), "forged", later).await.expect("it is kept already");
    keep("zz", "{}", later).await.expect("it is kept");
    assert_eq!(
        kept(home).await,
        [
            (policy.version().to_owned(), policy.content().to_owned(), NOW.0),
            ("zz".to_owned(), "{}".to_owned(), later.0),
        ]
    );
}

async fn another_policy_than_before_is_noted_once(home: &Home) {
    let lines = async || {
        let rows = home.store.audit(&AuditFilter::default(), 9).await.expect("listed");
        rows.into_iter().rev().map(|row| (row.actor, row.subject, row.detail)).collect::<Vec<_>>()
    };
    for version in ["one", "one", "two", "two", "one"] {
        home.store.keep_policy(version.into(), "{}".into(), NOW).await.expect("it is kept");
    }
    let line = |subject: &str, detail: &str| ("settings".to_owned(), subject.to_owned(), detail.to_owned());
    let expected = [
        line("policy one", ""),
        line("policy two", "instead of policy one"),
        line("policy one", "instead of policy two"),
    ];
    assert_eq!(lines().await, expected);
    // Of two processes that start at once with another one, one notes it.
    let other = home.another_process().await;
    for round in 0..10 {
        let version = if round % 2 == 0 { "two" } else { "one" };
        let (one, two) = tokio::join!(
            home.store.keep_policy(version.into(), "{}".into(), NOW),
            other.keep_policy(version.into(), "{}".into(), NOW),
        );
        one.expect("it is kept");
        two.expect("it is kept");
    }
    other.close().await;
    let noted = home.store.audit(&AuditFilter::default(), 99).await.expect("listed").len();
    assert_eq!(noted, 13);
}

async fn two_processes_may_keep_the_same_policy_at_once(home: &Home) {
    forget(home).await;
    let other = home.another_process().await;
    for round in 0..10 {
        let version = format!("version {round}");
        let (one, two) = tokio::join!(
            home.store.keep_policy(version.clone(), "{}".into(), NOW),
            other.keep_policy(version.clone(), "{}".into(), NOW),
        );
        one.expect("it is kept");
        two.expect("it is kept");
    }
    assert_eq!(kept(home).await.len(), 10);
}
