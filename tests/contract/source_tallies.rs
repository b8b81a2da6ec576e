//! How much each source sends, by the hour and by calling network; and which sources are silent.

use domain::time::TimestampMs;
use domain::traffic::silence::Silence;
use domain::traffic::{HOUR_MS, Hour};
use jobs::silence::{Changes, watch};
use store::operations::jobs::Job;
use store::operations::silences::SilentSource;
use store::postbacks::inbox::NewPostback;
use store::postbacks::refused::NewRefused;
use store::postbacks::replay::Replayer;

use crate::statements::{HEADER, line, receive};
use crate::support::database::Home;
use crate::support::postbacks::{Call, NOW, RECEIVED_AT, SECOND_SOURCE, SOURCE, credit, unmappable};
use crate::support::processing::ALL;

contract! {
    both:
        postbacks_of_a_source_are_counted_by_the_hour_of_their_receipt,
        a_replayed_postback_leaves_its_hour_until_it_is_processed,
        callers_are_counted_by_network_and_day,
        many_networks_in_one_batch_share_one_row,
        refused_calls_are_counted_by_source_since_two_times,
        old_hours_are_forgotten_but_for_the_last_of_a_source,
        the_newest_statement_of_each_source_is_found,
        a_silence_is_noted_once_and_its_mail_scheduled_with_it,
        a_source_that_falls_silent_is_reported_once_and_once_more_when_it_sends_again,
        while_the_inbox_lags_no_silence_is_concluded;
}

const LONG_AGO: TimestampMs = TimestampMs(0);

async fn hours(home: &Home, source: &str) -> Vec<Hour> {
    home.store.source_hours(source, LONG_AGO).await.expect("hours are read")
}

fn hour(of: i64, postbacks: i64, quarantined: i64, first_at: i64, last_at: i64) -> Hour {
    let began_at = TimestampMs(of.div_euclid(HOUR_MS) * HOUR_MS);
    Hour { began_at, postbacks, quarantined, first_at: TimestampMs(first_at), last_at: TimestampMs(last_at) }
}

async fn postbacks_of_a_source_are_counted_by_the_hour_of_their_receipt(home: &Home) {
    let early = RECEIVED_AT - 5 * HOUR_MS;
    let of_second = credit("T1").of_source(SECOND_SOURCE);
    home.process(&[credit("T1"), credit("T1"), credit("T2").received(RECEIVED_AT - 1_000), of_second]).await;
    home.process(&[credit("T3").received(early), unmappable().received(RECEIVED_AT + 7)]).await;
    let expected =
        [hour(early, 1, 0, early, early), hour(RECEIVED_AT, 4, 1, RECEIVED_AT - 1_000, RECEIVED_AT + 7)];
    assert_eq!(hours(home, SOURCE).await, expected);
    assert_eq!(hours(home, SECOND_SOURCE).await, [hour(RECEIVED_AT, 1, 0, RECEIVED_AT, RECEIVED_AT)]);
    assert_eq!(hours(home, "unknown").await, []);
    let since = TimestampMs(RECEIVED_AT);
    assert_eq!(home.store.source_hours(SOURCE, since).await.expect("read"), expected[1..]);
    let last = home.store.last_postback_of(SOURCE).await.expect("read");
    assert_eq!(last, Some(TimestampMs(RECEIVED_AT + 7)));
    assert_eq!(home.store.last_postback_of("unknown").await.expect("read"), None);
}

async fn a_replayed_postback_leaves_its_hour_until_it_is_processed(home: &Home) {
    home.process(&[credit("T1"), unmappable()]).await;
    let by = Replayer { actor: "ann".into(), now: NOW };
    let ids = home.store.quarantined(&store::postbacks::replay::QuarantineFilter::default(), 0).await;
    let ids = ids.expect("they are listed");
    assert_eq!(home.store.replay_quarantined(ids, by).await.expect("replayed"), 1);
    assert_eq!(hours(home, SOURCE).await, [hour(RECEIVED_AT, 1, 0, RECEIVED_AT, RECEIVED_AT)]);
    home.process_waiting(ALL).await;
    assert_eq!(hours(home, SOURCE).await, [hour(RECEIVED_AT, 2, 1, RECEIVED_AT, RECEIVED_AT)]);
}

