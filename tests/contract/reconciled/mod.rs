//! Thirty days of seeded chance, and every figure of every report against a computation that goes another way: row by
//! row over what happened, with the offsets of the zones written down by hand.
//!
//! | file | what it is about |
//! |---|---|
//! | `happened` | the list of what happened, and the zones |
//! | `scenario`, `network`, `people` | what networks, people and processes do |
//! | `reported` | when reports are made, and that they are as expected |
//! | `naive`, `cohorts`, `books`, `traffic` | the naive computation of every part of a report |

mod books;
mod cohorts;
mod happened;
mod naive;
mod network;
mod people;
mod reported;
mod scenario;
mod traffic;

use std::collections::BTreeSet;

use domain::report::{Report, State};
use domain::review::reversal::Situation;
use domain::reward::Step;

use crate::support::database::Home;
use happened::{Disposition, KOLKATA, NEW_YORK, UTC, Zone};
use reported::Reports;

// Where a day begins is decided in memory, so the other zones are looked at on one database only: on Postgres thirty days take
// a minute and more.
contract! {
    both:
        thirty_days_in_utc_are_as_a_naive_computation_has_them,
        thirty_days_in_new_york_in_spring_equal_a_naive_computation;
    sqlite:
        thirty_days_in_new_york_in_autumn_equal_a_naive_computation,
        thirty_days_in_kolkata_are_as_a_naive_computation_has_them;
}

/// 2026-02-20, 2026-10-17: both with a change of clocks within thirty days.
const SPRING: i64 = 1_771_545_600_000;
const AUTUMN: i64 = 1_792_195_200_000;

async fn thirty_days_in_utc_are_as_a_naive_computation_has_them(home: &Home) {
    check(home, UTC, SPRING, 1).await;
}

async fn thirty_days_in_new_york_in_spring_equal_a_naive_computation(home: &Home) {
    let reports = check(home, NEW_YORK, SPRING, 2).await;
    assert!(reports.final_ones().any(|report| report.hours == 23));
}

async fn thirty_days_in_new_york_in_autumn_equal_a_naive_computation(home: &Home) {
    let reports = check(home, NEW_YORK, AUTUMN, 3).await;
    assert!(reports.final_ones().any(|report| report.hours == 25));
}

async fn thirty_days_in_kolkata_are_as_a_naive_computation_has_them(home: &Home) {
    check(home, KOLKATA, AUTUMN, 4).await;
}

async fn check(home: &Home, zone: Zone, from: i64, seed: u64) -> Reports {
    let reports = scenario::live(home, zone, from, seed).await;
    home.prove().await;
    everything_occurred(&reports);
    reports
}

type Is = fn(&Report) -> bool;

/// Everything must have occurred at least once: comparing nothing with nothing proves nothing.
fn everything_occurred(reports: &Reports) {
    let happenings = reports.happenings.as_ref().expect("it was lived through");
    for step in Step::ALL {
        assert!(
            happenings.steps.iter().any(|it| it.step == step),
            "nothing was taken through {}",
            step.name()
        );
    }
    let dispositions = happenings.postbacks.iter().map(|it| it.disposition);
    for disposition in
        [Disposition::Repeat, Disposition::Conflict, Disposition::Quarantined, Disposition::ReversedBefore]
    {
        assert!(dispositions.clone().any(|it| it == disposition), "nothing was {disposition:?}");
    }
    let signs: [(&str, Is); 25] = [
        ("a preliminary report with postbacks that wait", |it| {
            it.state == State::Preliminary && it.postbacks.iter().any(|of| of.waiting > 0) && !it.ties_out
        }),
        ("a preliminary report that ties out", |it| it.state == State::Preliminary && it.ties_out),
        ("a report without one before", |it| it.inputs.previous.is_none()),
        ("two policies on one day", |it| it.inputs.policies.len() == 2),
        ("a late entry", |it| !it.late.is_empty()),
        ("a late entry of a person", |it| {
            it.late.iter().any(|of| of.step == "release" || of.step == "reject")
        }),
        ("more undone than decided", |it| it.sources.iter().any(|of| of.figures.released.count < 0)),
        ("something of an earlier day", |it| !it.prior_periods.is_empty()),
        ("a reversal of an earlier day that came first", |it| {
            it.prior_periods.iter().any(|of| of.step == "reverse_unseen")
        }),
        ("a part of an earlier day", |it| {
            it.prior_periods.iter().any(|of| of.step == "reverse_credited_part")
        }),
        ("cases that were raised, ended and are open", |it| {
            it.cases.iter().any(|of| of.raised > 0 && of.ended > 0 && of.open.count > 0)
        }),
        ("an orphan that somebody looked at", |it| {
            it.cases.iter().any(|of| of.situation == Situation::Orphan && of.ended > 0)
        }),
        ("something approved again", |it| it.postbacks.iter().any(|of| of.reapprovals > 0)),
        ("a payment", |it| it.receivables.iter().any(|of| of.settled.0 > 0)),
        ("a debt that arises", |it| it.debts.iter().any(|of| of.arisen.0 > 0)),
        ("a debt that is earned back", |it| it.debts.iter().any(|of| of.recovered.0 > 0)),
        ("a debt that is gone", |it| it.debts.iter().any(|of| of.opening.count > of.closing.count)),
        ("no more debt in a currency", |it| it.debts.len() == 1),
        ("a negative balance", |it| !it.negative.is_empty()),
        ("full lists of the top", |it| it.top.len() == 30),
        ("refused calls", |it| it.postbacks.iter().any(|of| of.refused > 0)),
        ("postbacks of a source that is unknown", |it| it.postbacks.iter().any(|of| of.source == "nobody")),
        ("a silence up to the end of the day", |it| it.losses.iter().any(|of| of.to == it.ends_at)),
        ("a silence beyond retries", |it| it.losses.iter().any(|of| of.beyond_retries)),
        ("a silence within retries", |it| it.losses.iter().any(|of| !of.beyond_retries)),
    ];
    let absent: BTreeSet<_> =
        signs.into_iter().filter(|(_, is)| !reports.all.iter().any(is)).map(|(what, _)| what).collect();
    assert!(absent.is_empty(), "did not occur: {absent:?}");
    let ages: BTreeSet<_> = reports.all.iter().flat_map(|it| &it.holds).map(|of| of.days.as_str()).collect();
    assert!(ages.is_superset(&BTreeSet::from(["0-1", "2-7", "8-30"])), "{ages:?}");
}
