//! One click that decides on many: each reward once, in the state in which it was seen, by as many people as it needs.

use std::sync::Arc;

use domain::access::Role;
use domain::money::Micros;
use domain::review::decision::Review;
use domain::review::queue::{AutoRelease, ReviewTerms, SecondPerson};
use domain::reward::{Status, Step};
use domain::time::TimestampMs;
use store::Store;
use store::access::audit::AuditFilter;
use store::access::staff::NewPerson;
use store::access::tokens::NewToken;
use store::review::decisions::{ACTOR_POLICY, BulkDecision, BulkDecisionResult, Skip, Wanted};
use store::review::decisions::{Reviewed, Reviewer};
use store::review::holds::HoldFilter;

use crate::support::database::Home;
use crate::support::postbacks::{NOW, PAYOUT, RECEIVED_AT, TODAY, credit, reversal, suspicious};
use crate::support::processing::grace_only;

contract! {
    both:
        one_click_decides_on_a_thousand_and_the_books_prove,
        what_was_decided_by_somebody_else_is_skipped_with_what_happened,
        a_page_that_is_out_of_date_never_overturns_a_reject,
        what_somebody_else_has_open_is_skipped,
        a_reward_named_twice_is_decided_once,
        an_undo_takes_the_whole_click_back_and_only_for_who_clicked,
        an_undo_after_the_grace_takes_nothing_back,
        the_newest_decision_that_still_stands_is_the_next_to_be_undone,
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
        the_api_asks_for_a_second_person_too,
        small_soft_holds_are_released_by_policy_and_nothing_else_is,
        every_click_stands_in_the_audit_and_an_opinion_does_not_say_which,
        eight_reviewers_of_one_queue_decide_every_reward_exactly_once;
}

fn by(person: &str) -> Reviewer {
    Reviewer { actor: person.into(), note: Some("why".into()), now: NOW, business_date: TODAY.into() }
}

async fn queue(home: &Home) -> Vec<Wanted> {
    let ids = home.store.hold_ids(&HoldFilter::default(), 10_000).await.expect("listed");
    ids.into_iter().map(|(reward_id, steps)| Wanted { reward_id, steps }).collect()
}

async fn decide(store: &Store, wanted: &[Wanted], decision: Review, person: &str) -> BulkDecisionResult {
    let decide = BulkDecision { wanted: wanted.to_vec(), decision, overturn: false, reviewer: by(person) };
    store.decide(decide).await.expect("decided")
}

async fn hold(home: &Home, count: usize) -> Vec<Wanted> {
    let calls: Vec<_> =
        (0..count).map(|number| suspicious(&format!("T{number}")).by(&format!("u{}", number % 97))).collect();
    home.process(&calls).await;
    queue(home).await
}

fn needing(second: SecondPerson) -> ReviewTerms {
    ReviewTerms { second, ..ReviewTerms::default() }
}

async fn one_click_decides_on_a_thousand_and_the_books_prove(home: &Home) {
    let wanted = hold(home, 1_000).await;
    let done = decide(&home.store, &wanted, Review::Release, "ann").await;
    assert_eq!((done.taken.len(), done.waiting.len(), done.skipped.len()), (1_000, 0, 0));
    assert_eq!(done.payout_micros, 1_000 * PAYOUT);
    assert_eq!(home.store.hold_count().await.expect("counted"), 0);
    let kept = home.store.decision(done.id.expect("kept")).await.expect("found").expect("there");
    assert_eq!((kept.person.as_str(), kept.decision.as_str(), kept.rewards), ("ann", "release", 1_000));
    home.prove().await;
}

async fn what_was_decided_by_somebody_else_is_skipped_with_what_happened(home: &Home) {
    let seen = hold(home, 3).await;
    decide(&home.store, &seen[..1], Review::Reject, "bob").await;
    home.process(&[reversal("T1").by("u1")]).await;
    let done = decide(&home.store, &seen, Review::Reject, "ann").await;
    assert_eq!(done.taken, [seen[2].reward_id]);
    let why: Vec<_> = done.skipped.iter().map(|skipped| skipped.why.clone()).collect();
    let changed = |status, step, by: &str| Skip::Changed { status, step, by: by.into(), at: NOW };
    assert_eq!(
        why,
        [
            changed(Status::Rejected, Step::Reject, "bob"),
            changed(Status::Reversed, Step::ReverseHeld, "network")
        ]
    );
    let unknown = decide(&home.store, &[Wanted { reward_id: 999, steps: 1 }], Review::Reject, "ann").await;
    assert_eq!(unknown.skipped[0].why, Skip::NotFound);
    assert_eq!(unknown.id, None);
    home.prove().await;
}