fn from(call: &Call, remote_ip: &str) -> NewPostback {
    NewPostback { remote_ip: remote_ip.into(), ..call.postback() }
}

async fn networks(home: &Home, since: i64) -> Vec<(String, i64, i64)> {
    let rows = home.store.calling_networks(SOURCE, TimestampMs(since), 3).await.expect("networks are read");
    rows.into_iter().map(|row| (row.network, row.postbacks, row.last_at)).collect()
}

async fn callers_are_counted_by_network_and_day(home: &Home) {
    const DAY_MS: i64 = 24 * HOUR_MS;
    let before = credit("T0").received(RECEIVED_AT - DAY_MS);
    let calls = [
        from(&before, "198.51.100.9"),
        from(&credit("T1"), "198.51.100.7"),
        from(&credit("T2"), "198.51.100.250"),
        from(&credit("T3"), "2001:db8:1:2::3"),
        from(&credit("T4"), "unknown"),
        from(&credit("T5").of_source(SECOND_SOURCE), "203.0.113.1"),
    ];
    for call in calls {
        home.store.record(vec![call].into()).await.expect("recorded");
        home.process_waiting(ALL).await;
    }
    let row = |network: &str, postbacks| (network.to_owned(), postbacks, RECEIVED_AT);
    let all = [row("198.51.100.0/24", 3), row("", 1), row("2001:db8:1::/48", 1)];
    assert_eq!(networks(home, RECEIVED_AT - DAY_MS).await, all);
    assert_eq!(networks(home, RECEIVED_AT).await[0], row("198.51.100.0/24", 2));
}

async fn many_networks_in_one_batch_share_one_row(home: &Home) {
    let calls = (0..40).map(|of| from(&credit(&format!("T{of}")), &format!("198.51.{of}.1")));
    home.store.record(calls.collect::<Vec<_>>().into()).await.expect("recorded");
    home.process_waiting(ALL).await;
    let rows = home.raw().await.number("SELECT COUNT(*) FROM source_tallies WHERE hours = 24").await;
    assert_eq!(rows, 17);
    assert_eq!(networks(home, RECEIVED_AT).await[0], (String::new(), 24, RECEIVED_AT));
}

async fn refused_calls_are_counted_by_source_since_two_times(home: &Home) {
    let refused = |source: &str, at: i64, reason: &str| NewRefused {
        call: credit("T1").of_source(source).received(at).postback(),
        reason: reason.into(),
    };
    let calls = vec![
        refused(SOURCE, NOW.0 - 10, "it has no hash"),
        refused(SOURCE, NOW.0 - 1_000, "it has no hash"),
        refused(SOURCE, NOW.0 - 9_000, "it has no hash"),
        refused(SECOND_SOURCE, NOW.0 - 1_000, "it has no hash"),
        refused("made-up", NOW.0, "there is no source `made-up`"),
    ];
    home.store.keep_refused(calls).await.expect("they are kept");
    let rows = home.store.refused_by_source(TimestampMs(NOW.0 - 5_000), TimestampMs(NOW.0 - 100)).await;
    let rows: Vec<_> =
        rows.expect("read").into_iter().map(|row| (row.source, row.earlier, row.later)).collect();
    assert_eq!(rows, [(SECOND_SOURCE.to_owned(), 1, 0), (SOURCE.to_owned(), 2, 1)]);
}

async fn old_hours_are_forgotten_but_for_the_last_of_a_source(home: &Home) {
    let old = RECEIVED_AT - 100 * HOUR_MS;
    home.process(&[credit("T1").received(old), credit("T2").received(old + HOUR_MS)]).await;
    home.process(&[credit("T1").received(old).of_source(SECOND_SOURCE), credit("T3")]).await;
    home.store.forget_source_tallies(TimestampMs(RECEIVED_AT - HOUR_MS)).await.expect("forgotten");
    assert_eq!(hours(home, SOURCE).await, [hour(RECEIVED_AT, 1, 0, RECEIVED_AT, RECEIVED_AT)]);
    assert_eq!(hours(home, SECOND_SOURCE).await, [hour(old, 1, 0, old, old)]);
    assert_eq!(networks(home, 0).await.len(), 1);
}

