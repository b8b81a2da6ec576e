//! The memories that a batch touches, while it is processed.

use std::collections::{BTreeMap, HashMap};

use crate::baseline::Times;
use crate::money::Micros;
use crate::postback::event::{Click, Event};
use crate::time::{SECOND_MS, TimestampMs};

use super::sightings::{MOST_CHARS, Seen};
use super::{History, NEW_FOR_S, Sighted, UserMemory, short_fingerprint};

/// A user as the store knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// The app that owns the user.
    pub app: String,
    /// As the app knows the user.
    pub user_id: String,
    /// When the first reward of the user arrived.
    pub first_seen_at: TimestampMs,
    /// What [`UserMemory::text`] wrote; `None` if nothing is remembered.
    pub memory: Option<String>,
}

/// What is remembered of a user from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserChange {
    /// The app that owns the user.
    pub app: String,
    /// As the app knows the user.
    pub user_id: String,
    /// [`UserMemory::text`].
    pub memory: String,
}

/// What is remembered of the users, addresses and times of a batch; what it learns is visible to the rewards that follow.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    users: HashMap<(String, String), User>,
    lists: HashMap<i64, String>,
    /// True if nothing is to be remembered.
    is_off: bool,
    /// What is added in front of each list.
    added: BTreeMap<i64, String>,
}

#[derive(Clone, Debug)]
struct User {
    first_seen_at: TimestampMs,
    memory: UserMemory,
    is_changed: bool,
}

/// A reward as far as it is remembered.
#[derive(Clone, Copy, Debug)]
pub struct RememberedReward<'a> {
    /// Name in the settings.
    pub source: &'a str,
    /// The app that owns the user.
    pub app: &'a str,
    /// As the app knows the user.
    pub user_id: &'a str,
    /// The key of the reward within its source.
    pub key: &'a str,
    /// `None` if the network named none; so are those below.
    pub offer_id: Option<&'a str>,
    /// Within the offer.
    pub event_id: Option<&'a str>,
    /// The address, or its network where only that is kept.
    pub ip: Option<&'a str>,
    /// Where the address is, else the country that the network named.
    pub country: Option<&'a str>,
    /// `None` if it was missing or cannot be read.
    pub clicked_at: Option<TimestampMs>,
    /// The first sub id.
    pub sub_id: Option<&'a str>,
    /// In USD.
    pub payout: Option<Micros>,
    /// What is normal for its offer; `None` if that was not known.
    pub times: Option<Times>,
    /// The completion.
    pub received_at: TimestampMs,
}

impl<'a> RememberedReward<'a> {
    /// The reward of `event`, which arrived at `received_at` and whose address is in `country`.
    pub fn of(
        source: &'a str,
        app: &'a str,
        event: &'a Event,
        country: Option<&'a str>,
        received_at: TimestampMs,
    ) -> Self {
        Self {
            source,
            app,
            user_id: &event.user_id,
            key: event.key(),
            offer_id: event.offer_id.as_deref(),
            event_id: event.event_id.as_deref(),
            ip: event.ip.as_deref(),
            country: country.or(event.country_code.as_deref()),
            clicked_at: match event.click {
                Click::At(clicked_at) => Some(clicked_at),
                Click::Missing | Click::Unusable(_) => None,
            },
            sub_id: event.sub1.as_deref(),
            payout: event.payout,
            times: None,
            received_at,
        }
    }
}

/// One reward, ready to be compared with the past and then remembered.
#[derive(Clone, Debug)]
pub struct Noted {
    seen: Seen,
    sighted: Sighted,
    user: (String, String),
}

