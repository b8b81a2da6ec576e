//! Diagnoses as sentences: what differs from the settings, and what to change.

use std::fmt;

use super::{Deviation, Diagnosis, Encoding, Tried};
use crate::postback::signature::{HASH_PARAM, SignatureForm};

impl fmt::Display for Deviation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // `public_url` has one form, so another spelling of the same address can only be fixed in the dashboard.
            Self::Origin { signed, expected } if is_same_place(signed, expected) => write!(
                out,
                "the network signed {signed}, but `public_url` is {expected}: write it like that in the URL of the \
                 network's dashboard"
            ),
            Self::Origin { signed, expected } => write!(
                out,
                "the network signed {signed}, but `public_url` is {expected}: set `public_url` to {signed}"
            ),
            Self::Form(SignatureForm::Cut) => out.write_str(
                "the URL was signed without `&hash=`: set `signature_form = \"cut\"` for this source",
            ),
            Self::Form(SignatureForm::Empty) => out.write_str(
                "the URL was signed with an empty `&hash=`: set `signature_form = \"empty\"` for this source",
            ),
            Self::SecretOf(name) => write!(
                out,
                "it was signed with the secret of the source `{name}`: the dashboard's URL names the wrong source, or \
                 the two secrets are mixed up"
            ),
            Self::SecretTrimmed => out.write_str(
                "there are blanks or quotes around the configured secret: remove them from the variable or file",
            ),
            Self::SecretIsHex => out.write_str(
                "the network signs with the bytes that the secret spells in hexadecimal: store those bytes in a file \
                 and name it with `secret = \"file:…\"`",
            ),
            Self::Encoding(encoding) => write!(out, "{encoding}: the proxy must pass the query on unchanged"),
            Self::Sorted => out.write_str(
                "the parameters were signed in the order of their names: put them into that order in the dashboard's URL, \
                 or keep the proxy from reordering them",
            ),
            Self::HashMoved => out.write_str(
                "`hash` is not the last parameter: something between the network and here adds or reorders parameters",
            ),
            Self::UpperCaseHash => out.write_str(
                "the hash is in upper case: something in transit rewrites it; the network sends lower case",
            ),
            Self::Sha256 => out.write_str(
                "it is an HMAC-SHA256, which this network does not use: does the call come from another network?",
            ),
        }
    }
}

/// Whether two origins are the same but for capitals, a dot at the end of the host or the port that is usual anyway.
fn is_same_place(one: &str, other: &str) -> bool {
    let plain = |origin: &str| {
        let origin = origin.to_ascii_lowercase();
        let usual = if origin.starts_with("https://") { ":443" } else { ":80" };
        origin.strip_suffix(usual).unwrap_or(&origin).trim_end_matches('.').to_owned()
    };
    plain(one) == plain(other)
}

impl fmt::Display for Encoding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::PlusBecamePercent => "a `+` was signed and arrived as `%20`",
            Self::PercentBecamePlus => "a `%20` was signed and arrived as `+`",
            Self::SignedDecoded => "the text was signed before it was percent-encoded",
            Self::LowerCaseEscapes | Self::UpperCaseEscapes => {
                "escapes such as `%C3` arrived in another case"
            }
            Self::Entities => "`&` was signed as `&amp;`",
        })
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verifies => out.write_str("It verifies with the present settings."),
            Self::Deviates(deviations) => {
                let sentences: Vec<_> = deviations.iter().map(ToString::to_string).collect();
                let sentence = sentences.join("; and ");
                let mut letters = sentence.chars();
                let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
                write!(out, "{first}{}.", letters.as_str())
            }
            Self::NoHash(why) => write!(out, "It cannot be compared: {why}."),
            Self::InBody { url, carried } => {
                write!(out, "{url} But {carried}")?;
                if carried.names.iter().any(|name| name == HASH_PARAM) {
                    out.write_str(", and so did the `hash`")?;
                }
                out.write_str(
                    ": this network signs the URL, and only what stands there is read. In its dashboard, set the method \
                     to GET, or write every field into the URL with its macro, as `rewardgate check` prints it.",
                )
            }
            Self::Unexplained(Tried { combinations, hosts, has_dashboard: false }) => write!(
                out,
                "None of {combinations} combinations of form, scheme, host, secret, encoding and order explains it. Two \
                 causes are equally likely: the network calls another host than {}, or its secret is another one than in \
                 the settings. Pass the URL from the network's dashboard to tell them apart: `--dashboard \
                 'https://…'`. If neither applies, the call was forged.",
                hosts.join(", ")
            ),
            Self::Unexplained(Tried { combinations, hosts, has_dashboard: true }) => write!(
                out,
                "None of {combinations} combinations of form, scheme, host, secret, encoding and order explains it, with \
                 the host of the dashboard's URL either ({}): the secret is another one than in the network's dashboard, \
                 something in transit changed the URL, or the call was forged.",
                hosts.join(", ")
            ),
        }
    }
}
