//! An endpoint of a source, and which calls it refuses.

use std::net::IpAddr;

use domain::caller::CallerList;
use domain::postback::signature::{BadSignature, Secret, SignatureForm, verify};

/// One endpoint.
#[derive(Debug)]
pub struct SourceEndpoint {
    /// The secrets that are accepted; several while rotating.
    pub secrets: Vec<Secret>,
    /// What of the URL is signed.
    pub form: SignatureForm,
    /// Where the network calls from, if it publishes that.
    pub callers: CallerList,
}

/// Why a call is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its signature.
    #[error(transparent)]
    BadSignature(#[from] BadSignature),
    /// Its signature is right, but it comes from elsewhere than the settings enforce.
    #[error("the caller's address is not in `allow_ips` of this source")]
    CallerNotListed,
    /// The same, and nobody knows where it comes from.
    #[error(
        "`ip_policy` enforces `allow_ips`, but X-Forwarded-For does not say who called: its hop that counts is missing \
         or no address"
    )]
    CallerNotTold,
}

impl SourceEndpoint {
    /// Whether a call of `target` under `origin` is to be taken. A caller that is not known is on no list, and
    /// refused by none.
    pub fn check(&self, origin: &str, target: &str, caller: Option<IpAddr>) -> Result<(), Refusal> {
        verify(origin, target, self.form, &self.secrets)?;
        if caller.is_some_and(|caller| self.callers.refuses(caller)) {
            return Err(Refusal::CallerNotListed);
        }
        Ok(())
    }
}
