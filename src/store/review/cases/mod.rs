//! Reversal cases: reversals that a person must look at. Raised by a batch, listed, and resolved once.

mod dismissing;
mod resolve;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use domain::batch::{BatchOutcome, NewCase, Reward};
use domain::review::reversal::{Ending, Extent, Situation, extent};
use domain::time::TimestampMs;
use sqlx::QueryBuilder;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::{Result, Store, read};

pub use resolve::{Resolve, Resolved};

/// Limit of likely credits listed for an orphan.
pub const MAX_PARTNERS: i64 = 10;
/// Limit of a user's rewards searched for them.
const MAX_PARTNERS_OUT_OF: i64 = 1_000;

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<InsertRow<'_>>(
        "INSERT INTO reversal_cases ({columns})
         SELECT {columns} FROM {given}",
    )
});

/// Postbacks end open cases of a reward: the credit ends those of an orphan, a full reversal the others.
static CLOSE: LazyStatement = LazyLock::new(|| {
    Statement::given::<CloseRow>(
        "UPDATE reversal_cases SET ending = given.ending, ended_at = given.ended_at, ended_by = 'network'
         FROM {given}
         WHERE reversal_cases.reward_id = given.reward_id AND reversal_cases.ending IS NULL
           AND ((given.ending = 'credit_came' AND situation = 'orphan')
             OR (given.ending = 'reversed' AND situation <> 'orphan'))",
    )
});

given_row! {
    struct InsertRow<'a> {
        reward_id: i64,
        postback_id: i64,
        source: &'a str,
        situation: &'static str,
        said_user_id: &'a str,
        said_reward_micros: Option<i64>,
        said_payout_micros: Option<i64>,
        stake_reward_micros: i64,
        stake_payout_micros: i64,
        raised_at: i64,
        due_at: i64,
    }
}

impl<'a> InsertRow<'a> {
    fn of(case: &'a NewCase, reward: &'a Reward, reward_id: i64) -> Self {
        let said = &case.said;
        // A full reversal puts at stake what is left of the reward.
        let stake = match extent(said.reward, said.payout, reward.left()) {
            Extent::Part(part) => part,
            Extent::All => reward.left(),
        };
        Self {
            reward_id,
            postback_id: case.postback_id,
            source: &reward.source,
            situation: case.situation.name(),
            said_user_id: &said.user_id,
            said_reward_micros: said.reward.map(|amount| amount.0),
            said_payout_micros: said.payout.map(|amount| amount.0),
            stake_reward_micros: stake.reward.0,
            stake_payout_micros: stake.payout.0,
            raised_at: case.raised_at.0,
            due_at: case.due_at.0,
        }
    }
}

given_row! {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    struct CloseRow {
        reward_id: i64,
        ending: &'static str,
        ended_at: i64,
    }
}

