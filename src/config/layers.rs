//! Defaults, file and environment, read key by key, so that all errors are found at once.

use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, error::Kind};
use serde::de::DeserializeOwned;

use super::sources::reference;
use super::{Environment, secrecy};

/// Prefix of our environment variables.
pub(super) const ENV_PREFIX: &str = "REWARDGATE_";

/// Every key with its default: the lowest layer.
pub(super) const EXAMPLE: &str = include_str!("rewardgate.example.toml");

/// The settings file, overridden by the environment: `REWARDGATE_PUBLIC_URL` is `public_url`, with the same syntax as in
/// the file.
pub(super) fn layered(file: &str, environment: Environment) -> Figment {
    let file = Figment::from(Toml::string(file));
    match environment {
        Environment::Counts => file.merge(Env::prefixed(ENV_PREFIX).ignore(&["config"])),
        Environment::Ignored => file,
    }
}

/// The defaults in an example file. A section that is commented out, with `# ` before each line, has defaults too: they
/// apply when the settings have that section.
pub(super) fn defaults(example: &str) -> Result<Dict, String> {
    let mut in_section = false;
    let text: String = example.lines().fold(String::new(), |text, line| {
        in_section = is_commented_header(line) || in_section && line.starts_with("# ");
        let line = if in_section { line.strip_prefix("# ").unwrap_or(line) } else { line };
        text + line + "\n"
    });
    let figment = Figment::from(Toml::string(&text));
    figment.extract().map_err(|why| format!("the built-in defaults cannot be read: {why}"))
}

/// `# [mail]`
fn is_commented_header(line: &str) -> bool {
    let name = line.strip_prefix("# [").and_then(|rest| rest.strip_suffix(']'));
    name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || b"[]._".contains(&byte)))
}

/// One section of the settings. Each key is read once; a key that is never read is an error.
pub(super) struct Section<'f> {
    /// From file and environment.
    given: Figment,
    /// For keys that are not given.
    defaults: Dict,
    /// `sources.0.` in the first source; empty at the top.
    path: String,
    asked: Vec<&'static str>,
    faults: &'f mut Vec<String>,
    warnings: &'f mut Vec<String>,
}

/// A section before it is read.
pub(super) struct Part {
    path: String,
    given: Dict,
    defaults: Dict,
}

impl Part {
    /// The name of the section for people: `sources[0].statement`.
    pub(super) fn name(&self) -> String {
        self.path.split('.').filter(|part| !part.is_empty()).fold(String::new(), |name, part| {
            if part.bytes().all(|byte| byte.is_ascii_digit()) {
                format!("{name}[{part}]")
            } else if name.is_empty() {
                part.to_owned()
            } else {
                format!("{name}.{part}")
            }
        })
    }
}

impl<'f> Section<'f> {
    /// The top level.
    pub(super) fn top(
        given: Figment,
        defaults: Dict,
        faults: &'f mut Vec<String>,
        warnings: &'f mut Vec<String>,
    ) -> Self {
        Self { given, defaults, path: String::new(), asked: Vec::new(), faults, warnings }
    }

    /// The sections of a list, e.g. `[[sources]]`. Each has the defaults of the first one in the example.
    pub(super) fn list(&mut self, key: &'static str) -> Vec<Part> {
        let list: Option<Vec<Value>> = self.optional(key);
        let defaults = match self.defaults.get(key) {
            Some(Value::Array(_, shown)) => shown.first().cloned().and_then(Value::into_dict),
            _ => None,
        };
        let defaults = defaults.unwrap_or_default();
        let mut parts = Vec::new();
        for (index, value) in list.unwrap_or_default().into_iter().enumerate() {
            let path = format!("{}{key}.{index}.", self.path);
            match value.into_dict() {
                Some(given) => parts.push(Part { path, given, defaults: defaults.clone() }),
                None => self.fault_at(&path, "must be a section"),
            }
        }
        parts
    }

    /// Like [`Section::list`]; without any, the sections of the example.
    pub(super) fn list_or_shown(&mut self, key: &'static str) -> Vec<Part> {
        let mut parts = self.list(key);
        if parts.is_empty()
            && let Some(Value::Array(_, shown)) = self.defaults.get(key)
        {
            let shown = shown.iter().filter_map(Value::as_dict).enumerate();
            parts = shown
                .map(|(index, dict)| Part {
                    path: format!("{}{key}.{index}.", self.path),
                    given: dict.clone().into_iter().filter(|(_, value)| value.as_dict().is_none()).collect(),
                    defaults: dict.clone(),
                })
                .collect();
        }
        parts
    }

    /// The section `key`, e.g. `[limits]`; with defaults only if it is not given.
    pub(super) fn table(&mut self, key: &'static str) -> Part {
        self.optional_table(key).unwrap_or_else(|| self.part(key, Dict::new()))
    }

