//! What a run did: calls by variety and by answer, throughput, latencies.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};

use super::answer::{Answer, Heard};
use super::call::Call;
use super::expected::Expected;
use super::mix::Variety;

/// Longer latencies are counted as this: an hour, far above the request time-out.
const MAX_LATENCY_US: u64 = 3_600_000_000;

/// Unexpected answers that are shown; all are counted.
const KEPT_UNEXPECTED: usize = 5;

/// What a run did; `Display` formats it for a terminal.
#[derive(Clone, Debug)]
pub struct Report {
    /// Number of connections.
    pub connections: usize,
    /// Calls per second; 0: closed loop.
    pub rate_per_s: u32,
    /// From the start to the last answer.
    pub elapsed: Duration,
    /// Answers by the variety of the event. The genuine call behind a changed amount counts as honest.
    pub tallies: BTreeMap<Variety, Tally>,
    /// Attempts after the first; the tallies include them.
    pub retries: u64,
    /// Answers that no healthy gateway gives, see [`Call::is_unexpected`].
    pub unexpected: u64,
    /// The first of them, one line each.
    pub first_unexpected: Vec<String>,
    /// Why the first call without an answer had none.
    pub no_answer: Option<String>,
    /// Every event and what was acknowledged, for `check`; `None` unless the options asked for it.
    pub expected: Option<Expected>,
    latency_us: Histogram<u64>,
}

/// Calls by answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All calls.
    pub calls: u64,
    /// As the network takes it.
    pub acknowledged: u64,
    /// Status 403, or as the network is told that its signature is wrong.
    pub refused: u64,
    /// Status 429 or 500 and above, or as the network is told to send it again.
    pub unavailable: u64,
    /// Any other answer.
    pub other: u64,
    /// No connection, or no answer in time.
    pub unanswered: u64,
}

/// Latencies in microseconds, each from the scheduled instant to the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Median.
    pub p50_us: u64,
    /// 90th percentile.
    pub p90_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
}

impl Report {
    /// `remember`: keeps every event in `expected`.
    pub(super) fn new(connections: usize, rate_per_s: u32, remember: bool) -> Result<Self, CreationError> {
        Ok(Self {
            connections,
            rate_per_s,
            elapsed: Duration::ZERO,
            tallies: BTreeMap::new(),
            retries: 0,
            unexpected: 0,
            first_unexpected: Vec::new(),
            no_answer: None,
            expected: remember.then(Expected::default),
            latency_us: Histogram::new_with_bounds(1, MAX_LATENCY_US, 3)?,
        })
    }

    /// Counts one call.
    pub(super) fn add(&mut self, call: &Call, answer: &Answer) {
        let variety = match call.event.variety {
            Variety::Forged if call.is_genuine() => Variety::Honest,
            variety => variety,
        };
        self.tallies.entry(variety).or_default().add(answer);
        if answer.status.is_none() {
            self.no_answer.get_or_insert_with(|| answer.text.clone());
        }
        self.retries += u64::from(answer.attempt > 1);
        self.latency_us.saturating_record(answer.latency_us);
        if call.is_unexpected(answer) {
            self.unexpected += 1;
            if self.first_unexpected.len() < KEPT_UNEXPECTED {
                let status = answer.status.unwrap_or_default();
                let (tx, text) = (call.event.tx_id(), &answer.text);
                self.first_unexpected.push(format!("{} {tx}: answered {status} {text:?}", call.act));
            }
        }
        if let Some(expected) = &mut self.expected {
            expected.observe(call, answer);
        }
    }

    /// All calls together.
    pub fn total(&self) -> Tally {
        self.tallies.values().fold(Tally::default(), |sum, tally| Tally {
            calls: sum.calls + tally.calls,
            acknowledged: sum.acknowledged + tally.acknowledged,
            refused: sum.refused + tally.refused,
            unavailable: sum.unavailable + tally.unavailable,
            other: sum.other + tally.other,
            unanswered: sum.unanswered + tally.unanswered,
        })
    }

    /// Why no call was answered; `None` if one was.
    pub fn nobody_answered(&self) -> Option<&str> {
        let total = self.total();
        self.no_answer.as_deref().filter(|_| total.calls > 0 && total.unanswered == total.calls)
    }

    /// The latencies of all calls, whatever their answer.
    pub fn latencies(&self) -> Latencies {
        let quantile = |quantile| self.latency_us.value_at_quantile(quantile);
        Latencies {
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            max_us: self.latency_us.max(),
        }
    }

    /// Acknowledged calls per second, in tenths.
    pub fn acknowledged_per_10_s(&self) -> u64 {
        let elapsed_ms = self.elapsed.as_millis().max(1);
        u64::try_from(u128::from(self.total().acknowledged) * 10_000 / elapsed_ms).unwrap_or(u64::MAX)
    }
}

impl Tally {
    fn add(&mut self, answer: &Answer) {
        self.calls += 1;
        let counter = match answer.heard {
            Heard::Acknowledged => &mut self.acknowledged,
            Heard::Refused => &mut self.refused,
            Heard::Later => &mut self.unavailable,
            Heard::Other => &mut self.other,
            Heard::Nothing => &mut self.unanswered,
        };
        *counter += 1;
    }

    fn row(&self, out: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let Self { calls, acknowledged, refused, unavailable, other, unanswered } = self;
        let [calls, acknowledged, refused, unavailable, other, unanswered] =
            [calls, acknowledged, refused, unavailable, other, unanswered].map(|number| grouped(*number));
        writeln!(
            out,
            "{name:<17}{calls:>11}{acknowledged:>11}{refused:>9}{unavailable:>9}{other:>9}{unanswered:>9}"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        let speed = self.acknowledged_per_10_s();
        let pace = match self.rate_per_s {
            0 => "closed loop".to_owned(),
            rate => format!("open loop at {}/s", grouped(u64::from(rate))),
        };
        writeln!(
            out,
            "{} calls in {}.{:01} s, {pace}, {} connections: {}.{}/s acknowledged",
            grouped(total.calls),
            self.elapsed.as_secs(),
            self.elapsed.subsec_millis() / 100,
            grouped(u64::try_from(self.connections).unwrap_or(u64::MAX)),
            grouped(speed / 10),
            speed % 10
        )?;
        writeln!(
            out,
            "\n{:<17}{:>11}{:>11}{:>9}{:>9}{:>9}{:>9}",
            "", "calls", "ok", "refused", "later", "other", "none"
        )?;
        for (variety, tally) in &self.tallies {
            tally.row(out, variety.name())?;
        }
        total.row(out, "all")?;
        let latencies = self.latencies();
        let origin = if self.rate_per_s == 0 { "sending" } else { "the scheduled instant" };
        writeln!(
            out,
            "\nms from {origin}: p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
            ms(latencies.p50_us),
            ms(latencies.p90_us),
            ms(latencies.p99_us),
            ms(latencies.p999_us),
            ms(latencies.max_us)
        )?;
        if self.retries > 0 {
            writeln!(out, "{} of the calls were retries", grouped(self.retries))?;
        }
        if self.unexpected > 0 {
            writeln!(out, "{} unexpected answers:", grouped(self.unexpected))?;
        }
        self.first_unexpected.iter().try_for_each(|line| writeln!(out, "  {line}"))
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

/// Milliseconds with about three digits: `0.42`, `7.13`, `24.8`, `1,310`.
fn ms(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{:02}", us / 1_000, us % 1_000 / 10),
        10_000..100_000 => format!("{}.{}", us / 1_000, us % 1_000 / 100),
        _ => grouped(us / 1_000),
    }
}
