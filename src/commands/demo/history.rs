//! The sixty days before the demo: recorded, processed and reviewed by the same code as live postbacks, with the past time
//! as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Context as _;
use domain::postback::networks::Call;
use domain::report::day::BusinessDay;
use domain::review::decision::Review;
use domain::time::{Clock, TimestampMs};
use geo::Geo;
use jobs::lists::LiveLists;
use jobs::postbacks::process::Processing;
use sandbox::{Mix, Plan, PlanOptions, Signer, Template};
use store::postbacks::inbox::NewPostback;
use store::postbacks::refused::NewRefused;
use store::review::decisions::Reviewer;
use store::review::decisions::{BulkDecision, Wanted};
use store::review::holds::{HoldFilter, HoldRow, HoldSort};

use super::finance::{self, Sent};
use crate::process::Process;
use crate::roles;

/// Length of the history, in days.
const DAYS: i64 = 60;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// An outage of the gateway: days before today, hour of the day, length in hours.
const AWAY: (i64, i64, i64) = (14, 18, 2);
/// Time span that is processed at once.
const CHUNK_MS: i64 = 2 * HOUR_MS;
/// Calls on a weekday; a weekend day has half as many again, and each day has slightly more than the day before.
const CALLS_A_DAY: i64 = 72;
/// Differs from the seed of the demo, whose IDs would be repeats.
const SEED: u64 = 4_711;
/// A realistic mix.
const MIX: Mix = Mix {
    impossible_speed: 0.05,
    wrong_country: 0.05,
    repeat: 0.04,
    reversal: 0.06,
    early_reversal: 0.01,
    duplicate: 0.03,
    forged: 0.01,
    broken: 0.003,
};
/// Age of a hold when the team decides on it.
const DECIDED_AFTER_MS: i64 = 26 * HOUR_MS;
/// The people who decided, in turns.
const TEAM: [&str; 2] = ["mara", "joe"];

/// Creates the history up to `now`. Returns how many postbacks were recorded.
pub(super) async fn fill(
    process: &Process,
    geo: &Geo,
    template: &Template,
    signer: &Signer,
    now: TimestampMs,
) -> anyhow::Result<u64> {
    let options =
        PlanOptions { mix: MIX, follow_up_calls: 5..=600, ..PlanOptions::new(SEED, None, template.clone()) };
    let mut plan = Plan::new(&options)?;
    let then = Arc::new(AtomicI64::new(0));
    let processing = processing(process, geo, then.clone());
    let endpoints = roles::endpoints(&process.settings);
    let mut recorded = 0;
    let zone = process.settings.timezone;
    let first = BusinessDay::of(TimestampMs(now.0 - DAYS * DAY_MS), zone).context("no day")?;
    let mut at = first.starts_at();
    let away = at.0 + (DAYS - AWAY.0) * DAY_MS + AWAY.1 * HOUR_MS;
    let away = away..away + AWAY.2 * HOUR_MS;
    let (mut sent, mut reported) = (Vec::new(), None);
    let mut listening = ("history-1", at);
    while at.0 < now.0 {
        let end = TimestampMs((at.0 + CHUNK_MS).min(now.0));
        let is_away = away.contains(&at.0);
        let count = calls(at, now);
        let (mut postbacks, mut refused) = (Vec::new(), Vec::new());
        for (index, call) in plan.by_ref().take(usize::try_from(count).unwrap_or_default()).enumerate() {
            let into = (end.0 - at.0 - 1) * i64::try_from(index).unwrap_or_default() / count.max(1);
            let received_at = TimestampMs(at.0 + into);
            let target = call.postback(template, signer, received_at.0)?.target;
            let received = Call::get(super::PUBLIC_URL, &target);
            let verified = endpoints.get(super::SOURCE).map(|it| it.check(&received, None, received_at));
            if !matches!(verified, Some(Err(_))) {
                sent.push(Sent { target: target.clone(), at: received_at });
            }
            if is_away {
                continue;
            }
            let postback = NewPostback {
                source: super::SOURCE.into(),
                received_at,
                method: "GET".into(),
                target,
                body: None,
                body_counts: false,
                headers: None,
                body_left_out: None,
                remote_ip: "192.0.2.10".into(),
                request_id: format!("{:016x}", rand::random::<u64>()),
            };
            match verified {
                Some(Err(why)) => refused.push(NewRefused { call: postback, reason: why.to_string() }),
                _ => postbacks.push(postback),
            }
        }
        recorded += postbacks.len() as u64;
        process.store.record(Arc::new(postbacks)).await?;
        process.store.keep_refused(refused).await?;
        // Just before the next two hours begin, so that postbacks before midnight are booked before midnight.
        then.store(end.0 - 1, Ordering::Relaxed);
        processing.drain().await?;
        review(process, end).await?;
        if is_away {
            listening = ("history-2", end);
        } else {
            process.store.note_listening(listening.0.into(), listening.1, end).await?;
        }
        reported = finance::report(process, reported, first, end).await?;
        at = end;
    }
    finance::sign(process, first, now).await?;
    finance::statements(process, &sent, now).await?;
    Ok(recorded)
}

