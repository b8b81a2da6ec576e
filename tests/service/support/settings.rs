//! The settings that a test writes for its processes.

use std::collections::BTreeMap;

/// The key of the only source, as in the network's published vectors.
pub(crate) const SECRET: &str = "test-secret";
/// Where the key stands in the environment.
pub(crate) const SECRET_NAME: &str = "TARGO_SECRET";
/// What the network calls, and so what it signs.
pub(crate) const PUBLIC_URL: &str = "https://gw.example.com";
/// The only source.
pub(crate) const SOURCE: &str = "targo";

/// A settings file in the making, and an environment.
#[derive(Clone)]
pub(crate) struct Settings {
    top: Vec<String>,
    source: Vec<String>,
    /// Sections behind the source's.
    tail: String,
    /// What stands in the environment of every process, besides what any program needs.
    pub(crate) environment: BTreeMap<String, String>,
}

impl Settings {
    /// One source, a free port, and few enough connections for many tests on one server.
    pub(crate) fn new(database_url: &str) -> Self {
        Self {
            top: vec![
                "listen = \"127.0.0.1:0\"".into(),
                format!("public_url = \"{PUBLIC_URL}\""),
                format!("database_url = \"{database_url}\""),
                "database_connections = 4".into(),
            ],
            source: vec![
                format!("name = \"{SOURCE}\""),
                "network = \"targo\"".into(),
                format!("secret = \"env:{SECRET_NAME}\""),
                "currency = \"coins\"".into(),
                "params = { user_id = \"uid\", tx_id = \"tx\" }".into(),
            ],
            tail: String::new(),
            environment: BTreeMap::from([(SECRET_NAME.into(), SECRET.into())]),
        }
    }

    /// With this line at the top; it replaces the one with the same key.
    #[must_use]
    pub(crate) fn with(mut self, line: &str) -> Self {
        replace(&mut self.top, line);
        self
    }

    /// With this line in the source's section; it replaces the one with the same key.
    #[must_use]
    pub(crate) fn with_in_source(mut self, line: &str) -> Self {
        replace(&mut self.source, line);
        self
    }

    /// With these sections at the end.
    #[must_use]
    pub(crate) fn with_tail(mut self, sections: &str) -> Self {
        self.tail.extend([sections, "\n"]);
        self
    }

    /// With something else in the sections at the end.
    #[must_use]
    pub(crate) fn replace_in_tail(mut self, from: &str, to: &str) -> Self {
        self.tail = self.tail.replace(from, to);
        self
    }

    /// With this variable in the environment.
    #[must_use]
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Without this variable in the environment.
    #[must_use]
    pub(crate) fn without_variable(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// The file.
    pub(crate) fn text(&self) -> String {
        format!("{}\n[[sources]]\n{}\n{}", self.top.join("\n"), self.source.join("\n"), self.tail)
    }
}

fn replace(lines: &mut Vec<String>, line: &str) {
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    lines.retain(|other| key(other) != key(line));
    lines.push(line.into());
}
