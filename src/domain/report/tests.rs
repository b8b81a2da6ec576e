//! Reports from facts that are written by hand.

use chrono::NaiveDate;

use super::amount::{Amount, Sum};
use super::day::BusinessDay;
use super::facts::{AccountFact, ClosingFact, DispositionFact, Fact, HoldFact, Inputs, Line, Previous};
use super::sheets::Sheet;
use super::{ProofFigures, Report, State};
use crate::reward::Step;
use crate::time::TimestampMs;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

const TODAY: &str = "2026-11-23";

/// A day on which nothing happened.
fn quiet() -> Fact {
    let day = BusinessDay::parse(TODAY, chrono_tz::UTC).expect("a date");
    Fact {
        day,
        now: day.ends_at(),
        closed_at: TimestampMs(day.ends_at().0 + 1),
        retry_horizon_ms: 3_600_000,
        inputs: Inputs::default(),
        has_earlier: false,
        lines: Vec::new(),
        late: Vec::new(),
        accounts: Vec::new(),
        settled: Vec::new(),
        previous_closing: None,
        holds: Vec::new(),
        debts: Vec::new(),
        negative: Vec::new(),
        top: Vec::new(),
        postbacks: Vec::new(),
        cases: Vec::new(),
        availability: Vec::new(),
        proof: ProofFigures { proven: true, ..ProofFigures::default() },
    }
}

/// Steps of a hundred micros of reward and ten of payout each.
fn line(converted: &str, booked: &str, step: Step, count: i64) -> Line {
    Line {
        source: "targo".into(),
        currency: "coins".into(),
        converted: date(converted),
        booked: date(booked),
        step,
        reward: Sum::new(count, count * 100),
        payout: Amount(count * 10),
    }
}

fn account(name: &str, currency: &str, kept: i64, moved: i64) -> AccountFact {
    AccountFact {
        account: name.into(),
        currency: currency.into(),
        kept: Amount(kept),
        moved: Amount(moved),
        after: Amount(0),
    }
}

/// A day with three credits, of which one was taken back.
fn busy() -> Fact {
    Fact {
        lines: vec![line(TODAY, TODAY, Step::Credit, 3), line(TODAY, TODAY, Step::ReverseCredited, 1)],
        accounts: vec![
            account("users", "coins", 200, 200),
            account("granted:targo", "coins", -200, -200),
            account("network:targo", "USD", -20, -20),
            account("earned:targo", "USD", 20, 20),
        ],
        postbacks: vec![
            DispositionFact { source: "targo".into(), disposition: "credit".into(), count: 3 },
            DispositionFact { source: "targo".into(), disposition: "reverse_credited".into(), count: 1 },
            DispositionFact { source: "targo".into(), disposition: "repeat".into(), count: 5 },
            DispositionFact { source: "targo".into(), disposition: "refused".into(), count: 7 },
        ],
        ..quiet()
    }
}

#[test]
fn a_quiet_day_ties_out() {
    let report = Report::of(&quiet());
    assert!(report.ties_out, "{:?}", report.faults);
    assert_eq!(report.sources, []);
}

#[test]
fn figures_roll_forwards_and_postbacks_add_up() {
    let report = Report::of(&busy());
    assert_eq!(report.faults, [""; 0]);
    let figures = report.sources[0].figures;
    assert_eq!(
        (figures.approved, figures.reversed, figures.net),
        (Sum::new(3, 30), Sum::new(1, 10), Amount(20))
    );
    assert_eq!((report.receivables[0].opening, report.receivables[0].closing), (Amount(0), Amount(20)));
    assert_eq!((report.users[0].credited, report.users[0].reversed), (Amount(300), Amount(100)));
    assert_eq!((report.postbacks[0].acknowledged, report.postbacks[0].refused), (9, 7));
}

#[test]
fn a_report_says_what_does_not_add_up() {
    let says = |change: fn(&mut Fact), words: &str| {
        let mut facts = busy();
        change(&mut facts);
        let report = Report::of(&facts);
        assert!(
            !report.ties_out && report.faults.iter().any(|fault| fault.contains(words)),
            "{:?}",
            report.faults
        );
    };
    says(|facts| facts.postbacks[0].disposition = "received".into(), "not accounted for");
    says(|facts| facts.postbacks[0].disposition = "processed".into(), "not accounted for");
    says(|facts| facts.proof.proven = false, "not proven");
    says(|facts| facts.accounts[0].moved = Amount(201), "the day's steps move");
    says(|facts| facts.accounts[0].kept = Amount(201), "add up to");
    says(|facts| drop(facts.accounts.remove(0)), "there is no such account");
    says(
        |facts| {
            let closing = Amount(1);
            let closed = ClosingFact { account: "users".into(), currency: "coins".into(), closing };
            facts.previous_closing = Some(vec![closed]);
        },
        "opening and movements",
    );
}

