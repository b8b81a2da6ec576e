//! `rewardgate statement`: imports the network's statement, shows what differs, accepts it, books what was paid.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use domain::access::Role;
use domain::actor::Actor;
use domain::money::Micros;
use domain::report::amount::Amount;
use domain::statement::controls::{self, Gap};
use domain::statement::life::State;
use domain::statement::pieces::{Cutter, SameReason};
use domain::statement::totals::Totals;
use domain::statement::{LineState, payment};
use domain::text::count;
use store::statements::notes::NoteKind;
use store::statements::{Accepted, BreakRow, Paid, Payment, Reading, Resolution, StatementRow, TakenBack};

use web::statements::{self, lists};

use super::{acting, import, say, say_raw};
use crate::cli::StatementCommand;
use crate::roles::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// How much of a file is read at once, in bytes.
pub(super) const READ_LEN: usize = 64 * 1_024;
/// How many lines a preview shows.
const PREVIEW_LINES: usize = 10;
/// How many differences are read at once.
const PAGE: i64 = 1_000;

/// Does what `command` says.
pub(crate) async fn statement(process: &Process, command: StatementCommand) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    match command {
        StatementCommand::Import { file, source, from, to, preview: true, .. } => {
            anyhow::ensure!(from.is_none() && to.is_none(), "`--preview` reads lines, whatever their days");
            preview(&settings_of(process, &source)?, &file)
        }
        StatementCommand::Import { file, source, from, to, supersedes, preview: false } => {
            let reading = settings_of(process, &source)?;
            let said = import::Said { source, from, to, supersedes };
            match import::import(process, &file, &reading, said).await? {
                Some(id) => show(process, id).await,
                None => Ok(EXIT_FAILED),
            }
        }
        StatementCommand::Show { id, state: None } => show(process, id).await,
        StatementCommand::Show { id, state: Some(state) } => list(process, id, &state).await,
        StatementCommand::Missing { id, text } => missing(process, id, text).await,
        StatementCommand::Accept { id, subject, actor, reason } => {
            accept(process, id, subject, actor, reason).await
        }
        StatementCommand::Paid { id, amount, actor, note, key, yes } => {
            let word = word(process, &actor, note).await?;
            paid(process, id, &amount, word, key, yes).await
        }
        StatementCommand::TakeBack { id, payment, actor, reason } => {
            let word = word(process, &actor, reason).await?;
            take_back(process, id, payment, word).await
        }
        StatementCommand::Discard { id, actor } => {
            let actor = controller(process, &actor).await?;
            let done = process.store.discard_statement(id, actor, process.clock.now()).await?;
            told(statements::discarded(id, &done), &format!("statement {id} is discarded"))
        }
        StatementCommand::Restore { id, actor } => {
            let actor = controller(process, &actor).await?;
            let done = process.store.restore_statement(id, actor, process.clock.now()).await?;
            told(statements::restored(id, &done), &format!("statement {id} counts again"))
        }
    }
}

/// The person who settles, whom `--as` names.
async fn controller(process: &Process, name: &str) -> anyhow::Result<Actor> {
    acting::named(process, name, Role::may_settle, "settle statements").await
}

/// Says that it is done, or why not.
fn told(done: Result<(), String>, words: &str) -> anyhow::Result<u8> {
    done.map_err(anyhow::Error::msg)?;
    say(words);
    Ok(EXIT_DONE)
}

fn settings_of(process: &Process, source: &str) -> anyhow::Result<Reading> {
    let found = process.settings.sources.iter().find(|known| known.name == source);
    let found = found.with_context(|| format!("`--source`: `{source}` is not in the settings"))?;
    Ok(found.statements.clone())
}

