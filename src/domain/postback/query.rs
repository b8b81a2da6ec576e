//! The raw query of a URL, split and decoded without losing anything on the way.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// What a `+` in a value means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plus {
    /// A blank, as forms are encoded.
    #[default]
    Space,
    /// A plus: the network inserts values unencoded, or encodes as in RFC 3986.
    Plus,
}

/// The parameters of one query, in the order received.
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, [u8]>, &'a str)>,
    plus: Plus,
    entities: bool,
}

/// Why one parameter cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadParam {
    /// It appears more than once: which one counts would be a guess.
    Repeated,
    /// Its bytes are not UTF-8 after decoding.
    NotUtf8,
}

/// Remains of `&amp;` before a name, from a link that was copied out of HTML.
const ENTITIES: [&str; 5] = ["amp;", "AMP;", "#38;", "#038;", "#x26;"];

impl<'a> Query<'a> {
    /// Splits the query of `target` (path and query, as received), which is encoded as forms are.
    pub fn of(target: &'a str) -> Self {
        Self::with_plus(target, Plus::Space)
    }

    /// The same, where a `+` stands for `plus`. `&amp;` separates like `&`, and a second `?` before the first name is
    /// passed over: neither can be part of a name.
    pub fn with_plus(target: &'a str, plus: Plus) -> Self {
        let query = target.split_once('?').map_or("", |(_, query)| query).trim_start_matches('?');
        let mut entities = false;
        let pairs = query
            .split('&')
            .map(|pair| {
                let mut name = pair;
                while let Some(rest) = ENTITIES.iter().find_map(|entity| name.strip_prefix(entity)) {
                    (name, entities) = (rest, true);
                }
                name
            })
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name, plus), value)
            })
            .collect();
        Self { pairs, plus, entities }
    }

    /// The decoded value of `name`; `None` if it is absent or empty.
    pub fn get(&self, name: &str) -> Result<Option<String>, BadParam> {
        let mut found = self.values(name);
        let Some(value) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(BadParam::Repeated);
        }
        let text = String::from_utf8(self.decoded(value).into_owned()).map_err(|_| BadParam::NotUtf8)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Every raw value of `name`, in order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(given, _)| given.as_ref() == name.as_bytes()).map(|(_, value)| *value)
    }

    /// The percent-decoded bytes of a raw value.
    pub fn decoded<'v>(&self, value: &'v str) -> Cow<'v, [u8]> {
        decoded(value, self.plus)
    }

    /// True if `&amp;` was used instead of `&`.
    pub fn has_entities(&self) -> bool {
        self.entities
    }
}

/// `pair` without such remains before its name.
pub(crate) fn without_entities(pair: &[u8]) -> &[u8] {
    let mut pair = pair;
    while let Some(rest) = ENTITIES.iter().find_map(|entity| pair.strip_prefix(entity.as_bytes())) {
        pair = rest;
    }
    pair
}

fn decoded(text: &str, plus: Plus) -> Cow<'_, [u8]> {
    if plus == Plus::Space && text.contains('+') {
        return Cow::Owned(percent_decode_str(&text.replace('+', " ")).collect());
    }
    Cow::from(percent_decode_str(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_as_forms_are() {
        let query = Query::of("/pb/targo?uid=a%20b%2Bc&name=Caf%C3%A9+Quest&empty=&flag&%75id2=x&a=1=2");
        let get = |name| query.get(name).expect("usable");
        assert_eq!(get("uid").as_deref(), Some("a b+c"));
        assert_eq!(get("name").as_deref(), Some("Café Quest"));
        assert_eq!(get("uid2").as_deref(), Some("x"));
        assert_eq!(get("a").as_deref(), Some("1=2"));
        for absent in ["empty", "flag", "other"] {
            assert_eq!(get(absent), None);
        }
    }

    #[test]
    fn a_repeated_or_undecodable_parameter_is_an_error_of_that_parameter_only() {
        let query = Query::of("/pb/targo?uid=a&%75id=b&name=%FF&tx=1");
        assert_eq!(query.get("uid"), Err(BadParam::Repeated));
        assert_eq!(query.get("name"), Err(BadParam::NotUtf8));
        assert_eq!(query.get("tx"), Ok(Some("1".into())));
    }

    #[test]
    fn a_plus_is_a_blank_or_itself_as_the_source_says() {
        let target = "/pb/t?uid=ann+test%40x&other=ann%2Btest@x";
        let read = |plus, name| Query::with_plus(target, plus).get(name).expect("usable").expect("there");
        assert_eq!(read(Plus::Space, "uid"), "ann test@x");
        assert_eq!(read(Plus::Plus, "uid"), "ann+test@x");
        assert_eq!(read(Plus::Plus, "other"), read(Plus::Space, "other"));
    }

    #[test]
    fn an_html_entity_separates_as_what_it_stands_for() {
        for entity in ["&amp;", "&AMP;", "&#38;", "&#x26;", "&amp;amp;", "&&amp;"] {
            let target = format!("/pb/t?uid=a{entity}tx=T;1{entity}empty=");
            let query = Query::of(&target);
            assert_eq!(query.get("uid"), Ok(Some("a".into())), "{entity}");
            assert_eq!(query.get("tx"), Ok(Some("T;1".into())), "{entity}");
            assert!(query.has_entities());
        }
        assert!(!Query::of("/pb/t?uid=amp;&tx=amp;a").has_entities());
        assert_eq!(Query::of("/pb/t??uid=a").get("uid"), Ok(Some("a".into())));
    }
}
