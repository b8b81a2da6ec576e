//! An endpoint of a source, and which calls it refuses.

use std::net::IpAddr;
use std::sync::Arc;

use domain::caller::CallerList;
use domain::postback::event::Params;
use domain::postback::networks::signature::{self, Keys, Proof, SecretPlace};
use domain::postback::networks::{Call, Definition};
use domain::time::TimestampMs;

/// The endpoint of one source.
#[derive(Debug)]
pub struct SourceEndpoint {
    /// How its network signs, names its fields and is answered.
    pub params: Params,
    /// The secrets that are accepted; several while rotating.
    pub keys: Keys,
    /// Addresses that the network calls from, if it publishes them.
    pub callers: CallerList,
}

/// The call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signature is missing or wrong.
    #[error(transparent)]
    BadSignature(#[from] signature::Refusal),
    /// The signature is right, but `allow_ips` does not list the caller.
    #[error("the caller's address is not in `allow_ips` of this source")]
    CallerNotListed,
    /// Like [`Self::CallerNotListed`], but the caller is unknown behind the proxies.
    #[error(
        "`ip_policy` enforces `allow_ips`, but X-Forwarded-For does not name the caller: the entry of the trusted proxy \
         is missing or not an address"
    )]
    CallerNotReported,
}

impl SourceEndpoint {
    /// The network.
    pub fn definition(&self) -> &Arc<Definition> {
        self.params.definition()
    }

    /// True if its network sends its secret as the last segment of the path.
    pub(super) fn takes_secret_in_path(&self) -> bool {
        self.definition().signature.proof == Proof::SharedSecret(SecretPlace::PathEnd)
    }

    /// Verifies the signature of `call`, and that the source allows the caller. Without a caller only the signature is
    /// verified.
    pub fn check(&self, call: &Call<'_>, caller: Option<IpAddr>, now: TimestampMs) -> Result<(), Refusal> {
        self.definition().verify(call, &self.keys, now)?;
        if caller.is_some_and(|caller| self.callers.refuses(caller)) {
            return Err(Refusal::CallerNotListed);
        }
        Ok(())
    }
}
