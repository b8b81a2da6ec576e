//! The naive computation of one day: what a report must say, from the list of what happened. Here: its head and its
//! figures.

use std::collections::BTreeMap;

use domain::report::amount::{Amount, Sum};
use domain::report::facts::{Inputs, Previous};
use domain::report::figures::{Figures, PriorLine, SourceFigures, TotalFigures};
use domain::report::{ProofFigures, Report, State};
use domain::reward::Step;
use domain::time::TimestampMs;

use super::happened::{Disposition, Happened, Happenings, date};
use super::scenario::HOUR_MS;

pub(super) const APPROVALS: [Step; 3] = [Step::Credit, Step::Hold, Step::Reapprove];
pub(super) const REVERSALS: [Step; 6] = [
    Step::ReverseCredited,
    Step::ReverseHeld,
    Step::ReverseRejected,
    Step::ReverseCreditedPart,
    Step::ReverseHeldPart,
    Step::ReverseRejectedPart,
];
/// Steps that reverse a part, after which the reward stands.
pub(super) const PARTS: [Step; 3] =
    [Step::ReverseCreditedPart, Step::ReverseHeldPart, Step::ReverseRejectedPart];
/// Steps that give to users, and steps that take from them.
pub(super) const GIVEN: [Step; 3] = [Step::Credit, Step::Release, Step::Overturn];
pub(super) const TAKEN: [Step; 4] =
    [Step::ReverseCredited, Step::ReverseCreditedPart, Step::UndoRelease, Step::UndoOverturn];

/// The computation for one day.
pub(super) struct Naive<'h> {
    pub(super) happenings: &'h Happenings,
    /// The number of the day.
    pub(super) today: i64,
    /// When the report is made.
    pub(super) now: i64,
    pub(super) state: State,
}

