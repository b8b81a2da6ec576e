//! Dismissing a case lets the user keep what the network takes back, so it requires a second person like a release.

use std::sync::LazyLock;

use domain::audit::Action;
use domain::money::Micros;
use domain::review::decision::Review;
use domain::review::queue::{Alone, BULK_MS, Opinion, Voice, Weighing};

use crate::Result;
use crate::access::audit::{self, Line};
use crate::access::staff;
use crate::access::tokens;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::review::decisions::ONE_BY_ONE;
use crate::review::decisions::Reviewer;

/// What the person $1 dismissed alone since $2. `ended_by` of a dismissal by two people names both.
static ALONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT CAST(COUNT(*) AS BIGINT), CAST(COALESCE(SUM(stake_payout_micros), 0) AS BIGINT)
         FROM reversal_cases WHERE ended_by = $1 AND ended_at > $2 AND ending = 'dismissed'",
        &[],
    )
});

static OPINIONS: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT person, given_at FROM case_opinions WHERE case_id = $1 ORDER BY id", &[])
});

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new("INSERT INTO case_opinions (case_id, person, note, given_at) VALUES ($1, $2, $3, $4)", &[])
});

/// What `reviewer` dismissed alone recently. Blocks other dismissals of the same person until this transaction ends.
pub(super) async fn dismissed_alone(tx: &mut Tx, reviewer: &Reviewer) -> Result<Alone> {
    with_statement!(tx, ONE_BY_ONE, |sql, connection| {
        sqlx::query(sql).bind(format!("dismissals of {}", reviewer.actor)).execute(connection).await?;
    });
    let (cases, payout): (i64, i64) = with_statement!(tx, ALONE, |sql, connection| {
        let alone =
            sqlx::query_as(sql).bind(reviewer.actor.name()).bind(reviewer.now.0.saturating_sub(BULK_MS));
        alone.fetch_one(connection).await?
    });
    Ok(Alone { payout: Micros(payout), rewards: usize::try_from(cases).unwrap_or(usize::MAX) })
}

/// Whether the case is dismissed now, and with which second person; if not, saves the opinion. The case is locked.
pub(super) async fn weigh(
    tx: &mut Tx,
    case_id: i64,
    needs_second: bool,
    reviewer: &Reviewer,
) -> Result<Weighing> {
    let rows: Vec<(String, i64)> = with_statement!(tx, OPINIONS, |sql, connection| {
        sqlx::query_as(sql).bind(case_id).fetch_all(connection).await?
    });
    let mut acted: Vec<(&str, i64)> = rows.iter().map(|(name, at)| (name.as_str(), *at)).collect();
    acted.push((&reviewer.actor, reviewer.now.0));
    let names: Vec<&str> = acted.iter().map(|(name, _)| *name).collect();
    let services = tokens::services(tx, &names).await?;
    let new = staff::new_ones(tx, &acted).await?;
    let voice = |(name, at): &(&str, i64)| {
        let name = (*name).to_owned();
        if services.contains(&name) {
            Voice::Service(name)
        } else if new.contains(&(name.clone(), *at)) {
            Voice::New(name)
        } else {
            Voice::Person(name)
        }
    };
    let mut voices: Vec<Voice> = acted.iter().map(voice).collect();
    let Some(by) = voices.pop() else { return Ok(Weighing::Wait) };
    // An opinion on a case can only be to dismiss the reversal.
    let opinion = |by| Opinion { by, decision: Review::Reject };
    let earlier: Vec<Opinion> = voices.into_iter().map(opinion).collect();
    let weighed = domain::review::queue::weigh(needs_second, &earlier, &by, Review::Reject);
    if weighed == Weighing::Wait {
        let note = reviewer.note.as_deref().unwrap_or_default();
        with_statement!(tx, INSERT, |sql, connection| {
            let insert =
                sqlx::query(sql).bind(case_id).bind(reviewer.actor.name()).bind(note).bind(reviewer.now.0);
            insert.execute(connection).await?;
        });
        let line = Line::new(&reviewer.actor, Action::OpinionGiven, format!("case {case_id}"), String::new());
        audit::note(tx, &line, reviewer.now);
    }
    Ok(weighed)
}
