//! One click of one person that decides on many rewards, what became of each, and taking it all back.
//!
//! A decision only ever touches what is held (or rejected, if that is what is to be overturned), and only in the state in which it was seen: a page that is out of date can
//! neither overturn what somebody else decided nor decide it again. What could not be decided comes back with what
//! happened instead.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use domain::delivery::Subscriptions;
use domain::ledger;
use domain::money::Micros;
use domain::queue::{Opinion, SecondPerson, Weighing, weigh};
use domain::review::{self, LastStep, Review};
use domain::reward::{Status, Step};
use domain::settlement::{Reward, TakenStep};
use domain::time::TimestampMs;
use serde::Serialize;

use crate::audit::{self, Line};
use crate::outbox::{self, Touched, UserRow, lock_users};
use crate::reviews::Reviewer;
use crate::settle::RewardRow;
use crate::statement::Column::{Int, Text};
use crate::statement::{LazyStatement, Statement};
use crate::unit::{Tx, guard, with_statement};
use crate::{Error, Result, Store, read, save};

/// How many rewards one click may decide on.
pub const MAX_DECIDED: usize = 5_000;

/// Who releases what nobody needs to look at.
pub const ACTOR_POLICY: &str = "policy";

/// A reward that is to be decided on, as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Wanted {
    /// The reward.
    pub reward_id: i64,
    /// How many steps it had taken.
    pub steps: i64,
}

/// One click.
#[derive(Clone, Debug)]
pub struct Decide {
    /// On what; at most [`MAX_DECIDED`], the rest is left alone.
    pub wanted: Vec<Wanted>,
    /// What is decided.
    pub decision: Review,
    /// Whether a release may also take back an earlier reject. A click in the queue never means that.
    pub overturn: bool,
    /// By whom, why and when.
    pub reviewer: Reviewer,
}

/// What became of one click.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// To undo it by, if anything was decided.
    pub id: Option<i64>,
    /// Decided.
    pub taken: Vec<i64>,
    /// Kept as an opinion: another person is asked.
    pub waiting: Vec<i64>,
    /// Neither.
    pub skipped: Vec<Skipped>,
    /// What the network pays for what was decided, in USD.
    pub payout_micros: i64,
}

/// A reward that was not decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The reward.
    pub reward_id: i64,
    /// Why.
    pub why: Skip,
}

/// Why a reward was not decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// There is none of this id.
    NotFound,
    /// Somebody else has it open.
    Claimed {
        /// Who.
        person: String,
    },
    /// Something else happened to it first.
    Changed {
        /// Where it stands now.
        status: Status,
        /// By what.
        step: Step,
        /// By whom.
        by: String,
        /// When.
        at: TimestampMs,
    },
}

/// What became of an undo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndoneDecision {
    /// Held again.
    pub undone: Vec<i64>,
    /// Too late: told already, or changed since.
    pub too_late: Vec<i64>,
}

/// A decision as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of decisions, described in the migration")]
pub struct DecisionRow {
    pub id: i64,
    pub person: String,
    pub decision: String,
    pub note: Option<String>,
    pub decided_at: i64,
    pub rewards: i64,
    pub payout_micros: i64,
}

/// An opinion as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of opinions, described in the migration")]
pub struct OpinionRow {
    pub reward_id: i64,
    pub person: String,
    pub decision: String,
    pub note: Option<String>,
    pub given_at: i64,
}

#[derive(Serialize)]
struct IdRow {
    id: i64,
}

