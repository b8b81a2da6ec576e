//! `/`: figures of today, the amount at stake in holds, the to-do list, and the last report.

use std::collections::BTreeMap;

use askama::Template;
use domain::report::day::BusinessDay;
use domain::time::TimestampMs;
use store::review::context::HourRow;
use store::review::holds::HoldFilter;

use crate::console::Console;
use crate::console::finance::reports::Headline;
use crate::console::review::todos::{Todo, todos};
use crate::console::shell::answer::{Answered, PageError, page as render};
use crate::console::shell::chart;
use crate::console::shell::frame::Frame;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, counted, moment, number, percent, usd};

/// Days in the chart.
const CHART_DAYS: i64 = 30;

struct Figure {
    name: &'static str,
    value: String,
    before: String,
    spark: String,
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
    let todos = todos(console, now, &totals, reports.last().map(|(report, _)| report)).await?;
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

/// The newest report of each day, the oldest day first.
async fn reports(console: &Console) -> store::Result<Vec<(Headline, String)>> {
    let rows = console.store.reports("9999-12-31", CHART_DAYS).await?;
    Ok(rows.into_iter().rev().filter_map(|row| Some((Headline::of(&row)?, row.state))).collect())
}

/// Counts of today until now, and of the same weekday a week ago until the same time of day.
async fn figures(console: &Console, now: TimestampMs) -> Result<Vec<Figure>, PageError> {
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
