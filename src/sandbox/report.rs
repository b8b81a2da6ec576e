//! What a run did: calls by variety and by answer, throughput, latencies.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};

use super::call::{Act, Call};
use super::expected::Expected;
use super::mix::Variety;
use super::send::{Answer, SendOptions};

/// Latencies above this are counted as this: twice the request time-out, many times over.
const MAX_LATENCY_US: u64 = 3_600_000_000;

/// So many unexpected answers are kept to be shown; all are counted.
const KEPT_UNEXPECTED: usize = 5;

/// What a run did. Its `Display` is a block for a terminal.
#[derive(Clone, Debug)]
pub struct Report {
    /// Connections that were used.
    pub connections: usize,
    /// The schedule; 0: closed loop.
    pub rate_per_s: u32,
    /// From the start to the last answer.
    pub elapsed: Duration,
    /// How many calls were answered how, by the variety of their event. The genuine call whose amount somebody then
    /// changes is an honest one.
    pub tallies: BTreeMap<Variety, Tally>,
    /// Calls beyond the first attempt; they are in the tallies too.
    pub retries: u64,
    /// Answers that no healthy gateway gives, see [`Call::is_unexpected`].
    pub unexpected: u64,
    /// The first few of them, in words.
    pub first_unexpected: Vec<String>,
    /// Why the first of them got none, if a call got no answer.
    pub no_answer: Option<String>,
    /// Every event with what was acknowledged of it, for `check`; `None` if the options did not ask for it.
    pub expected: Option<Expected>,
    latency_us: Histogram<u64>,
}

/// Calls by answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub calls: u64,
    /// 200 and a yes.
    pub acknowledged: u64,
    /// 403.
    pub refused: u64,
    /// 503: not now.
    pub unavailable: u64,
    /// Any other answer.
    pub other: u64,
    /// No connection, or no answer in time.
    pub unanswered: u64,
}

/// Latencies in microseconds, each from the scheduled instant to the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Half of the calls took at most this.
    pub p50_us: u64,
    /// Nine of ten.
    pub p90_us: u64,
    /// 99 of 100.
    pub p99_us: u64,
    /// 999 of 1,000.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
}

impl Call {
    /// True if `answer` is one that no healthy gateway gives: a genuine call refused for good, a forged one let in.
    /// Being unavailable is not unexpected.
    pub fn is_unexpected(&self, answer: &Answer) -> bool {
        match (self.act, answer.status) {
            (_, None | Some(429 | 500..)) => false,
            (Act::Forged(_), Some(status)) => status != 403,
            (_, Some(_)) => !answer.acknowledged,
        }
    }
}

impl Report {
    pub(super) fn new(options: &SendOptions) -> Result<Self, CreationError> {
        Ok(Self {
            connections: options.connections,
            rate_per_s: options.rate_per_s,
            elapsed: Duration::ZERO,
            tallies: BTreeMap::new(),
            retries: 0,
            unexpected: 0,
            first_unexpected: Vec::new(),
            no_answer: None,
            expected: options.remember.then(Expected::default),
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

    /// Why not a single call was answered, if that is so.
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
        let counter = match answer.status {
            _ if answer.acknowledged => &mut self.acknowledged,
            Some(403) => &mut self.refused,
            Some(503) => &mut self.unavailable,
            Some(_) => &mut self.other,
            None => &mut self.unanswered,
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
            "", "calls", "ok", "403", "503", "other", "none"
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

/// Three digits are enough: `0.42`, `7.13`, `24.8`, `1,310`.
fn ms(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{:02}", us / 1_000, us % 1_000 / 10),
        10_000..100_000 => format!("{}.{}", us / 1_000, us % 1_000 / 100),
        _ => grouped(us / 1_000),
    }
}
