//! Verdicts with their signals: computed from the stored facts by the function that decided, or read as sentences where a
//! former version stored those.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::evidence::{Evidence, Reported};
use domain::location::{DatabaseBuild, GeoResult, Location};
use domain::money::Micros;
use domain::policy::Policy;
use domain::rules::ENGINE;
use domain::signal::Signal;
use domain::time::TimestampMs;
use domain::verdict::{Decision, Verdict};
use sqlx::QueryBuilder;

use super::list::{RewardRow, SELECT};
use crate::{Error, Result, Store, read};

/// A reward with the columns that explain its verdict.
#[derive(sqlx::FromRow)]
pub(super) struct KeptReward {
    #[sqlx(flatten)]
    row: RewardRow,
    #[sqlx(flatten)]
    verdict: VerdictColumns,
}

/// What explains a verdict: facts, or the sentences and places of former versions.
#[derive(sqlx::FromRow)]
pub(super) struct VerdictColumns {
    location: Option<String>,
    signals: Option<String>,
    facts: Option<String>,
    fired_points: Option<String>,
    geo_databases: Option<String>,
}

/// What comparing verdicts with their facts found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedVerdicts {
    /// Number of verdicts compared.
    pub compared: u64,
    /// Those of former versions that stored sentences instead of facts.
    pub without_facts: u64,
    /// Those that another version of the rules decided, which this one cannot repeat.
    pub other_engine: u64,
    /// The rewards whose decision, score or fired rules do not follow from the facts.
    pub differing: Vec<VerdictDifference>,
    /// The last reward of this page; `None` if there was none.
    pub last: Option<i64>,
}

/// A verdict that does not follow from its facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictDifference {
    /// The reward.
    pub reward_id: i64,
    /// As stored, e.g. `hold 60 T1:60!`.
    pub stored: String,
    /// As it follows from the stored facts.
    pub computed: String,
}

/// A verdict, stored and decided once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The version of the rules that decided.
    pub engine: Option<i64>,
    /// The version of the policy that decided.
    pub policy: String,
    /// As stored, e.g. `hold 60 T1:60!`.
    pub stored: String,
    /// Decided once more; `None` if a former version stored no facts.
    pub computed: Option<(String, Verdict)>,
}

impl Store {
    /// Fills in verdicts and locations.
    pub(super) async fn explained(&self, kept: Vec<KeptReward>) -> Result<Vec<RewardRow>> {
        let policies = self.policies_of(&kept).await?;
        kept.into_iter().map(|kept| kept.explained(&policies)).collect()
    }

    /// The policies that decided those of `kept` that have facts.
    async fn policies_of(&self, kept: &[KeptReward]) -> Result<BTreeMap<String, Arc<Policy>>> {
        let mut policies = BTreeMap::new();
        for reward in kept.iter().filter(|reward| reward.verdict.facts.is_some()) {
            let Some(version) = &reward.row.policy else { continue };
            if !policies.contains_key(version) {
                policies.insert(version.clone(), self.policy(version).await?);
            }
        }
        Ok(policies)
    }

    /// One reward as it is stored.
    pub(super) async fn kept(&self, reward_id: i64) -> Result<Option<KeptReward>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            query.push("rewards.id = ").push_bind(reward_id);
            query.build_query_as().fetch_optional(pool).await
        })?)
    }

    /// Decides the verdict of a reward once more, from its stored facts; `None` if it was never judged.
    pub async fn replay_verdict(&self, reward_id: i64) -> Result<Option<Replayed>> {
        let kept: Vec<KeptReward> = self.kept(reward_id).await?.into_iter().collect();
        let policies = self.policies_of(&kept).await?;
        let Some(kept) = kept.first() else { return Ok(None) };
        let Some(stored) = kept.stored_result() else { return Ok(None) };
        let computed = kept.decide_again(&policies)?.map(|verdict| (result(&verdict), verdict));
        let policy = kept.row.policy.clone().unwrap_or_default();
        Ok(Some(Replayed { engine: kept.row.engine, policy, stored, computed }))
    }

    /// Number of verdicts.
    pub async fn verdict_count(&self) -> Result<i64> {
        Ok(read!(self, pool => sqlx::query_scalar("SELECT COUNT(*) FROM verdicts").fetch_one(pool).await)?)
    }

    /// Compares the verdicts of up to `limit` rewards behind `after` with what follows from their facts.
    pub async fn check_verdicts(&self, after: i64, limit: i64) -> Result<CheckedVerdicts> {
        let kept: Vec<KeptReward> = read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            query.push("verdicts.reward_id > ").push_bind(after);
            query.push(" ORDER BY verdicts.reward_id LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        })?;
        let policies = self.policies_of(&kept).await?;
        let mut checked = CheckedVerdicts { last: kept.last().map(|kept| kept.row.id), ..Default::default() };
        for kept in &kept {
            let Some(stored) = kept.stored_result() else { continue };
            if kept.verdict.facts.is_none() {
                checked.without_facts += 1;
                continue;
            }
            if kept.row.engine != Some(ENGINE) {
                checked.other_engine += 1;
                continue;
            }
            checked.compared += 1;
            // What cannot be read does not follow from the facts either; the others are compared all the same.
            let computed = match kept.decide_again(&policies) {
                Ok(verdict) => verdict.map_or_else(String::new, |verdict| result(&verdict)),
                Err(error) => error.to_string(),
            };
            if stored != computed {
                checked.differing.push(VerdictDifference { reward_id: kept.row.id, stored, computed });
            }
        }
        Ok(checked)
    }
}

