//! The review queue: which rewards are in it, their groups and order, and who has claimed one.

use domain::money::Micros;
use domain::review::decision::Review;
use domain::review::queue::{Grouping, ReviewTerms};
use domain::time::TimestampMs;
use store::review::claims::Claimed;
use store::review::holds::{ClusterKey, ClusterPlace, HoldFilter, HoldPlace, HoldSort};

use crate::support::database::Home;
use crate::support::postbacks::{Call, NOW, PAYOUT, RECEIVED_AT, credit, reversal, suspicious};
use crate::support::processing::ann;

contract! {
    both:
        a_reward_stands_in_the_queue_exactly_while_it_is_held,
        a_conflict_of_a_held_reward_shows_in_the_queue,
        clusters_are_what_has_rule_and_offer_address_sub1_or_user_in_common,
        a_cluster_says_what_is_at_stake_and_for_how_many_users,
        clusters_come_in_the_order_asked_for_page_by_page,
        held_rewards_come_in_the_order_asked_for_page_by_page,
        every_filter_finds_what_it_names_and_nothing_else,
        a_search_takes_percent_and_underscore_as_they_are,
        urgent_holds_are_due_first,
        the_choices_of_the_filters_are_what_is_held,
        of_two_who_open_a_reward_one_has_it_until_it_is_let_go_or_runs_out,
        a_reward_that_is_not_held_cannot_be_claimed,
        of_many_who_claim_at_the_same_time_exactly_one_has_it;
}

/// A held reward of this user and offer from this address.
fn hold(tx_id: &str, user_id: &str, offer: &str, ip: &str) -> Call {
    suspicious(tx_id)
        .by(user_id)
        .with("offer_id", offer)
        .with("offer_name", format!("Offer%20{offer}"))
        .with("ip", ip)
        .with("country_code", "DE")
}

/// Four held rewards of three users: two of offer A from one address, two of offer B from one /64.
async fn four(home: &Home) {
    home.process(&[
        hold("T1", "u1", "A", "203.0.113.7").received(RECEIVED_AT - 4_000),
        hold("T2", "u2", "A", "203.0.113.7")
            .received(RECEIVED_AT - 3_000)
            .with("payout", "30")
            .with("sub1", "s"),
        hold("T3", "u3", "B", "2001:db8:1:2::1").received(RECEIVED_AT - 2_000).with("sub1", "s"),
        hold("T4", "u3", "B", "2001:db8:1:2::2").received(RECEIVED_AT - 1_000).with("country_code", "US"),
        credit("T5"),
    ])
    .await;
}

async fn found(home: &Home, filter: HoldFilter) -> Vec<String> {
    let rows = home.store.holds(&filter, HoldSort::Age, None, NOW, 100).await.expect("listed");
    rows.into_iter().map(|row| row.tx_id).collect()
}

async fn a_reward_stands_in_the_queue_exactly_while_it_is_held(home: &Home) {
    home.process(&[suspicious("T1"), suspicious("T2"), suspicious("T3"), credit("T4")]).await;
    assert_eq!(found(home, HoldFilter::default()).await, ["T1", "T2", "T3"]);
    home.decide(home.reward("T1").await.id, Review::Release).await.expect("released");
    home.decide(home.reward("T2").await.id, Review::Reject).await.expect("rejected");
    home.process(&[reversal("T3")]).await;
    assert_eq!(found(home, HoldFilter::default()).await, Vec::<String>::new());
    let store = home.store.clone().notifying(crate::support::processing::grace_only());
    store.undo(home.reward("T2").await.id, ann()).await.expect("undone");
    let rows = home.store.holds(&HoldFilter::default(), HoldSort::Age, None, NOW, 9).await.expect("listed");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].tx_id.as_str(), rows[0].steps), ("T2", 3), "in the state in which it is now");
    assert_eq!(home.store.hold_count().await.expect("counted"), 1);
}

async fn a_conflict_of_a_held_reward_shows_in_the_queue(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    assert_eq!(one(home).await.conflict, 0);
    home.process(&[suspicious("T1").with("payout", "9")]).await;
    assert_eq!(one(home).await.conflict, 1);
}

async fn one(home: &Home) -> store::review::holds::HoldRow {
    let rows = home.store.holds(&HoldFilter::default(), HoldSort::Age, None, NOW, 9).await.expect("listed");
    rows.into_iter().next().expect("one is held")
}

