//! Thirty days of seeded chance, and every figure of every report against a computation that goes another way: row by
//! row over what happened, with the offsets of the zones written down by hand.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use domain::report::day::BusinessDay;
use domain::report::{Report, State};
use domain::review::Review;
use domain::reward::{Status, Step};
use domain::time::{DAY_MS, TimestampMs};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use store::inbox::Claim;
use store::reports::{Kept, ReportTerms};
use store::reviews::Reviewer;

use crate::database::Home;
use crate::story::{Call, GEMS_SOURCE, SOURCE, credit, processor_in, reversal, suspicious};
use crate::telling::ALL;

contract! {
    both:
        thirty_days_in_utc_are_as_a_naive_computation_has_them,
        thirty_days_in_new_york_while_clocks_go_forward_are_as_a_naive_computation_has_them,
        thirty_days_in_new_york_while_clocks_go_back_are_as_a_naive_computation_has_them,
        thirty_days_in_kolkata_are_as_a_naive_computation_has_them;
}

const DAYS: i64 = 30;
const HOUR_MS: i64 = 3_600_000;
const SOURCES: [(&str, &str); 2] = [(GEMS_SOURCE, "gems"), (SOURCE, "coins")];

/// From which instant on (unix milliseconds) a zone is how far ahead of UTC, in minutes.
type Offsets = &'static [(i64, i64)];

const UTC: Offsets = &[(0, 0)];
const KOLKATA: Offsets = &[(0, 330)];
/// 2026-03-08 07:00 UTC and 2026-11-01 06:00 UTC.
const NEW_YORK: Offsets = &[(0, -300), (1_772_953_200_000, -240), (1_793_512_800_000, -300)];

/// 2026-02-20, 2026-10-17: both with a change of clocks within thirty days.
const SPRING: i64 = 1_771_545_600_000;
const AUTUMN: i64 = 1_792_195_200_000;

/// The number of the local day of an instant.
fn day_of(at: i64, offsets: Offsets) -> i64 {
    let (_, minutes) = offsets.iter().rev().find(|(from, _)| at >= *from).expect("an offset");
    (at + minutes * 60_000).div_euclid(DAY_MS)
}

/// One step as it happened.
#[derive(Clone)]
struct Happened {
    source: String,
    currency: String,
    user: String,
    key: String,
    converted: i64,
    booked: i64,
    step: Step,
    reward: i64,
    payout: i64,
}

async fn thirty_days_in_utc_are_as_a_naive_computation_has_them(home: &Home) {
    check(home, Tz::UTC, UTC, SPRING, 1).await;
}

async fn thirty_days_in_new_york_while_clocks_go_forward_are_as_a_naive_computation_has_them(home: &Home) {
    check(home, chrono_tz::America::New_York, NEW_YORK, SPRING, 2).await;
}

async fn thirty_days_in_new_york_while_clocks_go_back_are_as_a_naive_computation_has_them(home: &Home) {
    check(home, chrono_tz::America::New_York, NEW_YORK, AUTUMN, 3).await;
}

async fn thirty_days_in_kolkata_are_as_a_naive_computation_has_them(home: &Home) {
    check(home, chrono_tz::Asia::Kolkata, KOLKATA, AUTUMN, 4).await;
}

async fn check(home: &Home, zone: Tz, offsets: Offsets, from: i64, seed: u64) {
    let happened = live(home, zone, from, seed).await;
    for step in Step::ALL.into_iter().filter(|step| step.undoes().is_none()) {
        assert!(happened.iter().any(|it| it.step == step), "nothing was taken through {}", step.name());
    }
    let first = day_of(happened.first().expect("something").booked, offsets);
    let last = day_of(from + DAYS * DAY_MS, offsets);
    for number in first..=last {
        let date = TimestampMs(number * DAY_MS).business_date(Tz::UTC);
        let day = BusinessDay::parse(&date, zone).expect("a date");
        let now = day.closed_at(24);
        let terms = ReportTerms { now, closed_at: now, retry_horizon_ms: HOUR_MS };
        let report = Report::of(&home.store.report_facts(day, terms).await.expect("the facts are read"));
        assert!(report.ties_out, "{date}: {:#?}", report.faults);
        assert_eq!(report.state, State::Final, "{date}");
        let naive = Naive { happened: &happened, offsets, today: number };
        naive.compare(&report);
        assert_eq!(home.store.keep_report(&report, now).await.expect("it is kept"), Kept::Now);
    }
    home.prove().await;
}

