//! Loads what a batch touches: users are added and locked; rewards, earlier tasks, cases and clicks are loaded.

use std::collections::HashSet;
use std::sync::LazyLock;

use domain::batch::{ExistingRewards, Reward, SourceTerms, Task};
use domain::history::Remembered;
use domain::ledger::Amounts;
use domain::money::Micros;
use domain::postback::event::Kind;
use domain::postback::event::{Click, Event};
use domain::review::reversal::{Ending, KnownCase, Said, Situation};
use domain::reward::Status;
use domain::skew::{AHEAD_MS, Clicks, MOST_CLICKS, WINDOW_MS};
use domain::time::TimestampMs;

use crate::db::rows::{IdRow, given_row};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::deliveries::outbox;
use crate::rewards::history;
use crate::rewards::process::MappedPostback;
use crate::{Error, Result, Store, read};

static ADD_USERS: LazyStatement = LazyLock::new(|| {
    Statement::given::<UserRow<'_>>(
        "INSERT INTO users ({columns})
         SELECT {columns} FROM {given} WHERE true ORDER BY app, user_id
         ON CONFLICT DO NOTHING",
    )
});

/// The columns of a [`RewardRow`]. `reversed_at` is looked up by the key of steps, and only for reversed rewards.
macro_rules! reward_columns {
    () => {
        "SELECT id, source, event_key, app, user_id, currency, reward_micros, payout_micros, taken_back_micros,
                taken_back_payout_micros, offer_id, event_id, status, steps, repeats, conflict, credit_seen,
                CASE WHEN status = 'reversed' THEN
                     (SELECT taken_at FROM steps AS last
                      WHERE last.reward_id = rewards.id AND last.seq = rewards.steps) END AS reversed_at
         FROM rewards "
    };
}
pub(crate) use reward_columns;

static LOAD_REWARDS: LazyStatement = LazyLock::new(|| {
    Statement::given::<KeyRow<'_>>(concat!(
        reward_columns!(),
        "WHERE (event_key, source) IN (SELECT event_key, source FROM {given}) ORDER BY id {for_update}"
    ))
});

/// The key of one earlier reward for a task; one index lookup, however many there are.
macro_rules! earlier_key {
    ($offset:literal) => {
        concat!(
            "(SELECT earlier.event_key FROM rewards AS earlier
              WHERE earlier.user_id = given.user_id AND earlier.source = given.source
                AND earlier.offer_id = given.offer_id AND COALESCE(earlier.event_id, '') = given.event_id
                AND earlier.credit_seen = 1 LIMIT 1 OFFSET ",
            $offset,
            ")"
        )
    };
}

/// Two keys for each task: one may be the postback's own, and the rule only needs to know whether there is another
/// ([`domain::batch::SAME_TASK_CAP`]).
static LOAD_TASKS: LazyStatement = LazyLock::new(|| {
    Statement::given::<TaskRow>(concat!(
        "SELECT given.source, given.user_id, given.offer_id, given.event_id, ",
        earlier_key!("0"),
        " AS first_key, ",
        earlier_key!("1"),
        " AS second_key FROM {given}"
    ))
});

/// At most [`MAX_OPEN_CASES`](domain::review::reversal::MAX_OPEN_CASES) of a reward are open; the others have ended.
static LOAD_CASES: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "SELECT cases.reward_id, situation, said_user_id, said_reward_micros, said_payout_micros, raised_at, ending
         FROM {given} JOIN reversal_cases AS cases ON cases.reward_id = given.id
         ORDER BY cases.id")
});

given_row! {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    struct UserRow<'a> {
        app: &'a str,
        user_id: &'a str,
        first_seen_at: i64,
    }
}

given_row! {
    struct KeyRow<'a> {
        source: &'a str,
        event_key: &'a str,
    }
}

given_row! {
    struct TaskRow {
        source: String,
        user_id: String,
        offer_id: String,
        event_id: String,
    }
}

