//! File and environment, read key by key, so that all faults come to light at once.

use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, error::Kind};
use serde::de::DeserializeOwned;

use super::sources::reference;
use super::{Environment, secrecy};

/// What names an environment variable of ours.
pub(super) const ENV_PREFIX: &str = "REWARDGATE_";

/// The text of a settings file with the environment laid over it: `REWARDGATE_PUBLIC_URL` is `public_url`, and a
/// value is read as in the file.
pub(super) fn layered(file: &str, environment: Environment) -> Figment {
    let file = Figment::from(Toml::string(file));
    match environment {
        Environment::Counts => file.merge(Env::prefixed(ENV_PREFIX).ignore(&["config"])),
        Environment::Ignored => file,
    }
}

/// One section of the settings. Every key is asked for once; what nobody asks for is a fault.
pub(super) struct Section<'f> {
    figment: Figment,
    /// `sources.0.` inside the first source, empty at the top.
    path: String,
    asked: Vec<&'static str>,
    faults: &'f mut Vec<String>,
    warnings: &'f mut Vec<String>,
}

impl<'f> Section<'f> {
    /// The top.
    pub(super) fn top(figment: Figment, faults: &'f mut Vec<String>, warnings: &'f mut Vec<String>) -> Self {
        Self { figment, path: String::new(), asked: Vec::new(), faults, warnings }
    }

    /// The sections of a list, such as `[[sources]]`.
    pub(super) fn list(&mut self, key: &'static str) -> Vec<(String, Dict)> {
        let list: Option<Vec<Value>> = self.optional(key);
        let mut sections = Vec::new();
        for (index, value) in list.unwrap_or_default().into_iter().enumerate() {
            let path = format!("{}{key}.{index}.", self.path);
            match value.into_dict() {
                Some(dict) => sections.push((path, dict)),
                None => self.fault_at(&path, "must be a section"),
            }
        }
        sections
    }

    /// The section of that name, such as `[limits]`; empty if there is none.
    pub(super) fn table(&mut self, key: &'static str) -> (String, Dict) {
        (format!("{}{key}.", self.path), self.or(key, Dict::new()))
    }

    /// The section of that name, if there is one.
    pub(super) fn optional_table(&mut self, key: &'static str) -> Option<(String, Dict)> {
        let path = format!("{}{key}.", self.path);
        self.optional(key).map(|dict| (path, dict))
    }

    /// A section of a list, or of its own.
    pub(super) fn inner(&mut self, path: String, dict: Dict) -> Section<'_> {
        let figment = Figment::from(Serialized::defaults(dict));
        Section { figment, path, asked: Vec::new(), faults: self.faults, warnings: self.warnings }
    }

    /// A key that must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self, key: &'static str, what: &str) -> Option<T> {
        let before = self.faults.len();
        let value = self.optional(key);
        if value.is_none() && self.faults.len() == before {
            self.fault(key, &format!("is missing: {what}"));
        }
        value
    }

    /// A key with a default.
    pub(super) fn or<T: DeserializeOwned>(&mut self, key: &'static str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// A key that may be absent.
    pub(super) fn optional<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.asked.push(key);
        match self.figment.extract_inner(key) {
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

    /// What `env:NAME` or `file:PATH` refers to, which stands under `key`; warns if it is no good secret.
    pub(super) fn secret(&mut self, key: &str, given: &str) -> Result<String, String> {
        let text = reference(given)?;
        self.warnings.extend(secrecy::of_secret(&format!("{}{key}", self.path), given, &text));
        Ok(text)
    }

    /// Notes what is wrong with a key.
    pub(super) fn fault(&mut self, key: &str, what: &str) {
        self.fault_at(&format!("{}{key}", self.path), what);
    }

    fn fault_at(&mut self, key: &str, what: &str) {
        self.faults.push(format!("`{}` {what}", key.trim_end_matches('.')));
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(mut self) {
        let Ok(dict) = self.figment.extract::<Dict>() else { return };
        let known = self.asked.join(", ");
        for key in dict.into_keys().filter(|key| !self.asked.contains(&key.as_str())).collect::<Vec<_>>() {
            self.fault(&key, &format!("is not a setting; known here: {known}"));
        }
    }
}
