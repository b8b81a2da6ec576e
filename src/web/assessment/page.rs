//! The summary as one page that needs nothing else, to be kept, sent and printed.

use askama::Template;
use chrono::NaiveDate;
use domain::assessment::{Assessment, Group, SourceNote, Sum};

use super::{NotWritten, count, counted, lead, number, rewards, rule_name, signed, usd};
use crate::console::shell::answer::{PageError, STYLE};
use crate::console::shell::chart::{Decided, decisions};
use crate::console::shell::show::{percent, span};

/// Bars of the chart at most: more days stand together.
const MAX_BARS: usize = 60;
/// Days between the first and the last that are drawn with those in between: twenty years.
const MAX_DRAWN_DAYS: i64 = 7_320;
/// Reasons that are shown.
const MAX_REASONS: usize = 15;

/// A figure with its money.
struct Figure {
    name: &'static str,
    /// What it means, where the name does not say it.
    note: &'static str,
    count: String,
    share: String,
    payout: String,
    rewards: String,
}

struct Rule {
    code: String,
    name: &'static str,
    count: String,
    payout: String,
    reversed: String,
    reversed_payout: String,
}

struct Reason {
    count: String,
    words: String,
    example: String,
}

struct Outstanding {
    source: String,
    sub1: String,
    credits: String,
    payout: String,
    held: String,
    reversed: String,
    median: String,
    why: String,
}

struct Persona {
    name: String,
    fraud: String,
    recall: String,
    honest: String,
    false_holds: String,
    false_share: String,
}

struct Day {
    date: String,
    credited: String,
    held: String,
    reversed: String,
}

/// A source, with what the reader must know about it.
struct Source<'a> {
    name: &'a str,
    network: &'a str,
    calls: String,
    signatures: &'a str,
    coverage: &'a str,
}

/// A list of reasons with its title.
struct Reasons {
    title: &'static str,
    /// What to do about them.
    note: &'static str,
    rows: Vec<Reason>,
    left_out: usize,
}

#[derive(Template)]
#[template(path = "assessment.html")]
struct Page<'a> {
    style: &'static str,
    span: String,
    files: &'a [(String, &'static str)],
    lead: Vec<String>,
    figures: Vec<Figure>,
    calls: Vec<(&'static str, String)>,
    rules: Vec<Rule>,
    outstanding: Vec<Outstanding>,
    personas: Vec<Persona>,
    unknown_truth: String,
    chart: String,
    bar_note: String,
    days: Vec<Day>,
    sources: Vec<Source<'a>>,
    reasons: Vec<Reasons>,
    assessment: &'a Assessment,
}

