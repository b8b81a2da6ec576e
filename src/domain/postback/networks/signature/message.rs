//! What a network signs, as its definition says it. `assemble` makes the bytes of it.

use crate::postback::networks::Field;
use crate::postback::signature::SignatureForm;

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The whole URL, without its signature parameter or with that emptied.
    Url(SignatureForm),
    /// The query before the signature parameter.
    QueryBeforeSignature,
    /// The parameters of the query, sorted by name and encoded again.
    Sorted(Sorted),
    /// Values one after the other.
    Concat(Concat),
    /// The body.
    Body,
    /// A time out of the signature's header, a separator, and the body.
    TimestampBody(TimestampBody),
}

/// Parameters sorted by the bytes of their decoded names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorted {
    /// How names and values are written.
    pub encoding: SortedEncoding,
    /// Parameters that are not signed, next to the signature itself.
    pub drop: Vec<String>,
    /// What joins the pairs.
    pub pair: Pair,
}

/// How the names and values of sorted parameters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortedEncoding {
    /// As PHP's `http_build_query`: a blank is `+`.
    Form,
    /// As RFC 3986: a blank is `%20`.
    Rfc3986,
    /// As forms, the values twice.
    Double,
    /// Not encoded at all.
    Plain,
}

impl SortedEncoding {
    /// Every encoding with its name in a definition.
    pub const ALL: [(&'static str, Self); 4] =
        [("form", Self::Form), ("rfc3986", Self::Rfc3986), ("double", Self::Double), ("none", Self::Plain)];
}

/// What joins sorted pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// `&`.
    Ampersand,
    /// `,`.
    Comma,
}

/// Values one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concat {
    /// In the order in which they are signed.
    pub parts: Vec<Part>,
    /// Between any two of them; may be empty.
    pub separator: String,
}

/// One of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it comes from.
    pub source: PartSource,
    /// What is done to it first.
    pub value: PartValue,
    /// What happens without it.
    pub absent: Absent,
}

/// Where a part comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartSource {
    /// The parameter of a field.
    Field(Field),
    /// A parameter that is no field.
    Parameter(String),
    /// The secret.
    Secret,
    /// The second secret: an app key or a placement id.
    SecondSecret,
    /// The same text for every call.
    Constant(String),
    /// Every parameter `prefix0` … `prefix9` that is there, in the order of the numbers.
    Series {
        /// Before the number.
        prefix: String,
        /// The first number.
        from: u16,
        /// The last number.
        to: u16,
    },
}

/// What is done to a value before it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartValue {
    /// Nothing: the bytes as in the call.
    Received,
    /// Percent-decoding, where `+` is a blank.
    Decoded,
    /// The same, and cut to a whole number: `100.1234` is signed as `100`.
    Integer,
}

/// What happens if a part is not in the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The call is refused. An empty value is signed as nothing.
    Refused,
    /// The part and its separator are left out. An empty value is signed as nothing.
    Omitted,
    /// The same, and of an empty value too.
    OmittedWhenEmpty,
}

/// A signed time and the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampBody {
    /// The part of the signature's header that is the time, in seconds since 1970, e.g. `t`.
    pub part: String,
    /// Between the two.
    pub separator: String,
    /// How far the time may be from ours, in seconds either way.
    pub window_s: u32,
}
