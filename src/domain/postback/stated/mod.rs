//! What a person states of a quarantined postback: the value that is missing or cannot be read, beside the raw bytes
//! and never instead of them. A stated value is read as strictly as a received one, and only fills a gap: what the
//! network said and can be read is never replaced.

use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::fmt;

use crate::batch::{BatchOutcome, ExistingRewards, Incoming, Reward, SourceTerms};
use crate::location::{GeoResult, Location};
use crate::money::Micros;
use crate::policy::Policy;
use crate::postback::event::{Event, Params, Quarantine, map_stated};
use crate::postback::network::{Field, Kind, Network};
use crate::postback::query::{BadParam, Query};
use crate::review::decision::MAX_NOTE_LEN;
use crate::review::queue::ReviewTerms;
use crate::reward::{Status, Step};
use crate::time::TimestampMs;

/// What can be stated, with its name in the API, on pages and on the command line. Nothing else quarantines.
pub const STATABLE: [(Field, &str); 5] = [
    (Field::UserId, "user_id"),
    (Field::TxId, "tx_id"),
    (Field::Status, "status"),
    (Field::Reward, "reward"),
    (Field::Payout, "payout"),
];

/// How much of a received value is repeated to a person, in characters.
const SHOWN_LEN: usize = 80;

/// The stated values of one postback; `None` where nothing is stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// The publisher's user.
    pub user_id: Option<String>,
    /// The network's transaction.
    pub tx_id: Option<String>,
    /// Credit or reversal.
    pub status: Option<Kind>,
    /// The reward, decimal, in the user's currency.
    pub reward: Option<String>,
    /// The payout, decimal, in USD.
    pub payout: Option<String>,
}

