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
///
/// What is kept and what is computed are stacked and grouped, not joined: SQLite walks all of one side for each row of
/// the other in a FULL JOIN, which takes hours with a hundred thousand rewards.
pub(crate) const DIFFERING_ACCOUNTS: &str = "
    SELECT COALESCE(MAX(name), 'an account that does not exist'), COALESCE(MAX(currency), '?'),
           CAST(SUM(kept) AS BIGINT), CAST(SUM(delta_micros) AS BIGINT) AS computed
    FROM (
        SELECT id AS account_id, name, currency, balance_micros AS kept, 0 AS delta_micros FROM accounts
        UNION ALL
        SELECT credit_id, NULL, NULL, 0, amount_micros FROM transfers
        UNION ALL
        SELECT debit_id, NULL, NULL, 0, -amount_micros FROM transfers
    ) AS stacked
    GROUP BY account_id
    HAVING COUNT(name) = 0 OR SUM(kept) <> SUM(delta_micros)
    ORDER BY 1, 2";

/// Compares every reward's status with what its transfers left with the user, on hold, and earned.
pub(crate) const DIFFERING_REWARDS: &str = "
    SELECT reward_id, COALESCE(MAX(status), 'missing'), CAST(SUM(given_user) AS BIGINT),
           CAST(SUM(left_held) AS BIGINT), CAST(SUM(left_earned) AS BIGINT)
    FROM (
        SELECT id AS reward_id, status, COALESCE(reward_micros, 0) AS reward_micros,
               COALESCE(payout_micros, 0) AS payout_micros, 0 AS given_user, 0 AS left_held, 0 AS left_earned
        FROM rewards
        UNION ALL
        SELECT reward_id, NULL, 0, 0,
               CASE WHEN kind = 'user' THEN delta_micros ELSE 0 END,
               CASE WHEN kind = 'held' THEN delta_micros ELSE 0 END,
               CASE WHEN kind = 'earn' THEN delta_micros ELSE 0 END
        FROM (
            SELECT reward_id, SUBSTR(name, 1, 4) AS kind, amount_micros AS delta_micros
            FROM transfers JOIN accounts ON accounts.id = credit_id
            UNION ALL
            SELECT reward_id, SUBSTR(name, 1, 4), -amount_micros
            FROM transfers JOIN accounts ON accounts.id = debit_id
        ) AS legs
        WHERE reward_id IS NOT NULL
    ) AS stacked
    GROUP BY reward_id
    HAVING COUNT(status) = 0
        OR SUM(given_user) <> CASE WHEN MAX(status) = 'credited' THEN SUM(reward_micros) ELSE 0 END
        OR SUM(left_held) <> CASE WHEN MAX(status) = 'held' THEN SUM(reward_micros) ELSE 0 END
        OR SUM(left_earned) <> CASE WHEN MAX(status) = 'reversed' THEN 0 ELSE SUM(payout_micros) END
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
