//! What pages show beside a reward or a user, and about today: limited reads, each with a matching index.

use domain::time::TimestampMs;

use crate::{Result, Store, read};

/// A histogram searches this many of the newest rewards: enough for any active offer, without an index that would slow
/// down every credit.
pub const HISTOGRAM_OUT_OF: i64 = 20_000;
/// How far the order of postback ids may deviate from the order of their times.
const MARGIN_MS: i64 = 60_000;
/// One hour in milliseconds; tallies are kept by the hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Limit of a list beside a reward.
const MAX_BESIDE: i64 = 8;
/// Limit of a user's rewards on one page.
const MAX_OF_USER: i64 = 200;

/// A reward in a list beside another reward or a user.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of rewards, described in the migration")]
pub struct BesideRow {
    pub id: i64,
    pub status: String,
    pub source: String,
    pub app: String,
    pub user_id: String,
    pub offer_name: Option<String>,
    pub event_name: Option<String>,
    pub currency: String,
    pub reward_micros: Option<i64>,
    pub payout_micros: Option<i64>,
    pub ip: Option<String>,
    pub country_code: Option<String>,
    pub received_at: i64,
}

/// A user's rewards of one status.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct UserStatus {
    /// A name of [`domain::reward::Status`].
    pub status: String,
    /// Their number.
    pub rewards: i64,
    /// Sum of their payouts, in USD micros.
    pub payout_micros: i64,
    /// When the first was received, unix milliseconds.
    pub first_at: i64,
}

/// Postbacks or steps of one hour.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct HourRow {
    /// `acknowledged`, or the name of a step.
    pub what: String,
    /// Hours since the start of the business day.
    pub hour: i64,
    /// Their number.
    pub count: i64,
}

/// The holds of a rule, with their results. The last three add up to fewer than `holds` while some are still held.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct RuleRow {
    /// The rule that weighed most in the verdict.
    pub rule: String,
    /// Rewards that it held.
    pub holds: i64,
    /// Now credited.
    pub released: i64,
    /// Now rejected.
    pub rejected: i64,
    /// Now reversed.
    pub reversed: i64,
}

/// How often a data rule fired on the postbacks of a source.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DataTallyRow {
    /// As in the settings.
    pub source: String,
    /// Code of the rule.
    pub code: String,
    /// Postbacks on which it fired.
    pub fired: i64,
    /// Postbacks that it examined.
    pub looked_at: i64,
}

const BESIDE: &str = "SELECT id, status, source, app, user_id, offer_name, event_name, currency, reward_micros, payout_micros, ip,
       country_code, received_at FROM rewards ";

