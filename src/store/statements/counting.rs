//! Which statements count. Statements of one source add up, and each booking counts once in all of them; a statement that
//! supersedes another counts instead of it. When a statement stops counting (superseded, discarded, failed), statements
//! with lines that only it counted are read again; if it was discarded or failed, those that it superseded count again.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::statement::kind_name;
use domain::statement::life::{State, Step};
use domain::statement::period::Days;
use domain::statement::pieces::Piece;
use domain::time::TimestampMs;

use super::states::with_booking;
use super::{StatementRow, Supersedes, held, import, statement_columns, subject};
use crate::Result;
use crate::access::audit::{self, Line};
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, guard, with_statement};

/// Pieces of a new file that are compared to detect a new version of another statement.
const SAMPLE_PIECES: i64 = 3;
/// Limit of statements that one may supersede.
const MAX_SUPERSEDED: usize = 100;

static INSERT_SUPERSEDED: LazyStatement = LazyLock::new(|| {
    Statement::given::<SaidRow>(
        "INSERT INTO statement_supersedes ({columns})
         SELECT {columns} FROM {given} WHERE true ON CONFLICT DO NOTHING",
    )
});

static DELETE_SUPERSEDED: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_supersedes WHERE statement_id = $1", &[]));

static DELETE_ONE: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_supersedes WHERE superseded_id = $1", &[]));

static DECIDED: LazyStatement =
    LazyLock::new(|| Statement::new("UPDATE statements SET supersedes_decided = $2 WHERE id = $1", &[]));

/// Statements that count for the same source and days, with their number of lines that name a transaction.
static CANDIDATES: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id, (SELECT COUNT(*) FROM statement_lines AS lines
                     WHERE lines.statement_id = statements.id AND lines.tx_id IS NOT NULL)
         FROM statements
         WHERE source = $2 AND state = 'matched' AND superseded_by IS NULL AND id <> $1
           AND period_from = $3 AND period_to = $4
         ORDER BY id",
        &[],
    )
});

/// How many of the sample's transactions each of those statements has.
static SHARED: LazyStatement = LazyLock::new(|| {
    Statement::given::<SampleRow<'_>>(
        "SELECT lines.statement_id, COUNT(DISTINCT lines.tx_id || ' ' || lines.kind)
         FROM {given} JOIN statement_lines AS lines
              ON lines.tx_id = given.tx_id AND lines.statement_id = given.statement_id AND lines.kind = given.kind
         GROUP BY lines.statement_id")
});

static SUPERSEDE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET superseded_by = $1
         WHERE state = 'matched' AND superseded_by IS NULL
           AND id IN (SELECT superseded_id FROM statement_supersedes WHERE statement_id = $1)
         RETURNING id",
        &[],
    )
});

static SUPERSEDED_BY: LazyStatement = LazyLock::new(|| {
    Statement::new(concat!(statement_columns!(), "WHERE superseded_by = $1 ORDER BY id"), &[])
});

static RESTORE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET superseded_by = NULL WHERE id = $1 AND state = 'matched' AND superseded_by IS NOT NULL",
        &[],
    )
});

/// The number of other statements of the source that count or will count, except $2 and $3.
static OTHERS_COUNT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT COUNT(*) FROM statements
         WHERE source = $1 AND id <> $2 AND id <> $3 AND superseded_by IS NULL
           AND state IN ('importing', 'matching', 'matched')",
        &[],
    )
});

/// Bookings that other statements did not miss because $1 counted them: perhaps another statement counts them now.
static REASSIGN_MISSING: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!("UPDATE statement_missing SET counted_in = (
             SELECT MIN(others.id) FROM statements AS others
             WHERE others.source = $2 AND others.id <> $1 AND others.id <> statement_missing.statement_id
               AND others.state = 'matched' AND others.superseded_by IS NULL
               AND (EXISTS (SELECT 1 FROM statement_lines AS lines
                            WHERE lines.reward_id = statement_missing.reward_id AND lines.statement_id = others.id
                              AND lines.kind = statement_missing.kind
                              AND lines.state IN ", with_booking!(), ")
                 OR EXISTS (SELECT 1 FROM statement_sums AS sums
                            WHERE sums.reward_id = statement_missing.reward_id AND sums.statement_id = others.id
                              AND sums.kind = statement_missing.kind)))
         WHERE counted_in = $1"),
        &[],
    )
});

/// Counting statements with lines that were left to $1.
static DEPENDENT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id FROM statements
         WHERE state = 'matched' AND superseded_by IS NULL AND id <> $1
           AND id IN (SELECT statement_id FROM statement_lines WHERE counted_in = $1)
         ORDER BY id",
        &[],
    )
});