/// The page of `assessment`; `files`: their names, and what they are.
pub fn page(assessment: &Assessment, files: &[(String, &'static str)]) -> Result<String, NotWritten> {
    let (bars, bar_note) = bars(assessment);
    let page = Page {
        style: STYLE,
        span: span_of(assessment),
        files,
        lead: lead(assessment),
        figures: figures(assessment),
        calls: calls(assessment),
        rules: rules(assessment),
        outstanding: assessment.standing_out.iter().map(outstanding).collect(),
        personas: personas(assessment),
        unknown_truth: assessment.truth.as_ref().map_or_else(String::new, |truth| count(truth.unknown)),
        chart: decisions(&bars)?,
        bar_note,
        days: days(assessment),
        sources: assessment.sources.iter().map(source).collect(),
        reasons: reasons(assessment),
        assessment,
    };
    Ok(page.render().map_err(PageError::from)?)
}

/// The first and the last day, in UTC.
fn span_of(assessment: &Assessment) -> String {
    let day = |at: domain::time::TimestampMs| at.rfc3339().chars().take(10).collect::<String>();
    assessment.span().map_or_else(String::new, |(first, last)| format!("{} to {}", day(first), day(last)))
}

fn figures(assessment: &Assessment) -> Vec<Figure> {
    let found = &assessment.rewards;
    let all = found.credits.count;
    let figure = |name, note, sum: &Sum, has_share: bool| Figure {
        name,
        note,
        count: number(sum.count),
        share: if has_share { percent(signed(sum.count), signed(all)) } else { String::new() },
        payout: usd(sum.payout),
        rewards: rewards(sum),
    };
    vec![
        figure("Credits", "rewards whose credit came, each once", &found.credits, false),
        figure("Credited at once", "", &found.credited, true),
        figure("Held", "for a person to decide", &found.held, true),
        figure("Held, then reversed", "the user never got them", &found.held_then_reversed, true),
        figure("Credited, then reversed", "taken back from the user", &found.credited_then_reversed, true),
        figure("Reversed first", "the reversal came before its credit", &found.reversed_first, true),
        figure("Conflicts", "the same transaction with other facts", &found.conflicts, true),
        figure(
            "Repeated credits",
            "a naive script pays each again",
            &assessment.calls.repeated_credits,
            false,
        ),
        figure("Refused credits", "signature or caller is wrong", &assessment.calls.refused_credits, false),
    ]
}

fn calls(assessment: &Assessment) -> Vec<(&'static str, String)> {
    let (lines, calls) = (&assessment.lines, &assessment.calls);
    vec![
        ("Lines read", number(lines.read)),
        ("Calls of networks", number(calls.events)),
        ("Other requests", number(lines.other_requests)),
        ("Unreadable lines", number(lines.unreadable.total())),
        ("Calls of unknown sources", number(lines.unknown_sources.total())),
        ("Calls without a time", number(lines.without_time)),
        ("Refused calls", number(calls.refused_count())),
        ("Processed calls", number(calls.processed)),
        ("Repeated credits", number(calls.repeated_credits.count)),
        ("Repeated reversals", number(calls.repeated_reversals)),
        ("Calls that cannot be mapped", number(calls.unmapped.total())),
        ("Calls without money", number(calls.information)),
        ("Tests", number(calls.tests)),
        ("Reversals whose credit never came", number(assessment.rewards.orphans)),
    ]
}

fn source(note: &SourceNote) -> Source<'_> {
    Source {
        name: &note.source,
        network: &note.network,
        calls: counted(note.calls, "call"),
        signatures: &note.signatures,
        coverage: &note.coverage,
    }
}

fn rules(assessment: &Assessment) -> Vec<Rule> {
    let ranked = assessment.rewards.ranked_rules().into_iter();
    let rules = ranked.map(|(code, rule)| Rule {
        code: code.to_owned(),
        name: rule_name(code),
        count: number(rule.held.count),
        payout: usd(rule.held.payout),
        reversed: number(rule.later_reversed.count),
        reversed_payout: usd(rule.later_reversed.payout),
    });
    rules.collect()
}

fn outstanding(group: &Group) -> Outstanding {
    let credits = signed(group.credits.count);
    Outstanding {
        source: group.source.clone(),
        sub1: group.sub1.clone().unwrap_or_else(|| "all".into()),
        credits: number(group.credits.count),
        payout: usd(group.credits.payout),
        held: percent(signed(group.held), credits),
        reversed: percent(signed(group.reversed), credits),
        median: group.median_ms.map_or_else(|| "–".into(), |ms| format!("about {}", span(ms))),
        why: group.reasons.join(", "),
    }
}

fn personas(assessment: &Assessment) -> Vec<Persona> {
    let Some(truth) = &assessment.truth else { return Vec::new() };
    let total = truth.total();
    let all = truth.personas.iter().map(|(name, score)| (name.as_str(), score));
    let rows = all.chain(std::iter::once(("All", &total))).map(|(name, score)| Persona {
        name: name.to_owned(),
        fraud: number(score.fraud.count),
        recall: percent(signed(score.fraud_held.count), signed(score.fraud.count)),
        honest: number(score.honest.count),
        false_holds: number(score.honest_held.count),
        false_share: percent(signed(score.honest_held.count), signed(score.honest.count)),
    });
    rows.collect()
}

/// The bars of the chart, and what one of them is.
fn bars(assessment: &Assessment) -> (Vec<Decided>, String) {
    let by_day = &assessment.rewards.by_day;
    let date = |text: &String| text.parse::<NaiveDate>().ok();
    let ends = by_day.keys().next().and_then(date).zip(by_day.keys().next_back().and_then(date));
    let dates: Vec<String> = match ends {
        Some((first, last)) if (last - first).num_days() <= MAX_DRAWN_DAYS => {
            first.iter_days().take_while(|day| *day <= last).map(|day| day.to_string()).collect()
        }
        _ => by_day.keys().cloned().collect(),
    };
    let days_a_bar = dates.len().div_ceil(MAX_BARS).max(1);
    let bars = dates.chunks(days_a_bar).map(|dates| {
        let mut bar = Decided { date: dates.first().cloned().unwrap_or_default(), ..Decided::default() };
        for day in dates.iter().filter_map(|date| by_day.get(date)) {
            bar.credited = bar.credited.saturating_add(day.credited.0);
            bar.held = bar.held.saturating_add(day.held.0);
            bar.reversed = bar.reversed.saturating_add(day.reversed.0);
        }
        bar
    });
    let note =
        if days_a_bar == 1 { "Each bar is a day".into() } else { format!("Each bar is {days_a_bar} days") };
    (bars.collect(), note)
}

fn days(assessment: &Assessment) -> Vec<Day> {
    let days = assessment.rewards.by_day.iter().map(|(date, day)| Day {
        date: date.clone(),
        credited: usd(day.credited),
        held: usd(day.held),
        reversed: usd(day.reversed),
    });
    days.collect()
}

fn reasons(assessment: &Assessment) -> Vec<Reasons> {
    let of = |title, note, reasons: &domain::assessment::lines::Reasons| {
        let ranked = reasons.ranked();
        let rows = ranked.iter().take(MAX_REASONS).map(|(reason, noted)| Reason {
            count: number(noted.count),
            words: (*reason).to_owned(),
            example: noted.example.clone(),
        });
        Reasons { title, note, rows: rows.collect(), left_out: ranked.len().saturating_sub(MAX_REASONS) }
    };
    let (lines, calls) = (&assessment.lines, &assessment.calls);
    let all = [
        of("Refused calls", "`rewardgate diagnose URL` says why a signature does not match.", &calls.refused),
        of(
            "Calls that cannot be mapped",
            "They would wait in quarantine until a person states what is missing, or the settings name the parameter.",
            &calls.unmapped,
        ),
        of(
            "Calls of unknown sources",
            "Give the settings that have them, or --source.",
            &lines.unknown_sources,
        ),
        of("Unreadable lines", "They count nowhere else.", &lines.unreadable),
    ];
    all.into_iter().filter(|reasons| !reasons.rows.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use domain::assessment::{PastReward, Rewards};
    use domain::money::Micros;
    use domain::reward::Status;
    use domain::time::{DAY_MS, TimestampMs};
    use domain::verdict::Decision;

    use super::*;

    fn assessment(days: &[i64]) -> Assessment {
        let mut rewards = Rewards::default();
        for day in days {
            let reward = PastReward {
                source: "main",
                sub1: Some("<script>"),
                currency: "coins",
                received_at: TimestampMs(day * DAY_MS),
                took_ms: Some(1_000),
                status: Status::Held,
                reward: Some(Micros(100_000_000)),
                payout: Some(Micros(2_500_000)),
                decision: Some(Decision::Hold),
                fired: "T1:60!",
                conflict: false,
                credit_seen: true,
            };
            rewards.add(&reward, Tz::UTC);
        }
        Assessment { rewards, ..Assessment::default() }
    }

    #[test]
    fn the_page_needs_nothing_else_and_runs_nothing() {
        let mut assessment = assessment(&[20_000, 20_001]);
        assessment
            .lines
            .unreadable
            .note("not in the format", || "a.log, line 3: <script>alert(1)</script>".into());
        let page = page(&assessment, &[("a<b>.log".into(), "access log")]).expect("written");
        for forbidden in ["<script", "src=", "<link", "@import", "url("] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(
            page.contains("a&#60;b&#62;.log") && page.contains("Impossibly fast") && page.contains("$5.00")
        );
    }

    #[test]
    fn many_days_stand_together_and_empty_ones_are_drawn() {
        let (days, note) = bars(&assessment(&[20_000, 20_003]));
        assert_eq!(days.iter().map(|day| day.held).collect::<Vec<_>>(), [2_500_000, 0, 0, 2_500_000]);
        assert_eq!(note, "Each bar is a day");
        let (weeks, note) = bars(&assessment(&(20_000..20_365).collect::<Vec<_>>()));
        assert_eq!((weeks.len(), note.as_str()), (53, "Each bar is 7 days"));
        assert_eq!(bars(&assessment(&[0, 1_000_000])).0.len(), 2);
        assert!(bars(&Assessment::default()).0.is_empty());
    }
}