/// Lets thirty days pass by, and answers with every step that was taken.
async fn live(home: &Home, zone: Tz, from: i64, seed: u64) -> Vec<Happened> {
    let mut chance = SmallRng::seed_from_u64(seed);
    let processor = processor_in(zone);
    let mut happened: Vec<Happened> = Vec::new();
    let mut statuses: BTreeMap<(String, String), Status> = BTreeMap::new();
    let mut sent: Vec<Call> = Vec::new();
    let mut at = from;
    while at < from + DAYS * DAY_MS {
        at += chance.random_range(HOUR_MS / 2..4 * HOUR_MS);
        let mut calls = Vec::new();
        for _ in 0..chance.random_range(1..4) {
            let (source, _) = SOURCES[chance.random_range(0..SOURCES.len())];
            let key = format!("K{}-{}", happened.len(), chance.random_range(0..1_000_000));
            let user = format!("u{}", chance.random_range(0..6));
            let new = if chance.random_bool(0.3) { suspicious(&key) } else { credit(&key) };
            let offer = format!("o{}-{key}", chance.random_range(0..4));
            let new = new
                .of_source(source)
                .by(&user)
                .with("offer_id", offer)
                .with("reward", chance.random_range(1..900))
                .with("payout", format!("{}.{:02}", chance.random_range(0..3), chance.random_range(0..100)));
            calls.push(new.clone());
            sent.push(new);
            if chance.random_bool(0.15) {
                calls.push(sent[chance.random_range(0..sent.len())].clone());
            }
        }
        for _ in 0..3 {
            if chance.random_bool(0.3) {
                let known = happened[..].iter().map(|it| (&it.source, &it.key, &it.user)).collect::<Vec<_>>();
                if let Some((source, key, user)) =
                    (!known.is_empty()).then(|| known[chance.random_range(0..known.len())])
                {
                    calls.push(reversal(key).of_source(source).by(user));
                }
            }
        }
        if chance.random_bool(0.05) {
            calls.push(reversal(&format!("F{at}")).by("u0"));
        }
        let calls: Vec<_> = calls.into_iter().map(|call| call.received(at)).collect();
        home.record(&calls).await;
        // The worker may be behind.
        let booked = at + chance.random_range(0..HOUR_MS);
        let settlement = home.store.settle(Claim::First(ALL), processor.clone(), TimestampMs(booked)).await;
        for settled in settlement.expect("they are settled").rewards {
            let reward = &settled.reward;
            let name = (reward.source.clone(), reward.key.clone());
            statuses.insert(name.clone(), reward.status);
            let known = happened.iter().find(|it| (&it.source, &it.key) == (&name.0, &name.1));
            let converted = known.map_or(at, |it| it.converted);
            for step in &settled.steps {
                happened.push(Happened {
                    source: reward.source.clone(),
                    currency: reward.currency.clone(),
                    user: reward.user_id.clone(),
                    key: reward.key.clone(),
                    converted,
                    booked,
                    step: step.step,
                    reward: reward.reward.unwrap_or_default().0,
                    payout: reward.payout.unwrap_or_default().0,
                });
            }
        }
        if chance.random_bool(0.3) {
            review(home, zone, booked + 1, &mut chance, &mut statuses, &mut happened).await;
        }
        at = booked;
    }
    happened
}

async fn review(
    home: &Home,
    zone: Tz,
    now: i64,
    chance: &mut SmallRng,
    statuses: &mut BTreeMap<(String, String), Status>,
    happened: &mut Vec<Happened>,
) {
    let open: Vec<_> = statuses
        .iter()
        .filter(|(_, status)| matches!(status, Status::Held | Status::Rejected))
        .map(|(name, status)| (name.clone(), *status))
        .collect();
    if open.is_empty() {
        return;
    }
    let ((source, key), status) = open[chance.random_range(0..open.len())].clone();
    let release = status == Status::Rejected || chance.random_bool(0.5);
    let (decision, step) = match (status, release) {
        (Status::Rejected, _) => (Review::Release, Step::Overturn),
        (_, true) => (Review::Release, Step::Release),
        (_, false) => (Review::Reject, Step::Reject),
    };
    let sql = format!("SELECT id FROM rewards WHERE source = '{source}' AND event_key = '{key}'");
    let id = home.raw().await.number(&sql).await;
    let now = TimestampMs(now);
    let reviewer = Reviewer { actor: "ann".into(), note: None, now, business_date: now.business_date(zone) };
    home.store.review(id, decision, reviewer).await.expect("it is decided");
    let first = happened.iter().find(|it| it.source == source && it.key == key).expect("it began").clone();
    happened.push(Happened { booked: now.0, step, ..first });
    statuses.insert((source, key), step.to());
}

/// The naive computation for one day.
struct Naive<'h> {
    happened: &'h [Happened],
    offsets: Offsets,
    today: i64,
}

const REVERSALS: [Step; 3] = [Step::ReverseCredited, Step::ReverseHeld, Step::ReverseRejected];
const APPROVALS: [Step; 2] = [Step::Credit, Step::Hold];
const GIVEN: [Step; 3] = [Step::Credit, Step::Release, Step::Overturn];

