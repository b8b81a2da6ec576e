//! A scenario: the flags of the sandbox in a file. `scenario.example.toml` beside this file documents it for people.

use std::path::{Path, PathBuf};

use jobs::sandbox::Mix;
use serde::Deserialize;

use super::SandboxArgs;
use crate::config::{BadSettings, Settings};

/// What a scenario may say; each has a flag that goes before it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    count: Option<u64>,
    rate: Option<u32>,
    connections: Option<usize>,
    seed: Option<u64>,
    mix: Option<String>,
    retries: Option<u32>,
    hour_ms: Option<u64>,
    kept: Option<PathBuf>,
    statement: Option<PathBuf>,
}

/// What is to be done: flags over the scenario over the defaults.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) count: u64,
    pub(super) rate: u32,
    pub(super) connections: usize,
    pub(super) seed: Option<u64>,
    pub(super) mix: Mix,
    pub(super) retries: u32,
    pub(super) hour_ms: Option<u64>,
    pub(super) kept: Option<PathBuf>,
    pub(super) statement: Option<PathBuf>,
}

impl Scenario {
    /// Reads the file that `args` name, if they name one, and lays the flags over it.
    pub(super) fn of(args: &SandboxArgs) -> Result<Self, BadSettings> {
        let file = args.scenario.as_deref().map(read).transpose()?.unwrap_or_default();
        let mix = file.mix.as_deref().map(str::parse::<Mix>).transpose();
        let mix = mix.map_err(|bad| Settings::fault("mix", &bad))?;
        if file.retries.is_some() && file.hour_ms.is_some() {
            return Err(Settings::fault(
                "hour_ms",
                &"goes with the network's own retries: leave `retries` out",
            ));
        }
        // Whoever says one of the two on the command line means that one.
        let (retries, hour_ms) = match (args.retries, args.hour_ms) {
            (None, None) => (file.retries, file.hour_ms),
            said => said,
        };
        Ok(Self {
            count: args.count.or(file.count).unwrap_or(1_000),
            rate: args.rate.or(file.rate).unwrap_or(100),
            connections: args.connections.or(file.connections).unwrap_or(64),
            seed: args.seed.or(file.seed),
            mix: args.mix.or(mix).unwrap_or_default(),
            retries: retries.unwrap_or(0),
            hour_ms,
            kept: args.kept.clone().or(file.kept),
            statement: args.statement.clone().or(file.statement),
        })
    }
}

fn read(path: &Path) -> Result<File, BadSettings> {
    let fault =
        |what: &dyn std::fmt::Display| Settings::fault("--scenario", &format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|why| fault(&why))?;
    toml::from_str(&text).map_err(|why| fault(&why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_says_what_holds_without_it() {
        let file: File = toml::from_str(include_str!("scenario.example.toml")).expect("a sound scenario");
        assert_eq!(
            (file.count, file.rate, file.connections, file.retries),
            (Some(1_000), Some(100), Some(64), Some(0))
        );
        assert!(file.mix.expect("a mix").parse::<Mix>().is_ok());
    }

    #[test]
    fn a_key_that_nobody_knows_is_named() {
        let error = toml::from_str::<File>("cuont = 3").expect_err("a slip of the pen");
        assert!(error.to_string().contains("unknown field `cuont`"), "{error}");
    }
}
