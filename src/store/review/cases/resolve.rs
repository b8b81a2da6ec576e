//! Resolves a case.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::batch::Because;
use domain::delivery::Subscriptions;
use domain::ledger::Amounts;
use domain::money::Micros;
use domain::review::queue::{Alone, SecondPerson, Weighing};
use domain::review::reversal::{Ending, NotPossible, Resolution, Said, Situation, resolve};

use super::dismissing::{self, dismissed_alone};
use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, guard, with_statement};
use crate::review::decisions::Reviewer;
use crate::review::decisions::{IdRow, Taken, load, take};
use crate::{Error, Result, Store};

/// A person's resolution of a case.
#[derive(Clone, Debug)]
pub struct Resolve {
    /// The id of the case.
    pub case_id: i64,
    /// Take back all or a part, or dismiss.
    pub resolution: Resolution,
    /// For an orphan: the reward to take back. Otherwise `None` or the reward of the case.
    pub reward_id: Option<i64>,
    /// Must have a note.
    pub reviewer: Reviewer,
}

/// The result of a resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Saved and booked.
    Done {
        /// The reward that was taken back fully or partly; `None` if the case was dismissed.
        reward_id: Option<i64>,
        /// The amounts taken back.
        moved: Amounts,
    },
    /// There is no such case.
    NotFound,
    /// It has already ended.
    Ended {
        /// Its result.
        ending: Ending,
        /// One person, two as `mara, joe`, or `network`.
        by: String,
    },
    /// `reward_id` is missing, or cannot belong to the case; the sentence says why.
    BadReward(String),
    /// The status or amounts of the reward do not allow the resolution.
    NotPossible(NotPossible),
    /// Dismissing requires a second person; saved as an opinion.
    Waits,
}

#[derive(sqlx::FromRow)]
struct Row {
    reward_id: i64,
    postback_id: i64,
    source: String,
    situation: String,
    said_user_id: String,
    said_reward_micros: Option<i64>,
    said_payout_micros: Option<i64>,
    stake_payout_micros: i64,
    ending: Option<String>,
    ended_by: Option<String>,
}

const COLUMNS: &str = "SELECT reward_id, postback_id, source, situation, said_user_id, said_reward_micros,
                              said_payout_micros, stake_payout_micros, ending, ended_by
                       FROM reversal_cases WHERE id = $1";

static FIND: LazyStatement = LazyLock::new(|| Statement::new(COLUMNS, &[]));
static LOCK: LazyStatement = LazyLock::new(|| Statement::new(&format!("{COLUMNS} {{for_update}}"), &[]));

static END: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE reversal_cases
         SET ending = $2, ended_at = $3, ended_by = $4, note = $5, linked_reward_id = $6
         WHERE id = $1 AND ending IS NULL",
        &[],
    )
});

/// Ends the other open cases of a reward that was taken back completely.
static END_OTHERS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE reversal_cases SET ending = 'reversed', ended_at = $2, ended_by = $3
         WHERE reward_id = $1 AND ending IS NULL AND situation <> 'orphan'",
        &[],
    )
});

impl Store {
    /// Resolves a case in one transaction: books what is taken back, creates the deliveries, and ends the case.
    pub async fn resolve_case(&self, resolve: Resolve) -> Result<Resolved> {
        let subscriptions = self.subscriptions.clone();
        let second = self.terms.second.clone();
        self.write_and_wake(move |tx| {
            Box::pin(async move { decide(tx, resolve, &second, &subscriptions).await })
        })
        .await
    }
}

async fn find(tx: &mut Tx, statement: &LazyStatement, id: i64) -> Result<Option<Row>> {
    Ok(with_statement!(tx, statement, |sql, connection| {
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
    }))
}

