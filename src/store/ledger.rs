//! Balances, and the proof that they follow from the transfers.

use domain::money::Micros;
use domain::proof::{DifferingAccount, DifferingReward, Proof};

use crate::{Result, Store, read, read_snapshot};

/// One balance of a user.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BalanceRow {
    /// The currency.
    pub currency: String,
    /// The balance in micros; below zero after a reversal of what was already spent.
    pub balance_micros: i64,
}

/// Recomputes every account. `SUM` of BIGINT is NUMERIC on Postgres, hence the casts.
pub(crate) const DIFFERING_ACCOUNTS: &str = "
    SELECT COALESCE(name, 'an account that does not exist'), COALESCE(currency, '?'),
           COALESCE(balance_micros, 0), CAST(COALESCE(computed, 0) AS BIGINT) AS computed
    FROM accounts
    FULL JOIN (
        SELECT account_id, SUM(delta_micros) AS computed
        FROM (
            SELECT credit_id AS account_id, amount_micros AS delta_micros FROM transfers
            UNION ALL
            SELECT debit_id, -amount_micros FROM transfers
        ) AS legs
        GROUP BY account_id
    ) AS sums ON sums.account_id = accounts.id
    WHERE accounts.id IS NULL OR balance_micros <> COALESCE(computed, 0)
    ORDER BY name, currency";

/// Compares every reward's status with what its transfers left with the user, on hold, and earned.
pub(crate) const DIFFERING_REWARDS: &str = "
    SELECT COALESCE(rewards.id, sums.reward_id), COALESCE(status, 'missing'), CAST(COALESCE(given_user, 0) AS BIGINT) AS given_user,
           CAST(COALESCE(left_held, 0) AS BIGINT) AS left_held, CAST(COALESCE(left_earned, 0) AS BIGINT) AS left_earned
    FROM rewards
    FULL JOIN (
        SELECT reward_id,
               SUM(CASE WHEN kind = 'user' THEN delta_micros ELSE 0 END) AS given_user,
               SUM(CASE WHEN kind = 'held' THEN delta_micros ELSE 0 END) AS left_held,
               SUM(CASE WHEN kind = 'earn' THEN delta_micros ELSE 0 END) AS left_earned
        FROM (
            SELECT reward_id, SUBSTR(name, 1, 4) AS kind, amount_micros AS delta_micros
            FROM transfers JOIN accounts ON accounts.id = credit_id
            UNION ALL
            SELECT reward_id, SUBSTR(name, 1, 4), -amount_micros
            FROM transfers JOIN accounts ON accounts.id = debit_id
        ) AS legs
        WHERE reward_id IS NOT NULL
        GROUP BY reward_id
    ) AS sums ON sums.reward_id = rewards.id
    WHERE rewards.id IS NULL
       OR COALESCE(given_user, 0) <> CASE WHEN status = 'credited' THEN COALESCE(reward_micros, 0) ELSE 0 END
       OR COALESCE(left_held, 0) <> CASE WHEN status = 'held' THEN COALESCE(reward_micros, 0) ELSE 0 END
       OR COALESCE(left_earned, 0) <> CASE WHEN status = 'reversed' THEN 0 ELSE COALESCE(payout_micros, 0) END
    ORDER BY 1 LIMIT 100";

pub(crate) const COUNTS: &str = "
    SELECT CAST((SELECT COUNT(*) FROM accounts) AS BIGINT), CAST((SELECT COUNT(*) FROM transfers) AS BIGINT),
           CAST((SELECT COUNT(*) FROM rewards) AS BIGINT)";

/// The ledger proof on a snapshot.
macro_rules! prove {
    ($snapshot:ident) => {{
        let accounts: Vec<(String, String, i64, i64)> =
            sqlx::query_as($crate::ledger::DIFFERING_ACCOUNTS).fetch_all(&mut *$snapshot).await?;
        let rewards: Vec<(i64, String, i64, i64, i64)> =
            sqlx::query_as($crate::ledger::DIFFERING_REWARDS).fetch_all(&mut *$snapshot).await?;
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

    /// Recomputes everything from the transfers, on one snapshot, and names what differs.
    pub async fn prove(&self) -> Result<Proof> {
        let store = self.clone();
        crate::unit::own_task(async move { read_snapshot!(store, snapshot => Ok(prove!(snapshot))) }).await
    }
}

pub(crate) fn proof(
    accounts: Vec<(String, String, i64, i64)>,
    rewards: Vec<(i64, String, i64, i64, i64)>,
    counts: (i64, i64, i64),
) -> Proof {
    Proof {
        accounts: counts.0,
        transfers: counts.1,
        rewards: counts.2,
        differing_accounts: accounts
            .into_iter()
            .map(|(account, currency, kept, computed)| DifferingAccount {
                account,
                currency,
                kept: Micros(kept),
                computed: Micros(computed),
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
