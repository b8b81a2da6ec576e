//! The to-do list of Today: one function for each source of a task.

use std::collections::BTreeMap;

use domain::review::reversal::{REAPPROVED, Situation};
use domain::time::TimestampMs;
use store::postbacks::list::{OutcomeFilter, PostbackFilter};
use store::review::holds::{HoldFilter, HoldTotals};

use crate::console::Console;
use crate::console::finance::reports::Headline;
use crate::console::review::reversals;
use crate::console::shell::answer::PageError;
use crate::console::shell::said::with;
use crate::console::shell::show::{counted, moment, number, rule_name, span, usd};

/// A data fault of a source is listed if it was found in at least this many postbacks…
const FREQUENT_FROM: i64 = 20;
/// …and in more than this share of the source's postbacks…
const FREQUENT_PERCENT: i64 = 5;
/// …within this period.
const FREQUENT_WITHIN_MS: i64 = 24 * 3_600_000;

/// Quarantined postbacks are counted up to this number.
const QUARANTINED_LIMIT: i64 = 100;

/// Number of the newest statements that are searched for open work.
const STATEMENTS: i64 = 20;

/// One task.
pub(super) struct Todo {
    pub(super) text: String,
    /// The page on which it is done.
    pub(super) link: String,
    /// The payout at stake, e.g. `$4.50`; empty if no amount belongs to it.
    pub(super) money: String,
}

impl Todo {
    fn new(text: String, link: impl Into<String>) -> Self {
        Self { text, link: link.into(), money: String::new() }
    }

    fn at_stake(mut self, payout_micros: i64) -> Self {
        self.money = usd(payout_micros);
        self
    }
}

type Todos = Result<Vec<Todo>, PageError>;

/// All tasks that need a person, those with money at stake first.
pub(super) async fn todos(
    console: &Console,
    now: TimestampMs,
    totals: &HoldTotals,
    last_report: Option<&Headline>,
) -> Todos {
    let mut todos = overdue_holds(totals);
    todos.extend(reversals_to_decide(console, now).await?);
    todos.extend(approved_again(console, now).await?);
    todos.extend(disabled_apps(console, now).await?);
    todos.extend(failed_deliveries(console).await?);
    todos.extend(silent_sources(console, now).await?);
    todos.extend(odd_sub_ids(console).await?);
    todos.extend(quarantined_postbacks(console).await?);
    todos.extend(frequent_data_faults(console, now).await?);
    todos.extend(proposals(console).await?);
    todos.extend(refused_calls(console).await?);
    todos.extend(statements(console).await?);
    todos.extend(report_that_does_not_tie_out(last_report));
    Ok(todos)
}

fn overdue_holds(totals: &HoldTotals) -> Vec<Todo> {
    if totals.overdue == 0 {
        return Vec::new();
    }
    let text = format!("{}: decide on the oldest first", counted(totals.overdue, "overdue hold"));
    vec![Todo::new(text, "/review").at_stake(totals.overdue_payout_micros)]
}

/// Open reversal cases, one task for each situation.
async fn reversals_to_decide(console: &Console, now: TimestampMs) -> Todos {
    let rows = console.store.open_cases(now).await?;
    let todos = rows.into_iter().filter_map(|row| {
        let title = reversals::title(Situation::parse(&row.situation)?);
        let link = with(reversals::PATH, &[("situation", row.situation)]);
        let text = format!("{title}: {} to decide", number(row.cases));
        Some(Todo::new(text, link).at_stake(row.payout_micros))
    });
    Ok(todos.collect())
}

/// Rewards that the network approved again after it had reversed them.
async fn approved_again(console: &Console, now: TimestampMs) -> Todos {
    let filter = HoldFilter { rule: Some(REAPPROVED.into()), ..HoldFilter::default() };
    let totals = console.store.hold_totals(&filter, now).await?;
    if totals.rewards == 0 {
        return Ok(Vec::new());
    }
    let text = format!("Approved again after a reversal: {} to decide", number(totals.rewards));
    Ok(vec![Todo::new(text, format!("/review?rule={REAPPROVED}")).at_stake(totals.payout_micros)])
}

async fn disabled_apps(console: &Console, now: TimestampMs) -> Todos {
    let apps = console.store.disabled_apps().await?;
    let todos = apps.into_iter().map(|app| {
        let since = moment(app.disabled_at, now);
        let text = format!(
            "Deliveries to the app {} disabled {} ({}): {}",
            app.app, since.ago, since.exact, app.why
        );
        Todo::new(text, "/deliveries")
    });
    Ok(todos.collect())
}

