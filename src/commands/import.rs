//! `rewardgate import`: calls of the past become settled history, so that balances and the memory of the rules do not begin
//! with nothing.
//!
//! Every verified call takes effect as the network said, also where the rules would hold it: it was paid long ago. Apps are
//! told nothing. What was imported before is left out, so an import that was interrupted is simply run again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use domain::audit::Action;
use domain::delivery::Subscriptions;
use domain::money::Micros;
use domain::past::format::cells;
use domain::text::count;
use jobs::baselines;
use jobs::lists::LiveLists;
use jobs::postbacks::past::Purpose;
use store::access::audit::Line;
use store::ledger::opening::{Opened, Opening, OpeningBalance};

use super::acting::command_line;
use super::past::reading::{self, Read};
use super::past::{PastArgs, input, running, setup};
use super::progress::Progress;
use super::{bad_usage, progress, say};
use crate::process::{Process, open_geo};
use crate::{EXIT_DONE, EXIT_FAILED, roles};

/// Balances that are booked in one transaction.
const BALANCES_AT_ONCE: usize = 1_000;
/// Balances of one file at most.
const MAX_BALANCES: usize = 20_000_000;

/// Which files to import.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    past: PastArgs,
    /// CSV with `app`, `user_id`, `currency`, `balance`: what users had before the first call of the files. Each is booked once.
    #[arg(long, value_name = "FILE")]
    opening_balances: Option<PathBuf>,
}

/// Imports the files of `args`. Exit code 1 if an opening balance differs from the one that was booked before.
pub(crate) async fn import(process: &Process, args: ImportArgs) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    if args.past.files.is_empty() && args.opening_balances.is_none() {
        return Err(bad_usage("name at least one FILE, or --opening-balances FILE".into()));
    }
    let (inputs, bytes) = input::open(&args.past.files)?;
    let settings = &process.settings;
    if let Some(name) = &args.past.source
        && !settings.sources.iter().any(|source| source.name == *name)
    {
        let known: Vec<_> = settings.sources.iter().map(|source| source.name.as_str()).collect();
        let known = known.join(", ");
        return Err(bad_usage(format!("`--source {name}` is not in the settings; known sources: {known}")));
    }
    let mut code = EXIT_DONE;
    if let Some(file) = &args.opening_balances {
        code = open_balances(process, file).await?;
    }
    if inputs.is_empty() {
        return Ok(code);
    }
    let geo = open_geo(settings)?;
    let sources = setup::sources(settings, settings.sources.len(), &args.past);
    let currencies: BTreeMap<String, String> =
        settings.sources.iter().map(|source| (source.name.clone(), source.currency.clone())).collect();
    let now = process.clock.now();
    let reading = move || reading::read(inputs, &bytes, &sources, &currencies, now);
    let Read { lines, mut calls, taken, .. } =
        tokio::task::spawn_blocking(reading).await.context("reading ended early")??;
    if lines.without_time > 0 {
        return Err(bad_usage(format!(
            "{} without a time: `import` needs one in each line, so that what was imported is known again",
            count(lines.without_time, "call")
        )));
    }
    let all = taken.count();
    let run = running::Run {
        store: &process.store.clone().notifying(Subscriptions::default()),
        processor: Arc::new(roles::processor(settings, geo, LiveLists::default(), None)),
        policy: &settings.policy,
        purpose: Purpose::Settle,
    };
    let before = run.take_all(taken, &mut calls).await?;
    let new = all - before;
    if new > 0 {
        let files: Vec<_> = args.past.files.iter().map(|file| file.display().to_string()).collect();
        let line = Line::new(&command_line(), Action::HistoryImported, count(new, "call"), files.join(", "));
        process.store.note_in_audit(line, process.clock.now()).await?;
    }
    if new > 0 {
        let (terms, stop) = (settings.policy.baseline, &process.stop);
        let made = baselines::make(&process.store, terms, process.clock.now(), stop, |_| {});
        progress::during("learning what is normal", made).await?;
    }
    say(&format!("imported: {}; {} had been imported before", count(new, "call"), before));
    let repeats = calls.repeated_credits.count + calls.repeated_reversals;
    say(&format!(
        "of these {} took effect, {repeats} repeated others, {} have no effect, {} cannot be mapped",
        calls.processed,
        calls.information + calls.tests,
        calls.unmapped.total()
    ));
    let skipped = [
        (calls.refused_count(), "call refused: a wrong signature or caller", calls.refused.ranked()),
        (lines.unknown_sources.total(), "call of unknown sources", lines.unknown_sources.ranked()),
        (lines.unreadable.total(), "unreadable line", lines.unreadable.ranked()),
        (calls.unmapped.total(), "call that cannot be mapped: quarantined", calls.unmapped.ranked()),
    ];
    for (number, what, reasons) in skipped {
        if let Some((reason, noted)) = reasons.first() {
            say(&format!("{number} × {what} ({reason}; {})", noted.example));
        }
    }
    if all == 0 {
        say("no line is a call that could be imported; `rewardgate assess` with the same files says why");
        return Ok(EXIT_FAILED);
    }
    Ok(code)
}

