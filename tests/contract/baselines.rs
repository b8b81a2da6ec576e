//! Baselines: which completions count, which baselines are kept, and what names them.

use std::sync::Arc;

use domain::baseline::{Baseline, LocatedSource, Normal};
use domain::policy::BaselineTerms;
use domain::review::decision::Review;
use domain::time::{DAY_MS, TimestampMs};
use jobs::baselines::{Made, make, take_up};
use store::postbacks::inbox::Claim;
use store::rewards::completions::Cursor;
use tokio_util::sync::CancellationToken;

use crate::support::database::Home;
use crate::support::postbacks::{
    Call, NOW, SECOND_SOURCE, SOURCE, credit, processed, processor_in, reversal, suspicious,
};
use crate::support::processing::ALL;

contract! {
    both:
        only_what_nobody_disputed_counts_as_a_completion,
        completions_are_read_page_by_page_in_the_order_received,
        addresses_are_compared_by_source_whatever_became_of_the_reward,
        the_same_completions_make_the_same_baseline,
        a_verdict_names_the_baseline_and_follows_from_its_facts_without_it,
        old_baselines_go_unless_something_was_decided_by_them,
        a_baseline_never_changes;
}

const TERMS: BaselineTerms = BaselineTerms { settled_after_days: 7 };

/// A completion of the offer 7 by a user of its own, `days` before now.
fn done(tx: &str, days: i64) -> Call {
    credit(tx).by(tx).with("offer_id", 7).received(NOW.0 - days * DAY_MS)
}

async fn transactions(home: &Home) -> Vec<String> {
    let rows = home.store.completions(Cursor::at(TimestampMs(0)), NOW, ALL).await.expect("they are read");
    rows.into_iter().map(|row| row.tx).collect()
}

async fn made(home: &Home) -> Made {
    let made = make(&home.store, TERMS, NOW, &CancellationToken::new(), |_| {}).await;
    made.expect("it is made").expect("nothing stopped it")
}

async fn only_what_nobody_disputed_counts_as_a_completion(home: &Home) {
    home.process(&[
        done("GOOD", 9),
        done("REVERSED", 9),
        done("PART", 9),
        done("FAST", 9).after(2),
        done("RELEASED", 9).after(2),
        done("SOME-POINTS", 9).with("ip", "10.0.0.1").without("country_code"),
        credit("NO-OFFER").by("u2").received(NOW.0 - 9 * DAY_MS),
        reversal("ORPHAN").by("u3"),
    ])
    .await;
    home.process(&[
        reversal("REVERSED").by("REVERSED"),
        reversal("PART").by("PART").with("reward", 5).with("payout", "0.01"),
    ])
    .await;
    home.decide(home.reward("RELEASED").await.id, Review::Release).await.expect("it is decided");
    let mut raw = home.raw().await;
    raw.lift("verdicts").await;
    let sql = |score| {
        format!(
            "UPDATE verdicts SET score = {score} WHERE reward_id = (SELECT id FROM rewards WHERE event_key = 'SOME-POINTS')"
        )
    };
    raw.execute(&sql(20)).await;
    raw.execute("UPDATE rewards SET taken_back_micros = 1 WHERE event_key = 'PART'").await;
    assert_eq!(transactions(home).await, ["GOOD"]);
    raw.execute(&sql(19)).await;
    assert_eq!(transactions(home).await, ["GOOD", "SOME-POINTS"]);
}

async fn completions_are_read_page_by_page_in_the_order_received(home: &Home) {
    // Those of one millisecond are told apart by their id.
    home.process(&[done("A", 3), done("B", 9), done("C", 3), done("D", 5), done("E", 70)]).await;
    let (mut cursor, mut read) = (Cursor::at(TimestampMs(NOW.0 - 60 * DAY_MS)), Vec::new());
    let until = TimestampMs(NOW.0 - DAY_MS);
    loop {
        let page = home.store.completions(cursor, until, 2).await.expect("they are read");
        let Some(last) = page.last() else { break };
        cursor = last.cursor();
        read.extend(page.into_iter().map(|row| row.tx));
    }
    assert_eq!(read, ["B", "D", "A", "C"]);
}

async fn addresses_are_compared_by_source_whatever_became_of_the_reward(home: &Home) {
    let here = |call: Call| call.with("ip", "8.8.8.8").with("country_code", "US");
    let elsewhere = |call: Call| call.with("ip", "8.8.8.8").with("country_code", "DE");
    home.process(&[
        here(done("T1", 3)),
        elsewhere(done("T2", 3)),
        elsewhere(suspicious("T3").by("u3").received(NOW.0 - DAY_MS)),
        here(done("T4", 40)),
        done("T5", 3).without("ip"),
        here(done("T6", 3)).of_source(SECOND_SOURCE),
    ])
    .await;
    home.process(&[reversal("T2").by("T2")]).await;
    let located = home.store.located_sources(TimestampMs(NOW.0 - 30 * DAY_MS)).await.expect("they are read");
    let of = |source: &str, located, mismatched| LocatedSource { source: source.into(), located, mismatched };
    assert_eq!(located, [of(SECOND_SOURCE, 1, 0), of(SOURCE, 3, 2)]);
}

