mod case;
mod lists;
mod past;
mod usual;

use case::Case;

use super::*;
use crate::location::NetworkTrait;
use crate::money::Micros;
use crate::postback::event::{Click, Note, NoteKind};
use crate::postback::networks::Field;
use crate::postback::networks::coverage::Unsigned;
use crate::skew::Clicks;
use crate::verdict::Decision;

/// Noon, 23 November 2026.
const NOW: TimestampMs = TimestampMs(1_795_435_200_000);

/// Judges `case` and checks decision, score, and the codes that fired.
fn check(case: &Case, decision: Decision, score: i64, fired: &[&str]) {
    let verdict = case.verdict();
    let codes: Vec<_> =
        verdict.signals.iter().filter(|signal| signal.fired).map(|signal| signal.code.as_str()).collect();
    assert_eq!((verdict.decision, verdict.score, codes.as_slice()), (decision, score, fired), "{verdict:#?}");
}

#[test]
fn an_honest_reward_is_credited_and_every_rule_still_reports() {
    let verdict = Case::honest().verdict();
    assert_eq!((verdict.decision, verdict.score, verdict.hard), (Decision::Credit, 0, false));
    let codes: Vec<_> = verdict.signals.iter().map(|signal| signal.code.as_str()).collect();
    assert_eq!(codes, CODES);
    assert!(verdict.signals.iter().all(|signal| signal.text.ends_with('.')));
    assert_eq!(verdict.sentence(), "No rule counted against it.");
}

#[test]
fn a_missing_or_unusable_click_time_is_held() {
    for click in [Click::Missing, Click::Unusable("0".into()), Click::At(TimestampMs(NOW.0 + 301_000))] {
        let mut case = Case::honest();
        case.event.click = click;
        check(&case, Decision::Hold, 0, &["Q1"]);
    }
}

#[test]
fn a_click_slightly_ahead_is_a_matter_of_clocks_and_counts_as_no_time() {
    check(&Case::honest().took(-5_000), Decision::Hold, 100, &["Q2", "T1", "T2"]);
    check(&Case::honest().took(-5_001), Decision::Credit, 10, &["Q2b"]);
    check(&Case::honest().took(-300_000), Decision::Credit, 10, &["Q2b"]);
}

#[test]
fn speed_is_judged_by_the_floor_and_by_the_class_of_offer() {
    check(&Case::honest().took(4_999), Decision::Hold, 100, &["T1", "T2"]);
    check(&Case::honest().took(5_000), Decision::Hold, 50, &["T2"]);
    // Both say the same; a reviewer reads it once.
    let sentence = Case::honest().took(4_000).verdict().sentence();
    assert_eq!(sentence, "It took 4 s from click to completion; under 5 s no offer can be done.");
    check(&Case::honest().took(15_000), Decision::Credit, 0, &[]);
    for (offer, event, floor_ms) in [
        ("Great Game", Some("Install and open"), 10_000),
        ("Great Game", Some("Reach Level 5"), 30_000),
        ("Survey 18", None, 60_000),
        ("Install Great Game", Some("Purchase a gem"), 30_000),
        ("Sublevels", None, 15_000),
    ] {
        let mut case = Case::honest();
        case.event.offer_name = Some(offer.into());
        case.event.event_name = event.map(Into::into);
        let case = case.took(floor_ms);
        check(&case, Decision::Credit, 0, &[]);
        check(&case.took(floor_ms - 1), Decision::Hold, 50, &["T2"]);
    }
}

#[test]
fn the_policy_may_name_the_class_of_an_offer() {
    let mut case = Case::honest().took(45_000);
    case.policy = "[sources.targo.offers.7.rules.T2]\nclass = \"survey\"";
    check(&case, Decision::Hold, 50, &["T2"]);
}

#[test]
fn an_offer_completed_after_its_window_is_held() {
    check(&Case::honest().took(90 * 86_400_000), Decision::Credit, 0, &[]);
    check(&Case::honest().took(90 * 86_400_000 + 1), Decision::Hold, 50, &["T9"]);
}

