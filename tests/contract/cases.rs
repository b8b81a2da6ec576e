//! Reversals that need a person: what is shown of each, and the one decision on it.

use domain::review::decision::Review;
use domain::review::reversal::{Ending, NotPossible, Resolution, Situation};
use domain::time::TimestampMs;
use store::postbacks::inbox::Claim;
use store::review::cases::{CaseFilter, CaseRow, Resolve, Resolved};
use store::review::decisions::{Reviewed, Reviewer, Undone};

use crate::deliveries::{later, lines, notifying, summary, take};
use crate::statements::{HEADER, counts, import, of, totals};
use crate::support::database::Home;
use crate::support::postbacks::{
    Call, NOW, RETRY_HORIZON_MS, credit, processed, processor, reversal, suspicious,
};
use crate::support::processing::{CREDITED, HELD, ann, grace_only, plain};

contract! {
    both:
        a_part_of_a_credit_is_taken_back_and_the_rest_stands,
        a_part_of_a_hold_is_taken_back_and_the_rest_can_be_released,
        a_part_of_what_was_rejected_takes_back_payout_only,
        all_can_be_taken_back_where_a_part_was_named,
        the_rest_goes_with_the_reversal_that_follows_a_part,
        a_reversal_of_all_ends_what_was_open_about_its_parts,
        somebody_elses_reversal_takes_back_after_a_person_said_so,
        an_orphan_is_a_case_when_the_retry_horizon_is_over,
        an_orphan_is_linked_to_the_credit_it_belongs_to,
        an_orphan_finds_its_likely_credits,
        a_case_is_decided_once_however_many_try,
        a_decision_on_a_case_needs_a_reward_that_fits,
        a_dismissed_case_moves_nothing_and_comes_again_after_the_horizon,
        what_is_approved_again_waits_in_the_queue_and_is_decided_like_a_hold,
        an_app_hears_of_a_part_as_a_part_and_of_the_rest_as_the_rest,
        a_fully_reversed_partial_credit_is_not_sent_to_the_app,
        a_statement_counts_a_part_and_what_was_approved_again,
        the_same_task_thirty_thousand_times_is_looked_up_twice;
}

/// After the retry horizon of postbacks received at the usual time.
const LATE: TimestampMs = TimestampMs(NOW.0 + RETRY_HORIZON_MS + 1);

fn part(tx_id: &str) -> Call {
    reversal(tx_id).with("reward", 200)
}

async fn open(home: &Home, now: TimestampMs) -> Vec<CaseRow> {
    home.store.cases(&CaseFilter::default(), now, 100).await.expect("cases are listed")
}

/// The only open case.
async fn the_case(home: &Home, now: TimestampMs) -> CaseRow {
    let mut open = open(home, now).await;
    assert_eq!(open.len(), 1, "{open:?}");
    open.remove(0)
}

fn decision(case: &CaseRow, resolution: Resolution, reward_id: Option<i64>) -> Resolve {
    Resolve { case_id: case.id, resolution, reward_id, reviewer: ann() }
}

async fn decide(home: &Home, case: &CaseRow, resolution: Resolution) -> Resolved {
    home.store.resolve_case(decision(case, resolution, None)).await.expect("an answer")
}

async fn done(home: &Home, case: &CaseRow, resolution: Resolution) {
    let resolved = decide(home, case, resolution).await;
    assert!(matches!(resolved, Resolved::Done { .. }), "{resolved:?}");
    home.prove().await;
}

