//! What people do about quarantined postbacks: state what is missing, agree to what somebody else stated, set one
//! aside, take it up again.
//!
//! Every act is a row that never changes, written together with its audit line and under the guard that the postback
//! still stands where the person saw it. A statement that holds puts the postback back into the inbox, in the same
//! transaction; what becomes of it is decided like that of any other, so nothing is ever credited twice.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::batch::outlook::Stake;
use domain::money::Micros;
use domain::postback::network::Kind;
use domain::postback::stated::{Stated, StatedBy, kind_name, parse_kind};
use domain::review::queue::{BULK_MS, ReviewTerms};
use domain::time::TimestampMs;
use sqlx::QueryBuilder;

use crate::access::audit::{self, Line};
use crate::access::staff;
use crate::access::tokens;
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::postbacks::inbox::WaitingPostback;
use crate::postbacks::replay::{self, Replayer};
use crate::review::decisions::ONE_BY_ONE;
use crate::{Error, Result, Store, read};

/// The most acts that are listed of one postback, newest last.
const MAX_ACTS: i64 = 1_000;

/// Who acts, why and when.
#[derive(Clone, Debug)]
pub struct By {
    /// The name of the person or token.
    pub actor: Actor,
    /// Why; may be empty where a person only agrees.
    pub reason: String,
    /// When.
    pub now: TimestampMs,
}

/// What became of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acted {
    /// It holds, and the postback waits in the inbox again.
    Stated,
    /// It is kept as the proposal of this id: another person must agree.
    Proposed(i64),
    /// Another person had stated the same: now it holds, and the postback waits in the inbox again.
    Confirmed,
    /// The proposal is declined; the postback stays quarantined.
    Declined,
    /// The postback is set aside, or quarantined again.
    Moved,
    /// Nothing was changed: there is no such postback.
    NotFound,
    /// Nothing was changed: the postback does not stand where this is possible. Its outcome now.
    Elsewhere(String),
    /// Nothing was changed: this proposal does not wait any more.
    NoProposal,
    /// Nothing was changed: nobody agrees to what they proposed themselves.
    OwnProposal,
    /// Nothing was changed: a service is neither of two people.
    NotAPerson,
    /// Nothing was changed: whoever was added or enabled again lately is neither of two people.
    TooNew,
}

/// An act as it is kept.
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
    /// The values that it states.
    pub fn stated(&self) -> Result<Stated> {
        let kind = |name: &String| {
            parse_kind(name).ok_or_else(|| Error::Corrupt {
                table: "quarantine_acts",
                column: "status",
                row: self.id,
                found: name.clone(),
            })
        };
        Ok(Stated {
            user_id: self.user_id.clone(),
            tx_id: self.tx_id.clone(),
            status: self.status.as_ref().map(kind).transpose()?,
            reward: self.reward.clone(),
            payout: self.payout.clone(),
        })
    }

    /// True if it waits for another person, being the last act of its postback.
    pub fn is_proposal(&self) -> bool {
        self.act == "proposed"
    }
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

static HOLDS_NOW: LazyStatement =
    LazyLock::new(|| Statement::new("UPDATE postbacks SET stated_id = $1 WHERE id = $2", &[]));

static MOVE: LazyStatement =
    LazyLock::new(|| Statement::new("UPDATE postbacks SET outcome = $1 WHERE id = $2 AND outcome = $3", &[]));

static OUTCOME: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT outcome FROM postbacks WHERE id = $1", &[]));

/// What a person ($1) stated alone since $2.
static ALONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT CAST(COUNT(*) AS BIGINT), CAST(COALESCE(SUM(alone_micros), 0) AS BIGINT),
                CAST(COALESCE(SUM(alone_payout_micros), 0) AS BIGINT)
         FROM quarantine_acts WHERE actor = $1 AND acted_at > $2 AND alone_micros IS NOT NULL",
        &[],
    )
});

