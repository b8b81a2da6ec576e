//! A statement before it is matched: what would be read of its file, and how far reading is.

use domain::statement::controls::Control;
use domain::statement::format::Format;
use domain::statement::kind_name;
use domain::statement::life::State;
use domain::statement::period::Outlier;
use domain::statement::pieces::{PieceLines, SameReason};
use domain::time::TimestampMs;
use store::statements::StatementRow;

use crate::console::Console;
use crate::console::finance::reports::period as period_words;
use crate::console::shell::answer::PageError;
use crate::console::shell::show::{amount, number, span};
use crate::statements::{First, first_lines};

/// Most lines, errors and days outside of the period in a preview.
const PREVIEW: usize = 20;
/// Statements that are searched for ones that this may supersede.
const OTHERS: i64 = 200;

pub(super) struct PreviewLine {
    pub(super) number: i64,
    pub(super) cells: [String; 8],
}

/// The preview of a file.
pub(super) struct Preview {
    pub(super) lines: Vec<PreviewLine>,
    pub(super) faults: Vec<(String, String)>,
    /// Lines that are no transactions, and what is to be known of others.
    pub(super) asides: Vec<(String, String)>,
    pub(super) marks: Vec<(String, String)>,
    /// How the file is read, and settings that would read more of it.
    pub(super) reading: Vec<String>,
    pub(super) proposals: Vec<String>,
    pub(super) controls: Vec<(&'static str, String)>,
    pub(super) read: String,
    /// The period that is stated or proposed; empty if there is none.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) outliers: Vec<Outlier>,
    /// Number of further days outside of the period, as text.
    pub(super) more_outliers: String,
    /// The question to answer before the import; empty if there is none.
    pub(super) question: String,
    /// Statements that it may supersede.
    pub(super) others: Vec<Other>,
}

/// A statement of the source that counts.
pub(super) struct Other {
    pub(super) id: i64,
    pub(super) words: String,
}

/// Progress of the import.
pub(super) struct Progress {
    pub(super) words: String,
    pub(super) percent: i64,
}

pub(super) async fn previewed(console: &Console, row: &StatementRow) -> Result<Preview, PageError> {
    let format = current_format(console, row);
    let first = first_lines(&console.store, row.id, &format).await?;
    let days = console.store.statement_days(row, &format).await?.unwrap_or_default();
    let today = domain::report::day::BusinessDay::of(TimestampMs(row.received_at), console.timezone);
    let proposal = today.map(|today| days.proposal(today.date())).unwrap_or_default();
    let period = row.period().filter(|_| row.period_stated == 1);
    let question = if period.is_some() { None } else { proposal.question() };
    let (from, to) = period.or(proposal.period).map(|period| (period.from, period.to)).unwrap_or_default();
    let others = console.store.statements(i64::MAX, OTHERS).await?;
    let others = others.into_iter().filter(|other| {
        other.source == row.source
            && other.id != row.id
            && other.stands().is_ok_and(|it| it == State::Matched)
    });
    let more_outliers = proposal.outliers.len().saturating_sub(PREVIEW);
    let First { read, reading } = first.unwrap_or_else(|why| First {
        read: PieceLines { faults: vec![(1, why.to_string())], ..PieceLines::default() },
        reading: Vec::new(),
    });
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
    let of = if row.chunks > 1 { "In the first part of the file, " } else { "" };
    Ok(Preview {
        lines: lines.collect(),
        read: format!(
            "{of}{} lines can be read, {} cannot.",
            number(len(read.lines.len())),
            number(len(read.faults.len()))
        ),
        controls: read
            .controls
            .iter()
            .map(|(_, control, value)| (control.name(), stated(*control, *value)))
            .collect(),
        faults: by_reason(&read.faults),
        asides: by_reason(&read.asides),
        marks: by_reason(&read.marks),
        reading,
        proposals: read.proposals,
        from,
        to,
        outliers: proposal.outliers.into_iter().take(PREVIEW).collect(),
        more_outliers: if more_outliers > 0 { number(len(more_outliers)) } else { String::new() },
        question: question.unwrap_or_default(),
        others: others
            .map(|other| Other {
                id: other.id,
                words: format!("{}, {}", other.file_name, period_words(&other)),
            })
            .collect(),
    })
}

/// Lines and reason, each reason once.
pub(super) fn by_reason(lines: &[(i64, String)]) -> Vec<(String, String)> {
    SameReason::of(lines).into_iter().take(PREVIEW).map(|same| (same.lines(), same.reason)).collect()
}

fn stated(control: Control, value: i64) -> String {
    match control {
        Control::Lines => number(value),
        _ => amount(value),
    }
}

fn len(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// As the settings of today have it: whoever does not like the preview changes them, and looks again.
pub(super) fn current_format(console: &Console, row: &StatementRow) -> Format {
    let of_then = || serde_json::from_str(&row.format).unwrap_or_default();
    console.statements.get(&row.source).map_or_else(of_then, |reading| reading.format.clone())
}

pub(super) async fn progress_of(
    console: &Console,
    row: &StatementRow,
    now: TimestampMs,
) -> Result<Progress, PageError> {
    if row.state == "matching" {
        return Ok(Progress {
            words: "All lines are read; matching them with the ledger.".into(),
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