async fn a_part_of_a_credit_is_taken_back_and_the_rest_stands(home: &Home) {
    home.process(&[credit("T1"), part("T1")]).await;
    assert_eq!(plain(&home.balances("targo").await), CREDITED, "nothing moves before a person decides");
    let case = the_case(home, NOW).await;
    assert_eq!((case.situation.as_str(), case.stake_reward_micros), ("part", 200_000_000));
    assert_eq!(case.stake_payout_micros, 400_000, "in proportion");
    done(home, &case, Resolution::Part).await;
    let balances = home.balances("targo").await;
    let left =
        [("earned", 600_000), ("granted", -300_000_000), ("network", -600_000), ("user u1", 300_000_000)];
    assert_eq!(plain(&balances), left);
    let reward = home.reward("T1").await;
    assert_eq!(reward.status, "credited");
    let steps = home.store.steps(reward.id).await.expect("steps");
    let last = steps.last().expect("a step");
    assert_eq!((last.step.as_str(), last.actor.as_str()), ("reverse_credited_part", "ann"));
    assert_eq!(last.postback_id, Some(case.postback_id), "the reversal is its evidence");
    assert_eq!(open(home, LATE).await, []);
}

async fn a_part_of_a_hold_is_taken_back_and_the_rest_can_be_released(home: &Home) {
    home.process(&[suspicious("T1"), part("T1")]).await;
    done(home, &the_case(home, NOW).await, Resolution::Part).await;
    let left = [("earned", 600_000), ("granted", -300_000_000), ("held", 300_000_000), ("network", -600_000)];
    assert_eq!(plain(&home.balances("targo").await), left);
    let totals =
        home.store.hold_totals(&store::review::holds::HoldFilter::default(), NOW).await.expect("totals");
    assert_eq!((totals.reward_micros, totals.payout_micros), (Some(300_000_000), 600_000));
    let id = home.reward("T1").await.id;
    assert_eq!(home.decide(id, Review::Release).await.expect("an answer"), Reviewed::Done);
    let left =
        [("earned", 600_000), ("granted", -300_000_000), ("network", -600_000), ("user u1", 300_000_000)];
    assert_eq!(plain(&home.balances("targo").await), left);
    let undone = home.store.clone().notifying(grace_only()).undo(id, ann()).await.expect("an answer");
    assert_eq!(undone, Undone::Done);
    home.prove().await;
}

async fn a_part_of_what_was_rejected_takes_back_payout_only(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    home.decide(home.reward("T1").await.id, Review::Reject).await.expect("an answer");
    home.process(&[part("T1")]).await;
    done(home, &the_case(home, NOW).await, Resolution::Part).await;
    assert_eq!(plain(&home.balances("targo").await), [("earned", 600_000), ("network", -600_000)]);
    // What is given after all is what is left.
    home.decide(home.reward("T1").await.id, Review::Release).await.expect("an answer");
    home.prove().await;
    let left =
        [("earned", 600_000), ("granted", -300_000_000), ("network", -600_000), ("user u1", 300_000_000)];
    assert_eq!(plain(&home.balances("targo").await), left);
}

async fn all_can_be_taken_back_where_a_part_was_named(home: &Home) {
    home.process(&[credit("T1"), part("T1"), part("T1").with("reward", 100)]).await;
    let cases = open(home, NOW).await;
    assert_eq!(cases.len(), 2);
    done(home, &cases[0], Resolution::All).await;
    assert_eq!(home.reward("T1").await.status, "reversed");
    assert_eq!(plain(&home.balances("targo").await), []);
    assert_eq!(open(home, NOW).await, [], "the other one has nothing left to be about");
}

async fn the_rest_goes_with_the_reversal_that_follows_a_part(home: &Home) {
    home.process(&[credit("T1"), part("T1")]).await;
    done(home, &the_case(home, NOW).await, Resolution::Part).await;
    home.process(&[reversal("T1").with("reward", 300)]).await;
    assert_eq!(home.reward("T1").await.status, "reversed");
    assert_eq!(plain(&home.balances("targo").await), []);
    home.prove().await;
}

async fn a_reversal_of_all_ends_what_was_open_about_its_parts(home: &Home) {
    home.process(&[credit("T1"), part("T1")]).await;
    let case = the_case(home, NOW).await;
    home.process(&[reversal("T1")]).await;
    let ended = home.store.case(case.id).await.expect("an answer").expect("the case");
    assert_eq!(ended.ended(), Some(Ending::Reversed));
    let resolved = decide(home, &case, Resolution::Part).await;
    assert_eq!(resolved, Resolved::Ended { ending: Ending::Reversed, by: "network".into() });
    home.prove().await;
}