async fn the_same_completions_make_the_same_baseline(home: &Home) {
    let calls: Vec<_> = (0..120).map(|number| done(&format!("T{number}"), 9).after(300 + number)).collect();
    home.process(&calls).await;
    let first = made(home).await;
    let again = made(home).await;
    assert_eq!((first.completions, first.is_new, again.is_new), (120, true, false));
    assert_eq!(first.baseline.version(), again.baseline.version());
    let kept = home.store.newest_baseline("").await.expect("it is read").expect("it is kept");
    assert_eq!((kept.content, kept.made_at), (first.baseline.content(), NOW.0));
    let normal = Normal::from(first.baseline.offers().first().expect("it is known"));
    let median_s = normal.times.expect("there is enough").median_ms / 1_000;
    assert_eq!(
        (normal.completions, normal.is_provisional, (355..365).contains(&median_s)),
        (120, false, true)
    );
    assert_eq!(home.store.newest_baseline(first.baseline.version()).await.expect("it is read"), None);
    let stopped = CancellationToken::new();
    stopped.cancel();
    assert!(make(&home.store, TERMS, NOW, &stopped, |_| {}).await.expect("it stops").is_none());
}

async fn a_verdict_names_the_baseline_and_follows_from_its_facts_without_it(home: &Home) {
    let calls: Vec<_> = (0..120).map(|number| done(&format!("T{number}"), 9).after(600 + number)).collect();
    home.process(&calls).await;
    let version = made(home).await.baseline.version().to_owned();
    let processor = processor_in(chrono_tz::Europe::Berlin);
    take_up(&home.store, &processor.baseline, NOW).await.expect("it is taken up");
    assert_eq!(processor.baseline.get().version(), version);
    home.record(&[done("FAST", 0).after(40), credit("OTHER").by("u2").with("offer_id", 8)]).await;
    processed(&home.store, Claim::First(ALL), Arc::clone(&processor), NOW).await.expect("they are processed");
    let (fast, other) = (home.reward("FAST").await, home.reward("OTHER").await);
    assert_eq!((fast.status.as_str(), fast.baseline.as_deref()), ("held", Some(version.as_str())));
    // Of the other offer nothing is known, but of its source.
    assert_eq!((other.status.as_str(), other.baseline.as_deref()), ("credited", Some(version.as_str())));
    let sentence = fast.verdict.expect("a verdict").sentence();
    assert!(sentence.contains("half of the 120 settled completions took 11 min"), "{sentence}");
    // Not even when the baseline is gone.
    let mut raw = home.raw().await;
    raw.lift_of("baselines", &["used_baselines_stay"]).await;
    raw.execute("DELETE FROM baselines").await;
    let checked = home.store.check_verdicts(0, ALL).await.expect("they are read");
    assert_eq!((checked.compared, checked.differing), (122, vec![]));
}

async fn old_baselines_go_unless_something_was_decided_by_them(home: &Home) {
    let keep = async |number: i64| {
        let kept = home.store.keep_baseline(format!("v{number}"), "{}".into(), TimestampMs(NOW.0 + number));
        kept.await.expect("it is kept")
    };
    for number in 0..10 {
        assert!(keep(number).await);
    }
    home.store.use_baseline("v3".into(), NOW).await.expect("it is noted");
    home.store.use_baseline("v3".into(), TimestampMs(NOW.0 + 5)).await.expect("it is noted already");
    for number in 10..50 {
        keep(number).await;
    }
    let versions: Vec<(String,)> =
        home.raw().await.rows("SELECT version FROM baselines ORDER BY made_at").await;
    let expected: Vec<_> = [3].into_iter().chain(10..50).map(|number| (format!("v{number}"),)).collect();
    assert_eq!(versions, expected);
    let used = home.store.baseline("v3").await.expect("it is read").expect("it is kept");
    assert_eq!(used.used_at, Some(NOW.0));
    // The same figures again are the newest.
    home.store.keep_baseline("v3".into(), "{}".into(), TimestampMs(NOW.0 + 99)).await.expect("it is kept");
    let newest = home.store.newest_baseline("").await.expect("it is read").expect("there is one");
    assert_eq!((newest.version.as_str(), newest.made_at), ("v3", NOW.0 + 99));
}

async fn a_baseline_never_changes(home: &Home) {
    let version = made(home).await.baseline.version().to_owned();
    home.store.use_baseline(version.clone(), NOW).await.expect("it is noted");
    let mut raw = home.raw().await;
    for sql in ["UPDATE baselines SET content = '{}'", "DELETE FROM baselines"] {
        assert!(raw.attempt(sql).await.is_err(), "{sql}");
    }
    let kept = home.store.baseline(&version).await.expect("it is read").expect("it is kept");
    assert_eq!(Baseline::parse(&kept.content).expect("it is read").version(), version);
}
