//! Tries a definition on a captured call: what of it matches which line, and what the call would become. Nothing is
//! recorded, and nothing is shown that would let the call be sent again.

pub mod sentences;
#[cfg(test)]
mod tests;

use crate::money::Micros;
use crate::postback::event::{Event, Kind, Params};
use crate::postback::mapping::map_stated;
use crate::postback::mapping::said::{Said, said};
use crate::postback::networks::kinds::Meaning;
use crate::postback::networks::signature::{Keys, Proof, Refusal, Verified};
use crate::postback::networks::{Call, Method};
use crate::postback::stated::Stated;
use crate::time::TimestampMs;

/// Everything that was found.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The definition, with the names and words of the source.
    pub params: Params,
    /// Path and query, without signature and secrets.
    pub shown: String,
    /// As it was called.
    pub method: Method,
    /// What the signature proves.
    pub signature: Checked,
    /// What the call says; `None` if its parameters cannot be read.
    pub said: Option<Said>,
    /// What it would become.
    pub outcome: Outcome,
    /// What was cleaned or left out, as clauses.
    pub notes: Vec<String>,
}

/// The result of checking the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is the network's.
    Verified(Verified),
    /// Nothing is signed: the caller's address tells.
    NothingSigned,
    /// There was no secret to check it with.
    NotChecked,
    /// It proves nothing.
    Refused(Refusal),
}

/// What a call would become if its signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The user gets a reward.
    Credit(Booked),
    /// A reward is taken back.
    Reversal(Booked),
    /// Recorded without effect: pending, information, a test, or an event without money.
    NoEffect {
        /// What the network means.
        meaning: Meaning,
        /// Whose and which event.
        booked: Booked,
        /// Why it has none, as a clause.
        why: String,
    },
    /// Kept for a person, and why.
    Quarantined(String),
}

/// What a call books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// The publisher's id of the user.
    pub user_id: String,
    /// What makes the reward unique.
    pub reward_key: String,
    /// The transaction of this event.
    pub tx_id: String,
    /// In the users' currency, if the call says so.
    pub reward: Option<Micros>,
    /// In USD, if the call says so.
    pub payout: Option<Micros>,
}

/// Tries the definition in `params` on `call`. Without `keys` the signature is not checked.
pub fn trial(call: &Call<'_>, params: &Params, keys: Option<&Keys>, now: TimestampMs) -> Trial {
    let definition = params.definition();
    let signature = match (&definition.signature.proof, keys) {
        (Proof::Nothing, _) => Checked::NothingSigned,
        (_, None) => Checked::NotChecked,
        (_, Some(keys)) => {
            definition.verify(call, keys, now).map_or_else(Checked::Refused, Checked::Verified)
        }
    };
    let said = said(call, params).ok();
    let (outcome, notes) = match map_stated(call, params, &Stated::default()) {
        Ok(event) => {
            let notes = event.notes.iter().map(|note| note.text.clone()).collect();
            (outcome(event, said.as_ref()), notes)
        }
        Err(quarantine) => (Outcome::Quarantined(quarantine.reason), Vec::new()),
    };
    let shown = definition.masked(call.target);
    Trial { params: params.clone(), shown, method: call.method, signature, said, outcome, notes }
}

fn outcome(event: Event, said: Option<&Said>) -> Outcome {
    let booked = Booked {
        reward_key: event.key().to_owned(),
        user_id: event.user_id,
        tx_id: event.tx_id,
        reward: event.reward,
        payout: event.payout,
    };
    let of_row = said.and_then(|said| said.row.as_ref()).map_or(event.kind.meaning(), |row| row.kind);
    match (event.information, event.kind) {
        (Some(none), _) => {
            let meaning = if none.is_test { Meaning::Test } else { of_row };
            Outcome::NoEffect { meaning, booked, why: none.why }
        }
        (None, Kind::Credit) => Outcome::Credit(booked),
        (None, Kind::Reversal) => Outcome::Reversal(booked),
    }
}

impl Trial {
    /// True if the network is known to call with this method.
    pub fn has_listed_method(&self) -> bool {
        self.params.definition().methods.contains(&self.method)
    }

    /// True if such a call would be accepted and needs no person to complete it. A signature that was not checked is
    /// taken to be right.
    pub fn is_good(&self) -> bool {
        !matches!(self.signature, Checked::Refused(_)) && !matches!(self.outcome, Outcome::Quarantined(_))
    }
}