static REREAD: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET state = $2, chunks_done = 0, missing_upto = NULL, tries = 0
         WHERE id = $1 AND state = $3 AND superseded_by IS NULL",
        &[],
    )
});

given_row! {
    struct SaidRow {
        statement_id: i64,
        superseded_id: i64,
    }
}

given_row! {
    struct SampleRow<'a> {
        statement_id: i64,
        tx_id: &'a str,
        kind: &'static str,
    }
}

/// Saves a person's choice of superseded statements; a sentence if one of them cannot be superseded.
pub(super) async fn choose(
    tx: &mut Tx,
    row: &StatementRow,
    supersedes: &Supersedes,
) -> Result<std::result::Result<(), String>> {
    let Supersedes::These(ids) = supersedes else { return Ok(Ok(())) };
    if ids.len() > MAX_SUPERSEDED {
        return Ok(Err(format!("`supersedes`: a statement can supersede at most {MAX_SUPERSEDED} others")));
    }
    for &id in ids {
        let other = held(tx, id).await?.filter(|other| other.source == row.source && id != row.id);
        match other.map(|other| Ok::<_, crate::Error>((other.stands()?, other.superseded_by))).transpose()? {
            Some((State::Matched, _)) => {}
            Some((State::Superseded, Some(newer))) => {
                return Ok(Err(format!(
                    "`supersedes`: statement {id} is superseded by statement {newer}; use {newer} instead"
                )));
            }
            Some((state, _)) => {
                return Ok(Err(format!(
                    "`supersedes`: statement {id} is {}; only a matched statement can be superseded",
                    state.name()
                )));
            }
            None => {
                return Ok(Err(format!("`supersedes`: {} has no other statement {id}", row.source)));
            }
        }
    }
    save_superseded(tx, row.id, ids.clone()).await.map(Ok)
}

async fn save_superseded(tx: &mut Tx, id: i64, ids: Vec<i64>) -> Result<()> {
    with_statement!(tx, DELETE_SUPERSEDED, |sql, connection| {
        sqlx::query(sql).bind(id).execute(connection).await?;
    });
    let rows: Vec<_> =
        ids.into_iter().map(|superseded_id| SaidRow { statement_id: id, superseded_id }).collect();
    if !rows.is_empty() {
        tx.execute(&INSERT_SUPERSEDED, &rows).await?;
    }
    with_statement!(tx, DECIDED, |sql, connection| {
        sqlx::query(sql).bind(id).bind(1_i64).execute(connection).await?;
    });
    Ok(())
}

/// Decides automatically which statements this one supersedes: those that count for the same source and period and share
/// at least half of their transactions with it. (Two parts of one period share few or none.) Without transactions to
/// compare, the same period means a new version.
pub(super) async fn decide(tx: &mut Tx, row: &StatementRow) -> Result<()> {
    let Some(period) = row.period() else { return save_superseded(tx, row.id, Vec::new()).await };
    let candidates: Vec<(i64, i64)> = with_statement!(tx, CANDIDATES, |sql, connection| sqlx::query_as(sql)
        .bind(row.id)
        .bind(&row.source)
        .bind(&period.from)
        .bind(&period.to)
        .fetch_all(connection)
        .await?);
    if candidates.is_empty() {
        return save_superseded(tx, row.id, Vec::new()).await;
    }
    let (sample, read) = sample(tx, row).await?;
    let days: Option<Days> = row.days.as_deref().and_then(|days| serde_json::from_str(days).ok());
    let all = days.unwrap_or_default().lines().max(read);
    let given: Vec<_> = candidates
        .iter()
        .flat_map(|&(statement_id, _)| {
            sample.iter().map(move |(tx_id, kind)| SampleRow { statement_id, tx_id, kind })
        })
        .collect();
    let shared: BTreeMap<i64, i64> = if given.is_empty() {
        BTreeMap::new()
    } else {
        tx.fetch::<(i64, i64)>(&SHARED, &given).await?.into_iter().collect()
    };
    let is_version = |&(id, lines): &(i64, i64)| {
        if sample.is_empty() || lines == 0 {
            return true;
        }
        let found = i128::from(shared.get(&id).copied().unwrap_or(0));
        found > 0 && found * i128::from(all) * 2 >= i128::from(lines) * i128::from(read.max(1))
    };
    let superseded = candidates.iter().filter(|candidate| is_version(candidate)).map(|(id, _)| *id).collect();
    save_superseded(tx, row.id, superseded).await
}

