//! What people say of a statement: read it, forget it, accept this, so much was paid.

use domain::statement::LineState;
use store::statements::{Accepted, StatementRow, Word};

use super::waiting::current_format;
use super::{none, not_yours, show};
use crate::console::Console;
use crate::console::answer::{Answer, Answered, PageError};
use crate::console::request::Request;
use crate::console::session::Viewer;
use crate::statements::{MAX_WORDS_LEN, paid_amount, pending_from};

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
    let pending_from = pending_from(&console.statements, &row.source, console.clock.now());
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
