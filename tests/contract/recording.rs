//! Recording postbacks, and finding them in the inbox.

use std::sync::Arc;

use domain::time::TimestampMs;
use jobs::postbacks::process::process;
use store::postbacks::inbox::{Claim, InboxDepth, NewPostback};
use store::postbacks::list::PostbackFilter;

use crate::support::database::Home;
use crate::support::postbacks::{NOW, RECEIVED_AT, credit, processed, processor};
use crate::support::processing::ALL;

contract! {
    both:
        what_is_recorded_is_kept_byte_for_byte,
        what_is_recorded_is_settled_byte_for_byte_in_the_order_recorded,
        nothing_is_nothing_to_record,
        a_recorded_postback_is_due_at_once,
        the_oldest_that_waits_is_the_one_received_first,
        what_waits_is_listed_in_the_order_recorded,
        bodies_of_one_url_are_bounded_and_what_is_left_out_is_said,
        bodies_of_one_source_are_bounded_in_each_hour,
        a_batch_is_recorded_whole_or_not_at_all,
        what_one_process_records_another_finds;
}

/// Targets that nothing on the way may touch: encodings, quotes, characters of every length, and what dialects of SQL
/// and JSON give a meaning to.
const ODD_TARGETS: [&str; 12] = [
    "/pb/targo",
    "/pb/targo?",
    "/pb/targo?&&==&a=%00%ff%FF%25&b=+%2B",
    "/pb/targo?name=O'Brien&quote=\"x\"&back=\\n\\u0041\\",
    "/pb/targo?tab=\t&feed=\n&return=\r&bell=\u{7}&delete=\u{7f}",
    "/pb/targo?latin=é&composed=e\u{301}&euro=€&face=😀&mark=\u{feff}&right=\u{202e}",
    "/pb/targo?sql=');DROP TABLE postbacks;--&bind=$1&named=:a&percent=%s",
    "/pb/targo?json={\"a\":[1,null]}&given={given}",
    "/pb/targo?end=\u{10ffff}&not=\u{fffe}",
    " /pb/targo ",
    "null",
    "123",
];

async fn what_is_recorded_is_kept_byte_for_byte(home: &Home) {
    let bodies = [None, Some(""), Some("a=1&b=%25%00%FF"), Some("null"), Some("{\"a\": \"\\u0000\"}")];
    let numbered = ODD_TARGETS.iter().zip(bodies.iter().cycle()).zip(0..);
    let recorded: Vec<_> = numbered.map(|((target, body), number)| odd(target, *body, number)).collect();
    home.store.record(Arc::new(recorded.clone())).await.expect("they are recorded");

    let sql =
        "SELECT source, received_at, method, target, body, remote_ip, request_id FROM postbacks ORDER BY id";
    let kept: Vec<KeptRow> = home.raw().await.rows(sql).await;
    let kept: Vec<_> = kept.into_iter().map(KeptRow::into_postback).collect();
    assert_eq!(kept, recorded);

    let listed = home.store.postbacks(&PostbackFilter::default(), ALL).await.expect("they are listed");
    let listed: Vec<_> = listed.iter().rev().map(|row| row.target.as_str()).collect();
    assert_eq!(listed, ODD_TARGETS);
}

async fn what_is_recorded_is_settled_byte_for_byte_in_the_order_recorded(home: &Home) {
    for targets in ODD_TARGETS.chunks(5) {
        let postbacks = targets.iter().zip(0..).map(|(target, number)| odd(target, None, number));
        home.store.record(Arc::new(postbacks.collect())).await.expect("they are recorded");
    }
    let mut seen = Vec::new();
    for limit in [1, 3, 100] {
        let batch = process(&home.store, processor(), Claim::First(limit), NOW).await;
        seen.extend(batch.expect("they are processed").postbacks);
    }
    let targets: Vec<_> = seen.iter().map(|postback| postback.target.as_str()).collect();
    assert_eq!(targets, ODD_TARGETS);
    assert!(seen.is_sorted_by_key(|postback| postback.id));
}

async fn nothing_is_nothing_to_record(home: &Home) {
    home.store.record(Arc::default()).await.expect("nothing is recorded");
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM postbacks").await, 0);
}

async fn a_recorded_postback_is_due_at_once(home: &Home) {
    let depth = home.store.inbox_depth().await.expect("a depth");
    assert_eq!(depth, InboxDepth { waiting: 0, oldest_received_at: None });

    home.record(&[credit("T1"), credit("T2"), credit("T3")]).await;
    let depth = home.store.inbox_depth().await.expect("a depth");
    assert_eq!(depth, InboxDepth { waiting: 3, oldest_received_at: Some(TimestampMs(RECEIVED_AT)) });

    home.process_waiting(2).await;
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 1);
    home.process_waiting(2).await;
    let depth = home.store.inbox_depth().await.expect("a depth");
    assert_eq!(depth, InboxDepth { waiting: 0, oldest_received_at: None });
}

async fn the_oldest_that_waits_is_the_one_received_first(home: &Home) {
    let calls = [7_000, 3_000, 5_000].map(|at| credit(&format!("T{at}")).received(RECEIVED_AT + at));
    home.record(&calls).await;
    for expected in [Some(3_000), Some(3_000), Some(5_000), None] {
        let depth = home.store.inbox_depth().await.expect("a depth");
        assert_eq!(depth.oldest_received_at, expected.map(|at| TimestampMs(RECEIVED_AT + at)));
        home.process_waiting(1).await;
    }
}

