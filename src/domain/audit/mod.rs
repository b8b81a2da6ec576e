//! The acts that the audit records ([`Action`]), and its chain: each line carries a hash over itself and the hash of
//! the line before it, so that a changed, added or removed line is found.
//!
//! The hash is SHA-256 over the fields in the order of [`Entry`], each as `length:bytes;` and `-;` if there is none,
//! after the hash of the line before in the same form (empty for the first line). Of a whole address it covers a
//! salted digest and not the address, so that the address can be deleted at the end of its term.

mod action;

use std::fmt::Write as _;

use crate::text::sha256;

pub use action::Action;

/// A line of the audit as its hash covers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its place in the chain; the first is 1.
    pub seq: i64,
    /// In Unix milliseconds.
    pub happened_at: i64,
    /// A person, a service, or a part of RewardGate.
    pub actor: &'a str,
    /// The name of a [`crate::actor::Via`].
    pub via: Option<&'a str>,
    /// Which token, or which user of the operating system.
    pub via_name: Option<&'a str>,
    /// The network of the address.
    pub from_network: Option<&'a str>,
    /// [`address_digest`] of the address.
    pub address_digest: Option<&'a str>,
    /// [`Action::name`].
    pub action: &'a str,
    /// What it was done to, such as `reward 1`.
    pub subject: &'a str,
    /// Free text; empty if there is none.
    pub detail: &'a str,
}

/// The hash of `entry` after the line whose hash is `previous`.
pub fn hash(previous: &str, entry: &Entry<'_>) -> String {
    let (seq, at) = (entry.seq.to_string(), entry.happened_at.to_string());
    let fields = [
        Some(previous),
        Some(&seq),
        Some(&at),
        Some(entry.actor),
        entry.via,
        entry.via_name,
        entry.from_network,
        entry.address_digest,
        Some(entry.action),
        Some(entry.subject),
        Some(entry.detail),
    ];
    let mut text = String::new();
    for field in fields {
        // Writing to a text cannot fail.
        let _ = match field {
            Some(field) => write!(text, "{}:{field};", field.len()),
            None => write!(text, "-;"),
        };
    }
    sha256(text.as_bytes())
}

/// What stands for a whole address in the hash: with the salt gone it says nothing about the address.
pub fn address_digest(salt: &str, address: &str) -> String {
    sha256(format!("{salt}:{address}").as_bytes())
}

/// A line as stored.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The fields that the hash covers.
    pub entry: Entry<'a>,
    /// The hash that stands beside it.
    pub hash: &'a str,
    /// The address and its salt, while they are kept.
    pub address: Option<(&'a str, &'a str)>,
}

/// Why the chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The first missing line.
    #[error("audit line {0} is missing")]
    Missing(i64),
    /// The line, or one before it, was changed.
    #[error("audit line {0} does not fit the line before it: it was changed, added or moved")]
    Changed(i64),
    /// The address beside the line was changed.
    #[error("audit line {0} has another address than when it was written")]
    Address(i64),
    /// The newest lines are missing.
    #[error("the audit ends at line {last}, but reached line {head}: the newest lines are missing")]
    Tail {
        /// The last line that is there.
        last: i64,
        /// How far the chain had come.
        head: i64,
    },
    /// The end of the chain is another than was kept apart.
    #[error("audit line {0} is not the one that the end of the chain names")]
    Head(i64),
    /// Lines outside the chain came or went.
    #[error("{found} audit lines stand outside the chain, {kept} stood there when it began")]
    Outside {
        /// Number of such lines now.
        found: i64,
        /// Number when the chain began.
        kept: i64,
    },
}

/// Checks lines one by one, in the order of the chain; fails at the first that does not match.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    last: i64,
    hash: String,
}

