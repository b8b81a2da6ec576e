//! `/reports/statements/{id}`: a network's own statement: what would be read of it, how far it is, what it comes to,
//! and every line.

use askama::Template;
use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::controls::Gap;
use domain::statement::format::Format;
use domain::statement::kind_name;
use domain::statement::pieces::{Piece, PieceLines};
use domain::time::TimestampMs;
use store::statements::{Accepted, BreakRow, StatementRow, Word};
use warp::Reply;

use super::Console;
use super::answer::{Answer, Answered, PageError, page as render};
use super::frame::{Frame, refusal};
use super::reports::StatementView;
use super::request::Request;
use super::session::Viewer;
use super::show::{Moment, amount, moment, number, short, span, usd};
use crate::api::statements::{list_file, paid_amount};
use crate::export;
use crate::files::{CSV, XLSX, download};
use crate::statements::{Known, known, lists, workbook};

/// How many lines of a file a preview shows, and how many faults.
const PREVIEW: usize = 20;
/// How many lines of a state one page shows.
const PAGE: i64 = 100;
/// How many differences from the version before are shown.
const CHANGES: i64 = 200;
/// How many lines that cannot be read are shown.
const FAULTS: i64 = 50;
/// The longest reason or note, in bytes.
const MAX_WORDS_LEN: usize = 4_096;

struct PreviewLine {
    number: i64,
    cells: [String; 8],
}