#[test]
fn a_report_is_final_after_its_cut_off_once_all_before_it_is_done() {
    let mut facts = busy();
    assert_eq!(facts.state(), State::Preliminary);
    facts.now = facts.closed_at;
    assert_eq!(facts.state(), State::Final);
    facts.has_earlier = true;
    assert_eq!(facts.state(), State::Preliminary);
    facts.inputs.previous =
        Some(Previous { date: "2026-11-22".into(), hash: String::new(), transfers_upto: 0 });
    assert_eq!(facts.state(), State::Final);
    facts.postbacks[0].disposition = "received".into();
    assert_eq!(facts.state(), State::Preliminary);
}

#[test]
fn late_entries_count_on_the_open_day_and_name_their_own() {
    let mut facts = busy();
    facts.late = vec![line("2026-11-20", "2026-11-21", Step::Credit, 1)];
    let report = Report::of(&facts);
    assert_eq!(report.sources[0].figures.approved, Sum::new(4, 40));
    assert_eq!((report.late[0].belongs_to.as_str(), report.late[0].payout), ("2026-11-21", Amount(10)));
    assert_eq!(report.prior_periods[0].belongs_to, "2026-11-20");
}

#[test]
fn cells_of_a_cohort_add_up_by_age_and_young_ones_are_open() {
    let facts = Fact {
        lines: vec![
            line("2026-11-16", "2026-11-16", Step::Credit, 8),
            line("2026-11-16", "2026-11-16", Step::Hold, 2),
            line("2026-11-16", "2026-11-17", Step::ReverseCredited, 1),
            line("2026-11-16", "2026-11-20", Step::ReverseHeld, 2),
        ],
        ..quiet()
    };
    let report = Report::of(&facts);
    let row = &report.cohorts[0].rows[0];
    let ppm: Vec<_> =
        row.cells.iter().map(|cell| cell.map(|cell| (cell.reversed.count, cell.payout_ppm))).collect();
    let closed = |count, ppm| Some((count, ppm));
    assert_eq!(ppm[..4], [closed(0, 0), closed(1, 100_000), closed(1, 100_000), closed(3, 300_000)]);
    assert_eq!(ppm[4..], [None; 4]);
    assert_eq!(row.approved, Sum::new(10, 100));
}

#[test]
fn a_zero_in_the_newest_cohort_is_no_forecast_of_zero() {
    // Of each earlier cohort a tenth was lost at age 1, and nothing later.
    let mut lines = vec![line(TODAY, TODAY, Step::Credit, 50)];
    for day in ["2026-11-20", "2026-11-21"] {
        lines.push(line(day, day, Step::Credit, 100));
        let next = date(day).succ_opt().expect("a day").to_string();
        lines.push(line(day, &next, Step::ReverseCredited, 10));
    }
    let report = Report::of(&Fact { lines, ..quiet() });
    let forecast = &report.forecasts[0];
    assert_eq!((forecast.expected_payout, forecast.expected_rewards), (Amount(50), Amount(500)));
    assert_eq!((forecast.exposure, forecast.observed_days), (Amount(500), 3));
    assert_eq!(forecast.spendable, Amount(5_000 + 2 * 9_000));
}

#[test]
fn holds_stand_in_the_bucket_of_their_age() {
    let hold = |since: &str| HoldFact {
        source: "targo".into(),
        currency: "coins".into(),
        since: date(since),
        reward: Sum::new(1, 100),
        payout: Amount(10),
    };
    let holds = ["2026-11-23", "2026-11-22", "2026-11-21", "2026-10-23", "2025-01-01"].map(hold).to_vec();
    let report = Report::of(&Fact { holds, ..quiet() });
    let ages: Vec<_> = report.holds.iter().map(|age| (age.days.as_str(), age.reward.count)).collect();
    assert_eq!(ages, [("0-1", 2), ("2-7", 1), ("31-60", 1), ("61+", 1)]);
}

#[test]
fn the_same_facts_give_the_same_bytes_and_read_back() {
    let report = Report::of(&busy());
    let json = serde_json::to_string(&report).expect("JSON");
    assert_eq!(serde_json::to_string(&Report::of(&busy())).expect("JSON"), json);
    assert_eq!(serde_json::from_str::<Report>(&json).expect("it reads back"), report);
    assert!(report.sheets().iter().map(|sheet| sheet.name).eq(Sheet::NAMES));
    for sheet in report.sheets() {
        assert!(sheet.name.len() <= 31);
        assert!(sheet.rows.iter().all(|row| row.len() == sheet.columns.len()), "{}", sheet.name);
    }
}
