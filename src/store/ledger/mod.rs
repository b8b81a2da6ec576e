//! Balances, and the proof that they match the transfers.

pub(crate) mod booking;
pub mod opening;

use domain::money::Micros;
use domain::proof::{DifferingAccount, DifferingReward, Proof};

use crate::db::deadline::LONG;
use crate::{Result, Store, read, read_snapshot};

/// A user's balance in one currency.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BalanceRow {
    /// As in the settings.
    pub currency: String,
    /// Negative after a reversal of money that was already spent.
    pub balance_micros: i64,
}

/// Recomputes every account. `SUM` of BIGINT is NUMERIC on Postgres, hence the casts.
///
/// A sum can exceed 64 bits, so the upper and the lower 32 bits are summed separately: the sum is `high` times 2^32 plus
/// `low`. Saved balances are split in the same way; a balance carries 2^62, which is 2^30 in `high`.
///
/// Transfers are first summed by pairs of accounts, which leaves few rows to sort. There is no FULL JOIN of saved and
/// computed balances: SQLite scans one side for each row of the other, which takes hours for a hundred thousand rewards.
pub(crate) const DIFFERING_ACCOUNTS: &str = "
    WITH pairs AS MATERIALIZED (
        SELECT debit_id, credit_id, SUM(amount_micros >> 32) AS high, SUM(amount_micros & 4294967295) AS low
        FROM transfers GROUP BY debit_id, credit_id
    ), sums AS MATERIALIZED (
        SELECT account_id, CAST(SUM(high) AS BIGINT) AS high, CAST(SUM(low) AS BIGINT) AS low
        FROM (SELECT credit_id AS account_id, high, low FROM pairs
              UNION ALL
              SELECT debit_id, -high, -low FROM pairs) AS legs
        GROUP BY account_id
    ), kept AS (
        SELECT id, name, currency, (balance_micros >> 32) + carries * 1073741824 AS high,
               balance_micros & 4294967295 AS low
        FROM accounts
    )
    SELECT COALESCE(name, 'an account that does not exist'), COALESCE(currency, '?'), COALESCE(kept.high, 0),
           COALESCE(kept.low, 0), sums.high, sums.low
    FROM sums LEFT JOIN kept ON kept.id = account_id
    WHERE kept.id IS NULL OR (kept.low - sums.low) % 4294967296 <> 0
       OR kept.high - sums.high + (kept.low - sums.low) / 4294967296 <> 0
    UNION ALL
    SELECT name, currency, high, low, CAST(0 AS BIGINT), CAST(0 AS BIGINT) FROM kept
    WHERE (high <> 0 OR low <> 0) AND id NOT IN (SELECT account_id FROM sums)
    ORDER BY 1, 2";

/// How much a transfer added to the user's, the held and the earned balance.
macro_rules! left {
    () => {
        "CASE credits.kind WHEN 'user' THEN amount_micros ELSE 0 END
             - CASE debits.kind WHEN 'user' THEN amount_micros ELSE 0 END AS given_user,
         CASE credits.kind WHEN 'held' THEN amount_micros ELSE 0 END
             - CASE debits.kind WHEN 'held' THEN amount_micros ELSE 0 END AS left_held,
         CASE credits.kind WHEN 'earn' THEN amount_micros ELSE 0 END
             - CASE debits.kind WHEN 'earn' THEN amount_micros ELSE 0 END AS left_earned "
    };
}

/// The kinds of a transfer's accounts: the first letters of their names.
macro_rules! kinds {
    () => {
        "LEFT JOIN (SELECT id, SUBSTR(name, 1, 4) AS kind FROM accounts) AS debits ON debits.id = debit_id
         LEFT JOIN (SELECT id, SUBSTR(name, 1, 4) AS kind FROM accounts) AS credits ON credits.id = credit_id "
    };
}

