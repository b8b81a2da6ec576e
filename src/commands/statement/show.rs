//! `rewardgate statement show` and `missing`: what agrees, what differs, and what never came.

use anyhow::Context as _;
use domain::money::Micros;
use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::controls::{self, Gap};
use domain::statement::life::State;
use domain::statement::pieces::SameReason;
use domain::statement::totals::Totals;
use store::statements::notes::NoteKind;
use store::statements::{BreakRow, StatementRow};
use web::statements::lists;

use super::{lines, say_reasons, settings_of};
use crate::commands::{say, say_raw};
use crate::roles::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Differences that are read from the database at once.
const PAGE: i64 = 1_000;

/// Prints totals, errors and payments of a statement; exit code 1 unless everything agrees.
pub(super) async fn show(process: &Process, id: i64) -> anyhow::Result<u8> {
    let row = process.store.statement(id).await?.with_context(|| format!("there is no statement {id}"))?;
    let totals = totals(process, id, &pending_from(process, &row.source)?).await?;
    let date = |date: &Option<String>| date.clone().unwrap_or_else(|| "?".into());
    say(&format!(
        "statement {id} of {} ({}, version {}): {} to {}, {}",
        row.source,
        row.file_name,
        row.version,
        date(&row.period_from),
        date(&row.period_to),
        row.stands()?.name()
    ));
    if let Some(failure) = row.failure.as_ref().filter(|_| row.state == "failed") {
        say(&format!("import failed: {failure}"));
        say(&format!(
            "correct the settings and import the file again, or discard it: `rewardgate statement discard {id}`"
        ));
    }
    for of in &totals.states {
        let accepted =
            if of.accepted_count > 0 { format!(" ({} accepted)", of.accepted_count) } else { String::new() };
        let difference = of.theirs - of.ours;
        say(&format!("{:<22} {:>9}  {difference} USD{accepted}", of.state.name(), of.count));
    }
    let faults = process.store.statement_fault_reasons(id, PAGE).await?;
    let faulty: i64 = faults.iter().map(|same| same.count).sum();
    say_reasons("cannot be read", faults);
    if faulty > 0 {
        say(&format!("{} cannot be read", lines(usize::try_from(faulty).unwrap_or(usize::MAX))));
    }
    for (what, kind) in [("is not a transaction", NoteKind::Aside), ("was read with changes", NoteKind::Mark)]
    {
        let notes = process.store.statement_notes(id, kind, PAGE).await?;
        say_reasons(what, SameReason::of(&notes.first));
    }
    say(&format!(
        "theirs {} USD, ours {} USD, difference {} USD",
        totals.theirs, totals.ours, totals.difference
    ));
    say(&format!(
        "  = {} in tolerance + {} accepted + {} counted elsewhere + {} pending + {} open",
        totals.in_tolerance, totals.accepted, totals.elsewhere, totals.pending, totals.open
    ));
    let gaps = gaps(process, &row).await?;
    for gap in &gaps {
        say(&format!(
            "DOES NOT ADD UP: {}: the file states {}, its lines add up to {}",
            gap.what, gap.stated, gap.found
        ));
    }
    if let Some(newer) = row.superseded_by {
        say(&format!("superseded by statement {newer}; to count both: `rewardgate statement restore {id}`"));
    }
    if let Some(before) = process.store.statement_before(id).await? {
        say(&format!("supersedes statement {before}; to undo: `rewardgate statement discard {id}`"));
    }
    let payments = process.store.statement_payments(id).await?;
    for row in &payments {
        let more = match (row.takes_back, row.taken_back_by) {
            (Some(other), _) => format!(", reverses payment {other}"),
            (None, Some(other)) => format!(", reversed by payment {other}"),
            (None, None) => String::new(),
        };
        say(&format!(
            "payment {}: {} USD by {}, {}{more}",
            row.id,
            Micros(row.signed()),
            row.actor,
            row.note
        ));
    }
    let paid = process.store.statement_paid(id).await?;
    if !payments.is_empty() {
        let rest = totals.theirs - Amount(paid.0);
        say(&format!("paid {paid} USD, {rest} USD of the network's total unpaid"));
    }
    anyhow::ensure!(totals.ties_out(), "the parts of the difference do not add up to it: please report this");
    let agreed = row.stands()? == State::Matched && totals.open_count == 0 && faulty == 0 && gaps.is_empty();
    Ok(if agreed { EXIT_DONE } else { EXIT_FAILED })
}

/// Control totals of the file that its lines do not add up to.
async fn gaps(process: &Process, row: &StatementRow) -> anyhow::Result<Vec<Gap>> {
    let currency = settings_of(process, &row.source)?.format.currency;
    let (stated, read) = process.store.statement_controls(row.id, &currency).await?;
    Ok(controls::gaps(&stated, read))
}

/// Hands every difference in `state` to `print`, page by page.
async fn each(
    process: &Process,
    id: i64,
    pending_from: &str,
    state: LineState,
    mut print: impl FnMut(&BreakRow),
) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let page = process.store.statement_breaks(id, pending_from, state, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.place;
        page.iter().for_each(&mut print);
    }
}

/// Prints every difference in `state`, a name as the database has it.
pub(super) async fn list(process: &Process, id: i64, state: &str) -> anyhow::Result<u8> {
    let names: Vec<_> = LineState::ALL.into_iter().map(LineState::name).collect();
    let state =
        LineState::parse(state).with_context(|| format!("`--state` must be one of: {}", names.join(", ")))?;
    let row = process.store.statement(id).await?.with_context(|| format!("there is no statement {id}"))?;
    each(process, id, &pending_from(process, &row.source)?, state, |row| {
        let difference = Amount(row.theirs_micros) - Amount(row.ours_micros);
        let accepted = row.accepted_by.as_ref().map_or(String::new(), |by| format!(", accepted by {by}"));
        say(&format!(
            "{}: {} {} of user {}, by rule {}, difference {difference} USD{accepted}",
            row.subject,
            row.kind,
            row.tx_id.as_deref().unwrap_or("-"),
            row.user_id.as_deref().unwrap_or("-"),
            row.rule,
        ));
    })
    .await?;
    Ok(EXIT_DONE)
}

/// Prints the transactions that never came, as CSV or as a letter.
pub(super) async fn missing(process: &Process, id: i64, as_text: bool) -> anyhow::Result<u8> {
    let row = process.store.statement(id).await?.with_context(|| format!("there is no statement {id}"))?;
    // Printed unescaped: the letter is clean already, the CSV is for programs.
    let (head, line): (_, fn(&BreakRow) -> String) = if as_text {
        (lists::missing_text_head(&row.file_name), lists::missing_text_line)
    } else {
        (lists::MISSING_HEAD.to_owned(), lists::missing_csv_line)
    };
    say_raw(&head);
    each(process, id, "", LineState::MissingHere, |row| say_raw(&line(row))).await?;
    Ok(EXIT_DONE)
}

/// The first business date whose unmatched bookings are still pending, because the network may state them later.
pub(super) fn pending_from(process: &Process, source: &str) -> anyhow::Result<String> {
    Ok(settings_of(process, source)?.terms.pending_from(process.clock.now()))
}

pub(super) async fn totals(process: &Process, id: i64, pending_from: &str) -> anyhow::Result<Totals> {
    let rows = process.store.statement_totals(id, pending_from).await?;
    Ok(store::statements::totals(rows)?)
}