async fn decide(
    tx: &mut Tx,
    wanted: Resolve,
    second: &SecondPerson,
    subscriptions: &Subscriptions,
) -> Result<Resolved> {
    let Resolve { case_id, resolution, reward_id, mut reviewer } = wanted;
    // The first lock of all (see the lock order in `lib.rs`).
    let before = match (resolution, second.bulk) {
        (Resolution::Dismiss, Some(_)) => dismissed_alone(tx, &reviewer).await?,
        _ => Alone::default(),
    };
    let Some(row) = find(tx, &FIND, case_id).await? else { return Ok(Resolved::NotFound) };
    let is_orphan = row.situation == Situation::Orphan.name();
    let target = match (resolution, is_orphan, reward_id) {
        (Resolution::Dismiss, ..) => None,
        (_, false, None) => Some(row.reward_id),
        (_, false, Some(id)) if id == row.reward_id => Some(id),
        (_, false, Some(_)) => {
            return Ok(Resolved::BadReward(format!("the case is about reward {}", row.reward_id)));
        }
        (_, true, None) => {
            return Ok(Resolved::BadReward("`reward_id` is missing: give the credit's id".into()));
        }
        (_, true, Some(id)) => Some(id),
    };
    // Users and rewards before the case, as in processing.
    let mut ids = vec![IdRow { id: row.reward_id }];
    ids.extend(target.filter(|id| *id != row.reward_id).map(|id| IdRow { id }));
    let rewards = load(tx, &ids).await?;
    let Some(row) = find(tx, &LOCK, case_id).await? else { return Ok(Resolved::NotFound) };
    if let Some(ending) = &row.ending {
        let ending = Ending::parse(ending).ok_or_else(|| Error::Corrupt {
            table: "reversal_cases",
            column: "ending",
            row: case_id,
            found: ending.clone(),
        })?;
        return Ok(Resolved::Ended { ending, by: row.ended_by.unwrap_or_default() });
    }
    let by = reviewer.actor.clone();
    if resolution == Resolution::Dismiss {
        let stake = Micros(row.stake_payout_micros);
        let alone = Alone {
            payout: Micros(before.payout.0.saturating_add(stake.0)),
            rewards: before.rewards.saturating_add(1),
        };
        match dismissing::weigh(tx, case_id, second.is_needed(stake, false, alone), &reviewer).await? {
            Weighing::Wait => return Ok(Resolved::Waits),
            Weighing::Take { with: Some(with) } => {
                // `ended_by` and the step name both people.
                let names = format!("{with}, {by}");
                reviewer.actor = Actor::new(names, by.via().clone(), by.address());
            }
            Weighing::Take { with: None } => {}
        }
    }
    let mut moved = Amounts::default();
    if let Some(id) = target {
        let Some(reward) = rewards.get(&id) else {
            return Ok(Resolved::BadReward(format!("there is no reward {id}")));
        };
        if reward.source != row.source || !reward.credit_seen {
            let why = format!("reward {id} is not a credit of the source {}", row.source);
            return Ok(Resolved::BadReward(why));
        }
        let said = Said {
            user_id: row.said_user_id,
            reward: row.said_reward_micros.map(Micros),
            payout: row.said_payout_micros.map(Micros),
        };
        let (step, part) = match resolve(resolution, reward.status, &said, reward.left()) {
            Ok(Some(step)) => step,
            Ok(None) => return Ok(Resolved::NotFound),
            Err(why) => return Ok(Resolved::NotPossible(why)),
        };
        let because = Because {
            actor: &reviewer.actor,
            note: reviewer.note.clone(),
            postback_id: Some(row.postback_id),
            now: reviewer.now,
        };
        moved = part.unwrap_or_else(|| reward.left());
        let mut after = reward.clone();
        let taken = match part {
            Some(part) => after.take_part(step, part, because),
            None => after.take(step, because),
        };
        let taken: [Taken<'_>; 1] = [(id, reward, taken)];
        take(tx, &taken, &reviewer, subscriptions).await?;
    }
    end(tx, case_id, resolution, target, &reviewer).await?;
    let detail = match target {
        Some(id) => {
            format!("reward {id}: {} and ${} taken back. {}", moved.reward, moved.payout, note(&reviewer))
        }
        None => note(&reviewer).to_owned(),
    };
    let action = match resolution {
        Resolution::All => Action::ReversalTakenBack,
        Resolution::Part => Action::ReversalPartTakenBack,
        Resolution::Dismiss => Action::ReversalDismissed,
    };
    let line = Line::new(&by, action, format!("case {case_id}"), detail);
    audit::note(tx, &line, reviewer.now);
    Ok(Resolved::Done { reward_id: target, moved })
}

fn note(reviewer: &Reviewer) -> &str {
    reviewer.note.as_deref().unwrap_or_default()
}

async fn end(
    tx: &mut Tx,
    case_id: i64,
    resolution: Resolution,
    target: Option<i64>,
    reviewer: &Reviewer,
) -> Result<()> {
    let ended = with_statement!(tx, END, |sql, connection| {
        let update = sqlx::query(sql)
            .bind(case_id)
            .bind(resolution.ending().name())
            .bind(reviewer.now.0)
            .bind(reviewer.actor.name())
            .bind(reviewer.note.as_deref())
            .bind(target);
        update.execute(connection).await?.rows_affected()
    });
    guard("reversal_cases", ended, 1)?;
    if let (Resolution::All, Some(id)) = (resolution, target) {
        with_statement!(tx, END_OTHERS, |sql, connection| {
            sqlx::query(sql)
                .bind(id)
                .bind(reviewer.now.0)
                .bind(reviewer.actor.name())
                .execute(connection)
                .await?;
        });
    }
    Ok(())
}