/// Calls in the two hours from `at` on: more in the evening than at night, more at weekends.
fn calls(at: TimestampMs, now: TimestampMs) -> i64 {
    const BY_CHUNK: [i64; 12] = [3, 2, 1, 2, 5, 7, 8, 9, 10, 13, 14, 8];
    let day = at.0 / DAY_MS;
    let chunk = usize::try_from((at.0 % DAY_MS) / CHUNK_MS).unwrap_or_default();
    let weight = BY_CHUNK.get(chunk).copied().unwrap_or(5);
    // 1970-01-01 was a Thursday.
    let weekend = if matches!((day + 4) % 7, 0 | 6) { 3 } else { 2 };
    let age_days = (now.0 - at.0) / DAY_MS;
    let growth = 130 - age_days;
    CALLS_A_DAY * weight * weekend * growth / (82 * 2 * 100)
}

fn processing(process: &Process, geo: &Geo, then: Arc<AtomicI64>) -> Processing {
    Processing {
        store: process.store.clone(),
        processor: Arc::new(roles::processor(&process.settings, geo.clone(), LiveLists::default(), None)),
        clock: Clock::new(move || TimestampMs(then.load(Ordering::Relaxed))),
        batch: process.settings.batch,
        stop: process.stop.clone(),
        last_beat_ms: process.last_beat_ms.clone(),
    }
}

/// Decides on the holds that are old enough at `now`: impossible ones are rejected, most others are released.
async fn review(process: &Process, now: TimestampMs) -> anyhow::Result<()> {
    let filter =
        HoldFilter { received_before: Some(TimestampMs(now.0 - DECIDED_AFTER_MS)), ..HoldFilter::default() };
    let rows = process.store.holds(&filter, HoldSort::Age, None, now, 200).await?;
    // A few are decided only after three days.
    let (left, rows): (Vec<HoldRow>, Vec<HoldRow>) =
        rows.into_iter().partition(|row| row.reward_id % 23 == 0);
    let old = left.into_iter().filter(|row| now.0 - row.received_at > 3 * DAY_MS);
    for (number, row) in rows.into_iter().chain(old).enumerate() {
        let (decision, note) = match (row.rule.as_str(), row.reward_id % 5) {
            ("T1", 1..) => (Review::Reject, "nobody does this in seconds"),
            ("V3", 2..) => (Review::Reject, "the same task under another transaction"),
            (_, 0) => (Review::Reject, "no answer to our mail"),
            _ => (Review::Release, "plays regularly, travels"),
        };
        let reviewer = Reviewer {
            actor: TEAM[number % TEAM.len()].into(),
            note: Some(note.into()),
            now,
            business_date: now.business_date(process.settings.timezone),
        };
        let wanted = vec![Wanted { reward_id: row.reward_id, steps: row.steps }];
        process.store.decide(BulkDecision { wanted, decision, overturn: false, reviewer }).await?;
    }
    Ok(())
}