async fn keys(home: &Home, grouping: Grouping) -> Vec<(String, String, i64)> {
    let clusters = home
        .store
        .clusters(&HoldFilter::default(), grouping, HoldSort::Age, None, 100)
        .await
        .expect("grouped");
    clusters.into_iter().map(|cluster| (cluster.first, cluster.second, cluster.rewards)).collect()
}

async fn clusters_are_what_has_rule_and_offer_address_sub1_or_user_in_common(home: &Home) {
    four(home).await;
    let all = |rows: &[(&str, &str, i64)]| -> Vec<(String, String, i64)> {
        rows.iter().map(|(first, second, count)| ((*first).into(), (*second).into(), *count)).collect()
    };
    assert_eq!(keys(home, Grouping::Rule).await, all(&[("T1", "A", 2), ("T1", "B", 2)]));
    let addresses = [("203.0.113.7", "", 2), ("2001:db8:1:2::/64", "", 2)];
    assert_eq!(keys(home, Grouping::Address).await, all(&addresses));
    assert_eq!(keys(home, Grouping::Sub1).await, all(&[("", "targo", 2), ("s", "targo", 2)]));
    let users = [("u1", "main", 1), ("u2", "main", 1), ("u3", "main", 2)];
    assert_eq!(keys(home, Grouping::User).await, all(&users));
    for grouping in Grouping::ALL {
        for (first, second, count) in keys(home, grouping).await {
            let cluster = Some(ClusterKey { grouping, first, second });
            let inside = found(home, HoldFilter { cluster, ..HoldFilter::default() }).await;
            assert_eq!(
                inside.len(),
                usize::try_from(count).expect("few"),
                "{grouping:?} opens into its rewards"
            );
        }
    }
}

async fn a_cluster_says_what_is_at_stake_and_for_how_many_users(home: &Home) {
    four(home).await;
    let filter = HoldFilter::default();
    let clusters =
        home.store.clusters(&filter, Grouping::Rule, HoldSort::Age, None, 9).await.expect("grouped");
    let (a, b) = (&clusters[0], &clusters[1]);
    assert_eq!((a.payout_micros, b.payout_micros), (31 * PAYOUT, 2 * PAYOUT));
    assert_eq!(a.oldest_at, RECEIVED_AT - 4_000);
    let users = home.store.cluster_users(&filter, Grouping::Rule, &clusters).await.expect("counted");
    let users_of = |second: &str| users.iter().find(|users| users.second == second).map(|users| users.users);
    assert_eq!((users_of("A"), users_of("B")), (Some(2), Some(1)));
    let parts = home.store.cluster_parts(&filter, Grouping::Rule, &clusters).await.expect("counted");
    for second in ["A", "B"] {
        let of: Vec<_> = parts.iter().filter(|part| part.second == second).collect();
        assert_eq!(of.iter().map(|part| part.rewards).sum::<i64>(), 2);
        assert_eq!(of.iter().map(|part| part.reward_micros).sum::<i64>(), 1_000_000_000);
        for part in of {
            assert!(part.fired.starts_with("T1"), "{part:?}");
            assert_eq!(
                (part.currency.as_str(), part.offer_name.clone()),
                ("coins", format!("Offer {second}"))
            );
        }
    }
    let first = home.store.cluster_parts(&filter, Grouping::Rule, &clusters[..1]).await.expect("counted");
    assert!(first.iter().all(|part| part.second == "A") && !first.is_empty(), "only what was asked for");
    let totals = home.store.hold_totals(&filter, NOW).await.expect("summed");
    assert_eq!((totals.rewards, totals.payout_micros), (4, 33 * PAYOUT));
    assert_eq!(home.store.hold_users(&filter).await.expect("counted"), 3);
    assert_eq!((totals.overdue, totals.oldest_at), (0, Some(RECEIVED_AT - 4_000)));
    let late = TimestampMs(NOW.0 + ReviewTerms::default().target_ms);
    let late = home.store.hold_totals(&filter, late).await.expect("summed");
    assert_eq!((late.overdue, late.overdue_payout_micros), (4, 33 * PAYOUT));
    home.process(&[hold("G", "u9", "A", "203.0.113.9").of_source(crate::support::postbacks::GEMS_SOURCE)])
        .await;
    let totals = home.store.hold_totals(&filter, NOW).await.expect("summed");
    assert_eq!((totals.reward_micros, totals.currency), (None, None), "coins and gems have no sum");
}

