//! Why a call of any network does not verify: which line of its definition, or which secret, would have to be another.
//!
//! Networks that sign the URL as deliveries are signed have a diagnosis of their own, [`super::diagnose`], which knows more of
//! what happens to URLs on their way.

use std::fmt;

use ipnet::IpNet;

use crate::postback::carried::Carried;
use crate::postback::diagnosis::candidates::{hosts, origins, secrets};
use crate::postback::diagnosis::{Deviation, Diagnosis, Suspect, diagnose};
use crate::postback::networks::definition::ParameterSource;
use crate::postback::networks::signature::{
    Difference, Digest, Encoding, Keys, Message, Place, Proof, Refusal, Verified,
};
use crate::postback::networks::{Call, Definition, shipped};
use crate::postback::signature::{HASH_PARAM, Secret, SignatureForm};
use crate::time::TimestampMs;

/// A call that does not verify, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Unmatched<'a> {
    /// The network, as the source reads it.
    pub definition: &'a Definition,
    /// As received, under `public_url`.
    pub call: &'a Call<'a>,
    /// Those of the source.
    pub keys: &'a Keys,
    /// When it was received: some signatures expire.
    pub now: TimestampMs,
    /// Other hosts that might have been signed, e.g. that of the captured URL, or the listener's.
    pub other_hosts: &'a [String],
    /// The secrets of other sources, by their names.
    pub other_secrets: &'a [(String, Secret)],
    /// The URL from the network's dashboard, if given.
    pub dashboard: Option<&'a str>,
    /// The addresses that the source allows.
    pub callers: &'a [IpNet],
}

/// Why it does not verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// It does.
    Verifies,
    /// Nothing is signed: the allowed addresses, as text.
    AddressCounts {
        /// The network, for people.
        title: String,
        /// Empty if none is allowed.
        listed: Vec<String>,
    },
    /// It would verify with these differences, the fewest that do.
    Differs {
        /// The name of the definition.
        network: String,
        /// `public_url`.
        origin: String,
        /// Lines of the definition.
        differences: Vec<Difference>,
        /// How the secret differs, if it does.
        secret: Option<Deviation>,
    },
    /// It cannot be compared.
    Refused {
        /// Why.
        why: Refusal,
        /// Fields in a body that this network does not use.
        carried: Option<Carried>,
    },
    /// Nothing that is known explains it.
    Unexplained {
        /// Whether the call has the secret itself.
        is_shared_secret: bool,
        /// The hosts that were tried; empty if the host is not signed.
        hosts: Vec<String>,
        /// Fields in a body that this network does not use.
        carried: Option<Carried>,
    },
}

/// A diagnosis, whichever knows more of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Of a network that signs the URL as deliveries are signed.
    OfUrl(Diagnosis),
    /// Of any other.
    OfDefinition(Explanation),
}

impl Cause {
    /// Diagnoses a call of any network; `carried` are the fields that its body has.
    pub fn of(unmatched: &Unmatched<'_>, carried: Option<&Carried>) -> Self {
        if signs_like_targo(unmatched.definition) {
            let form = unmatched.definition.signature.url_form().unwrap_or_default();
            Self::OfUrl(diagnose(&Suspect { form, carried, ..unmatched.suspect() }))
        } else {
            Self::OfDefinition(explain(unmatched))
        }
    }

    /// True if the call verifies with the present settings.
    pub fn verifies(&self) -> bool {
        matches!(self, Self::OfUrl(Diagnosis::Verifies) | Self::OfDefinition(Explanation::Verifies))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfUrl(diagnosis) => diagnosis.fmt(out),
            Self::OfDefinition(explanation) => explanation.fmt(out),
        }
    }
}

/// True if [`super::diagnose`] knows this signature: HMAC-SHA1 over the URL, in hexadecimal digits, as `hash`.
fn signs_like_targo(definition: &Definition) -> bool {
    let Proof::Signed(scheme) = &definition.signature.proof else { return false };
    matches!(scheme.message, Message::Url(_))
        && scheme.digest == Digest::HmacSha1
        && matches!(scheme.encoding, Encoding::Hex | Encoding::LowerHex)
        && scheme.at == Place::Query(HASH_PARAM.into())
}

/// Tries what is known to go wrong, and answers with the simplest explanation.
pub fn explain(unmatched: &Unmatched<'_>) -> Explanation {
    let Unmatched { definition, call, keys, now, .. } = *unmatched;
    if definition.signature.proof == Proof::Nothing {
        let listed = unmatched.callers.iter().map(ToString::to_string).collect();
        return Explanation::AddressCounts { title: definition.title.clone(), listed };
    }
    let Err(why) = definition.verify(call, keys, now) else { return Explanation::Verifies };
    let suspect = unmatched.suspect();
    let signs_host = matches!(&definition.signature.proof, Proof::Signed(scheme) if matches!(scheme.message, Message::Url(_)));
    let origins = if signs_host { origins(&suspect) } else { Vec::new() };
    let origins: Vec<_> = origins.iter().map(String::as_str).collect();
    let differs = |differences, secret| Explanation::Differs {
        network: definition.name.clone(),
        origin: call.origin.to_owned(),
        differences,
        secret,
    };
    let own = definition.nearest(call, keys, now, &origins).map(|(differences, _)| differences);
    let (causes, others): (Vec<_>, Vec<_>) =
        secrets(&suspect).into_iter().filter_map(|(cause, secret)| Some((cause?, secret))).unzip();
    let is_simple = own.as_ref().is_some_and(|differences| differences.len() <= 1);
    let of_others = if is_simple || others.is_empty() {
        None
    } else {
        let keys = Keys { secrets: others, second: keys.second.clone(), public: Vec::new() };
        definition.nearest(call, &keys, now, &origins)
    };
    match (own, of_others) {
        (Some(own), Some((differences, Verified::Secret(index)))) if differences.len() + 1 < own.len() => {
            differs(differences, causes.get(index).cloned())
        }
        (Some(own), _) => differs(own, None),
        (None, Some((differences, Verified::Secret(index)))) => {
            differs(differences, causes.get(index).cloned())
        }
        (None, _) => {
            let ignores_body = !definition.reads_bodies() && definition.parameters == ParameterSource::Query;
            let carried = Carried::of(call.body).filter(|_| ignores_body);
            match why {
                Refusal::Wrong => Explanation::Unexplained {
                    is_shared_secret: matches!(definition.signature.proof, Proof::SharedSecret(_)),
                    hosts: if signs_host { hosts(&suspect) } else { Vec::new() },
                    carried,
                },
                why => Explanation::Refused { why, carried },
            }
        }
    }
}

