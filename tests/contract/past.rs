//! Calls of the past: each has one effect however often it is given, nobody else ever finds it waiting, and what the rules
//! hold is settled.

use domain::actor::{Actor, COMMAND_LINE, Via};
use domain::money::Micros;
use jobs::postbacks::past::{Past, Purpose};
use store::ledger::opening::{Opened, Opening, OpeningBalance};

use crate::support::database::Home;
use crate::support::postbacks::{
    Call, NOW, PAYOUT, REWARD, SOURCE, TODAY, credit, processor, reversal, suspicious, unmappable,
};
use crate::support::processing::{ALL, CREDITED, HELD, plain};

contract! {
    both:
        past_calls_have_the_effect_of_live_ones,
        settled_history_is_credited_whatever_the_rules_say,
        a_call_is_imported_once,
        an_opening_balance_is_booked_once,
        rewards_are_read_in_pages_with_their_verdicts;
}

/// Takes `calls`, each with an id of its own; returns how many were new.
async fn take(home: &Home, calls: &[Call], purpose: Purpose) -> usize {
    let mut past = Past::new(home.store.clone(), processor(), purpose);
    let mut batches = Vec::new();
    for (call, number) in calls.iter().zip(0..) {
        let mut postback = call.postback();
        postback.request_id = format!("call-{number}");
        batches.extend(past.take(postback).await.expect("it is taken").batches);
    }
    let last = past.flush().await.expect("they are processed");
    assert_eq!(last.unsaved.len(), 0);
    batches.extend(last.batches);
    batches.iter().map(|batch| batch.postbacks.len()).sum()
}

async fn past_calls_have_the_effect_of_live_ones(home: &Home) {
    let calls = [suspicious("T1"), credit("T2"), credit("T2"), reversal("T2"), unmappable()];
    assert_eq!(take(home, &calls, Purpose::Assess).await, 5);
    assert_eq!(home.first_waiting(ALL).await, [0_i64; 0], "nothing waits for a worker");
    assert_eq!(home.reward("T1").await.status, "held");
    let two = home.reward("T2").await;
    assert_eq!((two.status.as_str(), two.repeats), ("reversed", 1));
    assert_eq!(plain(&home.balances(SOURCE).await)[2], HELD[2]);
    let sql = "SELECT COUNT(*) FROM postbacks WHERE outcome = 'quarantined'";
    assert_eq!(home.raw().await.number(sql).await, 1);
    home.prove().await;
}

async fn settled_history_is_credited_whatever_the_rules_say(home: &Home) {
    // One that waits for a person in earnest is not touched.
    home.process(&[suspicious("T0").by("u0")]).await;
    take(home, &[suspicious("T1")], Purpose::Settle).await;
    let one = home.reward("T1").await;
    assert_eq!((one.status.as_str(), one.decision.as_deref()), ("credited", Some("hold")));
    assert_eq!(home.reward("T0").await.status, "held");
    let steps = home.store.steps(one.id).await.expect("its steps");
    let steps: Vec<_> = steps.iter().map(|step| (step.step.as_str(), step.actor.as_str())).collect();
    assert_eq!(steps, [("hold", "rules"), ("release", "import")]);
    let user = home.balances(SOURCE).await.into_iter().find(|(name, _)| name == "user u1");
    assert_eq!(user, Some(("user u1".to_owned(), REWARD)));
    home.prove().await;
}

async fn a_call_is_imported_once(home: &Home) {
    let calls = [credit("T1"), credit("T1")];
    assert_eq!(take(home, &calls[..1], Purpose::Settle).await, 1);
    assert_eq!(take(home, &calls, Purpose::Settle).await, 1, "the rest of an import that was interrupted");
    assert_eq!(take(home, &calls, Purpose::Settle).await, 0);
    let one = home.reward("T1").await;
    assert_eq!((one.repeats, home.raw().await.number("SELECT COUNT(*) FROM postbacks").await), (1, 2));
    assert_eq!(plain(&home.balances(SOURCE).await), CREDITED);
    home.prove().await;
}

async fn an_opening_balance_is_booked_once(home: &Home) {
    let balance = |user_id: &str, micros: i64| OpeningBalance {
        app: "main".into(),
        user_id: user_id.into(),
        currency: "coins".into(),
        balance: Micros(micros),
    };
    let open = async |balances: Vec<OpeningBalance>| {
        let actor = Actor::new(COMMAND_LINE, Via::Command("root".into()), None);
        let opening = Opening { balances, actor, business_date: TODAY.into(), now: NOW };
        home.store.open_balances(opening).await.expect("they are booked")
    };
    let first = vec![balance("u1", 5 * PAYOUT), balance("u2", -PAYOUT), balance("u3", 0)];
    assert_eq!(open(first.clone()).await, Opened { booked: 3, ..Opened::default() });
    assert_eq!(open(first).await, Opened { before: 3, ..Opened::default() });
    let other = open(vec![balance("u1", PAYOUT), balance("u4", PAYOUT)]).await;
    assert_eq!(other, Opened { booked: 1, before: 0, differing: vec![balance("u1", 5 * PAYOUT)] });
    let accounts = "SELECT COUNT(*) FROM accounts WHERE balance_micros = ";
    let mut raw = home.raw().await;
    assert_eq!(raw.number(&format!("{accounts} {}", -5 * PAYOUT)).await, 1, "granted:opening");
    assert_eq!(raw.number("SELECT COUNT(*) FROM transfers").await, 3);
    assert_eq!(raw.number("SELECT COUNT(*) FROM audit WHERE action = 'balances_opened'").await, 2);
    drop(raw);
    home.prove().await;
}

async fn rewards_are_read_in_pages_with_their_verdicts(home: &Home) {
    home.process(&[suspicious("T1"), credit("T2"), reversal("T3")]).await;
    let first = home.store.past_rewards(0, 2).await.expect("a page");
    let rest = home.store.past_rewards(first[1].id, 2).await.expect("a page");
    let all: Vec<_> = first.iter().chain(&rest).collect();
    let seen: Vec<_> = all
        .iter()
        .map(|row| (row.tx_id.as_str(), row.status.as_str(), row.decision.as_deref(), row.credit_seen))
        .collect();
    assert_eq!(
        seen,
        [("T1", "held", Some("hold"), 1), ("T2", "credited", Some("credit"), 1), ("T3", "reversed", None, 0)]
    );
    assert!(all[0].fired_points.as_deref().is_some_and(|fired| fired.contains("T1:")), "{:?}", all[0]);
}