#[test]
fn a_mismatch_holds_with_a_database_and_only_counts_with_registry_data() {
    let mut case = Case::honest();
    case.location.country = Some("BR".into());
    check(&case, Decision::Hold, 50, &["G1"]);
    assert_eq!(case.verdict().sentence(), "The address is in BR, the network says US.");
    case.location.registry_only = true;
    check(&case, Decision::Credit, 30, &["G1"]);
}

#[test]
fn compatible_unknown_and_invalid_addresses_are_distinct() {
    let mut case = Case::honest();
    case.location.country = Some("PR".into());
    check(&case, Decision::Credit, 0, &["G2"]);
    case.location.country = None;
    check(&case, Decision::Credit, 10, &["G3"]);
    case.event.ip = None;
    check(&case, Decision::Credit, 10, &["G3"]);
    case.event.ip = Some("192.168.1.1".into());
    check(&case, Decision::Credit, 10, &["G4"]);
}

#[test]
fn anonymising_networks_weigh_by_their_kind_and_only_the_strongest_counts() {
    for (network, score) in [
        (vec![NetworkTrait::Tor, NetworkTrait::Hosting], 60),
        (vec![NetworkTrait::Vpn], 40),
        (vec![NetworkTrait::ResidentialProxy], 40),
        (vec![NetworkTrait::Hosting], 30),
        (vec![NetworkTrait::Satellite, NetworkTrait::Anycast, NetworkTrait::Cellular], 0),
        (vec![NetworkTrait::Relay, NetworkTrait::Vpn, NetworkTrait::Hosting], 0),
    ] {
        let mut case = Case::honest();
        case.location.network = network;
        let decision = if score >= 50 { Decision::Hold } else { Decision::Credit };
        check(&case, decision, score, if score > 0 { &["N1"] } else { &[] });
    }
}

#[test]
fn a_second_reward_for_the_same_task_is_held() {
    let mut case = Case::honest();
    case.same_task = Some(1);
    check(&case, Decision::Hold, 0, &["V3"]);
    case.same_task = None;
    check(&case, Decision::Credit, 0, &[]);
}

#[test]
fn a_large_reward_is_looked_at_by_a_person() {
    let mut case = Case::honest();
    case.event.payout = Some(Micros(49_999_999));
    check(&case, Decision::Credit, 0, &[]);
    case.event.payout = Some(Micros(50_000_000));
    check(&case, Decision::Hold, 0, &["M1"]);
}

#[test]
fn reward_and_payout_must_be_positive_and_fit_the_configured_ratio() {
    for (reward, payout, policy, fires) in [
        (500_000_000, Some(1_000_000), "", false),
        (0, Some(1_000_000), "", true),
        (500_000_000, Some(0), "", true),
        (500_000_000, None, "", true),
        (500_000_000, Some(1_000_000), "[rules.Q3]\nratio = \"500\"", false),
        (525_000_000, Some(1_000_000), "[rules.Q3]\nratio = \"500\"", false),
        (525_000_001, Some(1_000_000), "[rules.Q3]\nratio = \"500\"", true),
        (474_999_999, Some(1_000_000), "[rules.Q3]\nratio = \"500\"", true),
    ] {
        let mut case = Case::honest();
        case.event.reward = Some(Micros(reward));
        case.event.payout = payout.map(Micros);
        case.policy = policy;
        let (decision, codes): (_, &[_]) =
            if fires { (Decision::Hold, &["Q3"]) } else { (Decision::Credit, &[]) };
        check(&case, decision, 0, codes);
    }
}

#[test]
fn a_rounded_amount_is_noted() {
    let mut case = Case::honest();
    case.event.rounded = true;
    check(&case, Decision::Credit, 0, &["Q4"]);
}

