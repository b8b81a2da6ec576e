//! What a network may have signed instead: every combination of known mistakes.

use std::collections::BTreeSet;

use super::{Deviation, Encoding, Suspect};
use crate::postback::networks::signature::Digest;
use crate::postback::signature::{HASH_PARAM, Secret, SignatureForm};

/// One combination of what the network may have signed.
#[derive(Clone)]
pub(super) struct Candidate {
    origin: String,
    /// How its secret differs from those of the source.
    other_secret: Option<Deviation>,
    secret: Secret,
    form: SignatureForm,
    /// The parameters in the order of their names.
    sorted: bool,
    encoding: Option<Encoding>,
}

const ENCODINGS: [Option<Encoding>; 7] = [
    None,
    Some(Encoding::PlusBecamePercent),
    Some(Encoding::PercentBecamePlus),
    Some(Encoding::SignedDecoded),
    Some(Encoding::LowerCaseEscapes),
    Some(Encoding::UpperCaseEscapes),
    Some(Encoding::Entities),
];

/// Every combination, what the settings say first.
pub(super) fn candidates(suspect: &Suspect<'_>) -> impl Iterator<Item = Candidate> {
    let secrets = secrets(suspect);
    let signed_with = move |origin: String| {
        secrets.clone().into_iter().map(move |(other_secret, secret)| Candidate {
            origin: origin.clone(),
            other_secret,
            secret,
            form: SignatureForm::Empty,
            sorted: false,
            encoding: None,
        })
    };
    let in_each_form = |candidate: Candidate| {
        [SignatureForm::Empty, SignatureForm::Cut].map(|form| Candidate { form, ..candidate.clone() })
    };
    let in_each_order =
        |candidate: Candidate| [false, true].map(|sorted| Candidate { sorted, ..candidate.clone() });
    let in_each_encoding =
        |candidate: Candidate| ENCODINGS.map(|encoding| Candidate { encoding, ..candidate.clone() });
    origins(suspect)
        .into_iter()
        .flat_map(signed_with)
        .flat_map(in_each_form)
        .flat_map(in_each_order)
        .flat_map(in_each_encoding)
}

impl Candidate {
    /// Whether this is what was signed.
    pub(super) fn explains(&self, hash: &Hash<'_>) -> bool {
        hash.signed(self.sorted, self.encoding).is_some_and(|signed| {
            let message = message(&self.origin, &signed, self.form);
            let digest = if hash.sha256 { Digest::HmacSha256 } else { Digest::HmacSha1 };
            digest.of(self.secret.key(), message.as_bytes()) == hash.digest
        })
    }

    /// How it differs from the settings.
    pub(super) fn deviations(self, hash: &Hash<'_>, suspect: &Suspect<'_>) -> Vec<Deviation> {
        let Self { origin, other_secret, form, sorted, encoding, secret: _ } = self;
        let mut deviations = hash.deviations();
        deviations.extend(
            (origin != suspect.origin)
                .then(|| Deviation::Origin { signed: origin, expected: suspect.origin.to_owned() }),
        );
        deviations.extend((form != suspect.form).then_some(Deviation::Form(form)));
        deviations.extend(other_secret);
        deviations.extend(encoding.map(Deviation::Encoding));
        deviations.extend(sorted.then_some(Deviation::Sorted));
        deviations
    }
}

/// The hash of a call, wherever it is in the query, and the query without it.
pub(super) struct Hash<'a> {
    path: &'a str,
    params: Vec<&'a str>,
    digest: Vec<u8>,
    sha256: bool,
    moved: bool,
    upper: bool,
}

impl<'a> Hash<'a> {
    pub(super) fn of(target: &'a str) -> Result<Self, &'static str> {
        let (path, query) = target.split_once('?').ok_or("the URL has no query, so no `hash`")?;
        let prefix = format!("{HASH_PARAM}=");
        let mut params: Vec<&str> = query.split('&').collect();
        let places: Vec<_> = params
            .iter()
            .enumerate()
            .filter(|(_, param)| param.starts_with(&prefix))
            .map(|(at, _)| at)
            .collect();
        let place = match places[..] {
            [] => {
                return Err(
                    "there is no `hash` parameter: the network appends it by itself, unless its secret is not set there",
                );
            }
            [place] => place,
            _ => {
                return Err(
                    "there is more than one `hash` parameter: take `hash` out of the URL in the dashboard, the network appends its own",
                );
            }
        };
        let moved = place + 1 != params.len();
        let text = params.remove(place).trim_start_matches(&prefix);
        let digest = match text.len() {
            0 => return Err("the `hash` is empty: the call was not signed"),
            31 => {
                return Err(
                    "the `hash` has 31 digits: that is the sample of the documentation, with digits missing",
                );
            }
            32 => return Err("the `hash` has 32 digits, as an MD5 has: that is another network's scheme"),
            40 | 64 => decode_hex(text).ok_or("the `hash` is not hexadecimal: it was changed on the way")?,
            _ => return Err("the `hash` has neither 40 nor 64 digits: it was cut or changed on the way"),
        };
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        Ok(Self { path, params, sha256: text.len() == 64, digest, moved, upper })
    }

    /// What was signed, without the hash; `None` if that is the same as without the change.
    fn signed(&self, sorted: bool, encoding: Option<Encoding>) -> Option<String> {
        let mut params = self.params.clone();
        if sorted {
            params.sort_unstable();
            if params == self.params {
                return None;
            }
        }
        let query = params.join("&");
        let encoded = match encoding {
            None => query.clone(),
            Some(Encoding::PlusBecamePercent) => query.replace("%20", "+"),
            Some(Encoding::PercentBecamePlus) => query.replace('+', "%20"),
            Some(Encoding::SignedDecoded) => decode(&query),
            Some(Encoding::LowerCaseEscapes) => escapes(&query, char::to_ascii_lowercase),
            Some(Encoding::UpperCaseEscapes) => escapes(&query, char::to_ascii_uppercase),
            Some(Encoding::Entities) => query.replace('&', "&amp;"),
        };
        (encoding.is_none() || encoded != query).then(|| format!("{}?{encoded}", self.path))
    }

    fn deviations(&self) -> Vec<Deviation> {
        let mut deviations = Vec::new();
        deviations.extend(self.moved.then_some(Deviation::HashMoved));
        deviations.extend(self.upper.then_some(Deviation::UpperCaseHash));
        deviations.extend(self.sha256.then_some(Deviation::Sha256));
        deviations
    }
}

fn message(origin: &str, signed: &str, form: SignatureForm) -> String {
    // A hash that was the only parameter leaves an empty query.
    let (signed, separator) = match signed.strip_suffix('?') {
        Some(path) => (path, '?'),
        None => (signed, '&'),
    };
    match form {
        SignatureForm::Empty => format!("{origin}{signed}{separator}{HASH_PARAM}="),
        SignatureForm::Cut => format!("{origin}{signed}"),
    }
}

/// Scheme, host and path prefix in the dashboard's URL.
fn dashboard_origin(suspect: &Suspect<'_>) -> Option<String> {
    let url = suspect.dashboard?.trim();
    let path = suspect.target.split('?').next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path_and_more) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let prefix = path_and_more.strip_suffix(path).unwrap_or_default();
    Some(format!("{scheme}://{host}{prefix}"))
}

