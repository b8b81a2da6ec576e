//! Why a signature does not match: what the network must have signed instead, found by trying.
//!
//! Every way in which integrations are known to go wrong is a dimension (form, scheme, host, secret, encoding, order);
//! all their combinations are tried, and the one with the fewest deviations is the answer. It never shows a secret or
//! a hash that would be valid. This is for networks that sign the URL with HMAC-SHA1; [`network`] is for all others.

mod candidates;
pub mod network;
mod sentences;
#[cfg(test)]
mod tests;

use crate::postback::carried::Carried;
use crate::postback::signature::{Secret, SignatureForm};
use candidates::{Hash, candidates, hosts};

/// A call whose signature does not match, and the source it was meant for.
#[derive(Clone, Copy, Debug)]
pub struct Suspect<'a> {
    /// Path and query, as received.
    pub target: &'a str,
    /// `public_url`, without a slash at the end.
    pub origin: &'a str,
    /// Other hosts that might have been signed, e.g. that of the captured URL, or the listener's.
    pub other_hosts: &'a [String],
    /// The form of the source.
    pub form: SignatureForm,
    /// The secrets of the source.
    pub secrets: &'a [Secret],
    /// The secrets of other sources, by their names.
    pub other_secrets: &'a [(String, Secret)],
    /// The fields that its body carries, if any.
    pub carried: Option<&'a Carried>,
    /// The URL from the network's dashboard, if given.
    pub dashboard: Option<&'a str>,
}

/// The result of a diagnosis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// It verifies with the present settings.
    Verifies,
    /// It would verify with these deviations, the fewest that do.
    Deviates(Vec<Deviation>),
    /// There is no hash to compare, and why.
    NoHash(&'static str),
    /// The fields came in the body and not in the URL.
    InBody {
        /// Why the URL alone cannot be compared, or how many combinations did not explain it.
        url: Box<Diagnosis>,
        /// The fields in the body.
        carried: Carried,
    },
    /// No known cause explains it.
    Unexplained(Tried),
}

/// What was tried without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Number of combinations tried.
    pub combinations: usize,
    /// Hosts tried, without their variations.
    pub hosts: Vec<String>,
    /// Whether the dashboard's host was among them.
    pub has_dashboard: bool,
}

/// One difference from the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// The network signed another scheme or host than `public_url`.
    Origin {
        /// Scheme and host that the network signed.
        signed: String,
        /// `public_url`.
        expected: String,
    },
    /// The form that was signed.
    Form(SignatureForm),
    /// The secret of another source.
    SecretOf(String),
    /// The configured secret without the blanks or quotes around it.
    SecretTrimmed,
    /// The bytes that the configured secret spells in hexadecimal.
    SecretIsHex,
    /// What was done to the query on its way.
    Encoding(Encoding),
    /// The parameters were signed in the order of their names.
    Sorted,
    /// A parameter was added after the hash, or the parameters were reordered in transit.
    HashMoved,
    /// The hash is written in capital letters.
    UpperCaseHash,
    /// It is an HMAC-SHA256.
    Sha256,
}

/// What was done to the query between the network and us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `+` was signed, `%20` arrived.
    PlusBecamePercent,
    /// `%20` was signed, `+` arrived.
    PercentBecamePlus,
    /// The text was signed before it was encoded.
    SignedDecoded,
    /// Escapes were signed in upper case and arrived in lower case.
    LowerCaseEscapes,
    /// Escapes were signed in lower case and arrived in upper case.
    UpperCaseEscapes,
    /// `&` was signed as `&amp;`.
    Entities,
}

/// Tries everything, and answers with the simplest explanation.
pub fn diagnose(suspect: &Suspect<'_>) -> Diagnosis {
    let url = of_url(suspect);
    match (suspect.carried, &url) {
        (Some(carried), Diagnosis::NoHash(_) | Diagnosis::Unexplained(_)) => {
            Diagnosis::InBody { url: Box::new(url), carried: carried.clone() }
        }
        _ => url,
    }
}

fn of_url(suspect: &Suspect<'_>) -> Diagnosis {
    let hash = match Hash::of(suspect.target) {
        Ok(hash) => hash,
        Err(why) => return Diagnosis::NoHash(why),
    };
    let mut combinations = 0;
    let explained = candidates(suspect)
        .inspect(|_| combinations += 1)
        .filter(|candidate| candidate.explains(&hash))
        .map(|candidate| candidate.deviations(&hash, suspect))
        .min_by_key(Vec::len);
    match explained {
        Some(deviations) if deviations.is_empty() => Diagnosis::Verifies,
        Some(deviations) => Diagnosis::Deviates(deviations),
        None => Diagnosis::Unexplained(Tried {
            combinations,
            hosts: hosts(suspect),
            has_dashboard: suspect.dashboard.is_some(),
        }),
    }
}
