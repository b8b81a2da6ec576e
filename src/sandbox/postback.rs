//! One call as it travels.

use domain::postback::networks::{Call, Method};

/// One call as it is sent, every byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postback {
    /// GET or POST.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Empty for a GET.
    pub body: Vec<u8>,
}

impl Postback {
    /// Hands it over as a call under `origin`, as the gateway receives it.
    pub fn with<T>(&self, origin: &str, use_it: impl FnOnce(&Call<'_>) -> T) -> T {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        use_it(&Call {
            origin,
            method: self.method,
            target: &self.target,
            headers: &headers,
            body: &self.body,
        })
    }

    /// This call, which is unsigned, with the signature that turned `unsigned` into `signed`: a forgery.
    pub(super) fn with_signature_of(self, unsigned: &Self, signed: &Self) -> Self {
        let target = moved(unsigned.target.as_bytes(), signed.target.as_bytes(), self.target.as_bytes());
        let body = moved(&unsigned.body, &signed.body, &self.body);
        let target = String::from_utf8_lossy(&target).into_owned();
        Self { target, body, headers: signed.headers.clone(), ..self }
    }
}

/// `text` with what was inserted into `before` to make `after`, at the same distance from the end.
fn moved(before: &[u8], after: &[u8], text: &[u8]) -> Vec<u8> {
    let same = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    let inserted = &after[same..(same + after.len().saturating_sub(before.len())).min(after.len())];
    let (start, end) = text.split_at(text.len().saturating_sub(before.len() - same));
    [start, inserted, end].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_moves_to_another_call_wherever_it_stands() {
        let moved = |before: &str, after: &str, text: &str| {
            String::from_utf8(moved(before.as_bytes(), after.as_bytes(), text.as_bytes())).expect("text")
        };
        assert_eq!(moved("/p?r=1", "/p?r=1&hash=ab", "/p?r=10"), "/p?r=10&hash=ab");
        assert_eq!(moved(r#"{"r":1}"#, r#"{"r":1,"s":"x"}"#, r#"{"r":10}"#), r#"{"r":10,"s":"x"}"#);
        assert_eq!(moved("same", "same", "other"), "other");
    }
}
