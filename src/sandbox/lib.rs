//! # sandbox: plays the network and the app
//!
//! Invents reward events, signs and sends them, and checks that each had exactly one effect.
//!
//! It never touches the gateway otherwise than from outside: through the publisher's URL, like a network, and through
//! the JSON API, like an app. It never prints: reports and differences are values, with a `Display` for a terminal.
//!
//! ```text
//! Plan (pure, seeded) ──Call──▶ run ──Answer──▶ Report, Expected ──▶ check ──▶ Checked
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `plan` | the calls of a seed in their order, and what is expected of each |
//! | `mix` | which share of the events is of which variety |
//! | `call` | one event, one call, and how it is written as a signed URL |
//! | `template` | the publisher's URL with macros; the signature |
//! | `people`, `addresses` | invented users, their tasks, and where they live |
//! | `send` | carries a plan out; latency counts from the scheduled instant |
//! | `pace` | when each call is due, retries among them; its clock is an argument |
//! | `http` | the one door to the gateway |
//! | [`app`] | the other side: plays the publisher's app, which is told |
//! | `report` | calls by variety and answer, throughput, latencies |
//! | `kept` | what was given up, and sending it again |
//! | `statement` | what the network thinks it sent and owes, as CSV |
//! | `expected` | what the answers bind the gateway to |
//! | `check` | compares that with what the API says |

mod addresses;
pub mod app;
mod call;
mod check;
#[cfg(test)]
mod double;
mod expected;
mod http;
mod kept;
mod mix;
mod pace;
mod people;
mod plan;
mod report;
mod send;
mod statement;
mod template;

pub use call::{Act, Call, Event, Fault, Forgery, Outlook};
pub use check::{CheckError, CheckOptions, Checked, Difference, LISTED_DIFFERENCES, MAX_DEADLINE, check};
pub use expected::Expected;
pub use kept::{Keep, KeepError, Kept, Resent};
pub use mix::{BadMix, Mix, Variety};
pub use pace::Retries;
pub use people::Task;
pub use plan::{BadPlan, Plan, PlanOptions};
pub use report::{Latencies, Report, Tally};
pub use send::{Answer, MAX_CONNECTIONS, MAX_RATE_PER_S, MAX_RETRY_DELAY, RunError, SendOptions, run};
pub use statement::{StatementTotals, mark_delivered, write_statement};
pub use template::{Signer, Template, TemplateError};

/// The wall clock, in unix milliseconds. The only place where the sandbox asks it.
fn clock_ms() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox stands outside the gateway and sends click times"
    )]
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
