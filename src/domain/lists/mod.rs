//! Lists: users, addresses and networks, autonomous systems, sub ids and offers that a person trusts, watches or blocks.
//!
//! An entry has an author, a reason, and if wanted an app and an end. A block holds every reward that it matches and never
//! rejects one; a watch adds points; trust takes points off and never outweighs a hard rule (rules L1 to L3).
//!
//! | module | what it answers |
//! |---|---|
//! | [`entry`] | what a person wrote, as an entry in its canonical form |
//! | [`mod@file`] | the entries of a CSV file, or every fault with its line |
//! | [`matcher`] | which entries match an event |
//! | [`hit`] | an entry that matched, as a verdict keeps it |
//! | [`prefixes`] | the networks that an address belongs to |
//! | [`own`] | hosting networks and relays that the settings name |

pub mod entry;
pub mod file;
pub mod hit;
pub mod matcher;
pub mod own;
pub mod prefixes;

use serde::{Deserialize, Serialize};

use crate::text::count;

/// The most entries in force at once. All of them stand in the memory of every worker: about 300 bytes each.
pub const MAX_ENTRIES: i64 = 100_000;

/// Why nothing was added while `in_force` entries are.
pub fn too_many(in_force: i64) -> String {
    format!(
        "nothing was added: {in_force} entries are in force, and at most {MAX_ENTRIES} can be; remove some, or list a \
         network instead of its addresses"
    )
}

/// What was done with the `entries` of a file, of which so many replaced another.
pub fn imported(entries: usize, replaced: usize) -> String {
    let entries = count(u64::try_from(entries).unwrap_or(u64::MAX), "entry");
    format!("{entries} imported; {replaced} of them replaced another")
}

/// What an entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A user, as the app knows them.
    User,
    /// An address, or all addresses of a network.
    Address,
    /// All addresses that an autonomous system announces, as the geo databases say.
    Asn,
    /// The first sub id of a source: mostly a site or a campaign.
    SubId,
    /// An offer of a source.
    Offer,
}

impl Kind {
    /// In the order in which people read them.
    pub const ALL: [Self; 5] = [Self::User, Self::Address, Self::Asn, Self::SubId, Self::Offer];

    /// The name in tables, files, commands and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Address => "address",
            Self::Asn => "asn",
            Self::SubId => "sub_id",
            Self::Offer => "offer",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// In a sentence: `the sub id`.
    pub fn words(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Address => "address",
            Self::Asn => "network",
            Self::SubId => "sub id",
            Self::Offer => "offer",
        }
    }

    /// Whether the same value means something else at each source, so that an entry must name one.
    pub fn is_of_source(self) -> bool {
        matches!(self, Self::SubId | Self::Offer)
    }
}

/// What an entry does to the rewards that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Holds them for a person: rule L1.
    Block,
    /// Adds points: rule L2.
    Watch,
    /// Takes points off: rule L3.
    Trust,
}

impl Effect {
    /// The strictest first.
    pub const ALL: [Self; 3] = [Self::Block, Self::Watch, Self::Trust];

    /// The name in tables, files, commands and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Watch => "watch",
            Self::Trust => "trust",
        }
    }

    /// The effect of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.name() == name)
    }

    /// In a sentence: `is blocked`.
    pub fn participle(self) -> &'static str {
        match self {
            Self::Block => "blocked",
            Self::Watch => "watched",
            Self::Trust => "trusted",
        }
    }
}
