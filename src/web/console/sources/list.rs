//! What the page says of each source.

use std::collections::HashMap;
use std::sync::Arc;

use domain::baseline::shares::OddShare;
use domain::caller::Listed;
use domain::dashboard;
use domain::postback::networks::Definition;
use domain::postback::networks::definition::Confirmed;
use domain::postback::networks::signature::{Keys, Place};
use domain::report::day::BusinessDay;
use domain::text::duration;
use domain::time::{DAY_MS, TimestampMs};
use domain::traffic::{COMPARED_DAYS, Hour, Rate, sum};
use store::postbacks::source_tallies::{CallingNetwork, RefusedOfSource};
use store::statements::StatementRow;

use super::odd;
use crate::console::Console;
use crate::console::review::lists::Target;
use crate::console::shell::answer::PageError;
use crate::console::shell::said::with;
use crate::console::shell::show::{Moment, counted, moment, number, span};
use crate::ingest::SourceEndpoint;

/// The period of callers and of the second count of refused and quarantined calls.
const WEEK_MS: i64 = 7 * DAY_MS;
/// Calling networks that are listed for a source.
const CALLERS: i64 = 8;
/// A minute, in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// A source as it is shown.
pub(super) struct Source {
    pub(super) name: String,
    /// The title of its network.
    pub(super) network: String,
    /// The network's own page; empty if there is none.
    pub(super) documentation: String,
    /// How well the definition is confirmed.
    pub(super) confirmed: &'static str,
    /// True unless the network itself documents it.
    pub(super) is_doubtful: bool,
    /// To paste into the network's dashboard.
    pub(super) url: String,
    /// Parameters that the network adds itself.
    pub(super) added: Vec<String>,
    pub(super) last: Option<Moment>,
    /// Empty unless it is silent.
    pub(super) silence: String,
    pub(super) today: String,
    /// What is usual at this time.
    pub(super) usual: String,
    pub(super) refused: Counts,
    pub(super) quarantined: Counts,
    /// How long an outage may last.
    pub(super) horizon: String,
    /// What the signature protects, and what of that is unproven.
    pub(super) coverage: String,
    /// Empty if the formula of the signature is confirmed.
    pub(super) unproven: &'static str,
    pub(super) callers: Vec<Caller>,
    /// Sub ids that stand out.
    pub(super) odd: Vec<odd::Row>,
    /// What an entry of a list can name of them.
    pub(super) targets: Vec<Target>,
    /// How many secrets and keys are accepted.
    pub(super) secrets: String,
    pub(super) statement: Option<Statement>,
}

/// Today and in seven days, with a link to the list.
pub(super) struct Counts {
    pub(super) today: String,
    pub(super) week: String,
    pub(super) link: String,
}

pub(super) struct Caller {
    pub(super) network: String,
    pub(super) postbacks: String,
    pub(super) last: Moment,
    pub(super) listed: &'static str,
    pub(super) is_unlisted: bool,
}

pub(super) struct Statement {
    pub(super) link: String,
    pub(super) text: String,
}

/// What is read once for all sources.
struct Known {
    now: TimestampMs,
    today: Option<BusinessDay>,
    refused: HashMap<String, RefusedOfSource>,
    statements: HashMap<String, StatementRow>,
    /// The usual gap of each silent source, in milliseconds.
    silent: HashMap<String, i64>,
    odd: Arc<Vec<OddShare>>,
}

/// Every source of the settings, by name. Each needs two short reads of the tallies, and all together three.
pub(super) async fn sources(console: &Console) -> Result<Vec<Source>, PageError> {
    let now = console.clock.now();
    let today = BusinessDay::of(now, console.timezone);
    let since = TimestampMs(today.map_or(now.0, |today| today.starts_at().0));
    let (refused, statements, silent) = tokio::try_join!(
        console.store.refused_by_source(TimestampMs(now.0 - WEEK_MS), since),
        console.store.newest_statements(),
        console.store.silent_sources(),
    )?;
    let known = Known {
        now,
        today,
        refused: refused.into_iter().map(|row| (row.source.clone(), row)).collect(),
        statements: statements.into_iter().map(|row| (row.source.clone(), row)).collect(),
        silent: silent.into_iter().map(|row| (row.source, row.usual_ms)).collect(),
        odd: console.odd_sub_ids.newest(console).await?,
    };
    let mut sources = Vec::with_capacity(console.ingest.sources.len());
    for (name, endpoint) in &console.ingest.sources {
        let (hours, callers, last) = tokio::try_join!(
            console.store.source_hours(name, TimestampMs(now.0 - COMPARED_DAYS * DAY_MS)),
            console.store.calling_networks(name, TimestampMs(now.0 - WEEK_MS), CALLERS),
            console.store.last_postback_of(name),
        )?;
        sources.push(known.source(&console.ingest.origin, name, endpoint, &hours, callers, last));
    }
    Ok(sources)
}