#[test]
fn an_unlisted_caller_adds_a_few_points() {
    for (caller_listed, score, codes) in
        [(Some(false), 10, &["Q5"][..]), (Some(true), 0, &[]), (None, 0, &[])]
    {
        let mut case = Case::honest();
        case.caller_listed = caller_listed;
        check(&case, Decision::Credit, score, codes);
    }
}

#[test]
fn what_the_signature_leaves_open_is_named_and_weighs_without_a_listed_caller() {
    let open = |fields: &[Field], is_unproven| Unsigned { fields: fields.to_vec(), is_unproven };
    for (unsigned, listed, decision, score, codes) in [
        (open(&[], false), None, Decision::Credit, 0, &[][..]),
        (open(&[Field::Reward], false), None, Decision::Hold, 50, &["Q6"]),
        (open(&[Field::TxId], false), Some(false), Decision::Hold, 60, &["Q5", "Q6"]),
        (open(&[Field::Status], false), Some(true), Decision::Credit, 0, &["Q6"]),
        (open(&[Field::Payout, Field::OfferId], false), None, Decision::Credit, 0, &["Q6"]),
        (open(&[], true), None, Decision::Hold, 50, &["Q6"]),
        (open(&[], true), Some(true), Decision::Credit, 0, &["Q6"]),
    ] {
        let case = Case { unsigned, caller_listed: listed, ..Case::honest() };
        check(&case, decision, score, codes);
    }
    let case = Case { unsigned: open(&[Field::TxId, Field::Reward], false), ..Case::honest() };
    assert_eq!(
        text_of(&case, "Q6"),
        "The signature does not protect: transaction, reward. Nothing else proves that the call is the network's."
    );
}

fn note(field: Field, kind: NoteKind, text: &str) -> Note {
    Note { field: Some(field), kind, text: text.into() }
}

fn text_of(case: &Case, code: &str) -> String {
    let signals = case.verdict().signals;
    signals.into_iter().find(|signal| signal.code == code).expect("a signal").text
}

#[test]
fn what_was_cleaned_or_not_filled_in_is_said_and_weighs_nothing() {
    let mut case = Case::honest();
    case.event.notes = vec![
        note(Field::Sub1, NoteKind::Cleaned, "`sub1` was shortened to 1024 bytes"),
        note(Field::EventId, NoteKind::NotFilledIn, "`event_id`"),
        note(Field::Sub2, NoteKind::NotFilledIn, "`sub2`"),
    ];
    check(&case, Decision::Credit, 0, &["Q7", "Q8"]);
    assert!(text_of(&case, "Q7").starts_with("Cleaned: `sub1` was shortened to 1024 bytes."));
    assert!(text_of(&case, "Q8").starts_with("The network did not fill in `event_id`; `sub2`:"));
}

#[test]
fn a_payout_that_could_not_be_read_holds_and_says_why() {
    let mut case = Case::honest();
    case.event.payout = None;
    case.event.notes = vec![note(
        Field::Payout,
        NoteKind::Cleaned,
        "`payout` is negative (\u{201c}-1\u{201d}) and was left out",
    )];
    check(&case, Decision::Hold, 0, &["Q3", "Q7"]);
    assert!(case.verdict().sentence().contains("`payout` is negative"));
}

#[test]
fn a_placeholder_user_is_held_in_any_spelling() {
    for user_id in [
        "undefined",
        "NULL",
        "(null)",
        "\"null\"",
        "None",
        "NaN",
        "0",
        "000",
        "-",
        "--",
        "?",
        "anonymous",
        "Guest",
        "test",
        "00000000-0000-0000-0000-000000000000",
        "[undefined]",
        "N/A",
    ] {
        let mut case = Case::honest();
        case.event.user_id = user_id.into();
        check(&case, Decision::Hold, 0, &["Q9"]);
        assert!(case.verdict().sentence().contains(user_id), "{user_id}");
    }
    for user_id in [
        "u1",
        "10",
        "a0",
        "tester",
        "nullable",
        "0x1",
        "Annull",
        "\u{1f600}",
        "nil@example.com",
        "guest42",
        "'\"%\\",
        "..",
        "<3",
    ] {
        let mut case = Case::honest();
        case.event.user_id = user_id.into();
        check(&case, Decision::Credit, 0, &[]);
    }
    let mut case = Case::honest();
    case.event.user_id = "guest".into();
    case.policy = "[rules.Q9]\nusers = [\"nobody\"]";
    check(&case, Decision::Credit, 0, &[]);
    case.event.user_id = "Nobody".into();
    check(&case, Decision::Hold, 0, &["Q9"]);
}