/// Loads and locks what `batch` touches.
pub(super) async fn load(tx: &mut Tx, batch: &[MappedPostback], remembers: bool) -> Result<ExistingRewards> {
    let events: Vec<_> = batch
        .iter()
        .filter_map(|postback| {
            // Information has no reward.
            let mapped = postback.mapped.as_ref().ok().filter(|mapped| mapped.event.information.is_none())?;
            Some((&mapped.source, &mapped.event, postback.received_at))
        })
        .collect();
    if events.is_empty() {
        return Ok(ExistingRewards::default());
    }
    let mut users: Vec<_> = events
        .iter()
        .map(|(source, event, received_at)| UserRow {
            app: &source.app,
            user_id: &event.user_id,
            first_seen_at: received_at.0,
        })
        .collect();
    users.sort_unstable();
    users.dedup_by(|later, first| (later.app, later.user_id) == (first.app, first.user_id));
    tx.execute(&ADD_USERS, &users).await?;
    // dialect: a writing transaction of SQLite owns the whole file; on Postgres two workers may meet on one user
    if matches!(tx, Tx::Postgres(..)) {
        tx.execute(&outbox::LOCK_USERS, &users).await?;
    }
    let keys: Vec<_> = events
        .iter()
        .map(|(source, event, _)| KeyRow { source: &source.name, event_key: event.key() })
        .collect();
    let rewards: Vec<RewardRow> = tx.fetch(&LOAD_REWARDS, &keys).await?;
    let tasks: HashSet<_> =
        events.iter().filter_map(|(source, event, _)| Task::of(&source.name, event)).collect();
    let tasks: Vec<_> = tasks
        .into_iter()
        .map(|Task { source, user_id, offer_id, event_id }| TaskRow { source, user_id, offer_id, event_id })
        .collect();
    let done: Vec<DoneRow> =
        if tasks.is_empty() { Vec::new() } else { tx.fetch(&LOAD_TASKS, &tasks).await? };
    let reversed: HashSet<(&str, &str)> = events
        .iter()
        .filter(|(_, event, _)| event.kind == Kind::Reversal)
        .map(|(source, event, _)| (source.name.as_str(), event.key()))
        .collect();
    let may_have_cases = |row: &&RewardRow| {
        row.credit_seen == 0 || reversed.contains(&(row.source.as_str(), row.event_key.as_str()))
    };
    let with_cases: Vec<_> = rewards.iter().filter(may_have_cases).map(|row| IdRow { id: row.id }).collect();
    let cases: Vec<CaseRow> =
        if with_cases.is_empty() { Vec::new() } else { tx.fetch(&LOAD_CASES, &with_cases).await? };
    let clicks = clicks(tx, &events).await?;
    let users: Vec<_> =
        users.iter().map(|user| history::UserRow { app: user.app, user_id: user.user_id }).collect();
    let remembered = if remembers { history::load(tx, batch, &users).await? } else { Remembered::off() };
    Ok(ExistingRewards {
        clicks,
        remembered,
        rewards: rewards.into_iter().map(Reward::try_from).collect::<Result<_>>()?,
        tasks: done.into_iter().flat_map(DoneRow::into_tasks).collect(),
        cases: cases.into_iter().map(CaseRow::into_case).collect::<Result<_>>()?,
    })
}

/// The newest clicks and those of the batch; queried only if a click of the batch is ahead of our clock.
async fn clicks(tx: &mut Tx, events: &[(&SourceTerms, &Event, TimestampMs)]) -> Result<Clicks> {
    let of_batch = events.iter().filter_map(|(_, event, received_at)| match event.click {
        Click::At(clicked_at) => Some((clicked_at.0, received_at.0)),
        Click::Missing | Click::Unusable(_) => None,
    });
    let newest = events.iter().map(|(.., received_at)| received_at.0).max().unwrap_or_default();
    let batch =
        of_batch.fold(Clicks::default(), |clicks, (clicked, received)| clicks.with(clicked, received));
    if batch.ahead == 0 {
        return Ok(Clicks::default());
    }
    let (all, ahead): (i64, i64) = with_statement!(tx, CLICKS, |sql, connection| {
        let clicks = sqlx::query_as(sql).bind(newest - WINDOW_MS).bind(AHEAD_MS).bind(MOST_CLICKS);
        clicks.fetch_one(connection).await?
    });
    Ok(Clicks { all: batch.all + all, ahead: batch.ahead + ahead })
}

/// The newest clicks since $1, and how many are ahead by more than $2; at most $3, by id, which needs no index on the
/// time.
const NEWEST_CLICKS: &str = "
    SELECT CAST(COUNT(*) AS BIGINT),
           CAST(COALESCE(SUM(CASE WHEN clicked_at - received_at > $2 THEN 1 ELSE 0 END), 0) AS BIGINT)
    FROM (SELECT clicked_at, received_at FROM rewards ORDER BY id DESC LIMIT $3) AS newest
    WHERE received_at >= $1 AND clicked_at IS NOT NULL";

static CLICKS: LazyStatement = LazyLock::new(|| Statement::new(NEWEST_CLICKS, &[]));

impl Store {
    /// The reward with this key of `source`: one or none.
    pub async fn known_under(&self, source: String, event_key: String) -> Result<Vec<Reward>> {
        self.write(move |tx| {
            Box::pin(async move {
                let keys = [KeyRow { source: &source, event_key: &event_key }];
                let rows: Vec<RewardRow> = tx.fetch(&LOAD_REWARDS, &keys).await?;
                rows.into_iter().map(Reward::try_from).collect()
            })
        })
        .await
    }

