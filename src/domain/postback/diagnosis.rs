//! Why a signature does not match: what the network must have signed instead, found by trying.
//!
//! Every way in which integrations are known to go wrong is a dimension (form, scheme, host, secret, encoding, order);
//! all their combinations are tried, and the one with the fewest deviations is the answer. It never shows a secret or
//! a hash that would be valid.

use std::collections::BTreeSet;
use std::fmt;

use crate::postback::carried::Carried;
use crate::postback::signature::{HASH_PARAM, Secret, SignatureForm, digest};

/// What is known of a call, and of the source that it was meant for.
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
    /// What its body carries.
    pub carried: Option<&'a Carried>,
    /// The URL as it stands in the network's dashboard, if somebody said it.
    pub dashboard: Option<&'a str>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// It verifies as the settings are.
    Verifies,
    /// It would verify with these deviations, the fewest that do.
    Deviates(Vec<Deviation>),
    /// There is nothing that could be compared.
    NoHash(&'static str),
    /// What should stand in the URL came in the body.
    InBody {
        /// Why the URL alone cannot be compared, or how many combinations did not explain it.
        url: Box<Diagnosis>,
        /// What came.
        carried: Carried,
    },
    /// Nothing of what is known to go wrong explains it.
    Unexplained(Tried),
}

/// What was tried in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// How many combinations.
    pub combinations: usize,
    /// With which hosts.
    pub hosts: Vec<String>,
    /// Whether the dashboard's host was among them.
    pub has_dashboard: bool,
}

/// One thing that is other than the settings say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// Scheme and host that were signed, and those of the settings.
    Origin {
        /// By the network.
        signed: String,
        /// By us.
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
    /// Something was put behind the hash, or the parameters were reordered on the way.
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
    /// Escapes were written in the other case.
    LowerCaseEscapes,
    /// As above, the other way round.
    UpperCaseEscapes,
    /// `&` was signed as `&amp;`.
    Entities,
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
    let (mut best, mut tried): (Option<Vec<Deviation>>, usize) = (None, 0);
    for origin in origins(suspect) {
        for (key, secret) in secrets(suspect) {
            for form in [SignatureForm::Empty, SignatureForm::Cut] {
                for (order, encoding) in orders().into_iter().flat_map(|order| ENCODINGS.map(|e| (order, e)))
                {
                    tried += 1;
                    let Some(signed) = hash.signed(order, encoding) else { continue };
                    let message = message(&origin, &signed, form);
                    if digest(&secret, message.as_bytes(), hash.sha256).as_ref() != Some(&hash.digest) {
                        continue;
                    }
                    let mut deviations = hash.deviations();
                    deviations.extend((origin != suspect.origin).then(|| Deviation::Origin {
                        signed: origin.clone(),
                        expected: suspect.origin.to_owned(),
                    }));
                    deviations.extend((form != suspect.form).then_some(Deviation::Form(form)));
                    deviations.extend(key.clone());
                    deviations.extend(encoding.map(Deviation::Encoding));
                    deviations.extend(order.then_some(Deviation::Sorted));
                    if best.as_ref().is_none_or(|best| deviations.len() < best.len()) {
                        best = Some(deviations);
                    }
                }
            }
        }
    }
    match best {
        Some(deviations) if deviations.is_empty() => Diagnosis::Verifies,
        Some(deviations) => Diagnosis::Deviates(deviations),
        None => Diagnosis::Unexplained(Tried {
            combinations: tried,
            hosts: hosts(suspect),
            has_dashboard: suspect.dashboard.is_some(),
        }),
    }
}

/// As received, and sorted by name.
fn orders() -> [bool; 2] {
    [false, true]
}

/// The hash of a call, wherever it stands, and the query without it.
struct Hash<'a> {
    path: &'a str,
    params: Vec<&'a str>,
    digest: Vec<u8>,
    sha256: bool,
    moved: bool,
    upper: bool,
}

