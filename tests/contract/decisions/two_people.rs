//! What pays much, alone or in sum, needs two people who agree.

use domain::access::Role;
use domain::money::Micros;
use domain::review::decision::Review;
use domain::review::queue::SecondPerson;
use domain::reward::Status;
use domain::time::TimestampMs;
use store::Store;
use store::access::staff::NewPerson;
use store::access::tokens::NewToken;
use store::review::decisions::{BulkDecision, BulkDecisionResult, Reviewed, Reviewer, Skip, Wanted};

use super::{by, decide, hold, needing};
use crate::support::database::Home;
use crate::support::postbacks::{NOW, PAYOUT, reversal};
use crate::support::processing::grace_only;

contract! {
    both:
        what_pays_much_waits_for_a_second_person,
        nobody_is_their_own_second_person,
        of_two_who_disagree_a_third_decides,
        many_at_once_that_pay_much_together_wait_for_a_second_person,
        a_persons_token_and_login_are_one_of_two_people,
        a_service_is_neither_of_two_people,
        small_clicks_of_one_day_are_one_large_one,
        what_two_decided_or_was_undone_is_not_summed_up,
        of_two_clicks_at_the_same_moment_one_sees_the_other,
        an_opinion_ends_with_a_reversal,
        the_api_asks_for_a_second_person_too;
}