impl Naive<'_> {
    pub(super) fn report(&self) -> Report {
        let zone = self.happenings.zone;
        let (starts_at, ends_at) = self.bounds();
        let mut report = Report {
            date: date(self.today),
            zone: zone.tz.name().to_owned(),
            starts_at: TimestampMs(starts_at).rfc3339(),
            ends_at: TimestampMs(ends_at).rfc3339(),
            hours: (ends_at - starts_at) / HOUR_MS,
            state: self.state,
            ties_out: true,
            faults: Vec::new(),
            inputs: self.inputs(),
            sources: self.sources(),
            totals: TotalFigures {
                approved: self.paid(|it| APPROVALS.contains(&it.step)),
                reversed: self.paid(|it| REVERSALS.contains(&it.step)),
                net: self.figures(|_| true).net,
                currencies: self.currencies(),
            },
            prior_periods: self.prior_lines(|it| it.of.converted),
            late: self.prior_lines(|it| it.booked),
            cohorts: self.cohorts(),
            forecasts: self.forecasts(),
            receivables: self.receivables(),
            users: self.users(),
            debts: self.debts(),
            accounts: self.accounts(),
            holds: self.holds(),
            negative: self.negative(),
            top: self.top(),
            postbacks: self.postbacks(),
            cases: self.cases(),
            losses: self.losses(),
            proof: self.proof(),
        };
        for of in report.postbacks.iter().filter(|of| of.waiting > 0) {
            report.ties_out = false;
            report.faults.push(format!(
                "{}: {} postbacks were acknowledged, and {waiting} of them are not accounted for ({waiting} wait, 0 \
                 unexplained)",
                of.source,
                of.acknowledged,
                waiting = of.waiting
            ));
        }
        report
    }

    /// The first instant of the day and the first after it.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let zone = self.happenings.zone;
        (zone.starts_at(self.today), zone.starts_at(self.today + 1))
    }

    /// What the report of this day counts.
    fn counted(&self) -> impl Iterator<Item = &Happened> {
        self.happenings.steps.iter().filter(|it| it.counted == Some(self.today))
    }

    /// Number and payouts of what is counted and fulfils `is_it`.
    fn paid(&self, is_it: impl Fn(&Happened) -> bool) -> Sum {
        self.counted()
            .filter(|it| is_it(it))
            .map(|it| Sum::new(1, it.of.payout))
            .fold(Sum::default(), |a, b| a + b)
    }

    /// The same with rewards.
    fn rewarded(&self, is_it: impl Fn(&Happened) -> bool) -> Sum {
        self.counted()
            .filter(|it| is_it(it))
            .map(|it| Sum::new(1, it.of.reward))
            .fold(Sum::default(), |a, b| a + b)
    }

    fn figures(&self, is_it: impl Fn(&Happened) -> bool) -> Figures {
        let paid = |steps: &[Step]| self.paid(|it| is_it(it) && steps.contains(&it.step));
        let of = |step: Step| self.rewarded(|it| is_it(it) && it.step == step);
        let (approved, reversed) = (paid(&APPROVALS), paid(&REVERSALS));
        Figures {
            approved,
            reversed,
            net: Amount(approved.amount.0 - reversed.amount.0),
            credited: of(Step::Credit),
            held: of(Step::Hold),
            released: of(Step::Release) - of(Step::UndoRelease),
            rejected: of(Step::Reject) - of(Step::UndoReject),
            overturned: of(Step::Overturn) - of(Step::UndoOverturn),
            reversed_credited: of(Step::ReverseCredited),
            reversed_held: of(Step::ReverseHeld),
            reversed_rejected: of(Step::ReverseRejected),
            reversed_first: of(Step::ReverseUnseen).count,
            reversed_credited_part: of(Step::ReverseCreditedPart),
            reversed_held_part: of(Step::ReverseHeldPart),
            reversed_rejected_part: of(Step::ReverseRejectedPart),
            reapproved: of(Step::Reapprove),
        }
    }

    pub(super) fn sources(&self) -> Vec<SourceFigures> {
        let mut sources: Vec<_> = self.counted().map(|it| (it.of.source, it.of.currency)).collect();
        sources.sort_unstable();
        sources.dedup();
        let of = |(source, currency): (&str, &str)| SourceFigures {
            source: source.to_owned(),
            currency: currency.to_owned(),
            figures: self.figures(|it| it.of.source == source && it.of.currency == currency),
        };
        sources.into_iter().map(of).collect()
    }

    fn currencies(&self) -> Vec<SourceFigures> {
        let mut currencies: Vec<_> = self.counted().map(|it| it.of.currency).collect();
        currencies.sort_unstable();
        currencies.dedup();
        let of = |currency: &str| SourceFigures {
            source: String::new(),
            currency: currency.to_owned(),
            figures: self.figures(|it| it.of.currency == currency),
        };
        currencies.into_iter().map(of).collect()
    }

    /// What is counted today and belongs to a day before by `day`.
    fn prior_lines(&self, day: impl Fn(&Happened) -> i64) -> Vec<PriorLine> {
        let mut lines = BTreeMap::<_, (Sum, i64)>::new();
        for it in self.counted().filter(|it| day(it) < self.today) {
            let line = lines.entry((day(it), it.of.source, it.of.currency, it.step.name())).or_default();
            // A reversal that came first moves nothing, whatever else is known of its reward.
            let known = it.step != Step::ReverseUnseen;
            line.0 += Sum::new(1, if known { it.of.reward } else { 0 });
            line.1 += if known { it.of.payout } else { 0 };
        }
        let line =
            |((day, source, currency, step), (reward, payout)): ((i64, &str, &str, &str), (Sum, i64))| {
                PriorLine {
                    belongs_to: date(day),
                    source: source.to_owned(),
                    currency: currency.to_owned(),
                    step: step.to_owned(),
                    reward,
                    payout: Amount(payout),
                }
            };
        lines.into_iter().map(line).collect()
    }

    fn inputs(&self) -> Inputs {
        let judged =
            |it: &&Happened| it.booked == self.today && [Step::Credit, Step::Hold].contains(&it.step);
        let mut policies: Vec<_> =
            self.happenings.steps.iter().filter(judged).map(|it| it.policy.clone()).collect();
        policies.sort_unstable();
        policies.dedup();
        let before = self.happenings.closed.as_ref().filter(|closed| closed.day == self.today - 1);
        Inputs {
            transfers_upto: length(&self.happenings.transfers()),
            postbacks_upto: length(&self.happenings.postbacks),
            policies,
            previous: before.map(|closed| Previous {
                date: date(closed.day),
                hash: closed.hash.clone(),
                transfers_upto: closed.transfers,
            }),
        }
    }

    fn proof(&self) -> ProofFigures {
        let transfers = self.happenings.transfers();
        let sides = transfers.iter().flat_map(|it| [(&it.debit, it.currency), (&it.credit, it.currency)]);
        let mut accounts: Vec<_> = sides.collect();
        accounts.sort_unstable();
        accounts.dedup();
        let mut rewards: Vec<_> = self.happenings.steps.iter().map(|it| (it.of.source, &it.of.key)).collect();
        rewards.sort_unstable();
        rewards.dedup();
        ProofFigures {
            proven: true,
            accounts: length(&accounts),
            rewards: length(&rewards),
            differing_accounts: 0,
            differing_rewards: 0,
        }
    }

    /// How many postbacks of a source that were received today had one of these dispositions.
    pub(super) fn count_of(&self, source: &str, is_it: impl Fn(Disposition) -> bool) -> i64 {
        let (from, to) = self.bounds();
        let received = self.happenings.postbacks.iter().chain(&self.happenings.refused);
        let of_today = received.filter(|it| it.source == source && (from..to).contains(&it.received));
        of_today.map(|it| i64::from(is_it(it.disposition))).sum()
    }
}

pub(super) fn length<T>(of: &[T]) -> i64 {
    i64::try_from(of.len()).expect("not so many")
}
