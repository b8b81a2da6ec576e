//! The raw query of a URL, split and decoded without losing anything on the way.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The parameters of one query, in the order received.
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, [u8]>, Cow<'a, str>)>,
}

/// Why one parameter cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadParam {
    /// It stands in the query more than once: which one counts would be a guess.
    Repeated,
    /// Its bytes are not UTF-8 after decoding.
    NotUtf8,
}

impl<'a> Query<'a> {
    /// Splits the query of `target` (path and query, as received).
    pub fn of(target: &'a str) -> Self {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let name = match plus_as_space(name) {
                    Cow::Borrowed(name) => Cow::from(percent_decode_str(name)),
                    Cow::Owned(name) => Cow::Owned(percent_decode_str(&name).collect()),
                };
                (name, Cow::Borrowed(value))
            })
            .collect();
        Self { pairs }
    }

    /// The decoded value of `name`; `None` if it is absent or empty.
    pub fn get(&self, name: &str) -> Result<Option<String>, BadParam> {
        let mut found = self.pairs.iter().filter(|(given, _)| given.as_ref() == name.as_bytes());
        let Some((_, value)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(BadParam::Repeated);
        }
        let value = plus_as_space(value);
        let decoded = percent_decode_str(&value).decode_utf8().map_err(|_| BadParam::NotUtf8)?;
        Ok((!decoded.is_empty()).then(|| decoded.into_owned()))
    }
}

/// Queries are form-encoded: `+` is a space.
fn plus_as_space(text: &str) -> Cow<'_, str> {
    if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) }
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
}