impl Chain {
    /// Checks the next line.
    pub fn look_at(&mut self, kept: &Kept<'_>) -> Result<(), Fault> {
        let next = self.last.saturating_add(1);
        let seq = kept.entry.seq;
        if seq > next {
            return Err(Fault::Missing(next));
        }
        if seq != next || hash(&self.hash, &kept.entry) != kept.hash {
            return Err(Fault::Changed(seq));
        }
        if let Some((address, salt)) = kept.address
            && kept.entry.address_digest != Some(&address_digest(salt, address))
        {
            return Err(Fault::Address(seq));
        }
        self.last = seq;
        kept.hash.clone_into(&mut self.hash);
        Ok(())
    }

    /// Number of the last line checked; 0 before the first.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Whether the line that was just looked at is the end that was kept apart, if it stands there.
    pub fn compare(&self, head: i64, head_hash: &str) -> Result<(), Fault> {
        if self.last == head && self.hash != head_hash { Err(Fault::Head(head)) } else { Ok(()) }
    }

    /// Whether the chain, which ends here, reaches `head`.
    pub fn end(&self, head: i64) -> Result<(), Fault> {
        if self.last < head { Err(Fault::Tail { last: self.last, head }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Entry<'static> = Entry {
        seq: 1,
        happened_at: 7,
        actor: "mara",
        via: Some("page"),
        via_name: None,
        from_network: Some("203.0.113.0/24"),
        address_digest: None,
        action: "released",
        subject: "reward 1",
        detail: "",
    };

    #[test]
    fn every_field_and_the_line_before_are_in_the_hash() {
        let one = hash("", &LINE);
        let others = [
            hash("x", &LINE),
            hash("", &Entry { seq: 2, ..LINE }),
            hash("", &Entry { happened_at: 8, ..LINE }),
            hash("", &Entry { actor: "joe", ..LINE }),
            hash("", &Entry { via: Some("token"), ..LINE }),
            hash("", &Entry { via: None, via_name: Some("page"), ..LINE }),
            hash("", &Entry { from_network: None, ..LINE }),
            hash("", &Entry { address_digest: Some(""), ..LINE }),
            hash("", &Entry { action: "released;", ..LINE }),
            hash("", &Entry { subject: "reward 2", ..LINE }),
            hash("", &Entry { detail: "x", ..LINE }),
        ];
        assert!(others.iter().all(|other| *other != one));
        assert_eq!(hash("", &LINE), one);
    }

    fn kept<'a>(entry: Entry<'a>, hash: &'a str) -> Kept<'a> {
        Kept { entry, hash, address: None }
    }

    #[test]
    fn the_first_line_that_does_not_fit_is_named() {
        let one = hash("", &LINE);
        let second = Entry { seq: 2, ..LINE };
        let two = hash(&one, &second);
        let mut chain = Chain::default();
        assert_eq!(chain.look_at(&kept(LINE, &one)), Ok(()));
        assert_eq!(chain.look_at(&kept(LINE, &one)), Err(Fault::Changed(1)), "twice");
        assert_eq!(chain.look_at(&kept(Entry { actor: "joe", ..second }, &two)), Err(Fault::Changed(2)));
        assert_eq!(chain.look_at(&kept(Entry { seq: 3, ..LINE }, &two)), Err(Fault::Missing(2)));
        assert_eq!(chain.look_at(&kept(second, &two)), Ok(()));
        assert_eq!(chain.compare(2, &two), Ok(()));
        assert_eq!(chain.compare(2, &one), Err(Fault::Head(2)));
        assert_eq!((chain.end(2), chain.end(3)), (Ok(()), Err(Fault::Tail { last: 2, head: 3 })));
    }

    #[test]
    fn an_address_may_go_but_not_change() {
        let digest = address_digest("salt", "203.0.113.7");
        let line = Entry { address_digest: Some(&digest), ..LINE };
        let hash = hash("", &line);
        let look = |address| Chain::default().look_at(&Kept { address, ..kept(line, &hash) });
        assert_eq!((look(None), look(Some(("203.0.113.7", "salt")))), (Ok(()), Ok(())));
        assert_eq!(look(Some(("203.0.113.8", "salt"))), Err(Fault::Address(1)));
    }
}
