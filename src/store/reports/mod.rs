//! Reports: rewritten while preliminary, frozen when final, signed off once. Also the times at which processes could
//! acknowledge.
//!
//! Final reports form a chain: each contains the hash of the previous day's. A report is saved only if that hash is still
//! the current one, which is checked in the saving transaction with all other writers of reports locked out.

pub(crate) mod facts;

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::report::chain::Chain;
use domain::report::day::{BusinessDay, NaiveDate};
use domain::report::{Report, State};
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
pub use crate::reports::facts::ReportTerms;
use crate::{Error, Result, Store, read};

/// A saved report.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ReportRow {
    /// The business day, `YYYY-MM-DD`.
    pub business_date: String,
    /// `preliminary` or `final`.
    pub state: String,
    /// Unix milliseconds.
    pub made_at: i64,
    /// 1 if all figures tie out, otherwise 0.
    pub ties_out: i64,
    /// JSON of [`Report`].
    pub content: String,
    /// SHA-256 of `content`, in hexadecimal.
    pub content_hash: String,
    /// The person who signed it off, if anybody did.
    pub signed_by: Option<String>,
    /// Time of the sign-off, unix milliseconds.
    pub signed_at: Option<i64>,
    /// Note of the sign-off.
    pub sign_note: Option<String>,
}

impl ReportRow {
    /// Parses `content`.
    pub fn report(&self) -> Result<Report> {
        parse(&self.content, &self.business_date)
    }
}

/// The result of saving a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is saved.
    Now,
    /// The day was already closed; its report stays unchanged.
    ClosedBefore,
    /// Not saved: the chain of closed days starts later.
    BeforeTheFirst,
}

/// The result of a sign-off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// It is signed.
    Done,
    /// This person had already signed it.
    Before(String),
    /// The day is not closed yet.
    NotClosed,
    /// There is no report of this day.
    Missing,
}

/// A person's sign-off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOff {
    /// The person or token.
    pub actor: Actor,
    /// A comment or reservation.
    pub note: String,
    /// The time of the sign-off.
    pub now: TimestampMs,
}

/// The first and last days that reports depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct ReportSpan {
    /// The first business date with a booking.
    pub first_booked: Option<String>,
    /// The first business date with a report, closed or not.
    pub first_reported: Option<String>,
    /// When the oldest stored postback was received, unix milliseconds.
    pub first_received: Option<i64>,
    /// When a process could acknowledge for the first time, unix milliseconds.
    pub first_listened: Option<i64>,
    /// The last closed business date.
    pub last_closed: Option<String>,
}

// dialect: SQLite has one writer, which holds its lock from the beginning
const LOCK_REPORTS: &str = "LOCK TABLE reports IN SHARE ROW EXCLUSIVE MODE";

/// The end of the chain that a report must continue. $1: its day; $2: the previous day.
static CHAIN: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT (SELECT content_hash FROM reports WHERE business_date = $2 AND state = 'final'),
                (SELECT MIN(business_date) FROM reports WHERE state = 'final'),
                (SELECT MIN(business_date) FROM reports WHERE business_date < $1)",
        &[],
    )
});

static KEEP: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO reports (business_date, state, made_at, transfers_upto, ties_out, content, content_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (business_date) DO UPDATE
         SET state = excluded.state, made_at = excluded.made_at, transfers_upto = excluded.transfers_upto,
             ties_out = excluded.ties_out, content = excluded.content, content_hash = excluded.content_hash
         WHERE reports.state = 'preliminary'",
        &[],
    )
});

static STATE: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT state, content_hash FROM reports WHERE business_date = $1", &[]));

static SIGN: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO sign_offs (business_date, actor, signed_at, note, content_hash) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        &[],
    )
});

static SIGNED_BY: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT actor FROM sign_offs WHERE business_date = $1", &[]));

static BEAT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO listening (process, began_at, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (process) DO UPDATE SET seen_at = excluded.seen_at",
        &[],
    )
});