fn preview(statements: &Reading, path: &Path) -> anyhow::Result<u8> {
    let mut file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let (mut bytes, mut cutter) = (vec![0; READ_LEN], Cutter::new(statements.format.clone()));
    let first = loop {
        let read = file.read(&mut bytes)?;
        let pieces = match read {
            0 => break cutter.finish()?.into_iter().next(),
            _ => cutter.push(bytes.get(..read).unwrap_or_default())?,
        };
        if let Some(piece) = pieces.into_iter().next() {
            break Some(piece);
        }
    };
    let piece = first.context("the file is empty")?;
    let reader = statements.format.reader_of(&piece.content)?;
    let read = statements.format.read(&reader, &piece);
    reader.description().iter().for_each(|sentence| say(sentence));
    for line in read.lines.iter().take(PREVIEW_LINES) {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        say(&format!(
            "line {}: {} {} {} of user {}, offer {}, on {}, transaction {}",
            line.number,
            domain::statement::kind_name(line.kind),
            line.amount,
            line.currency,
            text(&line.user_id),
            text(&line.offer_id),
            text(&line.day),
            text(&line.tx_id),
        ));
    }
    say_reasons("is no transaction", SameReason::of(&read.asides));
    say_reasons("is not read quite as it stands there", SameReason::of(&read.marks));
    say_reasons("cannot be read", SameReason::of(&read.faults));
    read.proposals.iter().for_each(|proposal| say(proposal));
    say(&format!("of the beginning: {} read, {} faulty", lines(read.lines.len()), lines(read.faults.len())));
    Ok(if read.faults.is_empty() { EXIT_DONE } else { EXIT_FAILED })
}

/// Says what is the matter with lines, each reason once.
fn say_reasons(what: &str, reasons: Vec<SameReason>) {
    for same in reasons.into_iter().take(PREVIEW_LINES) {
        say(&format!("line {} {what}: {}", same.lines(), same.reason));
    }
}

fn lines(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX), "line")
}

/// From which business date on bookings of `source` that no line has are only pending.
fn pending_from(process: &Process, source: &str) -> anyhow::Result<String> {
    Ok(settings_of(process, source)?.terms.pending_from(process.clock.now()))
}

async fn totals(process: &Process, id: i64, pending_from: &str) -> anyhow::Result<Totals> {
    let rows = process.store.statement_totals(id, pending_from).await?;
    Ok(store::statements::totals(rows)?)
}

async fn show(process: &Process, id: i64) -> anyhow::Result<u8> {
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
        say(&format!("it cannot be read: {failure}"));
        say(&format!("change the settings and import the file again, or `statement discard {id}`"));
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
    for (what, kind) in
        [("is no transaction", NoteKind::Aside), ("is not read quite as it stands there", NoteKind::Mark)]
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
            "DOES NOT ADD UP: {}: the file says {}, its lines come to {}",
            gap.what, gap.stated, gap.found
        ));
    }
    if let Some(newer) = row.superseded_by {
        say(&format!("statement {newer} counts instead: `statement restore {id}` lets both count"));
    }
    if let Some(before) = process.store.statement_before(id).await? {
        say(&format!("it counts instead of statement {before}: `statement discard {id}` undoes that"));
    }
    let payments = process.store.statement_payments(id).await?;
    for row in &payments {
        let more = match (row.takes_back, row.taken_back_by) {
            (Some(other), _) => format!(", takes payment {other} back"),
            (None, Some(other)) => format!(", taken back by {other}"),
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
        say(&format!("paid {paid} USD: {rest} USD of theirs not paid"));
    }
    anyhow::ensure!(totals.ties_out(), "the parts are not the whole");
    let agreed = row.stands()? == State::Matched && totals.open_count == 0 && faulty == 0 && gaps.is_empty();
    Ok(if agreed { EXIT_DONE } else { EXIT_FAILED })
}

/// What the file says of itself and its lines do not come to.
async fn gaps(process: &Process, row: &StatementRow) -> anyhow::Result<Vec<Gap>> {
    let currency = settings_of(process, &row.source)?.format.currency;
    let (stated, read) = process.store.statement_controls(row.id, &currency).await?;
    Ok(controls::gaps(&stated, read))
}

