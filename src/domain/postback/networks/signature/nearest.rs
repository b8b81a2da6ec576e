//! What a definition would have to say for a captured call to verify: for operators, never to accept a call.

use std::fmt;

use super::{
    Concat, Digest, Encoding, Message, Pair, Part, PartSource, PartValue, Proof, Scheme, SortedEncoding,
};
use crate::postback::networks::Definition;
use crate::postback::networks::call::Call;
use crate::postback::networks::signature::{Keys, Verified};
use crate::postback::signature::SignatureForm;
use crate::time::TimestampMs;

/// Separators that networks were seen to use.
const SEPARATORS: [&str; 4] = ["", "-", ":", "."];
/// Parts whose orders are all tried: 720 of them.
const MAX_ORDERED: usize = 6;

/// One line that differs from the definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The call was signed for another origin.
    Origin(String),
    /// The other form of the URL.
    Url(SignatureForm),
    /// Another encoding or join of sorted parameters.
    Sorted(SortedEncoding, Pair),
    /// Values are signed decoded, or as received.
    Values(PartValue),
    /// Another separator.
    Separator(String),
    /// Another order, as the names of the parts.
    Order(Vec<String>),
    /// Another digest.
    Digest(Digest),
    /// Another encoding.
    Encoding(Encoding),
}

/// As the line would have to be.
impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(origin) => write!(out, "signed for {origin}: set the public origin to it"),
            Self::Url(SignatureForm::Cut) => out.write_str("message = { url = \"cut\" }"),
            Self::Url(SignatureForm::Empty) => out.write_str("message = { url = \"empty\" }"),
            Self::Sorted(encoding, pair) => {
                let name =
                    SortedEncoding::ALL.iter().find(|(_, own)| own == encoding).map_or("", |(name, _)| name);
                let pair = if *pair == Pair::Comma { "," } else { "&" };
                write!(out, "encode = \"{name}\", pair = \"{pair}\"")
            }
            Self::Values(value) => write!(out, "decoded = {}", *value == PartValue::Decoded),
            Self::Separator(separator) => write!(out, "separator = \"{separator}\""),
            Self::Order(parts) => write!(out, "parts in the order {}", parts.join(", ")),
            Self::Digest(digest) => write!(out, "digest = \"{}\"", digest.name()),
            Self::Encoding(encoding) => write!(out, "encoding = \"{}\"", encoding.name()),
        }
    }
}

/// A message that could have been signed, and how it differs.
type Variant = (Message, Vec<Difference>);

impl Definition {
    /// The fewest differences with which `call` verifies under one of `keys`; empty if it verifies as it is, `None` if
    /// nothing does. `origins` are others that the network may have called, such as the one behind a proxy.
    pub fn nearest(
        &self,
        call: &Call<'_>,
        keys: &Keys,
        now: TimestampMs,
        origins: &[&str],
    ) -> Option<(Vec<Difference>, Verified)> {
        if let Ok(verified) = self.verify(call, keys, now) {
            return Some((Vec::new(), verified));
        }
        let Proof::Signed(scheme) = &self.signature.proof else { return None };
        // The same letters can be either base64: only the usual one is padded.
        let is_padded = scheme.at.written(call, Encoding::Base64).is_ok_and(|text| text.ends_with(b"="));
        let [first, second] = if is_padded {
            [Encoding::Base64, Encoding::Base64Url]
        } else {
            [Encoding::Base64Url, Encoding::Base64]
        };
        let mut tries = Vec::new();
        for (message, differences) in variants(&scheme.message) {
            for digest in digests(scheme.digest) {
                for encoding in [scheme.encoding, Encoding::Hex, first, second] {
                    let mut differences = differences.clone();
                    differences.extend((digest != scheme.digest).then_some(Difference::Digest(digest)));
                    let is_new = encoding.name() != scheme.encoding.name();
                    differences.extend(is_new.then_some(Difference::Encoding(encoding)));
                    tries.push((
                        Scheme { message: message.clone(), digest, encoding, ..scheme.clone() },
                        differences,
                    ));
                }
            }
        }
        tries.sort_by_key(|(_, differences)| differences.len());
        let mut changed = self.clone();
        let mut best: Option<(Vec<Difference>, Verified)> = None;
        for (scheme, differences) in tries {
            if best.as_ref().is_some_and(|(found, _)| found.len() <= differences.len()) {
                break;
            }
            changed.signature.proof = Proof::Signed(scheme);
            for origin in [call.origin].iter().chain(origins) {
                let Ok(verified) = changed.verify(&Call { origin, ..*call }, keys, now) else { continue };
                let elsewhere = (*origin != call.origin).then(|| Difference::Origin((*origin).to_owned()));
                let all: Vec<_> = differences.iter().cloned().chain(elsewhere).collect();
                if best.as_ref().is_none_or(|(found, _)| all.len() < found.len()) {
                    best = Some((all, verified));
                }
            }
        }
        best
    }
}

