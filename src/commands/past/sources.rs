//! Which source a call belongs to, and whether its signature is right.

use std::collections::BTreeMap;

use domain::past::PastCall;
use domain::postback::networks::signature::Place;
use domain::postback::networks::{Call, Definition, Field, Method};
use domain::time::TimestampMs;
use web::ingest::SourceEndpoint;

/// The sources of the settings, and those that are made up.
pub(crate) struct Sources {
    pub(crate) endpoints: BTreeMap<String, SourceEndpoint>,
    /// Those whose signatures cannot be checked, and why.
    pub(crate) unchecked: BTreeMap<String, &'static str>,
    /// `--source`.
    pub(crate) fallback: Option<String>,
    /// What networks may have called and signed, besides what the line itself names.
    pub(crate) origins: Vec<String>,
}

/// Whose call it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Of this source.
    Source(String),
    /// Of a source that nobody knows.
    Unknown(String),
    /// No call of a network.
    Nobody,
}

impl Sources {
    /// The source that the line names, else the one in the path `/pb/NAME`, else `--source`.
    pub(crate) fn whose(&self, call: &PastCall) -> Whose {
        if call.method != "GET" && call.method != "POST" {
            return Whose::Nobody;
        }
        if let Some(name) = &call.source {
            return self.named(name);
        }
        match source_in(&call.target) {
            Some(name) if self.endpoints.contains_key(name) || self.fallback.is_none() => self.named(name),
            _ => match &self.fallback {
                Some(name) if self.endpoints.get(name).is_some_and(|it| fits(it.definition(), call)) => {
                    Whose::Source(name.clone())
                }
                _ => Whose::Nobody,
            },
        }
    }

    fn named(&self, name: &str) -> Whose {
        let name = name.to_owned();
        if self.endpoints.contains_key(&name) { Whose::Source(name) } else { Whose::Unknown(name) }
    }

    /// Why the gateway refuses the call; `None` if it takes it. The URL counts as it was seen, whatever its path: a network
    /// signs what the publisher pasted.
    pub(crate) fn refusal(&self, source: &str, call: &PastCall, at: TimestampMs) -> Option<String> {
        let endpoint = self.endpoints.get(source)?;
        if self.unchecked.contains_key(source) {
            return None;
        }
        let origins = call.origin.iter().map(String::as_str).chain(self.origins.iter().map(String::as_str));
        let check = |origin: &str| {
            let method = if call.method == "POST" { Method::Post } else { Method::Get };
            let body = call.body.as_deref().unwrap_or_default().as_bytes();
            let seen = Call { origin, method, target: &call.target, headers: &[], body };
            endpoint.check(&seen, call.remote_ip.parse().ok(), at)
        };
        let mut first = None;
        for origin in origins {
            match check(origin) {
                Ok(()) => return None,
                Err(refusal) => first = first.or(Some(refusal)),
            }
        }
        first.map(|refusal| refusal.to_string())
    }
}

/// The name in `/pb/NAME` and `/pb/NAME/SECRET`.
fn source_in(target: &str) -> Option<&str> {
    let path = target.split('?').next().unwrap_or_default();
    let mut segments = path.strip_prefix("/pb/")?.split('/');
    let name = segments.next().filter(|name| !name.is_empty())?;
    (segments.count() <= 1).then_some(name)
}

/// Whether a request of any path looks like a call of this network: it has its user, transaction or signature. Where the
/// network sends them in a body, every POST does.
fn fits(definition: &Definition, call: &PastCall) -> bool {
    if definition.reads_bodies() {
        return call.method == "POST";
    }
    let query = call.target.split_once('?').map_or("", |(_, query)| query);
    let mut names = vec![definition.parameter_of(Field::UserId), definition.parameter_of(Field::TxId)];
    if let Some(Place::Query(name)) = definition.signature.place() {
        names.push(name);
    }
    query.split('&').filter_map(|pair| pair.split('=').next()).any(|name| names.contains(&name))
}