/// Saves the cases that `outcome` raises, and ends those that it closes; `reward_ids` are in the order of its rewards.
pub(crate) async fn save(
    tx: &mut Tx,
    outcome: &BatchOutcome,
    reward_ids: &[i64],
    now: TimestampMs,
) -> Result<()> {
    let raised: Vec<_> = outcome
        .cases
        .iter()
        .filter_map(|case| {
            let reward = &outcome.rewards.get(case.reward)?.reward;
            Some(InsertRow::of(case, reward, *reward_ids.get(case.reward)?))
        })
        .collect();
    if !raised.is_empty() {
        tx.execute(&INSERT, &raised).await?;
    }
    let closes = outcome.rewards.iter().zip(reward_ids);
    let closes: BTreeSet<_> = closes
        .flat_map(|(change, reward_id)| change.closes.iter().map(|ending| (*reward_id, *ending)))
        .map(|(reward_id, ending)| CloseRow { reward_id, ending: ending.name(), ended_at: now.0 })
        .collect();
    if !closes.is_empty() {
        tx.execute(&CLOSE, &closes.into_iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Which cases to list.
#[derive(Clone, Debug, Default)]
pub struct CaseFilter {
    /// `true`: ended cases; `false`: open cases that are due.
    pub ended: bool,
    /// Only of this situation.
    pub situation: Option<Situation>,
    /// Only of this source.
    pub source: Option<String>,
    /// Only what follows this place in the list.
    pub after: Option<CasePlace>,
}

/// A place in a list of cases: open ones are listed oldest first, ended ones newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CasePlace {
    /// `due_at` of an open case, `ended_at` of an ended one.
    pub at: TimestampMs,
    /// Orders cases of the same time.
    pub id: i64,
}

/// A case with the reward of its key.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of reversal_cases and rewards, described in the migrations")]
pub struct CaseRow {
    pub id: i64,
    pub reward_id: i64,
    pub postback_id: i64,
    pub source: String,
    pub situation: String,
    pub said_user_id: String,
    pub said_reward_micros: Option<i64>,
    pub said_payout_micros: Option<i64>,
    pub stake_reward_micros: i64,
    pub stake_payout_micros: i64,
    pub raised_at: i64,
    pub due_at: i64,
    pub ending: Option<String>,
    pub ended_at: Option<i64>,
    pub ended_by: Option<String>,
    pub note: Option<String>,
    pub linked_reward_id: Option<i64>,
    pub app: String,
    pub user_id: String,
    pub tx_id: String,
    pub status: String,
    pub currency: String,
    pub reward_micros: Option<i64>,
    pub payout_micros: Option<i64>,
    pub taken_back_micros: i64,
    pub taken_back_payout_micros: i64,
    pub offer_id: Option<String>,
    pub offer_name: Option<String>,
}

impl CaseRow {
    /// `None` while it is open.
    pub fn ended(&self) -> Option<Ending> {
        self.ending.as_deref().and_then(Ending::parse)
    }
}

const SELECT: &str = "SELECT cases.id, cases.reward_id, cases.postback_id, cases.source, situation, said_user_id,
            said_reward_micros, said_payout_micros, stake_reward_micros, stake_payout_micros, raised_at, due_at, ending,
            ended_at, ended_by, note, linked_reward_id, app, user_id, tx_id, status, currency, reward_micros,
            payout_micros, taken_back_micros, taken_back_payout_micros, offer_id, offer_name
     FROM reversal_cases AS cases JOIN rewards ON rewards.id = cases.reward_id ";

/// A credit that an orphan reversal may belong to.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of rewards, described in the migration")]
pub struct PartnerRow {
    pub id: i64,
    pub tx_id: String,
    pub user_id: String,
    pub status: String,
    pub currency: String,
    pub reward_micros: i64,
    pub payout_micros: i64,
    pub offer_id: Option<String>,
    pub offer_name: Option<String>,
    pub received_at: i64,
    /// 1 if the reversal has the same offer, otherwise 0.
    pub same_offer: i64,
    /// 1 if the reversal has the same amount, otherwise 0.
    pub same_amount: i64,
}

/// The due cases of one situation.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CaseTotals {
    /// A name of [`Situation`].
    pub situation: String,
    /// Their number.
    pub cases: i64,
    /// The payout at stake, in USD micros.
    pub payout_micros: i64,
    /// When the oldest became due, unix milliseconds.
    pub oldest_at: i64,
}

impl Store {
    /// Up to `limit` cases: open ones that are due, oldest first, or ended ones, newest first.
    pub async fn cases(&self, filter: &CaseFilter, now: TimestampMs, limit: i64) -> Result<Vec<CaseRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            if filter.ended {
                query.push("WHERE ending IS NOT NULL");
            } else {
                query.push("WHERE ending IS NULL AND due_at <= ").push_bind(now.0);
            }
            if let Some(situation) = filter.situation {
                query.push(" AND situation = ").push_bind(situation.name());
            }
            if let Some(source) = &filter.source {
                query.push(" AND cases.source = ").push_bind(source);
            }
            if let Some(CasePlace { at, id }) = filter.after {
                query.push(if filter.ended { " AND (ended_at, cases.id) < (" } else { " AND (due_at, cases.id) > (" });
                query.push_bind(at.0).push(", ").push_bind(id).push(")");
            }
            query.push(if filter.ended {
                " ORDER BY ended_at DESC, cases.id DESC LIMIT "
            } else {
                " ORDER BY due_at, cases.id LIMIT "
            });
            query.push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// The case `id`, if it exists.
    pub async fn case(&self, id: i64) -> Result<Option<CaseRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            query.push("WHERE cases.id = ").push_bind(id);
            query.build_query_as().fetch_optional(pool).await
        })?)
    }

    /// The cases of a reward, and orphans linked to it; oldest first.
    pub async fn cases_of_reward(&self, reward_id: i64) -> Result<Vec<CaseRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            query.push("WHERE cases.reward_id = ").push_bind(reward_id);
            query.push(" OR linked_reward_id = ").push_bind(reward_id).push(" ORDER BY cases.id");
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// The due cases, by situation.
    pub async fn open_cases(&self, now: TimestampMs) -> Result<Vec<CaseTotals>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT situation, COUNT(*) AS cases, CAST(SUM(stake_payout_micros) AS BIGINT) AS payout_micros,
                    MIN(due_at) AS oldest_at
             FROM reversal_cases WHERE ending IS NULL AND due_at <= $1 GROUP BY situation ORDER BY situation"
        ).bind(now.0).fetch_all(pool).await)?)
    }

    /// Credits that the orphan `case` may belong to, likeliest first: credits whose transaction id is a part of the
    /// reversal's, and credits of the same user (those with the same amount or offer first).
    pub async fn partners(&self, case: &CaseRow) -> Result<Vec<PartnerRow>> {
        let keys = contained(&case.tx_id);
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(
                "SELECT id, tx_id, user_id, status, currency, COALESCE(reward_micros, 0) AS reward_micros,
                        COALESCE(payout_micros, 0) AS payout_micros, offer_id, offer_name, received_at,
                        CAST(CASE WHEN offer_id = ",
            );
            query.push_bind(case.offer_id.clone());
            query.push(" THEN 1 ELSE 0 END AS BIGINT) AS same_offer, CAST(CASE WHEN reward_micros = ");
            query.push_bind(case.said_reward_micros);
            query.push(" OR payout_micros = ").push_bind(case.said_payout_micros);
            query.push(" THEN 1 ELSE 0 END AS BIGINT) AS same_amount FROM rewards WHERE id IN (SELECT id FROM (");
            query.push("SELECT id FROM rewards WHERE user_id = ").push_bind(case.said_user_id.clone());
            query.push(" AND source = ").push_bind(case.source.clone());
            query.push(" LIMIT ").push_bind(MAX_PARTNERS_OUT_OF);
            query.push(") AS of_user UNION SELECT id FROM rewards WHERE source = ").push_bind(case.source.clone());
            query.push(" AND event_key IN (");
            let mut list = query.separated(", ");
            for key in &keys {
                list.push_bind(key.clone());
            }
            query.push(")) AND credit_seen = 1 AND status <> 'reversed' ORDER BY CASE WHEN tx_id IN (");
            let mut list = query.separated(", ");
            for key in &keys {
                list.push_bind(key.clone());
            }
            query.push(") THEN 0 ELSE 1 END, 12 DESC, 11 DESC, received_at DESC, id DESC LIMIT ");
            query.push_bind(MAX_PARTNERS);
            query.build_query_as().fetch_all(pool).await
        })?)
    }
}

