//! What people do with quarantined postbacks: state missing values, confirm or decline what somebody else stated, set
//! a postback aside, take it up again.
//!
//! Every act is a row that never changes. It is written together with its audit line, and only while the postback is
//! still in the state that the person saw. Values that take effect put the postback back into the inbox in the same
//! transaction; it is then processed like any other, so nothing is credited twice.
//!
//! | module | contents |
//! |---|---|
//! | here | the five acts and their results |
//! | `acts` | the log of acts, and how many proposals wait |
//! | `in_effect` | the values that take effect when a postback is processed |
//! | `second_person` | when a second person is required, and who can be one |

mod acts;
mod in_effect;
mod second_person;

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::batch::outlook::Stake;
use domain::postback::stated::Stated;
use domain::time::TimestampMs;

use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::postbacks::replay::{self, Replayer};
use crate::{Error, Result, Store};

pub use acts::ActRow;
pub(crate) use in_effect::load_stated;

use acts::{Act, insert, last};
use second_person::{not_two_people, reaches_limit};

/// Who acts, why and when.
#[derive(Clone, Debug)]
pub struct By {
    /// A person, a token, or the command line.
    pub actor: Actor,
    /// May be empty for a confirmation.
    pub reason: String,
    /// The time of the act.
    pub now: TimestampMs,
}

/// The result of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acted {
    /// The values take effect, and the postback waits in the inbox again.
    Stated,
    /// Saved as a proposal with this id: a second person must confirm it.
    Proposed(i64),
    /// A second person agreed: the values take effect, and the postback waits in the inbox again.
    Confirmed,
    /// The proposal is declined; the postback stays quarantined.
    Declined,
    /// The postback is set aside, or quarantined again.
    Moved,
    /// Nothing changed: there is no such postback.
    NotFound,
    /// Nothing changed: the postback's current outcome, given here, does not allow the act.
    Elsewhere(String),
    /// Nothing changed: the proposal no longer waits.
    NoProposal,
    /// Nothing changed: nobody confirms their own proposal.
    OwnProposal,
    /// Nothing changed: a service token counts neither as the first nor as the second person.
    NotAPerson,
    /// Nothing changed: one of the two was added or enabled again too recently.
    TooNew,
}

static SET_STATED: LazyStatement =
    LazyLock::new(|| Statement::new("UPDATE postbacks SET stated_id = $1 WHERE id = $2", &[]));

static MOVE: LazyStatement =
    LazyLock::new(|| Statement::new("UPDATE postbacks SET outcome = $1 WHERE id = $2 AND outcome = $3", &[]));

static OUTCOME: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT outcome FROM postbacks WHERE id = $1", &[]));

