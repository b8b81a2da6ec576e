//! The summary on one screen.

use domain::assessment::{Assessment, Sum};
use domain::text::count;
use web::assessment::{lead, number, rewards as rewards_of, rule_name, usd};

use crate::commands::say;

/// Rules, groups, reasons of one kind, and sources that are shown.
const MAX_SHOWN: usize = 5;

/// Prints it.
pub(super) fn summary(assessment: &Assessment) {
    let (lines, calls, rewards) = (&assessment.lines, &assessment.calls, &assessment.rewards);
    let span = assessment.span().map_or_else(String::new, |(first, last)| {
        let day = |at: domain::time::TimestampMs| at.rfc3339().chars().take(10).collect::<String>();
        format!(", {} to {}", day(first), day(last))
    });
    say(&format!("{}{span}", count(calls.events, "call")));
    for sentence in lead(assessment) {
        say(&format!("  {sentence}"));
    }
    say("");
    let row = |name: &str, sum: &Sum| {
        say(&format!("{name:<26}{:>10}  {:>14}  {}", number(sum.count), usd(sum.payout), rewards_of(sum)));
    };
    say(&format!("{:<26}{:>10}  {:>14}  rewards", "", "number", "payout"));
    row("credits", &rewards.credits);
    row("  credited at once", &rewards.credited);
    row("    reversed later", &rewards.credited_then_reversed);
    row("  held", &rewards.held);
    row("    reversed later", &rewards.held_then_reversed);
    row("  reversal came first", &rewards.reversed_first);
    row("repeated credits", &calls.repeated_credits);
    row("refused credits", &calls.refused_credits);
    row("conflicts", &rewards.conflicts);
    let rules = rewards.ranked_rules();
    if !rules.is_empty() {
        say("");
        say(&format!("{:<26}{:>10}  {:>14}  reversed later", "held by rule", "number", "payout"));
    }
    for (code, rule) in rules.into_iter().take(MAX_SHOWN) {
        let name = format!("  {code} {}", rule_name(code).to_lowercase());
        let reversed = format!("{} ({})", number(rule.later_reversed.count), usd(rule.later_reversed.payout));
        say(&format!("{name:<26}{:>10}  {:>14}  {reversed}", number(rule.held.count), usd(rule.held.payout)));
    }
    truth(assessment);
    for group in assessment.standing_out.iter().take(MAX_SHOWN) {
        let sub1 = group.sub1.as_deref().map(|sub1| format!(" sub id {sub1}")).unwrap_or_default();
        let credits = count(group.credits.count, "credit");
        say(&format!("stands out: {}{sub1}: {} ({credits})", group.source, group.reasons.join(", ")));
    }
    for source in assessment.sources.iter().take(MAX_SHOWN) {
        say(&format!("{}: signatures {}", source.source, source.signatures));
    }
    for (what, reasons) in [
        ("refused", &calls.refused),
        ("cannot be mapped", &calls.unmapped),
        ("unknown source", &lines.unknown_sources),
        ("unreadable", &lines.unreadable),
    ] {
        if let Some((reason, noted)) = reasons.ranked().first() {
            say(&format!("{what}: {} ({reason}; {})", reasons.total(), noted.example));
        }
    }
    if lines.without_time > 0 {
        let timeless = count(lines.without_time, "call");
        say(&format!(
            "{timeless} without a time: each got that of the call before it, the first ones that of now"
        ));
    }
    if !assessment.books_proven {
        say("the books are NOT proven: please report this");
    }
}

fn truth(assessment: &Assessment) {
    let Some(scores) = &assessment.truth else { return };
    say("");
    say(&format!(
        "{:<26}{:>10}  {:>8}  {:>10}  {:>12}",
        "against the truth", "fraud", "recall", "honest", "false holds"
    ));
    let total = scores.total();
    let all = scores.personas.iter().map(|(name, score)| (name.as_str(), score));
    for (name, score) in all.chain(std::iter::once(("all", &total))) {
        say(&format!(
            "  {name:<24}{:>10}  {:>8}  {:>10}  {:>12}",
            score.fraud.count,
            percent(score.fraud_held.count, score.fraud.count),
            score.honest.count,
            format!("{} ({})", score.honest_held.count, percent(score.honest_held.count, score.honest.count)),
        ));
    }
    if scores.unknown > 0 {
        say(&format!("  the truth says nothing of {}", count(scores.unknown, "judged credit")));
    }
}

/// `93.4 %`; a dash of nothing.
fn percent(part: u64, whole: u64) -> String {
    match (u128::from(part) * 1_000).checked_div(u128::from(whole)) {
        Some(thousandths) => format!("{}.{} %", thousandths / 10, thousandths % 10),
        None => "–".into(),
    }
}
