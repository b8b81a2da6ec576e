//! # sandbox: plays the network and the app
//!
//! It invents reward events, signs and sends them, and checks that each had exactly one effect.
//!
//! It uses the gateway only from outside: through the publisher's URL, like a network, and through the JSON API, like an
//! app. It never prints: reports and differences are values with a `Display` for a terminal.
//!
//! ```text
//! Plan (pure, seeded) ──Call──▶ run ──Answer──▶ Report, Expected ──▶ check ──▶ Checked
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `plan` | the calls of a seed in order, and what is expected of each |
//! | `mix` | the share of each variety of events |
//! | [`Network`] | the network that is played, and what it lacks |
//! | `call`, `values` | one event, its calls, and what the network says of it in each field |
//! | `template`, `json` | the publisher's URL with macros, and the body |
//! | `signer`, `postback` | the signature, and one call as it travels |
//! | `answer` | the answer to a call, as the network takes it |
//! | [`personas`] | a population with known truth, and the log of its calls |
//! | `people`, `addresses` | invented users, their tasks and addresses |
//! | `send` | sends the calls of a plan; latency counts from the scheduled instant |
//! | `pace` | when each call and retry is due; the clock is an argument |
//! | `http` | the HTTP client |
//! | [`app`] | plays the publisher's app, which receives deliveries |
//! | `report` | calls by variety and answer, throughput, latencies |
//! | `kept` | calls that were given up, and sending them again |
//! | `statement` | the network's own statement, as CSV |
//! | `expected` | the effects that the answers promise |
//! | `check` | compares them with the API |

mod addresses;
mod answer;
pub mod app;
mod call;
mod check;
#[cfg(test)]
mod double;
mod expected;
mod http;
mod json;
mod kept;
mod mix;
mod network;
mod pace;
mod people;
pub mod personas;
mod plan;
mod postback;
mod report;
mod send;
mod signer;
mod statement;
mod template;
mod values;

pub use answer::{Acknowledgement, Answer, Heard};
pub use call::{Act, Call, Event, Fault, Forgery, Outlook};
pub use check::{CheckError, CheckOptions, Checked, Difference, LISTED_DIFFERENCES, MAX_DEADLINE, check};
pub use expected::Expected;
pub use kept::{Keep, KeepError, Kept, Resent};
pub use mix::{BadMix, Mix, Variety};
pub use network::Network;
pub use pace::Retries;
pub use people::Task;
pub use plan::{BadPlan, Plan, PlanOptions};
pub use postback::Postback;
pub use report::{Latencies, Report, Tally};
pub use send::{MAX_CONNECTIONS, MAX_RATE_PER_S, MAX_RETRY_DELAY, RunError, SendOptions, run};
pub use signer::{Secrets, Signer, SignerError};
pub use statement::{StatementTotals, mark_delivered, write_statement};
pub use template::{Template, TemplateError};

/// The wall clock, in unix milliseconds; the only place where the sandbox reads it.
fn clock_ms() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox stands outside the gateway and sends click times"
    )]
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
