//! Sightings: who was seen at an address, and who took exactly so long for an offer.
//!
//! A list of sightings has a key and a text of entries of a fixed length, the newest first. It grows in front and is cut off
//! behind, so that two workers can add to it at once without reading it. The first 15 bits of a key are a day, so that the
//! keys of one time stand together and the old ones are deleted together.

use std::collections::HashSet;

use crate::review::queue::address_group;
use crate::time::{DAY_MS, SECOND_MS, TimestampMs};

use super::{History, RememberedReward, fingerprint, network_of, short_fingerprint, user_number};

/// The longest text of a list, in characters. A multiple of no entry's length: the last entry may be cut off.
pub const MOST_CHARS: usize = 1_536;
/// How long a list of an address is kept, counted from its first day: two weeks hold every window of seven days.
pub const KEPT_DAYS: i64 = 15;
/// How long a list of times is kept.
const TIMES_KEPT_DAYS: i64 = 3;
/// An address has one list for this many days.
const ADDRESS_DAYS: i64 = 7;
/// Completions that differ by less than this are in one list.
const STRETCH_S: i64 = 16;
/// Longer times are not compared: nobody waits for days to the second.
const LONGEST_S: i64 = 86_400;
/// A day in seconds.
const DAY_S: i64 = 86_400;
/// Two times are the same if they differ by at most this.
const SAME_S: i64 = 1;
/// The bits of a key below the day.
const DAY_SHIFT: u32 = 48;

/// Where and how a reward is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    at_s: i64,
    user: u32,
    task: u32,
    /// The /24 or /48 of the address; 0 if unknown.
    network: u32,
    is_ipv6: bool,
    /// The key of the address without its day.
    address: Option<u64>,
    /// What is compared to the second.
    took: Option<Took>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Took {
    seconds: i64,
    /// The key of the list to which it belongs, without its day.
    list: u64,
    /// That of the list beside it in which the same time can stand, if its own ends here.
    beside: Option<u64>,
    sub_id: u32,
}

impl Seen {
    /// How a reward is seen. What has no address, offer or click is not.
    pub fn of(reward: &RememberedReward<'_>) -> Self {
        let RememberedReward { source, app, user_id, offer_id: offer, ip, clicked_at, received_at, .. } =
            *reward;
        let event_id = reward.event_id.unwrap_or_default();
        let address = ip.and_then(address_group);
        let took_ms = clicked_at.map(|clicked_at| received_at.0 - clicked_at.0);
        let took_ms = took_ms.filter(|ms| (0..LONGEST_S * SECOND_MS).contains(ms));
        let took = took_ms.zip(offer).map(|(ms, offer)| Took {
            sub_id: reward.sub_id.map_or(0, |sub_id| short_fingerprint(&[source, sub_id])),
            ..Took::of(ms / SECOND_MS, &format!("{source}\n{offer}\n{event_id}"))
        });
        Self {
            at_s: received_at.0 / SECOND_MS,
            user: user_number(app, user_id),
            task: offer.map_or(0, |offer| short_fingerprint(&[source, offer, event_id])),
            network: ip.and_then(network_of).map_or(0, |network| short_fingerprint(&[&network])),
            is_ipv6: address.as_ref().is_some_and(|group| group.contains(':')),
            address: address.map(|group| fingerprint(&["address", app, &group])),
            took,
        }
    }

    /// The /24 or /48 of its address as a number; 0 if unknown.
    pub(super) fn network(&self) -> u32 {
        self.network
    }

    /// The lists that tell about it.
    pub fn keys(&self) -> Vec<i64> {
        let mut keys = self.address_keys();
        if let Some(took) = &self.took {
            keys.extend(took.keys(self.at_s));
        }
        keys
    }

    /// The lists to which it is added, each with its entry.
    pub fn entries(&self) -> Vec<(i64, String)> {
        let mut entries = Vec::new();
        if let Some(key) = self.address_keys().first() {
            entries.push((*key, format!("{:08x}{:08x}{:08x}", self.at_s, self.user, self.task)));
        }
        if let Some(took) = &self.took {
            let entry = format!(
                "{:08x}{:08x}{:08x}{:08x}{:08x}",
                self.at_s, self.user, took.seconds, took.sub_id, self.network
            );
            entries.push((Took::key(self.at_s.div_euclid(DAY_S), took.list), entry));
        }
        entries
    }

