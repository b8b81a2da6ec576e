//! Creates deliveries in the transaction that causes them, and keeps them in order for each user.
//!
//! At most one delivery of a user is `waiting`: the first. The others are blocked (`behind`); whoever finishes the first
//! one moves the next one up, under a lock on the user's row. So an index alone finds due deliveries, and two workers
//! never lease two deliveries of one user.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::batch::TakenStep;
use domain::delivery::{Event, NewDelivery, Plan, PriorDelivery, Status, Subscriptions, plan};
use domain::reward::Step;
use domain::time::TimestampMs;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, guard};
use crate::{Error, Result};

/// The steps of a reward in this transaction, all of them saved already.
pub(crate) struct Touched<'a> {
    pub(crate) reward_id: i64,
    pub(crate) app: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) steps: Vec<&'a TakenStep>,
}

/// Locks users in their order; whatever else the rows have is ignored.
pub(crate) static LOCK_USERS: LazyStatement = LazyLock::new(|| {
    Statement::given::<UserRow>(
        "SELECT 1 AS locked FROM users
         WHERE (app, user_id) IN (SELECT app, user_id FROM {given})
         ORDER BY app, user_id {for_update}",
    )
});

static LOAD_PRIOR: LazyStatement = LazyLock::new(|| {
    Statement::given::<RewardId>(
        "SELECT id, reward_id, seq, event, status, tries FROM deliveries
         WHERE reward_id IN (SELECT reward_id FROM {given})
         ORDER BY reward_id, seq {for_update}",
    )
});

static CANCEL: LazyStatement = LazyLock::new(|| {
    Statement::given::<CancelledRow>(
        "UPDATE deliveries SET status = 'withdrawn', ended_at = given.ended_at
         FROM {given}
         WHERE deliveries.id = given.id AND deliveries.tries = 0 AND deliveries.status IN ('waiting', 'behind')")
});

/// Rows come in the order of their causes, and get their ids in that order. The first row of a user in this batch
/// (`leads`) waits at once if the user has no other unfinished delivery.
static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<NewRow<'_>>(
        "INSERT INTO deliveries (reward_id, seq, app, user_id, event, reason, status, born_at, due_at, tries,
                                 attempts, ended_at)
         SELECT reward_id, seq, app, user_id, event, reason,
                CASE WHEN given.withdrawn = 1 THEN 'withdrawn'
                     WHEN given.leads = 1
                          AND NOT EXISTS (SELECT 1 FROM deliveries AS first
                                          WHERE first.status = 'waiting' AND first.app = given.app
                                            AND first.user_id = given.user_id)
                          AND NOT EXISTS (SELECT 1 FROM deliveries AS ahead
                                          WHERE ahead.status = 'behind' AND ahead.app = given.app
                                            AND ahead.user_id = given.user_id)
                     THEN 'waiting' ELSE 'behind' END,
                born_at, due_at, 0, 0, CASE WHEN given.withdrawn = 1 THEN born_at END
         FROM {given} ORDER BY place
         RETURNING status",
    )
});

/// The next delivery of each user who has none waiting. One that follows a failed delivery of the same reward stays
/// blocked, and the user's other deliveries pass it.
static MOVE_UP: LazyStatement = LazyLock::new(|| {
    Statement::given::<UserRow>(
        "UPDATE deliveries SET status = 'waiting'
         WHERE id IN (
             SELECT (SELECT next.id FROM deliveries AS next
                     WHERE next.status = 'behind' AND next.app = given.app AND next.user_id = given.user_id
                       AND NOT EXISTS (SELECT 1 FROM deliveries AS before
                                       WHERE before.reward_id = next.reward_id AND before.seq < next.seq
                                         AND before.status = 'failed')
                     ORDER BY next.id LIMIT 1)
             FROM {given}
             WHERE NOT EXISTS (SELECT 1 FROM deliveries AS first
                               WHERE first.status = 'waiting' AND first.app = given.app
                                 AND first.user_id = given.user_id))",
    )
});

