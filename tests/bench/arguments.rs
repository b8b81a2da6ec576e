//! What the command line asks for. An unknown word is an error that lists the known ones.

use crate::sections::Section;
use crate::sizes::Extent;

/// The databases that can be measured.
const DATABASES: [&str; 2] = ["sqlite", "postgres"];

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Acknowledged, decided and delivered, round by round.
    Rounds,
    /// Deliveries alone.
    Deliveries,
    /// The report of a day, and what callers notice of it.
    Report,
    /// Deciding while the tables grow.
    Growth,
    /// Everything in one table.
    Table,
}

/// The command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) mode: Mode,
    /// Both, unless some are named.
    pub(crate) databases: Vec<&'static str>,
    /// `--rewards`.
    pub(crate) rewards: Option<u64>,
    pub(crate) extent: Extent,
    /// All that `extent` has, unless some are named.
    pub(crate) sections: Vec<Section>,
}

impl Arguments {
    /// Reads `words`: the command line without the program's name.
    pub(crate) fn read(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut words: Vec<String> = words.into_iter().filter(|word| word != "--bench").collect();
        let rewards = take_number(&mut words, "--rewards")?;
        let has = |name: &str| words.iter().any(|word| word == name);
        let mode = if has("table") {
            Mode::Table
        } else {
            let modes =
                [("deliveries", Mode::Deliveries), ("report", Mode::Report), ("growth", Mode::Growth)];
            let mut named = modes.into_iter().filter(|(name, _)| has(name)).map(|(_, mode)| mode);
            let first = named.next();
            if named.next().is_some() {
                return Err(format!("one thing at a time\n{}", known()));
            }
            first.unwrap_or(Mode::Rounds)
        };
        let extent = Extent::ALL.into_iter().find(|extent| has(extent.name())).unwrap_or(Extent::Full);
        let mut arguments = Self { mode, databases: Vec::new(), rewards, extent, sections: Vec::new() };
        for word in &words {
            arguments.take(word).ok_or_else(|| format!("unknown: `{word}`\n{}", known()))?;
        }
        if arguments.databases.is_empty() {
            arguments.databases = DATABASES.to_vec();
        }
        if arguments.sections.is_empty() {
            arguments.sections = extent.sections();
        }
        Ok(arguments)
    }

    /// Takes one word; `None` if it means nothing in this mode.
    fn take(&mut self, word: &str) -> Option<()> {
        if let Some(database) = DATABASES.into_iter().find(|database| *database == word) {
            self.databases.push(database);
            return Some(());
        }
        if self.mode != Mode::Table {
            return ["deliveries", "report", "growth"].contains(&word).then_some(());
        }
        if word == "table" || word == self.extent.name() {
            return Some(());
        }
        self.sections.push(Section::ALL.into_iter().find(|section| section.name() == word)?);
        Some(())
    }
}

/// Takes `name` and the number behind it out of `words`.
fn take_number(words: &mut Vec<String>, name: &str) -> Result<Option<u64>, String> {
    let Some(at) = words.iter().position(|word| word == name) else { return Ok(None) };
    let number = words.get(at + 1).and_then(|number| number.replace('_', "").parse().ok());
    let number = number.filter(|number| *number > 0);
    let number = number.ok_or_else(|| format!("`{name}` needs a number above zero\n{}", known()))?;
    words.drain(at..=at + 1);
    Ok(Some(number))
}

/// Everything that can be said.
fn known() -> String {
    let sections = Section::ALL.map(Section::name).join(" | ");
    let extents = Extent::ALL.map(Extent::name).join(" | ");
    format!(
        "known:\n  [{databases}] [--rewards N]\n  [{databases}] deliveries\n  [{databases}] report [--rewards N]\n  \
         [{databases}] growth [--rewards N]\n  [{databases}] table [{extents}] [{sections}]… [--rewards N]",
        databases = DATABASES.join(" | "),
    )
}
