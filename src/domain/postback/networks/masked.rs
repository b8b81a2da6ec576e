//! A captured URL without what would let its reader send it again, as this network writes it.

use crate::masked::masked;
use crate::postback::networks::Definition;
use crate::postback::networks::signature::{Place, Proof, SecretPlace};

/// Stands for what is not shown.
const HIDDEN: char = '…';

impl Definition {
    /// `target` (path and query) with every signature and secret cut: those that any URL may have, and that of this
    /// network under whatever name.
    pub fn masked(&self, target: &str) -> String {
        let shown = masked(target);
        let (path, query) = match shown.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (shown.as_ref(), None),
        };
        let mut out = match (&self.signature.proof, path.rsplit_once('/')) {
            (Proof::SharedSecret(SecretPlace::PathEnd), Some((before, _))) => format!("{before}/{HIDDEN}"),
            _ => path.to_owned(),
        };
        let Some(query) = query else { return out };
        let secret = match self.signature.place() {
            Some(Place::Query(name) | Place::Form(name)) => Some(name.as_str()),
            _ => None,
        };
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) if Some(name) == secret && !value.is_empty() && !value.ends_with(HIDDEN) => {
                format!("{name}={HIDDEN}")
            }
            _ => pair.to_owned(),
        });
        out.push('?');
        out.push_str(&pairs.collect::<Vec<_>>().join("&"));
        out
    }
}

#[cfg(test)]
mod tests {
    use crate::postback::networks::shipped;
    use crate::postback::networks::signature::{Place, Proof, SecretPlace};

    #[test]
    fn no_network_shows_its_signature_or_its_secret() {
        for name in shipped::names() {
            let definition = shipped::definition(name).expect("it ships").expect("no fault");
            let parameter = match definition.signature.place() {
                Some(Place::Query(name) | Place::Form(name)) => name,
                _ => "hash",
            };
            let shown = definition.masked(&format!("/pb/main?uid=u1&{parameter}=s3cret&tx=T-1"));
            assert!(!shown.contains("s3cret") && shown.contains("uid=u1&"), "{name}: {shown}");
            if definition.signature.proof == Proof::SharedSecret(SecretPlace::PathEnd) {
                assert_eq!(definition.masked("/pb/main/s3cret?uid=u1"), "/pb/main/…?uid=u1");
                assert_eq!(definition.masked("/pb/main/s3cret"), "/pb/main/…");
            }
        }
    }
}