/// Books the balances of `file`.
async fn open_balances(process: &Process, file: &Path) -> anyhow::Result<u8> {
    let balances = balances(process, file)?;
    let progress = Progress::of("booking opening balances", Some(balances.len() as u64));
    let mut sum = Opened::default();
    for chunk in balances.chunks(BALANCES_AT_ONCE) {
        let now = process.clock.now();
        let opening = Opening {
            balances: chunk.to_vec(),
            actor: command_line(),
            business_date: now.business_date(process.settings.timezone),
            now,
        };
        let opened = process.store.open_balances(opening).await?;
        sum.booked += opened.booked;
        sum.before += opened.before;
        sum.differing.extend(opened.differing);
        progress.advance(chunk.len());
    }
    drop(progress);
    say(&format!("opening balances: {} booked, {} had been booked before", sum.booked, sum.before));
    for kept in &sum.differing {
        let OpeningBalance { app, user_id, currency, balance } = kept;
        say(&format!("user {user_id} of {app} was opened with {balance} {currency} before, and keeps that"));
    }
    Ok(if sum.differing.is_empty() { EXIT_DONE } else { EXIT_FAILED })
}

/// Reads every line before the first is booked, so that a mistake leaves nothing half done.
fn balances(process: &Process, file: &Path) -> anyhow::Result<Vec<OpeningBalance>> {
    const COLUMNS: [&str; 4] = ["app", "user_id", "currency", "balance"];
    let (mut inputs, _) = input::open(&[file.to_path_buf()])?;
    let input = inputs.first_mut().context("no file")?;
    let name = input.name.clone();
    let (mut places, mut balances, mut seen) = (None, Vec::new(), BTreeSet::new());
    loop {
        let number = input.number + 1;
        let Some(line) = input.next_line().with_context(|| format!("{name} cannot be read"))? else { break };
        let text = String::from_utf8_lossy(line);
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            continue;
        }
        let bad = |what: &str| bad_usage(format!("`--opening-balances`: {name}, line {number}: {what}"));
        let cells = cells(text).ok_or_else(|| bad("a quote is not closed"))?;
        let Some(places) = &places else {
            let place = |column: &str| cells.iter().position(|cell| cell.trim() == column);
            let found: Option<Vec<usize>> = COLUMNS.into_iter().map(place).collect();
            places = Some(found.ok_or_else(|| bad("the first line must be app,user_id,currency,balance"))?);
            continue;
        };
        let cell: Vec<&str> =
            places.iter().filter_map(|place| cells.get(*place)).map(|cell| cell.trim()).collect();
        let [app, user_id, currency, balance] = cell.as_slice() else {
            return Err(bad("the line does not have the columns of the first"));
        };
        if !process.settings.apps.contains(*app) {
            return Err(bad(&format!("`{app}` is not an app of the settings")));
        }
        if user_id.is_empty() || currency.is_empty() {
            return Err(bad("user_id and currency must not be empty"));
        }
        if !seen.insert(((*app).to_owned(), (*user_id).to_owned(), (*currency).to_owned())) {
            return Err(bad(&format!("user {user_id} of {app} stands there twice")));
        }
        if balances.len() >= MAX_BALANCES {
            return Err(bad("more than 20,000,000 balances: split the file"));
        }
        let balance = amount(balance)
            .ok_or_else(|| bad(&format!("`{balance}` is not an amount such as 12.5 or -3")))?;
        balances.push(OpeningBalance {
            app: (*app).to_owned(),
            user_id: (*user_id).to_owned(),
            currency: (*currency).to_owned(),
            balance,
        });
    }
    Ok(balances)
}

/// An amount with six decimals at most, which may be below zero.
fn amount(text: &str) -> Option<Micros> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let parsed = Micros::parse(digits).ok().filter(|parsed| !parsed.rounded)?;
    Some(Micros(sign * parsed.amount.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_is_exact_and_may_be_below_zero() {
        assert_eq!(amount("12.5"), Some(Micros(12_500_000)));
        assert_eq!(amount("-3"), Some(Micros(-3_000_000)));
        for bad in ["", "--3", "1,5", "0.0000001", "many", "1e3"] {
            assert_eq!(amount(bad), None, "{bad}");
        }
    }
}
