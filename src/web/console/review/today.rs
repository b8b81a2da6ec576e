//! `/`: how the day goes, what is at stake, and what needs a person now.

use std::collections::BTreeMap;

use askama::Template;
use domain::report::day::BusinessDay;
use domain::review::reversal::{REAPPROVED, Situation};
use domain::time::TimestampMs;
use store::postbacks::list::{OutcomeFilter, PostbackFilter};
use store::review::context::HourRow;
use store::review::holds::HoldFilter;

use crate::console::Console;
use crate::console::finance::reports::Headline;
use crate::console::review::reversals;
use crate::console::shell::answer::{Answered, page as render};
use crate::console::shell::chart;
use crate::console::shell::frame::Frame;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, counted, moment, number, percent, rule_name, usd};

/// How many days the chart shows.
const CHART_DAYS: i64 = 30;

/// Faults of a source's data are shown from this many on, if they are also more than this share of its postbacks.
const FREQUENT_FROM: i64 = 20;
const FREQUENT_PERCENT: i64 = 5;
/// How far back they are counted.
const FREQUENT_WITHIN_MS: i64 = 24 * 3_600_000;

struct Figure {
    name: &'static str,
    value: String,
    before: String,
    spark: String,
}

struct Todo {
    text: String,
    link: String,
    money: String,
}

struct DayRow {
    date: String,
    approved: String,
    reversed: String,
    net: String,
}

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    frame: Frame,
    date: String,
    figures: Vec<Figure>,
    at_stake: String,
    held: String,
    oldest: Option<Moment>,
    todos: Vec<Todo>,
    chart: String,
    days: Vec<DayRow>,
    reversal_rate: String,
    report: String,
    report_link: String,
}

/// `GET /`
pub(crate) async fn page(console: &Console, viewer: &Viewer) -> Answered {
    let now = console.clock.now();
    let frame = Frame::load(console, viewer, "/").await?;
    let date = now.business_date(console.timezone);
    let figures = figures(console, now).await?;
    let totals = console.store.hold_totals(&HoldFilter::default(), now).await?;
    let reports = reports(console).await?;
    let todos = todos(console, now, &totals, reports.last()).await?;
    let days: Vec<chart::Day> = reports.iter().map(|(report, _)| report.day()).collect();
    let sum = |of: fn(&chart::Day) -> i64| days.iter().map(of).fold(0_i64, i64::saturating_add);
    let (approved, reversed) = (sum(|day| day.approved_micros), sum(|day| day.reversed_micros));
    let rows = days.iter().rev().map(|day| DayRow {
        date: day.date.clone(),
        approved: usd(day.approved_micros),
        reversed: usd(day.reversed_micros),
        net: usd(day.net_micros()),
    });
    let report = reports.last().map_or_else(
        || "The first report is created in the night after the first business day.".to_owned(),
        |(report, state)| {
            let ties = if report.ties_out { "✓ ties out" } else { "✕ does not tie out" };
            format!("{} · {state} · {ties}", report.date)
        },
    );
    render(&TodayPage {
        frame,
        date,
        figures,
        at_stake: usd(totals.payout_micros),
        held: counted(totals.rewards, "reward"),
        oldest: totals.oldest_at.map(|at| moment(at, now)),
        todos,
        chart: if days.is_empty() { String::new() } else { chart::days(&days)? },
        days: rows.collect(),
        reversal_rate: percent(reversed, approved),
        report,
        report_link: reports
            .last()
            .map_or_else(String::new, |(report, _)| format!("/reports/{}", report.date)),
    })
}

/// The newest report of each day there is one of, the oldest first.
async fn reports(console: &Console) -> store::Result<Vec<(Headline, String)>> {
    let rows = console.store.reports("9999-12-31", CHART_DAYS).await?;
    Ok(rows.into_iter().rev().filter_map(|row| Some((Headline::of(&row)?, row.state))).collect())
}

/// What was counted so far today, and a week ago until the same time of day.
async fn figures(
    console: &Console,
    now: TimestampMs,
) -> Result<Vec<Figure>, crate::console::shell::answer::PageError> {
    let Some(today) = BusinessDay::of(now, console.timezone) else { return Ok(Vec::new()) };
    let before = today.minus(7);
    let same_time = TimestampMs(before.starts_at().0 + (now.0 - today.starts_at().0));
    let (today_name, before_name) = (today.date().to_string(), before.date().to_string());
    let (now_rows, then_rows) = tokio::try_join!(
        console.store.hours(&today_name, today.starts_at(), TimestampMs(now.0 + 1)),
        console.store.hours(&before_name, before.starts_at(), same_time),
    )?;
    let hours = usize::try_from(today.hours()).unwrap_or(24);
    let mut figures = Vec::new();
    for (title, steps) in [
        ("Acknowledged", &["acknowledged"][..]),
        ("Credited", &["credit", "release", "overturn"][..]),
        ("Held", &["hold"][..]),
        ("Reversed", &["reverse_credited", "reverse_held", "reverse_rejected", "reverse_unseen"][..]),
    ] {
        let by_hour = counts(&now_rows, steps);
        let total: i64 = by_hour.values().sum();
        let then: i64 = counts(&then_rows, steps).values().sum();
        let series: Vec<i64> = (0..hours)
            .map(|hour| by_hour.get(&i64::try_from(hour).unwrap_or(0)).copied().unwrap_or(0))
            .collect();
        figures.push(Figure {
            name: title,
            value: number(total),
            before: format!("{} by this time a week ago", number(then)),
            spark: chart::sparkline(&series, &format!("{title} by hour"))?,
        });
    }
    Ok(figures)
}