async fn somebody_elses_reversal_takes_back_after_a_person_said_so(home: &Home) {
    home.process(&[credit("T1"), reversal("T1").by("ann test@x"), reversal("T1").by("ann test@x")]).await;
    let case = the_case(home, NOW).await;
    assert_eq!((case.situation.as_str(), case.said_user_id.as_str()), ("other_user", "ann test@x"));
    assert_eq!(case.user_id, "u1");
    done(home, &case, Resolution::All).await;
    assert_eq!(plain(&home.balances("targo").await), []);
}

async fn an_orphan_is_a_case_when_the_retry_horizon_is_over(home: &Home) {
    home.process(&[reversal("T0-R"), reversal("T9-R")]).await;
    assert_eq!(open(home, NOW).await, [], "its credit may still come");
    assert_eq!(open(home, LATE).await.len(), 2);
    home.process(&[credit("T9-R")]).await;
    let case = the_case(home, LATE).await;
    assert_eq!((case.situation.as_str(), case.tx_id.as_str()), ("orphan", "T0-R"));
    let totals = home.store.open_cases(LATE).await.expect("totals");
    assert_eq!((totals[0].situation.as_str(), totals[0].cases), ("orphan", 1));
}

async fn an_orphan_is_linked_to_the_credit_it_belongs_to(home: &Home) {
    home.process(&[credit("T0"), reversal("T0-R")]).await;
    let case = the_case(home, LATE).await;
    let id = home.reward("T0").await.id;
    let resolved =
        home.store.resolve_case(decision(&case, Resolution::All, Some(id))).await.expect("an answer");
    assert!(
        matches!(resolved, Resolved::Done { reward_id: Some(reward), .. } if reward == id),
        "{resolved:?}"
    );
    assert_eq!(home.reward("T0").await.status, "reversed");
    assert_eq!(plain(&home.balances("targo").await), []);
    home.prove().await;
    let of_reward = home.store.cases_of_reward(id).await.expect("cases");
    assert_eq!(of_reward.len(), 1, "the reward tells by what it was taken back");
    // A credit that comes under the orphan's own transaction after all is looked at by a person.
    home.process(&[credit("T0-R")]).await;
    assert_eq!(home.reward("T0-R").await.status, "held");
    home.prove().await;
}

async fn an_orphan_finds_its_likely_credits(home: &Home) {
    let offer = |tx: &str| credit(tx).with("offer_id", tx);
    home.process(&[
        offer("A1").with("reward", 300),
        offer("A2"),
        offer("A3").by("u2"),
        credit("T0").by("u2"),
        credit("B1").by("u3"),
    ])
    .await;
    home.process(&[reversal("T0-R").with("reward", 300).with("offer_id", "A1")]).await;
    let case = the_case(home, LATE).await;
    let partners = home.store.partners(&case).await.expect("partners");
    let found: Vec<_> =
        partners.iter().map(|row| (row.tx_id.as_str(), row.same_offer, row.same_amount)).collect();
    assert_eq!(found, [("T0", 0, 0), ("A1", 1, 1), ("A2", 0, 0)]);
}