    /// This week's list of the address and the one before.
    fn address_keys(&self) -> Vec<i64> {
        let Some(address) = self.address else { return Vec::new() };
        let week = self.at_s.div_euclid(DAY_S).div_euclid(ADDRESS_DAYS) * ADDRESS_DAYS;
        vec![key(week, address), key(week - ADDRESS_DAYS, address)]
    }

    /// Adds what `list`, which is stored under a key, says of it to `history`.
    pub fn look<'a>(&self, list: impl Fn(i64) -> Option<&'a str>, history: &mut History) {
        let (mut users, mut of_task) = (HashSet::new(), HashSet::new());
        for text in self.address_keys().into_iter().filter_map(&list) {
            for [at_s, user, task] in entries(text) {
                let age_s = self.at_s - i64::from(at_s);
                if user == self.user || age_s.abs() >= ADDRESS_DAYS * DAY_S {
                    continue;
                }
                if age_s.abs() < DAY_S {
                    users.insert(user);
                }
                if task == self.task && self.task != 0 {
                    of_task.insert(user);
                }
            }
        }
        history.address_users = count(users.len());
        history.task_users = count(of_task.len());
        history.is_ipv6 = self.is_ipv6 && history.task_users > 0;
        let Some(took) = &self.took else { return };
        let (mut of_sub_id, mut of_network, mut near) = (HashSet::new(), HashSet::new(), 0);
        for text in took.keys(self.at_s).into_iter().filter_map(&list) {
            for [at_s, user, seconds, sub_id, network] in entries(text) {
                if user == self.user || (self.at_s - i64::from(at_s)).abs() >= DAY_S {
                    continue;
                }
                if (took.seconds - i64::from(seconds)).abs() > SAME_S {
                    near += 1;
                    continue;
                }
                if sub_id == took.sub_id && sub_id != 0 {
                    of_sub_id.insert(user);
                }
                if network == self.network && network != 0 {
                    of_network.insert(user);
                }
            }
        }
        let others = of_sub_id.len().max(of_network.len());
        if others > 0 {
            history.twins = count(others + 1);
            history.near_twins = near;
        }
    }
}

impl Took {
    /// That `task` took so many seconds.
    fn of(seconds: i64, task: &str) -> Self {
        let list_of = |seconds: i64| fingerprint(&["took", task, &seconds.div_euclid(STRETCH_S).to_string()]);
        let is_elsewhere = |other: &i64| other.div_euclid(STRETCH_S) != seconds.div_euclid(STRETCH_S);
        let beside = [seconds - SAME_S, seconds + SAME_S].into_iter().find(is_elsewhere).map(list_of);
        Self { seconds, list: list_of(seconds), beside, sub_id: 0 }
    }

    /// The lists of yesterday and today in which the same time can stand.
    fn keys(&self, at_s: i64) -> Vec<i64> {
        let today = at_s.div_euclid(DAY_S);
        let of_day =
            |day: i64| std::iter::once(self.list).chain(self.beside).map(move |list| Self::key(day, list));
        of_day(today).chain(of_day(today - 1)).collect()
    }

    fn key(day: i64, list: u64) -> i64 {
        // Under an earlier day than its own, so that it is deleted with lists of addresses that are as old as this one may get.
        key(day - KEPT_DAYS + TIMES_KEPT_DAYS, list)
    }
}

/// The smallest key of a list that is still needed at `now`, if addresses are kept for `days` (0: for ever).
pub fn oldest_key(now: TimestampMs, days: u32) -> i64 {
    let days = Some(i64::from(days)).filter(|days| *days > 0).map_or(KEPT_DAYS, |days| days.min(KEPT_DAYS));
    key(now.0.div_euclid(DAY_MS) - days, 0)
}

fn key(day: i64, fingerprint: u64) -> i64 {
    let low = fingerprint & ((1 << DAY_SHIFT) - 1);
    (day.clamp(0, 0x7fff) << DAY_SHIFT) | i64::try_from(low).unwrap_or_default()
}

/// The entries of a list: `N` numbers of eight hexadecimal digits each. One that cannot be read ends it.
fn entries<const N: usize>(text: &str) -> impl Iterator<Item = [u32; N]> {
    text.as_bytes().chunks_exact(8 * N).map_while(|entry| {
        let mut numbers = [0; N];
        for (number, digits) in numbers.iter_mut().zip(entry.chunks_exact(8)) {
            *number = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(numbers)
    })
}

fn count(users: usize) -> i64 {
    i64::try_from(users).unwrap_or(i64::MAX)
}