/// The transactions in a few pieces spread over the file, and the number of lines in these pieces.
async fn sample(tx: &mut Tx, row: &StatementRow) -> Result<(HashSet<(String, &'static str)>, i64)> {
    let format = row.format()?;
    let first: Piece = import::chunk(tx, row.id, 0).await?;
    let reader = format
        .reader_of(&first.content)
        .map_err(|why| crate::Error::Unreadable { statement: row.id, why })?;
    let (mut found, mut lines) = (HashSet::new(), 0);
    let last = row.chunks.max(1) - 1;
    let mut places: Vec<i64> = (0..SAMPLE_PIECES).map(|part| last * part / (SAMPLE_PIECES - 1)).collect();
    places.dedup();
    for place in places {
        let piece = if place == 0 { first.clone() } else { import::chunk(tx, row.id, place).await? };
        for line in format.read(&reader, &piece).lines {
            lines += 1;
            found.extend(line.tx_id.map(|tx_id| (tx_id, kind_name(line.kind))));
        }
    }
    Ok((found, lines))
}

/// The actor of superseding: a worker.
const SUPERSEDER: &str = "worker";

/// Once a statement is matched, the statements that it supersedes stop counting.
pub(super) async fn supersede(tx: &mut Tx, row: &StatementRow, now: TimestampMs) -> Result<()> {
    let gone: Vec<(i64,)> = with_statement!(tx, SUPERSEDE, |sql, connection| sqlx::query_as(sql)
        .bind(row.id)
        .fetch_all(connection)
        .await?);
    for (id,) in gone {
        let detail = format!("by statement {}, of {}", row.id, row.actor);
        audit::note(
            tx,
            &Line::new(&Actor::from(SUPERSEDER), Action::StatementSuperseded, subject(id), detail),
            now,
        );
        release_bookings(tx, id, &row.source).await?;
    }
    Ok(())
}

/// A statement stops counting: those that it superseded count again, and lines left to it are matched again.
pub(super) async fn leave(tx: &mut Tx, row: &StatementRow, actor: &Actor, now: TimestampMs) -> Result<()> {
    let back: Vec<StatementRow> = with_statement!(tx, SUPERSEDED_BY, |sql, connection| sqlx::query_as(sql)
        .bind(row.id)
        .fetch_all(connection)
        .await?);
    for old in back {
        come_back(tx, &old, row.id).await?;
        let detail = format!("statement {} does not count any more", row.id);
        audit::note(tx, &Line::new(actor, Action::StatementRestored, subject(old.id), detail), now);
    }
    release_bookings(tx, row.id, &row.source).await
}

/// A superseded statement counts again. It is read again if another one may have counted its bookings meanwhile.
pub(super) async fn come_back(tx: &mut Tx, old: &StatementRow, instead_of: i64) -> Result<()> {
    if old.stands()? != State::Superseded {
        return Ok(());
    }
    let restored = with_statement!(tx, RESTORE, |sql, connection| sqlx::query(sql)
        .bind(old.id)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", restored, 1)?;
    let others: i64 = with_statement!(tx, OTHERS_COUNT, |sql, connection| sqlx::query_scalar(sql)
        .bind(&old.source)
        .bind(old.id)
        .bind(instead_of)
        .fetch_one(connection)
        .await?);
    if others > 0 { reread(tx, old.id).await } else { Ok(()) }
}

/// Lets a superseded statement and the one that superseded it both count; the newer one is read again.
pub(super) async fn count_both(tx: &mut Tx, old: &StatementRow) -> Result<Option<i64>> {
    let Some(mut newer) = old.superseded_by else { return Ok(None) };
    with_statement!(tx, DELETE_ONE, |sql, connection| {
        sqlx::query(sql).bind(old.id).execute(connection).await?;
    });
    come_back(tx, old, newer).await?;
    // The newer one may itself be superseded: then the last of them counts.
    let mut seen = HashSet::from([old.id]);
    while let Some(row) = held(tx, newer).await?.filter(|_| seen.insert(newer)) {
        if let Some(next) = row.superseded_by {
            newer = next;
            continue;
        }
        if row.stands()? == State::Matched {
            reread(tx, newer).await?;
            release_bookings(tx, newer, &row.source).await?;
        }
        break;
    }
    Ok(Some(newer))
}

/// Nothing counts in the statement `id` any more: statements with lines left to it are read again.
async fn release_bookings(tx: &mut Tx, id: i64, source: &str) -> Result<()> {
    with_statement!(tx, REASSIGN_MISSING, |sql, connection| {
        sqlx::query(sql).bind(id).bind(source).execute(connection).await?;
    });
    let dependent: Vec<(i64,)> = with_statement!(tx, DEPENDENT, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .fetch_all(connection)
        .await?);
    for (other,) in dependent {
        reread(tx, other).await?;
    }
    Ok(())
}

async fn reread(tx: &mut Tx, id: i64) -> Result<()> {
    let step = Step::Reread;
    with_statement!(tx, REREAD, |sql, connection| {
        sqlx::query(sql).bind(id).bind(step.to().name()).bind(step.from().name()).execute(connection).await?;
    });
    Ok(())
}
