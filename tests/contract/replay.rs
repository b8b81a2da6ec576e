//! Replays of refused and quarantined postbacks: never with a second effect.

use domain::time::{DAY_MS, TimestampMs};
use store::access::audit::AuditFilter;
use store::postbacks::refused::NewRefused;
use store::postbacks::replay::{QuarantineFilter, REPLAY_PAGE, Replayed, Replayer};

use crate::support::database::Home;
use crate::support::postbacks::{NOW, RECEIVED_AT, SECOND_SOURCE, credit, unmappable};
use crate::support::processing::{ALL, CREDITED, plain};

contract! {
    both:
        refused_calls_move_into_the_inbox_whole_and_in_order,
        a_refused_call_that_two_processes_want_is_taken_once,
        quarantined_postbacks_are_found_by_id_source_reason_and_time,
        a_quarantined_postback_waits_again_and_is_noted,
        a_postback_that_is_not_quarantined_is_left_alone,
        a_replayed_call_waits_since_its_replay_and_is_judged_by_its_receipt,
        dropped_refused_calls_are_counted,
        an_order_to_replay_leaves_one_line_with_its_count;
}

fn ann() -> Replayer {
    Replayer { actor: "ann".into(), now: NOW }
}

async fn keep(home: &Home, tx_ids: &[&str]) -> Vec<i64> {
    let refused = |tx_id: &&str| NewRefused { call: credit(tx_id).postback(), reason: format!("no {tx_id}") };
    home.store.keep_refused(tx_ids.iter().map(refused).collect()).await.expect("they are kept");
    let calls = home.store.refused_calls(None, 0).await.expect("they are read");
    calls.into_iter().map(|call| call.id).collect()
}

async fn refused_calls_move_into_the_inbox_whole_and_in_order(home: &Home) {
    let ids = keep(home, &["T1", "T2", "T3"]).await;
    let last = home.store.last_refused(None).await.expect("it is read").expect("one");
    assert_eq!((last.id, last.reason.as_str()), (ids[2], "no T3"));
    assert!(home.store.last_refused(Some(SECOND_SOURCE)).await.expect("it is read").is_none());
    assert_eq!(home.store.replay_refused(vec![ids[0], ids[2]], ann()).await.expect("taken"), 2);
    let left = home.store.refused_calls(None, 0).await.expect("they are read");
    assert_eq!(left.iter().map(|call| call.id).collect::<Vec<_>>(), [ids[1]]);
    let targets = home.raw().await.texts("SELECT target FROM postbacks ORDER BY id").await;
    assert_eq!(targets, [credit("T1").target(), credit("T3").target()]);
    let waiting = home.first_waiting(ALL).await;
    let replays = home.store.replays(&waiting).await.expect("they are read");
    let notes: Vec<_> =
        replays.iter().map(|row| (row.was.as_str(), row.reason.as_str(), row.replayed_at)).collect();
    assert_eq!(notes, [("refused", "no T1", NOW.0), ("refused", "no T3", NOW.0)]);
    home.process_waiting(ALL).await;
    let reward = home.reward("T1").await;
    assert_eq!((reward.status.as_str(), reward.received_at), ("credited", RECEIVED_AT));
    home.prove().await;
}

async fn a_refused_call_that_two_processes_want_is_taken_once(home: &Home) {
    let ids = keep(home, &["T1", "T2"]).await;
    let mut wishes = Vec::new();
    for _ in 0..4 {
        let (store, ids) = (home.another_process().await, ids.clone());
        wishes.push(tokio::spawn(async move { store.replay_refused(ids, ann()).await }));
    }
    let mut taken = 0;
    for wish in wishes {
        taken += wish.await.expect("it ends").expect("it is answered");
    }
    assert_eq!((taken, home.first_waiting(ALL).await.len()), (2, 2));
    home.process_waiting(ALL).await;
    // Again under the same key: a repeat.
    home.process(&[credit("T2")]).await;
    assert_eq!(home.reward("T2").await.repeats, 1);
}

async fn quarantined_postbacks_are_found_by_id_source_reason_and_time(home: &Home) {
    home.process(&[
        unmappable(),
        unmappable().of_source(SECOND_SOURCE),
        credit("T1").with("reward", "-1"),
        unmappable().received(RECEIVED_AT + 5_000),
        credit("T2"),
    ])
    .await;
    let all = home.store.quarantined(&QuarantineFilter::default(), 0).await.expect("they are listed");
    assert_eq!(all.len(), 4);
    let at = |ms: i64| Some(domain::time::TimestampMs(RECEIVED_AT + ms));
    let none = QuarantineFilter::default;
    for (filter, found) in [
        (QuarantineFilter { id: Some(all[1]), ..none() }, vec![all[1]]),
        (QuarantineFilter { source: Some(SECOND_SOURCE.into()), ..none() }, vec![all[1]]),
        (QuarantineFilter { reason: Some("NEGATIVE".into()), ..none() }, vec![all[2]]),
        (QuarantineFilter { from: at(1), ..none() }, vec![all[3]]),
        (QuarantineFilter { to: at(0), ..none() }, vec![]),
        (QuarantineFilter { from: at(0), to: at(5_000), ..none() }, all[..3].to_vec()),
    ] {
        assert_eq!(home.store.quarantined(&filter, 0).await.expect("they are listed"), found, "{filter:?}");
    }
    assert_eq!(home.store.quarantined(&none(), all[2]).await.expect("a page"), [all[3]]);
}

