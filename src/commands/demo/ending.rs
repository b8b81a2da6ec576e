//! The end of the demo: the last postbacks are processed and delivered, and the balances of both sides are compared.

use std::time::Duration;

use domain::money::Micros;
use sandbox::app::App;

use super::APP;
use super::totals::Totals;
use crate::commands::say;
use crate::process::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Maximum time for the last postbacks to be processed.
const PROCESSING_DEADLINE: Duration = Duration::from_secs(5);
/// Maximum time for the last deliveries to reach the app.
const DELIVERY_DEADLINE: Duration = Duration::from_secs(15);
/// Users whose balances are printed even if they agree.
const SHOWN_USERS: usize = 5;

/// Waits until the inbox is empty, at most [`PROCESSING_DEADLINE`].
pub(super) async fn inbox_is_empty(process: &Process) {
    let empty = async {
        while process.store.inbox_depth().await.is_ok_and(|depth| depth.waiting > 0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(PROCESSING_DEADLINE, empty).await;
}

/// Waits until everything is delivered to the app, at most [`DELIVERY_DEADLINE`].
pub(super) async fn app_is_up_to_date(process: &Process) {
    let delivered = async {
        while process.store.backlog().await.is_ok_and(|backlog| !backlog.is_empty()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let _ = tokio::time::timeout(DELIVERY_DEADLINE, delivered).await;
}

/// Prints totals, balances and the proof of the books. Exit code 1 if balances differ or the books are not proven.
pub(super) async fn farewell(process: &Process, totals: &Totals, app: &App) -> anyhow::Result<u8> {
    say("");
    say(&totals.line());
    let agree = compare(process, totals, app).await?;
    let proof = process.store.prove().await?;
    process.store.close().await;
    if proof.is_proven() {
        say(&format!("books proven: {} accounts from {} transfers", proof.accounts, proof.transfers));
    } else {
        say("the books are NOT proven");
    }
    Ok(if proof.is_proven() && agree { EXIT_DONE } else { EXIT_FAILED })
}

/// Prints the balances of the app beside ours; true if all agree.
async fn compare(process: &Process, totals: &Totals, app: &App) -> anyhow::Result<bool> {
    let theirs = app.balances();
    let mut users = totals.users();
    users.extend(theirs.keys().cloned());
    say("");
    say(&format!("  {:<16}{:>14}{:>14}", "balance of", "the app", "RewardGate"));
    let mut differing = 0;
    for (number, user) in users.iter().enumerate() {
        let ours = process.store.balances(APP, user).await?;
        let ours = Micros(ours.iter().map(|balance| balance.balance_micros).sum());
        let theirs = theirs.get(user).copied().unwrap_or_default();
        differing += usize::from(ours != theirs);
        if number < SHOWN_USERS || ours != theirs {
            say(&format!(
                "  {user:<16}{theirs:>14}{ours:>14}",
                theirs = theirs.to_string(),
                ours = ours.to_string()
            ));
        }
    }
    let (calls, events) = (app.calls(), app.booked());
    say(&format!("  the app received {events} events in {calls} calls, and booked each once"));
    say(&match differing {
        0 => format!("  all {} users have the same balance on both sides", users.len()),
        _ => format!("  {differing} of {} users do NOT have the same balance on both sides", users.len()),
    });
    Ok(differing == 0)
}
