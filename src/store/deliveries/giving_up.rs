//! A person gives up a delivery: it is not sent any more, and the deliveries that it blocked are sent.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::delivery::Status;
use domain::time::TimestampMs;

use crate::access::audit::{Line, note};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::deliveries::outbox::{UserRow, corrupt, lock_users, move_up};
use crate::deliveries::resend::{Candidate, Resent, load};
use crate::{Result, Store};

/// A request to give up a delivery.
#[derive(Clone, Debug)]
pub struct GiveUp {
    /// The id of the delivery.
    pub id: i64,
    /// A person, a token, or the command line.
    pub actor: Actor,
    /// Not empty; shown with the delivery and in the audit.
    pub reason: String,
    /// The time of the request.
    pub now: TimestampMs,
}

/// The result of giving up a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// It is not sent any more.
    Done,
    /// There is no such delivery.
    NotFound,
    /// A worker is sending it right now, and the app's answer is not known yet.
    InHand,
    /// It has already ended, with this status.
    NotPossible(Status),
}

/// Leaves alone a delivery whose attempt is still running, until the lease ends.
static GIVE_UP: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE deliveries SET status = 'given_up', ended_at = $2, given_up_by = $3, given_up_why = $4
         WHERE id = $1 AND (status IN ('behind', 'failed')
                            OR status = 'waiting'
                               AND (tries = 0 OR due_at <= $2
                                    OR EXISTS (SELECT 1 FROM attempts
                                               WHERE attempts.delivery_id = deliveries.id
                                                 AND attempts.number = deliveries.tries)))",
        &[],
    )
});

/// Only while no later delivery of the same reward was sent, or cancelled because this one was not sent: an app that
/// gets the reversal before the credit would keep the credit.
static TAKE_UP_AGAIN: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE deliveries
         SET status = 'behind', due_at = $2, attempts = 0, ended_at = NULL, given_up_by = NULL, given_up_why = NULL
         WHERE id = $1 AND status = 'given_up'
           AND NOT EXISTS (SELECT 1 FROM deliveries AS later
                           WHERE later.reward_id = deliveries.reward_id AND later.seq > deliveries.seq
                             AND (later.tries > 0 OR later.status = 'withdrawn'))",
        &[],
    )
});

impl Store {
    /// Gives up one delivery and records who did it and why in the audit. The user's next delivery moves up.
    pub async fn give_up(&self, give_up: GiveUp) -> Result<GivenUp> {
        self.write_and_wake(move |tx| Box::pin(async move { give_up_one(tx, &give_up).await })).await
    }
}

async fn give_up_one(tx: &mut Tx, give_up: &GiveUp) -> Result<GivenUp> {
    let Some(found) = load(tx, give_up.id).await? else { return Ok(GivenUp::NotFound) };
    let users = lock_users(tx, vec![user(&found)]).await?;
    let given_up = with_statement!(tx, GIVE_UP, |sql, connection| {
        let update = sqlx::query(sql)
            .bind(give_up.id)
            .bind(give_up.now.0)
            .bind(give_up.actor.name())
            .bind(&give_up.reason);
        update.execute(connection).await?.rows_affected()
    });
    if given_up == 0 {
        let Some(found) = load(tx, give_up.id).await? else { return Ok(GivenUp::NotFound) };
        return Ok(match status(&found)? {
            Status::Waiting => GivenUp::InHand,
            other => GivenUp::NotPossible(other),
        });
    }
    move_up(tx, &users).await?;
    let subject = format!("delivery {}", give_up.id);
    let line = Line::new(&give_up.actor, Action::DeliveryGivenUp, subject, give_up.reason.clone());
    note(tx, &line, give_up.now);
    Ok(GivenUp::Done)
}

/// Sends a delivery that was given up, in its old place in the order.
pub(crate) async fn take_up_again(tx: &mut Tx, found: Candidate, now: TimestampMs) -> Result<Resent> {
    let users = lock_users(tx, vec![user(&found)]).await?;
    let taken_up = with_statement!(tx, TAKE_UP_AGAIN, |sql, connection| {
        sqlx::query(sql).bind(found.id).bind(now.0).execute(connection).await?.rows_affected()
    });
    if taken_up == 0 {
        return Ok(Resent::NotPossible(Status::GivenUp));
    }
    move_up(tx, &users).await?;
    Ok(Resent::Done)
}

fn user(found: &Candidate) -> UserRow {
    UserRow { app: found.app.clone(), user_id: found.user_id.clone() }
}

fn status(found: &Candidate) -> Result<Status> {
    Status::parse(&found.status).ok_or_else(|| corrupt("status", found.id, found.status.clone()))
}
