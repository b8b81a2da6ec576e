//! Which entries match an event: all entries in memory, looked up by hash and by the lengths of networks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::entry::Key;
use super::hit::Hit;
use super::prefixes::Prefixes;
use super::{Effect, Kind};
use crate::caller::parse_network;
use crate::time::TimestampMs;

/// An entry that was not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its row.
    pub id: i64,
    /// What it names.
    pub key: Key,
    /// What it does.
    pub effect: Effect,
    /// Who wrote it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// `None`: until it is removed.
    pub expires_at: Option<TimestampMs>,
}

impl Entry {
    /// True if it is in force at `now`, for the app of `subject`.
    fn decides(&self, subject: &Subject<'_>, now: TimestampMs) -> bool {
        self.expires_at.is_none_or(|at| at > now)
            && self.key.app.as_deref().is_none_or(|app| app == subject.app)
    }
}

/// The parts of an event that entries can name.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The app of its source.
    pub app: &'a str,
    /// Its source.
    pub source: &'a str,
    /// As the app knows the user.
    pub user_id: &'a str,
    /// The user's address; if the network sent a list, all public addresses of it.
    pub addresses: &'a [IpAddr],
    /// The autonomous system of the address that counts.
    pub asn: Option<u32>,
    /// The first sub id.
    pub sub1: Option<&'a str>,
    /// The network's id of the offer.
    pub offer_id: Option<&'a str>,
}

/// All entries, ready to look up. At most 15 of them (a kind and an effect each) match an event.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    entries: Vec<Entry>,
    users: HashMap<String, Vec<usize>>,
    addresses: Prefixes<Vec<usize>>,
    asns: HashMap<u32, Vec<usize>>,
    /// By source, then by value.
    sub_ids: HashMap<String, HashMap<String, Vec<usize>>>,
    offers: HashMap<String, HashMap<String, Vec<usize>>>,
}

/// The best entry of each kind and effect so far. Ordered as verdicts keep them: blocks first.
#[derive(Default)]
struct Best(BTreeMap<(Effect, Kind), (Rank, usize)>);

/// The smaller network wins, then an entry for the app itself, then the older one.
type Rank = (u8, bool, Reverse<i64>);

impl Lists {
    /// Makes the tables. An entry whose value cannot be read is left out; none is stored.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut lists = Self::default();
        for (index, Entry { key, .. }) in entries.iter().enumerate() {
            let value = key.value.clone();
            match key.kind {
                Kind::User => lists.users.entry(value).or_default().push(index),
                Kind::Address => {
                    if let Some(network) = parse_network(&value) {
                        lists.addresses.entry(network).push(index);
                    }
                }
                Kind::Asn => {
                    if let Ok(number) = value.parse() {
                        lists.asns.entry(number).or_default().push(index);
                    }
                }
                Kind::SubId | Kind::Offer => {
                    let table = if key.kind == Kind::SubId { &mut lists.sub_ids } else { &mut lists.offers };
                    table.entry(key.source.clone()).or_default().entry(value).or_default().push(index);
                }
            }
        }
        lists.entries = entries;
        lists
    }

    /// The number of entries, expired ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries that match at `now`: of each kind and effect the one that says most.
    pub fn hits(&self, subject: &Subject<'_>, now: TimestampMs) -> Vec<Hit> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut best = Best::default();
        let mut look = |indexes: Option<&Vec<usize>>, bits: u8, trusts: bool| {
            for index in indexes.into_iter().flatten() {
                let entry = &self.entries[*index];
                if entry.decides(subject, now) && (trusts || entry.effect != Effect::Trust) {
                    let rank = (bits, entry.key.app.is_some(), Reverse(entry.id));
                    best.offer((entry.effect, entry.key.kind), rank, *index);
                }
            }
        };
        look(self.users.get(subject.user_id), 0, true);
        // The user can forge an entry of the list that the network passes on, so trust needs every one of them.
        let all_trusted = subject.addresses.iter().all(|address| self.is_trusted(*address, subject, now));
        for address in subject.addresses {
            for (network, indexes) in self.addresses.containing(*address) {
                look(Some(indexes), network.prefix_len(), all_trusted);
            }
        }
        let is_sure = subject.addresses.len() <= 1;
        look(subject.asn.and_then(|asn| self.asns.get(&asn)), 0, is_sure);
        for (table, value) in [(&self.sub_ids, subject.sub1), (&self.offers, subject.offer_id)] {
            let of_source = value.and_then(|value| table.get(subject.source)?.get(value));
            look(of_source, 0, true);
        }
        best.0.into_values().map(|(_, index)| self.hit(index)).collect()
    }

    fn is_trusted(&self, address: IpAddr, subject: &Subject<'_>, now: TimestampMs) -> bool {
        self.addresses.containing(address).flat_map(|(_, indexes)| indexes).any(|index| {
            let entry = &self.entries[*index];
            entry.effect == Effect::Trust && entry.decides(subject, now)
        })
    }

    fn hit(&self, index: usize) -> Hit {
        let Entry { id, key, effect, author, reason, expires_at } = &self.entries[index];
        Hit {
            id: *id,
            kind: key.kind,
            effect: *effect,
            value: Hit::value_of(key),
            until: *expires_at,
            by: author.clone(),
            why: reason.clone(),
        }
    }
}

impl Best {
    fn offer(&mut self, place: (Effect, Kind), rank: Rank, index: usize) {
        let best = self.0.entry(place).or_insert((rank, index));
        if rank > best.0 {
            *best = (rank, index);
        }
    }
}

#[cfg(test)]
mod tests;