/// Limit of parts of a transaction id that are searched.
const MAX_CONTAINED: usize = 8;

/// The parts of a transaction id before its last and after its first separators: networks write `T0-R`, `r_T0` or
/// `reversal:T0` for the reversal of `T0`. Never empty, because an SQL list cannot be.
fn contained(tx_id: &str) -> Vec<String> {
    let separators = || tx_id.char_indices().filter(|(_, letter)| "-_:./#".contains(*letter));
    let before = separators().map(|(at, _)| &tx_id[..at]);
    let after = separators().map(|(at, letter)| &tx_id[at + letter.len_utf8()..]);
    let mut found: Vec<String> = before
        .rev()
        .take(MAX_CONTAINED / 2)
        .chain(after.take(MAX_CONTAINED / 2))
        .map(str::to_owned)
        .collect();
    found.retain(|part| !part.is_empty());
    if found.is_empty() { vec![tx_id.to_owned()] } else { found }
}

#[cfg(test)]
mod tests {
    use super::contained;

    #[test]
    fn a_reversals_transaction_id_is_searched_for_that_of_its_credit() {
        assert_eq!(contained("T0-R"), ["T0", "R"]);
        assert_eq!(contained("reversal:T0"), ["reversal", "T0"]);
        assert_eq!(contained("T0"), ["T0"]);
        assert_eq!(contained("-"), ["-"]);
        assert!(contained(&"a-".repeat(120)).len() <= 8);
    }
}
