//! What finance decides about a statement: accepted differences, payments, and whether it counts.

use anyhow::Context as _;
use domain::actor::Actor;
use domain::money::Micros;
use domain::report::amount::Amount;
use domain::statement::payment;
use store::statements::{Accepted, Paid, Payment, Resolution};
use web::statements;

use super::show::{pending_from, totals};
use crate::commands::say;
use crate::process::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Accepts the difference that `show --state` lists as `subject`.
pub(super) async fn accept(
    process: &Process,
    id: i64,
    subject: String,
    resolution: Resolution,
) -> anyhow::Result<u8> {
    let result = match process.store.accept_difference(id, subject.clone(), resolution).await? {
        Accepted::Done => {
            say(&format!("{subject} is accepted"));
            return Ok(EXIT_DONE);
        }
        Accepted::Before => "is already accepted".to_owned(),
        Accepted::Missing => format!(
            "is not a difference of statement {id}: `rewardgate statement show {id} --state …` lists them"
        ),
    };
    say(&format!("{subject} {result}"));
    Ok(EXIT_FAILED)
}

/// Books a payment of the network; `confirmed` allows more than is open.
pub(super) async fn paid(
    process: &Process,
    id: i64,
    amount: &str,
    resolution: Resolution,
    key: Option<String>,
    confirmed: bool,
) -> anyhow::Result<u8> {
    let amount = payment::parse(amount).map_err(anyhow::Error::msg)?;
    let business_date = resolution.now.business_date(process.settings.timezone);
    let payment = Payment { amount, key, confirmed };
    let done = process.store.pay_statement(id, payment, resolution, business_date).await?;
    let asks = matches!(done, Paid::Asks(_));
    if let Err(why) = statements::paid(id, &done, amount) {
        say(&if asks {
            format!("nothing was booked: {why} with --yes")
        } else {
            format!("nothing was booked: {why}")
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
    say(&format!("{rest} USD of the network's total unpaid"));
    Ok(EXIT_DONE)
}

/// Books the opposite of a payment.
pub(super) async fn take_back(
    process: &Process,
    id: i64,
    payment: i64,
    resolution: Resolution,
) -> anyhow::Result<u8> {
    let business_date = resolution.now.business_date(process.settings.timezone);
    let done = process.store.take_payment_back(id, payment, resolution, business_date).await?;
    say_done(statements::taken_back(id, payment, done), &format!("payment {payment} is reversed"))
}

/// Lets a statement count no longer.
pub(super) async fn discard(process: &Process, id: i64, actor: Actor) -> anyhow::Result<u8> {
    let done = process.store.discard_statement(id, actor, process.clock.now()).await?;
    say_done(statements::discarded(id, &done), &format!("statement {id} is discarded"))
}

/// Lets a superseded statement count again.
pub(super) async fn restore(process: &Process, id: i64, actor: Actor) -> anyhow::Result<u8> {
    let done = process.store.restore_statement(id, actor, process.clock.now()).await?;
    say_done(statements::restored(id, &done), &format!("statement {id} counts again"))
}

/// Prints `sentence`, or fails with the reason why nothing changed.
fn say_done(done: Result<(), String>, sentence: &str) -> anyhow::Result<u8> {
    done.map_err(anyhow::Error::msg)?;
    say(sentence);
    Ok(EXIT_DONE)
}
