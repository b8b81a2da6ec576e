//! The publisher's URL template with its macros, as pasted into the network's dashboard; the signature.

use std::sync::LazyLock;

use domain::dashboard::is_required;
use domain::postback::event::Params;
use domain::postback::macros::{self, LoneBrace, encoded};
use domain::postback::networks::{Field, FieldDefinition};
use domain::postback::signature::{HASH_PARAM, Secret, SignatureForm, sign};
use reqwest::Url;

/// The network that the sandbox plays.
static NETWORK: LazyLock<Params> =
    LazyLock::new(|| Params::shipped("targo").expect("a test reads every definition that ships"));

/// A valid URL template without the hash: `http://host/pb/source?uid={user_id}&…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    origin: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Macro(Field),
}

/// Why a template or a signed origin is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Not `http://host…` or `https://host…`.
    #[error("the template must begin with http:// or https:// and a host")]
    NoOrigin,
    /// The network has no such macro.
    #[error("`{{{0}}}` is not a macro of this network; it has {1}")]
    UnknownMacro(String, String),
    /// A brace without its partner.
    #[error("unmatched brace near `{0}`; a macro is written {{like_this}}")]
    Brace(String),
    /// A macro before the `?`.
    #[error("`{{{0}}}` is outside the query; use macros as values of parameters")]
    OutsideQuery(String),
    /// A macro is missing without which no call can be mapped.
    #[error("`{{{0}}}` is missing in the template; without it no call can be mapped")]
    Missing(String),
    /// The template has a hash, which the network appends itself.
    #[error("leave `{HASH_PARAM}` out of the template: the network appends it, always last")]
    HasHash,
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
    /// Parses and validates `text`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (origin, target) = split_origin(text).ok_or(TemplateError::NoOrigin)?;
        let template = Self { origin: origin.into(), pieces: pieces(target)? };
        let query = target.split_once('?').map_or("", |(_, query)| query);
        if query.split('&').any(|pair| pair.split('=').next() == Some(HASH_PARAM)) {
            return Err(TemplateError::HasHash);
        }
        let is_missing =
            |own: &&FieldDefinition| is_required(&NETWORK, own.field) && !template.has(own.field);
        if let Some(missing) = NETWORK.sent_fields().find(is_missing) {
            return Err(TemplateError::Missing(missing.bare_macro().to_owned()));
        }
        let sample = template.expand(|_| "x".into());
        let travels = Url::parse(&format!("{origin}{sample}")).is_ok_and(|url| {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            url.fragment().is_none() && format!("{}{query}", url.path()) == sample
        });
        if travels { Ok(template) } else { Err(TemplateError::NotEncoded(sample)) }
    }

    /// Scheme, host and port to call.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// True if the template has the macro of `field`.
    pub fn has(&self, field: Field) -> bool {
        self.pieces.contains(&Piece::Macro(field))
    }

    /// The parameter of this URL that is probably meant by `name`, which the gateway expects; if none is similar, all
    /// parameters. `None` if the URL has `name`.
    pub fn instead_of(&self, name: &str) -> Option<String> {
        let query = self.expand(|field| format!("{{{}}}", name_of(field)));
        let query = query.split_once('?').map_or("", |(_, query)| query);
        let params: Vec<&str> = query.split('&').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
        if params.contains(&name) {
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

    /// Path and query with every macro replaced by its value, percent-encoded; without the hash.
    pub(super) fn expand(&self, value: impl Fn(Field) -> String) -> String {
        self.pieces.iter().fold(String::with_capacity(256), |mut target, piece| {
            match piece {
                Piece::Text(text) => target.push_str(text),
                Piece::Macro(field) => target.extend(encoded(&value(*field))),
            }
            target
        })
    }
}

/// Signs as the network does.
#[derive(Clone, Debug)]
pub struct Signer {
    origin: String,
    form: SignatureForm,
    secret: Secret,
}

impl Signer {
    /// Signs calls of `template` with `secret`. `signed_origin`: the gateway's public URL, if calls go to another address,
    /// e.g. behind a proxy.
    pub fn new(
        template: &Template,
        signed_origin: Option<&str>,
        form: SignatureForm,
        secret: Secret,
    ) -> Result<Self, TemplateError> {
        let origin = signed_origin.unwrap_or(template.origin());
        match split_origin(origin) {
            Some((_, "")) => Ok(Self { origin: origin.into(), form, secret }),
            _ => Err(TemplateError::BadOrigin(origin.into())),
        }
    }

    /// `target` with its hash.
    pub(super) fn sign(&self, target: &str) -> String {
        sign(&self.origin, target, self.form, &self.secret)
    }
}

/// Splits `https://host:port` from what follows.
fn split_origin(text: &str) -> Option<(&str, &str)> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host_len = host.find(['/', '?', '#']).unwrap_or(host.len());
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    (host_len > 0 && host[..host_len].chars().all(plain))
        .then(|| text.split_at(text.len() - host.len() + host_len))
}

