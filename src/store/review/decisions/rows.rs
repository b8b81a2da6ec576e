//! The statements of decisions, with their rows.

use std::sync::LazyLock;

use domain::review::decision::LastStep;
use domain::reward::Step;
use domain::time::TimestampMs;

pub(crate) use crate::db::rows::IdRow;
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::review::decisions::Wanted;
use crate::rewards::existing::reward_columns;
use crate::{Error, Result};

pub(super) static OWNERS: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "SELECT app, user_id FROM {given} JOIN rewards ON rewards.id = given.id ORDER BY app, user_id",
    )
});
pub(super) static LOAD: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(concat!(
        reward_columns!(),
        "WHERE id IN (SELECT id FROM {given}) ORDER BY id {for_update}"
    ))
});
pub(super) static HARD: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "SELECT verdicts.reward_id FROM {given} JOIN verdicts ON verdicts.reward_id = given.id WHERE hard = 1
         UNION
         SELECT holds.reward_id FROM {given} JOIN holds ON holds.reward_id = given.id WHERE hard = 1",
    )
});
pub(super) static CLAIMS: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "SELECT claims.reward_id, person, until_at FROM {given} JOIN claims ON claims.reward_id = given.id",
    )
});
pub(super) static OPINIONS: LazyStatement = LazyLock::new(|| {
    Statement::given::<Wanted>(
        "SELECT opinions.reward_id, person, decision, note, given_at
         FROM {given} JOIN opinions ON opinions.reward_id = given.reward_id AND opinions.steps = given.steps
         ORDER BY opinions.id",
    )
});
pub(super) static LAST_STEPS: LazyStatement = LazyLock::new(|| {
    Statement::given::<Wanted>(
        "SELECT steps.reward_id, step, actor, taken_at,
                COALESCE((SELECT tries FROM deliveries
                          WHERE deliveries.reward_id = steps.reward_id AND deliveries.seq = steps.seq
                          {for_update}), 0) AS tries
         FROM {given} JOIN steps ON steps.reward_id = given.reward_id AND steps.seq = given.steps",
    )
});
pub(super) static UPDATE: LazyStatement = LazyLock::new(|| {
    Statement::given::<UpdateRow>(
        "UPDATE rewards {by_id}
         SET status = given.status, steps = rewards.steps + 1, taken_back_micros = given.taken_back_micros,
             taken_back_payout_micros = given.taken_back_payout_micros
         FROM {given} WHERE rewards.id = given.reward_id AND rewards.steps = given.steps",
    )
});
pub(super) static INSERT_OPINIONS: LazyStatement = LazyLock::new(|| {
    Statement::given::<OpinionInsert<'_>>(
        "INSERT INTO opinions ({columns})
         SELECT {columns} FROM {given}",
    )
});
/// Locks a row for each kind of act and person, so that one person's acts of a kind run one after another.
pub(crate) static ONE_BY_ONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO tallies (name, tally) VALUES ($1, 1)
         ON CONFLICT (name) DO UPDATE SET tally = tallies.tally + 1",
        &[],
    )
});
/// What the person $1 decided in the way $2 since $3; without decisions of two people (the step names both), and without
/// undone ones.
pub(super) const ALONE: &str = "
        SELECT CAST(COUNT(*) AS BIGINT), CAST(COALESCE(SUM(payout_micros), 0) AS BIGINT)
         FROM (SELECT id FROM decisions WHERE person = $1 AND decision = $2 AND decided_at > $3) AS lately
         JOIN decided ON decided.decision_id = lately.id
         JOIN steps ON steps.reward_id = decided.reward_id AND steps.seq = decided.seq AND steps.actor = $1
         JOIN rewards ON rewards.id = decided.reward_id
         WHERE NOT EXISTS (SELECT 1 FROM steps AS undone
                           WHERE undone.reward_id = decided.reward_id AND undone.seq = decided.seq + 1
                             AND undone.step IN ('undo_release', 'undo_reject', 'undo_overturn'))";
pub(super) static DECIDED_ALONE: LazyStatement = LazyLock::new(|| Statement::new(ALONE, &[]));
pub(super) static LET_GO: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>("DELETE FROM claims WHERE reward_id IN (SELECT id FROM {given})")
});
pub(super) static INSERT_DECISION: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO decisions (person, decision, note, decided_at, rewards, payout_micros)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        &[],
    )
});
pub(super) static INSERT_DECIDED: LazyStatement = LazyLock::new(|| {
    Statement::given::<DecidedInsert>("INSERT INTO decided ({columns}) SELECT {columns} FROM {given}")
});
pub(super) static DECISION: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT person FROM decisions WHERE id = $1", &[]));
pub(super) static DECIDED: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT reward_id, seq FROM decided WHERE decision_id = $1 ORDER BY reward_id", &[])
});

given_row! {
    pub(super) struct UpdateRow {
        pub(super) reward_id: i64,
        pub(super) steps: i64,
        pub(super) status: &'static str,
        pub(super) taken_back_micros: i64,
        pub(super) taken_back_payout_micros: i64,
    }
}

given_row! {
    pub(super) struct OpinionInsert<'a> {
        pub(super) reward_id: i64,
        pub(super) steps: i64,
        pub(super) person: &'a str,
        pub(super) decision: &'static str,
        pub(super) note: Option<&'a str>,
        pub(super) given_at: i64,
    }
}

given_row! {
    pub(super) struct DecidedInsert {
        pub(super) decision_id: i64,
        pub(super) reward_id: i64,
        pub(super) seq: i64,
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct LastStepRow {
    pub(super) reward_id: i64,
    pub(super) step: String,
    pub(super) actor: String,
    pub(super) taken_at: i64,
    pub(super) tries: i64,
}

impl LastStepRow {
    pub(super) fn step(&self) -> Result<Step> {
        let known = Step::ALL.into_iter().find(|step| step.name() == self.step);
        known.ok_or_else(|| Error::Corrupt {
            table: "steps",
            column: "step",
            row: self.reward_id,
            found: self.step.clone(),
        })
    }

    /// The step in the domain's form, to check whether it can be undone.
    pub(super) fn step_taken(&self) -> Result<LastStep> {
        Ok(LastStep { step: self.step()?, taken_at: TimestampMs(self.taken_at), notified: self.tries > 0 })
    }
}
