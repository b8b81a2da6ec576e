use chrono_tz::Tz;

use super::calls::without_values;
use super::lines::Reasons;
use super::truth::BadTruth;
use super::*;
use crate::money::Micros;
use crate::report::amount::Amount;
use crate::report::sheets::Value;
use crate::reward::Status;
use crate::verdict::Decision;

fn reward(decision: Option<Decision>, status: Status, fired: &str) -> PastReward<'_> {
    PastReward {
        source: "main",
        sub1: None,
        currency: "coins",
        received_at: TimestampMs(0),
        took_ms: None,
        status,
        reward: Some(Micros(100_000_000)),
        payout: Some(Micros(2_000_000)),
        decision,
        fired,
        conflict: false,
        credit_seen: true,
    }
}

#[test]
fn a_hold_counts_with_every_rule_that_counted_on_it() {
    let mut rewards = Rewards::default();
    rewards.add(&reward(Some(Decision::Hold), Status::Reversed, "T1:60! Q7:0 G3:30"), Tz::UTC);
    rewards.add(&reward(Some(Decision::Hold), Status::Held, "T1:60!"), Tz::UTC);
    rewards.add(&reward(Some(Decision::Credit), Status::Reversed, "Q7:0"), Tz::UTC);
    rewards.add(&reward(None, Status::Reversed, ""), Tz::UTC);
    let rules: Vec<_> = rewards
        .ranked_rules()
        .into_iter()
        .map(|(code, rule)| (code, rule.held.count, rule.later_reversed.count))
        .collect();
    assert_eq!(rules, [("T1", 2, 1), ("G3", 1, 1)]);
    assert_eq!((rewards.credits.count, rewards.credited.count, rewards.held.count), (4, 1, 2));
    assert_eq!((rewards.reversed.count, rewards.reversed_first.count), (3, 1));
    assert_eq!((rewards.credited_then_reversed.count, rewards.held_then_reversed.count), (1, 1));
    let day = &rewards.by_day["1970-01-01"];
    assert_eq!(
        (day.credited, day.held, day.reversed),
        (Micros(2_000_000), Micros(4_000_000), Micros(4_000_000))
    );
    let orphan = PastReward { credit_seen: false, ..reward(None, Status::Reversed, "") };
    rewards.add(&orphan, Tz::UTC);
    assert_eq!((rewards.orphans, rewards.credits.count), (1, 4));
}

#[test]
fn the_table_has_every_figure_with_its_money() {
    let mut assessment = Assessment::default();
    let held = reward(Some(Decision::Hold), Status::Reversed, "T1:60!");
    assessment.rewards.add(&held, Tz::UTC);
    assessment.calls.repeated_credits.add("coins", Some(Micros(5_000_000)), None);
    let sheet = table::sheet(&assessment);
    let shown = |section: &str, name: &str| {
        let row = sheet
            .rows
            .iter()
            .find(|row| row[0] == Value::Text(section.to_owned()) && row[1] == Value::Text(name.to_owned()));
        row.expect("the figure").get(2..).expect("its numbers").to_vec()
    };
    let money = |count, payout, rewards: &str| {
        vec![Value::Count(count), Value::Money(Amount(payout)), Value::Text(rewards.into())]
    };
    assert_eq!(shown("rewards", "held, then reversed"), money(1, 2_000_000, "100 coins"));
    assert_eq!(shown("rules: held", "T1"), money(1, 2_000_000, "100 coins"));
    assert_eq!(shown("calls", "repeated credits"), money(1, 0, "5 coins"));
    let none = Value::Text(String::new());
    let day = shown("days: held", "1970-01-01");
    assert_eq!(day, vec![none.clone(), Value::Money(Amount(2_000_000)), none]);
    assert!(sheet.rows.iter().all(|row| row.len() == sheet.columns.len()));
}

#[test]
fn a_sub_id_with_many_holds_or_fast_users_stands_out() {
    let mut rewards = Rewards::default();
    for number in 0..200 {
        let decision = if number % 50 == 0 { Decision::Hold } else { Decision::Credit };
        let honest = PastReward {
            sub1: Some("good"),
            took_ms: Some(600_000),
            ..reward(Some(decision), Status::Credited, "T1:60")
        };
        rewards.add(&honest, Tz::UTC);
    }
    for _ in 0..30 {
        let farm = PastReward {
            sub1: Some("farm"),
            took_ms: Some(6_000),
            ..reward(Some(Decision::Hold), Status::Held, "T1:60")
        };
        rewards.add(&farm, Tz::UTC);
    }
    for _ in 0..19 {
        let few = PastReward {
            sub1: Some("few"),
            took_ms: Some(6_000),
            ..reward(Some(Decision::Hold), Status::Held, "T1:60")
        };
        rewards.add(&few, Tz::UTC);
    }
    let groups = rewards.standing_out();
    let shown: Vec<_> = groups.iter().map(|group| (group.sub1.as_deref(), group.reasons.clone())).collect();
    assert_eq!(shown, [(Some("farm"), vec!["many holds", "fast"])]);
    let median_ms = groups[0].median_ms.expect("a median");
    assert!((5_000..=8_000).contains(&median_ms), "{median_ms}");
}

#[test]
fn reasons_are_bounded_and_keep_their_first_example() {
    let mut reasons = Reasons::default();
    for number in 0..100 {
        reasons.note(&format!("reason {number}"), || format!("line {number}"));
        reasons.note("reason 0", || unreachable!());
    }
    assert_eq!(reasons.total(), 200);
    let ranked = reasons.ranked();
    assert_eq!(ranked.len(), 51);
    assert_eq!((ranked[0].0, ranked[0].1.count, ranked[0].1.example.as_str()), ("reason 0", 101, "line 0"));
    assert_eq!((ranked[1].0, ranked[1].1.count), ("other reasons", 50));
    assert_eq!(without_values("the reward `x1` of `y` is no number"), "the reward `…` of `…` is no number");
}

#[test]
fn decisions_are_compared_with_the_truth_by_persona() {
    let mut truth = Truth::default();
    assert_eq!(Truth::default().read("a,b"), Err(BadTruth::Header));
    for line in [
        "\u{feff}tx_id,source,user_id,Persona,is_fraud",
        "T-1,main,u,farm,true",
        "T-2,main,u,farm,True",
        "T-3,main,u,traveller,0",
        "",
        "\"T-4\",main,u,traveller,false",
    ] {
        truth.read(line).expect("readable");
    }
    assert_eq!(truth.read("T-9,main,u,farm,perhaps"), Err(BadTruth::IsFraud));
    assert_eq!(truth.read("T-9"), Err(BadTruth::Cells));
    truth.read("T-1,main,u,farm,true").expect("readable");
    let truth = truth.complete();
    let mut scores = Scores::default();
    let (hold, credit) = (Some(Decision::Hold), Some(Decision::Credit));
    for (key, decision) in [
        ("T-1", hold),
        ("T-2:COMPLETED", credit),
        ("T-3", hold),
        ("T-4", credit),
        ("T-5", hold),
        ("T-1", None),
    ] {
        scores.add(&truth, key, &reward(decision, Status::Credited, ""));
    }
    let farm = &scores.personas["farm"];
    assert_eq!((farm.fraud.count, farm.fraud_held.count, farm.honest.count), (2, 1, 0));
    let traveller = &scores.personas["traveller"];
    assert_eq!((traveller.honest.count, traveller.honest_held.count, traveller.fraud.count), (2, 1, 0));
    let total = scores.total();
    assert_eq!((total.fraud_held.count, total.honest_held.count, scores.unknown), (1, 1, 1));
}