fn pieces(target: &str) -> Result<Vec<Piece>, TemplateError> {
    let (mut pieces, mut in_query) = (Vec::new(), false);
    for piece in macros::pieces(target) {
        match piece.map_err(|LoneBrace(text)| TemplateError::Brace(text))? {
            macros::Piece::Text(text) => {
                in_query |= text.contains('?');
                pieces.push(Piece::Text(text.into()));
            }
            macros::Piece::Macro(name) => {
                let definition = NETWORK.sent_fields().find(|own| own.bare_macro() == name);
                let definition = definition.ok_or_else(|| {
                    let known: Vec<_> = NETWORK.sent_fields().map(FieldDefinition::bare_macro).collect();
                    TemplateError::UnknownMacro(name.into(), known.join(", "))
                })?;
                if !in_query {
                    return Err(TemplateError::OutsideQuery(definition.bare_macro().to_owned()));
                }
                pieces.push(Piece::Macro(definition.field));
            }
        }
    }
    Ok(pieces)
}

fn name_of(field: Field) -> &'static str {
    NETWORK.definition().field(field).map_or("", FieldDefinition::bare_macro)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACROS: &str = "u={user_id}&t={tx_id}&r={reward}&s={status}";

    fn error(text: &str) -> TemplateError {
        Template::parse(text).expect_err("a bad template")
    }

    #[test]
    fn macros_are_replaced_by_percent_encoded_values() {
        let template = Template::parse(&format!("http://[::1]:8080/pb/a?x=1&{MACROS}&n={{offer_name}}&end"))
            .expect("a good template");
        let target = template.expand(|field| match field {
            Field::OfferName => "Café & 50% +1".into(),
            _ => "v:1~".into(),
        });
        assert_eq!(template.origin(), "http://[::1]:8080");
        assert_eq!(
            target,
            "/pb/a?x=1&u=v%3A1~&t=v%3A1~&r=v%3A1~&s=v%3A1~&n=Caf%C3%A9%20%26%2050%25%20%2B1&end"
        );
        assert!(template.has(Field::OfferName) && !template.has(Field::Ip));
    }

    #[test]
    fn an_unknown_macro_is_an_error_that_lists_the_known_ones() {
        let text = error(&format!("http://h/pb/a?{MACROS}&c={{country}}")).to_string();
        assert!(
            text.starts_with("`{country}` is not a macro of this network; it has user_id, tx_id"),
            "{text}"
        );
        assert!(text.contains("country_code"), "{text}");
    }

    #[test]
    fn a_template_that_no_network_could_call_is_refused() {
        for (text, expected) in [
            ("gw.example.com/pb/a".into(), TemplateError::NoOrigin),
            ("ftp://h/pb/a".into(), TemplateError::NoOrigin),
            ("http:///pb/a".into(), TemplateError::NoOrigin),
            ("http://{user_id}/pb".into(), TemplateError::NoOrigin),
            (format!("http://h/pb/{{sub1}}?{MACROS}"), TemplateError::OutsideQuery("sub1".into())),
            (format!("http://h/pb/a?{MACROS}&x={{ip"), TemplateError::Brace("{ip".into())),
            (format!("http://h/pb/a?{MACROS}&x=ip}}"), TemplateError::Brace("}".into())),
            (format!("http://h/pb/a?{MACROS}&x={{{{ip}}"), TemplateError::Brace("{{ip}".into())),
            (
                "http://h/pb/a?u={user_id}&r={reward}&s={status}".into(),
                TemplateError::Missing("tx_id".into()),
            ),
            (format!("http://h/pb/a?{MACROS}&hash="), TemplateError::HasHash),
            (format!("http://h/pb/a?hash=1&{MACROS}"), TemplateError::HasHash),
        ] {
            assert_eq!(error(&text), expected, "{text}");
        }
        for tail in ["&a=b c", "&a='", "&a=é", "#top"] {
            assert!(
                matches!(error(&format!("http://h/pb/a?{MACROS}{tail}")), TemplateError::NotEncoded(_)),
                "{tail}"
            );
        }
        assert!(matches!(error(&format!("http://h/pb/../a?{MACROS}")), TemplateError::NotEncoded(_)));
    }

    #[test]
    fn the_signed_origin_may_differ_from_the_address_and_must_be_an_origin() {
        let template =
            Template::parse(&format!("http://127.0.0.1:8080/pb/a?{MACROS}")).expect("a good template");
        let signer = |origin| {
            let secret = Secret::new("test-secret").expect("not empty");
            Signer::new(&template, origin, SignatureForm::Empty, secret)
        };
        let target = "/pb/targo?uid=abc123&tx=T-1&reward=500&payout=1.00&status=1";
        let url = signer(Some("https://gw.example.com")).map(|signer| signer.sign(target));
        assert_eq!(url, Ok(format!("{target}&hash=be5b54b732274ab3cec8a049180c94560a782826")));
        assert!(signer(None).is_ok());
        for origin in ["https://gw.example.com/", "gw.example.com", "https://", "https://gw.example.com/pb"] {
            assert!(matches!(signer(Some(origin)), Err(TemplateError::BadOrigin(_))), "{origin}");
        }
    }
}
