//! Networks whose addresses many people share: mobile carriers and others that translate addresses.
//!
//! One crowded address is a farm as well as a carrier. A carrier has many such addresses side by side, so a network is shared
//! only if several of its addresses are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::time::{DAY_MS, TimestampMs};

/// Days that are looked at.
pub const SHARING_DAYS: i64 = 7;
/// Bits of the networks that are compared: carriers use blocks of a few thousand addresses.
const PREFIX_BITS: u32 = 20;
/// Users within a day from which an address is crowded: more than a household.
const CROWDED_FROM: usize = 5;
/// Crowded addresses, or days of one, from which a network is shared.
const CROWDED_DAYS: usize = 8;
/// Different crowded addresses among them.
const CROWDED_ADDRESSES: usize = 4;
/// Users of one address that are told apart: no limit of a rule is higher.
const MAX_USERS: usize = 200;
/// Addresses of one day that are looked at: 20 bytes and more each. Beyond that, every other network is left out.
const MAX_ADDRESSES: usize = 200_000;
/// Shared networks that a baseline holds: those with most crowded addresses.
const MAX_NETWORKS: usize = 5_000;

/// A network whose addresses many people share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedNetwork {
    /// First address of the /20.
    pub network: Ipv4Addr,
    /// One address in a hundred has more users within a day.
    pub users: i64,
}

/// Gathers who came from which address, one reward after the other in the order received.
#[derive(Debug, Default)]
pub struct Sharing {
    day: i64,
    users: HashMap<Ipv4Addr, HashSet<u32>>,
    /// Users of each crowded address and day, by network.
    crowded: BTreeMap<u32, Vec<(Ipv4Addr, i64)>>,
    /// Networks whose number has a bit of this are left out.
    left_out: u32,
}

impl Sharing {
    /// Adds the user of one reward. What has no IPv4 address says nothing: those of IPv6 are not shared.
    pub fn add(&mut self, app: &str, user_id: &str, ip: &str, received_at: TimestampMs) {
        let Ok(address) = ip.trim().parse::<Ipv4Addr>() else { return };
        let day = received_at.0.div_euclid(DAY_MS);
        if day != self.day {
            self.end_day();
            self.day = day;
        }
        if network_of(address) & self.left_out != 0 {
            return;
        }
        let users = self.users.entry(address).or_default();
        if users.len() < MAX_USERS {
            users.insert(crate::history::user_number(app, user_id));
        }
        if self.users.len() > MAX_ADDRESSES {
            self.left_out = self.left_out << 1 | 1;
            let left_out = self.left_out;
            self.users.retain(|address, _| network_of(*address) & left_out == 0);
        }
    }

    fn end_day(&mut self) {
        for (address, users) in self.users.drain() {
            if users.len() >= CROWDED_FROM {
                let users = i64::try_from(users.len()).unwrap_or(i64::MAX);
                self.crowded.entry(network_of(address)).or_default().push((address, users));
            }
        }
    }

    /// The networks that are shared, in their order.
    pub fn finish(mut self) -> Vec<SharedNetwork> {
        self.end_day();
        let mut networks: Vec<(usize, SharedNetwork)> = self
            .crowded
            .into_iter()
            .filter_map(|(network, crowded)| {
                let addresses: HashSet<Ipv4Addr> = crowded.iter().map(|(address, _)| *address).collect();
                if crowded.len() < CROWDED_DAYS || addresses.len() < CROWDED_ADDRESSES {
                    return None;
                }
                let mut users: Vec<i64> = crowded.iter().map(|(_, users)| *users).collect();
                users.sort_unstable();
                let users = *users.get((users.len() * 99).div_ceil(100).saturating_sub(1))?;
                let network = Ipv4Addr::from_bits(network << (u32::BITS - PREFIX_BITS));
                Some((crowded.len(), SharedNetwork { network, users }))
            })
            .collect();
        networks.sort_by_key(|(crowded, shared)| (std::cmp::Reverse(*crowded), shared.network));
        networks.truncate(MAX_NETWORKS);
        let mut networks: Vec<_> = networks.into_iter().map(|(_, shared)| shared).collect();
        networks.sort_by_key(|shared| shared.network);
        networks
    }
}

/// The users that are usual on an address: those of its network, else one.
pub(super) fn usual_users(networks: &[SharedNetwork], ip: Option<&str>) -> i64 {
    let address = ip.and_then(|ip| ip.trim().parse::<Ipv4Addr>().ok());
    let found = address.and_then(|address| {
        let network = Ipv4Addr::from_bits(network_of(address) << (u32::BITS - PREFIX_BITS));
        let place = networks.binary_search_by_key(&network, |shared| shared.network).ok()?;
        networks.get(place)
    });
    found.map_or(1, |shared| shared.users)
}

fn network_of(address: Ipv4Addr) -> u32 {
    address.to_bits() >> (u32::BITS - PREFIX_BITS)
}
