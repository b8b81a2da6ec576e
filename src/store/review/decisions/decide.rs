//! Makes a decision: loads its context, decides on each reward, and saves the result.

use std::collections::{HashMap, HashSet};

use domain::audit::Action;
use domain::batch::{Because, Reward};
use domain::delivery::Subscriptions;
use domain::money::Micros;
use domain::review::decision::{self, Review};
use domain::review::queue::{Alone, BULK_MS, Opinion, SecondPerson, Voice, Weighing, weigh};
use domain::reward::Status;
use domain::time::TimestampMs;

use super::apply::{Taken, load, take};
use super::rows::{
    CLAIMS, DECIDED_ALONE, DecidedInsert, HARD, INSERT_DECIDED, INSERT_DECISION, INSERT_OPINIONS, IdRow,
    LAST_STEPS, LET_GO, LastStepRow, ONE_BY_ONE, OPINIONS, OpinionInsert,
};
use super::{BulkDecision, BulkDecisionResult, OpinionRow, Reviewer, Skip, Skipped, Wanted};
use crate::Result;
use crate::access::audit::{self, Line};
use crate::access::staff;
use crate::access::tokens;
use crate::db::tx::{Tx, with_statement};

/// Everything that a decision depends on, loaded and locked.
pub(super) struct ReviewContext {
    rewards: HashMap<i64, Reward>,
    hard: HashMap<i64, bool>,
    claims: HashMap<i64, String>,
    opinions: HashMap<i64, Vec<Opinion>>,
    last_steps: HashMap<i64, LastStepRow>,
    /// The person or service that decides.
    by: Voice,
    /// What they decided the same way and alone in the last [`BULK_MS`].
    before: Alone,
}

impl ReviewContext {
    pub(super) async fn open(tx: &mut Tx, decide: &BulkDecision, second: &SecondPerson) -> Result<Self> {
        // The first lock of all (see the lock order in `lib.rs`).
        let before = if second.bulk.is_some() { decided_alone(tx, decide).await? } else { Alone::default() };
        let ids: Vec<IdRow> = decide.wanted.iter().map(|wanted| IdRow { id: wanted.reward_id }).collect();
        let rewards = load(tx, &ids).await?;
        let hard: Vec<(i64,)> = tx.fetch(&HARD, &ids).await?;
        let claims: Vec<(i64, String, i64)> = tx.fetch(&CLAIMS, &ids).await?;
        let now: Vec<Wanted> = rewards
            .iter()
            .map(|(reward_id, reward)| Wanted { reward_id: *reward_id, steps: reward.steps })
            .collect();
        let rows: Vec<OpinionRow> = tx.fetch(&OPINIONS, &now).await?;
        let mut names: Vec<&str> = rows.iter().map(|row| row.person.as_str()).collect();
        names.push(&decide.reviewer.actor);
        names.sort_unstable();
        names.dedup();
        let services = tokens::services(tx, &names).await?;
        let now_ms = decide.reviewer.now.0;
        let mut acted: Vec<(&str, i64)> =
            rows.iter().map(|row| (row.person.as_str(), row.given_at)).collect();
        acted.push((&decide.reviewer.actor, now_ms));
        let new = staff::new_ones(tx, &acted).await?;
        let voice = |name: String, at: i64| {
            if services.contains(&name) {
                Voice::Service(name)
            } else if new.iter().any(|(new, acted_at)| *new == name && *acted_at == at) {
                Voice::New(name)
            } else {
                Voice::Person(name)
            }
        };
        let by = voice(decide.reviewer.actor.name().to_owned(), now_ms);
        let mut opinions: HashMap<i64, Vec<Opinion>> = HashMap::new();
        for row in rows {
            let decision = if row.decision == "release" { Review::Release } else { Review::Reject };
            opinions
                .entry(row.reward_id)
                .or_default()
                .push(Opinion { by: voice(row.person, row.given_at), decision });
        }
        let is_open = |id: &i64| rewards.get(id).is_some_and(|reward| reward.status == Status::Held);
        let seen: HashSet<&Wanted> = decide.wanted.iter().collect();
        let changed: Vec<&Wanted> =
            now.iter().filter(|now| !seen.contains(now) || !is_open(&now.reward_id)).collect();
        let last_steps: Vec<LastStepRow> =
            if changed.is_empty() { Vec::new() } else { tx.fetch(&LAST_STEPS, &changed).await? };
        Ok(Self {
            rewards,
            hard: hard.into_iter().map(|(id,)| (id, true)).collect(),
            claims: claims
                .into_iter()
                .filter(|(_, person, until)| {
                    *until > decide.reviewer.now.0 && **person != *decide.reviewer.actor
                })
                .map(|(id, person, _)| (id, person))
                .collect(),
            opinions,
            last_steps: last_steps.into_iter().map(|row| (row.reward_id, row)).collect(),
            by,
            before,
        })
    }

