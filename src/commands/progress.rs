//! Progress on standard error for work that takes longer than two seconds: on a terminal a bar with rate and time left,
//! elsewhere a plain line every ten seconds.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Pause between two updates of work whose progress is unknown.
const TICK: Duration = Duration::from_millis(100);
/// Maximum redraws of a bar, per second.
const DRAWN_A_SECOND: u8 = 10;

/// The progress of one piece of work.
pub(crate) struct Progress {
    what: &'static str,
    bar: ProgressBar,
    began: Instant,
    /// The last plain line, or the first drawing of the bar.
    said_at: Mutex<Option<Instant>>,
}

/// True if standard error is a terminal and `NO_COLOR` is not set.
pub(crate) fn may_colour() -> bool {
    let refuses = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !refuses
}

impl Progress {
    /// Starts at 0 of `total` items; `None`: the total is unknown.
    pub(crate) fn of(what: &'static str, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let (bar_style, spinner) =
            if may_colour() { ("{bar:30.cyan}", "{spinner:.cyan}") } else { ("{bar:30}", "{spinner}") };
        let template = match total {
            Some(_) => {
                format!("{{msg}} {bar_style} {{human_pos}} of {{human_len}}, {{per_sec:.0}}, {{eta}} left")
            }
            None => format!("{spinner} {{msg}} {{human_pos}}, {{per_sec:.0}}, {{elapsed}} so far"),
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { what, bar, began: Instant::now(), said_at: Mutex::default() }
    }

    /// Counts `more` items as done.
    pub(crate) fn advance(&self, more: usize) {
        self.bar.inc(u64::try_from(more).unwrap_or(u64::MAX));
        self.look();
    }

    /// Sets the number of items done so far.
    pub(crate) fn reach(&self, done: u64) {
        self.bar.set_position(done);
        self.look();
    }

    /// Draws the bar, or prints a line if one is due.
    fn look(&self) {
        let now = Instant::now();
        let mut said_at = self.said_at.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(self.began) < PATIENCE {
            return;
        }
        if std::io::stderr().is_terminal() {
            if said_at.replace(now).is_none() {
                self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWN_A_SECOND));
            }
            self.bar.tick();
        } else if said_at.is_none_or(|at| now.duration_since(at) >= LINE_EVERY) {
            *said_at = Some(now);
            let line =
                line(self.what, self.bar.position(), self.bar.length(), now.duration_since(self.began));
            eprintln!("{line}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Awaits `work`, whose progress is unknown, and shows the time it takes.
pub(crate) async fn during<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let progress = Progress::of(what, None);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed} so far") {
        progress.bar.set_style(style);
    }
    let mut ticks = tokio::time::interval(TICK);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => progress.look(),
        }
    }
}

/// `replaying: 12,000 of 40,000 (30 %), 1,200/s, 23 s left`
fn line(what: &str, done: u64, total: Option<u64>, took: Duration) -> String {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_s = done.saturating_mul(1_000) / took_ms;
    let number = |number: u64| HumanCount(number).to_string();
    let so_far = took_ms / 1_000;
    match total.filter(|total| *total > 0) {
        Some(total) => {
            let left = total.saturating_sub(done);
            let percent = done.saturating_mul(100) / total;
            let left_s = left.saturating_mul(took_ms).checked_div(done).map(|ms| ms / 1_000);
            let left = left_s.map_or_else(String::new, |left_s| format!(", {left_s} s left"));
            format!("{what}: {} of {} ({percent} %), {}/s{left}", number(done), number(total), number(per_s))
        }
        None if done == 0 => format!("{what}: {so_far} s so far"),
        None => format!("{what}: {}, {}/s, {so_far} s so far", number(done), number(per_s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_says_how_far_how_fast_and_how_long() {
        let seconds = Duration::from_secs;
        for (done, total, took, said) in [
            (12_000, Some(40_000), seconds(10), "replaying: 12,000 of 40,000 (30 %), 1,200/s, 23 s left"),
            (0, Some(40_000), seconds(3), "replaying: 0 of 40,000 (0 %), 0/s"),
            (50_000, Some(40_000), seconds(10), "replaying: 50,000 of 40,000 (125 %), 5,000/s, 0 s left"),
            (7, None, seconds(7), "replaying: 7, 1/s, 7 s so far"),
            (0, None, seconds(2), "replaying: 2 s so far"),
            (0, Some(0), Duration::ZERO, "replaying: 0 s so far"),
            (u64::MAX, Some(1), Duration::MAX, "replaying"),
        ] {
            assert!(
                line("replaying", done, total, took).starts_with(said),
                "{}",
                line("replaying", done, total, took)
            );
        }
    }
}
