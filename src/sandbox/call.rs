//! A planned call, its event, and how it is signed.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use domain::money::Micros;
use domain::postback::networks::Field;
use domain::postback::networks::signature::Refusal;
use domain::reward::Status;
use domain::time::SECOND_MS;

use super::mix::Variety;
use super::people::Task;
use super::postback::Postback;
use super::signer::Signer;
use super::template::Template;

/// One invented reward event. Its calls share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its kind, which determines its calls.
    pub variety: Variety,
    /// The expected result if only its credit is sent.
    pub outlook: Outlook,
    /// Name of the plan, the prefix of every ID: two plans never share one.
    pub plan: Arc<str>,
    /// Number within the plan, from 1.
    pub number: u64,
    /// What makes its reward unique in the gateway: mostly the transaction ID.
    pub key: String,
    /// True if rule Q6 holds it whatever it says: the signature leaves open what decides about money, and the caller is
    /// not on the source's list.
    pub is_open: bool,
    /// Number of the user within the plan.
    pub user: u64,
    /// What the user did.
    pub task: &'static Task,
    /// The user's address.
    pub ip: IpAddr,
    /// The country that the network reports.
    pub country_code: &'static str,
    /// What the network pays, in USD.
    pub payout: Micros,
    /// What the user earns.
    pub reward: Micros,
    /// From click to completion, in milliseconds.
    pub took_ms: i64,
    /// Set on the second event of a duplicate: the number of the first, which is the one before.
    pub same_task_as: Option<u64>,
    /// The click in unix seconds, fixed by the first call: repeats must have the same.
    pub(super) clicked_at_s: OnceLock<i64>,
}

/// The result that a gateway with the built-in policy must reach when the credit arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// The reward is credited.
    Credited,
    /// The reward is held.
    Held,
    /// Credited or held: it depends on the gateway's data, or on fields that the template leaves out.
    Judged,
    /// There must be no reward.
    Nothing,
}

impl Outlook {
    /// True if the reward may have `status`.
    pub fn allows(self, status: Status) -> bool {
        match self {
            Self::Credited => status == Status::Credited,
            Self::Held => status == Status::Held,
            Self::Judged => matches!(status, Status::Credited | Status::Held),
            Self::Nothing => false,
        }
    }
}

/// The kind of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// The user earned the reward.
    Credit,
    /// A repeat of the credit, byte for byte; only a time in the signature is that of sending.
    Again,
    /// The network takes the reward back. Networks differ in the status, and in whether they repeat the amounts.
    Reversal {
        /// Which of the network's words for a reversal, from 0: `TarGo` has 2 and the older 0.
        word: usize,
        /// True: reward and payout are repeated.
        amounts: bool,
    },
    /// A credit that the network did not sign.
    Forged(Forgery),
    /// A signed call that cannot be mapped.
    Broken(Fault),
}

/// How a call is forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forgery {
    /// Well formed, but not made with the secret.
    WrongHash,
    /// No hash at all.
    MissingHash,
    /// The hash of a genuine call, with a tenfold amount or another id in this field, which the hash covers.
    Changed(Field),
}

/// Why a call cannot be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A minus sign before the reward.
    NegativeMoney,
    /// An empty user id.
    MissingUser,
    /// A status that the network does not document.
    UnknownStatus,
}

/// A call of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Number within the plan, from 1.
    pub number: u64,
    /// Sent at the same instant as the call before it, on another connection.
    pub together: bool,
    /// Its kind.
    pub act: Act,
    /// Shared by all calls of the event.
    pub event: Arc<Event>,
}

impl Call {
    /// True if it comes from the network: it must be acknowledged, and is retried otherwise.
    pub fn is_genuine(&self) -> bool {
        !matches!(self.act, Act::Forged(_))
    }

    /// The call with its signature, for sending at `now_ms`, in unix milliseconds. The first call of an event fixes its
    /// click time.
    pub fn postback(&self, template: &Template, signer: &Signer, now_ms: i64) -> Result<Postback, Refusal> {
        let clicked_at_ms = self.event.clicked_at_s(now_ms) * SECOND_MS;
        let network = template.network();
        let unsigned = |act| template.unsigned(|field| self.event.value(network, field, act, clicked_at_ms));
        match self.act {
            Act::Forged(Forgery::MissingHash) => Ok(unsigned(Act::Credit)),
            Act::Forged(Forgery::WrongHash) => signer.forge(&unsigned(Act::Credit), now_ms),
            Act::Forged(Forgery::Changed(_)) => {
                let genuine = unsigned(Act::Credit);
                let signed = signer.sign(&genuine, now_ms)?;
                Ok(unsigned(self.act).with_signature_of(&genuine, &signed))
            }
            act => signer.sign(&unsigned(act), now_ms),
        }
    }
}

impl Event {
    /// Transaction ID, `PLAN-NUMBER`.
    pub fn tx_id(&self) -> String {
        tx_id(&self.plan, self.number)
    }

    /// User ID at the publisher, `PLAN-uNUMBER`.
    pub fn user_id(&self) -> String {
        format!("{}-u{}", self.plan, self.user)
    }

    /// The click, in unix milliseconds; `None` before the event is first sent.
    pub fn clicked_at_ms(&self) -> Option<i64> {
        self.clicked_at_s.get().map(|clicked_at_s| clicked_at_s * SECOND_MS)
    }

    /// Counted back from the first call, so that the duration is right whenever the plan is sent. Rounded up to the second,
    /// so that the gateway never sees a longer duration.
    fn clicked_at_s(&self, now_ms: i64) -> i64 {
        let clicked_at_ms = now_ms - self.took_ms;
        *self.clicked_at_s.get_or_init(|| (clicked_at_ms + SECOND_MS - 1).div_euclid(SECOND_MS))
    }
}

/// The transaction ID of an event.
pub(super) fn tx_id(plan: &str, number: u64) -> String {
    format!("{plan}-{number:08}")
}

/// The event number in a transaction ID; `None` if it is not of `plan`.
pub(super) fn number_of(plan: &str, tx: &str) -> Option<u64> {
    let number = tx.strip_prefix(plan)?.strip_prefix('-')?.parse().ok()?;
    (tx_id(plan, number) == tx).then_some(number)
}

/// For people: `forged (wrong hash)`, `reversal`.
impl fmt::Display for Act {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Credit => "credit",
            Self::Again => "credit again",
            Self::Reversal { .. } => "reversal",
            Self::Forged(Forgery::WrongHash) => "forged (wrong hash)",
            Self::Forged(Forgery::MissingHash) => "forged (no hash)",
            Self::Forged(Forgery::Changed(Field::Reward | Field::Payout)) => "forged (changed amount)",
            Self::Forged(Forgery::Changed(_)) => "forged (changed id)",
            Self::Broken(Fault::NegativeMoney) => "broken (negative money)",
            Self::Broken(Fault::MissingUser) => "broken (no user)",
            Self::Broken(Fault::UnknownStatus) => "broken (unknown status)",
        })
    }
}