#[test]
fn a_country_that_stands_for_tor_weighs_as_tor() {
    for (sent, decision, score, fired) in [
        ("T1", Decision::Hold, 70, &["G3", "N1"][..]),
        ("t1", Decision::Hold, 70, &["G3", "N1"]),
        ("A1", Decision::Hold, 50, &["G3", "N1"]),
        ("A2", Decision::Credit, 10, &["G3"]),
        ("XX", Decision::Credit, 10, &["G3"]),
    ] {
        let mut case = Case::honest();
        case.event.country_code = Some(sent.into());
        check(&case, decision, score, fired);
    }
    let mut case = Case::honest();
    case.event.country_code = Some("T1".into());
    assert_eq!(text_of(&case, "N1"), "The network says that the address belongs to a Tor exit (country T1).");
    case.location.network = vec![NetworkTrait::Tor];
    check(&case, Decision::Hold, 70, &["G3", "N1"]);
}

#[test]
fn a_rule_that_is_switched_off_reports_and_never_fires() {
    let mut case = Case::honest().took(1_000);
    case.policy = "[rules.T1]\nenabled = false\n[rules.T2]\nenabled = false";
    check(&case, Decision::Credit, 0, &[]);
    let verdict = case.verdict();
    let signal = verdict.signals.iter().find(|signal| signal.code == "T1").expect("a signal");
    assert!(signal.text.contains("disabled by the policy"), "{}", signal.text);
}

#[test]
fn a_further_hit_never_makes_a_verdict_milder() {
    let mut case = Case::honest().took(12_000);
    let before = case.verdict();
    case.location.network = vec![NetworkTrait::Hosting];
    let after = case.verdict();
    assert!(after.score >= before.score && after.decision == Decision::Hold);
}

#[test]
fn when_most_clicks_lie_ahead_the_sentence_names_our_clock() {
    let text = |case: &Case, code: &str| {
        let signals = case.verdict().signals;
        signals.into_iter().find(|signal| signal.code == code).map(|signal| signal.text).unwrap_or_default()
    };
    let many = Clicks { all: 40, ahead: 37 };
    for (ahead_ms, code) in [(400_000, "Q1"), (60_000, "Q2b")] {
        let alone = Case::honest().took(-ahead_ms);
        assert!(!text(&alone, code).contains("our clock"), "{}", text(&alone, code));
        let case = Case { clicks: many, ..alone };
        assert!(text(&case, code).contains("37 of 40 clicks"), "{}", text(&case, code));
        assert!(text(&case, code).contains("our clock"), "{}", text(&case, code));
    }
    let honest = Case { clicks: many, ..Case::honest() };
    assert!(!text(&honest, "Q1").contains("our clock"), "a click that is not ahead needs no excuse");
}

#[test]
fn a_relay_of_ones_own_settings_is_no_mismatch() {
    let mut case = Case::honest();
    case.location.country = Some("BR".into());
    case.location.network = vec![NetworkTrait::Relay];
    check(&case, Decision::Credit, 0, &["G1"]);
    let verdict = case.verdict();
    let signal = verdict.signals.iter().find(|signal| signal.code == "G1").expect("it reports");
    assert!(signal.text.ends_with("it is a relay that the settings name."), "{}", signal.text);
}