async fn a_quarantined_postback_waits_again_and_is_noted(home: &Home) {
    home.process(&[unmappable()]).await;
    let id = home.store.quarantined(&QuarantineFilter::default(), 0).await.expect("one")[0];
    for _ in 0..2 {
        assert_eq!(home.store.replay(id, ann()).await.expect("taken"), Replayed::Done);
        assert_eq!(home.first_waiting(ALL).await, [id]);
        assert_eq!(home.process_waiting(ALL).await.postbacks.len(), 1, "quarantined once more");
    }
    let replays = home.store.replays(&[id]).await.expect("they are read");
    let notes: Vec<_> = replays.iter().map(|row| (row.actor.as_str(), row.reason.as_str())).collect();
    assert_eq!(notes, [("ann", "`tx_id` is missing"); 2]);
}

async fn a_postback_that_is_not_quarantined_is_left_alone(home: &Home) {
    home.process(&[credit("T1")]).await;
    let postback = home.store.postbacks_of_reward(home.reward("T1").await.id).await.expect("one")[0].id;
    assert_eq!(home.store.replay(postback, ann()).await.expect("an answer"), Replayed::NotQuarantined);
    assert_eq!(home.store.replay(postback + 99, ann()).await.expect("an answer"), Replayed::NotFound);
    assert_eq!(home.store.replay_quarantined(vec![postback], ann()).await.expect("an answer"), 0);
    assert_eq!(home.first_waiting(ALL).await, Vec::<i64>::new());
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
}

async fn a_replayed_call_waits_since_its_replay_and_is_judged_by_its_receipt(home: &Home) {
    let ids = keep(home, &["T1"]).await;
    let later = TimestampMs(NOW.0 + 5 * DAY_MS);
    let by = Replayer { now: later, ..ann() };
    home.store.replay_refused(ids, by).await.expect("taken");
    let depth = home.store.inbox_depth().await.expect("a depth");
    assert_eq!((depth.waiting, depth.oldest_received_at), (1, Some(later)), "no five days of lag");
    assert_eq!(home.store.newest_received_at().await.expect("a time"), Some(later));
    home.process_waiting(ALL).await;
    assert_eq!(home.reward("T1").await.received_at, RECEIVED_AT);
}

async fn dropped_refused_calls_are_counted(home: &Home) {
    let refused = || NewRefused { call: credit("T1").postback(), reason: "no".into() };
    let most = usize::try_from(store::postbacks::refused::MAX_REFUSED).expect("small");
    for more in [most, 1, 7] {
        home.store.keep_refused(std::iter::repeat_with(refused).take(more).collect()).await.expect("kept");
    }
    let count = home.store.refused_count().await.expect("they are counted");
    assert_eq!((count.kept, count.dropped), (store::postbacks::refused::MAX_REFUSED, 8));
}

async fn an_order_to_replay_leaves_one_line_with_its_count(home: &Home) {
    let many = 2 * usize::try_from(REPLAY_PAGE).expect("a number") + 3;
    let lines = async || {
        let rows = home.store.audit(&AuditFilter::default(), 99).await.expect("listed");
        rows.into_iter()
            .rev()
            .map(|row| format!("{} {} {}", row.actor, row.action, row.subject))
            .collect::<Vec<_>>()
    };
    let calls: Vec<_> = (0..many).map(|_| unmappable()).collect();
    home.process(&calls).await;
    let (mut quarantined, mut after) = (Vec::new(), 0);
    while quarantined.len() < many {
        let page =
            home.store.quarantined(&QuarantineFilter::default(), after).await.expect("they are listed");
        after = *page.last().expect("more of them");
        quarantined.extend(page);
    }
    // The first page is taken already: the line stands where the order takes something.
    let first = quarantined[..500].to_vec();
    assert_eq!(home.store.replay_quarantined(first, ann()).await.expect("taken"), 500);
    assert_eq!(home.store.replay_quarantined(quarantined.clone(), ann()).await.expect("taken"), 503);
    assert_eq!(home.store.replay_quarantined(quarantined.clone(), ann()).await.expect("taken"), 0);
    let replayed = ["ann postback_replayed 500 postbacks", "ann postback_replayed 503 postbacks"];
    assert_eq!(lines().await, replayed);
    let refused =
        |number| NewRefused { call: credit(&format!("T{number}")).postback(), reason: "wrong".into() };
    home.store.keep_refused((0..many).map(refused).collect()).await.expect("they are kept");
    let (mut ids, mut after) = (Vec::new(), 0);
    loop {
        let page = home.store.refused_calls(None, after).await.expect("they are read");
        let Some(last) = page.last() else { break };
        after = last.id;
        ids.extend(page.iter().map(|call| call.id));
    }
    assert!(ids.len() > 1_000, "{} are kept", ids.len());
    assert_eq!(home.store.replay_refused(ids.clone(), ann()).await.expect("taken"), ids.len());
    let all = format!("ann refused_call_replayed {} refused calls", ids.len());
    assert_eq!(lines().await[2..], [all]);
}