async fn clusters_come_in_the_order_asked_for_page_by_page(home: &Home) {
    four(home).await;
    for (sort, expected) in [
        (HoldSort::Age, ["u1", "u2", "u3"]),
        (HoldSort::Money, ["u2", "u3", "u1"]),
        (HoldSort::Score, ["u2", "u1", "u3"]),
    ] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let filter = HoldFilter::default();
            let page =
                home.store.clusters(&filter, Grouping::User, sort, after.as_ref(), 1).await.expect("a page");
            let Some(last) = page.into_iter().next() else { break };
            seen.push(last.first.clone());
            let (sort_value, first, second) = (last.sort_value, last.first, last.second);
            after = Some(ClusterPlace { sort_value, first, second });
        }
        assert_eq!(seen, expected, "{sort:?}");
    }
}

async fn held_rewards_come_in_the_order_asked_for_page_by_page(home: &Home) {
    four(home).await;
    for (sort, expected) in [
        (HoldSort::Age, ["T1", "T2", "T3", "T4"]),
        (HoldSort::Money, ["T2", "T1", "T3", "T4"]),
        (HoldSort::Score, ["T1", "T2", "T3", "T4"]),
    ] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = home.store.holds(&HoldFilter::default(), sort, after, NOW, 1).await.expect("a page");
            let Some(last) = page.into_iter().next() else { break };
            after = Some(HoldPlace { sort_value: last.sort_value, reward_id: last.reward_id });
            seen.push(last.tx_id);
        }
        assert_eq!(seen.len(), 4, "{sort:?}");
        if sort != HoldSort::Score {
            assert_eq!(seen, expected, "{sort:?}");
        }
    }
}

async fn every_filter_finds_what_it_names_and_nothing_else(home: &Home) {
    four(home).await;
    let text = |text: &str| Some(text.to_owned());
    let third = home.reward("T3").await.id;
    let none = HoldFilter::default;
    for (name, filter, expected) in [
        ("rule", HoldFilter { rule: text("T1"), ..none() }, &["T1", "T2", "T3", "T4"][..]),
        ("another rule", HoldFilter { rule: text("G1"), ..none() }, &[]),
        ("source", HoldFilter { source: text("targo"), ..none() }, &["T1", "T2", "T3", "T4"]),
        ("offer", HoldFilter { offer_id: text("B"), ..none() }, &["T3", "T4"]),
        ("country", HoldFilter { country: text("US"), ..none() }, &["T4"]),
        ("amount", HoldFilter { min_payout: Some(Micros(2 * PAYOUT)), ..none() }, &["T2"]),
        (
            "age",
            HoldFilter { received_before: Some(TimestampMs(RECEIVED_AT - 2_500)), ..none() },
            &["T1", "T2"],
        ),
        ("up to", HoldFilter { upto_id: Some(third - 1), ..none() }, &["T1", "T2"]),
        ("user", HoldFilter { text: text("u3"), ..none() }, &["T3", "T4"]),
        ("transaction", HoldFilter { text: text("T2"), ..none() }, &["T2"]),
        ("sub1", HoldFilter { text: text("s"), ..none() }, &["T2", "T3"]),
        ("address", HoldFilter { text: text("2001:db8:1:2::/64"), ..none() }, &["T3", "T4"]),
        ("part of an offer's name", HoldFilter { text: text("FFER b"), ..none() }, &["T3", "T4"]),
        ("these", HoldFilter { ids: Some(vec![third]), ..none() }, &["T3"]),
        ("none of them", HoldFilter { ids: Some(Vec::new()), ..none() }, &[]),
    ] {
        // `s` is also a part of no offer's name here, and `u3` of none.
        assert_eq!(found(home, filter.clone()).await, expected, "{name}");
        let ids = home.store.hold_ids(&filter, 100).await.expect("listed");
        assert_eq!(ids.len(), expected.len(), "{name}, as ids");
        let totals = home.store.hold_totals(&filter, NOW).await.expect("summed");
        assert_eq!(usize::try_from(totals.rewards), Ok(expected.len()), "{name}, in sum");
    }
}