async fn a_case_is_decided_once_however_many_try(home: &Home) {
    home.process(&[credit("T1"), part("T1")]).await;
    let case = the_case(home, NOW).await;
    let tries: Vec<_> = (0..6)
        .map(|n| {
            let store = home.store.clone();
            let reviewer = Reviewer { actor: format!("person {n}").into(), ..ann() };
            let resolution = if n % 2 == 0 { Resolution::Part } else { Resolution::All };
            let resolve = Resolve { case_id: case.id, resolution, reward_id: None, reviewer };
            tokio::spawn(async move { store.resolve_case(resolve).await })
        })
        .collect();
    let mut decided = 0;
    for one in tries {
        match one.await.expect("it ends") {
            Ok(Resolved::Done { .. }) => decided += 1,
            Ok(Resolved::Ended { .. }) | Err(store::Error::Contended(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(decided, 1);
    home.prove().await;
}

async fn a_decision_on_a_case_needs_a_reward_that_fits(home: &Home) {
    home.process(&[credit("T0"), reversal("T0-R"), credit("X").of_source("gems"), reversal("T8")]).await;
    let cases = open(home, LATE).await;
    let gems = home.store.rewards(&store::rewards::list::RewardFilter::default(), 10).await.expect("rewards");
    let gems = gems.iter().find(|row| row.source == "gems").expect("it is there").id;
    let other_orphan = cases[1].reward_id;
    for reward_id in [None, Some(gems), Some(other_orphan), Some(999_999)] {
        let resolve = decision(&cases[0], Resolution::All, reward_id);
        let resolved = home.store.resolve_case(resolve).await.expect("an answer");
        assert!(matches!(resolved, Resolved::BadReward(_)), "{reward_id:?}: {resolved:?}");
    }
    let id = home.reward("T0").await.id;
    let resolve = decision(&cases[0], Resolution::Part, Some(id));
    let resolved = home.store.resolve_case(resolve).await.expect("an answer");
    assert_eq!(resolved, Resolved::NotPossible(NotPossible::NoPart));
    let nothing = Resolve { case_id: 999_999, ..decision(&cases[0], Resolution::Dismiss, None) };
    assert_eq!(home.store.resolve_case(nothing).await.expect("an answer"), Resolved::NotFound);
    assert_eq!(open(home, LATE).await.len(), 2, "nothing was changed");
}

async fn a_dismissed_case_moves_nothing_and_comes_again_after_the_horizon(home: &Home) {
    home.process(&[credit("T1"), part("T1")]).await;
    done(home, &the_case(home, NOW).await, Resolution::Dismiss).await;
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
    let outcomes = home.process(&[part("T1")]).await;
    assert_eq!(outcomes, [("repeat", None)], "the network repeats itself");
    home.process(&[part("T1").received(LATE.0)]).await;
    assert_eq!(the_case(home, LATE).await.situation, Situation::Part.name());
}

async fn what_is_approved_again_waits_in_the_queue_and_is_decided_like_a_hold(home: &Home) {
    home.process(&[credit("T1"), reversal("T1")]).await;
    assert_eq!(home.process(&[credit("T1")]).await, [("repeat", None)], "a retry");
    home.process(&[credit("T1").received(LATE.0)]).await;
    assert_eq!(home.reward("T1").await.status, "held");
    assert_eq!(plain(&home.balances("targo").await), HELD);
    let filter = store::review::holds::HoldFilter { rule: Some("C2".into()), ..Default::default() };
    let totals = home.store.hold_totals(&filter, LATE).await.expect("totals");
    assert_eq!((totals.rewards, totals.reward_micros), (1, Some(500_000_000)));
    let id = home.reward("T1").await.id;
    assert_eq!(home.decide(id, Review::Release).await.expect("an answer"), Reviewed::Done);
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
    let undone = home.store.clone().notifying(grace_only()).undo(id, ann()).await.expect("an answer");
    assert_eq!(undone, Undone::Done);
    let totals = home.store.hold_totals(&filter, LATE).await.expect("totals");
    assert_eq!(totals.rewards, 1, "an undo brings it back for the same reason");
    home.prove().await;
}

async fn an_app_hears_of_a_part_as_a_part_and_of_the_rest_as_the_rest(home: &Home) {
    let store = notifying(home);
    home.record(&[credit("T1"), part("T1")]).await;
    processed(&store, Claim::First(100), processor(), NOW).await.expect("they are settled");
    let case = the_case(home, NOW).await;
    let resolved = store.resolve_case(decision(&case, Resolution::Part, None)).await.expect("an answer");
    assert!(matches!(resolved, Resolved::Done { .. }), "{resolved:?}");
    let credited = take(&store, later(20_000)).await;
    assert_eq!((summary(&credited), credited[0].message.reward.0), (vec!["T1 credited".into()], 500_000_000));
    let ended = credited.iter().map(crate::deliveries::delivered).collect();
    let taken = crate::deliveries::complete_and_lease(&store, ended, "main", later(20_000)).await;
    assert_eq!((summary(&taken), taken[0].message.reward.0), (vec!["T1 reversed".into()], 200_000_000));
    assert_eq!(taken[0].message.payout.map(|payout| payout.0), Some(400_000));
    home.record(&[reversal("T1")]).await;
    processed(&store, Claim::First(100), processor(), NOW).await.expect("they are settled");
    let ended = taken.iter().map(crate::deliveries::delivered).collect();
    let rest = crate::deliveries::complete_and_lease(&store, ended, "main", later(20_000)).await;
    assert_eq!((summary(&rest), rest[0].message.reward.0), (vec!["T1 reversed".into()], 300_000_000));
}

async fn a_fully_reversed_partial_credit_is_not_sent_to_the_app(home: &Home) {
    let store = notifying(home);
    home.record(&[credit("T1"), part("T1")]).await;
    processed(&store, Claim::First(100), processor(), NOW).await.expect("they are settled");
    let case = the_case(home, NOW).await;
    store.resolve_case(decision(&case, Resolution::Part, None)).await.expect("an answer");
    home.record(&[reversal("T1")]).await;
    processed(&store, Claim::First(100), processor(), NOW).await.expect("they are settled");
    assert_eq!(
        lines(home, "T1").await,
        ["credited withdrawn", "reversed withdrawn", "reversed withdrawn"],
        "all of it ended before any of it left"
    );
}

/// The network lists the part that it took back of `T0`, leaves that of `T1` out, and lists `T2` as it stands again.
async fn a_statement_counts_a_part_and_what_was_approved_again(home: &Home) {
    let call = |n: usize| credit(&format!("T{n}")).by(&format!("u{n}")).with("offer_id", format!("o{n}"));
    let taken = |n: usize| part(&format!("T{n}")).by(&format!("u{n}"));
    home.process(&[call(0), call(1), call(2), taken(0), taken(1), reversal("T2").by("u2")]).await;
    for case in open(home, NOW).await {
        done(home, &case, Resolution::Part).await;
    }
    home.process(&[call(2).received(LATE.0)]).await;
    let lines =
        [of(0, "approved", "1"), of(1, "approved", "1"), of(2, "approved", "1"), of(0, "reversed", "0.4")];
    let id = import(home, "november.csv", &(HEADER.to_owned() + &lines.concat())).await;
    assert_eq!(counts(home, id).await, [("matched", 4), ("status_differs", 1)]);
    let totals = totals(home, id).await;
    assert_eq!((totals.theirs.0, totals.ours.0), (2_600_000, 2_200_000));
}

/// Checks what is read, not how long it takes: two keys of each task, however large the table.
async fn the_same_task_thirty_thousand_times_is_looked_up_twice(home: &Home) {
    let task = |n: usize| credit(&format!("T{n}")).with("offer_id", "o1").with("event_id", "e1");
    let first: Vec<_> = (0..200).map(task).collect();
    home.process(&first).await;
    home.record(&[task(1_000), task(1_001)]).await;
    let settlement = home.process_waiting(100).await;
    for settled in &settlement.rewards {
        let verdict = &settled.verdict.as_ref().expect("it is judged").verdict;
        let v3 = verdict.signals.iter().find(|signal| signal.code == "V3").expect("it is there");
        assert!(v3.fired, "{v3:?}");
        assert_eq!(v3.value.as_deref(), Some("1"), "a count stops at what the rule asks for");
    }
    let held =
        home.store.hold_totals(&store::review::holds::HoldFilter::default(), NOW).await.expect("totals");
    assert_eq!(held.rewards, 201, "all but the first");
}
