//! Which statements count. Statements of one source add up, so that each line counts once in all of them; one that
//! supersedes another counts instead of it. Whatever leaves (superseded, discarded, failed) gives back what it had:
//! what it superseded counts again, and what only counted there is looked for anew.

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

/// How many pieces of a new file are looked at to see whether it is a new version of another.
const SAMPLE_PIECES: i64 = 3;
/// How many statements one may supersede.
const MAX_SUPERSEDED: usize = 100;

static SAY: LazyStatement = LazyLock::new(|| {
    Statement::given::<SaidRow>(
        "INSERT INTO statement_supersedes ({columns})
         SELECT {columns} FROM {given} WHERE true ON CONFLICT DO NOTHING",
    )
});

static FORGET_SAID: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_supersedes WHERE statement_id = $1", &[]));

static FORGET_ONE: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_supersedes WHERE superseded_id = $1", &[]));

static DECIDED: LazyStatement =
    LazyLock::new(|| Statement::new("UPDATE statements SET supersedes_decided = $2 WHERE id = $1", &[]));

/// Those that count for the same source and days, and how many of their lines name a transaction.
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

/// How many of the transactions that are given each of those statements has.
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

/// Whether other statements of the source count, but for two.
static OTHERS_COUNT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT COUNT(*) FROM statements
         WHERE source = $1 AND id <> $2 AND id <> $3 AND superseded_by IS NULL
           AND state IN ('importing', 'matching', 'matched')",
        &[],
    )
});

/// What other statements do not miss because $1 counts it, and $1 does not any more: perhaps another one does.
static LET_GO_OF_MISSING: LazyStatement = LazyLock::new(|| {
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

/// Statements that count and have lines that only $1 counted.
static LEANING: LazyStatement = LazyLock::new(|| {
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

/// Keeps what a person says that a statement supersedes; an error in words if one of them does not count.
pub(super) async fn say(
    tx: &mut Tx,
    row: &StatementRow,
    supersedes: &Supersedes,
) -> Result<std::result::Result<(), String>> {
    let Supersedes::These(ids) = supersedes else { return Ok(Ok(())) };
    if ids.len() > MAX_SUPERSEDED {
        return Ok(Err(format!("one statement supersedes at most {MAX_SUPERSEDED} others")));
    }
    for &id in ids {
        let other = held(tx, id).await?.filter(|other| other.source == row.source && id != row.id);
        match other.map(|other| Ok::<_, crate::Error>((other.stands()?, other.superseded_by))).transpose()? {
            Some((State::Matched, _)) => {}
            Some((State::Superseded, Some(newer))) => {
                return Ok(Err(format!(
                    "`supersedes`: statement {id} is superseded by statement {newer}: name that one"
                )));
            }
            Some((state, _)) => {
                return Ok(Err(format!(
                    "`supersedes`: statement {id} is {}: only one that is matched can be superseded",
                    state.name()
                )));
            }
            None => {
                return Ok(Err(format!("`supersedes`: {} has no other statement {id}", row.source)));
            }
        }
    }
    decided(tx, row.id, ids.clone()).await.map(Ok)
}

async fn decided(tx: &mut Tx, id: i64, ids: Vec<i64>) -> Result<()> {
    with_statement!(tx, FORGET_SAID, |sql, connection| {
        sqlx::query(sql).bind(id).execute(connection).await?;
    });
    let rows: Vec<_> =
        ids.into_iter().map(|superseded_id| SaidRow { statement_id: id, superseded_id }).collect();
    if !rows.is_empty() {
        tx.execute(&SAY, &rows).await?;
    }
    with_statement!(tx, DECIDED, |sql, connection| {
        sqlx::query(sql).bind(id).bind(1_i64).execute(connection).await?;
    });
    Ok(())
}

/// Decides what a statement that nobody said anything of supersedes: what counts for the same source and the same days,
/// and has at least half of its transactions in common with it. A part of the same days has none or few. Where there
/// are no transactions to compare, the same days are a new version.
pub(super) async fn decide(tx: &mut Tx, row: &StatementRow) -> Result<()> {
    let Some(period) = row.period() else { return decided(tx, row.id, Vec::new()).await };
    let candidates: Vec<(i64, i64)> = with_statement!(tx, CANDIDATES, |sql, connection| sqlx::query_as(sql)
        .bind(row.id)
        .bind(&row.source)
        .bind(&period.from)
        .bind(&period.to)
        .fetch_all(connection)
        .await?);
    if candidates.is_empty() {
        return decided(tx, row.id, Vec::new()).await;
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
    decided(tx, row.id, superseded).await
}

/// The transactions of some pieces from all over the file, and how many lines these have.
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

/// Who reads and matches: a worker, whoever brought the file.
const SUPERSEDER: &str = "worker";

/// A statement is matched: what it supersedes gives way.
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
        let_go(tx, id, &row.source).await?;
    }
    Ok(())
}

/// A statement counts no more: what it superseded comes back, and what only counted in it is looked for anew.
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
    let_go(tx, row.id, &row.source).await
}

/// A superseded statement counts again. It is read again if any other one may have taken its lines meanwhile.
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

/// A person says that a superseded statement and the one that superseded it both count: the newer one is read again.
pub(super) async fn count_both(tx: &mut Tx, old: &StatementRow) -> Result<Option<i64>> {
    let Some(mut newer) = old.superseded_by else { return Ok(None) };
    with_statement!(tx, FORGET_ONE, |sql, connection| {
        sqlx::query(sql).bind(old.id).execute(connection).await?;
    });
    come_back(tx, old, newer).await?;
    // The newer one may be superseded itself by now: the last of them counts.
    let mut seen = HashSet::from([old.id]);
    while let Some(row) = held(tx, newer).await?.filter(|_| seen.insert(newer)) {
        if let Some(next) = row.superseded_by {
            newer = next;
            continue;
        }
        if row.stands()? == State::Matched {
            reread(tx, newer).await?;
            let_go(tx, newer, &row.source).await?;
        }
        break;
    }
    Ok(Some(newer))
}

/// Nothing counts in statement `id` any more: what leant on it is looked at anew.
async fn let_go(tx: &mut Tx, id: i64, source: &str) -> Result<()> {
    with_statement!(tx, LET_GO_OF_MISSING, |sql, connection| {
        sqlx::query(sql).bind(id).bind(source).execute(connection).await?;
    });
    let leaning: Vec<(i64,)> = with_statement!(tx, LEANING, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .fetch_all(connection)
        .await?);
    for (other,) in leaning {
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
