use std::collections::{HashMap, HashSet};

use domain::postback::event::Kind;
use domain::postback::event::{Click, Event as Mapped, Params};
use domain::postback::mapping::map;
use domain::postback::signature::{BadSignature, Secret, SignatureForm, verify};

use super::*;
use crate::signer::Signer;

const NOW_MS: i64 = 1_795_000_000_123;
const ORIGIN: &str = "https://gw.example.com";

fn template() -> Template {
    let network = crate::double::network();
    Template::parse(&format!("http://127.0.0.1:8080/pb/t?{}", network.query()), &network)
        .expect("a good template")
}

fn target(call: &Call, template: &Template, signer: &Signer, now_ms: i64) -> String {
    call.postback(template, signer, now_ms).expect("it is signed").target
}

fn calls(seed: u64, count: u64, mix: Mix) -> Vec<Call> {
    let options = PlanOptions { mix, ..PlanOptions::new(seed, Some(count), template()) };
    Plan::new(&options).expect("a good plan").collect()
}

fn secret() -> Secret {
    Secret::new("test-secret").expect("not empty")
}

fn targets(calls: &[Call]) -> Vec<String> {
    let template = template();
    let signer = Signer::new(&template, Some(ORIGIN), &crate::double::secrets()).expect("an origin");
    calls.iter().map(|call| target(call, &template, &signer, NOW_MS)).collect()
}

fn mapped(target: &str) -> Option<Mapped> {
    map(target, &Params::shipped("targo").expect("it ships")).ok()
}

fn only(name: &str) -> Mix {
    format!("honest,{name}=1").parse().expect("a good mix")
}

#[test]
fn only_the_same_seed_gives_the_same_calls() {
    let plan = |seed| targets(&calls(seed, 2_000, Mix::default()));
    assert_eq!(plan(7), plan(7));
    let (seven, eight): (HashSet<_>, HashSet<_>) =
        (plan(7).into_iter().collect(), plan(8).into_iter().collect());
    assert!(seven.is_disjoint(&eight));
    let rewards =
        |seed| calls(seed, 50, Mix::HONEST).iter().map(|call| call.event.reward).collect::<Vec<_>>();
    assert_ne!(rewards(7), rewards(8));
}

#[test]
fn a_plan_has_exactly_as_many_calls_as_were_asked_for() {
    for count in [0, 1, 2, 3, 50, 1_000] {
        let calls =
            calls(3, count, "repeat=0.3,reversal=0.3,duplicate=0.2,forged=0.05".parse().expect("a mix"));
        assert_eq!(calls.len(), usize::try_from(count).expect("small"));
        assert!(calls.iter().map(|call| call.number).eq(1..=count));
    }
    let endless = PlanOptions::new(3, None, template());
    assert_eq!(Plan::new(&endless).expect("a good plan").take(5_000).count(), 5_000);
}

#[test]
fn the_shares_of_the_events_match_the_mix() {
    let mix = Mix::default();
    let mut events = HashMap::new();
    for call in calls(11, 60_000, mix) {
        // The second of a duplicate belongs to the same story.
        if call.event.same_task_as.is_none() {
            events.insert(call.event.number, call.event.variety);
        }
    }
    let total = f64::from(u32::try_from(events.len()).expect("small"));
    for (name, variety, share) in mix.shares() {
        let count = events.values().filter(|found| **found == variety).count();
        let found = f64::from(u32::try_from(count).expect("small")) / total;
        assert!((found - share).abs() < 0.003, "{name}: {found} instead of {share}");
    }
}

#[test]
fn every_genuine_call_verifies_and_no_forged_one_does() {
    let calls = calls(5, 20_000, "forged=0.3".parse().expect("a mix"));
    let mut refused = HashMap::new();
    for (call, target) in calls.iter().zip(targets(&calls)) {
        let verdict = verify(ORIGIN, &target, SignatureForm::Empty, &[secret()]);
        match call.act {
            Act::Forged(forgery) => {
                let expected = match forgery {
                    Forgery::MissingHash => BadSignature::Missing,
                    Forgery::WrongHash | Forgery::Changed(_) => BadSignature::Wrong,
                };
                assert_eq!(verdict, Err(expected), "{target}");
                *refused.entry(forgery).or_insert(0) += 1;
            }
            _ => assert_eq!(verdict, Ok(()), "{target}"),
        }
    }
    assert_eq!(refused.len(), 3);
}

