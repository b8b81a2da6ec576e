//! The period of a statement: stated by a person, or proposed from the bulk of its lines; a line far off never
//! stretches it.
//!
//! The proposal is the shortest stretch of days that holds at least 95 % of the credits, and every day close to it.
//! Reversals may be dated by the conversion they undo: one that lies before the period is no outlier.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::StatementLine;
use super::matching::Period;
use crate::postback::event::Kind;
use crate::text::count;

/// The longest period, in days: a year and a month. A longer file is imported in parts.
pub const MAX_PERIOD_DAYS: i64 = 400;
/// How many different days are counted separately; with more, a person states the period.
const MAX_DAYS: usize = 2_000;
/// One line in this many may be outside the bulk.
const OUTSIDE_ONE_IN: i64 = 20;
/// Fewer credits than this show no pattern: within [`FEW_SPAN_DAYS`] nothing is an outlier.
const FEW: i64 = 20;
/// A month, in days.
const FEW_SPAN_DAYS: i64 = 31;
/// Days that always count as close to the bulk: a weekend.
const CLOSE_DAYS: i64 = 3;
/// How many days a line may be in the future, because of time zones.
const AHEAD_DAYS: i64 = 1;

/// Number of lines by day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// By date: credits and reversals.
    by_date: BTreeMap<String, (i64, i64)>,
    /// Number of lines without a day.
    undated: i64,
    /// Number of lines on days beyond [`MAX_DAYS`].
    further: i64,
}

/// A day outside the proposed period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// `YYYY-MM-DD`, or `further days`.
    pub day: String,
    /// Number of lines.
    pub lines: i64,
}

/// The period proposed to a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// The period, if the lines have days with a bulk.
    pub period: Option<Period>,
    /// Days outside it, by date.
    pub outliers: Vec<Outlier>,
}

impl Days {
    /// Counts `line` on its day.
    pub fn add(&mut self, line: &StatementLine) {
        let Some(day) = &line.day else {
            self.undated += 1;
            return;
        };
        if !self.by_date.contains_key(day) && self.by_date.len() >= MAX_DAYS {
            self.further += 1;
            return;
        }
        let (credits, reversals) = self.by_date.entry(day.clone()).or_default();
        match line.kind {
            Kind::Credit => *credits += 1,
            Kind::Reversal => *reversals += 1,
        }
    }

    /// How many lines there are.
    pub fn lines(&self) -> i64 {
        self.undated
            + self.further
            + self.by_date.values().map(|(credits, reversals)| credits + reversals).sum::<i64>()
    }

    /// Number of lines outside `period`.
    pub fn outside(&self, period: &Period) -> i64 {
        let is_outside = |day: &str| day < period.from.as_str() || day > period.to.as_str();
        let of_days = self.by_date.iter().filter(|(day, _)| is_outside(day));
        self.further + of_days.map(|(_, (credits, reversals))| credits + reversals).sum::<i64>()
    }

    /// The period of the lines, as seen on `today`.
    pub fn proposal(&self, today: NaiveDate) -> Proposal {
        let dated = self.dated();
        let usable = |(date, lines): &(NaiveDate, (i64, i64)), which: fn((i64, i64)) -> i64| {
            let ahead = date.signed_duration_since(today).num_days();
            (ahead <= AHEAD_DAYS && which(*lines) > 0).then_some((*date, which(*lines)))
        };
        let credits: Vec<_> = dated.iter().filter_map(|day| usable(day, |(credits, _)| credits)).collect();
        let reversals: Vec<_> =
            dated.iter().filter_map(|day| usable(day, |(_, reversals)| reversals)).collect();
        let bulk = bulk(if credits.is_empty() { &reversals } else { &credits });
        let Some((from, mut to)) = bulk else {
            return Proposal { period: None, outliers: self.all_days() };
        };
        // Reversals dated by themselves may go on where credits end; those before may be of older conversions.
        for &(date, _) in &reversals {
            if date > to && days_from(to, date) <= CLOSE_DAYS && days_from(from, date) < MAX_PERIOD_DAYS {
                to = date;
            }
        }
        let of_older = |date: NaiveDate, (credits, _): (i64, i64)| {
            credits == 0 && date < from && days_from(date, from) <= MAX_PERIOD_DAYS
        };
        let mut outliers: Vec<_> = dated
            .iter()
            .filter(|(date, lines)| (*date < from || *date > to) && !of_older(*date, *lines))
            .map(|(date, (credits, reversals))| Outlier { day: date.to_string(), lines: credits + reversals })
            .collect();
        outliers.extend(self.undatable());
        if self.further > 0 {
            outliers.push(Outlier { day: "further days".into(), lines: self.further });
        }
        Proposal { period: Some(Period { from: from.to_string(), to: to.to_string() }), outliers }
    }

