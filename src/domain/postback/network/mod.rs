//! Networks: how each names its fields and statuses. One file per network.

pub mod targo;

use serde::{Deserialize, Serialize};

/// A network whose wire format is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// <https://docs.targo.io>
    Targo,
}

/// What a postback may say; each network has its own name for it, and each source may rename it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The publisher's own id of the user.
    UserId,
    /// The unique id of the reward event.
    TxId,
    /// The reward in the user's currency.
    Reward,
    /// What the network pays, in USD.
    Payout,
    /// Whether it is approved or reversed.
    Status,
    /// The network's id of the offer.
    OfferId,
    /// The offer's name, for people.
    OfferName,
    /// The network's id of the event within the offer.
    EventId,
    /// The event's name, for people.
    EventName,
    /// The user's address at completion.
    Ip,
    /// The user's country, ISO 3166-1 alpha-2.
    CountryCode,
    /// When the user first clicked the offer, unix seconds.
    Timestamp,
    /// The publisher's first own value.
    Sub1,
    /// The publisher's second own value.
    Sub2,
}

/// Credit or reversal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The user earned a reward.
    Credit,
    /// The network takes it back.
    Reversal,
}

/// One field of a network: its macro, which is also the default parameter name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldDefinition {
    /// What the value means.
    pub field: Field,
    /// The macro in the network's dashboard, without braces.
    pub name: &'static str,
    /// Longest value, in bytes after decoding. Longer ids of users and transactions cannot be mapped; others are
    /// shortened.
    pub max_len: usize,
}

impl Network {
    /// Every field this network can send, in the order of its documentation.
    pub fn fields(self) -> &'static [FieldDefinition] {
        match self {
            Self::Targo => &targo::FIELDS,
        }
    }

    /// What a value of the status field means; `None` if the network's documentation does not know it.
    pub fn kind(self, status: &str) -> Option<Kind> {
        match self {
            Self::Targo => targo::kind(status),
        }
    }

    /// The value of the status field that means `kind`.
    pub fn status_of(self, kind: Kind) -> &'static str {
        match self {
            Self::Targo => targo::status_of(kind),
        }
    }

    /// How long a postback that was not acknowledged is repeated, in milliseconds.
    pub fn retry_horizon_ms(self) -> i64 {
        match self {
            Self::Targo => targo::RETRY_HORIZON_MS,
        }
    }

    /// The name in settings, tables and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Targo => "targo",
        }
    }
}
