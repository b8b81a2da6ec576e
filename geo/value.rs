//! One value of a record, of any type.
//!
//! The same key can have a map in one schema and a string in another, and vendors change types between releases. A derived
//! deserializer would reject the whole record because of one such value.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value, reduced to the types that records use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// A string, or the `iso_code` of a map.
    Text(&'a str),
    /// A whole number, not negative.
    Number(u64),
    /// True or false.
    Flag(bool),
    /// Anything else.
    Nothing,
}

impl<'a> Value<'a> {
    /// The trimmed string; `None` if it is empty or not a string.
    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// An autonomous system's number, as a number or as text (`AS15169`, `15169`).
    pub(crate) fn asn(self) -> Option<u32> {
        match self {
            Self::Number(number) => u32::try_from(number).ok(),
            Self::Text(text) => {
                let text = text.trim();
                text.strip_prefix("AS").or(text.strip_prefix("as")).unwrap_or(text).parse().ok()
            }
            _ => None,
        }
    }

    /// True if the flag is set, also as text: files built from tables have only text.
    pub(crate) fn is_set(self) -> bool {
        match self {
            Self::Flag(flag) => flag,
            Self::Text(text) => text.trim().eq_ignore_ascii_case("true"),
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Lenient(IsoCode).deserialize(deserializer)
    }
}

/// Reads the entries of a map into one value.
pub(crate) trait Entries<'de> {
    /// Must read every entry: one left unread would be taken for the next value.
    fn read<M: MapAccess<'de>>(self, map: M) -> Result<Value<'de>, M::Error>;
}

/// Accepts a value of any type; `E` reads the entries of a map.
pub(crate) struct Lenient<E>(pub(crate) E);

impl<'de, E: Entries<'de>> DeserializeSeed<'de> for Lenient<E> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, E: Entries<'de>> Visitor<'de> for Lenient<E> {
    type Value = Value<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }

    fn visit_borrowed_str<F>(self, text: &'de str) -> Result<Self::Value, F> {
        Ok(Value::Text(text))
    }

    fn visit_bool<F>(self, flag: bool) -> Result<Self::Value, F> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<F>(self, number: u64) -> Result<Self::Value, F> {
        Ok(Value::Number(number))
    }

    fn visit_u128<F>(self, number: u128) -> Result<Self::Value, F> {
        Ok(u64::try_from(number).map_or(Value::Nothing, Value::Number))
    }

    fn visit_i64<F>(self, number: i64) -> Result<Self::Value, F> {
        Ok(u64::try_from(number).map_or(Value::Nothing, Value::Number))
    }

    fn visit_f64<F>(self, _: f64) -> Result<Self::Value, F> {
        Ok(Value::Nothing)
    }

    fn visit_borrowed_bytes<F>(self, _: &'de [u8]) -> Result<Self::Value, F> {
        Ok(Value::Nothing)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut values: S) -> Result<Self::Value, S::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Nothing)
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        self.0.read(map)
    }
}

/// Reads a map as its `iso_code`.
struct IsoCode;

impl<'de> Entries<'de> for IsoCode {
    fn read<M: MapAccess<'de>>(self, mut map: M) -> Result<Value<'de>, M::Error> {
        let mut code = Value::Nothing;
        while let Some(key) = map.next_key::<&str>()? {
            if key == "iso_code" {
                code = map.next_value_seed(Lenient(Skipped))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(code)
    }
}

/// Skips a map, so that a file cannot nest maps to any depth.
struct Skipped;

impl<'de> Entries<'de> for Skipped {
    fn read<M: MapAccess<'de>>(self, mut map: M) -> Result<Value<'de>, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_system_is_read_in_every_form() {
        for value in
            [Value::Number(15_169), Value::Text("15169"), Value::Text("AS15169"), Value::Text(" as15169 ")]
        {
            assert_eq!(value.asn(), Some(15_169), "{value:?}");
        }
        for value in [Value::Number(1 << 32), Value::Text("AS"), Value::Text("SA1"), Value::Flag(true)] {
            assert_eq!(value.asn(), None, "{value:?}");
        }
    }

    #[test]
    fn a_flag_is_set_by_true_alone_also_as_text() {
        for value in [Value::Flag(true), Value::Text("true"), Value::Text("True")] {
            assert!(value.is_set(), "{value:?}");
        }
        for value in
            [Value::Flag(false), Value::Text("false"), Value::Text(""), Value::Number(1), Value::Nothing]
        {
            assert!(!value.is_set(), "{value:?}");
        }
    }
}
