//! The naive computation: the outcomes of the day's postbacks, and when no process listened.

use domain::report::amount::Sum;
use domain::report::losses::LossWindow;
use domain::report::{CaseFigures, PostbackFigures};
use domain::reward::Step;
use domain::time::TimestampMs;

use super::happened::Disposition;
use super::naive::{Naive, REVERSALS};
use super::reported::RETRY_HORIZON_MS;

impl Naive<'_> {
    pub(super) fn postbacks(&self) -> Vec<PostbackFigures> {
        let mut sources: Vec<_> =
            self.happenings.postbacks.iter().chain(&self.happenings.refused).map(|it| it.source).collect();
        sources.sort_unstable();
        sources.dedup();
        sources.retain(|source| self.count_of(source, |_| true) > 0);
        let of = |source: &str| PostbackFigures {
            source: source.to_owned(),
            acknowledged: self.count_of(source, |disposition| disposition != Disposition::Refused),
            credits: self.count_of(source, |disposition| disposition == Disposition::Did(Step::Credit)),
            holds: self.count_of(source, |disposition| disposition == Disposition::Did(Step::Hold)),
            reversals: self
                .count_of(source, |disposition| REVERSALS.map(Disposition::Did).contains(&disposition)),
            reversals_first: self
                .count_of(source, |disposition| disposition == Disposition::Did(Step::ReverseUnseen)),
            reversed_before: self.count_of(source, |disposition| disposition == Disposition::ReversedBefore),
            reapprovals: self
                .count_of(source, |disposition| disposition == Disposition::Did(Step::Reapprove)),
            repeats: self.count_of(source, |disposition| disposition == Disposition::Repeat),
            conflicts: self.count_of(source, |disposition| disposition == Disposition::Conflict),
            quarantined: self.count_of(source, |disposition| disposition == Disposition::Quarantined),
            information: self.count_of(source, |disposition| disposition == Disposition::Information),
            // The scenario has none.
            tests: 0,
            waiting: self.count_of(source, |disposition| disposition == Disposition::Waiting),
            unexplained: 0,
            refused: self.count_of(source, |disposition| disposition == Disposition::Refused),
        };
        sources.into_iter().map(of).collect()
    }

    /// Cases raised before the end of the day and not ended before its beginning.
    pub(super) fn cases(&self) -> Vec<CaseFigures> {
        let (starts_at, ends_at) = self.bounds();
        let mut figures = Vec::<CaseFigures>::new();
        for case in &self.happenings.cases {
            let was_open_before = case.ended.is_none_or(|ended| ended >= starts_at && ended >= case.due);
            if case.due >= ends_at || !was_open_before {
                continue;
            }
            let index =
                figures.iter().position(|it| it.source == case.source && it.situation == case.situation);
            let index = index.unwrap_or_else(|| {
                figures.push(CaseFigures {
                    source: case.source.to_owned(),
                    situation: case.situation,
                    raised: 0,
                    ended: 0,
                    open: Sum::default(),
                });
                figures.len() - 1
            });
            let of = &mut figures[index];
            of.raised += i64::from(case.due >= starts_at);
            if case.ended.is_some_and(|ended| ended < ends_at) {
                of.ended += 1;
            } else {
                of.open += Sum::new(1, case.stake);
            }
        }
        figures.sort_unstable_by_key(|it| (it.source.clone(), it.situation.name()));
        figures
    }

    pub(super) fn losses(&self) -> Vec<LossWindow> {
        let (starts_at, ends_at) = self.bounds();
        // A process last heard too long ago is still silent.
        let lasting = (self.happenings.heard_until, self.now);
        let lasting = Some(lasting).filter(|(from, to)| to - from > 75_000);
        let silences = self.happenings.silences.iter().copied().chain(lasting);
        let today = silences.filter(|(from, to)| *from < ends_at && *to > starts_at);
        let window = |(from, to): (i64, i64)| LossWindow {
            from: TimestampMs(from.max(starts_at)).rfc3339(),
            to: TimestampMs(to.min(ends_at)).rfc3339(),
            seconds: (to - from) / 1_000,
            beyond_retries: to - from > RETRY_HORIZON_MS,
        };
        today.map(window).collect()
    }
}