impl Store {
    /// Saves `report`, unless its day is already closed. [`Error::Contended`] if the previous day was closed after the
    /// report's facts were read: read them again.
    pub async fn keep_report(&self, report: &Report, now: TimestampMs) -> Result<Kept> {
        let content = serde_json::to_string(report)
            .map_err(|error| Error::Aborted(format!("cannot write a report as JSON: {error}")))?;
        let hash = domain::text::sha256(content.as_bytes());
        let (date, state) = (report.date.clone(), report.state.name());
        let (upto, ties_out) = (report.inputs.transfers_upto, i64::from(report.ties_out));
        let link = Link::of(report)?;
        self.write(move |tx| {
            Box::pin(async move {
                if link.precedes_the_chain(tx).await? {
                    return Ok(Kept::BeforeTheFirst);
                }
                let kept = with_statement!(tx, KEEP, |sql, connection| sqlx::query(sql)
                    .bind(date)
                    .bind(state)
                    .bind(now.0)
                    .bind(upto)
                    .bind(ties_out)
                    .bind(content)
                    .bind(hash)
                    .execute(connection)
                    .await?
                    .rows_affected());
                Ok(if kept == 1 { Kept::Now } else { Kept::ClosedBefore })
            })
        })
        .await
    }

    /// The report of a business date with its sign-off, if it exists.
    pub async fn report(&self, date: &str) -> Result<Option<ReportRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT reports.business_date, state, made_at, ties_out, content, reports.content_hash,
                    actor AS signed_by, signed_at, note AS sign_note
             FROM reports LEFT JOIN sign_offs ON sign_offs.business_date = reports.business_date
             WHERE reports.business_date = $1"
        ).bind(date).fetch_optional(pool).await)?)
    }

    /// Up to `limit` reports of days before `before`, newest first.
    pub async fn reports(&self, before: &str, limit: i64) -> Result<Vec<ReportRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT reports.business_date, state, made_at, ties_out, content, reports.content_hash,
                    actor AS signed_by, signed_at, note AS sign_note
             FROM reports LEFT JOIN sign_offs ON sign_offs.business_date = reports.business_date
             WHERE reports.business_date < $1 ORDER BY reports.business_date DESC LIMIT $2"
        ).bind(before).bind(limit).fetch_all(pool).await)?)
    }

    /// The first and last days that reports depend on.
    pub async fn report_span(&self) -> Result<ReportSpan> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT (SELECT MIN(business_date) FROM steps) AS first_booked,
                    (SELECT MIN(business_date) FROM reports) AS first_reported,
                    (SELECT received_at FROM postbacks ORDER BY id LIMIT 1) AS first_received,
                    (SELECT MIN(began_at) FROM listening) AS first_listened,
                    (SELECT MAX(business_date) FROM reports WHERE state = 'final') AS last_closed"
        ).fetch_one(pool).await)?)
    }

    /// Verifies the chain of all saved reports, page by page, in the order of their days.
    pub async fn report_chain(&self) -> Result<Chain> {
        let (mut chain, mut after) = (Chain::default(), String::new());
        loop {
            let page: Vec<ChainRow> = read!(self, pool => sqlx::query_as(
                "SELECT reports.business_date, state, content, reports.content_hash,
                        sign_offs.content_hash AS signed_hash
                 FROM reports LEFT JOIN sign_offs ON sign_offs.business_date = reports.business_date
                 WHERE reports.business_date > $1 ORDER BY reports.business_date LIMIT $2"
            ).bind(&after).bind(CHAIN_PAGE).fetch_all(pool).await)?;
            let Some(last) = page.last() else { return Ok(chain) };
            after.clone_from(&last.business_date);
            for row in &page {
                chain.look_at(domain::report::chain::Kept {
                    date: &row.business_date,
                    state: &row.state,
                    content: &row.content,
                    content_hash: &row.content_hash,
                    signed_hash: row.signed_hash.as_deref(),
                });
            }
        }
    }

    /// Signs off the closed report of a day.
    pub async fn sign_off(&self, date: &str, sign_off: SignOff) -> Result<Signed> {
        let date = date.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let state: Option<(String, String)> =
                    with_statement!(tx, STATE, |sql, connection| sqlx::query_as(sql)
                        .bind(&date)
                        .fetch_optional(connection)
                        .await?);
                let Some((state, hash)) = state else { return Ok(Signed::Missing) };
                if state != State::Final.name() {
                    return Ok(Signed::NotClosed);
                }
                let signed = with_statement!(tx, SIGN, |sql, connection| sqlx::query(sql)
                    .bind(&date)
                    .bind(sign_off.actor.name())
                    .bind(sign_off.now.0)
                    .bind(&sign_off.note)
                    .bind(hash)
                    .execute(connection)
                    .await?
                    .rows_affected());
                if signed == 1 {
                    let line = Line::new(
                        &sign_off.actor,
                        Action::ReportSigned,
                        format!("report {date}"),
                        sign_off.note,
                    );
                    audit::note(tx, &line, sign_off.now);
                    return Ok(Signed::Done);
                }
                let by: String = with_statement!(tx, SIGNED_BY, |sql, connection| sqlx::query_scalar(sql)
                    .bind(&date)
                    .fetch_one(connection)
                    .await?);
                Ok(Signed::Before(by))
            })
        })
        .await
    }

    /// Saves that `process`, which could acknowledge since `began_at`, still can.
    pub async fn note_listening(
        &self,
        process: String,
        began_at: TimestampMs,
        now: TimestampMs,
    ) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, BEAT, |sql, connection| {
                    sqlx::query(sql).bind(process).bind(began_at.0).bind(now.0).execute(connection).await?;
                });
                Ok(())
            })
        })
        .await
    }
}

