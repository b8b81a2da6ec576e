//! T3, T4, T4b and Q3 beside a baseline.

use super::case::Case;
use super::check;
use crate::baseline::{Normal, Times};
use crate::money::Micros;
use crate::verdict::{Decision, Verdict};

/// An offer that takes ten minutes, beside `completions`.
fn beside(completions: i64, took_ms: i64) -> Case {
    let times = Times { median_ms: 600_000, lower_millinats: 400, spread_millinats: 450 };
    let normal = Normal { completions, times: Some(times), ..Normal::default() };
    Case { normal: Some(normal), ..Case::honest().took(took_ms) }
}

fn survey(completions: i64, took_ms: i64, spread_millinats: i64) -> Case {
    let mut case = beside(completions, took_ms);
    case.event.offer_name = Some("Survey 12".into());
    if let Some(times) = case.normal.as_mut().and_then(|normal| normal.times.as_mut()) {
        // So wide that only T3 looks at it.
        (times.lower_millinats, times.spread_millinats) = (2_000, spread_millinats);
    }
    case
}

fn text(verdict: &Verdict, code: &str) -> (String, Option<i64>, bool) {
    let signal = verdict.signals.iter().find(|signal| signal.code == code).expect("it is there");
    (signal.text.clone(), signal.sample, signal.insufficient)
}

#[test]
fn far_faster_than_normal_is_held() {
    // 3.5 deviations of 0.4 are a factor of 4.05: under 148 s; 3 are one of 3.32: under 181 s.
    check(&beside(412, 147_000), Decision::Hold, 50, &["T4"]);
    check(&beside(412, 149_000), Decision::Credit, 20, &["T4b"]);
    check(&beside(412, 179_000), Decision::Credit, 20, &["T4b"]);
    check(&beside(412, 182_000), Decision::Credit, 0, &[]);
    let sentence = beside(412, 147_000).verdict().sentence();
    assert_eq!(
        sentence,
        "It took 2 min 27 s from click to completion; half of the 412 settled completions took 10 min or less. \
         That is 3.5 deviations faster than normal; the limit is 3.5."
    );
}

#[test]
fn beside_50_to_99_completions_it_weighs_less() {
    check(&beside(99, 147_000), Decision::Credit, 20, &["T4b"]);
    check(&beside(99, 149_000), Decision::Credit, 0, &[]);
    check(&beside(50, 147_000), Decision::Credit, 20, &["T4b"]);
    check(&beside(49, 147_000), Decision::Credit, 0, &[]);
}

#[test]
fn too_few_completions_are_a_result_of_its_own() {
    let mut thin = Case::honest();
    thin.normal = Some(Normal { completions: 37, ..Normal::default() });
    let verdict = thin.verdict();
    let said = |text: &str, n| (text.to_owned(), Some(n), true);
    assert_eq!(text(&verdict, "T4"), said("Insufficient data: 37 of 100 settled completions.", 37));
    assert_eq!(text(&verdict, "T4b"), said("Insufficient data: 37 of 50 settled completions.", 37));
    assert_eq!(verdict.sentence(), "No rule counted against it.");
    let none = Case::honest().verdict();
    assert_eq!(text(&none, "T4"), said("Insufficient data: 0 of 100 settled completions.", 0));
}

#[test]
fn a_provisional_baseline_counts_and_says_so() {
    let mut case = beside(120, 60_000);
    case.normal.as_mut().expect("it is there").is_provisional = true;
    check(&case, Decision::Hold, 50, &["T4"]);
    assert!(case.verdict().sentence().contains("the 120 completions so far (provisional: "), "{case:?}");
}

#[test]
fn equal_times_make_nobody_suspicious() {
    let mut case = beside(412, 400_000);
    case.normal.as_mut().and_then(|normal| normal.times.as_mut()).expect("it is there").lower_millinats = 0;
    check(&case, Decision::Credit, 0, &[]);
}

#[test]
fn a_survey_in_less_than_a_third_of_the_median_is_held() {
    check(&survey(412, 199_000, 500), Decision::Hold, 50, &["T3"]);
    check(&survey(412, 199_000, 501), Decision::Credit, 30, &["T3"]);
    check(&survey(412, 199_000, 700), Decision::Credit, 30, &["T3"]);
    check(&survey(412, 199_000, 701), Decision::Credit, 0, &[]);
    check(&survey(412, 201_000, 500), Decision::Credit, 15, &["T3"]);
    check(&survey(412, 301_000, 500), Decision::Credit, 0, &[]);
    check(&survey(99, 199_000, 500), Decision::Credit, 0, &[]);
    let sentence = survey(412, 199_000, 500).verdict().sentence();
    assert_eq!(
        sentence,
        "Half of the 412 settled completions took 10 min or less; this one took 3 min 19 s, less than a third of that."
    );
}

#[test]
fn a_ratio_far_from_the_usual_one_is_held() {
    let mut case = Case::honest();
    let usual = |ratio| Some(Normal { completions: 412, ratio: Some(Micros(ratio)), ..Normal::default() });
    case.normal = usual(520_000_000);
    check(&case, Decision::Credit, 0, &[]);
    case.normal = usual(530_000_000);
    check(&case, Decision::Hold, 0, &["Q3"]);
    let sentence = "The reward is 500 per USD; 530 is normal for this offer, give or take 5 %.";
    assert_eq!(case.verdict().sentence(), sentence);
    // What is configured counts first.
    case.policy = "[rules.Q3]\nratio = \"500\"";
    check(&case, Decision::Credit, 0, &[]);
}

#[test]
fn the_class_of_an_offer_may_be_named_by_its_id() {
    let mut case = Case::honest().took(59_000);
    case.event.offer_id = Some("surv-7".into());
    check(&case, Decision::Credit, 0, &[]);
    case.policy = "[rules.T2.classes]\nsurvey = [\"surv-*\"]";
    check(&case, Decision::Hold, 50, &["T2"]);
}
