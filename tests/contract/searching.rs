//! Long queues: a search finds the same whichever way it goes, and every value fits.

use domain::review::queue::Grouping;
use store::review::holds::{HoldFilter, HoldSort};

use crate::support::database::Home;
use crate::support::postbacks::{NOW, suspicious};

contract! {
    both:
        a_search_finds_the_same_however_much_it_finds,
        a_search_that_was_looked_up_once_answers_every_question,
        a_search_finds_a_transaction_whatever_its_offers_are_called,
        a_hold_whose_values_are_as_long_as_may_be_stands_in_the_queue;
}

/// Held rewards without a past: of 50 offers with much in common, 700 with little, and one that almost all are of.
async fn crowd(home: &Home) {
    let text = |expression: &str| format!("CAST({expression} AS TEXT)");
    home.raw()
        .await
        .execute(&format!(
            "INSERT INTO holds
             WITH RECURSIVE numbers (n) AS (
                 SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < 12000)
             SELECT n, 'targo', 'main', 'u' || {user}, 'T' || {tx}, 'o' || {offer},
                    CASE WHEN n % 20 < 18 THEN 'Big One' WHEN n % 20 = 18 THEN 'Game ' || {game}
                         ELSE 'Puzzle ' || {puzzle} END,
                    '', 'T1', 'T1 T2', '203.0.113.' || {address}, 's' || {sub1}, 'DE', 'coins', 5, 7, 50, 0, 0,
                    {now} - n, 1 FROM numbers",
            user = text("n % 300"),
            tx = text("n % 6000"),
            offer = text("n % 20"),
            game = text("n / 20 % 50"),
            puzzle = text("n / 20"),
            address = text("n % 100"),
            sub1 = text("n % 40"),
            now = NOW.0,
        ))
        .await;
}

fn search(text: &str) -> HoldFilter {
    HoldFilter { text: Some(text.into()), ..HoldFilter::default() }
}

async fn a_search_finds_the_same_however_much_it_finds(home: &Home) {
    crowd(home).await;
    for text in
        ["big", "BIG one", "game", "game 7", "puzzle", "e", "z", "u77", "T5", "s7", "203.0.113.9", "nobody"]
    {
        let part = text.to_lowercase();
        let expected = home
            .raw()
            .await
            .number(&format!(
                "SELECT COUNT(*) FROM holds WHERE user_id = '{text}' OR tx_id = '{text}' OR sub1 = '{text}'
                     OR address_group = '{text}' OR lower(offer_name) LIKE '%{part}%'"
            ))
            .await;
        let filter = search(text);
        let totals = home.store.hold_totals(&filter, NOW).await.expect("summed");
        assert_eq!((totals.rewards, totals.payout_micros), (expected, expected * 7), "{text}");
        let ids = home.store.hold_ids(&filter, 20_000).await.expect("listed");
        assert_eq!(i64::try_from(ids.len()), Ok(expected), "{text}");
        let rows = home.store.holds(&filter, HoldSort::Age, None, NOW, 20_000).await.expect("listed");
        assert_eq!(rows.len(), ids.len(), "{text}");
        for grouping in Grouping::ALL {
            let clusters =
                home.store.clusters(&filter, grouping, HoldSort::Age, None, 999).await.expect("grouped");
            let parts = home.store.cluster_parts(&filter, grouping, &clusters).await.expect("counted");
            let users = home.store.cluster_users(&filter, grouping, &clusters).await.expect("counted");
            assert_eq!(clusters.iter().map(|cluster| cluster.rewards).sum::<i64>(), expected, "{text}");
            assert_eq!(parts.iter().map(|part| part.rewards).sum::<i64>(), expected, "{text}");
            assert_eq!(users.len(), clusters.len(), "{text}");
            for cluster in &clusters {
                let mut of: Vec<&str> = rows
                    .iter()
                    .filter(|row| match grouping {
                        Grouping::Rule => (&row.rule, &row.offer_id) == (&cluster.first, &cluster.second),
                        Grouping::Address => row.address_group == cluster.first,
                        Grouping::Sub1 => (&row.sub1, &row.source) == (&cluster.first, &cluster.second),
                        Grouping::User => (&row.user_id, &row.app) == (&cluster.first, &cluster.second),
                    })
                    .map(|row| row.user_id.as_str())
                    .collect();
                of.sort_unstable();
                of.dedup();
                let counted = users
                    .iter()
                    .find(|users| (&users.first, &users.second) == (&cluster.first, &cluster.second));
                assert_eq!(counted.map(|users| users.users), i64::try_from(of.len()).ok(), "{text}");
            }
        }
    }
}

async fn a_search_that_was_looked_up_once_answers_every_question(home: &Home) {
    crowd(home).await;
    let filter = HoldFilter { rule: Some("T1".into()), ..search("game 7") };
    let sought = home.store.with_search(&filter).await.expect("looked up").into_owned();
    assert!(sought.found.is_some());
    let once_more = home.store.with_search(&sought).await.expect("nothing to look up");
    assert!(matches!(once_more, std::borrow::Cow::Borrowed(_)));
    for filter in [&filter, &sought] {
        assert_eq!(home.store.hold_totals(filter, NOW).await.expect("summed").rewards, 12);
        let clusters = home.store.clusters(filter, Grouping::Rule, HoldSort::Age, None, 9).await;
        assert_eq!(clusters.expect("grouped").len(), 1);
    }
    let none = HoldFilter::default();
    assert!(home.store.with_search(&none).await.expect("nothing to look up").found.is_none());
}

async fn a_search_finds_a_transaction_whatever_its_offers_are_called(home: &Home) {
    crowd(home).await;
    home.raw().await.execute("UPDATE holds SET tx_id = 'the one' WHERE reward_id % 20 = 19").await;
    let found = async |text: &str| home.store.hold_totals(&search(text), NOW).await.expect("summed").rewards;
    assert_eq!(found("the one").await, 600, "of more names than a question lists");
    home.raw().await.execute("UPDATE holds SET tx_id = 'other' WHERE reward_id IN (1, 38, 39)").await;
    assert_eq!(found("other").await, 3);
    assert_eq!(found("the one").await, 599);
    assert_eq!(found("the").await, 0, "only the whole of it");
}

async fn a_hold_whose_values_are_as_long_as_may_be_stands_in_the_queue(home: &Home) {
    // No letter follows from those before: an index entry that is too long could else be saved by compression.
    let mut state = 1_u64;
    let mut text = |len: usize| -> String {
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            char::from(letters[usize::try_from(state >> 58).expect("six bits")])
        };
        (0..len).map(|_| letter()).collect()
    };
    let (user, name) = (text(256), text(1_024));
    let long = suspicious(&text(256))
        .by(&user)
        .with("offer_id", text(256))
        .with("offer_name", &name)
        .with("event_id", text(256))
        .with("event_name", text(1_024))
        .with("sub1", text(1_024))
        .with("sub2", text(1_024))
        .with("ip", "2001:db8:1111:2222:3333:4444:5555:6666")
        .with("country_code", "DE");
    home.process(&[long]).await;
    assert_eq!(home.store.hold_count().await.expect("counted"), 1);
    for sought in [&user, &name] {
        assert_eq!(home.store.hold_totals(&search(sought), NOW).await.expect("summed").rewards, 1);
    }
}
