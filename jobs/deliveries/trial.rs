//! One call to an app that credits nothing, to see how its answer would be taken.

use domain::delivery::message::Message;
use domain::delivery::schedule::Class;
use domain::delivery::{Event, Reason};
use domain::money::Micros;
use domain::time::{Clock, SECOND_MS};

use super::Target;
use super::outgoing::{Answered, Outgoing};

/// The user of the call: nobody has that id.
pub const TRIAL_USER: &str = "rewardgate-check";

/// How an app answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// How the answer would be taken.
    pub class: Class,
    /// The status of the answer, if there was one.
    pub http_status: Option<u16>,
    /// The beginning of its body.
    pub answer: Option<String>,
    /// What went wrong, in a sentence.
    pub detail: Option<String>,
}

/// Calls the app of `target` as if a credit of 0 were to be told, for the user [`TRIAL_USER`] and under a transaction
/// of the same name and the time, so that whatever the app does with it nobody gets anything.
pub async fn try_out(target: &Target, outgoing: &Outgoing, clock: &Clock) -> Tried {
    let now = clock.now();
    let seconds = now.0 / SECOND_MS;
    let message = Message {
        event: Event::Credited,
        reason: Reason::Completed,
        // No reward has this number.
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
        None => Answered::unsendable("there is no secret to sign with"),
    };
    let Answered { class, http_status, answer, detail, .. } = answered;
    Tried { class, http_status, answer, detail }
}
