//! What finance finds in the demo: sixty days of reports, most of them signed off, and the network's own statement of a
//! week with differences of every kind in it.

use std::fmt::Write as _;

use anyhow::Context as _;
use domain::money::Micros;
use domain::report::day::BusinessDay;
use domain::time::{DAY_MS, TimestampMs};
use jobs::report::make;
use jobs::statement::work_off;
use store::reports::SignOff;
use store::rewards::{Place, RewardFilter, RewardRow};
use store::statements::intake::Intake;
use store::statements::{NewStatement, Then};

use crate::roles::Process;

/// Who signs off and settles.
pub(super) const CONTROLLER: &str = "fay";
/// How old a day is when it is signed off.
const SIGNED_AFTER_DAYS: i64 = 3;
/// The statement goes back from this many days before today to the other.
const WEEK: (u64, u64) = (16, 10);
/// Rewards that are read at once.
const PAGE: i64 = 500;

/// A call that never arrived, because nothing listened.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub(super) target: String,
    pub(super) at: TimestampMs,
}

impl Lost {
    /// The parameter `name` of its URL.
    fn param(&self, name: &str) -> &str {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default()
    }
}

/// Makes and signs the reports that a controller had at `now`: of every day that was closed since `done`. Answers with
/// the last of them.
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

/// Signs off what was looked at by `now`.
pub(super) async fn sign(process: &Process, first: BusinessDay, now: TimestampMs) -> anyhow::Result<()> {
    let mut day = first;
    while day.ends_at().0 + SIGNED_AFTER_DAYS * DAY_MS < now.0 {
        let at = TimestampMs(day.ends_at().0 + DAY_MS * 5 / 4);
        let note = "ties out; looked at what was taken back".to_owned();
        let sign_off = SignOff { actor: CONTROLLER.into(), note, now: at };
        process.store.sign_off(&day.date().to_string(), sign_off).await?;
        day = day.next();
    }
    Ok(())
}

/// Imports the network's statement of a week, and leaves the next one to be looked at.
pub(super) async fn statements(process: &Process, lost: &[Lost], now: TimestampMs) -> anyhow::Result<()> {
    let today = BusinessDay::of(now, process.settings.timezone).context("no day")?;
    let (from, to) = (today.minus(WEEK.0), today.minus(WEEK.1));
    let file = planted(&lines(process, lost, from, to).await?);
    let name = format!("targo-{}.csv", from.date());
    let id = receive(process, &name, &file, Then::Import, now).await?;
    let reading = reading(process)?;
    work_off(&process.store, id, reading.terms, || true).await?;
    let (from, to) = (to.next(), today.minus(WEEK.1 - 7));
    let file = written(&lines(process, &[], from, to).await?);
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

/// What an honest network would write: every credit and reversal of these days, also what never arrived here.
async fn lines(
    process: &Process,
    lost: &[Lost],
    from: BusinessDay,
    to: BusinessDay,
) -> anyhow::Result<Vec<Line>> {
    let (from_at, to_at) = (from.starts_at(), to.ends_at());
    let mut filter = RewardFilter { from: Some(from_at), to: Some(to_at), ..RewardFilter::default() };
    let mut lines = Vec::new();
    loop {
        let page = process.store.rewards(&filter, PAGE).await?;
        let Some(last) = page.last() else { break };
        filter.after = Some(Place { received_at: TimestampMs(last.received_at), id: last.id });
        for row in &page {
            lines.extend(of_reward(row, to_at));
        }
    }
    for lost in lost.iter().filter(|lost| (from_at.0..to_at.0).contains(&lost.at.0)) {
        let amount = Micros::parse(lost.param("payout")).map(|parsed| parsed.amount).unwrap_or_default();
        lines.push(Line {
            tx_id: lost.param("tx_id").to_owned(),
            status: if lost.param("status") == "1" { "approved" } else { "reversed" },
            user_id: lost.param("user_id").to_owned(),
            offer_id: lost.param("offer_id").to_owned(),
            amount,
            currency: "USD",
            at: lost.at,
        });
    }
    lines.sort_by_key(|line| line.at.0);
    Ok(lines)
}

/// The credit of a reward, and its reversal if that seems to have come within the days, too.
fn of_reward(row: &RewardRow, to_at: TimestampMs) -> Vec<Line> {
    // What was never approved here is left out: its reversal had come first.
    let (Some(payout), Some(_)) = (row.payout_micros, &row.decision) else { return Vec::new() };
    let line = |status, at| Line {
        tx_id: row.tx_id.clone(),
        status,
        user_id: row.user_id.clone(),
        offer_id: row.offer_id.clone().unwrap_or_default(),
        amount: Micros(payout),
        currency: "USD",
        at,
    };
    let mut lines = vec![line("approved", TimestampMs(row.received_at))];
    let taken_back = TimestampMs(row.received_at + 3_600_000);
    if row.status == "reversed" && taken_back < to_at {
        lines.push(line("reversed", taken_back));
    }
    lines
}

/// The lines with a difference of every kind among them.
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
        // Two that the network forgot.
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
