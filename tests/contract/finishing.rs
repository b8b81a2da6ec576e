//! Completing quarantined postbacks: what a person states is kept beside the raw bytes, signed, booked once, and
//! confirmed by a second person where required; worthless ones are set aside.

use domain::access::Role;
use domain::batch::outlook::Stake;
use domain::postback::event::Kind;
use domain::postback::stated::Stated;
use domain::time::TimestampMs;
use store::access::tokens::NewToken;
use store::operations::retention::PostbackTerms;
use store::postbacks::list::{OutcomeFilter, PostbackFilter, PostbackRow};
use store::postbacks::quarantine::{Acted, By};
use store::postbacks::replay::{QuarantineFilter, Replayed, Replayer};

use crate::support::database::Home;
use crate::support::postbacks::{Call, NOW, credit, reversal, suspicious, unmappable};
use crate::support::processing::{ALL, CREDITED, HELD, plain};

contract! {
    both:
        a_stated_value_is_booked_under_the_name_and_reason_of_the_person,
        what_the_rules_find_stays_in_front_of_what_a_person_stated,
        every_gap_can_be_stated_and_the_raw_bytes_stay,
        a_stated_reversal_takes_back,
        a_postback_is_stated_once_however_many_try_at_once,
        a_statement_and_a_replay_at_once_credit_once,
        what_is_not_quarantined_cannot_be_stated,
        a_stated_transaction_that_is_known_is_a_repeat_or_a_conflict,
        a_replay_after_a_statement_keeps_what_was_stated,
        what_needs_two_waits_for_another_person,
        a_service_is_neither_of_two_who_state_something,
        two_who_propose_the_same_agree_and_otherwise_the_last_one_waits,
        a_declined_proposal_leaves_the_postback_where_it_was,
        two_who_agree_at_once_credit_once,
        a_postback_that_is_set_aside_needs_nobody_until_it_is_taken_up,
        reports_count_set_aside_as_quarantined_and_stated_ties_out,
        acts_stay_when_their_postback_leaves,
        acts_never_change_and_each_has_its_line_in_the_audit;
}

fn by(actor: &str) -> By {
    By { actor: actor.into(), reason: format!("{actor} has it in writing"), now: NOW }
}

fn reward(amount: &str) -> Stated {
    Stated { reward: Some(amount.into()), ..Stated::default() }
}

fn transaction(tx_id: &str) -> Stated {
    Stated { tx_id: Some(tx_id.into()), ..Stated::default() }
}

async fn quarantined(home: &Home) -> Vec<i64> {
    home.store.quarantined(&QuarantineFilter::default(), 0).await.expect("they are listed")
}

/// Processes `call`, which is quarantined; its id.
async fn put_aside(home: &Home, call: Call) -> i64 {
    home.process(&[call]).await;
    *quarantined(home).await.last().expect("it is quarantined")
}

async fn state(home: &Home, id: i64, stated: Stated, actor: &str) -> Acted {
    home.store.state(id, stated, false, Stake::default(), by(actor)).await.expect("an answer")
}

async fn postback(home: &Home, id: i64) -> PostbackRow {
    home.store.postback(id).await.expect("it is read").expect("it is there")
}

async fn acts(home: &Home, id: i64) -> Vec<String> {
    let acts = home.store.quarantine_acts(&[id]).await.expect("they are read");
    acts.iter().map(|act| format!("{} {}", act.actor, act.act)).collect()
}

async fn a_stated_value_is_booked_under_the_name_and_reason_of_the_person(home: &Home) {
    let id = put_aside(home, credit("T1").with("reward", "1,234.50")).await;
    assert_eq!(state(home, id, reward("1234.50"), "mara").await, Acted::Stated);
    home.process_waiting(ALL).await;
    let row = home.reward("T1").await;
    assert_eq!((row.status.as_str(), row.reward_micros), ("credited", Some(1_234_500_000)));
    let steps = home.store.steps(row.id).await.expect("steps");
    assert_eq!(steps[0].actor, "mara");
    assert_eq!(steps[0].note.as_deref(), Some("Stated: reward 1234.50. mara has it in writing"));
    assert!(postback(home, id).await.target.contains("reward=1,234.50"), "the raw bytes stay");
    assert_eq!(acts(home, id).await, ["mara stated"]);
    home.prove().await;
}

