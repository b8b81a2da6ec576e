//! What is remembered of users, addresses and times: bounded, seen by every worker, and proven by the rewards.

use domain::history::rebuilding::{Part, Rebuilding, lists_agree};
use domain::history::sightings::{MOST_CHARS, oldest_key};
use domain::history::{UserChange, UserMemory};
use domain::time::{DAY_MS, TimestampMs};
use store::postbacks::inbox::Claim;

use crate::support::database::Home;
use crate::support::postbacks::{Call, NOW, RECEIVED_AT, credit, processed, processor, reversal, suspicious};

contract! {
    both:
        what_one_batch_learns_the_next_one_knows,
        rewards_of_one_batch_know_each_other,
        a_crowd_on_one_address_stays_bounded,
        two_workers_forget_nothing,
        what_is_remembered_follows_from_the_rewards_and_can_be_replaced,
        lists_that_nothing_asks_for_are_forgotten;
}

fn at(tx_id: &str, user_id: &str) -> Call {
    credit(tx_id).by(user_id).with("ip", "8.8.8.8").with("offer_id", "7").with("event_id", "9")
}

/// What the verdict on the reward says of the past.
async fn past(home: &Home, tx_id: &str) -> String {
    let sql = format!(
        "SELECT facts FROM verdicts JOIN rewards ON rewards.id = verdicts.reward_id WHERE tx_id = '{tx_id}'"
    );
    let facts = home.raw().await.texts(&sql).await.remove(0);
    let facts: serde_json::Value = serde_json::from_str(&facts).expect("JSON");
    facts["past"].to_string()
}