impl Store {
    /// States `stated` for the quarantined postback `id`. With `needs_second` it is saved as a proposal, unless another
    /// person has already proposed the same values, which confirms them. A second person is also required if `stake` and
    /// everything that the person stated alone in the last [`BULK_MS`](domain::review::queue::BULK_MS) reach a limit of
    /// the review terms.
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
                let needs_second = needs_second || reaches_limit(tx, stake, &terms, &by).await?;
                state(tx, id, stated, needs_second, stake, &by).await
            })
        })
        .await
    }

    /// Confirms the proposal `proposal_id` for the postback `id`. It must be another person's and still wait.
    pub async fn confirm_stated(&self, id: i64, proposal_id: i64, by: By) -> Result<Acted> {
        self.write(move |tx| {
            Box::pin(async move {
                match waiting_proposal(tx, id, proposal_id).await? {
                    Err(acted) => Ok(acted),
                    Ok(proposal) if proposal.actor == by.actor.name() => Ok(Acted::OwnProposal),
                    Ok(proposal) => {
                        if let Some(why) = not_two_people(tx, &proposal, &by).await? {
                            return Ok(why);
                        }
                        let stated = proposal.stated()?;
                        take_effect(tx, id, Act::Confirmed, Some(proposal.id), &stated, None, &by).await?;
                        Ok(Acted::Confirmed)
                    }
                }
            })
        })
        .await
    }

    /// Declines the proposal `proposal_id` for the postback `id`. Its own author may decline it too.
    pub async fn decline_stated(&self, id: i64, proposal_id: i64, by: By) -> Result<Acted> {
        self.write(move |tx| {
            Box::pin(async move {
                match waiting_proposal(tx, id, proposal_id).await? {
                    Err(acted) => Ok(acted),
                    Ok(proposal) => {
                        insert(tx, id, Act::Declined, Some(proposal.id), &Stated::default(), None, &by)
                            .await?;
                        Ok(Acted::Declined)
                    }
                }
            })
        })
        .await
    }

    /// Sets the quarantined postback `id` aside: nobody needs to look at it any more. A waiting proposal for it ends.
    pub async fn set_aside(&self, id: i64, by: By) -> Result<Acted> {
        self.write(move |tx| {
            Box::pin(async move { move_to(tx, id, Act::SetAside, ("quarantined", "set_aside"), &by).await })
        })
        .await
    }

    /// Quarantines the postback `id` again, which was set aside.
    pub async fn take_up(&self, id: i64, by: By) -> Result<Acted> {
        self.write(move |tx| {
            Box::pin(async move { move_to(tx, id, Act::TakenUp, ("set_aside", "quarantined"), &by).await })
        })
        .await
    }
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
        take_effect(tx, id, Act::Stated, None, &stated, Some(stake), by).await?;
        return Ok(Acted::Stated);
    }
    let proposal = last(tx, id).await?.filter(|act| act.is_proposal() && act.actor != by.actor.name());
    if let Some(proposal) = proposal
        && proposal.stated()? == stated
        && not_two_people(tx, &proposal, by).await?.is_none()
    {
        take_effect(tx, id, Act::Confirmed, Some(proposal.id), &stated, None, by).await?;
        return Ok(Acted::Confirmed);
    }
    insert(tx, id, Act::Proposed, None, &stated, None, by).await.map(Acted::Proposed)
}

/// Locks the postback and loads the proposal, if it still waits.
async fn waiting_proposal(
    tx: &mut Tx,
    id: i64,
    proposal_id: i64,
) -> Result<std::result::Result<ActRow, Acted>> {
    if !replay::lock(tx, id).await? {
        return elsewhere(tx, id).await.map(Err);
    }
    let proposal = last(tx, id).await?.filter(|act| act.is_proposal() && act.id == proposal_id);
    Ok(proposal.ok_or(Acted::NoProposal))
}

/// Saves an act whose values take effect, and puts the postback back into the inbox.
async fn take_effect(
    tx: &mut Tx,
    id: i64,
    act: Act,
    proposal_id: Option<i64>,
    stated: &Stated,
    alone: Option<Stake>,
    by: &By,
) -> Result<()> {
    let act_id = insert(tx, id, act, proposal_id, stated, alone, by).await?;
    with_statement!(tx, SET_STATED, |sql, connection| {
        sqlx::query(sql).bind(act_id).bind(id).execute(connection).await?;
    });
    let replayer = Replayer { actor: by.actor.clone(), now: by.now };
    if replay::put_back(tx, id, &replayer).await? {
        Ok(())
    } else {
        Err(Error::Contended(format!("postback {id} is no longer quarantined")))
    }
}

async fn move_to(tx: &mut Tx, id: i64, act: Act, (from, to): (&str, &str), by: &By) -> Result<Acted> {
    let moved = with_statement!(tx, MOVE, |sql, connection| {
        sqlx::query(sql).bind(to).bind(id).bind(from).execute(connection).await?.rows_affected()
    });
    if moved == 0 {
        return elsewhere(tx, id).await;
    }
    insert(tx, id, act, None, &Stated::default(), None, by).await?;
    Ok(Acted::Moved)
}

/// Why an act on a postback in another state changes nothing.
async fn elsewhere(tx: &mut Tx, id: i64) -> Result<Acted> {
    let outcome: Option<(String,)> = with_statement!(tx, OUTCOME, |sql, connection| {
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
    });
    Ok(outcome.map_or(Acted::NotFound, |(outcome,)| Acted::Elsewhere(outcome)))
}