async fn failed_deliveries(console: &Console) -> Todos {
    let backlog = console.store.backlog().await?;
    let failed: i64 = backlog.iter().filter(|row| row.status == "failed").map(|row| row.deliveries).sum();
    if failed == 0 {
        return Ok(Vec::new());
    }
    let text = format!("{} failed: resend or give up", counted(failed, "delivery"));
    Ok(vec![Todo::new(text, "/deliveries?status=failed")])
}

async fn silent_sources(console: &Console, now: TimestampMs) -> Todos {
    let silent = console.store.silent_sources().await?;
    let todos = silent.into_iter().map(|silent| {
        let text = format!(
            "{} has sent nothing for {}; its usual gap is at most {}",
            silent.source,
            span(now.0 - silent.last_at),
            span(silent.usual_ms)
        );
        Todo::new(text, format!("/sources#{}", silent.source))
    });
    Ok(todos.collect())
}

/// Sources with sub ids that differ from the rest of their network.
async fn odd_sub_ids(console: &Console) -> Todos {
    let odd = console.odd_sub_ids.newest(console).await?;
    let mut counts = BTreeMap::<&str, u64>::new();
    for share in odd.iter() {
        *counts.entry(&share.source).or_default() += 1;
    }
    let todos = counts.into_iter().map(|(source, sub_ids)| {
        let text = format!(
            "{source}: {} with many fast, late or reversed completions",
            domain::text::count(sub_ids, "sub id")
        );
        Todo::new(text, format!("/sources#{source}"))
    });
    Ok(todos.collect())
}

async fn quarantined_postbacks(console: &Console) -> Todos {
    let filter = PostbackFilter { outcome: Some(OutcomeFilter::Quarantined), ..PostbackFilter::default() };
    let found = console.store.postbacks(&filter, QUARANTINED_LIMIT).await?.len();
    let found = i64::try_from(found).unwrap_or(i64::MAX);
    let many = match found {
        0 => return Ok(Vec::new()),
        QUARANTINED_LIMIT.. => format!("{QUARANTINED_LIMIT} or more postbacks"),
        few => counted(few, "postback"),
    };
    Ok(vec![Todo::new(format!("{many} in quarantine: not booked yet"), "/postbacks?outcome=quarantined")])
}

/// Fields that a source often leaves empty or fills in wrongly.
async fn frequent_data_faults(console: &Console, now: TimestampMs) -> Todos {
    let rows = console.store.data_tallies(TimestampMs(now.0 - FREQUENT_WITHIN_MS)).await?;
    let frequent = rows
        .into_iter()
        .filter(|row| row.fired >= FREQUENT_FROM && row.fired * 100 > row.looked_at * FREQUENT_PERCENT);
    let todos = frequent.map(|row| {
        let text = format!(
            "{}: \u{201c}{}\u{201d} on {} of {} postbacks in 24 h; check the URL in the network's dashboard",
            row.source,
            rule_name(&row.code),
            number(row.fired),
            number(row.looked_at)
        );
        Todo::new(text, format!("/postbacks?source={}", row.source))
    });
    Ok(todos.collect())
}

async fn proposals(console: &Console) -> Todos {
    let waiting = console.store.proposals_waiting().await?;
    if waiting <= 0 {
        return Ok(Vec::new());
    }
    let many = domain::text::count(waiting.unsigned_abs(), "quarantined postback");
    let text = format!("{many} with a proposal: a second person must agree");
    Ok(vec![Todo::new(text, "/postbacks?outcome=quarantined")])
}

async fn refused_calls(console: &Console) -> Todos {
    let refused = console.store.refused_count().await?;
    if refused.kept <= 0 {
        return Ok(Vec::new());
    }
    let text =
        format!("{}: the secret is wrong, or the calls are forged", counted(refused.kept, "refused call"));
    Ok(vec![Todo::new(text, "/postbacks?outcome=refused")])
}

/// Statements that wait for a person.
async fn statements(console: &Console) -> Todos {
    let rows = console.store.statements(i64::MAX, STATEMENTS).await?;
    let todos = rows.into_iter().filter_map(|row| {
        let problem = match row.state.as_str() {
            "received" => "is waiting for import",
            "failed" => "failed to import",
            _ => return None,
        };
        let text = format!("Statement {} from {} {problem}", row.file_name, row.source);
        Some(Todo::new(text, format!("/reports/statements/{}", row.id)))
    });
    Ok(todos.collect())
}

fn report_that_does_not_tie_out(last: Option<&Headline>) -> Option<Todo> {
    let report = last.filter(|report| !report.ties_out)?;
    let text = format!("The report for {} does not tie out", report.date);
    Some(Todo::new(text, format!("/reports/{}", report.date)))
}