async fn a_page_that_is_out_of_date_never_overturns_a_reject(home: &Home) {
    let seen = hold(home, 1).await;
    decide(&home.store, &seen, Review::Reject, "bob").await;
    let now = [Wanted { steps: seen[0].steps + 1, ..seen[0] }];
    for wanted in [&seen[..], &now[..]] {
        let done = decide(&home.store, wanted, Review::Release, "ann").await;
        assert_eq!(done.taken, Vec::<i64>::new());
        assert_eq!(done.skipped.len(), 1);
    }
    assert_eq!(home.reward("T0").await.status, "rejected");
}

async fn what_somebody_else_has_open_is_skipped(home: &Home) {
    let seen = hold(home, 2).await;
    home.store.claim(seen[0].reward_id, "bob", NOW, 1_000).await.expect("claimed");
    home.store.claim(seen[1].reward_id, "ann", NOW, 1_000).await.expect("claimed");
    let done = decide(&home.store, &seen, Review::Release, "ann").await;
    assert_eq!(done.taken, [seen[1].reward_id]);
    assert_eq!(done.skipped[0].why, Skip::Claimed { person: "bob".into() });
    let answered =
        home.store.review(seen[0].reward_id, Review::Release, by("token")).await.expect("answered");
    assert_eq!(answered, Reviewed::Claimed("bob".into()));
}

async fn a_reward_named_twice_is_decided_once(home: &Home) {
    let seen = hold(home, 1).await;
    let done = decide(&home.store, &[seen[0], seen[0]], Review::Release, "ann").await;
    assert_eq!(done.taken.len(), 1);
    home.prove().await;
}

async fn an_undo_takes_the_whole_click_back_and_only_for_who_clicked(home: &Home) {
    let store = home.store.clone().notifying(grace_only());
    let seen = hold(home, 20).await;
    let done = decide(&store, &seen, Review::Release, "ann").await;
    let id = done.id.expect("kept");
    home.process(&[reversal("T3").by("u3")]).await;
    assert_eq!(store.undo_decision(id, by("bob")).await.expect("asked"), None, "not his");
    assert_eq!(store.undo_decision(id + 1, by("ann")).await.expect("asked"), None, "there is none");
    let undone = store.undo_decision(id, by("ann")).await.expect("undone").expect("hers");
    assert_eq!((undone.undone.len(), undone.too_late.len()), (19, 1));
    assert_eq!(home.store.hold_count().await.expect("counted"), 19);
    let again = store.undo_decision(id, by("ann")).await.expect("asked").expect("hers");
    assert_eq!((again.undone.len(), again.too_late.len()), (0, 20), "nothing twice");
    home.prove().await;
}

async fn the_newest_decision_that_still_stands_is_the_next_to_be_undone(home: &Home) {
    let store = home.store.clone().notifying(grace_only());
    let before = TimestampMs(NOW.0 - 1);
    let last = async |person: &str, since| {
        let row = store.last_decision(person, since).await.expect("looked up");
        row.map(|row| (row.id, row.first_reward_id))
    };
    let seen = hold(home, 4).await;
    assert_eq!(last("ann", before).await, None);
    let first = decide(&store, &seen[..1], Review::Release, "ann").await.id.expect("decided");
    let second = decide(&store, &seen[1..3], Review::Reject, "ann").await.id.expect("decided");
    decide(&store, &seen[3..], Review::Reject, "bob").await;
    assert_eq!(last("ann", before).await, Some((second, seen[1].reward_id)));
    assert_eq!(last("ann", NOW).await, None, "too long ago");
    let undo = async |id| store.undo_decision(id, by("ann")).await.expect("undone");
    assert!(undo(second).await.is_some());
    assert_eq!(last("ann", before).await, Some((first, seen[0].reward_id)));
    assert!(undo(first).await.is_some());
    assert_eq!(last("ann", before).await, None);
    home.prove().await;
}

