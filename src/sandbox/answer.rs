//! The answer of the gateway to a call, and how the network takes it.

use domain::postback::networks::answers;
use serde::{Deserialize, Serialize};

use super::call::{Act, Call};
use super::network::Network;
use super::postback::Postback;

/// Bytes of an answer that are read: a gateway answers `OK`.
pub(super) const MAX_ANSWER_BYTES: usize = 64 * 1_024;

/// The network whose answers are looked at in its own way.
const TARGO: &str = "targo";

/// How the network takes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Delivered: the network is done.
    Acknowledged,
    /// Its signature or its caller is wrong.
    Refused,
    /// Not now: it is to be sent again.
    Later,
    /// Anything else.
    Other,
    /// No connection, or no answer in time.
    Nothing,
}

/// An answer that acknowledges one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// HTTP status.
    pub status: u16,
    /// Exactly this.
    pub body: String,
}

/// `TarGo` takes a postback as delivered only for 200 and a body that contains `1` or `OK`.
pub(super) fn is_acknowledged_by_targo(status: u16, body: &str) -> bool {
    status == 200 && (body.contains('1') || body.contains("OK"))
}

/// Whether `status` and `body` are one of the `acknowledgements`; without any, whether `TarGo` takes them as one.
pub(super) fn is_acknowledged(acknowledgements: &[Acknowledgement], status: u16, body: &str) -> bool {
    if acknowledgements.is_empty() {
        return is_acknowledged_by_targo(status, body);
    }
    acknowledgements.iter().any(|own| own.status == status && own.body == body)
}

impl Network {
    /// The answers to `call` that acknowledge it: as its definition says. Empty for `TarGo`, which looks for two words.
    pub(super) fn acknowledgements(&self, call: &Postback) -> Vec<Acknowledgement> {
        if self.definition().name == TARGO {
            return Vec::new();
        }
        let answers = &self.definition().answers;
        let own = |answer: &answers::Answer| Acknowledgement {
            status: answer.status,
            body: self.body(answer, call),
        };
        let mut all: Vec<_> = [&answers.recorded, &answers.repeat].map(own).into();
        all.dedup();
        all
    }

    /// How the answer to `call` is taken.
    pub(super) fn hears(&self, call: &Postback, status: u16, body: &str) -> Heard {
        let answers = &self.definition().answers;
        let is = |answer: &answers::Answer| answer.status == status && self.body(answer, call) == body;
        match status {
            _ if is_acknowledged(&self.acknowledgements(call), status, body) => Heard::Acknowledged,
            403 => Heard::Refused,
            _ if is(&answers.refused) => Heard::Refused,
            429 | 500.. => Heard::Later,
            _ if is(&answers.later) => Heard::Later,
            _ => Heard::Other,
        }
    }

    fn body(&self, answer: &answers::Answer, call: &Postback) -> String {
        call.with("", |call| self.definition().answer_body(answer, call))
    }
}

/// The answer to one attempt of a call, or why there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// From 1; above 1 for a retry.
    pub attempt: u32,
    /// HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// How the network takes it.
    pub heard: Heard,
    /// First characters of the body, or why there was no answer.
    pub text: String,
    /// Unix milliseconds.
    pub sent_at_ms: i64,
    /// Unix milliseconds, of the answer or the time-out.
    pub answered_at_ms: i64,
    /// From the scheduled instant to the answer or the time-out, in microseconds.
    pub latency_us: u64,
}

impl Answer {
    /// True if the network takes it as an acknowledgement.
    pub fn is_acknowledged(&self) -> bool {
        self.heard == Heard::Acknowledged
    }
}

impl Call {
    /// True if no healthy gateway gives `answer`: a genuine call refused permanently, or a forged one acknowledged. Being
    /// unavailable is not unexpected.
    pub fn is_unexpected(&self, answer: &Answer) -> bool {
        match (self.act, answer.heard) {
            (_, Heard::Nothing | Heard::Later) => false,
            (Act::Forged(_), heard) => heard != Heard::Refused,
            (_, heard) => heard != Heard::Acknowledged,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::postback::networks::Field;

    use super::*;
    use crate::template::Template;

    fn heard(name: &str, status: u16, body: &str) -> Heard {
        let network = Network::shipped(name).expect("it ships");
        let template = Template::parse(&format!("http://h/pb/a?{}", network.query()), &network);
        let value = |field: Field| if field == Field::TxId { "T-1".to_owned() } else { "1".to_owned() };
        let call = template.expect("a good template").unsigned(value);
        network.hears(&call, status, body)
    }

    #[test]
    fn an_answer_is_taken_as_the_network_takes_it() {
        for (name, status, body, expected) in [
            ("targo", 200, "it is OK", Heard::Acknowledged),
            ("targo", 200, "not now", Heard::Other),
            ("targo", 201, "OK", Heard::Other),
            ("bitlabs", 200, "OK", Heard::Acknowledged),
            ("bitlabs", 200, "OK\n", Heard::Other),
            ("levelplay", 200, "T-1:OK", Heard::Acknowledged),
            ("levelplay", 200, "T-2:OK", Heard::Other),
            ("md5-family", 200, "DUP", Heard::Acknowledged),
            ("rapidoreach", 200, "0", Heard::Later),
            ("rapidoreach", 503, "", Heard::Later),
            ("tapjoy", 403, "", Heard::Refused),
            ("bitlabs", 404, "", Heard::Other),
        ] {
            assert_eq!(heard(name, status, body), expected, "{name}: {status} {body:?}");
        }
    }
}
