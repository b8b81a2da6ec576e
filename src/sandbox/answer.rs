//! The answer of the gateway to a call: what sending, reporting and checking share.

use super::call::{Act, Call};

/// Bytes of an answer that are read: a gateway answers `OK`.
pub(super) const MAX_ANSWER_BYTES: usize = 64 * 1_024;

/// `TarGo` takes a postback as delivered only for 200 and a body that contains `1` or `OK`.
pub(super) fn is_acknowledged(status: u16, body: &str) -> bool {
    status == 200 && (body.contains('1') || body.contains("OK"))
}

/// The answer to one attempt of a call, or why there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// From 1; above 1 for a retry.
    pub attempt: u32,
    /// HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// True if the network takes it as an acknowledgement.
    pub acknowledged: bool,
    /// First characters of the body, or why there was no answer.
    pub text: String,
    /// Unix milliseconds.
    pub sent_at_ms: i64,
    /// Unix milliseconds, of the answer or the time-out.
    pub answered_at_ms: i64,
    /// From the scheduled instant to the answer or the time-out, in microseconds.
    pub latency_us: u64,
}

impl Call {
    /// True if no healthy gateway gives `answer`: a genuine call refused permanently, or a forged one acknowledged. Being
    /// unavailable is not unexpected.
    pub fn is_unexpected(&self, answer: &Answer) -> bool {
        match (self.act, answer.status) {
            (_, None | Some(429 | 500..)) => false,
            (Act::Forged(_), Some(status)) => status != 403,
            (_, Some(_)) => !answer.acknowledged,
        }
    }
}
