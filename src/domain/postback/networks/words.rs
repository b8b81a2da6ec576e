//! A definition in words: its signature, its horizon, its callers, and what of it is not confirmed.

use std::fmt::Write as _;

use crate::postback::networks::Definition;
use crate::postback::networks::coverage::{self, Coverage, ProofKind, Protection};
use crate::postback::networks::definition::Confirmed;
use crate::postback::networks::kinds::Row;
use crate::postback::networks::signature::{
    Absent, Concat, Digest, Encoding, Message, Pair, Part, PartSource, PartValue, Proof, Scheme, SecretPlace,
    SortedEncoding,
};
use crate::postback::signature::SignatureForm;
use crate::text::duration;

impl Definition {
    /// What is signed and where the signature stands, as sentences.
    pub fn signature_words(&self) -> String {
        let mut words = match &self.signature.proof {
            Proof::Nothing => "Nothing is signed. Only the caller's address is checked.".to_owned(),
            Proof::SharedSecret(SecretPlace::PathEnd) => {
                "The secret itself is the last part of the path.".to_owned()
            }
            Proof::SharedSecret(SecretPlace::At(place)) => format!("The secret itself is sent: {place}."),
            Proof::Signed(scheme) => scheme.words(),
        };
        if let (Some(text), Some(place)) = (&self.signature.macro_text, self.signature.place()) {
            let _ = write!(words, " Paste it as {}={text}.", place.name());
        }
        words
    }

    /// How long the network repeats a postback that was not acknowledged.
    pub fn horizon_words(&self) -> String {
        match self.retries.horizon_minutes {
            0 => "No repeat is known: what is not acknowledged at once may be lost.".to_owned(),
            _ => format!("The network repeats for {}.", duration(self.retry_horizon_ms())),
        }
    }

    /// Where its calls come from.
    pub fn callers_words(&self) -> String {
        let ips: Vec<_> = self.callers.ips.iter().map(ToString::to_string).collect();
        match (ips.is_empty(), self.callers.required) {
            (false, _) => ips.join(", "),
            (true, true) => "None published; each source must set `allow_ips`.".to_owned(),
            (true, false) => "None published.".to_owned(),
        }
    }

    /// The parts of the definition that no page of the network confirms, each with how well it is known.
    pub fn unconfirmed(&self) -> Vec<(&'static str, Confirmed)> {
        let all = [
            ("definition", self.confirmed),
            ("signature", self.signature.confirmed),
            ("retries", self.retries.confirmed),
            ("callers", self.callers.confirmed),
        ];
        let names_callers = !self.callers.ips.is_empty();
        let counts = |(part, sure): &(&str, Confirmed)| {
            *sure != Confirmed::Documented && (*part != "callers" || names_callers)
        };
        all.into_iter().filter(counts).collect()
    }

    /// A row of `[kinds]` as it stands in the file, with what it is compared with: `status 1 = "credit"`.
    pub fn kind_words(&self, row: &Row) -> String {
        let by: Vec<_> = self.kinds.by.iter().map(|by| by.name()).collect();
        let line = format!("{} = \"{}\"", row.written, row.kind.name());
        if by.is_empty() { line } else { format!("{} {line}", by.join(":")) }
    }
}

impl Confirmed {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Documented => "documented by the network",
            Self::Integrators => "known from public integrations",
            Self::Unproven => "unproven",
        }
    }
}

impl Coverage {
    /// What is protected, in a few words for a table: `all` or `user, reward; not transaction`.
    pub fn short(&self) -> String {
        match self.proof {
            ProofKind::SharedSecret => return "nothing (shared secret)".to_owned(),
            ProofKind::CallerOnly => return "nothing (caller's address)".to_owned(),
            ProofKind::Signature => {}
        }
        let names = |wanted: Protection| -> Vec<_> {
            let of = self.fields.iter().filter(|(_, own)| *own == wanted);
            of.map(|(field, _)| coverage::name(*field)).collect()
        };
        let (whole, part, open) =
            (names(Protection::Whole), names(Protection::IntegerPart), names(Protection::Nothing));
        if part.is_empty() && open.is_empty() {
            return "all".to_owned();
        }
        let mut short = if whole.is_empty() { "nothing".to_owned() } else { whole.join(", ") };
        if !part.is_empty() {
            let _ = write!(short, ", {} before the point", part.join(", "));
        }
        if !open.is_empty() {
            let _ = write!(short, "; not {}", open.join(", "));
        }
        short
    }
}

impl Scheme {
    fn words(&self) -> String {
        let digest = match self.digest {
            Digest::Md5 => "MD5",
            Digest::Sha1 => "SHA-1",
            Digest::Sha256 => "SHA-256",
            Digest::HmacMd5 => "HMAC-MD5",
            Digest::HmacSha1 => "HMAC-SHA1",
            Digest::HmacSha256 => "HMAC-SHA256",
            Digest::EcdsaP256Sha256 => "ECDSA (P-256, SHA-256)",
        };
        let encoding = match self.encoding {
            Encoding::Hex => "hexadecimal digits",
            Encoding::LowerHex => "hexadecimal digits in lower case",
            Encoding::Base64 => "base64",
            Encoding::Base64Url => "base64url",
        };
        let key = match &self.key_id {
            Some(name) => format!(" The parameter `{name}` names the key."),
            None => String::new(),
        };
        format!("{digest} of {}, in {encoding}: {}.{key}", self.message.sentence(), self.at)
    }
}