impl Naive<'_> {
    fn booked(&self, it: &Happened) -> i64 {
        day_of(it.booked, self.offsets)
    }

    fn converted(&self, it: &Happened) -> i64 {
        day_of(it.converted, self.offsets)
    }

    /// Number, rewards and payouts of what fulfils `is_it`.
    fn sum(&self, is_it: impl Fn(&Happened) -> bool) -> (i64, i64, i64) {
        let all = self.happened.iter().filter(|it| is_it(it));
        all.fold((0, 0, 0), |sum, it| (sum.0 + 1, sum.1 + it.reward, sum.2 + it.payout))
    }

    fn compare(&self, report: &Report) {
        for (source, currency) in SOURCES {
            self.figures(report, source);
            self.receivable(report, source);
            self.cohorts(report, source);
            self.forecast(report, source, currency);
            self.holds(report, source);
            self.users(report, currency);
        }
        let (number, _, payout) =
            self.sum(|it| self.booked(it) == self.today && APPROVALS.contains(&it.step));
        assert_eq!((report.totals.approved.count, report.totals.approved.amount.0), (number, payout));
    }

    fn figures(&self, report: &Report, source: &str) {
        let today = |steps: &[Step]| {
            self.sum(|it| it.source == source && self.booked(it) == self.today && steps.contains(&it.step))
        };
        let Some(found) = report.sources.iter().find(|found| found.source == source) else {
            assert_eq!(today(&Step::ALL).0, 0, "{source} on {}", report.date);
            return;
        };
        let found = found.figures;
        let paid = |(number, _, payout)| (number, payout);
        let given = |(number, reward, _)| (number, reward);
        let of = |sum: domain::report::amount::Sum| (sum.count, sum.amount.0);
        assert_eq!(of(found.approved), paid(today(&APPROVALS)), "approved on {}", report.date);
        assert_eq!(of(found.reversed), paid(today(&REVERSALS)), "reversed on {}", report.date);
        assert_eq!(found.net.0, today(&APPROVALS).2 - today(&REVERSALS).2);
        for (found, step) in [
            (found.credited, Step::Credit),
            (found.held, Step::Hold),
            (found.released, Step::Release),
            (found.rejected, Step::Reject),
            (found.overturned, Step::Overturn),
            (found.reversed_credited, Step::ReverseCredited),
            (found.reversed_held, Step::ReverseHeld),
            (found.reversed_rejected, Step::ReverseRejected),
        ] {
            assert_eq!(of(found), given(today(&[step])), "{} on {}", step.name(), report.date);
        }
        assert_eq!(found.reversed_first, today(&[Step::ReverseUnseen]).0);
    }

    fn receivable(&self, report: &Report, source: &str) {
        let owed = |upto: i64| {
            let of = |steps: &[Step]| {
                self.sum(|it| it.source == source && self.booked(it) <= upto && steps.contains(&it.step)).2
            };
            of(&APPROVALS) - of(&REVERSALS)
        };
        let found = report.receivables.iter().find(|found| found.source == source);
        let found = found.map_or((0, 0), |found| (found.opening.0, found.closing.0));
        assert_eq!(found, (owed(self.today - 1), owed(self.today)), "{source} owes on {}", report.date);
    }

    fn users(&self, report: &Report, currency: &str) {
        let balances = |upto: i64| {
            let mut balances = BTreeMap::<&str, i64>::new();
            for it in self.happened.iter().filter(|it| it.currency == currency && self.booked(it) <= upto) {
                let delta = if GIVEN.contains(&it.step) {
                    it.reward
                } else if it.step == Step::ReverseCredited {
                    -it.reward
                } else {
                    0
                };
                *balances.entry(&it.user).or_default() += delta;
            }
            balances
        };
        let (before, behind) = (balances(self.today - 1), balances(self.today));
        let found = report.users.iter().find(|found| found.currency == currency);
        let found = found.map_or((0, 0), |found| (found.opening.0, found.closing.0));
        assert_eq!(found, (before.values().sum(), behind.values().sum()), "users on {}", report.date);
    }

    fn holds(&self, report: &Report, source: &str) {
        let mut held = BTreeMap::<&str, (&Happened, bool)>::new();
        for it in self.happened.iter().filter(|it| it.source == source && self.booked(it) <= self.today) {
            let entry = held.entry(&it.key).or_insert((it, false));
            entry.1 = it.step == Step::Hold;
        }
        let mut expected = BTreeMap::<String, (i64, i64, i64)>::new();
        for (it, _) in held.into_values().filter(|(_, held)| *held) {
            let days = match self.today - self.booked(it) {
                0..=1 => "0-1",
                2..=7 => "2-7",
                8..=30 => "8-30",
                _ => "31-60",
            };
            let sum = expected.entry(days.into()).or_default();
            *sum = (sum.0 + 1, sum.1 + it.reward, sum.2 + it.payout);
        }
        let found = report.holds.iter().filter(|found| found.source == source);
        let found: BTreeMap<_, _> = found
            .map(|age| (age.days.clone(), (age.reward.count, age.reward.amount.0, age.payout.0)))
            .collect();
        assert_eq!(found, expected, "{source} on {}", report.date);
    }

    fn cohorts(&self, report: &Report, source: &str) {
        let Some(table) = report.cohorts.iter().find(|table| table.source == source) else { return };
        for row in &table.rows {
            let day = BusinessDay::parse(&row.converted, Tz::UTC).expect("a date").starts_at().0 / DAY_MS;
            let of_day = |it: &Happened| it.source == source && self.converted(it) == day;
            let approved =
                self.sum(|it| of_day(it) && self.booked(it) <= self.today && APPROVALS.contains(&it.step));
            assert_eq!((row.approved.count, row.approved.amount.0), (approved.0, approved.2));
            for (age, cell) in table.ages.iter().zip(&row.cells) {
                if day + age > self.today {
                    assert_eq!(*cell, None, "the cell of age {age} is open");
                    continue;
                }
                let lost =
                    self.sum(|it| of_day(it) && self.booked(it) <= day + age && REVERSALS.contains(&it.step));
                let cell = cell.expect("the cell is closed");
                assert_eq!((cell.reversed.count, cell.reversed.amount.0), (lost.0, lost.2));
                assert_eq!(cell.count_ppm, nearest(i128::from(lost.0) * 1_000_000, i128::from(approved.0)));
            }
        }
    }

    fn forecast(&self, report: &Report, source: &str, currency: &str) {
        // By conversion day: approved payouts, approved rewards, what users have; then losses by age.
        let known = |it: &&Happened| it.source == source && self.booked(it) <= self.today;
        let mut cohorts = BTreeMap::<i64, (i64, i64, i64, i64)>::new();
        let mut lost = BTreeMap::<(i64, i64), (i64, i64)>::new();
        for it in self.happened.iter().filter(known) {
            let cohort = cohorts.entry(self.converted(it)).or_default();
            if APPROVALS.contains(&it.step) {
                *cohort = (cohort.0 + it.payout, cohort.1 + it.reward, cohort.2, cohort.3 + 1);
            }
            if GIVEN.contains(&it.step) {
                cohort.2 += it.reward;
            } else if it.step == Step::ReverseCredited {
                cohort.2 -= it.reward;
            }
            if REVERSALS.contains(&it.step) {
                let age = self.booked(it) - self.converted(it);
                let sum = lost.entry((self.converted(it), age)).or_default();
                *sum = (sum.0 + it.payout, sum.1 + it.reward);
            }
        }
        cohorts.retain(|_, cohort| cohort.3 > 0);
        let Some(oldest) = cohorts.keys().next().map(|day| self.today - day) else { return };
        let (mut payout, mut rewards, mut exposure) = (0, 0, 0);
        for (day, cohort) in &cohorts {
            for age in self.today - day + 1..=oldest {
                let reached = cohorts.iter().filter(|(day, _)| self.today - **day >= age);
                let (mut lost_sum, mut whole) = ((0_i128, 0_i128), (0_i128, 0_i128));
                for (day, cohort) in reached {
                    let of_age = lost.get(&(*day, age)).copied().unwrap_or_default();
                    lost_sum = (lost_sum.0 + i128::from(of_age.0), lost_sum.1 + i128::from(of_age.1));
                    whole = (whole.0 + i128::from(cohort.0), whole.1 + i128::from(cohort.1));
                }
                payout += nearest(i128::from(cohort.0) * lost_sum.0, whole.0);
                rewards += nearest(i128::from(cohort.1) * lost_sum.1, whole.1);
                exposure += nearest(i128::from(cohort.2) * lost_sum.1, whole.1);
            }
        }
        let found = report.forecasts.iter().find(|found| found.source == source).expect("a forecast");
        assert_eq!(found.currency, currency);
        assert_eq!(
            (found.expected_payout.0, found.expected_rewards.0, found.exposure.0, found.observed_days),
            (payout, rewards, exposure, oldest),
            "{source} on {}",
            report.date
        );
    }
}

/// The whole number nearest to `part / whole`; the even one of two.
fn nearest(part: i128, whole: i128) -> i64 {
    if whole == 0 {
        return 0;
    }
    let below = (part - part.rem_euclid(whole)) / whole;
    let candidates = [below, below + 1];
    let distance = |candidate: &i128| ((part - candidate * whole).abs(), candidate % 2);
    let nearest = candidates.into_iter().min_by_key(|it| (distance(it).0, distance(it).1.abs()));
    i64::try_from(nearest.expect("two")).expect("in range")
}
