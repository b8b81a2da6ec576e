//! Sightings: who was seen at an address, and who took exactly so long for an offer.
//!
//! A list of sightings has a key and a text of entries of a fixed length, the newest first. It grows in front and is cut off
//! behind, so that two workers can add to it at once without reading it. The first 15 bits of a key are a day, so that the
//! keys of one time stand together and the old ones are deleted together. Entries are short: numbers to the base 64, times
//! counted from the first day of their list.

use std::collections::HashSet;

use crate::review::queue::address_group;
use crate::time::{DAY_MS, SECOND_MS, TimestampMs};

use super::{History, RememberedReward, fingerprint, network_of, short_fingerprint, user_number};

/// The longest text of a list, in characters. A multiple of no entry's length: the last entry may be cut off.
pub const MOST_CHARS: usize = 1_024;
/// The lengths of an entry: of an address, and of a time taken.
pub(super) const ENTRY_CHARS: [usize; 2] = [14, 17];
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
/// A user or a task in an entry: a chance match within one list is rare enough.
const ID_BITS: u32 = 30;
/// A sub id or a network in an entry, which matters only beside an equal task and time.
const PART_BITS: u32 = 24;

/// Where and how a reward is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    at_s: i64,
    /// The lowest bits of its number; as that of the task.
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
    /// The list beside it in which the same time can stand, if its own ends here, with the shortest time in that.
    beside: Option<(u64, i64)>,
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
            sub_id: reward.sub_id.map_or(0, |sub_id| low(short_fingerprint(&[source, sub_id]), PART_BITS)),
            ..Took::of(ms / SECOND_MS, &format!("{source}\n{offer}\n{event_id}"))
        });
        Self {
            at_s: received_at.0 / SECOND_MS,
            user: low(user_number(app, user_id), ID_BITS),
            task: offer.map_or(0, |offer| low(short_fingerprint(&[source, offer, event_id]), ID_BITS)),
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
        self.address_lists().chain(self.took_lists()).map(|list| list.key).collect()
    }

    /// The lists to which it is added, each with its entry.
    pub fn entries(&self) -> Vec<(i64, String)> {
        let mut entries = Vec::new();
        if let Some(list) = self.address_lists().next() {
            entries.push((list.key, entry([(list.since(self.at_s), 4), (self.user, 5), (self.task, 5)])));
        }
        if let Some((took, list)) = self.took.as_ref().zip(self.took_lists().next()) {
            let cells = [
                (list.since(self.at_s), 3),
                (self.user, 5),
                (u32::try_from(took.seconds.rem_euclid(STRETCH_S)).unwrap_or_default(), 1),
                (took.sub_id, 4),
                (low(self.network, PART_BITS), 4),
            ];
            entries.push((list.key, entry(cells)));
        }
        entries
    }

    /// This week's list of the address and the one before.
    fn address_lists(&self) -> impl Iterator<Item = List> {
        let week = self.at_s.div_euclid(DAY_S).div_euclid(ADDRESS_DAYS) * ADDRESS_DAYS;
        let of = |address, day| List { key: key(day, address), first_s: day * DAY_S, took_from_s: 0 };
        self.address
            .into_iter()
            .flat_map(move |address| [week, week - ADDRESS_DAYS].map(|day| of(address, day)))
    }

    /// The lists of today and yesterday in which the same time can stand.
    fn took_lists(&self) -> impl Iterator<Item = List> {
        let today = self.at_s.div_euclid(DAY_S);
        self.took.iter().flat_map(move |took| [today, today - 1].map(|day| took.lists(day))).flatten()
    }

    /// Adds what `list`, which is stored under a key, says of it to `history`.
    pub fn look<'a>(&self, list: impl Fn(i64) -> Option<&'a str>, history: &mut History) {
        let (mut users, mut of_task) = (HashSet::new(), HashSet::new());
        for (of, text) in self.address_lists().filter_map(|of| Some((of, list(of.key)?))) {
            for [since_s, user, task] in entries(text, [4, 5, 5]) {
                let age_s = self.at_s - of.first_s - i64::from(since_s);
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
        let own_network = low(self.network, PART_BITS);
        let (mut of_sub_id, mut of_network) = (Alike::default(), Alike::default());
        for (of, text) in self.took_lists().filter_map(|of| Some((of, list(of.key)?))) {
            for [since_s, user, seconds, sub_id, network] in entries(text, [3, 5, 1, 4, 4]) {
                let age_s = self.at_s - of.first_s - i64::from(since_s);
                if user == self.user || age_s.abs() >= DAY_S {
                    continue;
                }
                let is_same = (took.seconds - of.took_from_s - i64::from(seconds)).abs() <= SAME_S;
                if sub_id == took.sub_id && sub_id != 0 {
                    of_sub_id.add(user, is_same);
                }
                if network == own_network && network != 0 {
                    of_network.add(user, is_same);
                }
            }
        }
        let most = if of_network.same.len() > of_sub_id.same.len() { of_network } else { of_sub_id };
        if !most.same.is_empty() {
            history.twins = count(most.same.len() + 1);
            history.near_twins = most.near;
        }
    }
}

/// Users of one sub id or network with the same time, and completions with nearly the same.
#[derive(Default)]
struct Alike {
    same: HashSet<u32>,
    near: i64,
}

impl Alike {
    fn add(&mut self, user: u32, is_same: bool) {
        if is_same {
            self.same.insert(user);
        } else {
            self.near += 1;
        }
    }
}

/// A list that can tell about a reward.
#[derive(Clone, Copy, Debug)]
struct List {
    key: i64,
    /// When its first day began, in unix seconds.
    first_s: i64,
    /// The shortest time in it, in seconds; 0 in the list of an address.
    took_from_s: i64,
}

impl List {
    /// Seconds since its first day began.
    fn since(&self, at_s: i64) -> u32 {
        u32::try_from(at_s - self.first_s).unwrap_or_default()
    }
}

impl Took {
    /// That `task` took so many seconds.
    fn of(seconds: i64, task: &str) -> Self {
        let list_of = |stretch: i64| fingerprint(&["took", task, &stretch.to_string()]);
        let stretch = seconds.div_euclid(STRETCH_S);
        let beside = [seconds - SAME_S, seconds + SAME_S].map(|other| other.div_euclid(STRETCH_S));
        let beside = beside.into_iter().find(|other| *other != stretch);
        let beside = beside.map(|other| (list_of(other), other * STRETCH_S));
        Self { seconds, list: list_of(stretch), beside, sub_id: 0 }
    }

    /// The lists of a day in which the same time can stand, its own first.
    fn lists(&self, day: i64) -> impl Iterator<Item = List> {
        let own = (self.list, self.seconds.div_euclid(STRETCH_S) * STRETCH_S);
        std::iter::once(own).chain(self.beside).map(move |(list, took_from_s)| List {
            // Under an earlier day than its own, so that it is deleted with lists of addresses that are as old as this one may
            // get.
            key: key(day - KEPT_DAYS + TIMES_KEPT_DAYS, list),
            first_s: day * DAY_S,
            took_from_s,
        })
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

/// The lowest bits of a number.
fn low(number: u32, bits: u32) -> u32 {
    number & ((1 << bits) - 1)
}

/// Digits to the base 64.
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

/// Numbers, each with so many digits.
fn entry<const N: usize>(cells: [(u32, u32); N]) -> String {
    let mut text = String::new();
    for (number, digits) in cells {
        for place in (0..digits).rev() {
            let digit = usize::try_from(number >> (6 * place) & 63).unwrap_or_default();
            text.push(char::from(DIGITS[digit]));
        }
    }
    text
}

/// The entries of a list: `N` numbers of so many digits. One that cannot be read ends it.
fn entries<const N: usize>(text: &str, digits: [usize; N]) -> impl Iterator<Item = [u32; N]> {
    text.as_bytes().chunks_exact(digits.iter().sum()).map_while(move |entry| {
        let (mut numbers, mut rest) = ([0; N], entry);
        for (number, digits) in numbers.iter_mut().zip(digits) {
            let (own, behind) = rest.split_at_checked(digits)?;
            *number = own.iter().try_fold(0_u32, |number, digit| Some(number << 6 | value(*digit)?))?;
            rest = behind;
        }
        Some(numbers)
    })
}

/// The value of a digit.
fn value(digit: u8) -> Option<u32> {
    Some(match digit {
        b'0'..=b'9' => u32::from(digit - b'0'),
        b'A'..=b'Z' => u32::from(digit - b'A') + 10,
        b'a'..=b'z' => u32::from(digit - b'a') + 36,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

fn count(users: usize) -> i64 {
    i64::try_from(users).unwrap_or(i64::MAX)
}