/// Decision, score and what fired: what has to follow from the facts.
fn result(verdict: &Verdict) -> String {
    result_of(verdict.decision.name(), verdict.score, verdict.hard, &verdict.fired_points())
}

fn result_of(decision: &str, score: i64, hard: bool, fired_points: &str) -> String {
    let hard = if hard { " hard" } else { "" };
    format!("{decision} {score}{hard} {fired_points}").trim_end().to_owned()
}

impl KeptReward {
    fn explained(self, policies: &BTreeMap<String, Arc<Policy>>) -> Result<RewardRow> {
        let (verdict, location) = (self.whole_verdict(policies)?, self.location()?);
        Ok(RewardRow { verdict, location, ..self.row })
    }

    /// As stored, with its signals.
    fn whole_verdict(&self, policies: &BTreeMap<String, Arc<Policy>>) -> Result<Option<Verdict>> {
        let row = &self.row;
        let (Some(decision), Some(score), Some(hard), Some(policy), Some(decided_at)) =
            (&row.decision, row.score, row.hard, &row.policy, row.decided_at)
        else {
            return Ok(None);
        };
        let signals: Vec<Signal> = match (self.decide_again(policies)?, &self.verdict.signals) {
            (Some(computed), _) => computed.signals,
            (None, Some(json)) => serde_json::from_str(json).map_err(|_| self.corrupt("signals", json))?,
            (None, None) => Vec::new(),
        };
        let decision = if decision == Decision::Hold.name() { Decision::Hold } else { Decision::Credit };
        let decided_at = TimestampMs(decided_at);
        Ok(Some(Verdict { decision, score, hard: hard != 0, policy: policy.clone(), decided_at, signals }))
    }

    fn location(&self) -> Result<Option<Location>> {
        if let Some(evidence) = self.evidence()? {
            return Ok(Some(evidence.location(self.databases()?)));
        }
        let Some(json) = &self.verdict.location else { return Ok(None) };
        serde_json::from_str(json).map(Some).map_err(|_| self.corrupt("location", json))
    }

    fn databases(&self) -> Result<Vec<DatabaseBuild>> {
        let Some(json) = &self.verdict.geo_databases else { return Ok(Vec::new()) };
        serde_json::from_str(json).map_err(|_| self.corrupt("geo_builds", json))
    }

    fn evidence(&self) -> Result<Option<Evidence>> {
        let Some(facts) = &self.verdict.facts else { return Ok(None) };
        Evidence::parse(facts).map(Some).map_err(|_| self.corrupt("facts", facts))
    }

    /// Decided once more from the facts; `None` if a former version stored none.
    fn decide_again(&self, policies: &BTreeMap<String, Arc<Policy>>) -> Result<Option<Verdict>> {
        let (row, Some(evidence)) = (&self.row, self.evidence()?) else { return Ok(None) };
        let Some(policy) = row.policy.as_ref().and_then(|version| policies.get(version)) else {
            return Ok(None);
        };
        let geo = row.geo_result.as_deref().unwrap_or_default();
        let reported = Reported {
            source: &row.source,
            user_id: &row.user_id,
            offer_id: row.offer_id.as_deref(),
            offer_name: row.offer_name.as_deref(),
            event_id: row.event_id.as_deref(),
            event_name: row.event_name.as_deref(),
            country_code: row.country_code.as_deref(),
            reward: row.reward_micros.map(Micros),
            payout: row.payout_micros.map(Micros),
            received_at: TimestampMs(row.received_at),
            clicked_at: row.clicked_at.map(TimestampMs),
            geo: GeoResult::parse(geo).ok_or_else(|| self.corrupt("geo_result", geo))?,
        };
        Ok(Some(evidence.decide(&reported, policy, TimestampMs(row.decided_at.unwrap_or_default()))))
    }

    fn stored_result(&self) -> Option<String> {
        let row = &self.row;
        let fired_points = self.verdict.fired_points.as_deref().unwrap_or_default();
        Some(result_of(row.decision.as_deref()?, row.score?, row.hard? != 0, fired_points))
    }

    fn corrupt(&self, column: &'static str, found: &str) -> Error {
        let found = found.chars().take(80).collect();
        Error::Corrupt { table: "verdicts", column, row: self.row.id, found }
    }
}
