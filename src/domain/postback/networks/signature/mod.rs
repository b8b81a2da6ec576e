//! Signatures of networks: what is signed, with which digest, how it is written, and where it stands.
//!
//! | module | what it does |
//! |---|---|
//! | [`verify`], [`sign`] | checks a call; signs one as the network does |
//! | [`message`], `assemble` | what is signed; its exact bytes |
//! | [`digest`], [`keys`] | their digest under each secret; the secrets and keys of a source |
//! | [`encoding`], [`place`] | how a signature is written; where it stands in a call |
//! | [`refusal`] | why a call is refused |
//! | [`nearest`] | what the definition would have to say instead, for operators |
//!
//! Sources: the networks' pages, one for each definition.

mod assemble;
pub mod digest;
pub mod encoding;
pub mod keys;
pub mod message;
pub mod nearest;
pub mod place;
pub mod refusal;
pub mod sign;
#[cfg(test)]
mod tests;
pub mod verify;

pub use digest::Digest;
pub use encoding::Encoding;
pub use keys::{Keys, PublicKey};
pub use message::{
    Absent, Concat, Message, Pair, Part, PartSource, PartValue, Sorted, SortedEncoding, TimestampBody,
};
pub use nearest::Difference;
pub use place::{Place, SecretPlace};
pub use refusal::Refusal;
pub use sign::SignedCall;
pub use verify::Verified;

use crate::postback::networks::definition::Confirmed;
use crate::postback::signature::SignatureForm;

/// The `[signature]` of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What proves that a call is the network's.
    pub proof: Proof,
    /// The macro for its parameter, where the publisher has to paste one: `{secure_hash}`.
    pub macro_text: Option<String>,
    /// How well it is known.
    pub confirmed: Confirmed,
}

impl Signature {
    /// What of the URL is signed; `None` if that is not what the network signs.
    pub fn url_form(&self) -> Option<SignatureForm> {
        match &self.proof {
            Proof::Signed(Scheme { message: Message::Url(form), .. }) => Some(*form),
            _ => None,
        }
    }

    /// Where the signature or the secret stands in a call; `None` for nothing and for the path.
    pub fn place(&self) -> Option<&Place> {
        match &self.proof {
            Proof::Signed(scheme) => Some(&scheme.at),
            Proof::SharedSecret(SecretPlace::At(place)) => Some(place),
            Proof::SharedSecret(SecretPlace::PathEnd) | Proof::Nothing => None,
        }
    }
}

/// What proves that a call is the network's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A signature.
    Signed(Scheme),
    /// The secret itself is in the call: it protects nothing but against people who have never seen a call.
    SharedSecret(SecretPlace),
    /// Nothing: only the caller's address tells.
    Nothing,
}

/// What a source must have to check a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// A secret.
    pub secret: bool,
    /// A second one.
    pub second_secret: bool,
    /// Public keys.
    pub public_keys: bool,
}

impl Proof {
    /// What it is checked with.
    pub fn needs(&self) -> Needs {
        match self {
            Self::Nothing => Needs::default(),
            Self::SharedSecret(_) => Needs { secret: true, ..Needs::default() },
            Self::Signed(scheme) if scheme.digest == Digest::EcdsaP256Sha256 => {
                Needs { public_keys: true, ..Needs::default() }
            }
            Self::Signed(scheme) => {
                let has_second =
                    |concat: &Concat| concat.parts.iter().any(|part| part.source == PartSource::SecondSecret);
                let second_secret = matches!(&scheme.message, Message::Concat(concat) if has_second(concat));
                Needs { secret: true, second_secret, public_keys: false }
            }
        }
    }
}

/// A signature: message, digest, encoding, place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// The bytes that are signed.
    pub message: Message,
    /// Their digest.
    pub digest: Digest,
    /// How the digest is written.
    pub encoding: Encoding,
    /// Where it stands.
    pub at: Place,
    /// The query parameter that names the key, e.g. `key_id`.
    pub key_id: Option<String>,
}