/// Reports in memory at once while the chain is verified.
const CHAIN_PAGE: i64 = 50;

#[derive(sqlx::FromRow)]
struct ChainRow {
    business_date: String,
    state: String,
    content: String,
    content_hash: String,
    signed_hash: Option<String>,
}

/// The place of a report in the chain.
struct Link {
    date: String,
    day_before: String,
    is_final: bool,
    /// The hash of the previous day's closed report, if it was closed when the facts were read.
    previous_hash: Option<String>,
}

impl Link {
    fn of(report: &Report) -> Result<Self> {
        let date: Option<NaiveDate> = report.date.parse().ok();
        let day_before = date.and_then(|date| date.pred_opt());
        let day_before =
            day_before.ok_or_else(|| Error::Aborted(format!("`{}` is not a business day", report.date)))?;
        Ok(Self {
            date: report.date.clone(),
            day_before: day_before.to_string(),
            is_final: report.state == State::Final,
            previous_hash: report.inputs.previous.as_ref().map(|previous| previous.hash.clone()),
        })
    }

    /// Locks the chain; `true` if it starts after this day. Fails unless the report still continues its end.
    async fn precedes_the_chain(&self, tx: &mut Tx) -> Result<bool> {
        if let Tx::Postgres(tx, _) = tx {
            sqlx::query(LOCK_REPORTS).execute(&mut **tx).await?;
        }
        let (stands, begins, earlier): (Option<String>, Option<String>, Option<String>) =
            with_statement!(tx, CHAIN, |sql, connection| sqlx::query_as(sql)
                .bind(&self.date)
                .bind(&self.day_before)
                .fetch_one(connection)
                .await?);
        if begins.is_some_and(|begins| self.date < begins) {
            return Ok(true);
        }
        let is_link =
            stands == self.previous_hash && !(self.is_final && stands.is_none() && earlier.is_some());
        if is_link {
            Ok(false)
        } else {
            Err(Error::Contended(format!(
                "reports: {} was closed while the report of {} was made",
                self.day_before, self.date
            )))
        }
    }
}

/// Parses the saved report of `day`.
pub(crate) fn read_back(content: &str, day: BusinessDay) -> Result<Report> {
    parse(content, &day.date().to_string())
}

fn parse(content: &str, date: &str) -> Result<Report> {
    serde_json::from_str(content).map_err(|error| Error::Corrupt {
        table: "reports",
        column: "content",
        row: 0,
        found: format!("the report of {date}: {error}"),
    })
}
