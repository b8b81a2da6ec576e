//! The publisher's URL with macros, as pasted into the network's dashboard, and the calls that become of it.

use domain::dashboard::is_required;
use domain::postback::macros::{self, LoneBrace, encoded};
use domain::postback::networks::definition::ParameterSource;
use domain::postback::networks::{Field, FieldDefinition, Method};
use reqwest::Url;

use super::json;
use super::network::Network;
use super::postback::Postback;

/// A valid URL without the signature: `http://host/pb/source?uid={user_id}&…`. Parameters that the network adds itself are
/// in its calls although they are not in the URL.
#[derive(Clone, Debug)]
pub struct Template {
    network: Network,
    origin: String,
    /// Path and query.
    pieces: Vec<Piece>,
    /// What the network adds: parameter or dotted path, and field.
    added: Vec<(String, Field)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Macro(Field),
}

/// Why a template or a signed origin is invalid. Macros are shown as they are written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Not `http://host…` or `https://host…`.
    #[error("the template must begin with http:// or https:// and a host")]
    NoOrigin,
    /// The network has no such macro; all that it has.
    #[error("`{0}` is not a macro of this network; it has {1}")]
    UnknownMacro(String, String),
    /// A brace without its partner.
    #[error("unmatched brace near `{0}`; a macro is written {{like_this}}")]
    Brace(String),
    /// A macro before the `?`.
    #[error("`{0}` is outside the query; use macros as values of parameters")]
    OutsideQuery(String),
    /// A macro is missing without which no call can be mapped.
    #[error("`{0}` is missing in the template; without it no call can be mapped")]
    Missing(String),
    /// The template has a signature, which the network appends itself.
    #[error("leave `{0}` out of the template: the network appends it, always last")]
    HasSignature(String),
    /// The macro of the signature is the value of another parameter than the network signs.
    #[error("`{0}` must be the value of `{1}`: that is where the signature is checked")]
    SignatureElsewhere(String, String),
    /// An HTTP client would rewrite the URL, and the signature would not match.
    #[error("`{0}` would be changed by an HTTP client; percent-encode it")]
    NotEncoded(String),
    /// The signed origin has more than scheme, host and port.
    #[error(
        "the signed origin `{0}` must be like https://gw.example.com, without a path or a slash at its end"
    )]
    BadOrigin(String),
}

impl Template {
    /// Parses and validates `text`, a URL for `network`.
    pub fn parse(text: &str, network: &Network) -> Result<Self, TemplateError> {
        let (origin, target) = split_origin(text).ok_or(TemplateError::NoOrigin)?;
        let target = without_signature(target, network)?;
        let pieces = pieces(&target, network)?;
        let mut template =
            Self { network: network.clone(), origin: origin.into(), pieces, added: Vec::new() };
        let adds = |own: &&FieldDefinition| {
            let is_in_body = network.definition().parameters == ParameterSource::Json;
            (is_in_body || own.macro_text.is_none()) && !template.has(own.field)
        };
        let added = network.params().sent_fields().filter(adds);
        template.added = added.map(|own| (own.parameter.clone(), own.field)).collect();
        let is_missing =
            |own: &&FieldDefinition| is_required(network.params(), own.field) && !template.has(own.field);
        if let Some(missing) = network.params().sent_fields().find(is_missing) {
            return Err(TemplateError::Missing(missing.placeholder()));
        }
        let sample = template.expand(&|_| "x".into());
        let travels = Url::parse(&format!("{origin}{sample}")).is_ok_and(|url| {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            url.fragment().is_none() && format!("{}{query}", url.path()) == sample
        });
        if travels { Ok(template) } else { Err(TemplateError::NotEncoded(sample)) }
    }

    /// The network that calls it.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Scheme, host and port to call.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// True if calls tell `field`.
    pub fn has(&self, field: Field) -> bool {
        self.pieces.contains(&Piece::Macro(field)) || self.added.iter().any(|(_, own)| *own == field)
    }

    /// The parameter of this URL that is probably meant by `name`, which the gateway expects; if none is similar, all
    /// parameters. `None` if the URL has `name`, or if the network names the parameters itself.
    pub fn instead_of(&self, name: &str) -> Option<String> {
        let query = self.expand(&|_| "x".into());
        let query = query.split_once('?').map_or("", |(_, query)| query);
        let params: Vec<&str> = query.split('&').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
        if params.is_empty() || params.contains(&name) || self.added.iter().any(|(own, _)| own == name) {
            return None;
        }
        // `uid` abbreviates `user_id`: the same letters in the same order.
        let abbreviates = |short: &str, long: &str| {
            let mut letters = long.chars();
            short.chars().all(|letter| letters.any(|other| other == letter))
        };
        let meant = params.iter().find(|param| abbreviates(name, param) || abbreviates(param, name));
        Some(meant.map_or_else(|| params.join(", "), |param| (*param).to_owned()))
    }