async fn what_the_rules_find_stays_in_front_of_what_a_person_stated(home: &Home) {
    let id = put_aside(home, suspicious("T1").with("reward", "x")).await;
    state(home, id, reward("500"), "mara").await;
    home.process_waiting(ALL).await;
    assert_eq!(plain(&home.balances("targo").await), HELD);
    let steps = home.store.steps(home.reward("T1").await.id).await.expect("steps");
    let note = steps[0].note.as_deref().unwrap_or_default();
    assert_eq!((steps[0].step.as_str(), steps[0].actor.as_str()), ("hold", "mara"));
    assert!(
        !note.starts_with("Stated") && note.ends_with("Stated: reward 500. mara has it in writing"),
        "{note}"
    );
    home.prove().await;
}

async fn every_gap_can_be_stated_and_the_raw_bytes_stay(home: &Home) {
    for (tx, call, stated) in [
        ("T1", unmappable(), transaction("T1")),
        ("T2", credit("T2").without("user_id"), Stated { user_id: Some("u1".into()), ..Stated::default() }),
        (
            "T3",
            credit("T3").with("status", "approved"),
            Stated { status: Some(Kind::Credit), ..Stated::default() },
        ),
        ("T4", credit("T4").with("reward", "500%20coins"), reward("500")),
    ] {
        let target = call.target();
        let id = put_aside(home, call).await;
        state(home, id, stated, "mara").await;
        home.process_waiting(ALL).await;
        let row = home.reward(tx).await;
        let money = (row.reward_micros, row.payout_micros);
        assert_eq!((row.status.as_str(), row.user_id.as_str()), ("credited", "u1"), "{tx}");
        assert_eq!(money, (Some(500_000_000), Some(1_000_000)), "{tx}");
        assert_eq!(postback(home, id).await.target, target);
    }
    home.prove().await;
}

async fn a_stated_reversal_takes_back(home: &Home) {
    home.process(&[credit("T1")]).await;
    let id = put_aside(home, reversal("T1").with("status", "reversed")).await;
    let reversed = Stated { status: Some(Kind::Reversal), ..Stated::default() };
    state(home, id, reversed, "mara").await;
    home.process_waiting(ALL).await;
    let row = home.reward("T1").await;
    assert_eq!(row.status, "reversed");
    let steps = home.store.steps(row.id).await.expect("steps");
    assert_eq!((steps[0].actor.as_str(), steps[1].actor.as_str()), ("rules", "mara"));
    assert_eq!(plain(&home.balances("targo").await), []);
    home.prove().await;
}