static OWNERS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT app, user_id FROM {given} JOIN rewards ON rewards.id = given.id ORDER BY app, user_id",
        &[Int("id")],
    )
});
static LOAD: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id, source, event_key, app, user_id, currency, reward_micros, payout_micros, offer_id, status,
                steps, repeats, conflict, credit_seen
         FROM rewards WHERE id IN (SELECT id FROM {given}) ORDER BY id {for_update}",
        &[Int("id")],
    )
});
static HARD: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT verdicts.reward_id FROM {given} JOIN verdicts ON verdicts.reward_id = given.id WHERE hard = 1",
        &[Int("id")],
    )
});
static CLAIMS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT claims.reward_id, person, until_at FROM {given} JOIN claims ON claims.reward_id = given.id",
        &[Int("id")],
    )
});
static OPINIONS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT opinions.reward_id, person, decision, note, given_at
         FROM {given} JOIN opinions ON opinions.reward_id = given.reward_id AND opinions.steps = given.steps
         ORDER BY opinions.id",
        &[Int("reward_id"), Int("steps")],
    )
});
static LAST_STEPS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT steps.reward_id, step, actor, taken_at,
                COALESCE((SELECT tries FROM deliveries
                          WHERE deliveries.reward_id = steps.reward_id AND deliveries.seq = steps.seq
                          {for_update}), 0) AS tries
         FROM {given} JOIN steps ON steps.reward_id = given.reward_id AND steps.seq = given.steps",
        &[Int("reward_id"), Int("steps")],
    )
});
static UPDATE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE rewards {by_id} SET status = given.status, steps = rewards.steps + 1
         FROM {given} WHERE rewards.id = given.reward_id AND rewards.steps = given.steps",
        &[Int("reward_id"), Int("steps"), Text("status")],
    )
});
static INSERT_OPINIONS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO opinions (reward_id, steps, person, decision, note, given_at)
         SELECT reward_id, steps, person, decision, note, given_at FROM {given}",
        &[Int("reward_id"), Int("steps"), Text("person"), Text("decision"), Text("note"), Int("given_at")],
    )
});
static LET_GO: LazyStatement = LazyLock::new(|| {
    Statement::new("DELETE FROM claims WHERE reward_id IN (SELECT id FROM {given})", &[Int("id")])
});
static INSERT_DECISION: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO decisions (person, decision, note, decided_at, rewards, payout_micros)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        &[],
    )
});
static INSERT_DECIDED: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO decided (decision_id, reward_id, seq) SELECT decision_id, reward_id, seq FROM {given}",
        &[Int("decision_id"), Int("reward_id"), Int("seq")],
    )
});
static DECISION: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT person FROM decisions WHERE id = $1", &[]));
static DECIDED: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT reward_id, seq FROM decided WHERE decision_id = $1 ORDER BY reward_id", &[])
});

#[derive(Serialize)]
struct UpdateRow {
    reward_id: i64,
    steps: i64,
    status: &'static str,
}

#[derive(Serialize)]
struct OpinionInsert<'a> {
    reward_id: i64,
    steps: i64,
    person: &'a str,
    decision: &'static str,
    note: Option<&'a str>,
    given_at: i64,
}

#[derive(Serialize)]
struct DecidedInsert {
    decision_id: i64,
    reward_id: i64,
    seq: i64,
}

#[derive(sqlx::FromRow)]
struct LastStepRow {
    reward_id: i64,
    step: String,
    actor: String,
    taken_at: i64,
    tries: i64,
}

impl LastStepRow {
    fn step(&self) -> Result<Step> {
        let known = Step::ALL.into_iter().find(|step| step.name() == self.step);
        known.ok_or_else(|| Error::Corrupt {
            table: "steps",
            column: "step",
            row: self.reward_id,
            found: self.step.clone(),
        })
    }
}

impl Store {
    /// Decides on many rewards in one transaction, with a fixed number of statements.
    pub async fn decide(&self, mut decide: Decide) -> Result<Decision> {
        decide.wanted.sort_unstable_by_key(|wanted| wanted.reward_id);
        decide.wanted.dedup_by_key(|wanted| wanted.reward_id);
        decide.wanted.truncate(MAX_DECIDED);
        self.decide_under(decide, self.terms.second.clone()).await
    }

    async fn decide_under(&self, decide: Decide, second: SecondPerson) -> Result<Decision> {
        let subscriptions = self.subscriptions.clone();
        self.write_and_wake(move |tx| {
            Box::pin(async move {
                let desk = Desk::open(tx, &decide).await?;
                desk.decide(tx, &decide, &second, &subscriptions).await
            })
        })
        .await
    }

