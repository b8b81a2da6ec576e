//! The options of a run: flags, then the scenario file, then defaults. `scenario.example.toml` documents the file.

use std::path::{Path, PathBuf};

use sandbox::{MAX_CONNECTIONS, MAX_RATE_PER_S, Mix, Retries};
use serde::Deserialize;

use super::{MAX_HOUR_MS, SandboxArgs};
use crate::config::{BadSettings, Settings};

/// The keys of a scenario file; a flag of the same name overrides each.
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

/// The options in effect.
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
    /// Reads the file of `--scenario`, if given, and applies the flags over it.
    pub(super) fn of(args: &SandboxArgs) -> Result<Self, BadSettings> {
        let file = args.scenario.as_deref().map(read).transpose()?.unwrap_or_default();
        let mix = file.mix.as_deref().map(str::parse::<Mix>).transpose();
        let mix = mix.map_err(|bad| Settings::fault("mix", &bad))?;
        if file.retries.is_some() && file.hour_ms.is_some() {
            return Err(Settings::fault(
                "hour_ms",
                &"cannot be combined with `retries`: leave one of them out",
            ));
        }
        // One of the two on the command line overrides both in the file.
        let (retries, hour_ms) = match (args.retries, args.hour_ms) {
            (None, None) => (file.retries, file.hour_ms),
            said => said,
        };
        let scenario = Self {
            count: args.count.or(file.count).unwrap_or(1_000),
            rate: args.rate.or(file.rate).unwrap_or(100),
            connections: args.connections.or(file.connections).unwrap_or(64),
            seed: args.seed.or(file.seed),
            mix: args.mix.or(mix).unwrap_or_default(),
            retries: retries.unwrap_or(0),
            hour_ms,
            kept: args.kept.clone().or(file.kept),
            statement: args.statement.clone().or(file.statement),
        };
        scenario.check(args.scenario.as_deref())?;
        Ok(scenario)
    }

    /// Checks the bounds of every number, from flag or file.
    fn check(&self, file: Option<&Path>) -> Result<(), BadSettings> {
        let connections = u64::try_from(self.connections).unwrap_or(u64::MAX);
        let most_connections = u64::try_from(MAX_CONNECTIONS).unwrap_or(u64::MAX);
        for (key, value, range) in [
            ("rate", Some(u64::from(self.rate)), 0..=u64::from(MAX_RATE_PER_S)),
            ("connections", Some(connections), 1..=most_connections),
            ("retries", Some(u64::from(self.retries)), 0..=u64::from(Retries::MAX)),
            ("hour_ms", self.hour_ms, 1..=MAX_HOUR_MS),
        ] {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                let whence = file.map(|file| format!(" (flag or {})", file.display())).unwrap_or_default();
                let what =
                    format!("must be between {} and {}, not {value}{whence}", range.start(), range.end());
                return Err(Settings::fault(key, &what));
            }
        }
        Ok(())
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
        assert_eq!(file.mix.expect("a mix").parse(), Ok(Mix::default()));
    }

    /// A command line, as the executable reads it.
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: SandboxArgs,
    }

    fn scenario(file: &str, flags: &[&str]) -> Result<Scenario, BadSettings> {
        use clap::Parser as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("scenario.toml");
        std::fs::write(&path, file).expect("room for a scenario");
        let path = path.to_str().expect("text");
        let line = ["sandbox", "--scenario", path].into_iter().chain(flags.iter().copied());
        Scenario::of(&Line::try_parse_from(line).expect("a sound command line").args)
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_the_defaults() {
        let file = "count = 5\nrate = 6\nretries = 2\nmix = \"honest\"\nkept = \"a\"\n";
        let scenario = scenario(file, &["--rate", "7", "--hour-ms", "50", "--kept", "b"]).expect("sound");
        assert_eq!((scenario.count, scenario.rate, scenario.connections), (5, 7, 64));
        assert_eq!((scenario.retries, scenario.hour_ms), (0, Some(50)), "the two belong together");
        assert_eq!((scenario.mix, scenario.kept), (Mix::HONEST, Some(PathBuf::from("b"))));
    }

    #[test]
    fn a_figure_out_of_its_bounds_is_named_with_them() {
        for (file, flags, expected) in [
            ("hour_ms = 0", &[][..], "`hour_ms` must be between 1 and 3600000, not 0 (flag or "),
            (
                "hour_ms = 9223372036854775807",
                &[],
                "`hour_ms` must be between 1 and 3600000, not 9223372036854775807",
            ),
            ("connections = 0", &[], "`connections` must be between 1 and 1024, not 0"),
            ("", &["--connections", "1025"], "`connections` must be between 1 and 1024, not 1025"),
            ("rate = 1000001", &[], "`rate` must be between 0 and 1000000, not 1000001"),
            ("", &["--retries", "4000000000"], "`retries` must be between 0 and "),
        ] {
            let refused = scenario(file, flags).expect_err(expected).to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn the_network_insists_every_six_hours_and_five_times() {
        let scenario = scenario("hour_ms = 3600000", &[]).expect("sound");
        let retries = super::super::retries(&scenario);
        assert_eq!((retries.count, retries.delay), (5, std::time::Duration::from_hours(6)));
    }

    #[test]
    fn a_key_that_nobody_knows_is_named() {
        let error = toml::from_str::<File>("cuont = 3").expect_err("a slip of the pen");
        assert!(error.to_string().contains("unknown field `cuont`"), "{error}");
    }
}
