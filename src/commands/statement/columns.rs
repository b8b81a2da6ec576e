//! `rewardgate statement columns`: proposes `[sources.statement]` for a file, and says what the file leaves open.
//!
//! Standard output is TOML as a whole: all but the section are comments.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use domain::statement::guess::{BookedColumn, Doubt, Guess, Hints, SAMPLE_LEN};
use domain::statement::pieces::{PieceLines, SameReason};
use domain::statement::{StatementLine, kind_name};
use domain::time::TimestampMs;
use serde_json::{Value, json};

use super::{PREVIEW_LINES, lines};
use crate::commands::{say, say_lines, say_raw};
use crate::config::{Settings, Source};
use crate::{EXIT_DONE, EXIT_FAILED, process};

/// A file, and whose it is.
#[derive(Debug, Args)]
pub(crate) struct ColumnsArgs {
    /// CSV file.
    file: PathBuf,
    /// Source whose network wrote the file: its status words are known, and transactions are looked up in its bookings.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Reads the first lines of the file and prints the proposal. Exit code 1 if a person has to decide something before the
/// file can be imported. Imports nothing.
pub(crate) async fn columns(config: Option<&Path>, args: ColumnsArgs) -> anyhow::Result<u8> {
    let settings = args.source.as_ref().map(|_| Settings::load(config)).transpose()?;
    let source = settings.as_ref().zip(args.source.as_deref());
    let source = source.map(|(settings, name)| source_of(settings, name)).transpose()?;
    let (bytes, is_whole) = head(&args.file)?;
    let hints = source.map_or_else(Hints::default, |source| {
        Hints::of(&source.statements.format, source.params.definition())
    });
    let mut guess = Guess::of(&bytes, is_whole, &hints)?;
    let bookings = match settings.as_ref().zip(source) {
        Some((settings, source)) => bookings(settings, source, &guess).await,
        None => Err("no `--source` is given".to_owned()),
    };
    let booked = bookings.map(|bookings| guess.weigh(&bookings));
    let read = if guess.is_complete() { Some(guess.read(&bytes)?) } else { None };
    let is_done = read.as_ref().is_some_and(|read| !read.lines.is_empty());
    if args.json {
        let value = as_json(&guess, is_done, booked.as_deref().unwrap_or_default(), read.as_ref());
        say_raw(&serde_json::to_string_pretty(&value)?);
    } else {
        print(&args.file, &guess, &booked, read.as_ref());
    }
    Ok(if is_done { EXIT_DONE } else { EXIT_FAILED })
}

fn source_of<'s>(settings: &'s Settings, name: &str) -> anyhow::Result<&'s Source> {
    let found = settings.sources.iter().find(|known| known.name == name);
    found.with_context(|| format!("`--source`: `{name}` is not in the settings"))
}

/// The first bytes of a file, and whether they are all.
fn head(path: &Path) -> anyhow::Result<(Vec<u8>, bool)> {
    let cannot = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(cannot)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(SAMPLE_LEN)?.saturating_add(1);
    file.take(most).read_to_end(&mut bytes).with_context(cannot)?;
    let is_whole = bytes.len() <= SAMPLE_LEN;
    bytes.truncate(SAMPLE_LEN);
    Ok((bytes, is_whole))
}

/// When each id of the file was booked; the error says why that is not known.
async fn bookings(
    settings: &Settings,
    source: &Source,
    guess: &Guess,
) -> Result<HashMap<String, TimestampMs>, String> {
    let store = process::open_store(settings, false).await.map_err(|why| format!("{why:#}"))?;
    let looked_up = async {
        store.assert_migrated().await?;
        store.booked_ids(source.name.clone(), guess.ids()).await
    };
    let found = looked_up.await;
    store.close().await;
    found.map_err(|why| why.to_string())
}

