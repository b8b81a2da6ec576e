//! Values of a JSON body by dotted path, with numbers exactly as they are written: a signature may cover `1.50`.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::BadBody;

/// The JSON object that `body` is.
pub(crate) fn object(body: &[u8]) -> Result<&RawValue, BadBody> {
    if body.trim_ascii().is_empty() {
        return Err(BadBody::Empty);
    }
    let whole: &RawValue =
        serde_json::from_slice(body).map_err(|error| BadBody::NotJson(error.to_string()))?;
    if !whole.get().trim_start().starts_with('{') {
        return Err(BadBody::NotJson("it is another value".into()));
    }
    Ok(whole)
}

/// Every value at `path`; more than one if a key is repeated. Objects, lists and null are no values.
pub(super) fn values<'a>(object: &'a RawValue, path: &str) -> Vec<Cow<'a, [u8]>> {
    let mut found = vec![object];
    for name in path.split('.') {
        found = found.into_iter().flat_map(|inside| members(inside, name)).collect();
    }
    found.into_iter().filter_map(scalar).collect()
}

/// The members called `name` of an object; none if it is something else.
pub(crate) fn members<'a>(value: &'a RawValue, name: &str) -> Vec<&'a RawValue> {
    let Ok(Members(members)) = serde_json::from_str::<Members<'a>>(value.get()) else { return Vec::new() };
    members.into_iter().filter(|(given, _)| given == name).map(|(_, value)| value).collect()
}

fn scalar(value: &RawValue) -> Option<Cow<'_, [u8]>> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(text).ok().map(|text| Cow::Owned(text.into_bytes())),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(text.as_bytes())),
    }
}

/// All members of an object, repeated ones too.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Deserialize<'a> for Members<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'a> Visitor<'a> for Object {
            type Value = Members<'a>;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