fn counts(rows: &[HourRow], of: &[&str]) -> BTreeMap<i64, i64> {
    let mut counts = BTreeMap::new();
    for row in rows.iter().filter(|row| of.contains(&row.what.as_str())) {
        *counts.entry(row.hour).or_insert(0) += row.count;
    }
    counts
}

/// Reversals that wait for a person, and what was approved again after one.
async fn reversals_to_decide(
    console: &Console,
    now: TimestampMs,
) -> Result<Vec<Todo>, crate::console::shell::answer::PageError> {
    let mut todos = Vec::new();
    for row in console.store.open_cases(now).await? {
        let Some(situation) = Situation::parse(&row.situation) else { continue };
        todos.push(Todo {
            text: format!("{}: {} to decide", reversals::title(situation), number(row.cases)),
            link: crate::console::shell::said::with(reversals::PATH, &[("situation", row.situation)]),
            money: usd(row.payout_micros),
        });
    }
    let again = HoldFilter { rule: Some(REAPPROVED.into()), ..HoldFilter::default() };
    let again = console.store.hold_totals(&again, now).await?;
    if again.rewards > 0 {
        todos.push(Todo {
            text: format!("Approved again after a reversal: {} to decide", number(again.rewards)),
            link: format!("/review?rule={REAPPROVED}"),
            money: usd(again.payout_micros),
        });
    }
    Ok(todos)
}

/// What often has to be cleaned or is not filled in, by source.
async fn frequent_faults_of_data(
    console: &Console,
    now: TimestampMs,
) -> Result<Vec<Todo>, crate::console::shell::answer::PageError> {
    let mut todos = Vec::new();
    for row in console.store.data_tallies(TimestampMs(now.0 - FREQUENT_WITHIN_MS)).await? {
        if row.fired >= FREQUENT_FROM && row.fired * 100 > row.looked_at * FREQUENT_PERCENT {
            todos.push(Todo {
                text: format!(
                    "{}: \u{201c}{}\u{201d} on {} of {} postbacks in 24 h; check the URL in the network's dashboard",
                    row.source,
                    rule_name(&row.code),
                    number(row.fired),
                    number(row.looked_at)
                ),
                link: format!("/postbacks?source={}", row.source),
                money: String::new(),
            });
        }
    }
    Ok(todos)
}

/// What needs a person, by money first.
async fn todos(
    console: &Console,
    now: TimestampMs,
    totals: &store::review::holds::HoldTotals,
    report: Option<&(Headline, String)>,
) -> Result<Vec<Todo>, crate::console::shell::answer::PageError> {
    let mut todos = Vec::new();
    if totals.overdue > 0 {
        todos.push(Todo {
            text: format!("{}: decide on the oldest first", counted(totals.overdue, "overdue hold")),
            link: "/review".into(),
            money: usd(totals.overdue_payout_micros),
        });
    }
    todos.extend(reversals_to_decide(console, now).await?);
    for app in console.store.disabled_apps().await? {
        todos.push(Todo {
            text: format!(
                "Deliveries to the app {} disabled {} ({}): {}",
                app.app,
                moment(app.disabled_at, now).ago,
                moment(app.disabled_at, now).exact,
                app.why
            ),
            link: "/deliveries".into(),
            money: String::new(),
        });
    }
    let backlog = console.store.backlog().await?;
    let failed: i64 = backlog.iter().filter(|row| row.status == "failed").map(|row| row.deliveries).sum();
    if failed > 0 {
        todos.push(Todo {
            text: format!("{} failed: resend or give up", counted(failed, "delivery")),
            link: "/deliveries?status=failed".into(),
            money: String::new(),
        });
    }
    let outcome = Some(OutcomeFilter::Quarantined);
    let quarantined =
        console.store.postbacks(&PostbackFilter { outcome, ..PostbackFilter::default() }, 100).await?;
    if !quarantined.is_empty() {
        let many = match quarantined.len() {
            100 => "100 or more postbacks".to_owned(),
            few => counted(i64::try_from(few).unwrap_or(i64::MAX), "postback"),
        };
        todos.push(Todo {
            text: format!("{many} in quarantine: not booked yet"),
            link: "/postbacks?outcome=quarantined".into(),
            money: String::new(),
        });
    }
    todos.extend(frequent_faults_of_data(console, now).await?);
    let proposals = console.store.proposals_waiting().await?;
    if proposals > 0 {
        todos.push(Todo {
            text: format!(
                "{} with a proposal: a second person must agree",
                domain::text::count(proposals.unsigned_abs(), "quarantined postback")
            ),
            link: "/postbacks?outcome=quarantined".into(),
            money: String::new(),
        });
    }
    let refused = console.store.refused_count().await?;
    if refused.kept > 0 {
        todos.push(Todo {
            text: format!(
                "{}: the secret is wrong, or the calls are forged",
                counted(refused.kept, "refused call")
            ),
            link: "/postbacks?outcome=refused".into(),
            money: String::new(),
        });
    }
    for row in console.store.statements(i64::MAX, 20).await? {
        let waits = match row.state.as_str() {
            "received" => "is waiting for import",
            "failed" => "failed to import",
            _ => continue,
        };
        todos.push(Todo {
            text: format!("Statement {} from {} {waits}", row.file_name, row.source),
            link: format!("/reports/statements/{}", row.id),
            money: String::new(),
        });
    }
    if let Some((report, _)) = report.filter(|(report, _)| !report.ties_out) {
        todos.push(Todo {
            text: format!("The report for {} does not tie out", report.date),
            link: format!("/reports/{}", report.date),
            money: String::new(),
        });
    }
    Ok(todos)
}