    /// Takes the decision `id` back, which must be of this person, as far as its grace lasts; `None` if there is none
    /// of theirs.
    pub async fn undo_decision(&self, id: i64, reviewer: Reviewer) -> Result<Option<UndoneDecision>> {
        let subscriptions = self.subscriptions.clone();
        self.write_and_wake(move |tx| {
            Box::pin(async move {
                let person: Option<(String,)> = with_statement!(tx, DECISION, |sql, connection| {
                    sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
                });
                if person.is_none_or(|(person,)| person != reviewer.actor) {
                    return Ok(None);
                }
                let decided: Vec<(i64, i64)> = with_statement!(tx, DECIDED, |sql, connection| {
                    sqlx::query_as(sql).bind(id).fetch_all(connection).await?
                });
                take_back(tx, id, &decided, &reviewer, &subscriptions).await.map(Some)
            })
        })
        .await
    }

    /// The decision `id`.
    pub async fn decision(&self, id: i64) -> Result<Option<DecisionRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, person, decision, note, decided_at, rewards, payout_micros FROM decisions WHERE id = $1"
        ).bind(id).fetch_optional(pool).await)?)
    }

    /// What was said of the reward `id` while it stood at `steps`, the oldest first.
    pub async fn opinions(&self, id: i64, steps: i64) -> Result<Vec<OpinionRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT reward_id, person, decision, note, given_at FROM opinions
             WHERE reward_id = $1 AND steps = $2 ORDER BY id"
        ).bind(id).bind(steps).fetch_all(pool).await)?)
    }

    /// Releases up to `limit` soft holds that nobody needs to look at; how many they were. Nothing of what somebody has
    /// open, has an opinion on, or that a postback contradicted.
    pub async fn auto_release(&self, now: TimestampMs, business_date: String, limit: i64) -> Result<usize> {
        let Some(auto) = self.terms.auto_release else { return Ok(0) };
        let due: Vec<(i64, i64)> = read!(self, pool => sqlx::query_as(
            "SELECT reward_id, steps FROM holds
             WHERE received_at < $1 AND payout_micros < $2 AND hard = 0 AND conflict = 0
               AND NOT EXISTS (SELECT 1 FROM opinions WHERE opinions.reward_id = holds.reward_id
                                                        AND opinions.steps = holds.steps)
               AND NOT EXISTS (SELECT 1 FROM claims WHERE claims.reward_id = holds.reward_id AND until_at > $3)
             ORDER BY received_at, reward_id LIMIT $4"
        ).bind(now.0 - auto.after_ms).bind(auto.below.0).bind(now.0).bind(limit).fetch_all(pool).await)?;
        if due.is_empty() {
            return Ok(0);
        }
        let note = format!(
            "released by policy: a soft hold that pays less than ${} and waited {} h",
            auto.below,
            auto.after_ms / 3_600_000
        );
        let wanted = due.into_iter().map(|(reward_id, steps)| Wanted { reward_id, steps }).collect();
        let reviewer = Reviewer { actor: ACTOR_POLICY.into(), note: Some(note), now, business_date };
        let decide = Decide { wanted, decision: Review::Release, overturn: false, reviewer };
        // Nobody is asked, so nobody is asked twice.
        Ok(self.decide_under(decide, SecondPerson::default()).await?.taken.len())
    }
}

/// Everything that is known when a click is decided on.
struct Desk {
    rewards: HashMap<i64, Reward>,
    hard: HashMap<i64, bool>,
    claims: HashMap<i64, String>,
    opinions: HashMap<i64, Vec<Opinion>>,
    last_steps: HashMap<i64, LastStepRow>,
}

async fn load(tx: &mut Tx, ids: &[IdRow]) -> Result<HashMap<i64, Reward>> {
    let owners: Vec<(String, String)> = tx.fetch(&OWNERS, &ids).await?;
    let owners = owners.into_iter().map(|(app, user_id)| UserRow { app, user_id }).collect();
    // The users first and then the rewards, as settling does it.
    lock_users(tx, owners).await?;
    let rows: Vec<RewardRow> = tx.fetch(&LOAD, &ids).await?;
    rows.into_iter()
        .map(|row| {
            let reward = Reward::try_from(row)?;
            Ok((reward.id.unwrap_or_default(), reward))
        })
        .collect()
}

