//! Refused calls: kept apart, bounded in number, the oldest dropped first.

use store::postbacks::list::{OutcomeFilter, PostbackFilter, PostbackRow};
use store::postbacks::refused::{MAX_REFUSED, NewRefused};

use crate::support::database::Home;
use crate::support::postbacks::credit;
use crate::support::processing::ALL;

contract! {
    both:
        a_refused_call_is_kept_with_its_reason_and_never_settled,
        refused_calls_are_listed_page_by_page,
        only_the_newest_refused_calls_are_kept,
        a_flood_from_many_networks_pushes_out_nobody_elses_calls,
        the_newest_of_each_kind_stay_whatever_else_comes;
}

fn refused(number: i64) -> NewRefused {
    let mut call = credit(&format!("T{number}")).postback();
    call.body = Some("%FF".into());
    NewRefused { call, reason: format!("reason {number}") }
}

fn filter() -> PostbackFilter {
    PostbackFilter { outcome: Some(OutcomeFilter::Refused), ..PostbackFilter::default() }
}

async fn listed(home: &Home, filter: &PostbackFilter, limit: i64) -> Vec<PostbackRow> {
    home.store.postbacks(filter, limit).await.expect("they are listed")
}

async fn a_refused_call_is_kept_with_its_reason_and_never_settled(home: &Home) {
    home.store.keep_refused(vec![refused(1)]).await.expect("it is kept");
    home.store.keep_refused(Vec::new()).await.expect("there is nothing to keep");
    assert!(home.process_waiting(ALL).await.postbacks.is_empty());
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 0);

    let call = credit("T1").postback();
    let rows = listed(home, &filter(), ALL).await;
    let row = PostbackRow {
        id: rows[0].id,
        source: call.source,
        received_at: call.received_at.0,
        method: call.method,
        target: call.target,
        body: None,
        headers: None,
        remote_ip: call.remote_ip,
        request_id: Some(call.request_id),
        outcome: "refused".into(),
        reason: Some("reason 1".into()),
        body_left_out: None,
        reward_id: None,
    };
    assert_eq!(rows, [row]);
    assert_eq!(home.raw().await.texts("SELECT body FROM refused").await, ["%FF"]);
}

async fn refused_calls_are_listed_page_by_page(home: &Home) {
    home.store.keep_refused((0..10).map(refused).collect()).await.expect("they are kept");
    let everything = listed(home, &filter(), ALL).await;
    let reasons = everything.iter().map(|row| row.reason.clone().expect("a reason"));
    assert!(reasons.eq((0..10).rev().map(|number| format!("reason {number}"))));

    let (mut filter, mut walked) = (filter(), Vec::new());
    loop {
        let page = listed(home, &filter, 3).await;
        let Some(last) = page.last() else { break };
        filter.before_id = Some(last.id);
        walked.extend(page);
        assert!(walked.len() <= everything.len(), "it walks in circles");
    }
    assert_eq!(walked, everything);
}

fn of(source: &str, remote_ip: &str, reason: &str) -> NewRefused {
    let mut call = credit("T1").postback();
    (call.source, call.remote_ip) = (source.into(), remote_ip.into());
    NewRefused { call, reason: reason.into() }
}

async fn kept_of(home: &Home, remote_ip: &str) -> i64 {
    home.raw().await.number(&format!("SELECT COUNT(*) FROM refused WHERE remote_ip = '{remote_ip}'")).await
}

const FORGED: &str = "the hash does not match any secret of this source";

async fn a_flood_from_many_networks_pushes_out_nobody_elses_calls(home: &Home) {
    let genuine = ["198.51.100.7", "2001:db8:7::1"];
    for address in genuine {
        let calls = (0..20).map(|_| of("targo", address, FORGED)).collect();
        home.store.keep_refused(calls).await.expect("they are kept");
    }
    // 200 addresses of as many networks at the same source, and more with names that do not exist.
    let flood = |round: u32| -> Vec<NewRefused> {
        (0..10_000_u32)
            .map(|number| {
                let network = number % 200;
                if round.is_multiple_of(2) {
                    let address = match network % 2 {
                        0 => format!("203.0.{network}.{}", number % 250),
                        _ => format!("2001:db8:1{network:x}::{number:x}"),
                    };
                    of("targo", &address, FORGED)
                } else {
                    let why = format!("there is no source `x{number}`");
                    of(&format!("x{number}"), &format!("192.0.2.{network}"), &why)
                }
            })
            .collect()
    };
    for round in 0..4 {
        home.store.keep_refused(flood(round)).await.expect("they are kept");
        assert_eq!(home.store.refused_count().await.expect("a count").kept, MAX_REFUSED);
        for address in genuine {
            assert_eq!(kept_of(home, address).await, 20, "after round {round}");
        }
    }
    let dropped = home.store.refused_count().await.expect("a count").dropped;
    assert_eq!(dropped, 40 + 4 * 10_000 - MAX_REFUSED);
}

async fn the_newest_of_each_kind_stay_whatever_else_comes(home: &Home) {
    let early = (0..12).map(|number| of("targo", "203.0.113.9", &format!("the method is PUT{number}: no")));
    let early =
        early.chain((0..12).map(|number| of("targo", "203.0.113.9", &format!("it is {number} bytes"))));
    home.store.keep_refused(early.collect()).await.expect("they are kept");
    // Twice as many from the same network, and as many networks as there is room.
    let same = (0..20_000).map(|_| of("targo", "203.0.113.10", FORGED)).collect();
    home.store.keep_refused(same).await.expect("they are kept");
    let all = (0..10_000).map(|number| of("targo", &format!("2001:db8:{number:x}::1"), FORGED)).collect();
    home.store.keep_refused(all).await.expect("they are kept");
    let mut raw = home.raw().await;
    for (kind, newest) in [("the method is PUT%", "the method is PUT11: no"), ("it is %", "it is 11 bytes")] {
        let sql = format!("SELECT reason FROM refused WHERE reason LIKE '{kind}' ORDER BY id DESC");
        let kept = raw.texts(&sql).await;
        assert!(!kept.is_empty() && kept[0] == newest, "{kept:?}");
    }
    // A kind is what stays the same: the number behind it is the call's own.
    assert_eq!(raw.number("SELECT COUNT(*) FROM refused WHERE reason LIKE 'it is %'").await, 8);
    assert_eq!(home.store.refused_count().await.expect("a count").kept, MAX_REFUSED);
}

async fn only_the_newest_refused_calls_are_kept(home: &Home) {
    home.store.keep_refused((0..MAX_REFUSED).map(refused).collect()).await.expect("they are kept");
    assert_eq!(listed(home, &filter(), ALL * 2).await.len(), usize::try_from(MAX_REFUSED).expect("small"));

    // A few at a time, then more at once than there is room for.
    let mut count = MAX_REFUSED;
    for more in [1, 64, MAX_REFUSED + 5] {
        home.store.keep_refused((count..count + more).map(refused).collect()).await.expect("they are kept");
        count += more;
        let rows = listed(home, &filter(), ALL * 2).await;
        let reasons = rows.iter().map(|row| row.reason.clone().expect("a reason"));
        assert!(
            reasons.eq((count - MAX_REFUSED..count).rev().map(|number| format!("reason {number}"))),
            "after {count}"
        );
    }
}
