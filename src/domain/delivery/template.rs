//! The app's URL: literal text and macros, like the URL in a network's dashboard.

use crate::postback::macros::{self, LoneBrace, encoded};
use crate::postback::signature::HASH_PARAM;

/// What the network reported, by the names that offerwalls use for it.
const REPORTED: [&str; 14] = [
    "user_id",
    "tx_id",
    "reward",
    "payout",
    "status",
    "offer_id",
    "offer_name",
    "event_id",
    "event_name",
    "ip",
    "country_code",
    "timestamp",
    "sub1",
    "sub2",
];
/// What only we know.
const EXTRA: [&str; 7] = ["reward_id", "sequence", "event", "reason", "balance", "currency", "source"];
/// The longest URL before its macros are filled, in bytes.
const MAX_LEN: usize = 4_096;

/// A valid URL template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    origin: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Macro(&'static str),
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// Not `http(s)://host/…`.
    #[error(
        "must begin with https:// or http://, a host in lower case and a path, without user and without the default port"
    )]
    NoOrigin,
    /// A macro that no network has: its name, and all that exist.
    #[error("has `{{{0}}}`, which is not a macro; macros are {1}")]
    UnknownMacro(String, String),
    /// An opening brace without its closing one, or the other way round.
    #[error("has an unmatched brace near `{0}`; a macro is written {{like_this}}")]
    Brace(String),
    /// A required macro is missing; the text names it and why it is needed.
    #[error("lacks {0}")]
    Missing(&'static str),
    /// `hash` is appended when the call is signed.
    #[error("must not have the parameter `hash`: it is appended, always last")]
    HasHash,
    /// A proxy or client may rewrite it, and the hash would not match.
    #[error("has `{0}`, which may be changed in transit: percent-encode it")]
    NotEncoded(String),
    /// Longer than `MAX_LEN`.
    #[error("is longer than {MAX_LEN} bytes")]
    TooLong,
}

/// What the network reported, then our own.
pub fn macros() -> impl Iterator<Item = &'static str> {
    REPORTED.into_iter().chain(EXTRA)
}

impl Template {
    /// Reads a URL without macros, as webhooks are sent to.
    pub fn parse_plain(text: &str) -> Result<Self, BadTemplate> {
        Self::read(text)
    }

    /// Reads a URL that says with its macros what happened.
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        let template = Self::read(text)?;
        let lacks = |names: &[&'static str]| !names.iter().any(|name| template.has(name));
        for (names, what) in [
            (&["user_id"][..], "`{user_id}`: whom to credit"),
            (&["tx_id", "reward_id"][..], "`{tx_id}` or `{reward_id}`: what to credit only once"),
            (&["reward"][..], "`{reward}`: how much"),
            (&["status", "event"][..], "`{status}` or `{event}`: without it reversals look like credits"),
        ] {
            if lacks(names) {
                return Err(BadTemplate::Missing(what));
            }
        }
        Ok(template)
    }

    fn read(text: &str) -> Result<Self, BadTemplate> {
        if text.len() > MAX_LEN {
            return Err(BadTemplate::TooLong);
        }
        let (origin, target) = split_origin(text).ok_or(BadTemplate::NoOrigin)?;
        let template = Self { origin: origin.into(), pieces: pieces(target)? };
        let literal = template.expand(|_| "x".into());
        let literal = &literal[origin.len()..];
        if let Some(odd) =
            literal.chars().find(|c| !c.is_ascii_alphanumeric() && !"-._~:/?&=%,;@!$()*+".contains(*c))
        {
            return Err(BadTemplate::NotEncoded(odd.to_string()));
        }
        let path = literal.split('?').next().unwrap_or_default();
        let dots =
            |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        if let Some(segment) = path.split('/').find(|segment| dots(segment)) {
            return Err(BadTemplate::NotEncoded(segment.to_owned()));
        }
        let query = literal.split_once('?').map_or("", |(_, query)| query);
        if query.split('&').any(|pair| pair.split('=').next() == Some(HASH_PARAM)) {
            return Err(BadTemplate::HasHash);
        }
        Ok(template)
    }

    /// True if the URL uses the macro `name`.
    pub fn has(&self, name: &str) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Macro(found) if *found == name))
    }

    /// The URL with every macro replaced by its value, percent-encoded.
    pub fn expand(&self, value: impl Fn(&str) -> String) -> String {
        self.pieces.iter().fold(self.origin.clone(), |mut url, piece| {
            match piece {
                Piece::Text(text) => url.push_str(text),
                Piece::Macro(name) => url.extend(encoded(&value(name))),
            }
            url
        })
    }
}