    /// True if the network has reported this already: the credit of the reward `event_key`, or its reversal. What still
    /// waits in the inbox is not known.
    pub async fn is_reported(&self, source: String, event_key: String, kind: Kind) -> Result<bool> {
        let sql = match kind {
            Kind::Credit => "SELECT 1 FROM rewards WHERE source = $1 AND event_key = $2 AND credit_seen = 1",
            Kind::Reversal => {
                "SELECT 1 FROM rewards WHERE source = $1 AND event_key = $2 AND status = 'reversed'"
            }
        };
        let found: Option<i32> = read!(self, pool => sqlx::query_scalar(sql)
            .bind(&source).bind(&event_key).fetch_optional(pool).await)?;
        Ok(found.is_some())
    }

    /// The newest clicks within the window before `now`.
    pub async fn newest_clicks(&self, now: TimestampMs) -> Result<Clicks> {
        let (all, ahead): (i64, i64) = read!(self, pool => sqlx::query_as(NEWEST_CLICKS)
            .bind(now.0 - WINDOW_MS).bind(AHEAD_MS).bind(MOST_CLICKS).fetch_one(pool).await)?;
        Ok(Clicks { all, ahead })
    }
}

#[derive(sqlx::FromRow)]
struct DoneRow {
    source: String,
    user_id: String,
    offer_id: String,
    event_id: String,
    first_key: Option<String>,
    second_key: Option<String>,
}

impl DoneRow {
    fn into_tasks(self) -> impl Iterator<Item = (Task, String)> {
        let Self { source, user_id, offer_id, event_id, first_key, second_key } = self;
        let task = Task { source, user_id, offer_id, event_id };
        [first_key, second_key].into_iter().flatten().map(move |key| (task.clone(), key))
    }
}

#[derive(sqlx::FromRow)]
struct CaseRow {
    reward_id: i64,
    situation: String,
    said_user_id: String,
    said_reward_micros: Option<i64>,
    said_payout_micros: Option<i64>,
    raised_at: i64,
    ending: Option<String>,
}

impl CaseRow {
    fn into_case(self) -> Result<(i64, KnownCase)> {
        let corrupt = |column, found: &str| Error::Corrupt {
            table: "reversal_cases",
            column,
            row: self.reward_id,
            found: found.to_owned(),
        };
        let situation =
            Situation::parse(&self.situation).ok_or_else(|| corrupt("situation", &self.situation))?;
        let ending = self
            .ending
            .as_deref()
            .map(|ending| Ending::parse(ending).ok_or_else(|| corrupt("ending", ending)))
            .transpose()?;
        let said = Said {
            user_id: self.said_user_id,
            reward: self.said_reward_micros.map(Micros),
            payout: self.said_payout_micros.map(Micros),
        };
        Ok((self.reward_id, KnownCase { situation, said, raised_at: TimestampMs(self.raised_at), ending }))
    }
}

/// A reward, with the columns that processing and review need.
#[derive(sqlx::FromRow)]
pub(crate) struct RewardRow {
    id: i64,
    source: String,
    event_key: String,
    app: String,
    user_id: String,
    currency: String,
    reward_micros: Option<i64>,
    payout_micros: Option<i64>,
    taken_back_micros: i64,
    taken_back_payout_micros: i64,
    offer_id: Option<String>,
    event_id: Option<String>,
    status: String,
    steps: i64,
    repeats: i64,
    conflict: i64,
    credit_seen: i64,
    reversed_at: Option<i64>,
}

impl TryFrom<RewardRow> for Reward {
    type Error = Error;

    fn try_from(row: RewardRow) -> Result<Self> {
        Ok(Self {
            status: status(row.id, &row.status)?,
            id: Some(row.id),
            source: row.source,
            key: row.event_key,
            app: row.app,
            user_id: row.user_id,
            currency: row.currency,
            reward: row.reward_micros.map(Micros),
            payout: row.payout_micros.map(Micros),
            taken_back: Amounts {
                reward: Micros(row.taken_back_micros),
                payout: Micros(row.taken_back_payout_micros),
            },
            offer_id: row.offer_id,
            event_id: row.event_id,
            reversed_at: row.reversed_at.map(TimestampMs),
            steps: row.steps,
            repeats: row.repeats,
            conflict: row.conflict != 0,
            credit_seen: row.credit_seen != 0,
        })
    }
}

pub(crate) fn status(row: i64, name: &str) -> Result<Status> {
    Status::parse(name).ok_or_else(|| Error::Corrupt {
        table: "rewards",
        column: "status",
        row,
        found: name.to_owned(),
    })
}
