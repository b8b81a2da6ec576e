//! The finance side of the history: sixty days of reports, most of them signed off, and the network's statement of one week
//! with differences of every kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Context as _;
use domain::money::Micros;
use domain::report::day::BusinessDay;
use domain::time::{DAY_MS, TimestampMs};
use jobs::reports::make;
use jobs::statements::work_off;
use store::reports::SignOff;
use store::statements::intake::Intake;
use store::statements::{NewStatement, Then};

use crate::process::Process;

/// The person with the role finance, who signs off and settles.
pub(super) const CONTROLLER: &str = "fay";
/// Age of a day when it is signed off, in days.
const SIGNED_AFTER_DAYS: i64 = 3;
/// First and last day of the statement, in days before today.
const WEEK: (u64, u64) = (16, 10);

/// A call that the network made, received or not.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) target: String,
    pub(super) at: TimestampMs,
}

impl Sent {
    /// The parameter `name` of its URL.
    fn param(&self, name: &str) -> &str {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default()
    }

    fn line(&self) -> Line {
        Line {
            tx_id: self.param("tx_id").to_owned(),
            status: if self.param("status") == "1" { "approved" } else { "reversed" },
            user_id: self.param("user_id").to_owned(),
            offer_id: self.param("offer_id").to_owned(),
            amount: Micros::parse(self.param("payout")).map(|parsed| parsed.amount).unwrap_or_default(),
            currency: "USD",
            at: self.at,
        }
    }
}

/// Creates the reports of every day that was closed between `done` and `now`. Returns the last day with a report.
pub(super) async fn report(
    process: &Process,
    done: Option<BusinessDay>,
    first: BusinessDay,
    now: TimestampMs,
) -> anyhow::Result<Option<BusinessDay>> {
    let terms = &process.settings.reports;
    let mut last = done;
    loop {
        let day = last.map_or(first, BusinessDay::next);
        let closed_at = day.closed_at(terms.cut_off_hours);
        if closed_at > now {
            return Ok(last);
        }
        make(&process.store, terms, day, closed_at).await?;
        last = Some(day);
    }
}

/// Signs off every day from `first` on that is old enough at `now`.
pub(super) async fn sign(process: &Process, first: BusinessDay, now: TimestampMs) -> anyhow::Result<()> {
    let mut day = first;
    while day.ends_at().0 + SIGNED_AFTER_DAYS * DAY_MS < now.0 {
        let at = TimestampMs(day.ends_at().0 + DAY_MS * 5 / 4);
        let note = "ties out; reversals checked".to_owned();
        let sign_off = SignOff { actor: CONTROLLER.into(), note, now: at };
        process.store.sign_off(&day.date().to_string(), sign_off).await?;
        day = day.next();
    }
    Ok(())
}

/// Imports the network's statement of one week, and leaves that of the next week as a preview.
pub(super) async fn statements(process: &Process, sent: &[Sent], now: TimestampMs) -> anyhow::Result<()> {
    let today = BusinessDay::of(now, process.settings.timezone).context("no day")?;
    let (from, to) = (today.minus(WEEK.0), today.minus(WEEK.1));
    let file = planted(&lines(sent, from, to));
    let name = format!("targo-{}.csv", from.date());
    let id = receive(process, &name, &file, Then::Import, now).await?;
    let reading = reading(process)?;
    work_off(&process.store, id, reading.terms, || true).await?;
    let (from, to) = (to.next(), today.minus(WEEK.1 - 7));
    let file = written(&lines(sent, from, to));
    receive(process, &format!("targo-{}.csv", from.date()), &file, Then::Ask, now).await?;
    Ok(())
}

fn reading(process: &Process) -> anyhow::Result<&store::statements::Reading> {
    Ok(&process.settings.sources.first().context("no source")?.statements)
}

async fn receive(
    process: &Process,
    name: &str,
    file: &str,
    then: Then,
    now: TimestampMs,
) -> anyhow::Result<i64> {
    let format = reading(process)?.format.clone();
    let new = NewStatement {
        source: super::SOURCE.into(),
        file_name: name.to_owned(),
        format: serde_json::to_string(&format)?,
        period: None,
        actor: CONTROLLER.into(),
        now,
    };
    let mut intake = Intake::begin(&process.store, new, format).await?;
    intake.push(file.as_bytes()).await?;
    Ok(intake.finish(then).await?.0)
}

/// One line of a statement.
#[derive(Clone, Debug)]
struct Line {
    tx_id: String,
    status: &'static str,
    user_id: String,
    offer_id: String,
    amount: Micros,
    currency: &'static str,
    at: TimestampMs,
}

/// The lines of a correct statement: every call of these days, once.
fn lines(sent: &[Sent], from: BusinessDay, to: BusinessDay) -> Vec<Line> {
    let days = from.starts_at().0..to.ends_at().0;
    let mut known = BTreeSet::new();
    // Not every reversal repeats the amount of its credit; a statement does.
    let credits = sent.iter().map(Sent::line).filter(|line| line.status == "approved");
    let paid: BTreeMap<String, Micros> = credits.map(|line| (line.tx_id, line.amount)).collect();
    sent.iter()
        .filter(|call| days.contains(&call.at.0))
        .map(Sent::line)
        .filter(|line| !line.tx_id.is_empty() && known.insert((line.tx_id.clone(), line.status)))
        .map(|line| Line { amount: paid.get(&line.tx_id).copied().unwrap_or(line.amount), ..line })
        .collect()
}

/// A CSV file of `lines`, with a difference of every kind added.
fn planted(lines: &[Line]) -> String {
    let mut lines = lines.to_vec();
    let credits: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].status == "approved").collect();
    let pick = |part: usize| credits.get(credits.len() * part / 12).copied().unwrap_or_default();
    if credits.len() > 24 {
        let (dearer, cheaper, euros) = (pick(1), pick(2), pick(3));
        lines[dearer].amount = Micros(lines[dearer].amount.0 + 250_000);
        lines[cheaper].amount = Micros(lines[cheaper].amount.0 - 10_000);
        lines[euros].currency = "EUR";
        let taken_back = Line { status: "reversed", ..lines[pick(4)].clone() };
        let twice = lines[pick(5)].clone();
        let orphan = Line {
            tx_id: "x-unknown-1".into(),
            status: "reversed",
            amount: Micros(1_750_000),
            ..lines[pick(6)].clone()
        };
        let never = Line { tx_id: "x-unknown-2".into(), amount: Micros(4_200_000), ..lines[pick(7)].clone() };
        // Two lines that the network forgot.
        let forgotten = [pick(8), pick(9)];
        lines = lines
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !forgotten.contains(at))
            .map(|(_, line)| line)
            .collect();
        lines.extend([taken_back, twice, orphan, never]);
    }
    written(&lines) + "x-broken,approved,s-u1,1,much,USD,yesterday\n"
}

fn written(lines: &[Line]) -> String {
    let mut file = "tx_id,status,user_id,offer_id,amount,currency,time\n".to_owned();
    for line in lines {
        let _ = writeln!(
            file,
            "{},{},{},{},{},{},{}",
            line.tx_id,
            line.status,
            line.user_id,
            line.offer_id,
            line.amount,
            line.currency,
            line.at.rfc3339()
        );
    }
    file
}