    fn dated(&self) -> Vec<(NaiveDate, (i64, i64))> {
        self.by_date.iter().filter_map(|(day, lines)| Some((date(day)?, *lines))).collect()
    }

    /// Days that no calendar of ours has, such as those of the year 58811.
    fn undatable(&self) -> impl Iterator<Item = Outlier> + '_ {
        let strange = self.by_date.iter().filter(|(day, _)| date(day).is_none());
        strange.map(|(day, (credits, reversals))| Outlier { day: day.clone(), lines: credits + reversals })
    }

    fn all_days(&self) -> Vec<Outlier> {
        let of = |(day, (credits, reversals)): (&String, &(i64, i64))| Outlier {
            day: day.clone(),
            lines: credits + reversals,
        };
        self.by_date.iter().map(of).collect()
    }
}

impl Proposal {
    /// True if no line lies outside, so nobody has to be asked.
    pub fn is_certain(&self) -> bool {
        self.outliers.is_empty()
    }

    /// What a person is asked; `None` if nothing is uncertain.
    pub fn question(&self) -> Option<String> {
        const SHOWN: usize = 5;
        if self.is_certain() {
            return None;
        }
        let lines = |number: i64| count(number.unsigned_abs(), "line");
        let total: i64 = self.outliers.iter().map(|outlier| outlier.lines).sum();
        let days: Vec<_> =
            self.outliers.iter().take(SHOWN).map(|it| format!("{} ({})", it.day, lines(it.lines))).collect();
        let more = self.outliers.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more days") } else { String::new() };
        let days = days.join(", ");
        Some(match &self.period {
            Some(Period { from, to }) => format!(
                "most lines are dated {from} to {to}, but {} outside: {days}{more}; state the first and the last day",
                lines(total)
            ),
            None => format!(
                "its lines do not fit into {MAX_PERIOD_DAYS} days: {days}{more}; state the first and the \
                 last day"
            ),
        })
    }
}

/// What is wrong with a stated period; both dates are valid.
pub fn fault_of(from: NaiveDate, to: NaiveDate) -> Option<String> {
    if from > to {
        return Some("`from` is after `to`".into());
    }
    (days_from(from, to) >= MAX_PERIOD_DAYS)
        .then(|| format!("the period is longer than {MAX_PERIOD_DAYS} days: import the file in parts"))
}

/// A date that is written as every day in the tables is.
fn date(day: &str) -> Option<NaiveDate> {
    let parsed: NaiveDate = day.parse().ok()?;
    (parsed.to_string() == day && day.len() == 10).then_some(parsed)
}

fn days_from(earlier: NaiveDate, later: NaiveDate) -> i64 {
    later.signed_duration_since(earlier).num_days()
}