impl Desk {
    async fn open(tx: &mut Tx, decide: &Decide) -> Result<Self> {
        let ids: Vec<IdRow> = decide.wanted.iter().map(|wanted| IdRow { id: wanted.reward_id }).collect();
        let rewards = load(tx, &ids).await?;
        let hard: Vec<(i64,)> = tx.fetch(&HARD, &ids).await?;
        let claims: Vec<(i64, String, i64)> = tx.fetch(&CLAIMS, &ids).await?;
        let now: Vec<Wanted> = rewards
            .iter()
            .map(|(reward_id, reward)| Wanted { reward_id: *reward_id, steps: reward.steps })
            .collect();
        let rows: Vec<OpinionRow> = tx.fetch(&OPINIONS, &now).await?;
        let mut opinions: HashMap<i64, Vec<Opinion>> = HashMap::new();
        for row in rows {
            let decision = if row.decision == "release" { Review::Release } else { Review::Reject };
            opinions.entry(row.reward_id).or_default().push(Opinion { person: row.person, decision });
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
                    *until > decide.reviewer.now.0 && *person != decide.reviewer.actor
                })
                .map(|(id, person, _)| (id, person))
                .collect(),
            opinions,
            last_steps: last_steps.into_iter().map(|row| (row.reward_id, row)).collect(),
        })
    }

    /// Why `wanted` cannot be decided on, if it cannot.
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

    async fn decide(
        &self,
        tx: &mut Tx,
        decide: &Decide,
        second: &SecondPerson,
        subscriptions: &Subscriptions,
    ) -> Result<Decision> {
        let mut decision = Decision::default();
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
        let total = Micros(open.iter().fold(0_i64, |sum, (_, reward)| sum.saturating_add(payout(reward).0)));
        let (mut taken, mut opinions) = (Vec::new(), Vec::new());
        for (id, reward) in &open {
            let is_hard = self.hard.contains_key(id);
            let needed = second.is_needed(payout(reward), is_hard, total, open.len());
            let earlier = self.opinions.get(id).map_or(&[][..], Vec::as_slice);
            let Reviewer { actor, note, .. } = &decide.reviewer;
            match weigh(needed, earlier, actor, decide.decision) {
                Weighing::Take { with } => {
                    let Ok(step) = review::step(decide.decision, reward.status) else { continue };
                    let actor = with.map_or_else(|| actor.clone(), |with| format!("{with}, {actor}"));
                    let transfers = ledger::transfers(step, &reward.terms());
                    let seq = reward.steps + 1;
                    let step =
                        TakenStep { seq, step, actor, note: note.clone(), postback_id: None, transfers };
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
            // So that the other person can open it at once.
            let ids: Vec<IdRow> = decision.waiting.iter().map(|id| IdRow { id: *id }).collect();
            tx.execute(&LET_GO, &ids).await?;
        }
        take(tx, &taken, &decide.reviewer, subscriptions).await?;
        if !taken.is_empty() {
            decision.id = Some(keep(tx, decide, &decision, &taken).await?);
        }
        note(tx, decide, &decision).await?;
        Ok(decision)
    }
}

fn decision_name(decision: Review) -> &'static str {
    match decision {
        Review::Release => "release",
        Review::Reject => "reject",
    }
}

type Taken<'a> = (i64, &'a Reward, TakenStep);

/// Saves steps with what they move and what they tell.
async fn take(
    tx: &mut Tx,
    taken: &[Taken<'_>],
    reviewer: &Reviewer,
    subscriptions: &Subscriptions,
) -> Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    let updates: Vec<UpdateRow> = taken
        .iter()
        .map(|(reward_id, reward, taken)| UpdateRow {
            reward_id: *reward_id,
            steps: reward.steps,
            status: taken.step.to().name(),
        })
        .collect();
    let touched = tx.execute(&UPDATE, &updates).await?;
    guard("rewards", touched, updates.len())?;
    let steps: Vec<(i64, &TakenStep)> = taken.iter().map(|(id, _, step)| (*id, step)).collect();
    save::steps(tx, &steps, &reviewer.business_date, reviewer.now).await?;
    let touched: Vec<Touched<'_>> = taken
        .iter()
        .map(|(reward_id, reward, step)| Touched {
            reward_id: *reward_id,
            app: &reward.app,
            user_id: &reward.user_id,
            steps: vec![step],
        })
        .collect();
    outbox::bear(tx, &touched, subscriptions, reviewer.now).await?;
    Ok(())
}