/// Compares every reward (by status, less the part that was taken back) with the sums of its transfers to the user, on
/// hold, and earned.
///
/// For Postgres, which reads both tables once and groups them in a hash table.
pub(crate) const DIFFERING_REWARDS: &str = concat!(
    "SELECT reward_id, COALESCE(MAX(status), 'missing'), CAST(SUM(given_user) AS BIGINT),
            CAST(SUM(left_held) AS BIGINT), CAST(SUM(left_earned) AS BIGINT)
     FROM (
         SELECT id AS reward_id, status, COALESCE(reward_micros, 0) - taken_back_micros AS reward_micros,
                COALESCE(payout_micros, 0) - taken_back_payout_micros AS payout_micros, 0 AS given_user, 0 AS left_held, 0 AS left_earned
         FROM rewards
         UNION ALL
         SELECT reward_id, NULL, 0, 0, ",
    left!(),
    "FROM transfers ",
    kinds!(),
    "    WHERE reward_id IS NOT NULL
     ) AS stacked
     GROUP BY reward_id
     HAVING COUNT(status) = 0
         OR SUM(given_user) <> CASE WHEN MAX(status) = 'credited' THEN SUM(reward_micros) ELSE 0 END
         OR SUM(left_held) <> CASE WHEN MAX(status) = 'held' THEN SUM(reward_micros) ELSE 0 END
         OR SUM(left_earned) <> CASE WHEN MAX(status) = 'reversed' THEN 0 ELSE SUM(payout_micros) END
     ORDER BY 1 LIMIT 100"
);

/// The same for SQLite, which would sort to group: it reads the rewards in order and looks up their transfers in the
/// index. Transfers of missing rewards are searched separately.
pub(crate) const DIFFERING_REWARDS_SQLITE: &str = concat!(
    "SELECT reward_id, COALESCE(status, 'missing'), given_user, left_held, left_earned
     FROM (
         SELECT reward_id, status, reward_micros, payout_micros, SUM(given_user) AS given_user,
                SUM(left_held) AS left_held, SUM(left_earned) AS left_earned
         FROM (
             SELECT rewards.id AS reward_id, status, COALESCE(reward_micros, 0) - taken_back_micros AS reward_micros,
                    COALESCE(payout_micros, 0) - taken_back_payout_micros AS payout_micros, ",
    left!(),
    "        FROM rewards LEFT JOIN transfers ON transfers.reward_id = rewards.id ",
    kinds!(),
    "    ) AS each
         GROUP BY reward_id
         UNION ALL
         SELECT reward_id, NULL, 0, 0, SUM(given_user), SUM(left_held), SUM(left_earned)
         FROM (
             SELECT reward_id, ",
    left!(),
    "        FROM transfers ",
    kinds!(),
    "        WHERE reward_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM rewards WHERE rewards.id = reward_id)
         ) AS orphans
         GROUP BY reward_id
     ) AS found
     WHERE status IS NULL
         OR given_user <> CASE WHEN status = 'credited' THEN reward_micros ELSE 0 END
         OR left_held <> CASE WHEN status = 'held' THEN reward_micros ELSE 0 END
         OR left_earned <> CASE WHEN status = 'reversed' THEN 0 ELSE payout_micros END
     ORDER BY 1 LIMIT 100"
);

pub(crate) const COUNTS: &str = "
    SELECT CAST((SELECT COUNT(*) FROM accounts) AS BIGINT), CAST((SELECT COUNT(*) FROM transfers) AS BIGINT),
           CAST((SELECT COUNT(*) FROM rewards) AS BIGINT)";

/// Payments for statements, less reversed ones, against the balance of each `paid` account (negated, because payments
/// debit it). The account may hold more: payments booked without a statement.
pub(crate) const DIFFERING_PAYMENTS: &str = "
    SELECT 'payments noted for ' || source, 'USD', CAST(SUM(booked) AS BIGINT), CAST(SUM(noted) AS BIGINT)
    FROM (
        SELECT statements.source AS source, 0 AS booked,
               SUM(CASE WHEN takes_back IS NULL THEN amount_micros ELSE -amount_micros END) AS noted
        FROM statement_payments JOIN statements ON statements.id = statement_id
        GROUP BY statements.source
        UNION ALL
        SELECT SUBSTR(name, 6), -balance_micros, 0 FROM accounts WHERE SUBSTR(name, 1, 5) = 'paid:'
    ) AS both_sides
    GROUP BY source HAVING SUM(booked) < SUM(noted)
    ORDER BY 1";

/// The ledger proof on a snapshot; `$rewards` is the statement of [`Store::differing_rewards`].
macro_rules! prove {
    ($snapshot:ident, $rewards:expr) => {{
        let mut accounts: Vec<(String, String, i64, i64, i64, i64)> =
            sqlx::query_as($crate::ledger::DIFFERING_ACCOUNTS).fetch_all(&mut *$snapshot).await?;
        let payments: Vec<(String, String, i64, i64)> =
            sqlx::query_as($crate::ledger::DIFFERING_PAYMENTS).fetch_all(&mut *$snapshot).await?;
        accounts.extend(payments.into_iter().map($crate::ledger::in_halves));
        let rewards: Vec<(i64, String, i64, i64, i64)> =
            sqlx::query_as($rewards).fetch_all(&mut *$snapshot).await?;
        let counts: (i64, i64, i64) =
            sqlx::query_as($crate::ledger::COUNTS).fetch_one(&mut *$snapshot).await?;
        $crate::ledger::proof(accounts, rewards, counts)
    }};
}
pub(crate) use prove;

impl Store {
    /// The balances of a user of `app`, one for each currency.
    pub async fn balances(&self, app: &str, user_id: &str) -> Result<Vec<BalanceRow>> {
        let account = domain::ledger::RewardAccount::User { app: app.into(), user_id: user_id.into() };
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT currency, balance_micros FROM accounts WHERE name = $1 ORDER BY currency"
        ).bind(account.to_string()).fetch_all(pool).await)?)
    }

    /// Recomputes everything from the transfers, on one snapshot, and lists the differences.
    pub async fn prove(&self) -> Result<Proof> {
        let (store, rewards) = (self.clone(), self.differing_rewards());
        crate::db::tx::own_task(async move {
            let proof = async { read_snapshot!(store, snapshot => Ok(prove!(snapshot, rewards))) };
            store.within(LONG, proof).await
        })
        .await
    }

    /// The statement that compares rewards with their transfers, in the form that is fast on this database.
    pub(crate) fn differing_rewards(&self) -> &'static str {
        match self.database {
            crate::Database::Sqlite { .. } => DIFFERING_REWARDS_SQLITE,
            crate::Database::Postgres(_) => DIFFERING_REWARDS,
        }
    }
}

