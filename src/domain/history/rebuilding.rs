//! Memories rebuilt from the rewards, to prove those that are kept, or to replace them.

use std::collections::{BTreeMap, HashMap};

use crate::time::TimestampMs;

use super::remembered::{Noted, RememberedReward};
use super::sightings::{ENTRY_CHARS, MOST_CHARS};
use super::{UserMemory, fingerprint};

/// A part of all memories, so that memory is bounded however many there are.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// From 0.
    pub number: u64,
    /// How many there are, at least 1.
    pub of: u64,
}

impl Part {
    /// True if the user is in this part.
    pub fn has_user(self, app: &str, user_id: &str) -> bool {
        fingerprint(&[app, user_id]) % self.of == self.number
    }

    /// True if the list of sightings is in this part.
    pub fn has_list(self, key: i64) -> bool {
        key.unsigned_abs() % self.of == self.number
    }
}

/// The memories of one part while they are rebuilt.
#[derive(Clone, Debug)]
pub struct Rebuilding {
    part: Part,
    oldest_key: i64,
    /// By app and user.
    pub users: HashMap<(String, String), UserMemory>,
    /// By key, the newest entry first.
    pub lists: BTreeMap<i64, String>,
}

impl Rebuilding {
    /// Lists older than `oldest_key` are not rebuilt.
    pub fn new(part: Part, oldest_key: i64) -> Self {
        Self { part, oldest_key, users: HashMap::new(), lists: BTreeMap::new() }
    }

    /// Adds a judged reward; they come in the order in which they were judged.
    pub fn add(&mut self, reward: &RememberedReward<'_>, is_credited: bool) {
        let noted = Noted::of(reward);
        for (key, entry) in noted.seen().entries() {
            if key >= self.oldest_key && self.part.has_list(key) {
                let list = self.lists.entry(key).or_default();
                list.insert_str(0, &entry);
                list.truncate(MOST_CHARS);
            }
        }
        if self.part.has_user(reward.app, reward.user_id) {
            self.memory(reward.app, reward.user_id).add(noted.into_sighted(), is_credited);
        }
    }

    /// Adds a reversal by the network.
    pub fn reversed(&mut self, app: &str, user_id: &str, at: TimestampMs) {
        if self.part.has_user(app, user_id) {
            self.memory(app, user_id).reversed(at);
        }
    }

    fn memory(&mut self, app: &str, user_id: &str) -> &mut UserMemory {
        self.users.entry((app.to_owned(), user_id.to_owned())).or_default()
    }
}

/// True if two lists say the same: workers that add at once may add in another order.
pub fn lists_agree(one: &str, other: &str) -> bool {
    let sorted = |text: &str, entry_chars: usize| {
        let mut entries: Vec<Vec<u8>> = text.as_bytes().chunks(entry_chars).map(<[u8]>::to_vec).collect();
        entries.sort_unstable();
        entries
    };
    let has_the_same = || {
        let mut fitting = ENTRY_CHARS.into_iter().filter(|chars| one.len().is_multiple_of(*chars));
        fitting.any(|chars| sorted(one, chars) == sorted(other, chars))
    };
    one == other || (one.len() == other.len() && (one.len() >= MOST_CHARS || has_the_same()))
}