impl<'a> Hash<'a> {
    fn of(target: &'a str) -> Result<Self, &'static str> {
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
    // A hash that stood alone leaves an empty query behind.
    let (signed, separator) = match signed.strip_suffix('?') {
        Some(path) => (path, '?'),
        None => (signed, '&'),
    };
    match form {
        SignatureForm::Empty => format!("{origin}{signed}{separator}{HASH_PARAM}="),
        SignatureForm::Cut => format!("{origin}{signed}"),
    }
}

/// Scheme, host and whatever stands in front of the path of the call, as the dashboard has them.
fn dashboard_origin(suspect: &Suspect<'_>) -> Option<String> {
    let url = suspect.dashboard?.trim();
    let path = suspect.target.split('?').next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, behind) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let prefix = behind.strip_suffix(path).unwrap_or_default();
    Some(format!("{scheme}://{host}{prefix}"))
}

/// The hosts that are tried, without their variations.
fn hosts(suspect: &Suspect<'_>) -> Vec<String> {
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
fn origins(suspect: &Suspect<'_>) -> Vec<String> {
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

fn secrets(suspect: &Suspect<'_>) -> Vec<(Option<Deviation>, Secret)> {
    let mut secrets: Vec<_> = suspect.secrets.iter().map(|secret| (None, secret.clone())).collect();
    for secret in suspect.secrets {
        let text = String::from_utf8_lossy(secret.bytes()).into_owned();
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

/// `%41` as `A`; what is no escape stays.
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

impl fmt::Display for Deviation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // `public_url` has one form, so another form of the same address can only be mended where it stands.
            Self::Origin { signed, expected } if is_same_place(signed, expected) => write!(
                out,
                "the network signed {signed}, but `public_url` is {expected}: write it so in the URL of the network's \
                 dashboard"
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
                "there are blanks or quotes around the configured secret: take them out of the variable or file",
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
                "the hash is in capital letters: something on the way rewrites it; the network sends small ones",
            ),
            Self::Sha256 => out.write_str(
                "it is an HMAC-SHA256, which this network does not use: is this call of another network?",
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
            Self::Verifies => out.write_str("It verifies as the settings are."),
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
                 the settings. Say the URL as it stands in the network's dashboard to tell them apart: `--dashboard \
                 'https://…'`. If neither is so, the call was forged.",
                hosts.join(", ")
            ),
            Self::Unexplained(Tried { combinations, hosts, has_dashboard: true }) => write!(
                out,
                "None of {combinations} combinations of form, scheme, host, secret, encoding and order explains it, with \
                 the host of the dashboard's URL either ({}): the secret is another one than in the network's dashboard, \
                 something on the way changed the URL, or the call was forged.",
                hosts.join(", ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::postback::signature::sign;

    const ORIGIN: &str = "https://gw.example.com";
    const TARGET: &str = "/pb/targo?uid=a%20b%2Bc&tx=T-1&name=Caf%C3%A9+Quest&status=1";
    const KEY: &str = "test-secret";

    fn secret(text: &str) -> Secret {
        Secret::new(text).expect("not empty")
    }

    fn diagnosis(target: &str, origin: &str, form: SignatureForm, key: &str) -> Diagnosis {
        diagnose(&Suspect {
            target,
            origin,
            other_hosts: &["127.0.0.1:8080".into()],
            form,
            secrets: &[secret("retired"), secret(key)],
            other_secrets: &[("other".into(), secret("secret of another"))],
            carried: None,
            dashboard: None,
        })
    }

    /// A call that was signed for `origin`, looked at with what else is known.
    fn looked_at(signed_for: &str, body: &str, dashboard: Option<&str>) -> Diagnosis {
        diagnose(&Suspect {
            target: &sign(signed_for, TARGET, SignatureForm::Empty, &secret(KEY)),
            origin: ORIGIN,
            other_hosts: &[],
            form: SignatureForm::Empty,
            secrets: &[secret(KEY)],
            other_secrets: &[],
            carried: Carried::of(body.as_bytes()).as_ref(),
            dashboard,
        })
    }

    #[test]
    fn host_and_secret_are_named_as_equals_until_the_dashboard_tells_them_apart() {
        let elsewhere = "https://api.other.example";
        let unknown = looked_at(elsewhere, "", None).to_string();
        for said in
            ["another host than gw.example.com", "secret is another one", "equally likely", "--dashboard"]
        {
            assert!(unknown.contains(said), "{said}: {unknown}");
        }
        let url = "https://api.other.example/pb/targo?uid={user_id}&tx={tx_id}";
        let told = looked_at(elsewhere, "", Some(url));
        assert_eq!(told, Diagnosis::Deviates(vec![origin(elsewhere, ORIGIN)]));
        let prefixed =
            looked_at("https://x.example/gate", "", Some("https://x.example/gate/pb/targo?uid={user_id}"));
        assert_eq!(prefixed, Diagnosis::Deviates(vec![origin("https://x.example/gate", ORIGIN)]));
        let secret = looked_at(elsewhere, "", Some("https://gw.example.com/pb/targo")).to_string();
        assert!(secret.contains("the secret is another one") && !secret.contains("equally"), "{secret}");
        for odd in ["", "nonsense", "https://", "://", "https://é/?#", "?"] {
            assert!(matches!(looked_at(elsewhere, "", Some(odd)), Diagnosis::Unexplained(_)), "{odd}");
        }
    }

    #[test]
    fn another_form_of_the_same_host_is_mended_in_the_dashboard() {
        for (signed, dashboard) in [
            ("https://gw.example.com:443", None),
            ("https://GW.example.com", Some("https://GW.example.com/pb/targo")),
            ("https://gw.example.com.", Some("https://gw.example.com./pb/targo")),
        ] {
            let found = looked_at(signed, "", dashboard);
            assert_eq!(found, Diagnosis::Deviates(vec![origin(signed, ORIGIN)]));
            assert!(
                found.to_string().contains("write it so in the URL of the network's dashboard"),
                "{found}"
            );
        }
    }

    #[test]
    fn fields_that_came_in_the_body_are_named_with_what_to_change() {
        let look = |target: &str, body: &str| {
            diagnose(&Suspect {
                target,
                origin: ORIGIN,
                other_hosts: &[],
                form: SignatureForm::Empty,
                secrets: &[secret(KEY)],
                other_secrets: &[],
                carried: Carried::of(body.as_bytes()).as_ref(),
                dashboard: None,
            })
        };
        let form = "user_id=u1&tx_id=T1&hash=0000000000000000000000000000000000000000";
        for (target, body) in [
            ("/pb/targo", form),
            ("/pb/targo?", form),
            ("/pb/targo?click=1", form),
            ("/pb/targo?hash=0000000000000000000000000000000000000000", "user_id=u1&tx_id=T1"),
            ("/pb/targo", "{\"user_id\":\"u1\",\"tx_id\":\"T1\"}"),
        ] {
            let said = look(target, body).to_string();
            for part in ["the fields came in the body", "user_id", "tx_id", "set the method to GET"] {
                assert!(said.contains(part), "{target} {body}: {said}");
            }
            assert!(!said.contains("u1") && !said.contains("T1"), "a value is shown: {said}");
        }
        let signed = sign(ORIGIN, TARGET, SignatureForm::Empty, &secret(KEY));
        assert_eq!(look(&signed, form), Diagnosis::Verifies, "a body beside a signed URL is no fault");
    }

    /// Signed for [`ORIGIN`] in the documented form with [`KEY`], then `changed` on the way.
    fn on_the_way(change: impl Fn(String) -> String) -> Diagnosis {
        let signed = sign(ORIGIN, TARGET, SignatureForm::Empty, &secret(KEY));
        diagnosis(&change(signed), ORIGIN, SignatureForm::Empty, KEY)
    }

    fn origin(signed: &str, expected: &str) -> Deviation {
        Deviation::Origin { signed: signed.into(), expected: expected.into() }
    }

    #[test]
    fn what_verifies_is_said_to() {
        assert_eq!(on_the_way(|signed| signed), Diagnosis::Verifies);
    }

    #[test]
    fn another_scheme_or_host_is_named_with_what_to_set() {
        for wrong in ["http://gw.example.com", "https://www.gw.example.com", "https://gw.example.com:443"] {
            let signed = sign(ORIGIN, TARGET, SignatureForm::Empty, &secret(KEY));
            let found = diagnosis(&signed, wrong, SignatureForm::Empty, KEY);
            assert_eq!(found, Diagnosis::Deviates(vec![origin(ORIGIN, wrong)]));
        }
        let signed = sign("http://127.0.0.1:8080", TARGET, SignatureForm::Empty, &secret(KEY));
        let found = diagnosis(&signed, ORIGIN, SignatureForm::Empty, KEY).to_string();
        assert!(found.contains("set `public_url` to http://127.0.0.1:8080"), "{found}");
    }

    #[test]
    fn the_published_vectors_are_told_apart() {
        let target =
            |hash: &str| format!("/pb/targo?uid=abc123&tx=T-1&reward=500&payout=1.00&status=1&hash={hash}");
        let cut = target("3a99d7d440d365d1035c22e7113ade39396de9fd");
        let form = Deviation::Form(SignatureForm::Cut);
        let found = diagnosis(&cut, ORIGIN, SignatureForm::Empty, KEY);
        assert_eq!(found, Diagnosis::Deviates(vec![form.clone()]));
        let proxy = target("ac7982bfb3c13cd2ba8e0bc8cb7c460d6464dd00");
        let found = diagnosis(&proxy, ORIGIN, SignatureForm::Empty, KEY);
        assert_eq!(found, Diagnosis::Deviates(vec![origin("http://gw.example.com", ORIGIN), form]));
        let sample = diagnosis(&target("dbcd6bb892842a52b4fca9bec36cd4b"), ORIGIN, SignatureForm::Empty, KEY);
        assert!(sample.to_string().contains("31 digits"), "{sample}");
    }

    #[test]
    fn secrets_that_are_mixed_up_quoted_or_hexadecimal_are_found() {
        for (signed_with, configured, deviation) in [
            ("secret of another", KEY, Deviation::SecretOf("other".into())),
            (KEY, " \"test-secret\"\t", Deviation::SecretTrimmed),
            (KEY, "746573742d736563726574", Deviation::SecretIsHex),
        ] {
            let signed = sign(ORIGIN, TARGET, SignatureForm::Empty, &secret(signed_with));
            let found = diagnosis(&signed, ORIGIN, SignatureForm::Empty, configured);
            assert_eq!(found, Diagnosis::Deviates(vec![deviation]));
        }
    }

    #[test]
    fn what_a_proxy_did_to_the_query_is_found() {
        type Change = fn(String) -> String;
        let cases: [(Change, Encoding); 3] = [
            (|url| url.replace('+', "%20"), Encoding::PlusBecamePercent),
            (|url| url.replace("%C3%A9", "%c3%a9").replace("%2B", "%2b"), Encoding::UpperCaseEscapes),
            (|url| url.replace("&amp;", "&"), Encoding::Entities),
        ];
        for (change, encoding) in cases {
            let target = match encoding {
                Encoding::Entities => TARGET.replace('&', "&amp;"),
                // Two encodings of a blank in one URL could not be told apart.
                _ => TARGET.replace("%20", ""),
            };
            let signed = sign(ORIGIN, &target, SignatureForm::Empty, &secret(KEY));
            let found = diagnosis(&change(signed), ORIGIN, SignatureForm::Empty, KEY);
            assert_eq!(found, Diagnosis::Deviates(vec![Deviation::Encoding(encoding)]));
        }
    }

    #[test]
    fn a_hash_that_was_moved_or_capitalised_is_found() {
        let moved = on_the_way(|signed| {
            let (rest, hash) = signed.rsplit_once('&').expect("a hash");
            rest.replacen('?', &format!("?{hash}&"), 1)
        });
        assert_eq!(moved, Diagnosis::Deviates(vec![Deviation::HashMoved]));
        let upper = on_the_way(|signed| {
            let (rest, hash) = signed.rsplit_once('=').expect("a hash");
            format!("{rest}={}", hash.to_uppercase())
        });
        assert_eq!(upper, Diagnosis::Deviates(vec![Deviation::UpperCaseHash]));
    }

    #[test]
    fn parameters_that_were_signed_sorted_are_found() {
        let sorted = "/pb/targo?name=x&status=1&tx=T-1&uid=u";
        let signed = sign(ORIGIN, sorted, SignatureForm::Empty, &secret(KEY));
        let arrived = signed.replace("name=x&status=1&tx=T-1&uid=u", "uid=u&tx=T-1&name=x&status=1");
        let found = diagnosis(&arrived, ORIGIN, SignatureForm::Empty, KEY);
        assert_eq!(found, Diagnosis::Deviates(vec![Deviation::Sorted]));
    }

    #[test]
    fn a_forged_call_is_not_explained() {
        let found = on_the_way(|signed| signed.replace("status=1", "status=2"));
        assert!(matches!(found, Diagnosis::Unexplained(_)), "{found}");
    }

    proptest! {
        #[test]
        fn neither_a_secret_nor_a_valid_hash_is_ever_shown(target in "/pb/[a-z]{1,5}\\?[a-z=&%0-9+]{0,30}", http in any::<bool>()) {
            prop_assume!(!target.contains("hash="));
            let wrong = if http { "http://gw.example.com" } else { "https://other.example.com" };
            let signed = sign(ORIGIN, &target, SignatureForm::Cut, &secret(KEY));
            let valid = sign(wrong, &target, SignatureForm::Empty, &secret(KEY));
            let (_, valid) = valid.rsplit_once('=').expect("a hash");
            let shown = diagnosis(&signed, wrong, SignatureForm::Empty, KEY).to_string();
            prop_assert!(!shown.contains(KEY) && !shown.contains(valid), "{}", shown);
        }

        #[test]
        fn no_target_makes_it_panic(target in "\\PC{0,60}") {
            let _ = diagnosis(&target, ORIGIN, SignatureForm::Empty, KEY);
        }
    }
}