impl Message {
    /// What is signed, as a clause.
    pub fn sentence(&self) -> String {
        match self {
            Self::Url(SignatureForm::Cut) => "the whole URL before the signature".to_owned(),
            Self::Url(SignatureForm::Empty) => "the whole URL with the signature left empty".to_owned(),
            Self::QueryBeforeSignature => "the query before the signature".to_owned(),
            Self::Sorted(rule) => {
                let encoding = match rule.encoding {
                    SortedEncoding::Form => "encoded as a form",
                    SortedEncoding::Rfc3986 => "encoded as in RFC 3986",
                    SortedEncoding::Double => "encoded as a form, the values twice",
                    SortedEncoding::Plain => "not encoded",
                };
                let pair = if rule.pair == Pair::Comma { "," } else { "&" };
                let without = if rule.drop.is_empty() {
                    String::new()
                } else {
                    format!(", without {}", rule.drop.join(", "))
                };
                format!("the URL's parameters sorted by name{without}, {encoding}, joined by `{pair}`")
            }
            Self::Concat(rule) => rule.sentence(),
            Self::Body => "the body".to_owned(),
            Self::TimestampBody(rule) => format!(
                "the time in part `{}` of that header (at most {} s from now), `{}` and the body",
                rule.part, rule.window_s, rule.separator
            ),
        }
    }
}

impl Concat {
    fn sentence(&self) -> String {
        let parts: Vec<_> = self.parts.iter().map(Part::words).collect();
        let join = if self.separator.is_empty() {
            "with nothing between them".to_owned()
        } else {
            format!("with `{}` between them", self.separator)
        };
        format!("{}, {join}", parts.join(" + "))
    }
}

impl Part {
    fn words(&self) -> String {
        let name = match &self.source {
            PartSource::Field(field) => field.name().to_owned(),
            PartSource::Parameter(name) => format!("parameter `{name}`"),
            PartSource::Secret => return "secret".to_owned(),
            PartSource::SecondSecret => return "second secret".to_owned(),
            PartSource::Constant(text) => return format!("\"{text}\""),
            PartSource::Series { prefix, from, to } => format!("`{prefix}{from}` to `{prefix}{to}`"),
        };
        let value = match self.value {
            PartValue::Received => None,
            PartValue::Decoded => Some("decoded"),
            PartValue::Integer => Some("cut to a whole number"),
        };
        let absent = match self.absent {
            Absent::Refused => None,
            Absent::Omitted => Some("left out if absent"),
            Absent::OmittedWhenEmpty => Some("left out if empty"),
        };
        let notes: Vec<_> = value.into_iter().chain(absent).collect();
        if notes.is_empty() { name } else { format!("{name} ({})", notes.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use crate::postback::networks::{Definition, shipped};

    fn definition(name: &str) -> Definition {
        shipped::definition(name).expect("it ships").unwrap_or_else(|faults| panic!("{faults}"))
    }

    #[test]
    fn a_signature_is_told_in_words() {
        for (name, words) in [
            (
                "targo",
                "HMAC-SHA1 of the whole URL with the signature left empty, in hexadecimal digits in lower case: parameter \
                 `hash` in the URL.",
            ),
            (
                "kiwiwall",
                "MD5 of user_id (decoded) + reward (decoded) + secret, with `:` between them, in hexadecimal digits: \
                 parameter `signature` in the URL.",
            ),
            (
                "timewall",
                "SHA-256 of user_id (decoded) + payout (decoded) + secret, with nothing between them, in hexadecimal digits: \
                 parameter `hash` in the URL. Paste it as hash={hash}.",
            ),
            (
                "admob",
                "ECDSA (P-256, SHA-256) of the query before the signature, in base64url: parameter `signature` in the URL. \
                 The parameter `key_id` names the key.",
            ),
        ] {
            assert_eq!(definition(name).signature_words(), words);
        }
    }

    #[test]
    fn what_is_not_documented_is_named() {
        let unconfirmed = |name| -> Vec<_> {
            definition(name).unconfirmed().into_iter().map(|(part, sure)| (part, sure.name())).collect()
        };
        assert_eq!(unconfirmed("targo"), []);
        assert_eq!(unconfirmed("adgem"), [("signature", "integrators"), ("retries", "unproven")]);
        assert_eq!(
            definition("adgem").horizon_words(),
            "No repeat is known: what is not acknowledged at once may be lost."
        );
        assert_eq!(definition("targo").horizon_words(), "The network repeats for 30 h.");
    }

    #[test]
    fn coverage_is_short_for_a_table() {
        assert_eq!(definition("targo").coverage().short(), "all");
        assert_eq!(
            definition("timewall").coverage().short(),
            "user, payout; not transaction, reward, type, offer"
        );
    }
}
