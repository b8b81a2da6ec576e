//! The report in short: for the command line and the daily mail.

use std::fmt::Write as _;

use super::{Report, State};
use crate::text::{count, visible};

/// The main figures, one line each.
pub fn lines(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> =
        report.faults.iter().map(|fault| format!("DOES NOT TIE OUT: {fault}")).collect();
    let state = match report.state {
        State::Preliminary => "preliminary, may still change",
        State::Final => "final",
    };
    lines.push(format!("{} ({}, {} h): {state}", report.date, report.zone, report.hours));
    for (name, amount, number) in figures(report) {
        let number =
            number.map_or_else(String::new, |number| format!("  {}", count(number.unsigned_abs(), "reward")));
        lines.push(format!("{name:<9} {amount:>16} USD{number}"));
    }
    for roll in &report.receivables {
        lines.push(format!("{} owes {} USD ({} at the beginning)", roll.source, roll.closing, roll.opening));
    }
    for roll in &report.users {
        lines.push(format!(
            "users hold {} {} ({} at the beginning)",
            roll.closing, roll.currency, roll.opening
        ));
    }
    for forecast in &report.forecasts {
        lines.push(format!(
            "{}: {} USD of reversals still to come, {} {} of them with users",
            forecast.source, forecast.expected_payout, forecast.exposure, forecast.currency
        ));
    }
    if report.ties_out {
        lines.push("ties out".into());
    }
    lines.iter().map(|line| visible(line).into_owned()).collect()
}

fn figures(report: &Report) -> [(&'static str, String, Option<i64>); 3] {
    let totals = &report.totals;
    [
        ("approved", totals.approved.amount.to_string(), Some(totals.approved.count)),
        ("reversed", totals.reversed.amount.to_string(), Some(totals.reversed.count)),
        ("net", totals.net.to_string(), None),
    ]
}

/// The subject of a mail.
pub fn subject(report: &Report) -> String {
    let verdict = if report.ties_out { "ties out" } else { "DOES NOT TIE OUT" };
    format!("Reconciliation {}: {verdict}, net {} USD", report.date, report.totals.net)
}

/// A mail as plain text; `link` leads to the report's page.
pub fn plain(report: &Report, link: &str) -> String {
    format!("{}\n\n{link}\n", lines(report).join("\n"))
}

/// The mail as HTML.
pub fn html(report: &Report, link: &str) -> String {
    let (mut rows, mut rest) = (String::new(), String::new());
    for (name, amount, number) in figures(report) {
        let number = number.map_or_else(String::new, |number| number.to_string());
        let _ = write!(
            rows,
            "<tr><td>{name}</td><td align=\"right\">{amount}</td><td align=\"right\">{number}</td></tr>"
        );
    }
    let is_figure =
        |line: &str| figures(report).iter().any(|(name, ..)| line.starts_with(&format!("{name:<9} ")));
    for line in lines(report).iter().filter(|line| !is_figure(line)) {
        let _ = write!(rest, "<p>{}</p>", escaped(line));
    }
    let link = escaped(link);
    format!(
        "<!doctype html><html lang=\"en\"><body><h1>{}</h1><table><tr><th></th><th align=\"right\">USD</th>\
         <th align=\"right\">rewards</th></tr>{rows}</table>{rest}<p><a href=\"{link}\">{link}</a></p></body></html>",
        escaped(&subject(report))
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