/// Splits `https://host:port` from the rest; `None` if clients would rewrite it.
fn split_origin(text: &str) -> Option<(&str, &str)> {
    let (scheme, default_port) =
        if text.starts_with("https://") { ("https://", ":443") } else { ("http://", ":80") };
    let rest = text.strip_prefix(scheme)?;
    let host_len = rest.find('/')?;
    let host = &rest[..host_len];
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    let fits = host_len > 0 && host.chars().all(plain) && !host.ends_with(default_port);
    fits.then(|| text.split_at(scheme.len() + host_len))
}

fn pieces(target: &str) -> Result<Vec<Piece>, BadTemplate> {
    let known = |name: &str| {
        macros()
            .find(|known| *known == name)
            .ok_or_else(|| BadTemplate::UnknownMacro(name.into(), macros().collect::<Vec<_>>().join(", ")))
    };
    let piece = |piece| match piece {
        Ok(macros::Piece::Text(text)) => Ok(Piece::Text(text.into())),
        Ok(macros::Piece::Macro(name)) => known(name).map(Piece::Macro),
        Err(LoneBrace(text)) => Err(BadTemplate::Brace(text)),
    };
    macros::pieces(target).map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACROS: &str = "u={user_id}&t={tx_id}&r={reward}&s={status}";

    #[test]
    fn macros_are_filled_percent_encoded_wherever_they_stand() {
        let text = format!("http://[::1]:8080/cb/{{source}}?x=1&{MACROS}&why={{reason}}&end");
        let template = Template::parse(&text).expect("a good template");
        let url =
            template.expand(|name| if name == "user_id" { "Café & 50% +1".into() } else { "v:1~".into() });
        assert_eq!(
            url,
            "http://[::1]:8080/cb/v%3A1~?x=1&u=Caf%C3%A9%20%26%2050%25%20%2B1&t=v%3A1~&r=v%3A1~&s=v%3A1~&why=v%3A1~&end"
        );
        assert!(template.has("reason") && !template.has("balance"));
    }

    #[test]
    fn a_url_that_would_not_arrive_as_it_was_signed_is_refused() {
        for text in [
            "ftp://h/p?",
            "https:///p?",
            "https://user@h/p?",
            "https://H.example/p?",
            "https://h?",
            "https://h:443/p?",
            "http://h:80/p?",
            "https://{user_id}/p?",
        ] {
            assert_eq!(Template::parse(&format!("{text}{MACROS}")), Err(BadTemplate::NoOrigin), "{text}");
        }
        for text in ["/a b?", "/a?'&", "/é?", "/a#x?", "/../a?", "/%2E%2e/a?", "/./a?", "/a?b=|&"] {
            let refused = Template::parse(&format!("https://h{text}{MACROS}"));
            assert!(matches!(refused, Err(BadTemplate::NotEncoded(_))), "{text}: {refused:?}");
        }
        assert_eq!(Template::parse(&format!("https://h/p?hash=&{MACROS}")), Err(BadTemplate::HasHash));
        let long = format!("https://h/{}?{MACROS}", "x".repeat(MAX_LEN));
        assert_eq!(Template::parse(&long), Err(BadTemplate::TooLong));
    }

    #[test]
    fn what_an_app_cannot_do_without_must_be_there() {
        for (query, says) in [
            ("t={tx_id}&r={reward}&s={status}", "`{user_id}`"),
            ("u={user_id}&r={reward}&s={status}", "`{tx_id}` or `{reward_id}`"),
            ("u={user_id}&t={tx_id}&s={status}", "`{reward}`"),
            ("u={user_id}&t={tx_id}&r={reward}", "`{status}` or `{event}`"),
        ] {
            let refused = Template::parse(&format!("https://h/p?{query}")).expect_err("it lacks something");
            assert!(refused.to_string().contains(says), "{refused}");
        }
        assert!(Template::parse("https://h/{event}?u={user_id}&t={reward_id}&r={reward}").is_ok());
        assert!(Template::parse_plain("https://h/hook").is_ok());
    }

    #[test]
    fn an_unknown_macro_is_an_error_that_lists_the_known_ones() {
        let refused = Template::parse(&format!("https://h/p?{MACROS}&x={{points}}")).expect_err("unknown");
        let text = refused.to_string();
        assert!(
            text.contains("`{points}`") && text.contains("reward_id") && text.contains("country_code"),
            "{text}"
        );
        for text in ["&x={ip", "&x=ip}", "&x={{ip}"] {
            let refused = Template::parse(&format!("https://h/p?{MACROS}{text}"));
            assert!(matches!(refused, Err(BadTemplate::Brace(_))), "{text}");
        }
    }
}