    /// Why `wanted` cannot be decided on; `None` if it can.
    fn skip(&self, wanted: &Wanted, overturn: bool) -> Result<Option<Skip>> {
        let Some(reward) = self.rewards.get(&wanted.reward_id) else { return Ok(Some(Skip::NotFound)) };
        let is_open = reward.status == Status::Held || (overturn && reward.status == Status::Rejected);
        if reward.steps != wanted.steps || !is_open {
            let Some(last) = self.last_steps.get(&wanted.reward_id) else { return Ok(Some(Skip::NotFound)) };
            return Ok(Some(Skip::Changed {
                status: reward.status,
                step: last.step()?,
                by: last.actor.clone(),
                at: TimestampMs(last.taken_at),
            }));
        }
        Ok(self.claims.get(&wanted.reward_id).map(|person| Skip::Claimed { person: person.clone() }))
    }

    pub(super) async fn decide(
        &self,
        tx: &mut Tx,
        decide: &BulkDecision,
        second: &SecondPerson,
        subscriptions: &Subscriptions,
    ) -> Result<BulkDecisionResult> {
        let mut decision = BulkDecisionResult::default();
        let mut open = Vec::new();
        for wanted in &decide.wanted {
            match self.skip(wanted, decide.overturn)? {
                Some(why) => decision.skipped.push(Skipped { reward_id: wanted.reward_id, why }),
                None => {
                    open.extend(self.rewards.get(&wanted.reward_id).map(|reward| (wanted.reward_id, reward)));
                }
            }
        }
        let payout = |reward: &Reward| reward.payout.unwrap_or_default();
        let total =
            open.iter().fold(self.before.payout.0, |sum, (_, reward)| sum.saturating_add(payout(reward).0));
        let alone = Alone { payout: Micros(total), rewards: self.before.rewards.saturating_add(open.len()) };
        let (mut taken, mut opinions) = (Vec::new(), Vec::new());
        for (id, reward) in &open {
            let is_hard = self.hard.contains_key(id);
            let needed = second.is_needed(payout(reward), is_hard, alone);
            let earlier = self.opinions.get(id).map_or(&[][..], Vec::as_slice);
            let Reviewer { actor, note, .. } = &decide.reviewer;
            match weigh(needed, earlier, &self.by, decide.decision) {
                Weighing::Take { with } => {
                    let Ok(step) = decision::step(decide.decision, reward.status) else { continue };
                    let actor =
                        with.map_or_else(|| actor.name().to_owned(), |with| format!("{with}, {actor}"));
                    let now = decide.reviewer.now;
                    let because = Because { actor: &actor, note: note.clone(), postback_id: None, now };
                    let step = Reward::clone(reward).take(step, because);
                    taken.push((*id, *reward, step));
                }
                Weighing::Wait => opinions.push(OpinionInsert {
                    reward_id: *id,
                    steps: reward.steps,
                    person: actor,
                    decision: decision_name(decide.decision),
                    note: note.as_deref(),
                    given_at: decide.reviewer.now.0,
                }),
            }
        }
        decision.waiting = opinions.iter().map(|opinion| opinion.reward_id).collect();
        decision.taken = taken.iter().map(|(id, _, _)| *id).collect();
        decision.payout_micros =
            taken.iter().fold(0_i64, |sum, (_, reward, _)| sum.saturating_add(payout(reward).0));
        if !opinions.is_empty() {
            tx.execute(&INSERT_OPINIONS, &opinions).await?;
            // So that the second person can claim it at once.
            let ids: Vec<IdRow> = decision.waiting.iter().map(|id| IdRow { id: *id }).collect();
            tx.execute(&LET_GO, &ids).await?;
        }
        take(tx, &taken, &decide.reviewer, subscriptions).await?;
        if !taken.is_empty() {
            decision.id = Some(save(tx, decide, &decision, &taken).await?);
        }
        note(tx, decide, &decision);
        Ok(decision)
    }
}