fn print(file: &Path, guess: &Guess, booked: &Result<Vec<BookedColumn>, String>, read: Option<&PieceLines>) {
    remark(&format!("{}: the first {}.", file.display(), lines(guess.lines())));
    for column in &guess.columns {
        let field = column.field.map(|field| format!(" = {field}")).unwrap_or_default();
        let examples = if column.examples.is_empty() { "empty" } else { column.examples.as_str() };
        remark(&format!("  {}{field}: {examples}", column.title()));
    }
    match booked {
        Ok(booked) => {
            for column in booked {
                let name = guess.column_name(column.place);
                remark(&format!(
                    "{} of {} in {name} have the id of a booking",
                    column.booked,
                    lines(column.lines)
                ));
            }
        }
        Err(why) => remark(&format!("not compared with bookings: {why}")),
    }
    for note in &guess.notes {
        remark(note);
    }
    say("");
    say_lines(guess.section().trim_end());
    say("");
    for question in questions(&guess.doubts) {
        remark(&question);
    }
    let Some(read) = read else {
        remark(
            "Decide what is left open; then preview the file: rewardgate statement import FILE --source NAME --preview",
        );
        return;
    };
    for line in table(&read.lines) {
        remark(&line);
    }
    for (what, reasons) in [("is not a transaction", &read.asides), ("cannot be read", &read.faults)] {
        for same in SameReason::of(reasons).into_iter().take(PREVIEW_LINES) {
            remark(&format!("line {} {what}: {}", same.lines(), same.reason));
        }
    }
    remark(&format!(
        "With this section {} are read, {} with errors.",
        lines(read.lines.len()),
        lines(read.faults.len())
    ));
}

/// What is left open, each thing once, with the values that are possible.
fn questions(doubts: &[Doubt]) -> Vec<String> {
    let mut asked: Vec<(&str, bool, Vec<String>)> = Vec::new();
    for doubt in doubts {
        let values = doubt.alternatives.iter().map(|value| format!("{} = {value}", doubt.key));
        match asked.iter_mut().find(|(what, ..)| *what == doubt.what) {
            Some((.., known)) => known.extend(values),
            None => asked.push((&doubt.what, doubt.is_required, values.collect())),
        }
    }
    let sentence = |(what, is_required, values): (&str, bool, Vec<String>)| {
        let kind = if is_required { "To decide" } else { "Uncertain" };
        let values =
            if values.is_empty() { String::new() } else { format!(" Possible: {}.", values.join(" | ")) };
        format!("{kind}: {what}{values}")
    };
    asked.into_iter().map(sentence).collect()
}

/// Prints a comment; a line break of the file does not end it.
fn remark(text: &str) {
    say(&format!("# {text}"));
}

const HEADINGS: [&str; 9] =
    ["line", "kind", "amount", "currency", "transaction", "user", "offer", "time", "count"];

/// The first lines as the proposal reads them, in columns of equal width.
fn table(read: &[StatementLine]) -> Vec<String> {
    let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let cells = |line: &StatementLine| {
        [
            line.number.to_string(),
            kind_name(line.kind).to_owned(),
            line.amount.to_string(),
            line.currency.clone(),
            text(line.tx_id.as_deref()),
            text(line.user_id.as_deref()),
            text(line.offer_id.as_deref()),
            line.at.map_or_else(|| "-".to_owned(), TimestampMs::rfc3339),
            line.count.map_or_else(|| "-".to_owned(), |count| count.to_string()),
        ]
    };
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(read.iter().take(PREVIEW_LINES).map(cells));
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let line = |row: &[String; HEADINGS.len()]| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The same for scripts, with stable keys. `section` is TOML.
fn as_json(guess: &Guess, is_done: bool, booked: &[BookedColumn], read: Option<&PieceLines>) -> Value {
    let columns = guess.columns.iter().enumerate().map(|(place, column)| {
        json!({
            "number": column.number,
            "name": column.name,
            "examples": column.examples,
            "field": column.field,
            "booked": booked.iter().find(|booked| booked.place == place).map(|booked| booked.booked),
        })
    });
    let doubts = guess.doubts.iter().map(|doubt| {
        json!({ "key": doubt.key, "what": doubt.what, "alternatives": doubt.alternatives, "required": doubt.is_required })
    });
    let line = |line: &StatementLine| {
        json!({
            "line": line.number,
            "kind": kind_name(line.kind),
            "amount": line.amount.to_string(),
            "currency": line.currency,
            "tx_id": line.tx_id,
            "user_id": line.user_id,
            "offer_id": line.offer_id,
            "time": line.at.map(TimestampMs::rfc3339),
            "count": line.count,
        })
    };
    let first = read.map(|read| read.lines.iter().take(PREVIEW_LINES).map(line).collect::<Vec<_>>());
    json!({
        "complete": is_done,
        "lines": guess.lines(),
        "section": guess.section(),
        "columns": columns.collect::<Vec<_>>(),
        "uncertain": doubts.collect::<Vec<_>>(),
        "notes": guess.notes,
        "read": read.map(|read| read.lines.len()),
        "faults": read.map(|read| read.faults.len()),
        "first": first,
    })
}