impl Store {
    /// Milliseconds from click to completion, for the newest rewards of this offer and event.
    pub async fn completion_times(
        &self,
        source: &str,
        offer_id: &str,
        event_id: Option<&str>,
    ) -> Result<Vec<i64>> {
        let rows: Vec<(i64,)> = read!(self, pool => sqlx::query_as(
            "SELECT received_at - clicked_at FROM
                 (SELECT source, offer_id, event_id, clicked_at, received_at FROM rewards
                  ORDER BY id DESC LIMIT $4) AS newest
             WHERE source = $1 AND offer_id = $2 AND COALESCE(event_id, '') = $3 AND clicked_at IS NOT NULL
               AND received_at > clicked_at"
        ).bind(source).bind(offer_id).bind(event_id.unwrap_or_default()).bind(HISTOGRAM_OUT_OF)
            .fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(elapsed_ms,)| elapsed_ms).collect())
    }

    /// Other rewards that were held and came from the same address or /64.
    pub async fn same_address(&self, address_group: &str, but: i64) -> Result<Vec<BesideRow>> {
        let sql = format!("{BESIDE} WHERE address_group = $1 AND id <> $2 ORDER BY id DESC LIMIT $3");
        Ok(
            read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(address_group).bind(but).bind(MAX_BESIDE)
            .fetch_all(pool).await)?,
        )
    }

    /// Other rewards that are held with the same `sub1`.
    pub async fn same_sub1(&self, source: &str, sub1: &str, but: i64) -> Result<Vec<BesideRow>> {
        let sql = format!(
            "{BESIDE} WHERE id IN (SELECT reward_id FROM holds WHERE sub1 = $1 AND source = $2 AND reward_id <> $3
                                   ORDER BY received_at DESC, reward_id DESC LIMIT $4) ORDER BY id DESC"
        );
        Ok(read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(sub1).bind(source).bind(but)
            .bind(MAX_BESIDE).fetch_all(pool).await)?)
    }

    /// The address or /64 of a reward that was held; empty if unknown.
    pub async fn address_group(&self, id: i64) -> Result<Option<String>> {
        let row: Option<(Option<String>,)> = read!(self, pool => sqlx::query_as(
            "SELECT address_group FROM rewards WHERE id = $1"
        ).bind(id).fetch_optional(pool).await)?;
        Ok(row.and_then(|(group,)| group))
    }

    /// A user's rewards, counted by status.
    pub async fn user_statuses(&self, app: &str, user_id: &str) -> Result<Vec<UserStatus>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT status, COUNT(*) AS rewards, CAST(COALESCE(SUM(payout_micros), 0) AS BIGINT) AS payout_micros,
                    MIN(received_at) AS first_at
             FROM rewards WHERE user_id = $1 AND app = $2 GROUP BY status ORDER BY status"
        ).bind(user_id).bind(app).fetch_all(pool).await)?)
    }

    /// A user's newest rewards.
    pub async fn user_rewards(&self, app: &str, user_id: &str) -> Result<Vec<BesideRow>> {
        let sql =
            format!("{BESIDE} WHERE user_id = $1 AND app = $2 ORDER BY received_at DESC, id DESC LIMIT $3");
        Ok(
            read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(user_id).bind(app).bind(MAX_OF_USER)
            .fetch_all(pool).await)?,
        )
    }

    /// Acknowledged postbacks and steps of a business day, by the hour since `from`. A replayed refused call counts at the
    /// time of the replay.
    pub async fn hours(
        &self,
        business_date: &str,
        from: TimestampMs,
        to: TimestampMs,
    ) -> Result<Vec<HourRow>> {
        let first = self.first_postback_since(from).await?;
        let last = self.first_postback_since(TimestampMs(to.0 + 2 * MARGIN_MS)).await?;
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT 'acknowledged' AS what, (at - $1) / 3600000 AS hour, COUNT(*) AS count
             FROM (SELECT COALESCE(recorded_at, received_at) AS at FROM postbacks
                   WHERE id >= $2 AND id < $3) AS recorded
             WHERE at >= $1 AND at < $4
             GROUP BY (at - $1) / 3600000
             UNION ALL
             SELECT step, (taken_at - $1) / 3600000, COUNT(*) FROM steps
             WHERE business_date = $5 AND taken_at < $4 GROUP BY step, (taken_at - $1) / 3600000"
        ).bind(from.0).bind(first).bind(last).bind(to.0).bind(business_date).fetch_all(pool).await)?)
    }

    /// An id before which all postbacks were recorded before `at`. Ids follow the order of commits, which matches the
    /// order of receipt up to the duration of a batch, so the binary search allows for a margin.
    async fn first_postback_since(&self, at: TimestampMs) -> Result<i64> {
        let (mut low, mut high): (i64, i64) = read!(self, pool => sqlx::query_as(
            "SELECT COALESCE((SELECT MIN(id) FROM postbacks), 1), COALESCE((SELECT MAX(id) FROM postbacks), 0) + 1"
        ).fetch_one(pool).await)?;
        while low < high {
            let middle = low + (high - low) / 2;
            let row: Option<(i64, i64)> = read!(self, pool => sqlx::query_as(
                "SELECT id, COALESCE(recorded_at, received_at) FROM postbacks WHERE id >= $1 ORDER BY id LIMIT 1"
            ).bind(middle).fetch_optional(pool).await)?;
            match row {
                Some((id, recorded_at)) if recorded_at < at.0 - MARGIN_MS => low = id + 1,
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }

    /// How often data rules fired since the hour of `since`, by source. Reads one row for each hour, source and rule.
    pub async fn data_tallies(&self, since: TimestampMs) -> Result<Vec<DataTallyRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT fired.source, fired.code, fired.tally AS fired, looked.tally AS looked_at
             FROM (SELECT source, code, CAST(SUM(tally) AS BIGINT) AS tally FROM data_tallies
                   WHERE hour >= $1 AND code <> '' GROUP BY source, code) AS fired
             JOIN (SELECT source, CAST(SUM(tally) AS BIGINT) AS tally FROM data_tallies
                   WHERE hour >= $1 AND code = '' GROUP BY source) AS looked ON looked.source = fired.source
             ORDER BY fired.tally DESC, fired.source, fired.code"
        ).bind(since.0 / HOUR_MS).fetch_all(pool).await)?)
    }

    /// The holds of each rule received since `since`, with their results.
    pub async fn rule_outcomes(&self, since: TimestampMs) -> Result<Vec<RuleRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT leading_rule AS rule, COUNT(*) AS holds,
                    CAST(SUM(CASE WHEN status = 'credited' THEN 1 ELSE 0 END) AS BIGINT) AS released,
                    CAST(SUM(CASE WHEN status = 'rejected' THEN 1 ELSE 0 END) AS BIGINT) AS rejected,
                    CAST(SUM(CASE WHEN status = 'reversed' THEN 1 ELSE 0 END) AS BIGINT) AS reversed
             FROM verdicts JOIN rewards ON rewards.id = verdicts.reward_id
             WHERE leading_rule IS NOT NULL AND received_at >= $1
             GROUP BY leading_rule ORDER BY COUNT(*) DESC"
        ).bind(since.0).fetch_all(pool).await)?)
    }
}