/// Acts that hold; of one that was confirmed also who proposed it, and why.
static HOLDING: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "SELECT act.id, act.user_id, act.tx_id, act.status, act.reward, act.payout, act.actor, act.reason,
                proposal.actor AS proposer, proposal.reason AS proposed_because
         FROM {given} JOIN quarantine_acts AS act ON act.id = given.id
         LEFT JOIN quarantine_acts AS proposal ON proposal.id = act.proposal_id",
    )
});

given_row! {
    struct IdRow {
        id: i64,
    }
}

#[derive(sqlx::FromRow)]
struct HoldingRow {
    id: i64,
    user_id: Option<String>,
    tx_id: Option<String>,
    status: Option<String>,
    reward: Option<String>,
    payout: Option<String>,
    actor: String,
    reason: String,
    proposer: Option<String>,
    proposed_because: Option<String>,
}

impl HoldingRow {
    fn stated_by(self) -> Result<StatedBy> {
        let status = match self.status {
            Some(name) => Some(parse_kind(&name).ok_or(Error::Corrupt {
                table: "quarantine_acts",
                column: "status",
                row: self.id,
                found: name,
            })?),
            None => None,
        };
        let Self { user_id, tx_id, reward, payout, actor, reason, .. } = self;
        let names = self.proposer.map_or_else(|| actor.clone(), |proposer| format!("{proposer}, {actor}"));
        let reasons = [self.proposed_because.unwrap_or_default(), reason];
        let reasons: Vec<String> = reasons.into_iter().filter(|reason| !reason.is_empty()).collect();
        let stated = Stated { user_id, tx_id, status, reward, payout };
        Ok(StatedBy { stated, actor: names, reason: reasons.join(" / ") })
    }
}

/// Fills in what people stated of the postbacks in hand; without anything stated it asks nothing.
pub(crate) async fn fill(tx: &mut Tx, claimed: &mut [WaitingPostback]) -> Result<()> {
    let ids: Vec<IdRow> =
        claimed.iter().filter_map(|postback| postback.stated_id).map(|id| IdRow { id }).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let rows: Vec<HoldingRow> = tx.fetch(&HOLDING, &ids).await?;
    let mut holding = HashMap::new();
    for row in rows {
        holding.insert(row.id, row.stated_by()?);
    }
    for postback in claimed {
        postback.stated = postback.stated_id.and_then(|id| holding.get(&id).cloned());
    }
    Ok(())
}

impl Store {
    /// States `stated` of the quarantined postback `id`. If `needs_second`, it is kept as a proposal, unless another
    /// person has proposed the very same: then the two agree.
    /// A second one is also needed if all that they stated alone in the [`BULK_MS`] before, and `stake` with it, reaches a
    /// limit of the terms.
    pub async fn state(
        &self,
        id: i64,
        stated: Stated,
        needs_second: bool,
        stake: Stake,
        by: By,
    ) -> Result<Acted> {
        let terms = self.terms.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let needs_second = needs_second || adds_up(tx, stake, &terms, &by).await?;
                state(tx, id, stated, needs_second, stake, &by).await
            })
        })
        .await
    }

    /// Agrees to the proposal `proposal_id` on the postback `id`, which must be another person's and wait still.
    pub async fn confirm_stated(&self, id: i64, proposal_id: i64, by: By) -> Result<Acted> {
        self.write(move |tx| {
            Box::pin(async move {
                match waiting(tx, id, proposal_id).await? {
                    Err(acted) => Ok(acted),
                    Ok(proposal) if proposal.actor == by.actor.name() => Ok(Acted::OwnProposal),
                    Ok(proposal) => {
                        if let Some(why) = no_second(tx, &proposal, &by).await? {
                            return Ok(why);
                        }
                        let stated = proposal.stated()?;
                        holds(tx, id, "confirmed", Some(proposal.id), &stated, None, &by).await?;
                        Ok(Acted::Confirmed)
                    }
                }
            })
        })
        .await
    }

    /// Declines the proposal `proposal_id` on the postback `id`; whoever proposed it takes it back in this way.
    pub async fn decline_stated(&self, id: i64, proposal_id: i64, by: By) -> Result<Acted> {
        self.write(move |tx| {
            Box::pin(async move {
                match waiting(tx, id, proposal_id).await? {
                    Err(acted) => Ok(acted),
                    Ok(proposal) => {
                        insert(tx, id, "declined", Some(proposal.id), &Stated::default(), None, &by).await?;
                        Ok(Acted::Declined)
                    }
                }
            })
        })
        .await
    }

    /// Sets the quarantined postback `id` aside: nobody needs to look at it any more. A proposal on it ends.
    pub async fn set_aside(&self, id: i64, by: By) -> Result<Acted> {
        self.write(move |tx| {
            Box::pin(async move { shift(tx, id, "set_aside", ("quarantined", "set_aside"), &by).await })
        })
        .await
    }

    /// Takes the postback `id` up again that was set aside: it is quarantined as before.
    pub async fn take_up(&self, id: i64, by: By) -> Result<Acted> {
        self.write(move |tx| {
            Box::pin(async move { shift(tx, id, "taken_up", ("set_aside", "quarantined"), &by).await })
        })
        .await
    }

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

