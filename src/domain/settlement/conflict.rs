//! Conflicts: the same key with another user, other money, another offer or event is not a repeat.

use super::Reward;
use crate::event::Event;
use crate::money::Micros;
use crate::network::Kind;

/// What `event` says otherwise than `known`, one phrase each; empty for a true repeat.
///
/// A credit must agree in all of it. A reversal, and a credit whose reversal came first, must agree in the user, and
/// in the rest only where both sides name it: networks often leave amounts out of reversals.
pub(super) fn differences(known: &Reward, event: &Event) -> Vec<String> {
    let strict = event.kind == Kind::Credit && known.credit_seen;
    let mut found = Vec::new();
    if known.user_id != event.user_id {
        found.push(format!("user {} instead of {}", event.user_id, known.user_id));
    }
    let decimal = |amount: Option<Micros>| amount.map(|amount| amount.to_string());
    // A reversal of an earlier version said zero where it said nothing.
    let known_amount = |amount: Option<Micros>| amount.filter(|amount| known.credit_seen || amount.0 != 0);
    let mut compare = |name: &str, known: Option<String>, said: Option<String>| {
        let both = known.is_some() && said.is_some();
        if known != said && (strict || both) {
            let text = |side: Option<String>| side.unwrap_or_else(|| "nothing".into());
            found.push(format!("{name} {} instead of {}", text(said), text(known)));
        }
    };
    compare("reward", decimal(known_amount(known.reward)), decimal(event.reward));
    compare("payout", decimal(known_amount(known.payout)), decimal(event.payout));
    compare("offer", known.offer_id.clone(), event.offer_id.clone());
    compare("event", known.event_id.clone(), event.event_id.clone());
    found
}

/// The differences in one sentence.
pub(super) fn sentence(differences: &[String]) -> String {
    format!("conflict: {}", differences.join(", "))
}
