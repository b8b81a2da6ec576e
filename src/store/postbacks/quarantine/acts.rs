//! The log of acts on quarantined postbacks.

use std::sync::LazyLock;

use domain::audit::Action;
use domain::batch::outlook::Stake;
use domain::postback::event::Kind;
use domain::postback::stated::{Stated, kind_name, parse_kind};
use sqlx::QueryBuilder;

use super::By;
use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::{Error, Result, Store, read};

/// Limit of one list of acts, which may be those of several postbacks.
const MAX_ACTS: i64 = 1_000;

/// What a person does with a quarantined postback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Stated,
    Proposed,
    Confirmed,
    Declined,
    SetAside,
    TakenUp,
}

impl Act {
    /// The name in the table.
    fn name(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Proposed => "proposed",
            Self::Confirmed => "confirmed",
            Self::Declined => "declined",
            Self::SetAside => "set_aside",
            Self::TakenUp => "taken_up",
        }
    }

    fn action(self) -> Action {
        match self {
            Self::Stated => Action::PostbackStated,
            Self::Proposed => Action::PostbackProposed,
            Self::Confirmed => Action::PostbackConfirmed,
            Self::Declined => Action::PostbackDeclined,
            Self::SetAside => Action::PostbackSetAside,
            Self::TakenUp => Action::PostbackTakenUp,
        }
    }
}

/// A saved act.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of quarantine_acts, described in the migration")]
pub struct ActRow {
    pub id: i64,
    pub postback_id: i64,
    pub act: String,
    pub proposal_id: Option<i64>,
    pub user_id: Option<String>,
    pub tx_id: Option<String>,
    pub status: Option<String>,
    pub reward: Option<String>,
    pub payout: Option<String>,
    pub actor: String,
    pub reason: String,
    pub acted_at: i64,
}

impl ActRow {
    /// The stated values.
    pub fn stated(&self) -> Result<Stated> {
        Ok(Stated {
            user_id: self.user_id.clone(),
            tx_id: self.tx_id.clone(),
            status: parse_status(self.id, self.status.as_deref())?,
            reward: self.reward.clone(),
            payout: self.payout.clone(),
        })
    }

    /// True for a proposal; it waits for a second person if it is the last act of its postback.
    pub fn is_proposal(&self) -> bool {
        self.act == Act::Proposed.name()
    }
}

/// `status` of the act `row` as a kind of postback.
pub(super) fn parse_status(row: i64, status: Option<&str>) -> Result<Option<Kind>> {
    let Some(name) = status else { return Ok(None) };
    let unknown =
        || Error::Corrupt { table: "quarantine_acts", column: "status", row, found: name.to_owned() };
    parse_kind(name).ok_or_else(unknown).map(Some)
}

macro_rules! columns {
    () => {
        "id, postback_id, act, proposal_id, user_id, tx_id, status, reward, payout, actor, reason, acted_at"
    };
}

static LAST: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            "SELECT ",
            columns!(),
            " FROM quarantine_acts WHERE postback_id = $1 ORDER BY id DESC LIMIT 1"
        ),
        &[],
    )
});

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO quarantine_acts (postback_id, act, proposal_id, user_id, tx_id, status, reward, payout, actor,
                                      reason, acted_at, alone_micros, alone_payout_micros)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id",
        &[],
    )
});

impl Store {
    /// The acts on these postbacks, oldest first.
    pub async fn quarantine_acts(&self, postback_ids: &[i64]) -> Result<Vec<ActRow>> {
        if postback_ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(
                concat!("SELECT ", columns!(), " FROM quarantine_acts WHERE postback_id IN ("),
            );
            let mut ids = query.separated(", ");
            for id in postback_ids {
                ids.push_bind(*id);
            }
            query.push(") ORDER BY id LIMIT ").push_bind(MAX_ACTS);
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// How many quarantined postbacks wait for a second person.
    pub async fn proposals_waiting(&self) -> Result<i64> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "SELECT COUNT(*) FROM quarantine_acts AS proposed
             WHERE act = 'proposed'
               AND NOT EXISTS (SELECT 1 FROM quarantine_acts AS later
                               WHERE later.postback_id = proposed.postback_id AND later.id > proposed.id)
               AND EXISTS (SELECT 1 FROM postbacks
                           WHERE postbacks.id = proposed.postback_id AND outcome = 'quarantined')"
        ).fetch_one(pool).await)?)
    }
}

/// The newest act on a postback.
pub(super) async fn last(tx: &mut Tx, id: i64) -> Result<Option<ActRow>> {
    Ok(with_statement!(tx, LAST, |sql, connection| {
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
    }))
}

/// Saves an act with its audit line, and returns its id. `alone` is set for values that take effect without a second
/// person.
pub(super) async fn insert(
    tx: &mut Tx,
    id: i64,
    act: Act,
    proposal_id: Option<i64>,
    stated: &Stated,
    alone: Option<Stake>,
    by: &By,
) -> Result<i64> {
    let (act_id,): (i64,) = with_statement!(tx, INSERT, |sql, connection| {
        let insert = sqlx::query_as(sql)
            .bind(id)
            .bind(act.name())
            .bind(proposal_id)
            .bind(&stated.user_id)
            .bind(&stated.tx_id)
            .bind(stated.status.map(kind_name))
            .bind(&stated.reward)
            .bind(&stated.payout)
            .bind(by.actor.name())
            .bind(&by.reason)
            .bind(by.now.0)
            .bind(alone.map(|stake| stake.reward.0))
            .bind(alone.map(|stake| stake.payout.0));
        insert.fetch_one(connection).await?
    });
    let detail = [stated.to_string(), by.reason.clone()];
    let detail: Vec<String> = detail.into_iter().filter(|part| !part.is_empty()).collect();
    let line = Line::new(&by.actor, act.action(), format!("postback {id}"), detail.join(". "));
    audit::note(tx, &line, by.now);
    Ok(act_id)
}
