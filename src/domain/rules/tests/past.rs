//! Rules about the past: what they fire at, and that nothing of it makes a verdict milder.

use proptest::prelude::*;

use super::*;
use crate::baseline::Normal;
use crate::baseline::shares::Oddity;
use crate::history::History;

/// With a past of which something has been learned.
fn with(history: History) -> Case {
    let usual_sharing = history.usual_sharing.or(Some(1));
    Case { history: History { usual_sharing, ..history }, ..Case::honest() }
}

#[test]
fn a_crowd_on_one_address_counts_only_where_it_is_not_usual() {
    let of =
        |address_users, usual_sharing| with(History { address_users, usual_sharing, ..History::default() });
    check(&of(3, Some(1)), Decision::Credit, 0, &[]);
    check(&of(4, Some(1)), Decision::Credit, 25, &["S1"]);
    check(&of(12, Some(1)), Decision::Hold, 50, &["S1"]);
    check(&of(40, Some(41)), Decision::Credit, 0, &[]);
}

#[test]
fn while_nothing_has_been_learned_the_past_holds_nothing() {
    let mut cold = with(History {
        known_for_s: Some(0),
        clicks_in_hour: 50,
        clicks_in_day: 50,
        countries: ["DE", "FR", "VN"].map(String::from).to_vec(),
        networks_in_day: 20,
        usual_payout: Some((Micros(1_000), 9)),
        credited: 20,
        reversed: 20,
        settled: 50,
        gap_s: Some(0),
        same_second: 9,
        address_users: 60,
        task_users: 9,
        twins: 20,
        ..History::default()
    });
    cold.history.usual_sharing = None;
    cold.event.payout = Some(Micros(20_000_000));
    check(&cold, Decision::Credit, 12, &["S2"]);
    cold.history.is_ipv6 = true;
    check(&cold, Decision::Hold, 50, &["S2"]);
    cold.history.is_ipv6 = false;
    let verdict = cold.verdict();
    let cold_ones = ["T5", "T6", "S1", "S3", "S4", "V1", "V2", "H1", "C1"];
    for signal in verdict.signals.iter().filter(|signal| cold_ones.contains(&signal.code.as_str())) {
        assert!(signal.insufficient && signal.text.starts_with("Insufficient data"), "{signal:?}");
    }
}

#[test]
fn the_same_task_at_one_address_weighs_half_where_many_share_it() {
    let of = |task_users, usual_sharing| with(History { task_users, usual_sharing, ..History::default() });
    check(&of(1, None), Decision::Credit, 20, &["S2"]);
    check(&of(2, None), Decision::Hold, 50, &["S2"]);
    check(&of(2, Some(30)), Decision::Credit, 25, &["S2"]);
    let mut mobile = of(1, None);
    mobile.location.network = vec![NetworkTrait::Cellular];
    check(&mobile, Decision::Credit, 10, &["S2"]);
}

#[test]
fn an_account_on_the_move_is_held() {
    let countries = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    check(
        &with(History { countries: countries(&["DE", "FR"]), ..History::default() }),
        Decision::Credit,
        0,
        &[],
    );
    check(
        &with(History { countries: countries(&["DE", "FR", "VN"]), ..History::default() }),
        Decision::Credit,
        40,
        &["S3"],
    );
    check(
        &with(History {
            countries: countries(&["DE", "FR", "VN"]),
            networks_in_day: 6,
            ..History::default()
        }),
        Decision::Hold,
        70,
        &["S3", "S4"],
    );
    check(
        &with(History { countries: countries(&["DE", "FR", "US", "VN"]), ..History::default() }),
        Decision::Hold,
        60,
        &["S3"],
    );
}

#[test]
fn more_than_one_person_gets_done_is_noticed() {
    check(
        &with(History { clicks_in_hour: 9, clicks_in_day: 29, ..History::default() }),
        Decision::Credit,
        0,
        &[],
    );
    check(&with(History { clicks_in_hour: 10, ..History::default() }), Decision::Credit, 30, &["V1"]);
    check(&with(History { clicks_in_day: 30, ..History::default() }), Decision::Hold, 50, &["V1"]);
}