    /// The section `key`; `None` if it is not given.
    pub(super) fn optional_table(&mut self, key: &'static str) -> Option<Part> {
        self.optional(key).map(|given| self.part(key, given))
    }

    fn part(&self, key: &str, given: Dict) -> Part {
        let defaults = self.defaults.get(key).and_then(Value::as_dict).cloned().unwrap_or_default();
        Part { path: format!("{}{key}.", self.path), given, defaults }
    }

    /// Starts to read `part`.
    pub(super) fn inner(&mut self, part: Part) -> Section<'_> {
        let Part { path, given, defaults } = part;
        let given = Figment::from(Serialized::defaults(given));
        Section { given, defaults, path, asked: Vec::new(), faults: self.faults, warnings: self.warnings }
    }

    /// A key that must be given: the value in the example is no default. `what` tells what to write.
    pub(super) fn required<T: DeserializeOwned>(&mut self, key: &'static str, what: &str) -> Option<T> {
        let before = self.faults.len();
        let value = self.optional(key);
        if value.is_none() && self.faults.len() == before {
            self.fault(key, &format!("is missing: {what}"));
        }
        value
    }

    /// A key with a default. `None`: the value is invalid, and the error is recorded.
    pub(super) fn value<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        let before = self.faults.len();
        if let Some(given) = self.optional(key) {
            return Some(given);
        }
        if self.faults.len() > before {
            return None;
        }
        let default = Figment::from(Serialized::defaults(&self.defaults)).extract_inner(key);
        default
            .map_err(|why| self.fault(key, &format!("is required; its default cannot be read: {why}")))
            .ok()
    }

    /// A key whose default is `below` if there is one, and otherwise that of the example.
    pub(super) fn value_over<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
        below: Option<T>,
    ) -> Option<T> {
        let before = self.faults.len();
        match self.optional(key) {
            None if self.faults.len() > before => None,
            None => below.or_else(|| self.value(key)),
            given => given,
        }
    }

    /// True if file or environment have the key.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.given.contains(key)
    }

    /// A key without a default. `None`: not given, or invalid with the error recorded.
    pub(super) fn optional<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.asked.push(key);
        match self.given.extract_inner(key) {
            Ok(value) => Some(value),
            Err(error) if error.missing() => None,
            Err(error) => {
                let from =
                    error.metadata.as_ref().map(|metadata| metadata.name.to_string()).unwrap_or_default();
                let from = if from.contains("environment") { " (from the environment)" } else { "" };
                let what = match &error.kind {
                    Kind::InvalidType(found, expected) => format!("must be {expected}, not {found}{from}"),
                    kind => format!("{kind}{from}"),
                };
                self.fault(key, &what);
                None
            }
        }
    }

    /// The secret that `given` (`env:NAME` or `file:PATH`) refers to; records a warning if it is weak or readable by all.
    pub(super) fn secret(&mut self, key: &str, given: &str) -> Result<String, String> {
        let text = reference(given)?;
        self.warnings.extend(secrecy::of_secret(&format!("{}{key}", self.path), given, &text));
        Ok(text)
    }

    /// Records an error in `key`.
    pub(super) fn fault(&mut self, key: &str, what: &str) {
        self.fault_at(&format!("{}{key}", self.path), what);
    }

    fn fault_at(&mut self, key: &str, what: &str) {
        self.faults.push(format!("`{}` {what}", key.trim_end_matches('.')));
    }

    /// Records an error for every key that was not read.
    pub(super) fn finish(mut self) {
        let Ok(given) = self.given.extract::<Dict>() else { return };
        let known = self.asked.join(", ");
        for key in given.into_keys().filter(|key| !self.asked.contains(&key.as_str())).collect::<Vec<_>>() {
            self.fault(&key, &format!("is not a setting; known here: {known}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_named_as_people_write_it() {
        let name =
            |path: &str| Part { path: path.to_owned(), given: Dict::new(), defaults: Dict::new() }.name();
        assert_eq!(name("sources.0.statement."), "sources[0].statement");
        assert_eq!(name("sources.12.statement."), "sources[12].statement");
    }

    #[test]
    fn a_section_that_is_commented_out_has_its_defaults() {
        let shown = "a = 1\n# b = 2\n\n# What it is.\n# [mail]\n# # Required.\n# server = \"s\"\n# # user = \"u\"\n\n\
                     # c = 3\n[last]\nd = 4";
        let defaults = Figment::from(Serialized::defaults(defaults(shown).expect("sound")));
        let read =
            |key: &str| defaults.find_value(key).ok().map(|value| value.into_string().unwrap_or_default());
        assert!(read("a").is_some() && read("last.d").is_some());
        assert_eq!(read("mail.server").as_deref(), Some("s"));
        for none in ["b", "c", "mail.user", "mail.c"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