async fn a_search_takes_percent_and_underscore_as_they_are(home: &Home) {
    let named = |tx_id: &str, name: &str| hold(tx_id, "u1", tx_id, "203.0.113.7").with("offer_name", name);
    home.process(&[
        named("T1", "Save%2050%25"),
        named("T2", "Save%2050"),
        named("T3", "a_b"),
        named("T4", "axb"),
    ])
    .await;
    let search = |text: &str| HoldFilter { text: Some(text.into()), ..HoldFilter::default() };
    assert_eq!(found(home, search("50%")).await, ["T1"]);
    assert_eq!(found(home, search("a_b")).await, ["T3"]);
    assert_eq!(found(home, search("\\")).await, Vec::<String>::new());
}

async fn urgent_holds_are_due_first(home: &Home) {
    four(home).await;
    let terms = ReviewTerms { urgent: Some(Micros(20 * PAYOUT)), ..ReviewTerms::default() };
    let store = home.store.clone().with_review_terms(terms.clone());
    let rows = store.holds(&HoldFilter::default(), HoldSort::Age, None, NOW, 9).await.expect("listed");
    assert_eq!(rows[0].tx_id, "T2");
    assert_eq!(rows[0].sort_value, rows[0].received_at + terms.urgent_target_ms);
    let due = TimestampMs(NOW.0 + terms.urgent_target_ms);
    assert_eq!(store.hold_totals(&HoldFilter::default(), due).await.expect("summed").overdue, 1);
    let clusters = store.clusters(&HoldFilter::default(), Grouping::Rule, HoldSort::Age, None, 9).await;
    assert_eq!(clusters.expect("grouped")[0].due_at, rows[0].sort_value);
}

async fn the_choices_of_the_filters_are_what_is_held(home: &Home) {
    four(home).await;
    let choices = home.store.hold_choices().await.expect("listed");
    let of = |filter: &str| -> Vec<(String, i64)> {
        let found = choices.iter().filter(|choice| choice.filter == filter);
        found.map(|choice| (choice.value.clone(), choice.rewards)).collect()
    };
    assert_eq!(of("rule"), [("T1".to_owned(), 4)]);
    assert_eq!(of("offer"), [("A".to_owned(), 2), ("B".to_owned(), 2)]);
    assert_eq!(of("country"), [("DE".to_owned(), 3), ("US".to_owned(), 1)]);
    assert_eq!(of("source"), [("targo".to_owned(), 4)]);
}

async fn of_two_who_open_a_reward_one_has_it_until_it_is_let_go_or_runs_out(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    let id = home.reward("T1").await.id;
    let at = |ms: i64| TimestampMs(NOW.0 + ms);
    let claim = |person: &'static str, now: TimestampMs| home.store.claim(id, person, now, 1_000);
    assert_eq!(claim("ann", NOW).await.expect("asked"), Claimed::Yours { until: at(1_000) });
    let anns = Claimed::Others { person: "ann".into(), until: at(1_000) };
    assert_eq!(claim("bob", at(999)).await.expect("asked"), anns);
    assert_eq!(
        claim("ann", at(500)).await.expect("asked"),
        Claimed::Yours { until: at(1_500) },
        "it is prolonged"
    );
    assert_eq!(one(home).await.claimed_by.as_deref(), Some("ann"));
    assert_eq!(
        claim("bob", at(1_500)).await.expect("asked"),
        Claimed::Yours { until: at(2_500) },
        "it has run out"
    );
    home.store.let_go(id, "ann").await.expect("not hers");
    assert!(matches!(claim("ann", at(1_600)).await.expect("asked"), Claimed::Others { .. }));
    home.store.let_go(id, "bob").await.expect("let go");
    assert!(matches!(claim("ann", at(1_600)).await.expect("asked"), Claimed::Yours { .. }));
}

async fn a_reward_that_is_not_held_cannot_be_claimed(home: &Home) {
    home.process(&[credit("T1")]).await;
    let id = home.reward("T1").await.id;
    for id in [id, 999] {
        assert_eq!(home.store.claim(id, "ann", NOW, 1_000).await.expect("asked"), Claimed::NotHeld);
    }
}

async fn of_many_who_claim_at_the_same_time_exactly_one_has_it(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    let id = home.reward("T1").await.id;
    let claims = (0..8).map(|number| {
        let store = home.store.clone();
        tokio::spawn(async move { store.claim(id, &format!("p{number}"), NOW, 1_000).await })
    });
    let mut theirs = 0;
    for claim in claims.collect::<Vec<_>>() {
        let claimed = claim.await.expect("it ends").expect("asked");
        theirs += i32::from(matches!(claimed, Claimed::Yours { .. }));
    }
    assert_eq!(theirs, 1);
}
