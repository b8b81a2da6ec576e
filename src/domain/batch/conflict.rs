//! Conflicts: the same key with another user, other money, another offer or event is not a repeat.

use super::Reward;
use crate::money::Micros;
use crate::postback::event::Event;
use crate::postback::event::Kind;

/// The differences of `event` from `known`, one phrase each; empty for a true repeat.
///
/// A credit must agree in all of it. A reversal, and a credit whose reversal came first, must agree in the user, and
/// in the rest only where both sides name it: networks often leave amounts out of reversals, and an amount of zero
/// there says nothing. That a reversal names less than its credit is no contradiction: it takes back a part.
pub(super) fn differences(known: &Reward, event: &Event) -> Vec<String> {
    let strict = event.kind == Kind::Credit && known.credit_seen;
    let mut found = Vec::new();
    if known.user_id != event.user_id {
        found.push(format!("user {} instead of {}", event.user_id, known.user_id));
    }
    let mut say = |name: &str, said: Option<String>, known: Option<String>| {
        let text = |side: Option<String>| side.unwrap_or_else(|| "nothing".into());
        found.push(format!("{name} {} instead of {}", text(said), text(known)));
    };
    for (name, known, said) in
        [("reward", known.reward, event.reward), ("payout", known.payout, event.payout)]
    {
        let named = |amount: Option<Micros>| amount.filter(|amount| amount.0 > 0);
        let differs = if strict {
            known != said
        } else {
            // The credit is the whole, whichever came first.
            let (credit, reversal) = if event.kind == Kind::Credit { (said, known) } else { (known, said) };
            named(reversal).zip(credit).is_some_and(|(reversal, credit)| reversal > credit)
        };
        if differs {
            let decimal = |amount: Option<Micros>| amount.map(|amount| amount.to_string());
            say(name, decimal(said), decimal(known));
        }
    }
    for (name, known, said) in
        [("offer", &known.offer_id, &event.offer_id), ("event", &known.event_id, &event.event_id)]
    {
        if known != said && (strict || (known.is_some() && said.is_some())) {
            say(name, said.clone(), known.clone());
        }
    }
    found
}

/// The differences in one sentence.
pub(super) fn sentence(differences: &[String]) -> String {
    format!("conflict: {}", differences.join(", "))
}
