//! Metrics and log lines about processed postbacks.

use std::collections::{BTreeMap, HashMap};

use domain::batch::{BatchOutcome, Outcome, PostbackOutcome};
use domain::rules::CODES;
use domain::time::TimestampMs;
use domain::verdict::Decision;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use store::postbacks::inbox::WaitingPostback;
use tracing::{debug, info};

/// Describes the metrics of this crate, and creates every series with 0.
pub fn announce_metrics<'a>(sources: impl Iterator<Item = &'a str>) {
    describe_counter!(
        "rewardgate_postbacks_total",
        "Postbacks by outcome: processed, repeat, quarantined, information"
    );
    describe_counter!("rewardgate_verdicts_total", "Verdicts by decision: credit, hold");
    describe_counter!("rewardgate_rules_fired_total", "Rules that fired, by code");
    describe_histogram!(
        "rewardgate_decide_seconds",
        "From the receipt of a postback to its verdict being durable"
    );
    describe_histogram!("rewardgate_batch_seconds", "One batch: claim, load, decide, save, commit");
    describe_counter!("rewardgate_batches_failed_total", "Batches that could not be saved and were retried");
    describe_gauge!(
        "rewardgate_worker_last_beat_seconds",
        "When a worker of this process last checked the inbox, in unix seconds"
    );
    describe_gauge!(
        "rewardgate_geo_database_built_seconds",
        "When a geo database in service was built, in unix seconds"
    );
    describe_gauge!("rewardgate_geo_reload_failed", "1 while a geo database on disk cannot be loaded");
    describe_counter!("rewardgate_purged_total", "Expired rows deleted, by kind of data");
    counter!("rewardgate_batches_failed_total").absolute(0);
    gauge!("rewardgate_worker_last_beat_seconds").set(0.0);
    gauge!("rewardgate_geo_reload_failed").set(0.0);
    for source in sources {
        for outcome in [Outcome::Processed, Outcome::Repeat, Outcome::Quarantined, Outcome::Information] {
            postbacks(source, outcome.name(), 0);
        }
        for decision in [Decision::Credit, Decision::Hold] {
            verdicts(source, decision.name(), 0);
        }
        for code in CODES {
            rules_fired(source, code, 0);
        }
    }
}

fn postbacks(source: &str, outcome: &'static str, count: u64) {
    counter!("rewardgate_postbacks_total", "source" => source.to_owned(), "outcome" => outcome)
        .increment(count);
}

fn verdicts(source: &str, decision: &'static str, count: u64) {
    counter!("rewardgate_verdicts_total", "source" => source.to_owned(), "decision" => decision)
        .increment(count);
}

fn rules_fired(source: &str, code: &str, count: u64) {
    let labels = [("source", source.to_owned()), ("rule", code.to_owned())];
    counter!("rewardgate_rules_fired_total", &labels).increment(count);
}

/// Counts one batch, and logs its postbacks.
pub(crate) fn record(claimed: &[WaitingPostback], outcome: &BatchOutcome, now: TimestampMs) {
    let claimed: HashMap<i64, &WaitingPostback> =
        claimed.iter().map(|postback| (postback.id, postback)).collect();
    let mut outcomes: BTreeMap<(&str, &'static str), u64> = BTreeMap::new();
    for processed in &outcome.postbacks {
        let Some(postback) = claimed.get(&processed.postback_id) else { continue };
        *outcomes.entry((&postback.source, processed.outcome.name())).or_default() += 1;
        histogram!("rewardgate_decide_seconds").record(seconds(now.0 - postback.received_at));
        log(postback, processed, outcome);
    }
    for ((source, outcome), count) in outcomes {
        postbacks(source, outcome, count);
    }
    count_verdicts(outcome);
}

fn count_verdicts(outcome: &BatchOutcome) {
    let mut decisions: BTreeMap<(&str, &'static str), u64> = BTreeMap::new();
    let mut fired: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for change in &outcome.rewards {
        let Some(judgement) = &change.verdict else { continue };
        let source = change.reward.source.as_str();
        *decisions.entry((source, judgement.verdict.decision.name())).or_default() += 1;
        for signal in judgement.verdict.signals.iter().filter(|signal| signal.fired) {
            *fired.entry((source, &signal.code)).or_default() += 1;
        }
    }
    for ((source, decision), count) in decisions {
        verdicts(source, decision, count);
    }
    for ((source, code), count) in fired {
        rules_fired(source, code, count);
    }
}

/// One log line for each postback: `info` if it is quarantined or its reward held, otherwise `debug` (shown with
/// `jobs=debug`).
fn log(postback: &WaitingPostback, processed: &PostbackOutcome, outcome: &BatchOutcome) {
    let request_id = postback.request_id.as_deref().unwrap_or_default();
    let (postback_id, source) = (postback.id, postback.source.as_str());
    let change = processed.reward.and_then(|index| outcome.rewards.get(index));
    let status = change.map(|change| change.reward.status.name()).unwrap_or_default();
    let verdict = change.and_then(|change| change.verdict.as_ref()).map(|judgement| &judgement.verdict);
    let held = verdict.filter(|verdict| verdict.decision == Decision::Hold);
    match (processed.outcome, held) {
        (Outcome::Quarantined, _) => {
            let reason = processed.reason.as_deref().unwrap_or_default();
            info!(request_id, postback_id, source, reason, "a postback was quarantined");
        }
        (Outcome::Processed, Some(verdict)) => {
            let rules: Vec<_> = verdict
                .signals
                .iter()
                .filter(|signal| signal.fired)
                .map(|signal| signal.code.as_str())
                .collect();
            let (score, rules) = (verdict.score, rules.join(" "));
            info!(request_id, postback_id, source, score, rules, "a reward was held");
        }
        (outcome, _) => {
            debug!(
                request_id,
                postback_id,
                source,
                outcome = outcome.name(),
                status,
                "a postback was processed"
            );
        }
    }
}

/// Converts milliseconds to seconds, the unit of metrics. Times are far below the exact range of a float.
#[expect(clippy::cast_precision_loss, reason = "a metric")]
pub(crate) fn seconds(ms: i64) -> f64 {
    ms.max(0) as f64 / 1_000.0
}