async fn what_pays_much_waits_for_a_second_person(home: &Home) {
    let second = SecondPerson { single: Some(Micros(PAYOUT)), ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(needing(second));
    let seen = hold(home, 1).await;
    let id = seen[0].reward_id;
    store.claim(id, "ann", NOW, 1_000).await.expect("claimed");
    let first = decide(&store, &seen, Review::Release, "ann").await;
    assert_eq!((first.taken.len(), first.waiting.as_slice(), first.id), (0, &[id][..], None));
    assert_eq!(home.reward("T0").await.status, "held", "nothing moved");
    let row = home.store.hold(id, NOW).await.expect("found").expect("held");
    assert_eq!((row.opinions, row.claimed_by), (1, None), "the other person can open it at once");
    let agreed = decide(&store, &seen, Review::Release, "bob").await;
    assert_eq!(agreed.taken, [id]);
    let steps = home.store.steps(id).await.expect("listed");
    assert_eq!(steps.last().expect("a step").actor, "ann, bob");
    home.prove().await;
}

async fn nobody_is_their_own_second_person(home: &Home) {
    let second = SecondPerson { hard: true, ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(needing(second));
    let seen = hold(home, 1).await;
    for _ in 0..3 {
        let done = decide(&store, &seen, Review::Release, "ann").await;
        assert_eq!((done.taken.len(), done.waiting.len()), (0, 1));
    }
    assert_eq!(home.reward("T0").await.status, "held");
}

async fn of_two_who_disagree_a_third_decides(home: &Home) {
    let second = SecondPerson { hard: true, ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(needing(second));
    let seen = hold(home, 1).await;
    assert_eq!(decide(&store, &seen, Review::Release, "ann").await.waiting.len(), 1);
    assert_eq!(decide(&store, &seen, Review::Reject, "bob").await.waiting.len(), 1);
    assert_eq!(decide(&store, &seen, Review::Reject, "cid").await.taken.len(), 1);
    assert_eq!(home.reward("T0").await.status, "rejected");
    let opinions = home.store.opinions(seen[0].reward_id, seen[0].steps).await.expect("listed");
    let said: Vec<_> = opinions.iter().map(|row| (row.person.as_str(), row.decision.as_str())).collect();
    assert_eq!(said, [("ann", "release"), ("bob", "reject")]);
}

async fn many_at_once_that_pay_much_together_wait_for_a_second_person(home: &Home) {
    let second = SecondPerson { bulk: Some(Micros(3 * PAYOUT)), ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(needing(second));
    let seen = hold(home, 5).await;
    assert_eq!(decide(&store, &seen[..2], Review::Release, "ann").await.taken.len(), 2);
    assert_eq!(decide(&store, &seen[2..], Review::Release, "ann").await.waiting.len(), 3);
    let alone = decide(&store, &seen[2..3], Review::Release, "ann").await;
    assert_eq!(alone.waiting.len(), 1, "once asked for, a second person is not got rid of one by one");
    assert_eq!(decide(&store, &seen[2..], Review::Release, "bob").await.taken.len(), 3);
    home.prove().await;
}

async fn add_token(home: &Home, name: &str, owner: Option<&str>) -> String {
    let token =
        NewToken { name: name.into(), owner: owner.map(Into::into), role: Role::Risk, expires_at: None };
    assert!(home.store.add_token(token, name.into(), "admin".into(), NOW).await.expect("added"));
    // What the API signs with.
    home.store.token_owner(name, NOW).await.expect("found").expect("in force").name
}

async fn add_person(home: &Home, name: &str) {
    let person = NewPerson { name: name.into(), role: Role::Risk, password_hash: "hash".into() };
    // Somebody new is no second person.
    let since = TimestampMs(NOW.0 - 2 * 86_400_000);
    assert!(home.store.add_person(person, "admin".into(), since).await.expect("added"));
}

async fn a_persons_token_and_login_are_one_of_two_people(home: &Home) {
    let second = SecondPerson { hard: true, ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(needing(second));
    for name in ["mara", "joe"] {
        add_person(home, name).await;
    }
    let (laptop, phone) =
        (add_token(home, "laptop", Some("mara")).await, add_token(home, "phone", Some("mara")).await);
    let of_joe = add_token(home, "desktop", Some("joe")).await;
    let seen = hold(home, 1).await;
    for by in ["mara", &laptop, &phone, "mara"] {
        let done = decide(&store, &seen, Review::Release, by).await;
        assert_eq!((done.taken.len(), done.waiting.len()), (0, 1), "{by}");
    }
    assert_eq!(decide(&store, &seen, Review::Release, &of_joe).await.taken.len(), 1);
    let steps = home.store.steps(seen[0].reward_id).await.expect("listed");
    assert_eq!(steps.last().expect("a step").actor, "mara, joe");
}

async fn a_service_is_neither_of_two_people(home: &Home) {
    let second = SecondPerson { hard: true, ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(needing(second));
    add_person(home, "mara").await;
    let (bot, cron) = (add_token(home, "bot", None).await, add_token(home, "cron", None).await);
    let seen = hold(home, 2).await;
    for by in [bot.as_str(), &cron, "mara", &bot] {
        let done = decide(&store, &seen, Review::Release, by).await;
        assert_eq!((done.taken.len(), done.waiting.len()), (0, 2), "{by}");
    }
    assert_eq!(decide(&store, &seen[..1], Review::Release, "joe").await.taken.len(), 1);
    // A person with the service's name owns its token.
    // As it may stand in a database of an older version: now such a name is not given any more.
    let bot = "INSERT INTO people (name, role, password_hash, created_at, since) VALUES ('bot', 'risk', 'hash', 0, 0)";
    home.raw().await.execute(bot).await;
    assert_eq!(decide(&store, &seen[1..], Review::Release, "bot").await.taken.len(), 1);
    let alone = decide(&home.store, &hold(home, 3).await[..1], Review::Release, &cron).await;
    assert_eq!(alone.taken.len(), 1, "what needs no second person a service may decide");
    home.prove().await;
}

async fn decide_at(
    store: &Store,
    wanted: &[Wanted],
    decision: Review,
    person: &str,
    at_ms: i64,
) -> BulkDecisionResult {
    let reviewer = Reviewer { now: TimestampMs(NOW.0 + at_ms), ..by(person) };
    let decide = BulkDecision { wanted: wanted.to_vec(), decision, overturn: false, reviewer };
    store.decide(decide).await.expect("decided")
}

async fn small_clicks_of_one_day_are_one_large_one(home: &Home) {
    let second = SecondPerson { bulk: Some(Micros(3 * PAYOUT)), ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(needing(second));
    let seen = hold(home, 9).await;
    let click = async |index: usize, decision, person: &str, at_ms: i64| {
        let done = decide_at(&store, &seen[index..=index], decision, person, at_ms).await;
        (done.taken.len(), done.waiting.len())
    };
    let day_ms = 86_400_000;
    assert_eq!(click(0, Review::Release, "ann", 0).await, (1, 0));
    assert_eq!(click(1, Review::Release, "ann", 1_000).await, (1, 0));
    assert_eq!(click(2, Review::Release, "ann", 2_000).await, (0, 1), "the third of the day");
    assert_eq!(click(3, Review::Reject, "ann", 2_000).await, (1, 0), "what is rejected is another sum");
    assert_eq!(
        click(4, Review::Release, "bob", 2_000).await,
        (1, 0),
        "and so is what another person releases"
    );
    assert_eq!(click(5, Review::Release, "ann", day_ms - 1).await, (0, 1), "still within the day");
    assert_eq!(click(6, Review::Release, "ann", day_ms + 1).await, (1, 0), "one has left the sum");
    assert_eq!(click(7, Review::Release, "ann", day_ms + 2).await, (0, 1), "and another has come");
    home.prove().await;
}

async fn what_two_decided_or_was_undone_is_not_summed_up(home: &Home) {
    let second =
        SecondPerson { bulk: Some(Micros(3 * PAYOUT)), single: Some(Micros(100 * PAYOUT)), hard: false };
    let store = home.store.clone().notifying(grace_only()).with_review_terms(needing(second));
    let seen = hold(home, 9).await;
    assert_eq!(decide(&store, &seen[..4], Review::Release, "ann").await.waiting.len(), 4);
    assert_eq!(decide(&store, &seen[..4], Review::Release, "bob").await.taken.len(), 4, "two agree");
    let undone = decide(&store, &seen[4..6], Review::Release, "bob").await;
    assert_eq!(undone.taken.len(), 2, "what both signed is not his alone");
    store.undo_decision(undone.id.expect("kept"), by("bob")).await.expect("undone").expect("his");
    let alone = store.decided_alone("bob", Review::Release, NOW).await.expect("summed up");
    assert_eq!((alone.rewards, alone.payout), (0, Micros(0)));
    assert_eq!(decide(&store, &seen[6..8], Review::Release, "bob").await.taken.len(), 2);
    let alone = store.decided_alone("bob", Review::Release, NOW).await.expect("summed up");
    assert_eq!((alone.rewards, alone.payout), (2, Micros(2 * PAYOUT)));
    home.prove().await;
}

async fn of_two_clicks_at_the_same_moment_one_sees_the_other(home: &Home) {
    let second = SecondPerson { bulk: Some(Micros(2 * PAYOUT)), ..SecondPerson::default() };
    let seen = hold(home, 8).await;
    let mut clicking = Vec::new();
    for wanted in seen {
        let store = home.another_process().await.with_review_terms(needing(second.clone()));
        let click = async move { decide(&store, &[wanted], Review::Release, "ann").await.taken.len() };
        clicking.push(tokio::spawn(click));
    }
    let mut taken = 0;
    for click in clicking {
        taken += click.await.expect("it ends");
    }
    assert_eq!(taken, 1, "the second reaches the limit, however many come at once");
    home.prove().await;
}

async fn an_opinion_ends_with_a_reversal(home: &Home) {
    let second = SecondPerson { hard: true, ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(needing(second));
    let seen = hold(home, 1).await;
    decide(&store, &seen, Review::Release, "ann").await;
    home.process(&[reversal("T0").by("u0")]).await;
    let done = decide(&store, &seen, Review::Release, "bob").await;
    assert!(matches!(done.skipped[0].why, Skip::Changed { status: Status::Reversed, .. }));
    home.prove().await;
}

async fn the_api_asks_for_a_second_person_too(home: &Home) {
    let second = SecondPerson { hard: true, ..SecondPerson::default() };
    let store = home.store.clone().with_review_terms(needing(second));
    let id = hold(home, 1).await[0].reward_id;
    let review = |decision, person: &str| store.review(id, decision, by(person));
    assert_eq!(review(Review::Reject, "ann").await.expect("answered"), Reviewed::Waits);
    assert_eq!(review(Review::Reject, "bob").await.expect("answered"), Reviewed::Done);
    assert_eq!(
        review(Review::Release, "ann").await.expect("answered"),
        Reviewed::Waits,
        "overturning it, too"
    );
    assert_eq!(home.reward("T0").await.status, "rejected");
    assert_eq!(review(Review::Release, "cid").await.expect("answered"), Reviewed::Done);
    assert_eq!(home.reward("T0").await.status, "credited");
    home.prove().await;
}