#[test]
fn a_large_reward_of_a_new_user_counts() {
    let mut case = with(History { known_for_s: Some(86_399), ..History::default() });
    check(&case, Decision::Credit, 0, &[]);
    case.event.payout = Some(Micros(3_000_000));
    check(&case, Decision::Credit, 25, &["V2"]);
    case.history.known_for_s = Some(86_400);
    check(&case, Decision::Credit, 0, &[]);
}

#[test]
fn far_more_than_the_user_usually_gets_is_reviewed() {
    let mut case = with(History { usual_payout: Some((Micros(500_000), 7)), ..History::default() });
    case.event.payout = Some(Micros(9_999_999));
    check(&case, Decision::Credit, 0, &[]);
    case.event.payout = Some(Micros(10_000_000));
    check(&case, Decision::Credit, 25, &["M1"]);
    case.history.usual_payout = Some((Micros(600_000), 7));
    check(&case, Decision::Credit, 0, &[]);
}

#[test]
fn events_of_one_click_at_once_and_times_alike_are_a_script() {
    let burst = |same_second| with(History { gap_s: Some(1), same_second, ..History::default() });
    check(&burst(1), Decision::Credit, 0, &[]);
    check(&burst(2), Decision::Credit, 40, &["T5"]);
    let twins = |twins, near_twins| with(History { twins, near_twins, ..History::default() });
    check(&twins(4, 0), Decision::Credit, 0, &[]);
    check(&twins(5, 3), Decision::Credit, 40, &["T6"]);
    check(&twins(5, 2), Decision::Hold, 60, &["T6"]);
    check(&twins(5, 6), Decision::Credit, 0, &[]);
    check(&twins(10, 0), Decision::Hold, 60, &["T6"]);
    let mut batches = twins(10, 0);
    batches.policy = "[sources.targo.rules.T6]\nbatches = true";
    check(&batches, Decision::Credit, 0, &[]);
}

#[test]
fn a_user_who_is_always_fast_is_held() {
    let of = |mean_percent, n| with(History { pace: Some((mean_percent, n)), ..History::default() });
    check(&of(400, 1), Decision::Credit, 0, &[]);
    check(&of(206, 2), Decision::Hold, 50, &["T10"]);
    check(&of(145, 4), Decision::Hold, 50, &["T10"]);
    check(&of(144, 4), Decision::Credit, 0, &[]);
    check(&of(140, 8), Decision::Hold, 50, &["T10"]);
    check(&of(139, 8), Decision::Credit, 0, &[]);
}

#[test]
fn the_record_of_a_user_counts_both_ways() {
    let of =
        |credited, reversed, settled| with(History { credited, reversed, settled, ..History::default() });
    check(&of(9, 3, 0), Decision::Credit, 0, &[]);
    check(&of(4, 2, 0), Decision::Credit, 0, &[]);
    check(&of(3, 2, 0), Decision::Hold, 50, &["H1"]);
    check(&of(9, 9, 0), Decision::Hold, 50, &["H1"]);
    check(&of(10, 1, 0), Decision::Credit, 0, &[]);
    check(&of(10, 2, 0), Decision::Hold, 50, &["H1"]);
    check(&of(0, 0, 20), Decision::Credit, 0, &["C1"]);
    // Trust offsets what is soft, and nothing that is hard.
    let mut trusted = of(0, 0, 20);
    trusted.history.task_users = 2;
    check(&trusted, Decision::Credit, 30, &["S2", "C1"]);
    check(&of(0, 0, 20).took(1_000), Decision::Hold, 80, &["T1", "T2", "C1"]);
}