/// Whether `stake`, with what this person stated alone lately, is so much that two must agree. Holds back every other
/// statement of theirs until this one is saved: of two at the same moment, neither would see the other.
async fn adds_up(tx: &mut Tx, stake: Stake, terms: &ReviewTerms, by: &By) -> Result<bool> {
    let (reward_limit, payout_limit) = (terms.second_person_stated_reward, terms.second.bulk);
    if reward_limit.is_none() && payout_limit.is_none() {
        return Ok(false);
    }
    with_statement!(tx, ONE_BY_ONE, |sql, connection| {
        sqlx::query(sql).bind(format!("statements of {}", by.actor)).execute(connection).await?;
    });
    let (acts, reward, payout): (i64, i64, i64) = with_statement!(tx, ALONE, |sql, connection| {
        let alone = sqlx::query_as(sql).bind(by.actor.name()).bind(by.now.0.saturating_sub(BULK_MS));
        alone.fetch_one(connection).await?
    });
    let reaches = |limit: Option<Micros>, before: i64, more: Micros| {
        more.0 != 0 && limit.is_some_and(|limit| before.saturating_add(more.0) >= limit.0)
    };
    Ok(acts > 0
        && (reaches(reward_limit, reward, stake.reward) || reaches(payout_limit, payout, stake.payout)))
}

async fn state(
    tx: &mut Tx,
    id: i64,
    stated: Stated,
    needs_second: bool,
    stake: Stake,
    by: &By,
) -> Result<Acted> {
    if !replay::lock(tx, id).await? {
        return elsewhere(tx, id).await;
    }
    if !needs_second {
        holds(tx, id, "stated", None, &stated, Some(stake), by).await?;
        return Ok(Acted::Stated);
    }
    let proposal = last(tx, id).await?.filter(|act| act.is_proposal() && act.actor != by.actor.name());
    if let Some(proposal) = proposal
        && proposal.stated()? == stated
        && no_second(tx, &proposal, by).await?.is_none()
    {
        holds(tx, id, "confirmed", Some(proposal.id), &stated, None, by).await?;
        return Ok(Acted::Confirmed);
    }
    insert(tx, id, "proposed", None, &stated, None, by).await.map(Acted::Proposed)
}

/// Why who proposed it and who agrees are not two people, if they are not.
async fn no_second(tx: &mut Tx, proposal: &ActRow, by: &By) -> Result<Option<Acted>> {
    if !tokens::services(tx, &[&proposal.actor, &by.actor]).await?.is_empty() {
        return Ok(Some(Acted::NotAPerson));
    }
    let acted = [(proposal.actor.as_str(), proposal.acted_at), (by.actor.name(), by.now.0)];
    let new = staff::new_ones(tx, &acted).await?;
    Ok((!new.is_empty()).then_some(Acted::TooNew))
}