/// The shortest stretch with 95 % of the lines of `days` (in order of their dates, none empty), and all days close to
/// it; `None` if no stretch is short enough.
fn bulk(days: &[(NaiveDate, i64)]) -> Option<(NaiveDate, NaiveDate)> {
    let (first, last) = (days.first()?.0, days.last()?.0);
    let total: i64 = days.iter().map(|(_, lines)| lines).sum();
    if total < FEW && days_from(first, last) < FEW_SPAN_DAYS {
        return Some((first, last));
    }
    let needed = total - (total / OUTSIDE_ONE_IN).max(1).min(total - 1);
    let (mut low, mut held) = (0, 0);
    let mut best: Option<(i64, i64, usize, usize)> = None;
    for (high, &(date, lines)) in days.iter().enumerate() {
        held += lines;
        while let Some(&(from, of_first)) = days.get(low).filter(|(_, of_first)| held - of_first >= needed) {
            debug_assert!(from <= date, "days are in order");
            held -= of_first;
            low += 1;
        }
        let Some(&(from, _)) = days.get(low).filter(|_| held >= needed) else { continue };
        // Of two stretches of one length the one with more lines, and then the later one.
        let found = (days_from(from, date), -held, low, high);
        if best.is_none_or(|best| (found.0, found.1) <= (best.0, best.1)) {
            best = Some(found);
        }
    }
    let (_, _, mut low, mut high) = best?;
    let at = |index: usize| days.get(index).map(|(date, _)| *date);
    let inner = days.get(low..=high)?.windows(2).filter_map(|pair| match pair {
        [(earlier, _), (later, _)] => Some(days_from(*earlier, *later)),
        _ => None,
    });
    let close = CLOSE_DAYS.max(inner.max().unwrap_or(0) * 2);
    while let Some(before) = low.checked_sub(1).and_then(at)
        && days_from(before, at(low)?) <= close
    {
        low -= 1;
    }
    while let Some(after) = at(high + 1)
        && days_from(at(high)?, after) <= close
    {
        high += 1;
    }
    let (from, to) = (at(low)?, at(high)?);
    (days_from(from, to) < MAX_PERIOD_DAYS).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TODAY: &str = "2026-12-02";

    fn of(days: &[(&str, i64, i64)]) -> Days {
        let days = days.iter().map(|&(day, credits, reversals)| (day.to_owned(), (credits, reversals)));
        Days { by_date: days.collect(), ..Days::default() }
    }

    /// Ten credits on each day of November.
    fn november(more: &[(&'static str, i64, i64)]) -> Days {
        let mut days = of(more);
        for day in 1..=30 {
            days.by_date.entry(format!("2026-11-{day:02}")).or_default().0 += 10;
        }
        days
    }

    /// The first and the last day.
    type Span = Option<(String, String)>;

    fn proposed(days: &Days) -> (Span, Vec<(String, i64)>) {
        let proposal = days.proposal(TODAY.parse().expect("a date"));
        assert_eq!(proposal.question().is_none(), proposal.is_certain());
        (
            proposal.period.map(|period| (period.from, period.to)),
            proposal.outliers.into_iter().map(|it| (it.day, it.lines)).collect(),
        )
    }

    fn span(from: &str, to: &str) -> Span {
        Some((from, to)).map(|(from, to)| (from.to_owned(), to.to_owned()))
    }

    #[test]
    fn a_line_that_lies_far_off_never_stretches_the_period() {
        for day in [
            "0001-01-01",
            "1970-01-01",
            "2026-10-14",
            "2025-11-15",
            "2062-01-01",
            "2026-12-09",
            "+58811-04-01",
        ] {
            let (period, outliers) = proposed(&november(&[(day, 1, 0)]));
            assert_eq!(period, span("2026-11-01", "2026-11-30"), "{day}");
            assert_eq!(outliers, [(day.to_owned(), 1)]);
        }
        // As well in a file of a few lines, and with an outlier on either side.
        for few in
            [&[("1970-01-01", 1, 0), ("2026-11-23", 1, 0)][..], &[("1970-01-01", 1, 0), ("2026-11-23", 2, 0)]]
        {
            let (period, outliers) = proposed(&of(few));
            assert_eq!((period, outliers.len()), (span("2026-11-23", "2026-11-23"), 1));
        }
        let (period, outliers) = proposed(&november(&[("1970-01-01", 1, 0), ("2062-01-01", 1, 0)]));
        assert_eq!((period, outliers.len()), (span("2026-11-01", "2026-11-30"), 2));
    }

    #[test]
    fn a_reversal_may_be_dated_by_the_conversion_it_undoes() {
        let (period, outliers) = proposed(&november(&[("2026-10-14", 0, 1), ("2026-03-02", 0, 1)]));
        assert_eq!((period, outliers.len()), (span("2026-11-01", "2026-11-30"), 0));
        // But not by centuries, and not by the future.
        let (_, outliers) = proposed(&november(&[("1970-01-01", 0, 1), ("2062-01-01", 0, 1)]));
        assert_eq!(outliers.len(), 2);
        // Nor does a dense October of reversals belong to November.
        let october: Vec<_> = (1..=31).map(|day| format!("2026-10-{day:02}")).collect();
        let october: Vec<_> = october.iter().map(|day| (&**day, 0, 3)).collect();
        let mut days = of(&october);
        days.by_date.extend(november(&[]).by_date);
        assert_eq!(proposed(&days), (span("2026-11-01", "2026-11-30"), vec![]));
        // What is taken back after the last credit, on the day of taking back, still does.
        let (period, outliers) =
            proposed(&of(&[("2026-11-01", 30, 0), ("2026-11-02", 30, 1), ("2026-11-04", 0, 2)]));
        assert_eq!((period, outliers.len()), (span("2026-11-01", "2026-11-04"), 0));
        // A file of nothing but reversals has its own bulk.
        assert_eq!(proposed(&of(&[("2026-11-02", 0, 4)])).0, span("2026-11-02", "2026-11-02"));
    }

    #[test]
    fn thin_files_and_thin_edges_are_no_outliers() {
        for days in [
            &[("2026-11-01", 1, 0), ("2026-11-30", 1, 0)][..],
            &[("2026-11-01", 1, 0), ("2026-11-05", 1, 0), ("2026-11-20", 1, 0)],
            &[("2026-10-31", 1, 0), ("2026-11-01", 300, 0), ("2026-11-02", 300, 0), ("2026-11-05", 1, 0)],
        ] {
            let (from, to) = (days[0].0, days[days.len() - 1].0);
            assert_eq!(proposed(&of(days)), (span(from, to), vec![]));
        }
        let sparse: Vec<_> = (1..=30).map(|day| format!("2026-11-{day:02}")).collect();
        let sparse: Vec<_> = sparse.iter().map(|day| (&**day, 1, 0)).collect();
        assert_eq!(proposed(&of(&sparse)), (span("2026-11-01", "2026-11-30"), vec![]));
    }

    #[test]
    fn without_days_or_a_bulk_nothing_is_proposed() {
        assert_eq!(proposed(&Days { undated: 7, ..Days::default() }), (None, vec![]));
        let years: Vec<_> = (2000..2026).map(|year| format!("{year}-06-01")).collect();
        let years: Vec<_> = years.iter().map(|day| (&**day, 10, 0)).collect();
        let (period, outliers) = proposed(&of(&years));
        assert_eq!((period, outliers.len()), (None, 26));
    }

    #[test]
    fn a_stated_period_is_bounded() {
        let fault =
            |from: &str, to: &str| fault_of(from.parse().expect("a date"), to.parse().expect("a date"));
        assert_eq!(fault("2026-11-01", "2026-11-01"), None);
        assert_eq!(fault("2025-11-01", "2026-11-30"), None);
        assert!(fault("1970-01-01", "2026-11-30").is_some_and(|fault| fault.contains("400 days")));
        assert!(fault("2026-11-02", "2026-11-01").is_some_and(|fault| fault.contains("after")));
    }

    proptest! {
        #[test]
        fn a_proposal_is_bounded_and_every_line_is_inside_or_told(
            lines in proptest::collection::vec((-800_000_i64..20_000, 1_i64..20, 0_i64..3), 0..40)
        ) {
            let mut days = Days::default();
            for (offset, credits, reversals) in lines {
                let day = NaiveDate::default() + chrono::Duration::days(offset);
                days.by_date.insert(day.to_string(), (credits, reversals));
            }
            let proposal = days.proposal(TODAY.parse().expect("a date"));
            let Some(period) = &proposal.period else {
                prop_assert_eq!(proposal.outliers.len(), days.by_date.len());
                return Ok(());
            };
            let (from, to) = (date(&period.from).expect("a date"), date(&period.to).expect("a date"));
            prop_assert_eq!(fault_of(from, to), None);
            let listed: i64 = proposal.outliers.iter().map(|it| it.lines).sum();
            prop_assert!(days.outside(period) >= listed);
            let outside = |day: &str| *day < *period.from || *day > *period.to;
            for (day, _) in days.by_date.iter().filter(|(day, lines)| lines.0 > 0 && outside(day)) {
                prop_assert!(proposal.outliers.iter().any(|it| it.day == *day), "{}", day);
            }
        }
    }
}