    /// The unsigned call with these values.
    pub(super) fn unsigned(&self, value: impl Fn(Field) -> String) -> Postback {
        let definition = self.network.definition();
        let method = self.network.method();
        let target = self.expand(&value);
        let (target, body, content_type) = match definition.parameters {
            ParameterSource::Json => {
                let at = definition.signature.place();
                (target, json::object(&self.added, &value, at), Some("application/json"))
            }
            ParameterSource::Form if method == Method::Post => {
                let (path, query) = target.split_once('?').unwrap_or((&target, ""));
                let body = self.with_added(query.to_owned(), &value).into_bytes();
                (path.to_owned(), body, Some("application/x-www-form-urlencoded"))
            }
            ParameterSource::Query | ParameterSource::Form => {
                (self.with_added(target, &value), Vec::new(), None)
            }
        };
        let header = content_type.map(|text| ("content-type".to_owned(), text.to_owned()));
        Postback { method, target, headers: header.into_iter().collect(), body }
    }

    /// Path and query with every macro replaced by its value, percent-encoded.
    fn expand(&self, value: &impl Fn(Field) -> String) -> String {
        self.pieces.iter().fold(String::with_capacity(256), |mut target, piece| {
            match piece {
                Piece::Text(text) => target.push_str(text),
                Piece::Macro(field) => target.extend(encoded(&value(*field))),
            }
            target
        })
    }

    /// `text` with the parameters that the network adds; in a target, behind its `?`.
    fn with_added(&self, mut text: String, value: &impl Fn(Field) -> String) -> String {
        for (parameter, field) in &self.added {
            let separator = match (text.is_empty(), text.starts_with('/'), text.contains('?')) {
                (true, ..) => "",
                (_, true, false) => "?",
                _ => "&",
            };
            text.push_str(separator);
            text.push_str(parameter);
            text.push('=');
            text.extend(encoded(&value(*field)));
        }
        text
    }
}

/// Splits `https://host:port` from what follows.
pub(super) fn split_origin(text: &str) -> Option<(&str, &str)> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host_len = host.find(['/', '?', '#']).unwrap_or(host.len());
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    (host_len > 0 && host[..host_len].chars().all(plain))
        .then(|| text.split_at(text.len() - host.len() + host_len))
}

/// `target` without the pair of the signature's macro: it is put there when a call is signed.
fn without_signature(target: &str, network: &Network) -> Result<String, TemplateError> {
    let signature = &network.definition().signature;
    let (Some(place), Some((path, query))) = (signature.place(), target.split_once('?')) else {
        return Ok(target.to_owned());
    };
    let mut kept = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match &signature.macro_text {
            Some(text) if text == value && name == place.name() => {}
            Some(text) if text == value => {
                return Err(TemplateError::SignatureElsewhere(text.clone(), place.name().to_owned()));
            }
            _ if name == place.name() => return Err(TemplateError::HasSignature(name.to_owned())),
            _ => kept.push(pair),
        }
    }
    Ok(if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) })
}

fn pieces(target: &str, network: &Network) -> Result<Vec<Piece>, TemplateError> {
    let mut macros: Vec<_> =
        network.params().sent_fields().map(|own| (own.placeholder(), own.field)).collect();
    // `{{a}}` before `{a}`.
    macros.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    let has_brackets = macros.iter().any(|(text, _)| text.starts_with('['));
    let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), target);
    while let Some(next) = rest.chars().next() {
        if let Some((found, field)) = macros.iter().find(|(text, _)| rest.starts_with(text.as_str())) {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            if !target[..target.len() - rest.len()].contains('?') {
                return Err(TemplateError::OutsideQuery(found.clone()));
            }
            pieces.push(Piece::Macro(*field));
            rest = &rest[found.len()..];
            continue;
        }
        let unknown = |text: String| {
            let known: Vec<_> = network.params().sent_fields().map(FieldDefinition::bare_macro).collect();
            Err(TemplateError::UnknownMacro(text, known.join(", ")))
        };
        match (next, macros::pieces(rest).next(), rest.split_once(']')) {
            ('{' | '}', Some(Err(LoneBrace(near))), _) => return Err(TemplateError::Brace(near)),
            ('{', Some(Ok(macros::Piece::Macro(name))), _) => return unknown(format!("{{{name}}}")),
            ('[', _, Some((name, _))) if has_brackets => return unknown(format!("{name}]")),
            _ => text.push(next),
        }
        rest = &rest[next.len_utf8()..];
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

#[cfg(test)]
mod tests;
