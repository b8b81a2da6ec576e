//! Whether our own clock is slow. One click in the future may be anybody's clock; if most of them are, it is most
//! likely ours.

use crate::text::duration;

/// How far back clicks count, in milliseconds.
pub const WINDOW_MS: i64 = 15 * 60_000;
/// How many of the newest clicks count at most.
pub const MOST_CLICKS: i64 = 200;
/// With fewer clicks nothing can be concluded.
pub const LEAST_CLICKS: i64 = 10;
/// Milliseconds in the future beyond which a click counts as ahead; good clocks differ by less.
pub const AHEAD_MS: i64 = 5_000;

/// The newest clicks, at most [`MOST_CLICKS`] of the last [`WINDOW_MS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clicks {
    /// Number of clicks.
    pub all: i64,
    /// Those more than [`AHEAD_MS`] in the future.
    pub ahead: i64,
}

impl Clicks {
    /// With one more: clicked and received at these times, in unix milliseconds.
    #[must_use]
    pub fn with(self, clicked_at: i64, received_at: i64) -> Self {
        let is_ahead = clicked_at.saturating_sub(received_at) > AHEAD_MS;
        Self { all: self.all + 1, ahead: self.ahead + i64::from(is_ahead) }
    }

    /// True if most of enough clicks are in the future.
    pub fn blame_our_clock(self) -> bool {
        self.all >= LEAST_CLICKS && self.ahead.saturating_mul(2) > self.all
    }

    /// A sentence for people, if our clock is probably slow.
    pub fn sentence(self) -> Option<String> {
        self.blame_our_clock().then(|| {
            format!(
                "{} of {} clicks of the last {} are in the future, so our clock is probably slow: compare the clocks of the \
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