async fn a_silence_is_noted_once_and_its_mail_scheduled_with_it(home: &Home) {
    let silence = Silence { last_at: TimestampMs(RECEIVED_AT), usual_ms: 6 * HOUR_MS };
    let job = |name: &str| Some(Job { name: name.into(), slot: format!("{SOURCE} {RECEIVED_AT}") });
    let begin = |mail| home.store.begin_silence(SOURCE.into(), silence, mail, NOW);
    assert!(begin(job("silent")).await.expect("noted"));
    assert!(!begin(job("silent")).await.expect("known"));
    let silent = SilentSource { source: SOURCE.into(), last_at: RECEIVED_AT, usual_ms: 6 * HOUR_MS };
    assert_eq!(home.store.silent_sources().await.expect("read"), [silent]);
    assert!(home.store.end_silence(SOURCE.into(), job("speaks"), NOW).await.expect("ended"));
    assert!(!home.store.end_silence(SOURCE.into(), job("speaks"), NOW).await.expect("unknown"));
    assert_eq!(home.store.silent_sources().await.expect("read"), []);
    let jobs: Vec<(String, i64)> =
        home.raw().await.rows("SELECT job, CAST(COUNT(*) AS BIGINT) FROM scheduled GROUP BY job").await;
    assert_eq!(jobs.len(), 2);
    assert!(jobs.iter().all(|(_, pushed)| *pushed == 1));
}

/// Eight postbacks a day for three days, the last one at [`RECEIVED_AT`].
async fn three_days(home: &Home) {
    let calls = (0..24).map(|slot| credit(&format!("D{slot}")).received(RECEIVED_AT - slot * 3 * HOUR_MS));
    home.process(&calls.collect::<Vec<_>>()).await;
}

async fn watched(home: &Home, now: i64) -> Changes {
    let sources = [SOURCE.to_owned(), SECOND_SOURCE.to_owned()];
    watch(&home.store, sources.iter(), true, TimestampMs(now)).await.expect("they are watched")
}

async fn mails(home: &Home) -> Vec<(String, String)> {
    home.raw().await.rows("SELECT job, slot FROM scheduled ORDER BY job").await
}

async fn a_source_that_falls_silent_is_reported_once_and_once_more_when_it_sends_again(home: &Home) {
    three_days(home).await;
    let (quiet, silent) = (RECEIVED_AT + 6 * HOUR_MS, RECEIVED_AT + 6 * HOUR_MS + 1);
    assert_eq!(watched(home, quiet).await, Changes::default());
    let began = Changes { silent: vec![SOURCE.into()], ..Changes::default() };
    assert_eq!(watched(home, silent).await, began);
    assert_eq!(watched(home, silent + 60_000).await, Changes::default());
    home.process(&[credit("T-back").received(silent + 90_000)]).await;
    let ended = Changes { speaking: vec![SOURCE.into()], ..Changes::default() };
    assert_eq!(watched(home, silent + 120_000).await, ended);
    assert_eq!(watched(home, silent + 180_000).await, Changes::default());
    let slot = format!("{SOURCE} {RECEIVED_AT} {}", 6 * HOUR_MS);
    let expected = [("source-silent", &slot), ("source-speaks", &slot)];
    assert_eq!(mails(home).await, expected.map(|(job, slot)| (job.to_owned(), slot.clone())));
}

async fn while_the_inbox_lags_no_silence_is_concluded(home: &Home) {
    three_days(home).await;
    let silent = RECEIVED_AT + 20 * HOUR_MS;
    home.record(&[credit("T-waits").received(silent - HOUR_MS)]).await;
    assert_eq!(watched(home, silent).await, Changes::default());
    assert_eq!(mails(home).await, []);
    home.process_waiting(ALL).await;
    assert_eq!(watched(home, silent).await, Changes::default());
}

async fn the_newest_statement_of_each_source_is_found(home: &Home) {
    let (first, _) = receive(home, "first.csv", HEADER).await;
    let (second, _) =
        receive(home, "second.csv", &format!("{HEADER}{}", line("T1", "1", "u1", "o1", "1"))).await;
    assert!(first < second);
    let newest = home.store.newest_statements().await.expect("they are read");
    let newest: Vec<_> = newest.into_iter().map(|row| (row.source, row.id)).collect();
    assert_eq!(newest, [(SOURCE.to_owned(), second)]);
}
