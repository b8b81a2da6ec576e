//! Signs a call as its network does: for the sandbox and for tests.

use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};

use super::assemble::assemble;
use super::{Digest, Keys, Message, Place, Proof, Refusal, Scheme, SecretPlace};
use crate::postback::macros::encoded;
use crate::postback::networks::Definition;
use crate::postback::networks::call::{Call, Method};
use crate::postback::networks::parameters::{members, object};
use crate::time::{SECOND_MS, TimestampMs};

/// What signing changed of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCall {
    /// Path and query.
    pub target: String,
    /// Headers to add.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Definition {
    /// `call` with its signature under the first of the `keys`. It must not carry one yet. For ECDSA the first secret is the
    /// private key, 32 bytes, and the id of the key is that of the first public one.
    pub fn sign(&self, call: &Call<'_>, keys: &Keys, now: TimestampMs) -> Result<SignedCall, Refusal> {
        let unsigned =
            SignedCall { target: call.target.to_owned(), headers: Vec::new(), body: call.body.to_vec() };
        match &self.signature.proof {
            Proof::Nothing => Ok(unsigned),
            Proof::SharedSecret(place) => {
                let secret = keys.secrets.first().ok_or(Refusal::NoKey("secret"))?;
                let text = String::from_utf8_lossy(secret.key()).into_owned();
                match place {
                    SecretPlace::At(place) => unsigned.with(place, &text, call, ""),
                    SecretPlace::PathEnd => Ok(unsigned.with_path_end(&text)),
                }
            }
            Proof::Signed(scheme) => self.with_signature(scheme, call, unsigned, keys, now),
        }
    }

    fn with_signature(
        &self,
        scheme: &Scheme,
        call: &Call<'_>,
        unsigned: SignedCall,
        keys: &Keys,
        now: TimestampMs,
    ) -> Result<SignedCall, Refusal> {
        let time = match &scheme.message {
            Message::TimestampBody(rule) => format!("{}={},", rule.part, now.0 / SECOND_MS),
            _ => String::new(),
        };
        // What is signed is found in a call that has a signature, so it gets an empty one first.
        let marked = unsigned.clone().with(&scheme.at, "", call, &time)?;
        let headers: Vec<_> =
            marked.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let headers: Vec<_> = headers.into_iter().chain(call.headers.iter().copied()).collect();
        let with_mark = Call { target: &marked.target, headers: &headers, body: &marked.body, ..*call };
        let message = assemble(self, scheme, &with_mark)?;
        let secret = keys.secrets.first().ok_or(Refusal::NoKey("secret"))?.key();
        let digest = match scheme.digest {
            Digest::EcdsaP256Sha256 => {
                let key =
                    SecretKey::from_slice(secret).map_err(|_| Refusal::NoKey("private key of 32 bytes"))?;
                let signature: DerSignature = SigningKey::from(key).sign(&message.bytes(b"", b""));
                signature.as_bytes().to_vec()
            }
            digest => {
                let second = match (message.needs_second(), keys.second.first()) {
                    (true, None) => return Err(Refusal::NoKey("second secret")),
                    (_, second) => second.map_or(&b""[..], |second| second.key()),
                };
                digest.of(secret, &message.bytes(secret, second))
            }
        };
        let mut signed = unsigned.with(&scheme.at, &scheme.encoding.encode(&digest), call, &time)?;
        if let Some(name) = &scheme.key_id {
            let id = &keys.public.first().ok_or(Refusal::NoKey("public key"))?.id;
            signed.append_to_target(name, id);
        }
        Ok(signed)
    }
}

impl SignedCall {
    fn with(mut self, place: &Place, value: &str, call: &Call<'_>, before: &str) -> Result<Self, Refusal> {
        match place {
            Place::Query(name) => self.append_to_target(name, value),
            Place::Form(name) if call.method == Method::Get => self.append_to_target(name, value),
            Place::Form(name) => self.append_to_form(name, value, call),
            Place::Json(path) => self.insert_into_json(path, value)?,
            Place::Header { name, part: None } => self.headers.push((name.clone(), value.to_owned())),
            Place::Header { name, part: Some(part) } => {
                self.headers.push((name.clone(), format!("{before}{part}={value}")));
            }
        }
        Ok(self)
    }

    fn append_to_target(&mut self, name: &str, value: &str) {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        self.target = format!("{}{separator}{name}={}", self.target, encoded(value));
    }

    fn append_to_form(&mut self, name: &str, value: &str, call: &Call<'_>) {
        let content_type = String::from_utf8_lossy(call.header("content-type").next().unwrap_or_default());
        let boundary = content_type.split_once("boundary=").map(|(_, boundary)| boundary.trim_matches('"'));
        let Some(boundary) = boundary else {
            let separator = if self.body.is_empty() { "" } else { "&" };
            self.body.extend(format!("{separator}{name}={}", encoded(value)).bytes());
            return;
        };
        let end = format!("--{boundary}--");
        let at = self.body.windows(end.len()).rposition(|window| window == end.as_bytes());
        self.body.truncate(at.unwrap_or(self.body.len()));
        let part = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n{end}\r\n"
        );
        self.body.extend(part.bytes());
    }

    /// Puts the value into the object that the path names, as its last member; the rest of the body stays as it is.
    fn insert_into_json(&mut self, path: &str, value: &str) -> Result<(), Refusal> {
        let missing = || Refusal::MissingPart(path.to_owned());
        let mut inside = object(&self.body)?;
        let (parents, name) =
            path.rsplit_once('.').map_or((None, path), |(parents, name)| (Some(parents), name));
        for parent in parents.into_iter().flat_map(|parents| parents.split('.')) {
            inside = members(inside, parent).first().copied().ok_or_else(missing)?;
        }
        let text = inside.get();
        let start = text.as_ptr().addr() - self.body.as_ptr().addr();
        let end = start + text.rfind('}').ok_or_else(missing)?;
        let is_empty = text.trim_matches(['{', '}']).trim().is_empty();
        let comma = if is_empty { "" } else { "," };
        let member = format!("{comma}{}:{}", serde_json::json!(name), serde_json::json!(value));
        self.body.splice(end..end, member.bytes());
        Ok(())
    }

    fn with_path_end(self, secret: &str) -> Self {
        let (path, query) = self
            .target
            .split_once('?')
            .map_or((self.target.as_str(), None), |(path, query)| (path, Some(query)));
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let target = format!("{}/{}{query}", path.trim_end_matches('/'), encoded(secret));
        Self { target, ..self }
    }
}
