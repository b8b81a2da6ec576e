//! `rewardgate networks`: the networks that are known, one of them in words, and one of them on a captured call. None of
//! this needs a settings file or a database.

mod list;
mod show;
mod test;

use std::path::Path;

use clap::Subcommand;
use domain::postback::networks::{Definition, shipped};
use domain::text::is_similar;

use super::bad_usage;
use crate::config::{DEFAULT_FILE, Settings, own_networks_alone};
use test::TestArgs;

/// What to do with networks.
#[derive(Debug, Subcommand)]
pub(crate) enum NetworksCommand {
    /// List the networks that ship and those of the settings.
    List {
        /// Print an array of name, title and confirmed.
        #[arg(long)]
        json: bool,
    },
    /// Show a network: URL to paste, macros, kinds, signature, coverage, answers, retries. Exit code 2 if a file has
    /// faults.
    Show {
        /// Name of a network, or a definition's file (.toml).
        name: String,
        /// Print the definition as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Try a network's definition on a captured call: which lines match, whether the signature verifies, and what the
    /// call would become. Records nothing. Exit code 1 if it would be refused or quarantined.
    Test(Box<TestArgs>),
}

/// Runs `command` with whatever settings can be read.
pub(crate) fn networks(config: Option<&Path>, command: NetworksCommand) -> anyhow::Result<u8> {
    let known = Known::load(config);
    match command {
        NetworksCommand::List { json } => list::list(&known, json),
        NetworksCommand::Show { name, json } => show::show(&known, &name, json),
        NetworksCommand::Test(args) => test::test(&known, &args),
    }
}

/// The settings, if they can be read, and the networks that are known with them.
struct Known {
    settings: Option<Settings>,
    own: Vec<Definition>,
}

impl Known {
    /// Faults of settings that exist are told on standard error; most of this works without them.
    fn load(config: Option<&Path>) -> Self {
        let bad = match Settings::load(config) {
            Ok(settings) => return Self { own: settings.networks.clone(), settings: Some(settings) },
            Err(bad) => bad,
        };
        let file = config.unwrap_or(Path::new(DEFAULT_FILE));
        if config.is_none() && !file.exists() {
            return Self { settings: None, own: Vec::new() };
        }
        let bad = domain::text::visible_lines(&bad.to_string()).into_owned();
        eprintln!("{bad}\nGoing on with the networks that ship and those of `networks` that can be read.");
        let own = std::fs::read_to_string(file).map(|text| own_networks_alone(&text)).unwrap_or_default();
        Self { settings: None, own }
    }

    /// The definitions of the settings.
    fn own(&self) -> &[Definition] {
        &self.own
    }

    /// Those of the settings, then those that ship; each name once.
    fn all(&self) -> Vec<Definition> {
        let own = self.own();
        let shipped = shipped::names().filter_map(|name| shipped::definition(name)?.ok());
        let shipped = shipped.filter(|other| own.iter().all(|own| own.name != other.name));
        own.iter().cloned().chain(shipped).collect()
    }

    /// The network of that name or in that file; the error has every fault of the file.
    fn find(&self, name: &str) -> anyhow::Result<Definition> {
        if is_file_name(name) {
            let text = std::fs::read_to_string(name)
                .map_err(|why| bad_usage(format!("{name} cannot be read: {why}")))?;
            return Definition::parse(name, &text).map_err(|faults| bad_usage(faults.to_string()));
        }
        let all = self.all();
        if let Some(found) = all.iter().find(|definition| definition.name == name) {
            return Ok(found.clone());
        }
        let meant = all.iter().find(|definition| is_similar(name, &definition.name));
        let meant =
            meant.map(|definition| format!(" (did you mean {}?)", definition.name)).unwrap_or_default();
        Err(bad_usage(format!(
            "`{name}` is not a network{meant}: `rewardgate networks list` shows all; a definition of your own is given by \
             its file, e.g. mine.toml"
        )))
    }
}

fn is_file_name(name: &str) -> bool {
    name.contains('/') || Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("toml"))
}
