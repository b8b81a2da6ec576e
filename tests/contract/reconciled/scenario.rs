//! Thirty days of seeded chance: what networks send, what people decide, what is paid, who listens; and the reports that
//! are made meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::batch::{BatchOutcome, Outcome, REVERSED_BEFORE};
use domain::policy::Policy;
use domain::review::reversal::Situation;
use domain::reward::{Status, Step};
use domain::time::{DAY_MS, TimestampMs};
use jobs::postbacks::process::Processor;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use store::postbacks::inbox::Claim;
use store::postbacks::refused::NewRefused;

use super::happened::{Case, Disposition, Happenings, Incoming, Moved, Terms, Zone, date};
use super::network::SKEW_MS;
use super::people::Desk;
use super::reported::Reports;
use crate::support::database::Home;
use crate::support::postbacks::{
    Call, GEMS_SOURCE, RETRY_HORIZON_MS, SECOND_SOURCE, SOURCE, app_of, credit, processed, processor_in,
    processor_under,
};
use crate::support::processing::ALL;

pub(super) const DAYS: i64 = 30;
pub(super) const HOUR_MS: i64 = 3_600_000;
/// Two in one currency, two of one app.
pub(super) const SOURCES: [(&str, &str); 3] =
    [(GEMS_SOURCE, "gems"), (SOURCE, "coins"), (SECOND_SOURCE, "coins")];
pub(super) const USERS: i64 = 5;

/// What is known of a reward.
#[derive(Clone)]
pub(super) struct Known {
    /// As its credit says, or its reversal as long as nothing else came.
    pub(super) of: Terms,
    pub(super) status: Status,
    /// What is left of it: reward and payout.
    pub(super) left: (i64, i64),
    pub(super) has_credit: bool,
    /// The last step that it took.
    pub(super) last: Option<Step>,
}

/// Everything that goes on.
pub(super) struct Scenario<'h> {
    pub(super) home: &'h Home,
    pub(super) zone: Zone,
    pub(super) chance: SmallRng,
    pub(super) happenings: Happenings,
    /// Each reward, as far as it is known.
    pub(super) rewards: BTreeMap<(&'static str, String), Known>,
    /// Credits that may come again.
    pub(super) sent: Vec<Call>,
    /// Credits that their reversal overtook.
    pub(super) overtaken: Vec<Call>,
    processor: Arc<Processor>,
    began: i64,
}

/// Runs thirty days from `from`, and compares every report that is made.
pub(super) async fn live(home: &Home, zone: Zone, from: i64, seed: u64) -> Reports {
    let mut scenario = Scenario {
        home,
        zone,
        chance: SmallRng::seed_from_u64(seed),
        happenings: Happenings::new(zone, from),
        rewards: BTreeMap::new(),
        sent: Vec::new(),
        overtaken: Vec::new(),
        processor: processor_in(zone.tz),
        began: from,
    };
    let mut reports = Reports::new(zone.day_of(from));
    let mut desk = Desk::new(home, from);
    scenario.spend_before(from).await;
    let (mut at, mut change) = (from, from + DAYS / 2 * DAY_MS + 10 * HOUR_MS);
    while at < from + DAYS * DAY_MS {
        let before = at;
        at += scenario.chance.random_range(HOUR_MS / 2..4 * HOUR_MS);
        at = scenario.near_midnight(at);
        desk.listen(&mut scenario, before, at).await;
        reports.close(&mut scenario, at).await;
        if at >= change {
            scenario.stricter().await;
            change = i64::MAX;
        }
        let calls = scenario.calls(at);
        scenario.record(&calls, at).await;
        // The worker may be behind, and its clock may be wrong by a day or two.
        let behind = scenario.chance.random_range(0..2 * HOUR_MS);
        at += behind;
        desk.listen_until(&mut scenario, at).await;
        reports.look_in(&mut scenario, at - behind, at).await;
        let wrong = scenario.late(at, 0.1);
        scenario.process(wrong).await;
        // Nothing waits any more.
        reports.look_in(&mut scenario, at - behind, at).await;
        desk.decide(&mut scenario, at).await;
        if scenario.chance.random_bool(0.08) {
            let paid = scenario.late(at, 0.3);
            scenario.pay(paid).await;
        }
    }
    reports.close(&mut scenario, at + 2 * DAY_MS).await;
    reports.happenings = Some(scenario.happenings);
    reports
}