/// The digests that have a key if this one has, or none.
fn digests(digest: Digest) -> Vec<Digest> {
    if digest == Digest::EcdsaP256Sha256 {
        return vec![digest];
    }
    let all = Digest::ALL.into_iter().map(|(_, other)| other);
    all.filter(|other| other.is_plain() == digest.is_plain() && other.len_bytes().is_some()).collect()
}

fn variants(message: &Message) -> Vec<Variant> {
    let mut all = vec![(message.clone(), Vec::new())];
    match message {
        Message::Url(form) => {
            let other = if *form == SignatureForm::Cut { SignatureForm::Empty } else { SignatureForm::Cut };
            all.push((Message::Url(other), vec![Difference::Url(other)]));
        }
        Message::Sorted(rule) => {
            for (_, encoding) in SortedEncoding::ALL {
                for pair in [Pair::Ampersand, Pair::Comma] {
                    let changed = super::Sorted { encoding, pair, ..rule.clone() };
                    if changed != *rule {
                        all.push((Message::Sorted(changed), vec![Difference::Sorted(encoding, pair)]));
                    }
                }
            }
        }
        Message::Concat(rule) => all.extend(concats(rule)),
        Message::QueryBeforeSignature | Message::Body | Message::TimestampBody(_) => {}
    }
    all
}

fn concats(rule: &Concat) -> Vec<Variant> {
    let mut all = Vec::new();
    for parts in orders(&rule.parts) {
        for separator in SEPARATORS {
            for value in [None, Some(PartValue::Decoded), Some(PartValue::Received)] {
                let mut differences = Vec::new();
                if parts != rule.parts {
                    differences.push(Difference::Order(parts.iter().map(name).collect()));
                }
                if separator != rule.separator {
                    differences.push(Difference::Separator(separator.to_owned()));
                }
                differences.extend(value.map(Difference::Values));
                let mut changed = Concat { parts: parts.clone(), separator: separator.to_owned() };
                for part in &mut changed.parts {
                    part.value = value.filter(|_| part.value != PartValue::Integer).unwrap_or(part.value);
                }
                if changed != *rule {
                    all.push((Message::Concat(changed), differences));
                }
            }
        }
    }
    all
}

fn orders(parts: &[Part]) -> Vec<Vec<Part>> {
    if parts.len() > MAX_ORDERED || parts.len() < 2 {
        return vec![parts.to_vec()];
    }
    let mut all = Vec::new();
    for (index, first) in parts.iter().enumerate() {
        let rest: Vec<_> = [&parts[..index], &parts[index + 1..]].concat();
        all.extend(orders(&rest).into_iter().map(|rest| [std::slice::from_ref(first), &rest].concat()));
    }
    all
}

fn name(part: &Part) -> String {
    match &part.source {
        PartSource::Field(field) => field.name().to_owned(),
        PartSource::Parameter(name) => name.clone(),
        PartSource::Secret => "secret".to_owned(),
        PartSource::SecondSecret => "second_secret".to_owned(),
        PartSource::Constant(text) => format!("\"{text}\""),
        PartSource::Series { prefix, .. } => format!("{prefix}…"),
    }
}
