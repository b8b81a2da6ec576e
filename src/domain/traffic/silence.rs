//! Whether a source is silent for longer than usual, and how people are told.
//!
//! No network says that it has stopped calling: a changed URL, a paused campaign or a blocked address all look like a
//! quiet night. So each source is measured by its own gaps.

use super::{HOUR_MS, Hour};
use crate::text::duration;
use crate::time::{DAY_MS, TimestampMs};

/// The gaps of this many days before the last postback count: four of each weekday, so that quiet weekends are usual.
pub const WINDOW_DAYS: i64 = 28;
/// Nothing is called silence before this: small sources pause over any night.
pub const SHORTEST_MS: i64 = 6 * HOUR_MS;
/// A source with fewer postbacks in that time has no usual gap.
pub const LEAST_POSTBACKS: i64 = 20;
/// A source that has sent for less than this has not shown a night yet.
pub const LEAST_SPAN_MS: i64 = 2 * DAY_MS;
/// A source that has been silent for this long is no longer used, and is not reported any more.
pub const RETIRED_AFTER_MS: i64 = 35 * DAY_MS;
/// How far back hours are needed to tell a silence from a pause, in days, until a source counts as no longer used.
pub const KEPT_DAYS: u32 = 64;

/// A source that sends nothing for longer than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The last postback.
    pub last_at: TimestampMs,
    /// The usual gap, in milliseconds: at least [`SHORTEST_MS`].
    pub usual_ms: i64,
}

impl Silence {
    /// Whether a source with these `hours`, oldest first, is silent at `now`.
    pub fn of(hours: &[Hour], now: TimestampMs) -> Option<Self> {
        let last_at = hours.iter().map(|hour| hour.last_at).max()?;
        let since = last_at.0 - WINDOW_DAYS * DAY_MS;
        let recent = || hours.iter().filter(|hour| hour.first_at.0 >= since);
        let first_at = recent().map(|hour| hour.first_at).min()?;
        let postbacks: i64 = recent().map(|hour| hour.postbacks).sum();
        if postbacks < LEAST_POSTBACKS || last_at.0 - first_at.0 < LEAST_SPAN_MS {
            return None;
        }
        let gaps = recent().zip(recent().skip(1)).map(|(one, next)| next.first_at.0 - one.last_at.0);
        let usual_ms = longest_but_one(gaps).max(SHORTEST_MS);
        let silent_ms = now.0 - last_at.0;
        (silent_ms > usual_ms && silent_ms < RETIRED_AFTER_MS).then_some(Self { last_at, usual_ms })
    }
}

/// A gap that occurred once may have been a silence itself, and would hide the next one for four weeks. One that occurred
/// twice is usual.
fn longest_but_one(gaps: impl Iterator<Item = i64>) -> i64 {
    let (_, second) =
        gaps.fold(
            (0, 0),
            |(longest, second), gap| {
                if gap > longest { (gap, longest) } else { (longest, second.max(gap)) }
            },
        );
    second
}

/// A mail about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// The mail that `source` fell silent; `link` leads to the page of sources.
pub fn fell_silent(source: &str, silence: Silence, link: &str) -> Letter {
    Letter {
        subject: format!(
            "RewardGate: {source} has sent nothing for more than {}",
            duration(silence.usual_ms)
        ),
        text: format!(
            "The source {source} sent its last postback at {}. Its usual gap is at most {}.\n\n\
             Check whether the network has paused, whether the URL in its dashboard is still the one that is shown at\n\
             {link}\n\
             and whether its calls are refused. You get one more mail when it sends again.\n",
            silence.last_at.rfc3339(),
            duration(silence.usual_ms),
        ),
    }
}

/// The mail that `source` sends again after a silence that began at `last_at`.
pub fn sends_again(source: &str, last_at: TimestampMs, link: &str) -> Letter {
    Letter {
        subject: format!("RewardGate: {source} sends again"),
        text: format!(
            "The source {source} sends postbacks again. Nothing had arrived since {}.\n\n\
             If the network does not repeat what it could not deliver, postbacks of that time are missing: compare its\n\
             next statement. {link}\n",
            last_at.rfc3339(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_795_392_000_000 - 40 * DAY_MS;

    fn hour(at: i64, postbacks: i64) -> Hour {
        let began_at = TimestampMs(at.div_euclid(HOUR_MS) * HOUR_MS);
        Hour { began_at, postbacks, quarantined: 0, first_at: TimestampMs(at), last_at: TimestampMs(at) }
    }

    /// Every two hours by day, with a pause of ten hours each night.
    fn days(number: i64) -> Vec<Hour> {
        let of_day = |day: i64| (0..8).map(move |slot| hour(START + day * DAY_MS + slot * 2 * HOUR_MS, 1));
        (0..number).flat_map(of_day).collect()
    }

    fn after(hours: &[Hour], gap_ms: i64) -> Option<Silence> {
        let last = hours.last().expect("hours").last_at;
        Silence::of(hours, TimestampMs(last.0 + gap_ms))
    }

    #[test]
    fn a_source_is_silent_once_its_usual_gap_is_exceeded() {
        let hours = days(10);
        assert_eq!(after(&hours, 10 * HOUR_MS), None);
        let silence = after(&hours, 10 * HOUR_MS + 1).expect("silent");
        assert_eq!(silence.usual_ms, 10 * HOUR_MS);
        assert_eq!(silence.last_at, hours.last().expect("hours").last_at);
    }

    #[test]
    fn an_outage_that_occurred_once_does_not_hide_the_next() {
        let mut hours = days(20);
        hours.retain(|hour| !(5..8).contains(&((hour.began_at.0 - START) / DAY_MS)));
        assert_eq!(after(&hours, 11 * HOUR_MS).expect("silent").usual_ms, 10 * HOUR_MS);
    }

    #[test]
    fn nothing_is_silence_within_six_hours() {
        let busy: Vec<_> = (0..100).map(|slot| hour(START + slot * HOUR_MS, 50)).collect();
        assert_eq!(after(&busy, SHORTEST_MS), None);
        assert_eq!(after(&busy, SHORTEST_MS + 1).expect("silent").usual_ms, SHORTEST_MS);
    }

    #[test]
    fn a_source_with_few_postbacks_or_a_single_day_has_no_usual_gap() {
        assert_eq!(after(&days(10)[..19], 20 * DAY_MS), None);
        assert_eq!(after(&[hour(START, 5_000)], DAY_MS), None);
        assert_eq!(Silence::of(&[], TimestampMs(START)), None);
    }

    #[test]
    fn a_source_that_is_no_longer_used_is_not_reported_for_ever() {
        assert!(after(&days(10), RETIRED_AFTER_MS - 1).is_some());
        assert_eq!(after(&days(10), RETIRED_AFTER_MS), None);
    }

    #[test]
    fn the_mails_name_the_source_the_time_and_the_page() {
        let silence = Silence { last_at: TimestampMs(START), usual_ms: 10 * HOUR_MS };
        let began = fell_silent("targo", silence, "https://gw/sources");
        assert_eq!(began.subject, "RewardGate: targo has sent nothing for more than 10 h");
        for part in [TimestampMs(START).rfc3339(), "10 h".into(), "https://gw/sources".into()] {
            assert!(began.text.contains(&part), "{part}: {}", began.text);
        }
        let ended = sends_again("targo", TimestampMs(START), "https://gw/sources");
        assert!(ended.text.contains("statement") && ended.subject.contains("sends again"));
    }
}
