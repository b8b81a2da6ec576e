//! Adds up the rewards as they stand at the end, and writes `verdicts.csv`.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use anyhow::Context as _;
use domain::assessment::{Assessment, PastReward, Truth};
use domain::money::Micros;
use domain::reward::Status;
use domain::time::TimestampMs;
use domain::verdict::Decision;
use store::Store;
use store::rewards::past::PastRewardRow;
use web::export::csv_line;

use crate::commands::progress::Progress;
use crate::config::Settings;

/// Rewards that are read at once.
const ROWS_AT_ONCE: i64 = 2_000;
/// The columns of `verdicts.csv`: one row a credit.
const COLUMNS: [&str; 13] = [
    "tx_id",
    "user_id",
    "source",
    "received_at",
    "kind",
    "outcome",
    "decision",
    "score",
    "hard",
    "fired",
    "reward",
    "payout",
    "status",
];

/// Adds all rewards to `assessment`, and writes each into `verdicts`.
pub(super) async fn add(
    store: &Store,
    settings: &Settings,
    truth: Option<&Truth>,
    verdicts: Option<File>,
    assessment: &mut Assessment,
) -> anyhow::Result<()> {
    const WHAT: &str = "verdicts.csv cannot be written";
    let mut csv = verdicts.map(BufWriter::new);
    if let Some(csv) = &mut csv {
        writeln!(csv, "{}", csv_line(&COLUMNS)).context(WHAT)?;
    }
    let progress = Progress::of("adding up rewards", None);
    let mut after = 0;
    loop {
        let rows = store.past_rewards(after, ROWS_AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for row in &rows {
            let reward = reward(row)?;
            assessment.rewards.add(&reward, settings.timezone);
            if let (Some(truth), Some(scores)) = (truth, &mut assessment.truth) {
                scores.add(truth, &row.tx_id, &reward);
            }
            if let Some(csv) = csv.as_mut().filter(|_| reward.credit_seen) {
                writeln!(csv, "{}", csv_line(&cells(row).each_ref().map(String::as_str))).context(WHAT)?;
            }
        }
        progress.advance(rows.len());
    }
    if let Some(mut csv) = csv {
        csv.flush().context(WHAT)?;
    }
    assessment.standing_out = assessment.rewards.standing_out();
    Ok(())
}

fn reward(row: &PastRewardRow) -> anyhow::Result<PastReward<'_>> {
    Ok(PastReward {
        source: &row.source,
        sub1: row.sub1.as_deref(),
        currency: &row.currency,
        received_at: TimestampMs(row.received_at),
        took_ms: row.clicked_at.map(|clicked_at| row.received_at.saturating_sub(clicked_at)),
        status: Status::parse(&row.status).context("a reward has no status")?,
        reward: row.reward_micros.map(Micros),
        payout: row.payout_micros.map(Micros),
        decision: match row.decision.as_deref() {
            Some("hold") => Some(Decision::Hold),
            Some(_) => Some(Decision::Credit),
            None => None,
        },
        fired: row.fired_points.as_deref().unwrap_or_default(),
        conflict: row.conflict != 0,
        credit_seen: row.credit_seen != 0,
    })
}

fn cells(row: &PastRewardRow) -> [String; 13] {
    let amount = |micros: Option<i64>| micros.map_or_else(String::new, |micros| Micros(micros).to_string());
    [
        row.tx_id.clone(),
        row.user_id.clone(),
        row.source.clone(),
        TimestampMs(row.received_at).rfc3339(),
        "credit".into(),
        "processed".into(),
        row.decision.clone().unwrap_or_default(),
        row.score.map_or_else(String::new, |score| score.to_string()),
        row.hard.map_or_else(String::new, |hard| (hard != 0).to_string()),
        row.fired_points.clone().unwrap_or_default(),
        amount(row.reward_micros),
        amount(row.payout_micros),
        row.status.clone(),
    ]
}
