//! A population with known truth: honest users and schemes of fraud, and what a network would log of them.
//!
//! Pure: the same seed, size and population give the same calls. Memory holds the users and the calls to come, never the
//! log.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Persona`] | who is behind a completion |
//! | `population`, `bounds` | the parameters, and between what each must be |
//! | `chance` | seeded draws |
//! | `offers`, `places`, `people` | what is done, where, by whom |
//! | `world` | all of them, and the calls to come |
//! | `honest`, `gangs` | what honest users and fraud do on a day |
//! | `schedule` | day by day, in order of time |
//! | `log` | each call as the network signs and sends it |
//! | `writing` | the log and the truth as files |

mod bounds;
mod chance;
mod gangs;
mod honest;
mod line;
mod log;
mod offers;
mod people;
mod persona;
mod places;
mod population;
mod schedule;
mod world;
mod writing;

pub use bounds::BadPopulation;
pub use line::{Act, Completion, Line};
pub use log::{Log, LogError, Logged};
pub use persona::Persona;
pub use places::HOSTING;
pub use population::Population;
pub use schedule::{Extent, MAX_DAYS, MAX_EVENTS};
pub use writing::{Form, Truth};

#[cfg(test)]
mod tests;