impl<'a> Unmatched<'a> {
    fn suspect(&self) -> Suspect<'a> {
        Suspect {
            target: self.call.target,
            origin: self.call.origin,
            other_hosts: self.other_hosts,
            form: SignatureForm::default(),
            secrets: &self.keys.secrets,
            other_secrets: self.other_secrets,
            carried: None,
            dashboard: self.dashboard,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verifies => out.write_str("It verifies with the present settings."),
            Self::AddressCounts { title, listed } if listed.is_empty() => write!(
                out,
                "{title} signs nothing: only the caller's address counts, and none is listed. Set `allow_ips` for this \
                 source."
            ),
            Self::AddressCounts { title, listed } => write!(
                out,
                "{title} signs nothing: only the caller's address counts. Listed: {}. If the network calls from another \
                 address, add it to `allow_ips` of this source.",
                listed.join(", ")
            ),
            Self::Differs { network, origin, differences, secret } => {
                let mut sentences: Vec<_> = secret.iter().map(ToString::to_string).collect();
                sentences.extend(differences.iter().map(|difference| sentence(difference, origin)));
                let sentence = sentences.join("; and ");
                let mut letters = sentence.chars();
                let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
                write!(out, "{first}{}.", letters.as_str())?;
                if differences.iter().any(is_line) {
                    out.write_str(&where_to_write(network))?;
                }
                Ok(())
            }
            Self::Refused { why, carried } => {
                write!(out, "It cannot be compared: {why}.")?;
                in_body(carried.as_ref(), out)
            }
            Self::Unexplained { is_shared_secret: true, .. } => out.write_str(
                "The secret in the call belongs to no source of the settings: compare it with the one in the network's \
                 dashboard, or the call was forged.",
            ),
            Self::Unexplained { hosts, carried, .. } => {
                out.write_str(
                    "No other digest, encoding, order, separator or secret of the settings explains it: the secret is \
                     another one than in the network's dashboard, something in transit changed the call, or it was forged.",
                )?;
                if !hosts.is_empty() {
                    write!(
                        out,
                        " These hosts were tried: {}. Pass the URL from the network's dashboard to try its host, too: \
                         `--dashboard 'https://…'`.",
                        hosts.join(", ")
                    )?;
                }
                in_body(carried.as_ref(), out)
            }
        }
    }
}

fn in_body(carried: Option<&Carried>, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match carried {
        Some(carried) => write!(
            out,
            " But {carried}: this network's parameters are read in the URL only. In its dashboard, set the method to GET, \
             or write every field into the URL with its macro, as `rewardgate check` prints it."
        ),
        None => Ok(()),
    }
}

/// True if it is a line of the definition, and not of the settings.
fn is_line(difference: &Difference) -> bool {
    !matches!(difference, Difference::Origin(_) | Difference::Url(_))
}

/// A definition that ships cannot be edited, but extended.
fn where_to_write(network: &str) -> String {
    if shipped::names().any(|name| name == network) {
        format!(
            " The definition of `{network}` ships, so write a file of your own with `extends = \"{network}\"` and that line \
             in [signature], and name it in `networks` of the settings."
        )
    } else {
        format!(" Write that line in [signature] of the definition of `{network}`.")
    }
}

fn sentence(difference: &Difference, expected: &str) -> String {
    match difference {
        Difference::Origin(signed) => {
            Deviation::Origin { signed: signed.clone(), expected: expected.to_owned() }.to_string()
        }
        Difference::Url(form) => Deviation::Form(*form).to_string(),
        Difference::Sorted(..) => format!("the parameters are encoded or joined otherwise: {difference}"),
        Difference::Values(_) => {
            let line = difference.to_string();
            let how = if line.ends_with("true") { "decoded" } else { "as they are received" };
            format!("the values are signed {how}: {line}")
        }
        Difference::Separator(_) => format!("the values have something else between them: {difference}"),
        Difference::Order(_) => format!("the values are signed in another order: {difference}"),
        Difference::Digest(digest) => format!("it is signed with {}: {difference}", digest.name()),
        Difference::Encoding(encoding) => {
            format!("the signature is written as {}: {difference}", encoding.name())
        }
    }
}

#[cfg(test)]
mod tests;