/// Stated values with who states them and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedBy {
    /// The values.
    pub stated: Stated,
    /// One person, or two as `mara, joe`.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// Why something cannot be stated. Each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStated {
    /// No value at all.
    #[error("nothing is stated: give at least one of user_id, tx_id, status, reward, payout")]
    Nothing,
    /// No reason, or one that is too long.
    #[error("a reason is required, of at most {MAX_NOTE_LEN} characters")]
    Reason,
    /// A value that could not be received either.
    #[error("`{name}` {what}")]
    Value {
        /// As in [`STATABLE`].
        name: &'static str,
        /// What is wrong, and what to write instead.
        what: String,
    },
    /// The network said it, and it can be read.
    #[error(
        "`{name}` was received as `{received}` and can be read: only what is missing or unreadable is stated"
    )]
    Readable {
        /// As in [`STATABLE`].
        name: &'static str,
        /// What the network said.
        received: String,
    },
    /// It does not suffice.
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
    pub fn read(network: Network, typed: &[(Field, &str)]) -> Result<Self, NotStated> {
        let mut stated = Self::default();
        for (field, name) in STATABLE {
            let text = typed.iter().find(|(typed, _)| *typed == field).map_or("", |(_, text)| text.trim());
            if text.is_empty() {
                continue;
            }
            let fault = |what: String| NotStated::Value { name, what };
            let max_len = network.fields().iter().find(|it| it.field == field).map_or(0, |it| it.max_len);
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

    /// What stands for `field` instead of what was received; a kind in the network's own word.
    pub fn value(&self, field: Field, network: Network) -> Option<&str> {
        match field {
            Field::UserId => self.user_id.as_deref(),
            Field::TxId => self.tx_id.as_deref(),
            Field::Status => self.status.map(|kind| network.status_of(kind)),
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

    fn without(&self, field: Field) -> Self {
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

    /// The event that `target` reports with these values; fails if one of them is not needed or something is missing
    /// still.
    pub fn event(&self, target: &str, params: &Params) -> Result<Event, NotStated> {
        let event = map_stated(target, params, self).map_err(NotStated::StillQuarantined)?;
        let has = |field| self.value(field, params.network()).is_some();
        for (field, name) in STATABLE.into_iter().filter(|(field, _)| has(*field)) {
            if let Ok(received) = map_stated(target, params, &self.without(field))
                && let Some(received) = said(&received, field)
            {
                return Err(NotStated::Readable { name, received: shown(&received) });
            }
        }
        Ok(event)
    }
}

/// Each stated value by name, e.g. `reward 1234.50, status credit`.
impl fmt::Display for Stated {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self.values().iter().map(|(name, value)| format!("{name} {value}")).collect();
        out.write_str(&values.join(", "))
    }
}

/// What an event says of a field that can be stated.
fn said(event: &Event, field: Field) -> Option<String> {
    match field {
        Field::UserId => Some(event.user_id.clone()),
        Field::TxId => Some(event.tx_id.clone()),
        Field::Status => Some(kind_name(event.kind).to_owned()),
        Field::Reward => event.reward.map(|amount| amount.to_string()),
        Field::Payout => event.payout.map(|amount| amount.to_string()),
        _ => None,
    }
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_LEN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// One field of a quarantined postback, as a person is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// As in [`STATABLE`].
    pub name: &'static str,
    /// The parameter that should carry it.
    pub param: String,
    /// What was received, in words: the value, or that it is missing.
    pub received: String,
    /// True if it is missing or cannot be read, so that it can be stated.
    pub is_open: bool,
}

/// The fields of `target` that can be stated, each with what was received of it.
pub fn gaps(target: &str, params: &Params) -> Vec<Gap> {
    let query = Query::of(target);
    // With everything else filled in, whether one field can be read does not depend on the others.
    let full = Stated {
        user_id: Some("x".into()),
        tx_id: Some("x".into()),
        status: Some(Kind::Credit),
        reward: Some("1".into()),
        payout: Some("1".into()),
    };
    let fields = params.network().fields();
    STATABLE
        .into_iter()
        .filter_map(|(field, name)| Some((fields.iter().find(|it| it.field == field)?, name)))
        .map(|(definition, name)| {
            let param = params.name_of(definition).to_owned();
            let received = match query.get(&param) {
                Ok(Some(value)) => shown(&value),
                Ok(None) => "missing".into(),
                Err(BadParam::Repeated) => "more than once".into(),
                Err(BadParam::NotUtf8) => "not UTF-8".into(),
            };
            let rest = full.without(definition.field);
            // How an amount is read may depend on the status; one that can be read counts.
            let read = [rest.without(Field::Status), rest].iter().find_map(|rest| {
                map_stated(target, params, rest).ok().and_then(|event| said(&event, definition.field))
            });
            Gap { name, param, received, is_open: read.is_none() }
        })
        .collect()
}

/// What a postback would do with its stated values, as things stand now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// One or two sentences for a person.
    pub sentence: String,
    /// The reward that it would move, in the user's currency; `None` if nothing moves.
    pub reward: Option<Micros>,
    /// The payout that it would move, in USD; `None` if nobody knows it.
    pub payout: Option<Micros>,
    /// True if money would move.
    pub moves: bool,
}

impl Outlook {
    /// Looks ahead by settling `event` alone on top of what is `known` under its key, so it says what will happen. Only
    /// the verdict is left open: the rules judge with more facts than there are here.
    pub fn of(
        event: Event,
        source: &SourceTerms,
        known: Vec<Reward>,
        policy: &Policy,
        now: TimestampMs,
    ) -> Self {
        let known_before = known.first().cloned();
        let incoming = Incoming {
            postback_id: 0,
            source: source.clone(),
            received_at: now,
            event,
            location: Location::default(),
            geo: GeoResult::Unknown,
            caller_listed: None,
        };
        let known = ExistingRewards { rewards: known, ..ExistingRewards::default() };
        let outcome = BatchOutcome::of(vec![incoming], known, policy, Tz::UTC, now);
        let processed = outcome.postbacks.first();
        let reason = processed.and_then(|processed| processed.reason.clone());
        let Some(settled) = outcome.rewards.first() else {
            return Self { sentence: "Nothing moves.".into(), reward: None, payout: None, moves: false };
        };
        let reward = &settled.reward;
        let amount = reward.reward.unwrap_or_default();
        let coins = format!("{amount} {}", reward.currency);
        let pays = reward.payout.map_or_else(
            || "the network named no payout".to_owned(),
            |payout| format!("the network pays {} USD", cents(payout)),
        );
        let (user, key) = (&reward.user_id, &reward.key);
        let Some(taken) = settled.steps.last() else {
            let sentence = match (reason, known_before.and_then(|known| known.id)) {
                (None, Some(id)) => format!("It says again what is known of reward {id}: nothing moves."),
                (Some(reason), Some(id)) => format!("Nothing moves; at reward {id} it is noted: {reason}."),
                (reason, None) => format!("Nothing moves. {}", reason.unwrap_or_default()),
            };
            return Self { sentence, reward: None, payout: None, moves: false };
        };
        let sentence = match (taken.step, taken.step.to()) {
            (Step::Credit | Step::Hold, _) => {
                format!("Credits {coins} to {user}; {pays}. The rules judge it, and may hold it.")
            }
            (Step::ReverseUnseen, _) => {
                format!(
                    "A reversal of {key}, whose credit never came: nothing moves, and that credit never will."
                )
            }
            (Step::ReverseHeld, _) => format!("Takes back {coins} that are held for {user}; {pays}."),
            (Step::ReverseRejected, _) => format!("Reverses a reward of {user} that was rejected; {pays}."),
            (_, Status::Reversed) => format!("Takes {coins} back from {user}; {pays}."),
            (_, status) => format!("The reward {key} of {user}, {coins}, becomes {}; {pays}.", status.name()),
        };
        let moves = taken.step != Step::ReverseUnseen;
        Self { sentence, reward: moves.then_some(amount), payout: reward.payout.filter(|_| moves), moves }
    }

    /// What moves, in the user's currency and in USD: what adds up of one person.
    pub fn stake(&self) -> Stake {
        let of =
            |amount: Option<Micros>| if self.moves { amount.unwrap_or_default() } else { Micros::default() };
        Stake { reward: of(self.reward), payout: of(self.payout) }
    }

    /// Whether a second person must agree: the limit of one reward in USD is reached, or nobody knows the payout while
    /// there is such a limit, or the limit of a stated reward is reached.
    pub fn needs_second(&self, terms: &ReviewTerms) -> bool {
        let pays = |limit: Micros| self.payout.is_none_or(|payout| payout >= limit);
        let gives = |limit: Micros| self.reward.is_some_and(|reward| reward >= limit);
        self.moves
            && (terms.second.single.is_some_and(pays) || terms.second_person_stated_reward.is_some_and(gives))
    }
}

/// What moves by what a person states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stake {
    /// In the user's currency.
    pub reward: Micros,
    /// In USD.
    pub payout: Micros,
}

/// An amount with two decimals, or more where it has them.
fn cents(amount: Micros) -> String {
    let text = amount.to_string();
    match text.split_once('.') {
        None => format!("{text}.00"),
        Some((whole, decimals)) => format!("{whole}.{decimals:0<2}"),
    }
}

impl StatedBy {
    /// Why a step was taken: what is stated, and the reason.
    pub fn note(&self) -> String {
        format!("Stated: {}. {}", self.stated, self.reason)
    }
}

impl BatchOutcome {
    /// The same outcome, with the steps that a stated postback caused signed by who stated it. What the rules found
    /// stays in front.
    #[must_use]
    pub fn signed_by(mut self, stated: &BTreeMap<i64, StatedBy>) -> Self {
        if stated.is_empty() {
            return self;
        }
        for step in self.rewards.iter_mut().flat_map(|settled| &mut settled.steps) {
            if let Some(by) = step.postback_id.and_then(|id| stated.get(&id)) {
                step.actor.clone_from(&by.actor);
                let rules = step.note.take().map_or_else(String::new, |found| format!("{found} "));
                step.note = Some(rules + &by.note());
            }
        }
        self
    }
}

#[cfg(test)]
mod tests;