impl Known {
    fn source(
        &self,
        origin: &str,
        name: &str,
        endpoint: &SourceEndpoint,
        hours: &[Hour],
        callers: Vec<CallingNetwork>,
        last: Option<TimestampMs>,
    ) -> Source {
        let definition = endpoint.definition();
        let rate = self.today.map(|today| Rate::of(hours, &today, self.now)).unwrap_or_default();
        let refused = self.refused.get(name);
        let starts_at = self.today.map_or(self.now, BusinessDay::starts_at);
        let of_hours = |since| sum(hours, since, |hour| hour.quarantined);
        let unsigned = definition.unsigned();
        Source {
            name: name.to_owned(),
            network: definition.title.clone(),
            documentation: Some(definition.documentation.as_str())
                .filter(|page| page.starts_with("https://"))
                .unwrap_or_default()
                .to_owned(),
            confirmed: confirmed(definition.confirmed),
            is_doubtful: definition.confirmed != Confirmed::Documented,
            url: dashboard::url(origin, name, &endpoint.params),
            added: added(definition),
            last: last.map(|at| moment(at.0, self.now)),
            silence: self.silence(name, last),
            today: counted(rate.today, "postback"),
            usual: usual(&rate),
            refused: Counts {
                today: number(refused.map_or(0, |row| row.later)),
                week: number(refused.map_or(0, |row| row.earlier)),
                link: list_of("refused", name),
            },
            quarantined: Counts {
                today: number(of_hours(starts_at)),
                week: number(of_hours(TimestampMs(self.now.0 - WEEK_MS))),
                link: list_of("quarantined", name),
            },
            horizon: horizon(definition),
            coverage: definition.coverage().words(),
            unproven: if unsigned.is_unproven {
                "The formula of the signature is unproven: try a captured call below before you rely on it."
            } else {
                ""
            },
            odd: odd::rows(&self.odd, name),
            targets: odd::targets(&self.odd, name),
            callers: callers.into_iter().map(|row| self.caller(endpoint, row)).collect(),
            secrets: secrets(&endpoint.keys),
            statement: self.statements.get(name).map(statement),
        }
    }

    fn silence(&self, name: &str, last: Option<TimestampMs>) -> String {
        let (Some(usual_ms), Some(last)) = (self.silent.get(name), last) else { return String::new() };
        format!("Silent for {}; its usual gap is at most {}.", span(self.now.0 - last.0), span(*usual_ms))
    }

    fn caller(&self, endpoint: &SourceEndpoint, row: CallingNetwork) -> Caller {
        let listed = row.network.parse().ok().and_then(|network| endpoint.callers.lists_network(network));
        Caller {
            listed: match listed {
                Some(Listed::All) => "listed",
                Some(Listed::Part) => "partly listed",
                Some(Listed::None) => "not listed",
                None => "no list",
            },
            is_unlisted: listed == Some(Listed::None),
            network: if row.network.is_empty() { "other or unknown".into() } else { row.network },
            postbacks: number(row.postbacks),
            last: moment(row.last_at, self.now),
        }
    }
}

fn list_of(outcome: &str, source: &str) -> String {
    with("/postbacks", &[("outcome", outcome.to_owned()), ("source", source.to_owned())])
}

fn confirmed(confirmed: Confirmed) -> &'static str {
    match confirmed {
        Confirmed::Documented => "as the network documents it",
        Confirmed::Integrators => "as public integrations agree; the network does not document it",
        Confirmed::Unproven => "unproven: try a captured call below before you rely on it",
    }
}