#[test]
fn genuine_calls_can_be_mapped_and_broken_ones_cannot() {
    let calls = calls(5, 20_000, "broken=0.2".parse().expect("a mix"));
    for (call, target) in calls.iter().zip(targets(&calls)) {
        let (event, found) = (&call.event, mapped(&target));
        match call.act {
            Act::Broken(_) => assert_eq!((found, event.outlook), (None, Outlook::Nothing), "{target}"),
            Act::Credit | Act::Again => {
                let found = found.expect("a credit maps");
                assert_eq!(found.kind, Kind::Credit);
                assert_eq!((found.user_id, found.tx_id), (event.user_id(), event.tx_id()));
                assert_eq!((found.reward, found.payout), (Some(event.reward), Some(event.payout)));
                assert_eq!(found.offer_name.as_deref(), Some(event.task.offer_name));
                assert_eq!(found.ip, Some(event.ip.to_string()));
                assert_eq!(Some(event.reward), Some(Micros(event.payout.0 * 500)));
            }
            Act::Reversal { .. } => assert_eq!(found.map(|found| found.kind), Some(Kind::Reversal)),
            Act::Forged(_) => {}
        }
    }
}

#[test]
fn impossible_times_are_under_five_seconds_and_never_in_the_future() {
    let calls = calls(5, 5_000, "impossible_speed=0.5".parse().expect("a mix"));
    for (call, target) in calls.iter().zip(targets(&calls)) {
        let Some(Mapped { click: Click::At(clicked_at), .. }) = mapped(&target) else { continue };
        let took_ms = NOW_MS - clicked_at.0;
        if call.event.variety == Variety::ImpossibleSpeed {
            assert!((0..5_000).contains(&took_ms) && call.event.outlook == Outlook::Held, "{took_ms}");
        } else {
            assert!(took_ms >= 119_000, "{took_ms}");
        }
    }
}

#[test]
fn a_repeat_is_the_same_url_even_when_it_is_sent_later() {
    let calls = calls(9, 500, only("repeat"));
    let template = template();
    let signer = Signer::new(&template, None, &crate::double::secrets()).expect("an origin");
    let (mut first, mut at_once, mut later) = (HashMap::new(), 0, 0);
    for (call, now_ms) in calls.iter().zip((NOW_MS..).step_by(250)) {
        let target = target(call, &template, &signer, now_ms);
        match call.act {
            Act::Again => {
                assert_eq!(first.get(&call.event.number), Some(&target));
                if call.together { at_once += 1 } else { later += 1 }
            }
            _ => assert_eq!((first.insert(call.event.number, target), call.together), (None, false)),
        }
    }
    assert!(at_once > 50 && later > 50, "{at_once} at once, {later} later");
}

#[test]
fn reversals_follow_their_credit_and_early_ones_come_before_it() {
    for (name, reversal_first) in [("reversal", false), ("early_reversal", true)] {
        let mut seen: HashMap<u64, Vec<bool>> = HashMap::new();
        for call in calls(9, 1_000, only(name)) {
            let is_reversal = matches!(call.act, Act::Reversal { .. });
            seen.entry(call.event.number).or_default().push(is_reversal);
        }
        assert!(seen.values().all(|acts| *acts == [reversal_first, !reversal_first]), "{name}");
    }
}

#[test]
fn only_a_duplicate_repeats_a_task_and_it_is_held() {
    let mut tasks = HashSet::new();
    let mut duplicates = 0;
    for call in calls(9, 20_000, "duplicate=0.1".parse().expect("a mix")) {
        let event = &call.event;
        if call.act != Act::Credit || matches!(event.variety, Variety::EarlyReversal) {
            continue;
        }
        let is_new = tasks.insert((event.user, event.task.offer_id, event.task.event_id));
        assert_eq!(is_new, event.same_task_as.is_none(), "{event:?}");
        if !is_new {
            duplicates += 1;
            assert_eq!((event.outlook, event.same_task_as), (Outlook::Held, Some(event.number - 1)));
        }
    }
    assert!(duplicates > 500);
}

#[test]
fn what_the_template_leaves_out_is_not_expected_of_the_gateway() {
    let outlooks = |query: &str| {
        let url = format!("http://h/pb/t?u={{user_id}}&t={{tx_id}}&r={{reward}}&s={{status}}{query}");
        let template = Template::parse(&url, &crate::double::network()).expect("a good template");
        let options = PlanOptions::new(5, Some(2_000), template);
        let plan = Plan::new(&options).expect("a good plan");
        plan.map(|call| call.event.outlook).filter(|outlook| *outlook != Outlook::Nothing).collect::<Vec<_>>()
    };
    assert!(outlooks("&p={payout}").iter().all(|outlook| *outlook == Outlook::Judged));
    assert!(outlooks("&c={timestamp}").iter().all(|outlook| *outlook == Outlook::Judged));
    assert!(outlooks("&p={payout}&c={timestamp}").contains(&Outlook::Credited));
}

#[test]
fn a_ratio_that_makes_no_sense_is_refused() {
    for ratio in [Micros(0), Micros(-1), Micros(MAX_RATIO.0 + 1)] {
        let options = PlanOptions { ratio, ..PlanOptions::new(1, None, template()) };
        assert!(matches!(Plan::new(&options), Err(BadPlan::Ratio(_))), "{ratio}");
    }
    assert!(reward(4_900, MAX_RATIO) < Micros(domain::money::MAX_AMOUNT_UNITS * MICROS_PER_UNIT / 10));
    assert_eq!(reward(10, Micros(1)), Micros(1));
}
