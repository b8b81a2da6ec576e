//! Q1, Q2, Q2b, Q4 to Q9: is the data complete and plausible? Faults of the sender, not of the user.

use super::Facts;
use super::speed::Elapsed;
use crate::policy::{Rules, Weight};
use crate::postback::event::{Click, NoteKind};
use crate::postback::networks::Field;
use crate::postback::networks::coverage::{self, Unsigned};
use crate::signal::{Family, Finding, Signal};
use crate::text::duration;
use crate::time::SECOND_MS;

/// Q1: no usable click time, or one far in the future.
pub(super) fn q1(click: &Elapsed, facts: &Facts<'_>, rules: &Rules) -> Signal {
    let limit = duration(rules.q1.future_s * SECOND_MS);
    let (fired, value, text) = match (&facts.event.click, click) {
        (Click::Missing, _) if facts.event.unsent.contains(&Field::ClickedAt) => {
            (false, None, "This network sends no click time, so speed is not judged.".into())
        }
        (Click::Missing, _) => {
            (true, None, "The network sent no click time, so speed cannot be judged.".into())
        }
        (Click::Unusable(sent), _) => {
            let text = format!("The click time \u{201c}{sent}\u{201d} is not a time in unix seconds.");
            (true, Some(sent.clone()), text)
        }
        (_, Elapsed::Ahead { ahead_ms, judgeable: false, .. }) => {
            let ahead = duration(*ahead_ms);
            (
                true,
                Some(ahead.clone()),
                format!(
                    "The click is {ahead} in the future; clock difference explains at most {limit}.{}",
                    ours(facts)
                ),
            )
        }
        _ => (false, None, "The click time is usable.".into()),
    };
    finding("Q1", fired, value, Some(limit), text).weigh(rules.q1.weight())
}

/// Q2: a click slightly in the future is clock difference.
pub(super) fn q2(click: &Elapsed, rules: &Rules) -> Signal {
    let limit = duration(rules.q2.limit_s * SECOND_MS);
    let (fired, value, text) = match click {
        Elapsed::Ahead { ahead_ms, within_clocks: true, .. } => {
            let ahead = duration(*ahead_ms);
            (
                true,
                Some(ahead.clone()),
                format!(
                    "The click is {ahead} in the future, within normal clock difference; the time taken counts as 0."
                ),
            )
        }
        _ => (false, None, "The click is not slightly in the future.".into()),
    };
    finding("Q2", fired, value, Some(limit), text).weigh(rules.q2.weight())
}

/// Q2b: a click further ahead than clocks explain, but not absurd.
pub(super) fn q2b(click: &Elapsed, facts: &Facts<'_>, rules: &Rules) -> Signal {
    let limit = duration(rules.q2.limit_s * SECOND_MS);
    let (fired, value, text) = match click {
        Elapsed::Ahead { ahead_ms, within_clocks: false, judgeable: true } => {
            let ahead = duration(*ahead_ms);
            (
                true,
                Some(ahead.clone()),
                format!(
                    "The click is {ahead} in the future, beyond the {limit} of normal clock difference.{}",
                    ours(facts)
                ),
            )
        }
        _ => (false, None, "The click is not in the future beyond clock difference.".into()),
    };
    finding("Q2b", fired, value, Some(limit), text).weigh(rules.q2b.weight())
}

/// A second sentence if most clicks are in the future: then our clock is slow, and the user is not to blame.
fn ours(facts: &Facts<'_>) -> String {
    facts.clicks.sentence().map_or_else(String::new, |sentence| format!(" But {sentence}."))
}

/// Q4: an amount finer than a micro was rounded.
pub(super) fn q4(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let fired = facts.event.rounded;
    let text = if fired {
        "An amount had more than six decimals and was rounded half to even; the raw text is in the postback."
    } else {
        "No amount had to be rounded."
    };
    finding("Q4", fired, None, Some("6 decimals".into()), text.into()).weigh(rules.q4.weight())
}