given_row! {
    /// A user of an app.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(crate) struct UserRow {
        pub(crate) app: String,
        pub(crate) user_id: String,
    }
}

/// Locks these users until the transaction ends; their rewards and deliveries change only under this lock. Returns them
/// sorted, without duplicates.
pub(crate) async fn lock_users(tx: &mut Tx, mut users: Vec<UserRow>) -> Result<Vec<UserRow>> {
    users.sort_unstable();
    users.dedup();
    // dialect: a writing transaction of SQLite owns the whole file
    if matches!(tx, Tx::Postgres(..)) {
        tx.execute(&LOCK_USERS, &users).await?;
    }
    Ok(users)
}

/// Moves up the next delivery of each of these users; they must be locked.
pub(crate) async fn move_up(tx: &mut Tx, users: &[UserRow]) -> Result<()> {
    if !users.is_empty() {
        tx.execute(&MOVE_UP, users).await?;
    }
    Ok(())
}

/// Creates the deliveries for the steps of `touched`, and cancels those that they make obsolete; `true` if any delivery
/// was created or cancelled. The users must be locked.
pub(crate) async fn enqueue(
    tx: &mut Tx,
    touched: &[Touched<'_>],
    subscriptions: &Subscriptions,
    now: TimestampMs,
) -> Result<bool> {
    let subscribed: Vec<_> = touched
        .iter()
        .filter(|touched| !touched.steps.is_empty())
        .filter_map(|touched| Some((touched, *subscriptions.apps.get(touched.app)?)))
        .collect();
    if subscribed.is_empty() {
        return Ok(false);
    }
    // A reward has no deliveries before its first step.
    let older = subscribed.iter().filter(|(touched, _)| touched.steps.iter().all(|taken| taken.seq > 1));
    let older: Vec<_> = older.map(|(touched, _)| RewardId { reward_id: touched.reward_id }).collect();
    let mut prior = prior_deliveries(tx, &older).await?;
    let plans: Vec<(&Touched<'_>, Plan)> = subscribed
        .into_iter()
        .map(|(touched, wanted)| {
            let prior = prior.remove(&touched.reward_id).unwrap_or_default();
            let steps: Vec<(i64, Step)> = touched.steps.iter().map(|taken| (taken.seq, taken.step)).collect();
            (touched, plan(&prior, &steps, wanted, subscriptions.grace_ms, now))
        })
        .collect();
    let any_cancelled = cancel(tx, &plans, now).await?;
    let Created { any_created, any_blocked } = insert(tx, &plans, now).await?;
    if any_cancelled || any_blocked {
        let users = plans.iter().map(|(touched, _)| user(touched)).collect::<std::collections::BTreeSet<_>>();
        move_up(tx, &users.into_iter().collect::<Vec<_>>()).await?;
    }
    Ok(any_created || any_cancelled)
}

async fn prior_deliveries(tx: &mut Tx, rewards: &[RewardId]) -> Result<HashMap<i64, Vec<PriorDelivery>>> {
    let mut prior: HashMap<i64, Vec<PriorDelivery>> = HashMap::new();
    if !rewards.is_empty() {
        let rows: Vec<PriorRow> = tx.fetch(&LOAD_PRIOR, rewards).await?;
        for row in rows {
            prior.entry(row.reward_id).or_default().push(row.try_into()?);
        }
    }
    Ok(prior)
}

async fn cancel(tx: &mut Tx, plans: &[(&Touched<'_>, Plan)], now: TimestampMs) -> Result<bool> {
    let ids = plans.iter().flat_map(|(_, plan)| &plan.cancel);
    let rows: Vec<_> = ids.map(|id| CancelledRow { id: *id, ended_at: now.0 }).collect();
    if rows.is_empty() {
        return Ok(false);
    }
    guard("deliveries", tx.execute(&CANCEL, &rows).await?, rows.len())?;
    Ok(true)
}

/// What an insert created.
#[derive(Default)]
struct Created {
    /// Something to send.
    any_created: bool,
    /// Something that another delivery blocks.
    any_blocked: bool,
}

async fn insert(tx: &mut Tx, plans: &[(&Touched<'_>, Plan)], now: TimestampMs) -> Result<Created> {
    let mut new_deliveries: Vec<(Option<i64>, &Touched<'_>, &NewDelivery)> = plans
        .iter()
        .flat_map(|(touched, plan)| {
            plan.new_deliveries
                .iter()
                .map(|new_delivery| (cause(touched, new_delivery), *touched, new_delivery))
        })
        .collect();
    if new_deliveries.is_empty() {
        return Ok(Created::default());
    }
    // In the order of the postbacks that caused them, whatever order their rewards were loaded in.
    new_deliveries.sort_by_key(|(cause, ..)| *cause);
    let mut with_leader: std::collections::HashSet<(&str, &str)> = std::collections::HashSet::new();
    let rows: Vec<_> = new_deliveries
        .iter()
        .zip(0..)
        .map(|((_, touched, new_delivery), place)| NewRow {
            place,
            reward_id: touched.reward_id,
            seq: new_delivery.seq,
            app: touched.app,
            user_id: touched.user_id,
            event: new_delivery.event.name(),
            reason: new_delivery.reason.name(),
            withdrawn: i64::from(new_delivery.cancelled),
            leads: i64::from(!new_delivery.cancelled && with_leader.insert((touched.app, touched.user_id))),
            born_at: now.0,
            due_at: new_delivery.due_at.0,
        })
        .collect();
    let statuses: Vec<(String,)> = tx.fetch(&INSERT, &rows).await?;
    let any = |status: Status| statuses.iter().any(|(name,)| name == status.name());
    let any_blocked = any(Status::Blocked);
    Ok(Created { any_created: any_blocked || any(Status::Waiting), any_blocked })
}

/// The postback that caused the delivery; `None` if a person did.
fn cause(touched: &Touched<'_>, new_delivery: &NewDelivery) -> Option<i64> {
    touched.steps.iter().find(|taken| taken.seq == new_delivery.seq).and_then(|taken| taken.postback_id)
}

fn user(touched: &Touched<'_>) -> UserRow {
    UserRow { app: touched.app.to_owned(), user_id: touched.user_id.to_owned() }
}

given_row! {
    struct RewardId {
        reward_id: i64,
    }
}

given_row! {
    struct CancelledRow {
        id: i64,
        ended_at: i64,
    }
}

given_row! {
    struct NewRow<'a> {
        place: i64,
        reward_id: i64,
        seq: i64,
        app: &'a str,
        user_id: &'a str,
        event: &'static str,
        reason: &'static str,
        withdrawn: i64,
        leads: i64,
        born_at: i64,
        due_at: i64,
    }
}

#[derive(sqlx::FromRow)]
struct PriorRow {
    id: i64,
    reward_id: i64,
    seq: i64,
    event: String,
    status: String,
    #[sqlx(rename = "tries")]
    lease_count: i64,
}

impl TryFrom<PriorRow> for PriorDelivery {
    type Error = Error;

    fn try_from(row: PriorRow) -> Result<Self> {
        let PriorRow { id, seq, event, status, lease_count, .. } = row;
        Ok(Self {
            id,
            seq,
            event: Event::parse(&event).ok_or_else(|| corrupt("event", id, event))?,
            status: Status::parse(&status).ok_or_else(|| corrupt("status", id, status))?,
            lease_count,
        })
    }
}

/// A delivery with a value that our own rules forbid.
pub(crate) fn corrupt(column: &'static str, row: i64, found: String) -> Error {
    Error::Corrupt { table: "deliveries", column, row, found }
}