async fn what_one_batch_learns_the_next_one_knows(home: &Home) {
    home.process(&[at("T1", "u1")]).await;
    home.process(&[at("T2", "u2").after(299)]).await;
    home.process(&[at("T3", "u3").after(301), at("T4", "u1").with("event_id", "10").after(100)]).await;
    assert_eq!(past(home, "T1").await, r#"{"new":0}"#);
    assert_eq!(past(home, "T2").await, r#"{"new":0,"sharing":1,"task":1,"twins":2}"#);
    assert_eq!(past(home, "T3").await, r#"{"near":1,"new":0,"sharing":2,"task":2,"twins":2}"#);
    assert_eq!(past(home, "T4").await, r#"{"day":1,"hour":1,"new":0,"sharing":2}"#);
    let checked = home.store.check_verdicts(0, 100).await.expect("they are read");
    assert_eq!((checked.compared, checked.differing.as_slice()), (4, &[][..]));
}

async fn rewards_of_one_batch_know_each_other(home: &Home) {
    home.process(&[at("T1", "u1"), at("T2", "u2").after(299), at("T3", "u1").with("event_id", "10")]).await;
    assert_eq!(past(home, "T2").await, r#"{"new":0,"sharing":1,"task":1,"twins":2}"#);
    assert_eq!(past(home, "T3").await, r#"{"burst":1,"gap":0,"new":0,"sharing":1}"#);
}

async fn a_crowd_on_one_address_stays_bounded(home: &Home) {
    for batch in 0..3 {
        let calls: Vec<_> =
            (0..100).map(|number| at(&format!("T{batch}-{number}"), &format!("u{batch}-{number}"))).collect();
        home.process(&calls).await;
    }
    let lists = home.store.sightings(0, 100).await.expect("they are read");
    assert_eq!(lists.len(), 2, "one of the address, one of the time");
    assert!(lists.iter().all(|(_, entries)| entries.len() == MOST_CHARS), "{lists:?}");
    let one_user: Vec<_> =
        (0..200).map(|number| at(&format!("U{number}"), "u").after(400 + number)).collect();
    home.process(&one_user).await;
    let users = home.store.user_memories(("main", "u"), 1).await.expect("they are read");
    assert_eq!(users.len(), 1, "`u0-0` follows `u`");
    let longest = home.raw().await.number("SELECT CAST(MAX(length(memory)) AS BIGINT) FROM users").await;
    assert!(longest < 2_500, "{longest}");
}

async fn two_workers_forget_nothing(home: &Home) {
    for round in 0..10 {
        let calls: Vec<_> =
            (0..4).map(|number| at(&format!("T{round}-{number}"), &format!("u{round}-{number}"))).collect();
        home.record(&calls).await;
        let other = home.another_process().await;
        let work = |store: &store::Store| {
            let store = store.clone();
            async move { processed(&store, Claim::First(2), processor(), NOW).await }
        };
        let (one, two) = tokio::join!(work(&home.store), work(&other));
        for done in [one, two] {
            if !done.as_ref().is_err_and(store::Error::is_transient) {
                done.expect("it is processed");
            }
        }
        while !home.process_waiting(100).await.postbacks.is_empty() {}
    }
    assert_eq!(differences(home).await, Vec::<String>::new());
    let lists = home.store.sightings(0, 10).await.expect("they are read");
    let entries: usize = lists.iter().map(|(_, entries)| entries.len()).sum();
    assert_eq!(entries, 40 * 14 + 40 * 17, "40 users at one address, and as many times");
}

/// What of the memories does not follow from the rewards.
async fn differences(home: &Home) -> Vec<String> {
    let mut found = Vec::new();
    for number in 0..2 {
        let part = Part { number, of: 2 };
        let mut rebuilding = Rebuilding::new(part, oldest_key(NOW, 0));
        let rows = home.store.remembered_rewards(0, 10_000).await.expect("they are read");
        for row in &rows {
            row.add_to(&mut rebuilding);
        }
        for row in home.store.user_memories(("", ""), 10_000).await.expect("they are read") {
            if part.has_user(&row.app, &row.user_id) {
                let kept = row.memory.as_deref().map(UserMemory::parse).unwrap_or_default();
                let rebuilt =
                    rebuilding.users.remove(&(row.app.clone(), row.user_id.clone())).unwrap_or_default();
                if !kept.agrees(&rebuilt) {
                    found.push(format!("{}: {} and {}", row.user_id, kept.text(), rebuilt.text()));
                }
            }
        }
        let oldest = oldest_key(NOW, 0);
        for (key, kept) in home.store.sightings(oldest - 1, 10_000).await.expect("they are read") {
            if part.has_list(key) {
                let rebuilt = rebuilding.lists.remove(&key).unwrap_or_default();
                if !lists_agree(&kept, &rebuilt) {
                    found.push(format!("{key}: {kept} and {rebuilt}"));
                }
            }
        }
        found.extend(rebuilding.lists.keys().map(|key| format!("{key} is missing")));
    }
    found
}

async fn what_is_remembered_follows_from_the_rewards_and_can_be_replaced(home: &Home) {
    home.process(&[at("T1", "u1"), at("T2", "u2"), suspicious("T3").by("u1").with("ip", "1.1.1.1")]).await;
    home.process(&[reversal("T1").by("u1"), reversal("T9").by("u2")]).await;
    home.process(&[
        at("T9", "u2"),
        at("T10", "u2").with("country_code", "FR").received(RECEIVED_AT - 40 * DAY_MS),
    ])
    .await;
    home.process(&[
        reversal("T10").by("u2"),
        at("T11", "u1").without("ip"),
        at("T12", "u1").without("timestamp"),
    ])
    .await;
    assert_eq!(differences(home).await, Vec::<String>::new());
    let mut raw = home.raw().await;
    raw.execute("UPDATE users SET memory = NULL WHERE user_id = 'u1'").await;
    raw.execute("UPDATE sightings SET entries = substr(entries, 15)").await;
    assert!(differences(home).await.len() > 2);
    let mut rebuilding = Rebuilding::new(Part { number: 0, of: 1 }, 0);
    let rows = home.store.remembered_rewards(0, 10_000).await.expect("they are read");
    for row in &rows {
        row.add_to(&mut rebuilding);
    }
    let users = rebuilding
        .users
        .iter()
        .map(|((app, user_id), memory)| UserChange {
            app: app.clone(),
            user_id: user_id.clone(),
            memory: memory.text(),
        })
        .collect();
    home.store
        .replace_memories(users, rebuilding.lists.into_iter().collect())
        .await
        .expect("they are replaced");
    assert_eq!(differences(home).await, Vec::<String>::new());
}

async fn lists_that_nothing_asks_for_are_forgotten(home: &Home) {
    home.process(&[at("T1", "u1"), at("T2", "u2").received(RECEIVED_AT - 9 * DAY_MS)]).await;
    let kept = async || home.store.sightings(0, 100).await.expect("they are read").len();
    assert_eq!(kept().await, 4);
    let later = |days: i64| TimestampMs(NOW.0 + days * DAY_MS);
    assert!(!home.store.forget_sightings(NOW, 0).await.expect("they are deleted"));
    assert_eq!(kept().await, 3, "a list of times is kept for three days");
    home.store.forget_sightings(later(8), 0).await.expect("they are deleted");
    assert_eq!(kept().await, 1, "an address seven days ago, and what was then the week before");
    home.store.forget_sightings(later(4), 1).await.expect("they are deleted");
    assert_eq!(kept().await, 0, "addresses are kept for a day only");
}