/// What the person decided the same way recently and alone. Blocks other decisions of the same person until this
/// transaction ends: two at the same time would not see each other.
async fn decided_alone(tx: &mut Tx, decide: &BulkDecision) -> Result<Alone> {
    let Reviewer { actor, now, .. } = &decide.reviewer;
    with_statement!(tx, ONE_BY_ONE, |sql, connection| {
        sqlx::query(sql).bind(format!("decisions of {actor}")).execute(connection).await?;
    });
    let decided: (i64, i64) = with_statement!(tx, DECIDED_ALONE, |sql, connection| {
        let alone = sqlx::query_as(sql)
            .bind(actor.name())
            .bind(decision_name(decide.decision))
            .bind(now.0.saturating_sub(BULK_MS));
        alone.fetch_one(connection).await?
    });
    Ok(alone(decided))
}

pub(super) fn alone((rewards, payout): (i64, i64)) -> Alone {
    Alone { payout: Micros(payout), rewards: usize::try_from(rewards).unwrap_or(usize::MAX) }
}

pub(super) fn decision_name(decision: Review) -> &'static str {
    match decision {
        Review::Release => "release",
        Review::Reject => "reject",
    }
}

/// Saves the decision, so that it can be undone.
async fn save(
    tx: &mut Tx,
    decide: &BulkDecision,
    decision: &BulkDecisionResult,
    taken: &[Taken<'_>],
) -> Result<i64> {
    let (id,): (i64,) = with_statement!(tx, INSERT_DECISION, |sql, connection| {
        let insert = sqlx::query_as(sql)
            .bind(decide.reviewer.actor.name())
            .bind(decision_name(decide.decision))
            .bind(decide.reviewer.note.as_deref())
            .bind(decide.reviewer.now.0)
            .bind(i64::try_from(taken.len()).unwrap_or(i64::MAX))
            .bind(decision.payout_micros);
        insert.fetch_one(connection).await?
    });
    let decided: Vec<DecidedInsert> = taken
        .iter()
        .map(|(reward_id, _, step)| DecidedInsert { decision_id: id, reward_id: *reward_id, seq: step.seq })
        .collect();
    tx.execute(&INSERT_DECIDED, &decided).await?;
    Ok(id)
}

/// Writes the audit lines.
fn note(tx: &mut Tx, decide: &BulkDecision, decision: &BulkDecisionResult) {
    let subject = |ids: &[i64]| match ids {
        [one] => format!("reward {one}"),
        many => format!("{} rewards", many.len()),
    };
    let Reviewer { actor, note, now, .. } = &decide.reviewer;
    let note = note.as_deref().unwrap_or_default();
    if let Some(id) = decision.id {
        let action = if decide.decision == Review::Release { Action::Released } else { Action::Rejected };
        let detail = format!("decision {id}, ${}. {note}", Micros(decision.payout_micros));
        audit::note(tx, &Line::new(actor, action, subject(&decision.taken), detail), *now);
    }
    if !decision.waiting.is_empty() {
        // Without the opinion itself: the second person must not know it.
        let line = Line::new(actor, Action::OpinionGiven, subject(&decision.waiting), String::new());
        audit::note(tx, &line, *now);
    }
}