impl Scenario<'_> {
    /// One of these, at random.
    pub(super) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.chance.random_range(0..of.len())].clone()
    }

    /// `at`, or if midnight is near a little after that: what is received then is of either day.
    fn near_midnight(&mut self, at: i64) -> i64 {
        let midnight = self.zone.starts_at(self.zone.day_of(at) + 1);
        let near = midnight - at < 4 * HOUR_MS && self.chance.random_bool(0.5);
        if near { midnight + self.chance.random_range(0..SKEW_MS) } else { at }
    }

    /// `at`, or with some `probability` what a clock says that is wrong: a day that may be closed already.
    pub(super) fn late(&mut self, at: i64, probability: f64) -> i64 {
        let behind = self.chance.random_range(10 * HOUR_MS..50 * HOUR_MS);
        // Nothing may be booked before the first day of which there is a report.
        let known = at - behind > self.began + DAY_MS;
        if self.chance.random_bool(probability) && known { at - behind } else { at }
    }

    /// Books what users spent before the first day: they owe it, and earn it back.
    async fn spend_before(&mut self, from: i64) {
        for (source, currency) in SOURCES {
            for user in 0..USERS {
                let amount = (user + 1) * 500_000_000;
                let debit = format!("user:{}/u{user}", app_of(source));
                let credit = format!("spent:{}", app_of(source));
                self.book(Moved { counted: 0, debit, credit, currency, amount }, from - 2 * DAY_MS).await;
            }
        }
    }

    async fn pay(&mut self, at: i64) {
        let (source, _) = self.one(&SOURCES);
        let amount = self.chance.random_range(1..9_000_000);
        let (debit, credit) = (format!("paid:{source}"), format!("network:{source}"));
        let counted = self.happenings.counted(at);
        self.book(Moved { counted, debit, credit, currency: "USD", amount }, at).await;
    }

    /// Books a transfer of no reward.
    async fn book(&mut self, moved: Moved, at: i64) {
        let Moved { debit, credit, currency, amount, .. } = &moved;
        let day = date(self.zone.day_of(at));
        let account = |name: &str| {
            format!("(SELECT id FROM accounts WHERE name = '{name}' AND currency = '{currency}')")
        };
        let sql = format!(
            "INSERT INTO accounts (name, currency, balance_micros)
             VALUES ('{debit}', '{currency}', 0), ('{credit}', '{currency}', 0) ON CONFLICT DO NOTHING;
             UPDATE accounts SET balance_micros = balance_micros - {amount} WHERE id = {from};
             UPDATE accounts SET balance_micros = balance_micros + {amount} WHERE id = {to};
             INSERT INTO transfers (debit_id, credit_id, amount_micros, currency, booked_at, business_date)
             VALUES ({from}, {to}, {amount}, '{currency}', {at}, '{day}')",
            from = account(debit),
            to = account(credit),
        );
        self.home.raw().await.execute(&sql).await;
        self.happenings.moved.push(moved);
    }

    /// Switches to another policy.
    async fn stricter(&mut self) {
        let policy = Policy::parse("hold_at = 49").expect("a policy");
        self.home.keep(&policy).await;
        self.processor = processor_under(policy, self.zone.tz);
    }

    async fn record(&mut self, calls: &[Call], at: i64) {
        self.home.record(calls).await;
        for call in calls {
            let source = named(call.source());
            let received = call.received_at();
            self.happenings.postbacks.push(Incoming { source, received, disposition: Disposition::Waiting });
            self.know(call);
        }
        if self.chance.random_bool(0.2) {
            let (source, _) = self.one(&SOURCES);
            let call = credit("R").of_source(source).received(at).postback();
            let refused = NewRefused { call, reason: "wrong".into() };
            self.home.store.keep_refused(vec![refused]).await.expect("it is kept");
            self.happenings.refused.push(Incoming {
                source,
                received: at,
                disposition: Disposition::Refused,
            });
        }
    }

    /// The first postback under a key counts.
    fn know(&mut self, call: &Call) {
        let Some((source, currency)) = SOURCES.into_iter().find(|(source, _)| *source == call.source())
        else {
            return;
        };
        let key = call.param("tx_id").to_owned();
        if key.is_empty() {
            return;
        }
        let micros = |name: &str| {
            let text = call.param(name);
            let (units, decimals) = text.split_once('.').unwrap_or((text, ""));
            format!("{units}{decimals:0<6}").parse().unwrap_or(0)
        };
        let of = Terms {
            source,
            currency,
            user: format!("user:{}/{}", app_of(source), call.param("user_id")),
            key: key.clone(),
            offer: call.param("offer_id").to_owned(),
            country: call.param("country_code").to_owned(),
            sub1: call.param("sub1").to_owned(),
            converted: self.zone.day_of(call.received_at()),
            reward: micros("reward"),
            payout: micros("payout"),
        };
        let is_credit = call.param("status") == "1";
        let known = self.rewards.entry((source, key)).or_insert_with(|| Known {
            left: (of.reward, of.payout),
            of: of.clone(),
            // The status is the one after its first step.
            status: Status::Reversed,
            has_credit: is_credit,
            last: None,
        });
        if is_credit && !known.has_credit {
            known.left = (of.reward, of.payout);
            known.of = Terms { converted: known.of.converted, ..of };
            known.has_credit = true;
        }
    }

    async fn process(&mut self, booked: i64) {
        let outcome =
            processed(&self.home.store, Claim::First(ALL), self.processor.clone(), TimestampMs(booked)).await;
        let BatchOutcome { rewards, postbacks, cases, .. } = outcome.expect("they are settled");
        for case in &cases {
            let reward = &rewards[case.reward].reward;
            self.case(named(&reward.source), &reward.key, case, booked);
        }
        for processed in postbacks {
            let disposition = match (processed.outcome, processed.reason.as_deref()) {
                (Outcome::Repeat, _) => Disposition::Repeat,
                (Outcome::Quarantined, _) => Disposition::Quarantined,
                (Outcome::Information | Outcome::Test, _) => Disposition::Information,
                (Outcome::Processed, Some(REVERSED_BEFORE)) => Disposition::ReversedBefore,
                // Unless it took a step, which is looked at next.
                (Outcome::Processed, _) => Disposition::Conflict,
            };
            self.postback(processed.postback_id).disposition = disposition;
        }
        for settled in rewards {
            let name = (named(&settled.reward.source), settled.reward.key.clone());
            if settled.details.is_some() && settled.reward.credit_seen {
                self.end_cases(&name, booked, |situation| situation == Situation::Orphan);
            }
            for taken in settled.steps {
                self.postback(taken.postback_id.expect("a postback")).disposition =
                    Disposition::Did(taken.step);
                self.take(&name, taken.step, booked);
            }
        }
    }

    pub(super) fn postback(&mut self, id: i64) -> &mut Incoming {
        let index = usize::try_from(id - 1).expect("ids begin with 1");
        &mut self.happenings.postbacks[index]
    }

    /// Notes a step of the reward of this name.
    pub(super) fn take(&mut self, name: &(&'static str, String), step: Step, booked: i64) {
        let known = self.rewards.get(name).expect("it is known");
        let all = (known.of.reward, known.of.payout);
        let moved = if step == Step::Reapprove { all } else { known.left };
        self.take_some(name, step, moved, booked);
        if step.from().is_some() && step.to() == Status::Reversed {
            self.end_cases(name, booked, |situation| situation != Situation::Orphan);
        }
    }

    /// The same with so much of it: reward and payout.
    pub(super) fn take_some(
        &mut self,
        name: &(&'static str, String),
        step: Step,
        (reward, payout): (i64, i64),
        booked: i64,
    ) {
        let known = self.rewards.get_mut(name).expect("it is known");
        known.status = step.to();
        known.last = Some(step);
        if step == Step::Reapprove {
            known.left = (reward, payout);
        } else if step.from() == Some(step.to()) {
            known.left = (known.left.0 - reward, known.left.1 - payout);
        }
        let of = Terms { reward, payout, ..known.of.clone() };
        self.happenings.step(of, step, booked, self.processor.policy.version());
    }

    /// Notes a case that was raised.
    fn case(&mut self, source: &'static str, key: &str, case: &domain::batch::NewCase, booked: i64) {
        let known = &self.rewards[&(source, key.to_owned())];
        let (reward, payout) = known.left;
        let said = case.said.reward.map_or(reward, |said| said.0).min(reward);
        let stake = match case.situation {
            Situation::Orphan => 0,
            _ if reward == 0 => payout,
            _ => super::cohorts::nearest(i128::from(payout) * i128::from(said), i128::from(reward)),
        };
        let due = match case.situation {
            Situation::Orphan => case.raised_at.0 + RETRY_HORIZON_MS,
            Situation::OtherUser | Situation::Part => booked,
        };
        self.happenings.cases.push(Case {
            source,
            key: key.to_owned(),
            situation: case.situation,
            due,
            ended: None,
            stake,
        });
    }

    /// Ends the cases of a reward.
    fn end_cases(&mut self, name: &(&'static str, String), at: i64, which: impl Fn(Situation) -> bool) {
        for case in &mut self.happenings.cases {
            if (case.source, &case.key) == (name.0, &name.1) && which(case.situation) {
                case.ended = case.ended.or(Some(at));
            }
        }
    }
}

/// The source of that name.
fn named(source: &str) -> &'static str {
    let known = SOURCES.into_iter().map(|(name, _)| name).chain(["nobody"]);
    known.into_iter().find(|name| *name == source).expect("one of ours")
}
