//! URLs with macros in braces, as in a network's dashboard, and the values that replace them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// Characters shown of the text after an unmatched brace.
const SHOWN_CHARS: usize = 20;
/// Everything but the unreserved characters of RFC 3986, so that a space is `%20`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A piece of such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Literal text; may be empty.
    Text(&'t str),
    /// The name between two braces.
    Macro(&'t str),
}

/// An unmatched brace, and the text after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoneBrace(pub String);

/// The pieces of `text` in their order; ends at the first brace that has no partner.
pub fn pieces(text: &str) -> impl Iterator<Item = Result<Piece<'_>, LoneBrace>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        if let Some(from_brace) = text.strip_prefix(['{', '}']) {
            let inside = text.starts_with('{').then(|| from_brace.split_once('}')).flatten();
            let Some((name, after)) = inside.filter(|(name, _)| !name.contains('{')) else {
                rest = None;
                return Some(Err(LoneBrace(text.chars().take(SHOWN_CHARS).collect())));
            };
            rest = Some(after).filter(|after| !after.is_empty());
            return Some(Ok(Piece::Macro(name)));
        }
        let (before, from_brace) = text.split_at(text.find(['{', '}']).unwrap_or(text.len()));
        rest = Some(from_brace).filter(|from_brace| !from_brace.is_empty());
        Some(Ok(Piece::Text(before)))
    })
}

/// `value` percent-encoded, safe in any part of a URL.
pub fn encoded(value: &str) -> PercentEncode<'_> {
    utf8_percent_encode(value, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_its_pieces_up_to_the_first_lone_brace() {
        let split = |text| pieces(text).collect::<Vec<_>>();
        let lone = |text: &str| Err(LoneBrace(text.into()));
        assert_eq!(
            split("a{b}{c}d"),
            [Ok(Piece::Text("a")), Ok(Piece::Macro("b")), Ok(Piece::Macro("c")), Ok(Piece::Text("d"))]
        );
        assert_eq!(split("{a"), [lone("{a")]);
        assert_eq!(split("a}b{c}"), [Ok(Piece::Text("a")), lone("}b{c}")]);
        assert_eq!(split("{{a}"), [lone("{{a}")]);
    }

    #[test]
    fn only_unreserved_characters_stay_as_they_are() {
        assert_eq!(encoded("Café & 50% +1-._~").to_string(), "Caf%C3%A9%20%26%2050%25%20%2B1-._~");
    }
}