async fn a_postback_is_stated_once_however_many_try_at_once(home: &Home) {
    let id = put_aside(home, unmappable()).await;
    let mut tries = Vec::new();
    for number in 0..6 {
        let store = home.another_process().await;
        let stated = transaction(&format!("T{number}"));
        tries.push(tokio::spawn(async move {
            store.state(id, stated, false, Stake::default(), by("mara")).await
        }));
    }
    let mut held = 0;
    for attempt in tries {
        match attempt.await.expect("it ends").expect("an answer") {
            Acted::Stated => held += 1,
            Acted::Elsewhere(outcome) => assert_eq!(outcome, "received"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(held, 1);
    assert_eq!(home.process_waiting(ALL).await.postbacks.len(), 1);
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
    assert_eq!(acts(home, id).await.len(), 1);
    home.prove().await;
}

async fn a_statement_and_a_replay_at_once_credit_once(home: &Home) {
    let id = put_aside(home, credit("T1").with("reward", "x")).await;
    let replay = {
        let store = home.another_process().await;
        tokio::spawn(async move { store.replay(id, Replayer { actor: "joe".into(), now: NOW }).await })
    };
    let stated = state(home, id, reward("500"), "mara").await;
    let replayed = replay.await.expect("it ends").expect("an answer");
    // The first one won; the other changed nothing.
    assert_eq!(stated == Acted::Stated, replayed == Replayed::NotQuarantined, "{stated:?} {replayed:?}");
    home.process_waiting(ALL).await;
    if stated != Acted::Stated {
        assert_eq!(state(home, id, reward("500"), "mara").await, Acted::Stated, "quarantined once more");
        home.process_waiting(ALL).await;
    }
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
    home.prove().await;
}

async fn what_is_not_quarantined_cannot_be_stated(home: &Home) {
    home.process(&[credit("T1"), credit("T1")]).await;
    home.record(&[credit("T2")]).await;
    let rows = home.store.postbacks(&PostbackFilter::default(), ALL).await.expect("they are listed");
    for row in rows {
        assert_eq!(state(home, row.id, reward("9"), "mara").await, Acted::Elsewhere(row.outcome));
        let aside = home.store.set_aside(row.id, by("mara")).await.expect("an answer");
        assert!(matches!(aside, Acted::Elsewhere(_)), "{aside:?}");
    }
    assert_eq!(state(home, 4_711, reward("9"), "mara").await, Acted::NotFound);
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM quarantine_acts").await, 0);
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM audit").await, 0);
}

async fn a_stated_transaction_that_is_known_is_a_repeat_or_a_conflict(home: &Home) {
    home.process(&[credit("T1")]).await;
    let same = put_aside(home, unmappable()).await;
    state(home, same, transaction("T1"), "mara").await;
    home.process_waiting(ALL).await;
    assert_eq!(postback(home, same).await.outcome, "repeat");
    let other = put_aside(home, unmappable().by("u2")).await;
    state(home, other, transaction("T1"), "mara").await;
    home.process_waiting(ALL).await;
    let row = postback(home, other).await;
    assert_eq!(row.reason.as_deref(), Some("conflict: user u2 instead of u1"));
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
    home.prove().await;
}

async fn a_replay_after_a_statement_keeps_what_was_stated(home: &Home) {
    // From a source that is not in the settings: stated, and quarantined again.
    let id = put_aside(home, unmappable().of_source("nobody")).await;
    state(home, id, transaction("T1"), "mara").await;
    home.process_waiting(ALL).await;
    assert_eq!(quarantined(home).await, [id]);
    home.raw().await.execute("UPDATE postbacks SET source = 'targo'").await;
    let replayed = home.store.replay(id, Replayer { actor: "joe".into(), now: NOW }).await;
    assert_eq!(replayed.expect("an answer"), Replayed::Done);
    home.process_waiting(ALL).await;
    let steps = home.store.steps(home.reward("T1").await.id).await.expect("steps");
    assert_eq!(steps[0].actor, "mara");
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
}

async fn propose(home: &Home, id: i64, stated: Stated, actor: &str) -> Acted {
    home.store.state(id, stated, true, Stake::default(), by(actor)).await.expect("an answer")
}

async fn proposed(home: &Home, id: i64, stated: Stated, actor: &str) -> i64 {
    match propose(home, id, stated, actor).await {
        Acted::Proposed(proposal) => proposal,
        other => panic!("{other:?}"),
    }
}

async fn waiting(home: &Home) -> i64 {
    home.store.proposals_waiting().await.expect("they are counted")
}

async fn what_needs_two_waits_for_another_person(home: &Home) {
    let id = put_aside(home, credit("T1").with("reward", "x")).await;
    let proposal = proposed(home, id, reward("500"), "mara").await;
    assert_eq!((quarantined(home).await, waiting(home).await), (vec![id], 1));
    let own = home.store.confirm_stated(id, proposal, by("mara")).await.expect("an answer");
    assert_eq!(own, Acted::OwnProposal);
    let other = home.store.confirm_stated(id, proposal + 1, by("joe")).await.expect("an answer");
    assert_eq!(other, Acted::NoProposal);
    assert!(home.first_waiting(ALL).await.is_empty(), "nothing has moved");
    let agreed = home.store.confirm_stated(id, proposal, by("joe")).await.expect("an answer");
    assert_eq!((agreed, waiting(home).await), (Acted::Confirmed, 0));
    home.process_waiting(ALL).await;
    let steps = home.store.steps(home.reward("T1").await.id).await.expect("steps");
    assert_eq!(steps[0].actor, "mara, joe");
    let note = "Stated: reward 500. mara has it in writing / joe has it in writing";
    assert_eq!(steps[0].note.as_deref(), Some(note));
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
    home.prove().await;
}

async fn a_service_is_neither_of_two_who_state_something(home: &Home) {
    let bot = NewToken { name: "bot".into(), owner: None, role: Role::Risk, expires_at: None };
    let added = home.store.add_token(bot, "hash".into(), "admin".into(), NOW).await.expect("an answer");
    assert!(added);
    let id = put_aside(home, credit("T1").with("reward", "x")).await;
    let proposal = proposed(home, id, reward("500"), "mara").await;
    let agreed = home.store.confirm_stated(id, proposal, by("bot")).await.expect("an answer");
    assert_eq!(agreed, Acted::NotAPerson);
    let same =
        home.store.state(id, reward("500"), true, Stake::default(), by("bot")).await.expect("an answer");
    assert!(matches!(same, Acted::Proposed(_)), "{same:?}");
    let same =
        home.store.state(id, reward("500"), true, Stake::default(), by("mara")).await.expect("an answer");
    assert!(matches!(same, Acted::Proposed(_)), "{same:?}");
    assert!(home.first_waiting(ALL).await.is_empty(), "nothing has moved");
}

async fn two_who_propose_the_same_agree_and_otherwise_the_last_one_waits(home: &Home) {
    let id = put_aside(home, credit("T1").with("reward", "x")).await;
    let first = proposed(home, id, reward("400"), "mara").await;
    let second = proposed(home, id, reward("500"), "joe").await;
    let stale = home.store.confirm_stated(id, first, by("cid")).await.expect("an answer");
    assert_eq!((stale, waiting(home).await), (Acted::NoProposal, 1));
    // Nobody is their own second, however often they say it.
    assert!(
        matches!(propose(home, id, reward("500"), "joe").await, Acted::Proposed(again) if again > second)
    );
    assert_eq!(propose(home, id, reward("500"), "mara").await, Acted::Confirmed);
    home.process_waiting(ALL).await;
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
}

async fn a_declined_proposal_leaves_the_postback_where_it_was(home: &Home) {
    let id = put_aside(home, credit("T1").with("reward", "x")).await;
    let proposal = proposed(home, id, reward("500"), "mara").await;
    let declined = home.store.decline_stated(id, proposal, by("joe")).await.expect("an answer");
    assert_eq!((declined, waiting(home).await, quarantined(home).await), (Acted::Declined, 0, vec![id]));
    let late = home.store.confirm_stated(id, proposal, by("cid")).await.expect("an answer");
    assert_eq!(late, Acted::NoProposal);
    // The person who proposed withdraws it in the same way.
    let proposal = proposed(home, id, reward("500"), "mara").await;
    let back = home.store.decline_stated(id, proposal, by("mara")).await.expect("an answer");
    assert_eq!((back, waiting(home).await), (Acted::Declined, 0));
    assert_eq!(acts(home, id).await, ["mara proposed", "joe declined", "mara proposed", "mara declined"]);
}

async fn two_who_agree_at_once_credit_once(home: &Home) {
    let id = put_aside(home, credit("T1").with("reward", "x")).await;
    let proposal = proposed(home, id, reward("500"), "mara").await;
    let mut tries = Vec::new();
    for name in ["joe", "cid", "eve"] {
        let store = home.another_process().await;
        tries.push(tokio::spawn(async move { store.confirm_stated(id, proposal, by(name)).await }));
    }
    let mut agreed = 0;
    for attempt in tries {
        agreed += usize::from(attempt.await.expect("it ends").expect("an answer") == Acted::Confirmed);
    }
    assert_eq!(agreed, 1);
    home.process_waiting(ALL).await;
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
}

async fn a_postback_that_is_set_aside_needs_nobody_until_it_is_taken_up(home: &Home) {
    let id = put_aside(home, credit("T1").with("reward", "x")).await;
    proposed(home, id, reward("500"), "mara").await;
    let moved = |acted: store::Result<Acted>| assert_eq!(acted.expect("an answer"), Acted::Moved);
    moved(home.store.set_aside(id, by("joe")).await);
    assert_eq!((quarantined(home).await, waiting(home).await), (vec![], 0));
    let filter = PostbackFilter { outcome: Some(OutcomeFilter::SetAside), ..PostbackFilter::default() };
    let rows = home.store.postbacks(&filter, ALL).await.expect("they are listed");
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
    // Neither a replay nor a statement touches it.
    let everything = home.store.replay_quarantined(vec![id], Replayer { actor: "x".into(), now: NOW }).await;
    assert_eq!(everything.expect("an answer"), 0);
    assert_eq!(state(home, id, reward("500"), "mara").await, Acted::Elsewhere("set_aside".into()));
    let again = home.store.set_aside(id, by("joe")).await.expect("an answer");
    assert_eq!(again, Acted::Elsewhere("set_aside".into()));
    moved(home.store.take_up(id, by("joe")).await);
    assert_eq!((quarantined(home).await, waiting(home).await), (vec![id], 0));
    assert!(postback(home, id).await.reason.is_some(), "why it is quarantined is known still");
    state(home, id, reward("500"), "mara").await;
    home.process_waiting(ALL).await;
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
}

async fn reports_count_set_aside_as_quarantined_and_stated_ties_out(home: &Home) {
    let aside = put_aside(home, unmappable()).await;
    home.store.set_aside(aside, by("mara")).await.expect("an answer");
    let stated = put_aside(home, credit("T1").with("reward", "x")).await;
    state(home, stated, reward("500"), "mara").await;
    home.process_waiting(ALL).await;
    let report = crate::reports::report(home, crate::support::postbacks::TODAY).await;
    assert!(report.ties_out, "{:#?}", report.faults);
    let counts = &report.postbacks[0];
    assert_eq!((counts.acknowledged, counts.quarantined, counts.credits, counts.unexplained), (2, 1, 1, 0));
}

async fn acts_stay_when_their_postback_leaves(home: &Home) {
    let stated = put_aside(home, credit("T1").with("reward", "x")).await;
    state(home, stated, reward("500"), "mara").await;
    home.process_waiting(ALL).await;
    let aside = put_aside(home, unmappable()).await;
    home.store.set_aside(aside, by("mara")).await.expect("an answer");
    let later = TimestampMs(NOW.0 + 1);
    let terms = PostbackTerms { processed_before: Some(later), quarantined_before: Some(later) };
    let purged = home.store.purge_postbacks(terms, 0).await.expect("it is purged");
    assert_eq!((purged.rows, home.store.postback(aside).await.expect("it is read")), (2, None));
    assert_eq!(acts(home, stated).await, ["mara stated"]);
    assert_eq!(acts(home, aside).await, ["mara set_aside"]);
    assert_eq!(home.store.steps(home.reward("T1").await.id).await.expect("steps")[0].actor, "mara");
    home.prove().await;
}

async fn acts_never_change_and_each_has_its_line_in_the_audit(home: &Home) {
    let id = put_aside(home, credit("T1").with("reward", "x")).await;
    let proposal = proposed(home, id, reward("500"), "mara").await;
    home.store.decline_stated(id, proposal, by("joe")).await.expect("an answer");
    home.store.set_aside(id, by("joe")).await.expect("an answer");
    home.store.take_up(id, by("joe")).await.expect("an answer");
    state(home, id, reward("500"), "mara").await;
    let lines = home.raw().await.texts("SELECT actor || ' ' || action FROM audit ORDER BY id").await;
    let expected = [
        "mara postback_proposed",
        "joe postback_declined",
        "joe postback_set_aside",
        "joe postback_taken_up",
        "mara postback_stated",
    ];
    assert_eq!(lines, expected);
    for sql in ["UPDATE quarantine_acts SET reward = '9'", "DELETE FROM quarantine_acts"] {
        assert!(home.raw().await.attempt(sql).await.is_err(), "{sql}");
    }
}
