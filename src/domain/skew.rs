//! Is it our clock? Of one click that lies ahead of us nobody can tell whose clock is wrong; when most of them do, it is
//! most likely ours.

use crate::text::duration;

/// How far back clicks count, in milliseconds.
pub const WINDOW_MS: i64 = 15 * 60_000;
/// How many clicks count at most: the newest.
pub const MOST_CLICKS: i64 = 200;
/// Fewer than so many tell nothing.
pub const LEAST_CLICKS: i64 = 10;
/// A click counts as ahead from here on, in milliseconds: what two good clocks may differ.
pub const AHEAD_MS: i64 = 5_000;

/// The newest clicks, at most [`MOST_CLICKS`] of the last [`WINDOW_MS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clicks {
    /// How many there are.
    pub all: i64,
    /// How many lie ahead of us by more than [`AHEAD_MS`].
    pub ahead: i64,
}

impl Clicks {
    /// With one more: clicked and received at these times, in unix milliseconds.
    #[must_use]
    pub fn with(self, clicked_at: i64, received_at: i64) -> Self {
        let is_ahead = clicked_at.saturating_sub(received_at) > AHEAD_MS;
        Self { all: self.all + 1, ahead: self.ahead + i64::from(is_ahead) }
    }

    /// True if most of them lie ahead of us.
    pub fn blame_our_clock(self) -> bool {
        self.all >= LEAST_CLICKS && self.ahead.saturating_mul(2) > self.all
    }

    /// The sentence that names our clock, if most of them lie ahead of us.
    pub fn sentence(self) -> Option<String> {
        self.blame_our_clock().then(|| {
            format!(
                "{} of {} clicks of the last {} lie ahead of us, so our clock is probably slow: compare the clocks of the \
                 machines that run RewardGate (rewardgate check)",
                self.ahead,
                self.all,
                duration(WINDOW_MS)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clicks(ahead: i64, other: i64) -> Clicks {
        let with = |clicks: Clicks, by_ms: i64| clicks.with(1_000_000 + by_ms, 1_000_000);
        let clicks = (0..ahead).fold(Clicks::default(), |clicks, _| with(clicks, AHEAD_MS + 1));
        (0..other).fold(clicks, |clicks, _| with(clicks, AHEAD_MS))
    }

    #[test]
    fn our_clock_is_named_when_most_of_enough_clicks_lie_ahead() {
        for (ahead, other, ours) in [
            (0, 0, false),
            (9, 0, false),
            (10, 0, true),
            (5, 5, false),
            (6, 5, true),
            (1, 199, false),
            (200, 0, true),
        ] {
            assert_eq!(clicks(ahead, other).sentence().is_some(), ours, "{ahead} {other}");
        }
        let said = clicks(37, 3).sentence().unwrap_or_default();
        assert!(
            said.starts_with("37 of 40 clicks of the last 15 min") && said.contains("our clock"),
            "{said}"
        );
        assert_eq!(Clicks::default().with(i64::MAX, i64::MIN).ahead, 1);
    }
}