/// The hosts that are tried, without their variations.
pub(super) fn hosts(suspect: &Suspect<'_>) -> Vec<String> {
    let host = |origin: &str| {
        let rest = origin.split_once("://").map_or(origin, |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_owned()
    };
    let mut hosts = vec![host(suspect.origin)];
    hosts.extend(dashboard_origin(suspect).as_deref().map(host));
    hosts.extend(suspect.other_hosts.iter().cloned());
    let mut seen = BTreeSet::new();
    hosts.retain(|host| seen.insert(host.clone()));
    hosts
}

/// Every scheme with every host, the settings' own first.
pub(super) fn origins(suspect: &Suspect<'_>) -> Vec<String> {
    let Some((_, rest)) = suspect.origin.split_once("://") else { return vec![suspect.origin.to_owned()] };
    let (host, path) =
        rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    let mut hosts = vec![host.to_owned()];
    hosts.extend(suspect.other_hosts.iter().cloned());
    let dashboard = dashboard_origin(suspect);
    hosts.extend(dashboard.iter().filter_map(|origin| Some(origin.split_once("://")?.1.to_owned())));
    for host in hosts.clone() {
        hosts.extend(host.rsplit_once(':').map(|(name, _)| name.to_owned()));
        hosts.push(host.to_ascii_lowercase());
        // Some write down the port that everybody leaves out.
        hosts.extend(
            [443, 80].map(|port| format!("{host}:{port}")).into_iter().filter(|_| !host.contains(':')),
        );
        hosts.push(host.strip_prefix("www.").map_or_else(|| format!("www.{host}"), ToOwned::to_owned));
    }
    let mut seen = BTreeSet::new();
    let paths = if path.is_empty() { vec![path] } else { vec![path, String::new()] };
    let mut origins = vec![suspect.origin.to_owned()];
    origins.extend(dashboard);
    for host in &hosts {
        for path in &paths {
            origins.extend(["https", "http"].map(|scheme| format!("{scheme}://{host}{path}")));
        }
    }
    origins.retain(|origin| seen.insert(origin.clone()));
    origins
}

/// The secrets of the source, those that they may have been meant to be, and those of other sources, each with its cause.
pub(super) fn secrets(suspect: &Suspect<'_>) -> Vec<(Option<Deviation>, Secret)> {
    let mut secrets: Vec<_> = suspect.secrets.iter().map(|secret| (None, secret.clone())).collect();
    for secret in suspect.secrets {
        let text = String::from_utf8_lossy(secret.key()).into_owned();
        let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        if trimmed != text {
            secrets.extend(Secret::new(trimmed).map(|secret| (Some(Deviation::SecretTrimmed), secret)));
        }
        let bytes = decode_hex(trimmed).and_then(Secret::new);
        secrets.extend(bytes.map(|secret| (Some(Deviation::SecretIsHex), secret)));
    }
    let others = suspect.other_secrets.iter();
    secrets.extend(others.map(|(name, secret)| (Some(Deviation::SecretOf(name.clone())), secret.clone())));
    secrets
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0 && !digits.is_empty())?;
    digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
}

/// `%41` as `A`; everything but escapes stays.
fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let escape = match (first, tail) {
            (b'%', [high, low, ..]) => {
                let digits = [*high, *low];
                std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            _ => None,
        };
        if let Some(byte) = escape {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(if *first == b'+' { b' ' } else { *first });
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escapes(text: &str, case: impl Fn(&char) -> char) -> String {
    let mut digits_left = 0;
    let changed = text.chars().map(|c| {
        if c == '%' {
            digits_left = 2;
            c
        } else if digits_left > 0 {
            digits_left -= 1;
            case(&c)
        } else {
            c
        }
    });
    changed.collect()
}