#[test]
fn what_a_sub_id_is_known_for_counts() {
    let of = |oddity: Oddity, took_ms| Case { oddity: Some(oddity), ..Case::honest().took(took_ms) };
    let fast = Oddity { n: 60, fast: Some((500, 20)), ..Oddity::default() };
    check(&of(fast, 59_999), Decision::Credit, 25, &["T7"]);
    check(&of(fast, 60_000), Decision::Credit, 0, &[]);
    let slow = Oddity { n: 60, slow: Some((500, 20)), ..Oddity::default() };
    check(&of(slow, 600_000), Decision::Credit, 0, &["T8"]);
    let reversed = Oddity { n: 60, reversed: Some((300, 20)), ..Oddity::default() };
    check(&of(reversed, 600_000), Decision::Credit, 20, &["H2"]);
}

#[test]
fn a_country_says_less_where_the_network_is_often_wrong() {
    let mut case = Case::honest();
    case.event.country_code = Some("DE".into());
    check(&case, Decision::Hold, 50, &["G1"]);
    case.mismatch_permille = Some(50);
    check(&case, Decision::Hold, 50, &["G1"]);
    case.mismatch_permille = Some(51);
    check(&case, Decision::Credit, 30, &["G1"]);
}

#[test]
fn a_step_far_sooner_than_settled_ones_is_a_script() {
    let normal = Normal { completions: 200, shortest_gap_ms: Some(60_000), ..Normal::default() };
    let of = |gap_s| {
        let case = with(History { gap_s: Some(gap_s), ..History::default() });
        Case { normal: Some(normal.clone()), ..case }
    };
    check(&of(5), Decision::Hold, 60, &["T5"]);
    check(&of(29), Decision::Credit, 40, &["T5"]);
    check(&of(30), Decision::Credit, 0, &[]);
}

fn histories() -> impl Strategy<Value = History> {
    let counts = proptest::collection::vec(0_i64..60, 10);
    (counts, 0_usize..5, proptest::option::of(0_i64..200_000), (1_i64..40).prop_map(Some)).prop_map(
        |(counts, countries, known_for_s, usual_sharing)| History {
            known_for_s,
            clicks_in_hour: counts[0],
            clicks_in_day: counts[0] + counts[1],
            countries: ["DE", "FR", "GB", "US", "VN"][..countries]
                .iter()
                .map(|code| (*code).into())
                .collect(),
            networks_in_day: counts[2] / 4,
            usual_payout: None,
            credited: counts[3],
            reversed: counts[4] / 8,
            settled: counts[5],
            gap_s: None,
            pace: (counts[6] > 30).then_some((counts[6] * 5, counts[9] % 9)),
            same_second: counts[6] / 20,
            address_users: counts[7],
            task_users: counts[8] / 20,
            is_ipv6: counts[7] % 2 == 0,
            usual_sharing,
            twins: counts[9] / 4,
            near_twins: counts[2],
        },
    )
}

proptest! {
    /// A rule that fires and counts against the reward never makes the verdict milder: without it the score is at most as
    /// high, and what was credited stays credited.
    #[test]
    fn a_fired_rule_more_never_makes_a_verdict_milder(history in histories(), took_ms in 0_i64..100_000, off in 0..CODES.len()) {
        let mut case = with(history).took(took_ms);
        let all = case.verdict();
        let disabled = format!("[rules.{}]\nenabled = false", CODES[off]);
        case.policy = Box::leak(disabled.into_boxed_str());
        let fewer = case.verdict();
        if CODES[off] != "C1" {
            prop_assert!(fewer.score <= all.score && (!fewer.hard || all.hard));
            prop_assert!(fewer.decision == Decision::Credit || all.decision == Decision::Hold);
        }
    }

    /// What is stored of a history is all of it.
    #[test]
    fn a_history_is_stored_whole(history in histories()) {
        let text = serde_json::to_string(&history).expect("plain data");
        prop_assert_eq!(serde_json::from_str::<History>(&text).expect("it is read"), history);
    }
}
