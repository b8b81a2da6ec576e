//! `rewardgate statement import --preview`: the first lines of a file, as they would be read.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use domain::statement::pieces::{Cutter, SameReason};
use store::statements::Reading;

use super::{PREVIEW_LINES, READ_LEN, lines, say_reasons};
use crate::commands::say;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Reads the first piece of the file at `path`; exit code 1 if a line of it has an error.
pub(super) fn preview(statements: &Reading, path: &Path) -> anyhow::Result<u8> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
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
    say_reasons("is not a transaction", SameReason::of(&read.asides));
    say_reasons("was read with changes", SameReason::of(&read.marks));
    say_reasons("cannot be read", SameReason::of(&read.faults));
    read.proposals.iter().for_each(|proposal| say(proposal));
    say(&format!("first lines: {} read, {} with errors", lines(read.lines.len()), lines(read.faults.len())));
    Ok(if read.faults.is_empty() { EXIT_DONE } else { EXIT_FAILED })
}
