//! An endpoint of a source, and which calls it refuses.

use std::net::IpAddr;

use domain::caller::CallerList;
use domain::postback::signature::{BadSignature, Secret, SignatureForm, verify};

/// The endpoint of one source.
#[derive(Debug)]
pub struct SourceEndpoint {
    /// The secrets that are accepted; several while rotating.
    pub secrets: Vec<Secret>,
    /// The part of the URL that is signed.
    pub form: SignatureForm,
    /// Addresses that the network calls from, if it publishes them.
    pub callers: CallerList,
}

/// The call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signature is missing or wrong.
    #[error(transparent)]
    BadSignature(#[from] BadSignature),
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
    /// Verifies the signature of `target` under `origin`, and that the source allows the caller. Without a caller only the
    /// signature is verified.
    pub fn check(&self, origin: &str, target: &str, caller: Option<IpAddr>) -> Result<(), Refusal> {
        verify(origin, target, self.form, &self.secrets)?;
        if caller.is_some_and(|caller| self.callers.refuses(caller)) {
            return Err(Refusal::CallerNotListed);
        }
        Ok(())
    }
}
