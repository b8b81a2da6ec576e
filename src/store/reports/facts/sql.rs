//! The statements of a report; their columns are the fields in [`super::rows`].
//!
//! They start from the index of steps by business date and find transfers by reward, so that the ledger needs no index by
//! date.

/// A saturating sum of micros: the upper and the lower 32 bits are summed separately. A report with a saturated sum does
/// not tie out, and says so.
macro_rules! sum {
    ($of:literal) => {
        concat!(
            "CAST(CASE WHEN CAST(COALESCE(SUM(",
            $of,
            " >> 32), 0) AS BIGINT) + (CAST(COALESCE(SUM(",
            $of,
            " & 4294967295), 0) AS BIGINT) >> 32) > 2147483647 THEN 9223372036854775807
              WHEN CAST(COALESCE(SUM(",
            $of,
            " >> 32), 0) AS BIGINT) + (CAST(COALESCE(SUM(",
            $of,
            " & 4294967295), 0) AS BIGINT) >> 32) < -2147483647 THEN -9223372036854775807
              ELSE (CAST(COALESCE(SUM(",
            $of,
            " >> 32), 0) AS BIGINT) + (CAST(COALESCE(SUM(",
            $of,
            " & 4294967295), 0) AS BIGINT) >> 32)) * 4294967296
                 + (CAST(COALESCE(SUM(",
            $of,
            " & 4294967295), 0) AS BIGINT) & 4294967295) END AS BIGINT)"
        )
    };
}

/// The columns of a line.
macro_rules! line_columns {
    () => {
        concat!(
            "SELECT rewards.source, rewards.currency, rewards.business_date AS converted,
                    steps.business_date AS booked, steps.step, COUNT(*) AS count, ",
            sum!("COALESCE(steps.part_reward_micros, reward_micros)"),
            " AS reward, ",
            sum!("COALESCE(steps.part_payout_micros, payout_micros)"),
            " AS payout "
        )
    };
}

/// $1 to $2: business dates.
pub(super) const LINES: &str = concat!(
    line_columns!(),
    "FROM steps JOIN rewards ON rewards.id = steps.reward_id
     WHERE steps.business_date BETWEEN $1 AND $2
     GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
);

/// $1: the last transfer in the previous closed report; $2: the day.
pub(super) const LATE: &str = concat!(
    line_columns!(),
    "FROM (SELECT DISTINCT reward_id, step_seq FROM transfers
           WHERE id > $1 AND business_date < $2 AND reward_id IS NOT NULL) AS late
     JOIN steps ON steps.reward_id = late.reward_id AND steps.seq = late.step_seq
     JOIN rewards ON rewards.id = steps.reward_id
     GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
);

/// Three kinds of rows from the movements of the day and after it: balances of accounts (all users together), users'
/// debts by currency, and the users with the largest debts. $1: the day; $2: the last transfer in the previous closed
/// report; $3: the number of users.
///
/// One statement for all three, because summing the transfers is the expensive part.
pub(super) const BALANCES: &str = concat!(
    "
    WITH booked AS (
        SELECT debit_id, credit_id, amount_micros AS today, 0 AS later
        FROM steps JOIN transfers ON transfers.reward_id = steps.reward_id AND transfers.step_seq = steps.seq
        WHERE steps.business_date = $1
        UNION ALL
        SELECT debit_id, credit_id, amount_micros, 0 FROM transfers
        WHERE reward_id IS NULL AND business_date = $1
        UNION ALL
        SELECT debit_id, credit_id, amount_micros, 0 FROM transfers WHERE id > $2 AND business_date < $1
        UNION ALL
        SELECT debit_id, credit_id, 0, amount_micros
        FROM steps JOIN transfers ON transfers.reward_id = steps.reward_id AND transfers.step_seq = steps.seq
        WHERE steps.business_date > $1
        UNION ALL
        SELECT debit_id, credit_id, 0, amount_micros FROM transfers
        WHERE reward_id IS NULL AND business_date > $1
    ), sums AS (
        SELECT account_id, ",
    sum!("today"),
    " AS today, ",
    sum!("later"),
    " AS later
        FROM (SELECT credit_id AS account_id, today, later FROM booked
              UNION ALL
              SELECT debit_id, -today, -later FROM booked) AS legs
        GROUP BY account_id
    ), balances AS MATERIALIZED (
        SELECT name, currency,
               CASE carries WHEN 0 THEN balance_micros
                            WHEN 1 THEN 4611686018427387904 + balance_micros
                            WHEN -1 THEN -4611686018427387904 + balance_micros
                            ELSE CASE WHEN carries > 0 THEN 9223372036854775807 ELSE -9223372036854775807 END
               END AS kept, COALESCE(today, 0) AS today, COALESCE(later, 0) AS later
        FROM accounts LEFT JOIN sums ON sums.account_id = accounts.id
    ), users AS (
        SELECT name, currency, kept - later AS balance,
               CASE WHEN kept - later - today < 0 THEN today + later - kept ELSE 0 END AS before_day,
               CASE WHEN kept - later < 0 THEN later - kept ELSE 0 END AS after_day
        FROM balances WHERE SUBSTR(name, 1, 5) = 'user:'
    ), lowest AS (
        SELECT name, currency, balance FROM users WHERE after_day > 0 ORDER BY balance, name, currency LIMIT $3
    )
    SELECT 'account' AS kind, CASE WHEN SUBSTR(name, 1, 5) = 'user:' THEN 'users' ELSE name END AS account, currency,
           ",
    sum!("kept"),
    " AS balance, ",
    sum!("today"),
    " AS moved, ",
    sum!("later"),
    " AS moved_after,
           CAST(0 AS BIGINT) AS debtors_before, CAST(0 AS BIGINT) AS debt_before, CAST(0 AS BIGINT) AS arisen,
           CAST(0 AS BIGINT) AS recovered, CAST(0 AS BIGINT) AS debtors_after, CAST(0 AS BIGINT) AS debt_after
    FROM balances GROUP BY 2, 3
    UNION ALL
    SELECT 'debt', '', currency, 0, 0, 0, COUNT(CASE WHEN before_day > 0 THEN 1 END), CAST(SUM(before_day) AS BIGINT),
           CAST(SUM(CASE WHEN after_day > before_day THEN after_day - before_day ELSE 0 END) AS BIGINT),
           CAST(SUM(CASE WHEN before_day > after_day THEN before_day - after_day ELSE 0 END) AS BIGINT),
           COUNT(CASE WHEN after_day > 0 THEN 1 END), CAST(SUM(after_day) AS BIGINT)
    FROM users WHERE before_day > 0 OR after_day > 0 GROUP BY currency
    UNION ALL
    SELECT 'negative', name, currency, CAST(balance AS BIGINT), 0, 0, 0, 0, 0, 0, 0, 0 FROM lowest
    ORDER BY kind, balance, account, currency"
);

pub(super) const PAYMENTS: &str = "
    SELECT debits.name AS debit, credits.name AS credit, CAST(SUM(amount_micros) AS BIGINT) AS amount
    FROM (SELECT debit_id, credit_id, amount_micros FROM transfers WHERE reward_id IS NULL AND business_date = $1
          UNION ALL
          SELECT debit_id, credit_id, amount_micros FROM transfers
          WHERE reward_id IS NULL AND business_date < $1 AND id > $2) AS paid
    JOIN accounts AS debits ON debits.id = debit_id
    JOIN accounts AS credits ON credits.id = credit_id
    GROUP BY 1, 2 ORDER BY 1, 2";

/// Rewards on hold at the end of the day: candidates are held now or moved since, and their last step up to the day must
/// leave them on hold. Parts that were reversed by then are subtracted.
pub(super) const HOLDS: &str = "
    SELECT source, currency, since, COUNT(*) AS count, CAST(COALESCE(SUM(reward), 0) AS BIGINT) AS reward,
           CAST(COALESCE(SUM(payout), 0) AS BIGINT) AS payout
    FROM (
        SELECT rewards.source, rewards.currency, begun.business_date AS since,
               reward_micros - COALESCE((SELECT SUM(part.part_reward_micros) FROM steps AS part
                                         WHERE part.reward_id = rewards.id AND part.seq BETWEEN begun.seq AND last.seq
                                           AND part.step IN ('reverse_held_part', 'reverse_credited_part')), 0) AS reward,
               payout_micros - COALESCE((SELECT SUM(part.part_payout_micros) FROM steps AS part
                                         WHERE part.reward_id = rewards.id AND part.seq BETWEEN begun.seq AND last.seq
                                           AND part.step IN ('reverse_held_part', 'reverse_credited_part')), 0) AS payout
        FROM (SELECT id FROM rewards WHERE status = 'held' AND status <> 'credited'
              UNION
              SELECT reward_id FROM steps WHERE business_date > $1) AS maybe
        JOIN rewards ON rewards.id = maybe.id
        JOIN steps AS begun ON begun.reward_id = rewards.id
             AND begun.seq = (SELECT MAX(seq) FROM steps WHERE reward_id = rewards.id AND business_date <= $1
                                                           AND step IN ('hold', 'reapprove'))
        JOIN steps AS last ON last.reward_id = rewards.id
             AND last.step IN ('hold', 'reapprove', 'reverse_held_part', 'undo_release', 'undo_reject')
             AND last.seq = (SELECT MAX(seq) FROM steps WHERE reward_id = rewards.id AND business_date <= $1)
    ) AS held
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";

/// Reversal cases that became due before the end of the day ($2) and had not ended before its start ($1): how many became
/// due on the day, how many ended on it, and how many were open at its end.
pub(super) const CASES: &str = "
    SELECT source, situation, COUNT(CASE WHEN due_at >= $1 THEN 1 END) AS raised,
           COUNT(CASE WHEN ended_at < $2 THEN 1 END) AS ended,
           COUNT(CASE WHEN ended_at IS NULL OR ended_at >= $2 THEN 1 END) AS open,
           CAST(COALESCE(SUM(CASE WHEN ended_at IS NULL OR ended_at >= $2 THEN stake_payout_micros END), 0) AS BIGINT)
               AS stake
    FROM (
        SELECT source, situation, due_at, ended_at, stake_payout_micros FROM reversal_cases
        WHERE ending IS NULL AND due_at < $2
        UNION ALL
        SELECT source, situation, due_at, ended_at, stake_payout_micros FROM reversal_cases
        WHERE ending IS NOT NULL AND ended_at >= $1 AND due_at < $2 AND due_at <= ended_at
    ) AS known
    GROUP BY 1, 2 ORDER BY 1, 2";

/// Reversals booked from $1 to $2, grouped by a column of their rewards; the $3 largest groups.
macro_rules! top {
    ($column:literal) => {
        concat!(
            "SELECT rewards.source, COALESCE(",
            $column,
            ", '') AS key, COUNT(CASE WHEN steps.step NOT LIKE '%_part' THEN 1 END) AS count,
                    CAST(COALESCE(SUM(COALESCE(steps.part_payout_micros, payout_micros)), 0) AS BIGINT) AS payout
             FROM steps JOIN rewards ON rewards.id = steps.reward_id
             WHERE steps.business_date BETWEEN $1 AND $2
               AND steps.step IN ('reverse_credited', 'reverse_held', 'reverse_rejected', 'reverse_credited_part',
                                  'reverse_held_part', 'reverse_rejected_part')
             GROUP BY 1, 2 ORDER BY 4 DESC, 3 DESC, 1, 2 LIMIT $3"
        )
    };
}

pub(super) const TOPS: [(&str, &str); 3] =
    [("offer", top!("offer_id")), ("country", top!("country_code")), ("sub1", top!("sub1"))];

/// $1 to $2: ids between which the day's postbacks lie; $3 to before $4: the day; $5: the reason of a credit that was
/// reversed before it arrived.
///
/// A refused call that was replayed on another day counts on the day of the replay: the report of the earlier day may be
/// closed, and counts it as refused.
pub(super) const DISPOSITIONS: &str = "
    SELECT postbacks.source,
           CASE WHEN outcome = 'set_aside' THEN 'quarantined'
                WHEN outcome <> 'processed' THEN outcome
                WHEN steps.step IS NOT NULL THEN steps.step
                WHEN reason = $5 THEN 'reversed_before'
                WHEN reason IS NOT NULL THEN 'conflict'
                ELSE 'unexplained' END AS disposition,
           COUNT(*) AS count
    FROM postbacks
    LEFT JOIN steps ON steps.reward_id = postbacks.reward_id AND steps.postback_id = postbacks.id
    WHERE postbacks.id BETWEEN $1 AND $2
      AND COALESCE(recorded_at, received_at) >= $3 AND COALESCE(recorded_at, received_at) < $4
    GROUP BY 1, 2 ORDER BY 1, 2";

pub(super) const REFUSED: &str = "
    SELECT CASE WHEN SUBSTR(reason, 1, LENGTH($3)) = $3 OR source = '' THEN 'unknown' ELSE source END AS source,
           'refused' AS disposition, COUNT(*) AS count
    FROM refused WHERE received_at >= $1 AND received_at < $2
    GROUP BY 1 ORDER BY 1";

pub(super) const POLICIES: &str = "
    SELECT DISTINCT COALESCE(policy_versions.version, policy) AS policy
    FROM steps JOIN verdicts ON verdicts.reward_id = steps.reward_id
    LEFT JOIN policy_versions ON policy_versions.id = verdicts.policy_id
    WHERE steps.business_date = $1 AND steps.step IN ('credit', 'hold') ORDER BY policy";

/// Periods that overlap $1 to $2, and the nearest ones before and after.
pub(super) const AVAILABILITY: &str = "
    SELECT began_at, seen_at FROM listening WHERE seen_at >= $1 AND began_at <= $2
    UNION
    SELECT began_at, seen_at FROM
        (SELECT began_at, seen_at FROM listening WHERE seen_at < $1 ORDER BY seen_at DESC LIMIT 1) AS before_it
    UNION
    SELECT began_at, seen_at FROM
        (SELECT began_at, seen_at FROM listening WHERE began_at > $2 ORDER BY began_at LIMIT 1) AS after_it
    ORDER BY 1, 2";

/// $1: the day; $2: its start. `has_earlier`: an earlier day must be closed first, because something was received, booked
/// or reported before this one.
pub(super) const BOUNDS: &str = "
    SELECT CAST(COALESCE((SELECT MAX(id) FROM transfers), 0) AS BIGINT) AS transfers_upto,
           CAST(COALESCE((SELECT MAX(id) FROM postbacks), 0) AS BIGINT) AS postbacks_upto,
           CAST(CASE WHEN EXISTS (SELECT 1 FROM steps WHERE business_date < $1)
                       OR EXISTS (SELECT 1 FROM reports WHERE business_date < $1)
                       OR (SELECT received_at FROM postbacks ORDER BY id LIMIT 1) < $2
                     THEN 1 ELSE 0 END AS BIGINT) AS has_earlier";

pub(super) const PREVIOUS: &str =
    "SELECT content, content_hash, transfers_upto FROM reports WHERE business_date = $1 AND state = 'final'";

pub(super) const POSTBACK_FROM: &str = "SELECT id, COALESCE(recorded_at, received_at) AS recorded_at FROM postbacks WHERE id >= $1 ORDER BY id LIMIT 1";
