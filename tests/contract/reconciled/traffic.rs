//! The naive computation: what became of the day's postbacks, and when nobody listened.

use domain::report::PostbackFigures;
use domain::report::losses::LossWindow;
use domain::reward::Step;
use domain::time::TimestampMs;

use super::happened::Fate;
use super::naive::{Naive, REVERSALS};
use super::reported::RETRY_HORIZON_MS;

impl Naive<'_> {
    pub(super) fn postbacks(&self) -> Vec<PostbackFigures> {
        let mut sources: Vec<_> =
            self.happenings.postbacks.iter().chain(&self.happenings.refused).map(|it| it.source).collect();
        sources.sort_unstable();
        sources.dedup();
        sources.retain(|source| self.fated(source, |_| true) > 0);
        let of = |source: &str| PostbackFigures {
            source: source.to_owned(),
            acknowledged: self.fated(source, |fate| fate != Fate::Refused),
            credits: self.fated(source, |fate| fate == Fate::Did(Step::Credit)),
            holds: self.fated(source, |fate| fate == Fate::Did(Step::Hold)),
            reversals: self.fated(source, |fate| REVERSALS.map(Fate::Did).contains(&fate)),
            reversals_first: self.fated(source, |fate| fate == Fate::Did(Step::ReverseUnseen)),
            reversed_before: self.fated(source, |fate| fate == Fate::ReversedBefore),
            repeats: self.fated(source, |fate| fate == Fate::Repeat),
            conflicts: self.fated(source, |fate| fate == Fate::Conflict),
            quarantined: self.fated(source, |fate| fate == Fate::Quarantined),
            information: self.fated(source, |fate| fate == Fate::Information),
            waiting: self.fated(source, |fate| fate == Fate::Waiting),
            unexplained: 0,
            refused: self.fated(source, |fate| fate == Fate::Refused),
        };
        sources.into_iter().map(of).collect()
    }

    pub(super) fn losses(&self) -> Vec<LossWindow> {
        let (starts_at, ends_at) = self.bounds();
        // Whoever was last heard too long ago is silent still.
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