/// What would be read of a file.
struct Preview {
    lines: Vec<PreviewLine>,
    faults: Vec<(i64, String)>,
    controls: Vec<(&'static str, String)>,
    read: String,
}

/// How far it is.
struct Progress {
    words: String,
    percent: i64,
}

struct StateView {
    name: &'static str,
    title: &'static str,
    meaning: &'static str,
    count: String,
    accepted: String,
    theirs: String,
    ours: String,
    difference: String,
    here: bool,
    needs: bool,
}

struct LineView {
    subject: String,
    kind: String,
    tx: String,
    tx_whole: String,
    user: String,
    offer: String,
    when: String,
    rule: &'static str,
    theirs: String,
    ours: String,
    difference: String,
    more: String,
    reward_id: Option<i64>,
    counted_in: Option<i64>,
    accepted: String,
    may_accept: bool,
}

struct Change {
    what: String,
    tx: String,
    kind: String,
    before: String,
    now: String,
}

struct Payment {
    amount: String,
    actor: String,
    at: Moment,
    note: String,
}

/// What a matched statement comes to.
struct Outcome {
    theirs: String,
    ours: String,
    difference: String,
    parts: Vec<(&'static str, String)>,
    open_count: String,
    agrees: bool,
    gaps: Vec<Gap>,
    states: Vec<StateView>,
    state: &'static str,
    state_title: &'static str,
    lines: Vec<LineView>,
    may_accept_all: bool,
    next: String,
    has_missing: bool,
    payments: Vec<Payment>,
    paid: String,
    rest: String,
    changes: Vec<Change>,
    before: Option<i64>,
    read: String,
    faulty: String,
    faults: Vec<(i64, String)>,
}

#[derive(Template)]
#[template(path = "statement.html")]
struct StatementPage {
    frame: Frame,
    statement: StatementView,
    superseded_by: Option<i64>,
    hash: String,
    preview: Option<Preview>,
    progress: Option<Progress>,
    outcome: Option<Outcome>,
    may_settle: bool,
    fault: String,
}

fn none(viewer: &Viewer) -> Answer {
    refusal(
        viewer,
        404,
        "There is no such statement",
        "It may have been discarded. The others stand under Reports.",
    )
}

fn not_yours(viewer: &Viewer) -> Answer {
    refusal(
        viewer,
        403,
        "This is for finance",
        "Nothing was changed: importing, accepting and settling need the role finance or admin.",
    )
}

/// `GET /reports/statements/{id}`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request, id: &str) -> Answered {
    match id.parse() {
        Ok(id) => show(console, viewer, request, id, "").await,
        Err(_) => Ok(none(viewer)),
    }
}

async fn show(console: &Console, viewer: &Viewer, request: &Request, id: i64, fault: &str) -> Answered {
    let now = console.clock.now();
    let row = console.store.statement(id).await?.filter(|row| row.state != "receiving");
    let Some(row) = row else { return Ok(none(viewer)) };
    let (mut preview, mut progress, mut outcome) = (None, None, None);
    match row.state.as_str() {
        "received" => preview = Some(previewed(console, &row).await?),
        "matched" => outcome = outcome_of(console, viewer, request, &row, now).await?,
        _ => progress = Some(progress_of(console, &row, now).await?),
    }
    render(&StatementPage {
        frame: Frame::load(console, viewer, "/reports").await?,
        superseded_by: row.superseded_by,
        hash: row.file_hash.clone().unwrap_or_default(),
        statement: StatementView::of(row, now),
        preview,
        progress,
        outcome,
        may_settle: viewer.may_settle(),
        fault: fault.to_owned(),
    })
}

async fn previewed(console: &Console, row: &StatementRow) -> Result<Preview, PageError> {
    let empty = || Piece { first_line: 1, content: String::new() };
    let piece = console.store.statement_piece(row.id, 0).await?.unwrap_or_else(empty);
    let format = current_format(console, row);
    let read = match format.reader_of(&piece.content) {
        Ok(reader) => format.read(&reader, &piece),
        Err(why) => PieceLines { faults: vec![(1, why)], ..PieceLines::default() },
    };
    let text = |text: Option<String>| text.unwrap_or_else(|| "–".into());
    let lines = read.lines.iter().take(PREVIEW).cloned().map(|line| PreviewLine {
        number: line.number,
        cells: [
            kind_name(line.kind).to_owned(),
            amount(line.amount.0),
            line.currency,
            text(line.tx_id),
            text(line.user_id),
            text(line.offer_id),
            text(line.event_id),
            text(line.at.map(TimestampMs::rfc3339)),
        ],
    });
    let more = if row.chunks > 1 { " of the beginning" } else { "" };
    Ok(Preview {
        lines: lines.collect(),
        read: format!(
            "{} lines{more} can be read, {} cannot.",
            number(len(read.lines.len())),
            number(len(read.faults.len()))
        ),
        controls: read
            .controls
            .iter()
            .map(|(_, control, value)| (control.name(), stated(*control, *value)))
            .collect(),
        faults: read.faults.into_iter().take(PREVIEW).collect(),
    })
}

fn stated(control: domain::statement::controls::Control, value: i64) -> String {
    match control {
        domain::statement::controls::Control::Lines => number(value),
        _ => amount(value),
    }
}

fn len(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// As the settings of today have it: whoever does not like the preview changes them, and looks again.
fn current_format(console: &Console, row: &StatementRow) -> Format {
    let of_then = || serde_json::from_str(&row.format).unwrap_or_default();
    console.statements.get(&row.source).map_or_else(of_then, |reading| reading.format.clone())
}

async fn progress_of(console: &Console, row: &StatementRow, now: TimestampMs) -> Result<Progress, PageError> {
    if row.state == "matching" {
        return Ok(Progress {
            words: "Every line is read; looking for what has no line.".into(),
            percent: 100,
        });
    }
    let first_line = async |seq: i64| -> store::Result<i64> {
        Ok(console.store.statement_piece(row.id, seq).await?.map_or(0, |piece| piece.first_line))
    };
    let (done, all) = (first_line(row.chunks_done).await?, first_line(row.chunks - 1).await?);
    let elapsed_ms = row.begun_at.map_or(0, |begun| now.0 - begun);
    let left = if row.chunks_done > 0 && elapsed_ms > 0 {
        format!(", about {} left", span(elapsed_ms * (row.chunks - row.chunks_done) / row.chunks_done))
    } else {
        String::new()
    };
    Ok(Progress {
        words: format!("{} of about {} lines read{left}.", number(done.max(1) - 1), number(all)),
        percent: row.chunks_done * 100 / row.chunks.max(1),
    })
}

async fn outcome_of(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    row: &StatementRow,
    now: TimestampMs,
) -> Result<Option<Outcome>, PageError> {
    let store = &console.store;
    let Some(known) = known(store, &console.statements, row.id, now).await? else { return Ok(None) };
    let totals = &known.totals;
    // What somebody wants to see, else what needs somebody most.
    let wanted = request.query("state").and_then(LineState::parse);
    let largest = totals.states.iter().filter(|of| of.state.needs_a_person() && of.count > of.accepted_count);
    let largest = largest.max_by_key(|of| (of.theirs - of.ours).0.saturating_abs());
    let chosen = wanted.or(largest.map(|of| of.state)).unwrap_or(LineState::Matched);
    let after = request.query("after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let (mut rows, faults, payments, before) = tokio::try_join!(
        store.statement_breaks(row.id, &known.pending_from, chosen, after, PAGE + 1),
        store.statement_faults(row.id, 0, FAULTS),
        store.statement_payments(row.id),
        store.statement_before(row.id),
    )?;
    let changes = match before {
        Some(before) => store.statement_changes(row.id, before, CHANGES).await?,
        None => Vec::new(),
    };
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let has_more = rows.len() > page;
    rows.truncate(page);
    let next = rows.last().filter(|_| has_more).map_or_else(String::new, |last| {
        format!("/reports/statements/{}?state={}&after={}", row.id, chosen.name(), last.place)
    });
    let rest = totals.theirs - Amount(known.paid_micros);
    let may_settle = viewer.may_settle();
    let is_open = |row: &BreakRow| row.accepted_by.is_none();
    let may_accept = may_settle && (chosen.needs_a_person() || chosen == LineState::PendingThere);
    Ok(Some(Outcome {
        theirs: usd(totals.theirs.0),
        ours: usd(totals.ours.0),
        difference: usd(totals.difference.0),
        parts: [
            ("within tolerance", totals.in_tolerance),
            ("accepted", totals.accepted),
            ("counted in another statement", totals.elsewhere),
            ("pending", totals.pending),
            ("open", totals.open),
        ]
        .map(|(name, part)| (name, usd(part.0)))
        .to_vec(),
        open_count: number(totals.open_count),
        agrees: totals.ties_out() && totals.open_count == 0 && known.gaps.is_empty() && known.faulty == 0,
        states: totals.states.iter().map(|of| state_view(of, chosen)).collect(),
        state: chosen.name(),
        state_title: chosen.title(),
        may_accept_all: may_accept && rows.iter().any(is_open),
        lines: rows.into_iter().map(|row| line_view(row, may_accept)).collect(),
        next,
        has_missing: totals.states.iter().any(|of| of.state == LineState::MissingHere),
        payments: payments
            .into_iter()
            .map(|row| Payment {
                amount: usd(row.amount_micros),
                actor: row.actor,
                at: moment(row.paid_at, now),
                note: row.note,
            })
            .collect(),
        paid: usd(known.paid_micros),
        rest: usd(rest.0),
        changes: changes
            .into_iter()
            .map(|row| Change {
                what: row.change,
                tx: row.tx_id,
                kind: row.kind,
                before: row.before_micros.map_or_else(|| "–".into(), amount),
                now: row.now_micros.map_or_else(|| "–".into(), amount),
            })
            .collect(),
        before,
        read: number(known.lines),
        faulty: number(known.faulty),
        faults,
        gaps: known.gaps,
    }))
}

fn state_view(of: &domain::statement::totals::OfState, chosen: LineState) -> StateView {
    StateView {
        name: of.state.name(),
        title: of.state.title(),
        meaning: of.state.meaning(),
        count: number(of.count),
        accepted: if of.accepted_count > 0 { number(of.accepted_count) } else { String::new() },
        theirs: usd(of.theirs.0),
        ours: usd(of.ours.0),
        difference: usd((of.theirs - of.ours).0),
        here: of.state == chosen,
        needs: of.state.needs_a_person() && of.count > of.accepted_count,
    }
}

/// By which rule, in words.
fn rule_words(rule: &str) -> &'static str {
    match rule {
        "id" => "transaction id and kind",
        "facts" => "user, offer, event and amount",
        "day" => "sum of the day",
        _ => "booked in its days",
    }
}

fn line_view(row: BreakRow, may_accept: bool) -> LineView {
    let difference = row.theirs_micros.saturating_sub(row.ours_micros);
    let stated = if row.line.is_some() && row.currency != "USD" {
        format!("{} {}", amount(row.amount_micros), row.currency)
    } else {
        String::new()
    };
    let closed =
        row.closed_at.map(|at| format!("closed when its postback came, {}", TimestampMs(at).rfc3339()));
    let accepted = match (&row.accepted_by, &row.accepted_reason) {
        (Some(by), Some(reason)) => format!("accepted by {by}: {reason}"),
        _ => String::new(),
    };
    LineView {
        kind: row.kind,
        tx: row.tx_id.as_deref().map_or_else(|| "–".into(), short),
        tx_whole: row.tx_id.unwrap_or_default(),
        user: row.user_id.unwrap_or_else(|| "–".into()),
        offer: row.offer_id.unwrap_or_else(|| "–".into()),
        when: row.day.unwrap_or_else(|| "–".into()),
        rule: rule_words(&row.rule),
        theirs: usd(row.theirs_micros),
        ours: usd(row.ours_micros),
        difference: usd(difference),
        more: closed.unwrap_or(stated),
        reward_id: row.reward_id,
        counted_in: row.counted_in,
        may_accept: may_accept && row.accepted_by.is_none(),
        accepted,
        subject: row.subject,
    }
}

/// `GET /reports/statements/{id}/{file}`
pub(crate) async fn file(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: &str,
    name: &str,
) -> Answered {
    let Ok(id) = id.parse::<i64>() else { return Ok(none(viewer)) };
    let now = console.clock.now();
    let found = known(&console.store, &console.statements, id, now).await?;
    let Some(known) = found.filter(|known| known.row.state != "receiving") else { return Ok(none(viewer)) };
    if let Some(list) = list_file(&console.store, &known, name, request.query("state")) {
        return Ok(Answer::Download(list));
    }
    match name {
        "original.csv" => {
            let body = warp::reply::stream(lists::file(console.store.clone(), id)).into_response();
            Ok(Answer::Download(download(&known.row.file_name, CSV, body)))
        }
        "statement.xlsx" => workbook_of(console, &known).await,
        _ => Ok(none(viewer)),
    }
}

async fn workbook_of(console: &Console, known: &Known) -> Answered {
    let sheets = workbook::sheets(&console.store, known).await?;
    let name = format!("statement-{}.xlsx", known.row.id);
    let bytes = export::xlsx(&format!("Statement {}", known.row.id), &sheets)
        .map_err(|error| PageError::File(error.to_string()))?;
    Ok(Answer::Download(download(&name, XLSX, bytes.into_response())))
}

/// `POST /reports/statements/{id}/import|discard|accept|accept-all|paid`
pub(crate) async fn act(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: &str,
    act: &str,
) -> Answered {
    if !viewer.may_settle() {
        return Ok(not_yours(viewer));
    }
    let Ok(id) = id.parse::<i64>() else { return Ok(none(viewer)) };
    let Some(row) = console.store.statement(id).await? else { return Ok(none(viewer)) };
    let done = match act {
        "import" => import(console, viewer, &row).await?,
        "discard" => {
            console.store.discard_statement(id, viewer.name().to_owned(), console.clock.now()).await?;
            return Ok(Answer::To("/reports".into()));
        }
        "accept" => accept(console, viewer, request, id).await?,
        "accept-all" => accept_all(console, viewer, request, &row).await?,
        "paid" => paid(console, viewer, request, id).await?,
        _ => return Ok(none(viewer)),
    };
    match done {
        Ok(()) => {
            let state = request.field("state").map_or_else(String::new, |state| format!("?state={state}"));
            Ok(Answer::To(format!("/reports/statements/{id}{state}")))
        }
        Err(fault) => show(console, viewer, request, id, &fault).await,
    }
}

/// What a person wanted is done, or why it is not.
type Done = Result<Result<(), String>, PageError>;

async fn import(console: &Console, viewer: &Viewer, row: &StatementRow) -> Done {
    let Ok(format) = serde_json::to_string(&current_format(console, row)) else {
        return Ok(Err("The settings of the source cannot be kept.".into()));
    };
    // Whoever was first has said so: the page tells how far it is.
    console.store.confirm_statement(row.id, format, viewer.name().to_owned(), console.clock.now()).await?;
    Ok(Ok(()))
}

fn word(console: &Console, viewer: &Viewer, request: &Request, field: &str) -> Result<Word, String> {
    let reason = request.field(field).unwrap_or_default();
    if reason.is_empty() || reason.len() > MAX_WORDS_LEN {
        return Err("Nothing was changed: it needs words, of 4,096 bytes at most.".into());
    }
    Ok(Word { actor: viewer.name().to_owned(), reason: reason.to_owned(), now: console.clock.now() })
}

async fn accept(console: &Console, viewer: &Viewer, request: &Request, id: i64) -> Done {
    let word = match word(console, viewer, request, "reason") {
        Ok(word) => word,
        Err(fault) => return Ok(Err(fault)),
    };
    let subject = request.field("subject").unwrap_or_default().to_owned();
    Ok(match console.store.accept_difference(id, subject.clone(), word).await? {
        Accepted::Done => Ok(()),
        Accepted::Before => Err(format!("{subject} was accepted before.")),
        Accepted::Missing => Err(format!("{subject} is no open difference any more.")),
    })
}

async fn accept_all(console: &Console, viewer: &Viewer, request: &Request, row: &StatementRow) -> Done {
    let word = match word(console, viewer, request, "reason") {
        Ok(word) => word,
        Err(fault) => return Ok(Err(fault)),
    };
    let Some(state) = request.field("state").and_then(LineState::parse) else {
        return Ok(Err("Nothing was changed: say which state.".into()));
    };
    let now = console.clock.now();
    let pending_from = console
        .statements
        .get(&row.source)
        .map_or_else(|| "9999-12-31".to_owned(), |reading| reading.terms.pending_from(now));
    console.store.accept_differences(row.id, pending_from, state, word).await?;
    Ok(Ok(()))
}

async fn paid(console: &Console, viewer: &Viewer, request: &Request, id: i64) -> Done {
    let Some(amount) = request.field("amount").and_then(|text| paid_amount(&text.replace(',', ""))) else {
        return Ok(Err(
            "Nothing was booked: the amount must be above zero, with six decimals at most.".into()
        ));
    };
    let word = match word(console, viewer, request, "note") {
        Ok(word) => word,
        Err(fault) => return Ok(Err(fault)),
    };
    let business_date = word.now.business_date(console.timezone);
    let is_booked = console.store.pay_statement(id, amount, word, business_date).await?;
    Ok(if is_booked { Ok(()) } else { Err("Nothing was booked: there is no such statement.".into()) })
}
