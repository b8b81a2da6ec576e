//! What earlier rewards say when one is judged: of its user, of the address that it came from, and of completions that took
//! exactly as long.
//!
//! Nothing is counted over the table of rewards. Each user has a short [`UserMemory`], and each address and each length of
//! time a short list of [`sightings`]; all of them are bounded, so that a reward costs the same whatever happened before, and
//! however often one user or address comes back. [`Remembered`] holds those that a batch touches, and learns from each
//! reward of the batch in turn.

pub mod rebuilding;
mod remembered;
pub mod sightings;
mod user;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::location::shortened;
use crate::money::Micros;

pub use remembered::{KnownUser, Noted, Remembered, RememberedReward, UserChange};
pub use user::{PERIOD_MS, Sighted, UserMemory};

/// The facts of the past that rules read. What is usual has its default and is not stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Seconds since the first reward of the user, if that is less than [`NEW_FOR_S`].
    #[serde(rename = "new", skip_serializing_if = "Option::is_none")]
    pub known_for_s: Option<i64>,
    /// Other clicks of the user that led to a reward within an hour before this one.
    #[serde(rename = "hour", skip_serializing_if = "is_zero")]
    pub clicks_in_hour: i64,
    /// The same within a day; stops at the memory's end, `user::KEPT`.
    #[serde(rename = "day", skip_serializing_if = "is_zero")]
    pub clicks_in_day: i64,
    /// The countries of the user within a day, in the order of the alphabet; empty unless there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// How many networks (/24 or /48) the user came from within a day; 0 unless there are several.
    #[serde(rename = "networks", skip_serializing_if = "is_zero")]
    pub networks_in_day: i64,
    /// The median payout of the user's newest rewards and how many they are; only if this reward pays several times that.
    #[serde(rename = "usual", skip_serializing_if = "Option::is_none")]
    pub usual_payout: Option<(Micros, i64)>,
    /// Rewards credited to the user by the rules in this and the three periods of 30 days before; 0 if none was reversed.
    #[serde(skip_serializing_if = "is_zero")]
    pub credited: i64,
    /// Rewards of the user that the network reversed in the same time.
    #[serde(skip_serializing_if = "is_zero")]
    pub reversed: i64,
    /// Rewards credited to the user more than 30 days ago; stops at [`SETTLED_CAP`].
    #[serde(skip_serializing_if = "is_zero")]
    pub settled: i64,
    /// Seconds since the last reward for the same click.
    #[serde(rename = "gap", skip_serializing_if = "Option::is_none")]
    pub gap_s: Option<i64>,
    /// Other rewards for the same click within a second.
    #[serde(rename = "burst", skip_serializing_if = "is_zero")]
    pub same_second: i64,
    /// How much faster than normal the newest rewards of the user were on average, this one included, in hundredths of a
    /// deviation, and how many they are; only if they were fast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pace: Option<(i64, i64)>,
    /// Other users of the address within a day.
    #[serde(rename = "sharing", skip_serializing_if = "is_zero")]
    pub address_users: i64,
    /// Other users of the address with a reward for the same offer and event within seven days.
    #[serde(rename = "task", skip_serializing_if = "is_zero")]
    pub task_users: i64,
    /// True if they share a /64 of IPv6.
    #[serde(rename = "v6", skip_serializing_if = "std::ops::Not::not")]
    pub is_ipv6: bool,
    /// How many users within a day are usual on the addresses of this network; absent while nothing has been learned.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    pub usual_sharing: Option<i64>,
    /// Users, this one included, who took the same time to the second for the same offer and event within a day, from the
    /// same sub id or network; 0 if it is only this one.
    #[serde(skip_serializing_if = "is_zero")]
    pub twins: i64,
    /// Completions of that offer and event within a day, from the same sub id or network, that took nearly as long, but not
    /// the same: what chance would do.
    #[serde(rename = "near", skip_serializing_if = "is_zero")]
    pub near_twins: i64,
}

/// How long a user counts as new, in seconds: two days, more than any rule asks.
pub const NEW_FOR_S: i64 = 2 * 86_400;
/// Where counting settled rewards ends: the highest threshold of the rule that trusts.
pub const SETTLED_CAP: i64 = 100;

impl History {
    /// True if nothing of it is worth storing.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &i64) -> bool {
    *count == 0
}

/// A number for texts that are compared and never read: the first 64 bits of the SHA-256 of `parts`. Stored, so it never
/// changes.
pub(crate) fn fingerprint(parts: &[&str]) -> u64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let mut first = [0; 8];
    first.copy_from_slice(&digest.finalize()[..8]);
    u64::from_be_bytes(first)
}

/// The same in 32 bits, for lists in which a chance match is rare enough.
fn short_fingerprint(parts: &[&str]) -> u32 {
    u32::try_from(fingerprint(parts) >> 32).unwrap_or_default()
}

/// A user as a number, for counting different ones.
pub fn user_number(app: &str, user_id: &str) -> u32 {
    short_fingerprint(&[app, user_id])
}

/// The network of an address, or the network that is kept of one: what one line, house or carrier moves about in.
fn network_of(ip: &str) -> Option<String> {
    let ip = ip.trim();
    let network = ip.parse().map(shortened).or_else(|_| ip.parse::<ipnet::IpNet>()).ok()?;
    Some(network.to_string())
}