/// Q5: a valid signature from an address that the network does not publish.
pub(super) fn q5(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let text = match facts.caller_listed {
        Some(false) => "The postback is signed, but came from an address that is not on the network's list.",
        Some(true) => "The postback came from an address on the network's list.",
        None => "There is no list of the network's addresses.",
    };
    finding("Q5", facts.caller_listed == Some(false), None, None, text.into()).weigh(rules.q5.weight())
}

/// Q6: what the signature leaves open. Whoever has seen one call can send another with such a field changed.
pub(super) fn q6(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let Unsigned { fields, is_unproven } = facts.unsigned;
    let is_listed = facts.caller_listed == Some(true);
    let named = fields.iter().map(|field| coverage::name(*field)).collect::<Vec<_>>().join(", ");
    let open = match (fields.is_empty(), is_unproven) {
        (true, false) => String::new(),
        (true, true) => "The formula of the signature is not proven for this network.".into(),
        (false, false) => format!("The signature does not protect: {named}."),
        (false, true) => {
            format!("The formula of the signature is not proven, and it does not protect: {named}.")
        }
    };
    let text = match (open.is_empty(), is_listed) {
        (true, _) => "The signature protects every field that decides about money.".into(),
        (false, true) => format!("{open} The caller's address is on the network's list."),
        (false, false) => format!("{open} Nothing else proves that the call is the network's."),
    };
    let weighs = !is_listed && facts.unsigned.is_grave();
    let weight = rules.q6.weight();
    let weight = if weighs { weight } else { Weight { points: 0, hard: false, ..weight } };
    finding("Q6", !open.is_empty(), (!named.is_empty()).then_some(named), None, text).weigh(weight)
}

/// Q7: values had to be cleaned, shortened or left out.
pub(super) fn q7(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let noted = facts.event.noted(NoteKind::Cleaned);
    let text = match &noted {
        Some(noted) => format!("Cleaned: {noted}. The raw text is in the postback."),
        None => "Every value could be used as it was sent.".into(),
    };
    finding("Q7", noted.is_some(), None, None, text).weigh(rules.q7.weight())
}

/// Q8: macros that the network did not fill in.
pub(super) fn q8(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let noted = facts.event.noted(NoteKind::NotFilledIn);
    let text = match &noted {
        Some(noted) => {
            format!(
                "The network did not fill in {noted}: the URL in its dashboard has macros that it does not know."
            )
        }
        None => "The network filled in every macro.".into(),
    };
    finding("Q8", noted.is_some(), None, None, text).weigh(rules.q8.weight())
}

/// Q9: the user id is a placeholder.
pub(super) fn q9(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let user_id = &facts.event.user_id;
    let fired = is_nobody(user_id, &rules.q9.users);
    let text = if fired {
        format!(
            "\u{201c}{user_id}\u{201d} is a placeholder and not a user id, so this reward may belong to anybody."
        )
    } else {
        "The user id is not a placeholder.".into()
    };
    finding("Q9", fired, fired.then(|| user_id.clone()), None, text).weigh(rules.q9.weight())
}

/// True if `user_id` is one of `words` in any case, in quotes or brackets, or only zeros, dashes and question marks
/// (`-`, `?`, `0`, `00000000-0000-0000-0000-000000000000`). Other characters may be somebody's name.
fn is_nobody(user_id: &str, words: &[String]) -> bool {
    let brackets = ['"', '\'', '`', '(', ')', '[', ']', '<', '>', '{', '}'];
    let bare = user_id.trim_matches(|c: char| brackets.contains(&c) || c.is_whitespace());
    let is = |word: &str| {
        word.eq_ignore_ascii_case(bare) || (!word.is_ascii() && word.to_lowercase() == bare.to_lowercase())
    };
    if words.iter().any(|word| is(word)) {
        return true;
    }
    !words.is_empty() && bare.chars().all(|c| matches!(c, '0' | '-' | '_' | '?'))
}

fn finding(
    code: &'static str,
    fired: bool,
    value: Option<String>,
    limit: Option<String>,
    text: String,
) -> Finding {
    Finding { code, family: Family::Data, fired, value, limit, sample: None, text }
}