/// Keeps the click, to undo it by.
async fn keep(tx: &mut Tx, decide: &Decide, decision: &Decision, taken: &[Taken<'_>]) -> Result<i64> {
    let (id,): (i64,) = with_statement!(tx, INSERT_DECISION, |sql, connection| {
        let insert = sqlx::query_as(sql)
            .bind(&decide.reviewer.actor)
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

/// Says in the audit who did what.
async fn note(tx: &mut Tx, decide: &Decide, decision: &Decision) -> Result<()> {
    let subject = |ids: &[i64]| match ids {
        [one] => format!("reward {one}"),
        many => format!("{} rewards", many.len()),
    };
    let Reviewer { actor, note, now, .. } = &decide.reviewer;
    let note = note.as_deref().unwrap_or_default();
    if let Some(id) = decision.id {
        let action = if decide.decision == Review::Release { "released" } else { "rejected" };
        let detail = format!("decision {id}, ${}. {note}", Micros(decision.payout_micros));
        audit::note(tx, &Line::new(actor, action, subject(&decision.taken), detail), *now).await?;
    }
    if !decision.waiting.is_empty() {
        // Not what was said: the second person is not to know.
        let line = Line::new(actor, "opinion_given", subject(&decision.waiting), String::new());
        audit::note(tx, &line, *now).await?;
    }
    Ok(())
}

/// Takes back what of `decided` can be taken back.
async fn take_back(
    tx: &mut Tx,
    id: i64,
    decided: &[(i64, i64)],
    reviewer: &Reviewer,
    subscriptions: &Subscriptions,
) -> Result<UndoneDecision> {
    let ids: Vec<IdRow> = decided.iter().map(|(reward_id, _)| IdRow { id: *reward_id }).collect();
    let rewards = load(tx, &ids).await?;
    let at: Vec<Wanted> =
        decided.iter().map(|(reward_id, seq)| Wanted { reward_id: *reward_id, steps: *seq }).collect();
    let last_steps: Vec<LastStepRow> = tx.fetch(&LAST_STEPS, &at).await?;
    let last_steps: HashMap<i64, LastStepRow> =
        last_steps.into_iter().map(|row| (row.reward_id, row)).collect();
    let mut undone = UndoneDecision::default();
    let mut taken = Vec::new();
    for (reward_id, seq) in decided {
        let known = rewards.get(reward_id).zip(last_steps.get(reward_id));
        let Some((reward, last)) = known.filter(|(reward, _)| reward.steps == *seq) else {
            undone.too_late.push(*reward_id);
            continue;
        };
        let step =
            LastStep { step: last.step()?, taken_at: TimestampMs(last.taken_at), told: last.tries > 0 };
        let Ok(step) = review::undo(step, subscriptions.grace_ms, reviewer.now) else {
            undone.too_late.push(*reward_id);
            continue;
        };
        let (actor, note) = (reviewer.actor.clone(), reviewer.note.clone());
        let transfers = ledger::transfers(step, &reward.terms());
        let step = TakenStep { seq: seq + 1, step, actor, note, postback_id: None, transfers };
        taken.push((*reward_id, reward, step));
        undone.undone.push(*reward_id);
    }
    take(tx, &taken, reviewer, subscriptions).await?;
    if !undone.undone.is_empty() {
        let subject = format!("decision {id}");
        let detail = format!("{} of {} rewards are held again", undone.undone.len(), decided.len());
        audit::note(tx, &Line::new(&reviewer.actor, "undone", subject, detail), reviewer.now).await?;
    }
    Ok(undone)
}