/// Parameters that are not in the pasted URL, because the network adds them to every call.
fn added(definition: &Definition) -> Vec<String> {
    let fields = definition
        .fields
        .iter()
        .filter(|own| own.macro_text.is_none() && own.fixed.is_none())
        .map(|own| own.parameter.clone());
    let signature = definition.signature.place().filter(|_| definition.signature.macro_text.is_none());
    let signature = signature.map(|place| match place {
        Place::Header { name, .. } => format!("header {name}"),
        Place::Query(name) | Place::Form(name) | Place::Json(name) => name.clone(),
    });
    let mut names: Vec<String> = fields.chain(signature).collect();
    names.dedup();
    names
}

/// What is usual at this time of the day.
fn usual(rate: &Rate) -> String {
    match rate.usual {
        None => "nothing to compare with yet: the first week still runs".into(),
        Some(usual) => format!(
            "usually {} by this time ({})",
            number(usual),
            match rate.weeks {
                1 => "the same weekday a week ago".to_owned(),
                weeks => format!("average of the same weekday in {weeks} weeks"),
            }
        ),
    }
}

/// How long an outage may last before postbacks are lost.
fn horizon(definition: &Definition) -> String {
    let retries = definition.retries;
    if retries.horizon_minutes == 0 {
        return "No retries are known: a call that is not answered may be lost for good.".into();
    }
    let length = duration(i64::from(retries.horizon_minutes) * MINUTE_MS);
    let doubt = match retries.confirmed {
        Confirmed::Documented => "",
        Confirmed::Integrators => " (as integrators report)",
        Confirmed::Unproven => " (unproven)",
    };
    format!("The network repeats a call for {length}{doubt}; an outage that lasts longer loses postbacks.")
}

/// How many secrets are accepted, never which.
fn secrets(keys: &Keys) -> String {
    let kinds = [
        (keys.secrets.len(), "secret"),
        (keys.second.len(), "second secret"),
        (keys.public.len(), "public key"),
    ];
    let texts = kinds
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| counted(i64::try_from(count).unwrap_or(i64::MAX), noun));
    let texts: Vec<_> = texts.collect();
    if texts.is_empty() { "none: nothing is signed".into() } else { format!("{} accepted", texts.join(", ")) }
}

fn statement(row: &StatementRow) -> Statement {
    let period = match (&row.period_from, &row.period_to) {
        (Some(from), Some(to)) => format!(", {from} to {to}"),
        _ => String::new(),
    };
    Statement {
        link: format!("/reports/statements/{}", row.id),
        text: format!("{}{period}, {}", row.file_name, row.state),
    }
}

#[cfg(test)]
mod tests {
    use domain::postback::networks::shipped;

    use super::*;

    fn definition(name: &str) -> Definition {
        shipped::definition(name).expect("it ships").expect("no fault")
    }

    #[test]
    fn every_shipped_network_says_how_long_it_repeats_and_what_it_adds() {
        for name in shipped::names() {
            let definition = definition(name);
            assert!(horizon(&definition).ends_with('.'), "{name}");
            for parameter in added(&definition) {
                assert!(!parameter.is_empty(), "{name}");
                assert!(
                    !definition.query_to_paste().contains(&format!("{parameter}=")),
                    "{name}: {parameter}"
                );
            }
        }
        assert!(horizon(&definition("targo")).contains("30 h"), "{}", horizon(&definition("targo")));
    }

    #[test]
    fn what_is_usual_names_what_it_is_an_average_of() {
        let words = |usual, weeks| usual_words(usual, weeks);
        assert_eq!(
            words(Some(1_200), 4),
            "usually 1,200 by this time (average of the same weekday in 4 weeks)"
        );
        assert_eq!(words(Some(3), 1), "usually 3 by this time (the same weekday a week ago)");
        assert!(words(None, 0).starts_with("nothing to compare"));
    }

    fn usual_words(usual: Option<i64>, weeks: i64) -> String {
        super::usual(&Rate { today: 0, usual, weeks })
    }

    #[test]
    fn secrets_are_counted_and_never_shown() {
        assert_eq!(secrets(&Keys::default()), "none: nothing is signed");
    }
}
