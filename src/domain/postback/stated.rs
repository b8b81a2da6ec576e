//! What a person states of a quarantined postback: the value that is missing or cannot be read, beside the raw bytes
//! and never instead of them. A stated value is read as strictly as a received one and only fills a gap: a received
//! value that can be read is never replaced.

use std::fmt;

use crate::money::Micros;
use crate::postback::event::Kind;
use crate::postback::event::Quarantine;
use crate::postback::networks::{Definition, Field};
use crate::review::decision::MAX_NOTE_LEN;

/// The fields that can be stated, with their names in the API, on pages and on the command line. No other field
/// quarantines a postback.
pub const STATABLE: [(Field, &str); 5] = [
    (Field::UserId, "user_id"),
    (Field::TxId, "tx_id"),
    (Field::Status, "status"),
    (Field::Reward, "reward"),
    (Field::Payout, "payout"),
];

/// The stated values of one postback; `None` where nothing is stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// The publisher's id of the user.
    pub user_id: Option<String>,
    /// The network's transaction id.
    pub tx_id: Option<String>,
    /// Whether it is a credit or a reversal.
    pub status: Option<Kind>,
    /// The reward, decimal, in the user's currency.
    pub reward: Option<String>,
    /// The payout, decimal, in USD.
    pub payout: Option<String>,
}

/// Stated values with who states them and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedBy {
    /// What is stated.
    pub stated: Stated,
    /// One person, or two as `mara, joe`.
    pub actor: String,
    /// Reason given by whoever states them; never empty.
    pub reason: String,
}

impl StatedBy {
    /// The note of the steps it causes: values and reason.
    pub fn note(&self) -> String {
        format!("Stated: {}. {}", self.stated, self.reason)
    }
}

/// Why values cannot be stated, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStated {
    /// No value is given.
    #[error("nothing is stated: give at least one of user_id, tx_id, status, reward, payout")]
    Nothing,
    /// No reason, or one that is too long.
    #[error("a reason is required, of at most {MAX_NOTE_LEN} characters")]
    Reason,
    /// A value that would not be valid in a postback either.
    #[error("`{name}` {what}")]
    Value {
        /// As in [`STATABLE`].
        name: &'static str,
        /// What is wrong, and what to write instead.
        what: String,
    },
    /// The network said it, and it can be read.
    #[error(
        "`{name}` was received as `{received}` and can be read: only missing or unreadable values can be stated"
    )]
    Readable {
        /// As in [`STATABLE`].
        name: &'static str,
        /// The value received, shortened.
        received: String,
    },
    /// Something else is still missing.
    #[error("the postback would still be quarantined: {0}; state that, too")]
    StillQuarantined(Quarantine),
}

/// The name of a kind for people.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Credit => "credit",
        Kind::Reversal => "reversal",
    }
}

/// The kind of that name.
pub fn parse_kind(name: &str) -> Option<Kind> {
    [Kind::Credit, Kind::Reversal].into_iter().find(|kind| kind_name(*kind) == name)
}

impl Stated {
    /// Reads what a person typed, each value under the names of [`STATABLE`]. Blanks around a value are nothing, and an
    /// empty one is not stated.
    pub fn read(definition: &Definition, typed: &[(Field, &str)]) -> Result<Self, NotStated> {
        let mut stated = Self::default();
        for (field, name) in STATABLE {
            let text = typed.iter().find(|(typed, _)| *typed == field).map_or("", |(_, text)| text.trim());
            if text.is_empty() {
                continue;
            }
            let fault = |what: String| NotStated::Value { name, what };
            let own = definition.field(field).map(|it| it.max_bytes);
            let max_len = own.unwrap_or(field.default_max_bytes());
            if text.len() > max_len {
                return Err(fault(format!("is longer than {max_len} bytes")));
            }
            if text.chars().any(char::is_control) {
                return Err(fault("contains a control character".into()));
            }
            if [('{', '}'), ('[', ']')]
                .iter()
                .any(|(open, close)| text.starts_with(*open) && text.ends_with(*close))
            {
                return Err(fault(format!("`{text}` is a macro that was not filled in, not a value")));
            }
            match field {
                Field::UserId => stated.user_id = Some(text.to_owned()),
                Field::TxId => stated.tx_id = Some(text.to_owned()),
                Field::Status => {
                    let kind = parse_kind(text);
                    stated.status = Some(kind.ok_or_else(|| fault("must be credit or reversal".into()))?);
                }
                Field::Reward | Field::Payout => {
                    Micros::parse(text).map_err(|why| fault(format!("{why}; write it like 1234.50")))?;
                    let slot = if field == Field::Reward { &mut stated.reward } else { &mut stated.payout };
                    *slot = Some(text.to_owned());
                }
                _ => {}
            }
        }
        if stated == Self::default() { Err(NotStated::Nothing) } else { Ok(stated) }
    }

    /// The stated value of `field`, except of the status.
    pub fn value(&self, field: Field) -> Option<&str> {
        match field {
            Field::UserId => self.user_id.as_deref(),
            Field::TxId => self.tx_id.as_deref(),
            Field::Reward => self.reward.as_deref(),
            Field::Payout => self.payout.as_deref(),
            _ => None,
        }
    }

    /// Each stated value under its name.
    pub fn values(&self) -> Vec<(&'static str, &str)> {
        let values = [
            self.user_id.as_deref(),
            self.tx_id.as_deref(),
            self.status.map(kind_name),
            self.reward.as_deref(),
            self.payout.as_deref(),
        ];
        STATABLE.iter().zip(values).filter_map(|((_, name), value)| Some((*name, value?))).collect()
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.value(field).is_some() || (field == Field::Status && self.status.is_some())
    }

    pub(super) fn without(&self, field: Field) -> Self {
        let mut rest = self.clone();
        match field {
            Field::UserId => rest.user_id = None,
            Field::TxId => rest.tx_id = None,
            Field::Status => rest.status = None,
            Field::Reward => rest.reward = None,
            Field::Payout => rest.payout = None,
            _ => {}
        }
        rest
    }
}

/// Each stated value by name, e.g. `reward 1234.50, status credit`.
impl fmt::Display for Stated {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self.values().iter().map(|(name, value)| format!("{name} {value}")).collect();
        out.write_str(&values.join(", "))
    }
}