impl Noted {
    /// Of a reward that is new.
    pub fn of(reward: &RememberedReward<'_>) -> Self {
        let RememberedReward { source, app, user_id, key, offer_id, country, clicked_at, payout, .. } =
            *reward;
        // Without a click each reward stands for itself.
        let click = clicked_at.map_or_else(|| format!("tx {key}"), |clicked_at| clicked_at.0.to_string());
        let is_code = |code: &&str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
        let took_ms = clicked_at.map(|clicked_at| reward.received_at.0 - clicked_at.0);
        let took_ms = took_ms.filter(|took_ms| *took_ms >= 0);
        let pace_percent = reward.times.zip(took_ms).map(|(times, took_ms)| times.pace_percent(took_ms));
        let seen = Seen::of(reward);
        Self {
            sighted: Sighted {
                at_s: reward.received_at.0.div_euclid(SECOND_MS),
                click: short_fingerprint(&[source, offer_id.unwrap_or_default(), &click]),
                country: country.filter(is_code).map(str::to_ascii_uppercase).unwrap_or_default(),
                network: seen.network(),
                payout: payout.unwrap_or_default(),
                pace_percent,
            },
            user: (app.to_owned(), user_id.to_owned()),
            seen,
        }
    }

    /// Its user.
    pub fn user(&self) -> (&str, &str) {
        (&self.user.0, &self.user.1)
    }

    /// How it is seen.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// What is remembered of it with its user.
    pub fn into_sighted(self) -> Sighted {
        self.sighted
    }
}

impl Remembered {
    /// From what the store has: users, and lists of sightings by key.
    pub fn of(users: Vec<KnownUser>, lists: Vec<(i64, String)>) -> Self {
        let users = users.into_iter().map(|known| {
            let memory = known.memory.as_deref().map(UserMemory::parse).unwrap_or_default();
            let user = User { first_seen_at: known.first_seen_at, memory, is_changed: false };
            ((known.app, known.user_id), user)
        });
        Self { users: users.collect(), lists: lists.into_iter().collect(), ..Self::default() }
    }

    /// Remembers nothing.
    pub fn off() -> Self {
        Self { is_off: true, ..Self::default() }
    }

    /// What the past says of a reward.
    pub fn history(&self, noted: &Noted) -> History {
        let mut history = History::default();
        if let Some(user) = self.users.get(&noted.user) {
            user.memory.look(&noted.sighted, &mut history);
            let known_for_s = noted.sighted.at_s - user.first_seen_at.0.div_euclid(SECOND_MS);
            history.known_for_s = Some(known_for_s.max(0)).filter(|known_for_s| *known_for_s < NEW_FOR_S);
        }
        noted.seen.look(|key| self.lists.get(&key).map(String::as_str), &mut history);
        history
    }

    /// Remembers a reward that was judged.
    pub fn add(&mut self, noted: Noted, is_credited: bool) {
        if self.is_off {
            return;
        }
        for (key, entry) in noted.seen.entries() {
            let list = self.lists.entry(key).or_default();
            list.insert_str(0, &entry);
            list.truncate(MOST_CHARS);
            let added = self.added.entry(key).or_default();
            added.insert_str(0, &entry);
            added.truncate(MOST_CHARS);
        }
        if let Some(user) = self.users.get_mut(&noted.user) {
            user.memory.add(noted.sighted, is_credited);
            user.is_changed = true;
        }
    }

    /// Remembers that the network reversed a reward of the user.
    pub fn reversed(&mut self, app: &str, user_id: &str, at: TimestampMs) {
        if let Some(user) = self.users.get_mut(&(app.to_owned(), user_id.to_owned())) {
            user.memory.reversed(at);
            user.is_changed = true;
        }
    }

    /// What is to be saved: users in the order of their names, and what is added to lists, in the order of their keys.
    pub fn changes(self) -> (Vec<UserChange>, Vec<(i64, String)>) {
        let mut users: Vec<_> = self
            .users
            .into_iter()
            .filter(|(_, user)| user.is_changed)
            .map(|((app, user_id), user)| UserChange { app, user_id, memory: user.memory.text() })
            .collect();
        users.sort_unstable_by(|a, b| (&a.app, &a.user_id).cmp(&(&b.app, &b.user_id)));
        (users, self.added.into_iter().collect())
    }
}
