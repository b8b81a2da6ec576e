//! Refused calls: kept apart, bounded in number, the oldest dropped first.

use store::postbacks::{OutcomeFilter, PostbackFilter, PostbackRow};
use store::refused::{MAX_REFUSED, NewRefused};

use crate::database::Home;
use crate::story::credit;
use crate::telling::ALL;

contract! {
    both:
        a_refused_call_is_kept_with_its_reason_and_never_settled,
        refused_calls_are_listed_page_by_page,
        only_the_newest_refused_calls_are_kept;
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
    assert!(home.settle(ALL).await.postbacks.is_empty());
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 0);

    let call = credit("T1").postback();
    let rows = listed(home, &filter(), ALL).await;
    let row = PostbackRow {
        id: rows[0].id,
        source: call.source,
        received_at: call.received_at.0,
        method: call.method,
        target: call.target,
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

async fn only_the_newest_refused_calls_are_kept(home: &Home) {
    home.store.keep_refused((0..MAX_REFUSED).map(refused).collect()).await.expect("they are kept");
    assert_eq!(listed(home, &filter(), ALL * 2).await.len(), usize::try_from(MAX_REFUSED).expect("small"));

    // A few at a time, then more at once than there is room for.
    let mut told = MAX_REFUSED;
    for more in [1, 64, MAX_REFUSED + 5] {
        home.store.keep_refused((told..told + more).map(refused).collect()).await.expect("they are kept");
        told += more;
        let rows = listed(home, &filter(), ALL * 2).await;
        let reasons = rows.iter().map(|row| row.reason.clone().expect("a reason"));
        assert!(
            reasons.eq((told - MAX_REFUSED..told).rev().map(|number| format!("reason {number}"))),
            "after {told}"
        );
    }
}