async fn what_waits_is_listed_in_the_order_recorded(home: &Home) {
    assert_eq!(home.first_waiting(ALL).await, Vec::<i64>::new());
    home.record(&[credit("T1"), credit("T2")]).await;
    home.record(&[credit("T3"), credit("T4")]).await;
    let waiting = home.first_waiting(ALL).await;
    assert_eq!(waiting.len(), 4);
    assert!(waiting.is_sorted());
    assert_eq!(home.first_waiting(3).await, waiting[..3]);
    home.process_waiting(1).await;
    assert_eq!(home.first_waiting(ALL).await, waiting[1..]);
}

/// The bodies that were kept, and the notes in place of others, in the order recorded.
async fn bodies(home: &Home) -> (Vec<String>, Vec<String>) {
    let kept = "SELECT COALESCE(body, '-') FROM postbacks ORDER BY id";
    let said = "SELECT COALESCE(body_left_out, '-') FROM postbacks ORDER BY id";
    let mut raw = home.raw().await;
    (raw.texts(kept).await, raw.texts(said).await)
}

async fn bodies_of_one_url_are_bounded_and_what_is_left_out_is_said(home: &Home) {
    let call = |target: &str, body: Option<&str>| {
        let mut call = credit("T1").postback();
        (call.target, call.body) = (target.to_owned(), body.map(str::to_owned));
        call
    };
    // In one batch, in others, and by another process.
    let first = vec![call("/1", Some("a")), call("/1", Some("a")), call("/1", None), call("/2", Some("a"))];
    home.store.record(Arc::new(first)).await.expect("they are recorded");
    for body in ["a", "b"] {
        home.store.record(Arc::new(vec![call("/1", Some(body))])).await.expect("it is recorded");
    }
    let other = home.another_process().await;
    for body in ["c", "d%00"] {
        other.record(Arc::new(vec![call("/1", Some(body))])).await.expect("it is recorded");
    }
    other.close().await;
    let (kept, said) = bodies(home).await;
    assert_eq!(kept, ["a", "-", "-", "a", "-", "b", "c", "-"]);
    let same = "body of 1 bytes not kept: an earlier call of this URL had the same";
    let enough = "body of 2 bytes not kept: enough bodies of this URL are kept";
    assert_eq!(said, ["-", same, "-", "-", same, "-", "-", enough]);
    let listed = home.store.postbacks(&PostbackFilter::default(), ALL).await.expect("they are listed");
    assert_eq!(listed[0].body_left_out.as_deref(), Some(enough));
}

async fn bodies_of_one_source_are_bounded_in_each_hour(home: &Home) {
    const HOUR_MS: i64 = 3_600_000;
    let call = |source: &str, number: i64, at: i64| {
        let mut call = credit("T1").received(RECEIVED_AT - RECEIVED_AT % HOUR_MS + at).postback();
        (call.source, call.target, call.body) = (source.into(), format!("/{number}"), Some("12345".into()));
        call
    };
    let store = home.store.clone().with_body_limit(10);
    for (number, (source, at)) in
        [("a", 0), ("a", 1), ("a", 2), ("b", 2), ("a", HOUR_MS - 1), ("a", HOUR_MS)].into_iter().enumerate()
    {
        let number = i64::try_from(number).expect("small");
        store.record(Arc::new(vec![call(source, number, at)])).await.expect("it is recorded");
    }
    let (kept, said) = bodies(home).await;
    assert_eq!(kept, ["12345", "12345", "-", "12345", "-", "12345"]);
    assert!(said[2].starts_with("body of 5 bytes not kept: the source had its share"), "{said:?}");
    store.forget_tallies(TimestampMs(RECEIVED_AT + 2 * HOUR_MS)).await.expect("they are forgotten");
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM body_tallies").await, 0);
}

async fn a_batch_is_recorded_whole_or_not_at_all(home: &Home) {
    let mut raw = home.raw().await;
    raw.forbid("INSERT", "postbacks", "NEW.target LIKE '%poison%'").await;
    let batch = [credit("T1"), credit("poison"), credit("T2")].map(|call| call.postback());
    let refused = home.store.record(Arc::new(batch.to_vec())).await.expect_err("it is forbidden");
    assert!(!refused.is_transient(), "{refused}");
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 0);

    home.record(&[credit("T1")]).await;
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 1);
}

async fn what_one_process_records_another_finds(home: &Home) {
    let other = home.another_process().await;
    home.record(&[credit("T1")]).await;
    let outcome = processed(&other, Claim::First(ALL), processor(), NOW).await.expect("it is settled");
    assert_eq!(outcome.postbacks.len(), 1);
    assert_eq!(home.reward("T1").await.status, "credited");
}

fn odd(target: &str, body: Option<&str>, number: i64) -> NewPostback {
    NewPostback {
        source: format!("source {number}"),
        received_at: TimestampMs(RECEIVED_AT - number),
        method: if body.is_some() { "POST" } else { "GET" }.into(),
        target: target.to_owned(),
        body: body.map(str::to_owned),
        body_counts: false,
        headers: None,
        body_left_out: None,
        remote_ip: format!("2001:db8::{number:x}"),
        request_id: format!("{number:016x}"),
    }
}

#[derive(sqlx::FromRow)]
struct KeptRow {
    source: String,
    received_at: i64,
    method: String,
    target: String,
    body: Option<String>,
    remote_ip: String,
    request_id: String,
}

impl KeptRow {
    fn into_postback(self) -> NewPostback {
        let Self { source, received_at, method, target, body, remote_ip, request_id } = self;
        NewPostback {
            source,
            received_at: TimestampMs(received_at),
            method,
            target,
            body,
            body_counts: false,
            headers: None,
            body_left_out: None,
            remote_ip,
            request_id,
        }
    }
}
