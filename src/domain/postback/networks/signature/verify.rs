//! Checks the signature of a call.

use p256::ecdsa::signature::Verifier;

use super::assemble::{Assembled, assemble};
use super::digest::are_equal;
use super::{Digest, Keys, Message, Place, Proof, Refusal, Scheme, SecretPlace};
use crate::postback::cleaning::{SHOWN_BYTES, shortened};
use crate::postback::networks::Definition;
use crate::postback::networks::call::Call;
use crate::postback::networks::definition::ParameterSource;
use crate::postback::networks::parameters::Parameters;
use crate::postback::query::Plus;
use crate::postback::signature::Secret;
use crate::time::{SECOND_MS, TimestampMs};

/// What proved that a call is the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The secret of this index, from 0, among those of the source.
    Secret(usize),
    /// The public key of this index.
    Key(usize),
    /// Nothing was to be checked: the caller's address has to tell.
    Unsigned,
}

impl Definition {
    /// Checks `call` with all `keys`, in constant time. What it proves is [`Definition::coverage`].
    pub fn verify(&self, call: &Call<'_>, keys: &Keys, now: TimestampMs) -> Result<Verified, Refusal> {
        match &self.signature.proof {
            Proof::Nothing => Ok(Verified::Unsigned),
            Proof::SharedSecret(place) => shared_secret(place, call, keys),
            Proof::Signed(scheme) => self.signed(scheme, call, keys, now),
        }
    }

    fn signed(
        &self,
        scheme: &Scheme,
        call: &Call<'_>,
        keys: &Keys,
        now: TimestampMs,
    ) -> Result<Verified, Refusal> {
        let written = scheme.at.written(call, scheme.encoding)?;
        let malformed = || Refusal::Malformed(scheme.encoding.words());
        let given = scheme.encoding.decode(&written).ok_or_else(malformed)?;
        if scheme.digest.len_bytes().is_some_and(|len| len != given.len()) {
            return Err(malformed());
        }
        let message = assemble(self, scheme, call)?;
        let verified = match scheme.digest {
            Digest::EcdsaP256Sha256 => by_public_key(scheme, call, keys, &message, &given)?,
            _ => by_secret(scheme.digest, keys, &message, &given)?,
        };
        // After the signature: the reason of a forged call is that it is forged.
        if let (Message::TimestampBody(rule), Some(time_s)) = (&scheme.message, message.time_s) {
            let age_s = (now.0 / SECOND_MS).saturating_sub(time_s);
            if age_s.unsigned_abs() > u64::from(rule.window_s) {
                return Err(Refusal::Stale { age_s, window_s: rule.window_s });
            }
        }
        Ok(verified)
    }
}

fn by_secret(
    digest: Digest,
    keys: &Keys,
    message: &Assembled<'_>,
    given: &[u8],
) -> Result<Verified, Refusal> {
    if keys.secrets.is_empty() {
        return Err(Refusal::NoKey("secret"));
    }
    let second: Vec<_> =
        if message.needs_second() { keys.second.iter().map(Secret::key).collect() } else { vec![&b""[..]] };
    if second.is_empty() {
        return Err(Refusal::NoKey("second secret"));
    }
    let mut matching = None;
    for (index, secret) in keys.secrets.iter().enumerate() {
        for second in &second {
            let expected = digest.of(secret.key(), &message.bytes(secret.key(), second));
            if are_equal(&expected, given) {
                matching = Some(index);
            }
        }
    }
    matching.map(Verified::Secret).ok_or(Refusal::Wrong)
}

fn by_public_key(
    scheme: &Scheme,
    call: &Call<'_>,
    keys: &Keys,
    message: &Assembled<'_>,
    given: &[u8],
) -> Result<Verified, Refusal> {
    let malformed = |_| Refusal::Malformed("an ECDSA signature in DER");
    let signature = p256::ecdsa::Signature::from_der(given).map_err(malformed)?;
    let id = match &scheme.key_id {
        Some(name) => Some(key_id(name, call)?),
        None => None,
    };
    let message = message.bytes(b"", b"");
    let mut known =
        keys.public.iter().enumerate().filter(|(_, key)| id.as_ref().is_none_or(|id| key.id == *id));
    let mut any = false;
    let matching = known.find(|(_, key)| {
        any = true;
        key.key.verify(&message, &signature).is_ok()
    });
    match (matching, any, id) {
        (Some((index, _)), ..) => Ok(Verified::Key(index)),
        (None, true, _) => Err(Refusal::Wrong),
        (None, false, Some(id)) => Err(Refusal::UnknownKey(id)),
        (None, false, None) => Err(Refusal::NoKey("public key")),
    }
}

fn key_id(name: &str, call: &Call<'_>) -> Result<String, Refusal> {
    let parameters = Parameters::received(ParameterSource::Query, call)?;
    let values = parameters.values(name);
    let [value] = values.as_slice() else {
        let place = Place::Query(name.to_owned()).to_string();
        return Err(if values.is_empty() { Refusal::Missing(place) } else { Refusal::Repeated(place) });
    };
    // Shortened, because a refusal shows it: no network has a longer one.
    Ok(shortened(&String::from_utf8_lossy(&value.decoded(Plus::Space)), SHOWN_BYTES).to_owned())
}

fn shared_secret(place: &SecretPlace, call: &Call<'_>, keys: &Keys) -> Result<Verified, Refusal> {
    if keys.secrets.is_empty() {
        return Err(Refusal::NoKey("secret"));
    }
    let given = match place {
        SecretPlace::At(place) => {
            let text = place.text(call)?;
            let in_url = matches!(place, Place::Query(_) | Place::Form(_));
            if in_url { percent_encoding::percent_decode(&text).collect() } else { text.into_owned() }
        }
        SecretPlace::PathEnd => {
            let path = call.target.split('?').next().unwrap_or_default();
            let segment = path.rsplit('/').next().unwrap_or_default();
            percent_encoding::percent_decode_str(segment).collect::<Vec<_>>()
        }
    };
    // Digests of equal length: comparing the texts themselves would tell the length of the secret.
    let given = Digest::Sha256.of(b"", &given);
    let mut matching = None;
    for (index, secret) in keys.secrets.iter().enumerate() {
        if are_equal(&Digest::Sha256.of(b"", secret.key()), &given) {
            matching = Some(index);
        }
    }
    matching.map(Verified::Secret).ok_or(Refusal::Wrong)
}