/// Every difference of one state, page by page.
async fn each(
    process: &Process,
    id: i64,
    pending_from: &str,
    state: LineState,
    mut tell: impl FnMut(&BreakRow),
) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let page = process.store.statement_breaks(id, pending_from, state, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.place;
        page.iter().for_each(&mut tell);
    }
}

async fn list(process: &Process, id: i64, state: &str) -> anyhow::Result<u8> {
    let names: Vec<_> = LineState::ALL.into_iter().map(LineState::name).collect();
    let state =
        LineState::parse(state).with_context(|| format!("`--state` is one of: {}", names.join(", ")))?;
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

async fn missing(process: &Process, id: i64, as_text: bool) -> anyhow::Result<u8> {
    let row = process.store.statement(id).await?.with_context(|| format!("there is no statement {id}"))?;
    // Both are what others read: the letter is clean already, the table is for programs.
    let (head, line): (_, fn(&BreakRow) -> String) = if as_text {
        (lists::missing_text_head(&row.file_name), lists::missing_text_line)
    } else {
        (lists::MISSING_HEAD.to_owned(), lists::missing_csv_line)
    };
    say_raw(&head);
    each(process, id, "", LineState::MissingHere, |row| say_raw(&line(row))).await?;
    Ok(EXIT_DONE)
}

async fn accept(
    process: &Process,
    id: i64,
    subject: String,
    actor: String,
    reason: String,
) -> anyhow::Result<u8> {
    let word = word(process, &actor, reason).await?;
    let said = match process.store.accept_difference(id, subject.clone(), word).await? {
        Accepted::Done => {
            say(&format!("{subject} is accepted"));
            return Ok(EXIT_DONE);
        }
        Accepted::Before => "was accepted already",
        Accepted::Missing => "is no difference of this statement: `statement show ID --state …` lists them",
    };
    say(&format!("{subject} {said}"));
    Ok(EXIT_FAILED)
}

async fn paid(
    process: &Process,
    id: i64,
    amount: &str,
    word: Resolution,
    key: Option<String>,
    confirmed: bool,
) -> anyhow::Result<u8> {
    let amount = payment::parse(amount).map_err(anyhow::Error::msg)?;
    let business_date = word.now.business_date(process.settings.timezone);
    let payment = Payment { amount, key, confirmed };
    let done = process.store.pay_statement(id, payment, word, business_date).await?;
    let asks = matches!(done, Paid::Asks(_));
    if let Err(why) = statements::paid(id, &done, amount) {
        say(&if asks {
            format!("nothing is booked: {why} by --yes")
        } else {
            format!("nothing is booked: {why}")
        });
        return Ok(EXIT_FAILED);
    }
    let is_new = done == Paid::Booked;
    say(&format!(
        "{} USD {} as paid",
        Micros(amount.micros()),
        if is_new { "are booked" } else { "were booked before" }
    ));
    let row = process.store.statement(id).await?.with_context(|| format!("there is no statement {id}"))?;
    let totals = totals(process, id, &pending_from(process, &row.source)?).await?;
    let rest = totals.theirs - Amount(process.store.statement_paid(id).await?.0);
    say(&format!("{rest} USD of theirs not paid"));
    Ok(EXIT_DONE)
}

async fn take_back(process: &Process, id: i64, payment: i64, word: Resolution) -> anyhow::Result<u8> {
    let business_date = word.now.business_date(process.settings.timezone);
    let done: TakenBack = process.store.take_payment_back(id, payment, word, business_date).await?;
    told(statements::taken_back(id, payment, done), &format!("payment {payment} is taken back"))
}

async fn word(process: &Process, actor: &str, reason: String) -> anyhow::Result<Resolution> {
    anyhow::ensure!(!reason.trim().is_empty(), "a reason is required: say why, in words");
    let actor = controller(process, actor).await?;
    Ok(Resolution { actor, reason, now: process.clock.now() })
}
