//! What is odd about queries: a `+`, and `&amp;` instead of `&`.

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

/// Remains of `&amp;` before a name, from a link that was copied out of HTML.
const ENTITIES: [&str; 5] = ["amp;", "AMP;", "#38;", "#038;", "#x26;"];

/// `pair` without such remains before its name.
pub(crate) fn without_entities(pair: &[u8]) -> &[u8] {
    let mut pair = pair;
    while let Some(rest) = ENTITIES.iter().find_map(|entity| pair.strip_prefix(entity.as_bytes())) {
        pair = rest;
    }
    pair
}
