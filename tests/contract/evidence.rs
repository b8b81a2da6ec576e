//! Evidence as facts: what is stored explains and proves every verdict, also those of former versions.

use domain::review::decision::Review;
use store::rewards::list::RewardFilter;

use crate::support::database::{Home, open};
use crate::support::place::Kind;
use crate::support::postbacks::{credit, reversal, suspicious};

contract! {
    both:
        a_verdict_follows_from_its_facts_whatever_happened_since,
        a_verdict_that_was_changed_is_named,
        sentences_of_a_former_version_stay_readable,
        what_verdicts_share_is_kept_once_for_all_processes;
    sqlite:
        a_database_of_the_version_before_is_read_decided_on_and_proven;
}

/// How many rules the version before had.
const RULES_BEFORE: usize = 19;
/// A database that it made with its own sandbox.
const BEFORE: &str = include_str!("fixtures/before_facts.sql");

/// Postbacks with every kind of fault of data, place and time.
async fn many_kinds(home: &Home) {
    home.process(&[
        credit("T1"),
        suspicious("T2"),
        credit("T3").with("ip", "8.8.8.8").with("country_code", "DE"),
        credit("T4").with("ip", "10.0.0.1"),
        credit("T5").without("ip").without("country_code"),
        credit("T6").without("timestamp"),
        credit("T7").with("timestamp", "soon"),
        credit("T8").with("payout", "75"),
        credit("T9").with("offer_name", "Caf%C3%A9+%22Quest%22").with("event_name", "Level+5"),
        credit("T10").with("reward", "1.23456789"),
        credit("T11").with("sub1", "%7Bsub1%7D"),
        credit("T12").with("country_code", "T1"),
        reversal("T13"),
        credit("T13"),
    ])
    .await;
}

async fn a_verdict_follows_from_its_facts_whatever_happened_since(home: &Home) {
    many_kinds(home).await;
    let checked = home.store.check_verdicts(0, 100).await.expect("they are read");
    assert_eq!((checked.compared, checked.differing.as_slice()), (12, &[][..]), "{checked:?}");
    home.decide(home.reward("T2").await.id, Review::Release).await.expect("it is decided");
    home.process(&[reversal("T1"), credit("T3"), credit("T4").with("reward", 9)]).await;
    let far = domain::time::TimestampMs(i64::MAX);
    home.store.shorten_addresses(far).await.expect("a step");
    let checked = home.store.check_verdicts(0, 100).await.expect("they are read");
    assert_eq!((checked.compared, checked.without_facts, checked.other_engine), (12, 0, 0));
    assert_eq!(checked.differing, [], "not even when addresses are gone");
    // Page by page it is the same.
    let first = home.store.check_verdicts(0, 5).await.expect("they are read");
    let rest = home.store.check_verdicts(first.last.expect("five"), 100).await.expect("they are read");
    assert_eq!((first.compared, rest.compared), (5, 7));
    let replayed = home.store.replay_verdict(home.reward("T2").await.id).await.expect("it is read");
    let replayed = replayed.expect("it was judged");
    assert_eq!(replayed.computed.map(|(result, _)| result), Some(replayed.stored));
}

async fn a_verdict_that_was_changed_is_named(home: &Home) {
    many_kinds(home).await;
    let (id, mut raw) = (home.reward("T2").await.id, home.raw().await);
    raw.lift("verdicts").await;
    for change in [
        "score = 1",
        "decision = 'credit'",
        "fired_points = 'T1:1'",
        r#"facts = '{"network":["tor"]}'"#,
        "facts = 'cut off'",
        "hard = 1 - hard",
    ] {
        let kept: Vec<(String, i64, String, String, i64)> = raw
            .rows(&format!("SELECT decision, score, COALESCE(fired_points, ''), facts, hard FROM verdicts WHERE reward_id = {id}"))
            .await;
        raw.execute(&format!("UPDATE verdicts SET {change} WHERE reward_id = {id}")).await;
        let checked = home.store.check_verdicts(0, 100).await.expect("the others are compared all the same");
        let differing: Vec<i64> = checked.differing.iter().map(|found| found.reward_id).collect();
        assert_eq!((checked.compared, differing), (12, vec![id]), "{change}");
        let [(decision, score, fired, facts, hard)] = &kept[..] else { panic!("{kept:?}") };
        raw.execute(&format!(
            "UPDATE verdicts SET decision = '{decision}', score = {score}, fired_points = '{fired}', facts = '{facts}',
                    hard = {hard} WHERE reward_id = {id}"
        ))
        .await;
    }
    assert_eq!(home.store.check_verdicts(0, 100).await.expect("they are read").differing, []);
}