/// The saved and the computed sum, each split into its upper and lower 32 bits.
pub(crate) fn in_halves(
    (name, currency, kept, computed): (String, String, i64, i64),
) -> (String, String, i64, i64, i64, i64) {
    let (high, low) = (|sum: i64| sum >> 32, |sum: i64| sum & 0xffff_ffff);
    (name, currency, high(kept), low(kept), high(computed), low(computed))
}

/// The sum of both halves, saturating.
fn micros(high: i64, low: i64) -> Micros {
    let sum = (i128::from(high) << 32) + i128::from(low);
    Micros(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
}

pub(crate) fn proof(
    accounts: Vec<(String, String, i64, i64, i64, i64)>,
    rewards: Vec<(i64, String, i64, i64, i64)>,
    counts: (i64, i64, i64),
) -> Proof {
    Proof {
        accounts: counts.0,
        transfers: counts.1,
        rewards: counts.2,
        differing_accounts: accounts
            .into_iter()
            .map(|(account, currency, kept_high, kept_low, high, low)| DifferingAccount {
                account,
                currency,
                kept: micros(kept_high, kept_low),
                computed: micros(high, low),
            })
            .collect(),
        differing_rewards: rewards
            .into_iter()
            .map(|(reward_id, status, user, held, earned)| DifferingReward {
                reward_id,
                status,
                user: Micros(user),
                held: Micros(held),
                earned: Micros(earned),
            })
            .collect(),
    }
}
