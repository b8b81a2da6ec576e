//! Actions on a statement: import, discard, restore, accept a difference, book a payment.

use domain::statement::{LineState, payment};
use store::statements::{Accepted, Paid, Payment, Resolution, StatementRow};

use super::outcome::Ask;
use super::{Said, none, not_yours, show};
use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, PageError};
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::statements::{self, MAX_WORDS_LEN, NotImported, pending_from};

/// `POST /reports/statements/{id}/import|discard|restore|accept|accept-all|paid|take-back`
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
        "import" => import(console, viewer, request, &row).await?,
        "discard" => match discard(console, viewer, id).await? {
            Ok(()) => return Ok(Answer::To("/reports".into())),
            Err(fault) => Err(fault),
        },
        "restore" => restore(console, viewer, id).await?,
        "accept" => accept(console, viewer, request, id).await?,
        "accept-all" => accept_all(console, viewer, request, &row).await?,
        "paid" => match paid(console, viewer, request, id).await? {
            Ok(()) => Ok(()),
            Err(said) => return show(console, viewer, request, id, said).await,
        },
        "take-back" => take_back(console, viewer, request, id).await?,
        _ => return Ok(none(viewer)),
    };
    match done {
        Ok(()) => {
            let state = request.field("state").map_or_else(String::new, |state| format!("?state={state}"));
            Ok(Answer::To(format!("/reports/statements/{id}{state}")))
        }
        Err(fault) => show(console, viewer, request, id, Said { fault, ask: None }).await,
    }
}

/// `Ok(Ok(()))`: done; `Ok(Err(…))`: refused, with the reason.
type Done = Result<Result<(), String>, PageError>;

async fn import(console: &Console, viewer: &Viewer, request: &Request, row: &StatementRow) -> Done {
    // If somebody else imported it first, the page shows the progress.
    if row.stands()?.is_worked_on() {
        return Ok(Ok(()));
    }
    let import = statements::Import {
        from: request.field("from"),
        to: request.field("to"),
        supersedes: request.field("supersedes"),
        actor: &viewer.actor(),
        now: console.clock.now(),
    };
    let done = statements::import(&console.store, &console.statements, row, import).await?;
    Ok(done.map_err(|not| match not {
        NotImported::Invalid(why) | NotImported::Conflict(why) => format!("Nothing was imported: {why}."),
    }))
}

async fn discard(console: &Console, viewer: &Viewer, id: i64) -> Done {
    let done = console.store.discard_statement(id, viewer.actor(), console.clock.now()).await?;
    Ok(statements::discarded(id, &done).map_err(|why| format!("Nothing was discarded: {why}.")))
}

async fn restore(console: &Console, viewer: &Viewer, id: i64) -> Done {
    let done = console.store.restore_statement(id, viewer.actor(), console.clock.now()).await?;
    Ok(statements::restored(id, &done).map_err(|why| format!("Nothing was changed: {why}.")))
}

fn word(console: &Console, viewer: &Viewer, request: &Request, field: &str) -> Result<Resolution, String> {
    let reason = request.field(field).unwrap_or_default();
    if reason.is_empty() || reason.len() > MAX_WORDS_LEN {
        return Err("Nothing was changed: a reason or note is required, at most 4,096 bytes.".into());
    }
    Ok(Resolution { actor: viewer.actor(), reason: reason.to_owned(), now: console.clock.now() })
}

async fn accept(console: &Console, viewer: &Viewer, request: &Request, id: i64) -> Done {
    let word = match word(console, viewer, request, "reason") {
        Ok(word) => word,
        Err(fault) => return Ok(Err(fault)),
    };
    let subject = request.field("subject").unwrap_or_default().to_owned();
    Ok(match console.store.accept_difference(id, subject.clone(), word).await? {
        Accepted::Done => Ok(()),
        Accepted::Before => Err(format!("{subject} is already accepted.")),
        Accepted::Missing => Err(format!("{subject} is no longer open.")),
    })
}

async fn accept_all(console: &Console, viewer: &Viewer, request: &Request, row: &StatementRow) -> Done {
    let word = match word(console, viewer, request, "reason") {
        Ok(word) => word,
        Err(fault) => return Ok(Err(fault)),
    };
    let Some(state) = request.field("state").and_then(LineState::parse) else {
        return Ok(Err("Nothing was changed: select a state.".into()));
    };
    let pending_from = pending_from(&console.statements, &row.source, console.clock.now());
    console.store.accept_differences(row.id, pending_from, state, word).await?;
    Ok(Ok(()))
}

/// The payment is booked; or what is shown instead: a fault, or the question whether it is really meant.
async fn paid(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: i64,
) -> Result<Result<(), Said>, PageError> {
    let said = |fault: String| Ok(Err(Said { fault: format!("Nothing was booked: {fault}."), ask: None }));
    let text = request.field("amount").unwrap_or_default();
    let amount = match payment::parse(text) {
        Ok(amount) => amount,
        Err(why) => return said(why),
    };
    let word = match word(console, viewer, request, "note") {
        Ok(word) => word,
        Err(fault) => return Ok(Err(Said { fault, ask: None })),
    };
    let key = request.field("key").map(str::to_owned);
    if key.as_ref().is_some_and(|key| key.len() > MAX_WORDS_LEN) {
        return said("the form's key is too long".into());
    }
    let business_date = word.now.business_date(console.timezone);
    let note = word.reason.clone();
    let payment = Payment { amount, key: key.clone(), confirmed: request.field("confirm") == Some("yes") };
    let done = console.store.pay_statement(id, payment, word, business_date).await?;
    match statements::paid(id, &done, amount) {
        Ok(()) => Ok(Ok(())),
        Err(words) if matches!(done, Paid::Asks(_)) => {
            let ask = Ask { words, amount: text.to_owned(), note, key: key.unwrap_or_default() };
            Ok(Err(Said { fault: String::new(), ask: Some(ask) }))
        }
        Err(why) => said(why),
    }
}

async fn take_back(console: &Console, viewer: &Viewer, request: &Request, id: i64) -> Done {
    let word = match word(console, viewer, request, "reason") {
        Ok(word) => word,
        Err(fault) => return Ok(Err(fault)),
    };
    let Some(payment) = request.field("payment").and_then(|text| text.parse().ok()) else {
        return Ok(Err("Nothing was booked: select a payment.".into()));
    };
    let business_date = word.now.business_date(console.timezone);
    let done = console.store.take_payment_back(id, payment, word, business_date).await?;
    Ok(statements::taken_back(id, payment, done).map_err(|why| format!("Nothing was booked: {why}.")))
}