async fn sentences_of_a_former_version_stay_readable(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    let (now, mut raw) = (home.reward("T1").await, home.raw().await);
    let verdict = now.verdict.clone().expect("a verdict");
    let signals = serde_json::to_string(&verdict.signals).expect("JSON").replace('\'', "''");
    let location = serde_json::to_string(&now.location).expect("JSON").replace('\'', "''");
    raw.lift("verdicts").await;
    raw.execute(&format!(
        "UPDATE verdicts SET facts = NULL, engine = NULL, geo_builds = NULL, fired_points = NULL, signals = '{signals}',
                location = '{location}', policy_id = NULL, policy = '{}'",
        verdict.policy
    ))
    .await;
    let before = home.reward("T1").await;
    assert_eq!((before.verdict, before.location), (Some(verdict), now.location));
    let checked = home.store.check_verdicts(0, 100).await.expect("they are read");
    assert_eq!((checked.compared, checked.without_facts), (0, 1));
}

async fn what_verdicts_share_is_kept_once_for_all_processes(home: &Home) {
    home.process_singly(&[credit("T1"), credit("T2"), credit("T3")]).await;
    let mut raw = home.raw().await;
    for (table, id) in [("geo_builds", "geo_builds"), ("policy_versions", "policy_id")] {
        assert_eq!(raw.number(&format!("SELECT COUNT(*) FROM {table}")).await, 1);
        assert_eq!(raw.number(&format!("SELECT COUNT(DISTINCT {id}) FROM verdicts")).await, 1);
    }
    for sql in [
        "UPDATE geo_builds SET databases = '[]'",
        "DELETE FROM geo_builds",
        "UPDATE policy_versions SET version = 'x'",
        "DELETE FROM policy_versions",
    ] {
        assert!(raw.attempt(sql).await.is_err(), "{sql}");
    }
}

async fn a_database_of_the_version_before_is_read_decided_on_and_proven(home: &Home) {
    assert_eq!(home.kind(), Kind::Sqlite);
    let url = home.blank().await;
    {
        let options =
            url.parse::<sqlx::sqlite::SqliteConnectOptions>().expect("a URL").create_if_missing(true);
        let mut file = sqlx::ConnectOptions::connect(&options).await.expect("a file");
        sqlx::raw_sql(BEFORE).execute(&mut file).await.expect("the dump is loaded");
        sqlx::Connection::close(file).await.expect("it is closed");
    }
    let store = open(&url).await.expect("it opens");
    store.migrate().await.expect("it is migrated");
    let rewards = store.rewards(&RewardFilter::default(), 100).await.expect("they are read");
    let verdicts: Vec<_> = rewards.iter().filter_map(|reward| reward.verdict.as_ref()).collect();
    assert_eq!((rewards.len(), verdicts.len()), (41, 39));
    assert!(
        verdicts.iter().all(|verdict| verdict.signals.len() == RULES_BEFORE),
        "every rule of that time has its sentence"
    );
    let checked = store.check_verdicts(0, 100).await.expect("they are read");
    assert_eq!((checked.compared, checked.without_facts, checked.last), (0, 39, Some(41)));
    let held: Vec<i64> =
        rewards.iter().filter(|reward| reward.status == "held").map(|reward| reward.id).collect();
    assert_eq!(held.len(), 7);
    for id in &held {
        let decided = store.review(*id, Review::Release, crate::support::processing::ann()).await;
        decided.expect("it is decided");
    }
    assert_eq!(store.hold_count().await.expect("they are counted"), 0);
    let proof = store.prove().await.expect("the books are read");
    assert!(proof.is_proven(), "{proof:?}");
    store.close().await;
}