/// The proposal, if it waits; the postback is locked then.
async fn waiting(tx: &mut Tx, id: i64, proposal_id: i64) -> Result<std::result::Result<ActRow, Acted>> {
    if !replay::lock(tx, id).await? {
        return elsewhere(tx, id).await.map(Err);
    }
    let proposal = last(tx, id).await?.filter(|act| act.is_proposal() && act.id == proposal_id);
    Ok(proposal.ok_or(Acted::NoProposal))
}

/// Keeps an act whose values hold from now on, and puts the postback back into the inbox.
async fn holds(
    tx: &mut Tx,
    id: i64,
    act: &'static str,
    proposal_id: Option<i64>,
    stated: &Stated,
    alone: Option<Stake>,
    by: &By,
) -> Result<()> {
    let act_id = insert(tx, id, act, proposal_id, stated, alone, by).await?;
    with_statement!(tx, HOLDS_NOW, |sql, connection| {
        sqlx::query(sql).bind(act_id).bind(id).execute(connection).await?;
    });
    let replayer = Replayer { actor: by.actor.clone(), now: by.now };
    if replay::put_back(tx, id, &replayer).await? {
        Ok(())
    } else {
        Err(Error::Contended(format!("postback {id} is not quarantined any more")))
    }
}

async fn shift(tx: &mut Tx, id: i64, act: &'static str, (from, to): (&str, &str), by: &By) -> Result<Acted> {
    let moved = with_statement!(tx, MOVE, |sql, connection| {
        sqlx::query(sql).bind(to).bind(id).bind(from).execute(connection).await?.rows_affected()
    });
    if moved == 0 {
        return elsewhere(tx, id).await;
    }
    insert(tx, id, act, None, &Stated::default(), None, by).await?;
    Ok(Acted::Moved)
}

async fn elsewhere(tx: &mut Tx, id: i64) -> Result<Acted> {
    let outcome: Option<(String,)> = with_statement!(tx, OUTCOME, |sql, connection| {
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
    });
    Ok(outcome.map_or(Acted::NotFound, |(outcome,)| Acted::Elsewhere(outcome)))
}

async fn last(tx: &mut Tx, id: i64) -> Result<Option<ActRow>> {
    Ok(with_statement!(tx, LAST, |sql, connection| {
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
    }))
}

/// Keeps an act with its line in the audit.
async fn insert(
    tx: &mut Tx,
    id: i64,
    act: &'static str,
    proposal_id: Option<i64>,
    stated: &Stated,
    alone: Option<Stake>,
    by: &By,
) -> Result<i64> {
    let (act_id,): (i64,) = with_statement!(tx, INSERT, |sql, connection| {
        let insert = sqlx::query_as(sql)
            .bind(id)
            .bind(act)
            .bind(proposal_id)
            .bind(&stated.user_id)
            .bind(&stated.tx_id)
            .bind(stated.status.map(|kind: Kind| kind_name(kind)))
            .bind(&stated.reward)
            .bind(&stated.payout)
            .bind(by.actor.name())
            .bind(&by.reason)
            .bind(by.now.0)
            .bind(alone.map(|stake| stake.reward.0))
            .bind(alone.map(|stake| stake.payout.0));
        insert.fetch_one(connection).await?
    });
    let action = match act {
        "stated" => Action::PostbackStated,
        "proposed" => Action::PostbackProposed,
        "confirmed" => Action::PostbackConfirmed,
        "declined" => Action::PostbackDeclined,
        "set_aside" => Action::PostbackSetAside,
        _ => Action::PostbackTakenUp,
    };
    let detail = [stated.to_string(), by.reason.clone()];
    let detail: Vec<String> = detail.into_iter().filter(|part| !part.is_empty()).collect();
    let line = Line::new(&by.actor, action, format!("postback {id}"), detail.join(". "));
    audit::note(tx, &line, by.now);
    Ok(act_id)
}
