//! A test call to an app that credits nothing, to check how its answer would be classified.

use domain::delivery::message::Message;
use domain::delivery::schedule::Class;
use domain::delivery::{Event, Reason};
use domain::money::Micros;
use domain::time::{Clock, SECOND_MS};

use super::Target;
use super::outgoing::{Answered, Outgoing};

/// The user id of the call; no real user has it.
pub const TRIAL_USER: &str = "rewardgate-check";

/// The result of a test call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// How the answer would be classified.
    pub class: Class,
    /// `None` without an answer.
    pub http_status: Option<u16>,
    /// The beginning of the answer's body.
    pub answer: Option<String>,
    /// The error in one sentence; `None` after a success.
    pub detail: Option<String>,
}

/// Calls the app of `target` with a credit of 0 for the user [`TRIAL_USER`] and a transaction of that name and the current
/// time, so that nobody gets anything, whatever the app does.
pub async fn try_out(target: &Target, outgoing: &Outgoing, clock: &Clock) -> Tried {
    let now = clock.now();
    let seconds = now.0 / SECOND_MS;
    let message = Message {
        event: Event::Credited,
        reason: Reason::Completed,
        // No reward has this id.
        reward_id: 0,
        sequence: seconds,
        caused_at: now,
        source: TRIAL_USER.to_owned(),
        user_id: TRIAL_USER.to_owned(),
        tx_id: format!("{TRIAL_USER}-{seconds}"),
        reward: Micros(0),
        payout: Some(Micros(0)),
        currency: "coins".to_owned(),
        balance: Micros(0),
        offer_id: Some(TRIAL_USER.to_owned()),
        offer_name: Some("RewardGate check: credits nothing".to_owned()),
        event_id: None,
        event_name: None,
        ip: None,
        country_code: None,
        clicked_at: None,
        sub1: None,
        sub2: None,
    };
    let answered = match message.call(&target.letterhead, now) {
        Some(call) => outgoing.call(call, &target.answers, false, target.timeout, clock).await,
        None => Answered::unsendable("the app has no secret to sign with"),
    };
    let Answered { class, http_status, answer, detail, .. } = answered;
    Tried { class, http_status, answer, detail }
}