async fn an_undo_after_the_grace_takes_nothing_back(home: &Home) {
    let store = home.store.clone().notifying(grace_only());
    let seen = hold(home, 1).await;
    let id = decide(&store, &seen, Review::Release, "ann").await.id.expect("kept");
    let late = Reviewer { now: TimestampMs(NOW.0 + grace_only().grace_ms), ..by("ann") };
    let undone = store.undo_decision(id, late).await.expect("asked").expect("hers");
    assert_eq!((undone.undone.len(), undone.too_late.len()), (0, 1));
    assert_eq!(home.reward("T0").await.status, "credited");
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
    // Whoever is new is no second person.
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
    // Whoever makes a person of the service's name has made the token theirs.
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

async fn small_soft_holds_are_released_by_policy_and_nothing_else_is(home: &Home) {
    let hour_ms = 3_600_000;
    let auto = AutoRelease { below: Micros(2 * PAYOUT), after_ms: hour_ms };
    let store = home
        .store
        .clone()
        .with_review_terms(ReviewTerms { auto_release: Some(auto), ..ReviewTerms::default() });
    // Held by a rule that is not hard: faster than the floor of its class.
    let soft = |tx_id: &str| {
        credit(tx_id).after(9).by(tx_id).received(RECEIVED_AT - 2 * hour_ms).with("offer_id", tx_id)
    };
    home.process(&[
        soft("small"),
        soft("large").with("payout", "2").with("reward", "1000"),
        soft("young").received(RECEIVED_AT),
        soft("open"),
        soft("doubted"),
        suspicious("hard").received(RECEIVED_AT - 2 * hour_ms).by("hard"),
    ])
    .await;
    for tx_id in ["small", "large", "young", "open", "doubted", "hard"] {
        assert_eq!(home.reward(tx_id).await.status, "held", "{tx_id}");
    }
    let id = |tx_id: &'static str| async move { home.reward(tx_id).await.id };
    store.claim(id("open").await, "ann", NOW, 1_000).await.expect("claimed");
    let doubting = home
        .store
        .clone()
        .with_review_terms(needing(SecondPerson { single: Some(Micros(1)), ..SecondPerson::default() }));
    let doubted = Wanted { reward_id: id("doubted").await, steps: 1 };
    decide(&doubting, &[doubted], Review::Reject, "ann").await;
    assert_eq!(store.auto_release(NOW, TODAY.into(), 100).await.expect("released"), 1);
    assert_eq!(store.auto_release(NOW, TODAY.into(), 100).await.expect("nothing"), 0);
    assert_eq!(home.reward("small").await.status, "credited");
    let steps = home.store.steps(id("small").await).await.expect("listed");
    let last = steps.last().expect("a step");
    assert_eq!(last.actor, ACTOR_POLICY);
    assert_eq!(
        last.note.as_deref(),
        Some("released by policy: a soft hold that pays less than $2 and waited 1 h")
    );
    assert_eq!(
        home.store.auto_release(NOW, TODAY.into(), 100).await.expect("off"),
        0,
        "without an amount nothing is"
    );
    home.prove().await;
}

async fn every_click_stands_in_the_audit_and_an_opinion_does_not_say_which(home: &Home) {
    let store = home.store.clone().notifying(grace_only());
    let seen = hold(home, 3).await;
    let id = decide(&store, &seen[..2], Review::Reject, "ann").await.id.expect("kept");
    store.undo_decision(id, by("ann")).await.expect("undone");
    let careful =
        store.clone().with_review_terms(needing(SecondPerson { hard: true, ..SecondPerson::default() }));
    decide(&careful, &seen[2..], Review::Reject, "bob").await;
    let lines = store.audit(&AuditFilter::default(), 10).await.expect("listed");
    let said: Vec<_> = lines
        .iter()
        .map(|line| (line.actor.as_str(), line.action.as_str(), line.subject.as_str(), line.detail.as_str()))
        .collect();
    let (one, undone) = (format!("reward {}", seen[2].reward_id), format!("decision {id}"));
    let detail = format!("decision {id}, $2. why");
    assert_eq!(
        said,
        [
            ("bob", "opinion_given", one.as_str(), ""),
            ("ann", "undone", undone.as_str(), "2 of 2 rewards are held again"),
            ("ann", "rejected", "2 rewards", detail.as_str()),
        ]
    );
}

async fn eight_reviewers_of_one_queue_decide_every_reward_exactly_once(home: &Home) {
    let wanted = Arc::new(hold(home, 2_000).await);
    let reviewers = (0..8_usize).map(|number| {
        let (store, wanted) = (home.store.clone(), wanted.clone());
        tokio::spawn(async move {
            let decision = if number % 2 == 0 { Review::Release } else { Review::Reject };
            let mut taken = 0;
            // Each begins elsewhere and goes all the way round, so that they meet everywhere.
            for step in 0..20_usize {
                let from = (step + number * 5) % 20 * 100;
                let decide = BulkDecision {
                    wanted: wanted[from..from + 100].to_vec(),
                    decision,
                    overturn: false,
                    reviewer: by(&format!("p{number}")),
                };
                loop {
                    match store.decide(decide.clone()).await {
                        Ok(done) => {
                            taken += done.taken.len();
                            break;
                        }
                        Err(why) => assert!(why.is_transient(), "{why}"),
                    }
                }
            }
            taken
        })
    });
    let mut taken = 0;
    for reviewer in reviewers.collect::<Vec<_>>() {
        taken += reviewer.await.expect("it ends");
    }
    assert_eq!(taken, 2_000);
    assert_eq!(home.store.hold_count().await.expect("counted"), 0);
    home.prove().await;
}
