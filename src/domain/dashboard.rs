//! The URL for the network's dashboard: what to paste there, and what is wrong with one that was pasted.

use std::fmt;

use crate::postback::event::Params;
use crate::postback::networks::signature::{Place, Proof, SecretPlace};
use crate::postback::networks::{Field, FieldDefinition};
use crate::postback::unfilled::is_unfilled;

/// Without these the rules cannot judge, and hold the reward.
const JUDGED_BY: [Field; 4] = [Field::Payout, Field::ClickedAt, Field::Ip, Field::CountryCode];

/// What a postback means, beside what its network decides by.
const TELLS_KIND: [Field; 4] = [Field::Status, Field::State, Field::Type, Field::Test];

/// A problem with a dashboard's URL. Macros are shown as they are written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It does not begin with the URL that is signed.
    OtherEndpoint {
        /// What it has to begin with.
        expected: String,
    },
    /// A macro without which nothing can be credited or taken back.
    Missing {
        /// With its brackets.
        macro_text: String,
        /// The parameter that should carry it.
        param: String,
    },
    /// A macro without which rewards are held, because they cannot be judged.
    NotJudged {
        /// With its brackets.
        macro_text: String,
        /// The parameter that should carry it.
        param: String,
    },
    /// A macro that tells what a postback means, although the kind does not go by it: without `test` a test is a credit.
    KindUntold {
        /// With its brackets.
        macro_text: String,
        /// The parameter that should carry it.
        param: String,
    },
    /// A macro under another name than the settings say.
    OtherName {
        /// With its brackets.
        macro_text: String,
        /// Without them, as settings name it.
        name: String,
        /// The parameter that carries it now.
        found: String,
        /// The parameter that the settings expect.
        expected: String,
    },
    /// A macro that the network does not have, with its brackets.
    UnknownMacro(String),
    /// A parameter that the network appends itself.
    Appended(String),
}

impl Finding {
    /// True if postbacks are lost or misread because of it; false if they are only held or lack details.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::NotJudged { .. } | Self::KindUntold { .. } | Self::UnknownMacro(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherEndpoint { expected } => {
                write!(out, "it does not begin with {expected}? (that is what is signed and served)")
            }
            Self::Missing { macro_text, param } => {
                write!(out, "it lacks {param}={macro_text}, without which nothing can be booked")
            }
            Self::NotJudged { macro_text, param } => {
                write!(out, "it lacks {param}={macro_text}, without which the rules know less")
            }
            Self::KindUntold { macro_text, param } => write!(
                out,
                "it lacks {param}={macro_text}, without which a test or another state looks like a plain credit"
            ),
            Self::OtherName { macro_text, name, found, expected } => write!(
                out,
                "{macro_text} is sent as `{found}`, but the settings expect `{expected}`: write {expected}={macro_text}, \
                 or set params = {{ {name} = \"{found}\" }}"
            ),
            Self::UnknownMacro(text) => write!(out, "the network has no macro {text}"),
            Self::Appended(name) => {
                write!(out, "leave `{name}` out: the network appends it itself, always last")
            }
        }
    }
}

/// The URL to paste into the dashboard of the network of `source`.
pub fn url(origin: &str, source: &str, params: &Params) -> String {
    let (endpoint, query) = (endpoint(origin, source, params), params.definition().query_to_paste());
    if query.is_empty() { endpoint } else { format!("{endpoint}?{query}") }
}

fn endpoint(origin: &str, source: &str, params: &Params) -> String {
    let secret = match params.definition().signature.proof {
        Proof::SharedSecret(SecretPlace::PathEnd) => "/YOUR_SECRET",
        _ => "",
    };
    format!("{origin}/pb/{source}{secret}")
}

/// What is wrong with `pasted`, a URL with macros, for `source` as its settings are. Empty: every field arrives.
pub fn look(pasted: &str, origin: &str, source: &str, params: &Params) -> Vec<Finding> {
    let definition = params.definition();
    let mut findings = Vec::new();
    let expected = endpoint(origin, source, params);
    let (called, query) = pasted.trim().split_once('?').unwrap_or((pasted.trim(), ""));
    if called != expected {
        findings.push(Finding::OtherEndpoint { expected });
    }
    let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let signature = definition.signature.macro_text.as_deref();
    let signature = signature.zip(definition.signature.place().map(Place::name));
    let pasted_fields = params.sent_fields().filter_map(|own| Some((own, own.macro_text.as_deref()?)));
    let wanted = pasted_fields
        .map(|(own, text)| (Some(own), text, own.parameter.as_str()))
        .chain(signature.map(|(text, place)| (None, text, place)));
    for (own, text, param) in wanted {
        let (macro_text, param) = (text.to_owned(), param.to_owned());
        match pairs.iter().find(|(_, value)| *value == text) {
            Some((found, _)) if *found == param => {}
            Some((found, _)) => findings.push(Finding::OtherName {
                macro_text,
                name: own.map_or(param.as_str(), FieldDefinition::bare_macro).to_owned(),
                found: (*found).to_owned(),
                expected: param,
            }),
            None if own.is_none_or(|own| is_required(params, own.field)) => {
                findings.push(Finding::Missing { macro_text, param });
            }
            None if own.is_some_and(|own| TELLS_KIND.contains(&own.field)) => {
                findings.push(Finding::KindUntold { macro_text, param });
            }
            None if own.is_some_and(|own| JUDGED_BY.contains(&own.field)) => {
                findings.push(Finding::NotJudged { macro_text, param });
            }
            None => {}
        }
    }
    let appended = definition.signature.place().filter(|_| signature.is_none()).map(Place::name);
    let known = |value: &str| params.sent_fields().any(|own| own.macro_text.as_deref() == Some(value));
    for (param, value) in pairs {
        if Some(param) == appended {
            findings.push(Finding::Appended(param.to_owned()));
        } else if is_unfilled(value) && !known(value) && signature.is_none_or(|(text, _)| text != value) {
            findings.push(Finding::UnknownMacro(value.to_owned()));
        }
    }
    findings
}

/// True if no postback can be mapped without `field`, or if a reversal looks like a credit then.
pub fn is_required(params: &Params, field: Field) -> bool {
    let definition = params.definition();
    let identity = &definition.identity;
    let mut ids = identity.reward.fields().chain(identity.reversal_of.fields());
    matches!(field, Field::UserId | Field::TxId | Field::Reward)
        || ids.any(|own| own == field)
        || definition.kinds.fields().any(|own| own == field)
}

/// Macros of ids and states that still have the network's own name while other parameters were renamed: mostly a rename
/// was forgotten.
pub fn left_as_they_are(params: &Params) -> Vec<&str> {
    if !params.sent_fields().any(|own| own.is_renamed) {
        return Vec::new();
    }
    let told_apart = |own: &&FieldDefinition| own.field != Field::Reward && is_required(params, own.field);
    let left = params.sent_fields().filter(|own| own.macro_text.is_some() && !own.is_renamed);
    left.filter(told_apart).map(FieldDefinition::bare_macro).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::postback::networks::shipped;

    const ORIGIN: &str = "https://gw.example.com";

    fn params(renames: &[(&str, &str)]) -> Params {
        let renames: BTreeMap<_, _> =
            renames.iter().map(|(name, param)| ((*name).to_owned(), (*param).to_owned())).collect();
        Params::shipped("targo").expect("it ships").renamed(&renames).expect("sound renames")
    }

    #[test]
    fn the_url_that_is_to_be_pasted_has_nothing_wrong_with_it() {
        for renames in [&[][..], &[("user_id", "uid"), ("status", "state")]] {
            let params = params(renames);
            let pasted = url(ORIGIN, "main", &params);
            assert_eq!(look(&pasted, ORIGIN, "main", &params), [], "{pasted}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_pasted_url_is_named_with_the_remedy() {
        let params = params(&[("user_id", "uid")]);
        let pasted = "http://gw.example.com/pb/main?user_id={user_id}&tx_id={txid}&reward={reward}&status={status}\
                      &payout={payout}&timestamp={timestamp}&ip={ip}&hash={hash}";
        let said: Vec<_> = look(pasted, ORIGIN, "main", &params).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "it does not begin with https://gw.example.com/pb/main? (that is what is signed and served)",
                "{user_id} is sent as `user_id`, but the settings expect `uid`: write uid={user_id}, or set params = \
             { user_id = \"user_id\" }",
                "it lacks tx_id={tx_id}, without which nothing can be booked",
                "it lacks country_code={country_code}, without which the rules know less",
                "the network has no macro {txid}",
                "leave `hash` out: the network appends it itself, always last",
            ]
        );
    }

    #[test]
    fn the_url_of_every_network_is_compared_with_its_own_macros() {
        for name in shipped::names() {
            let params = Params::shipped(name).expect("it ships");
            let pasted = url(ORIGIN, "main", &params);
            assert_eq!(look(&pasted, ORIGIN, "main", &params), [], "{name}: {pasted}");
            // Without each of its parameters in turn.
            for own in params.sent_fields() {
                let Some(text) = &own.macro_text else { continue };
                let pair = format!("{}={text}", own.parameter);
                let without = pasted.replace(&format!("&{pair}"), "").replace(&format!("?{pair}&"), "?");
                if without == pasted {
                    continue;
                }
                let found = look(&without, ORIGIN, "main", &params);
                let is_fatal = is_required(&params, own.field);
                let tells = TELLS_KIND.contains(&own.field) || JUDGED_BY.contains(&own.field);
                assert_eq!(found.iter().any(Finding::is_fatal), is_fatal, "{name}: {pair}: {found:?}");
                assert_eq!(found.is_empty(), !is_fatal && !tells, "{name}: {pair}: {found:?}");
            }
        }
    }

    #[test]
    fn mistakes_are_named_in_the_words_of_five_networks() {
        for (name, pasted, said) in [
            (
                "bitlabs",
                "https://gw.example.com/pb/main?uid=[%USER:UID%]&tx=[%TX%]&val=[%VALUE:CURRENCY%]",
                "it lacks state=[%OFFER:TASK:STATE%], without which",
            ),
            (
                "monlix",
                "https://gw.example.com/pb/main?userId={{userId}}",
                "it lacks secretKey={{secretKey}}, without which nothing",
            ),
            (
                "timewall",
                "https://gw.example.com/pb/main?user={userID}",
                "{userID} is sent as `user`, but the settings expect `userID`",
            ),
            (
                "adgem",
                "https://gw.example.com/pb/main?verifier={verifier}",
                "leave `verifier` out: the network appends it itself",
            ),
            ("kiwiwall", "https://gw.example.com/pb/main?sub_id={user}", "the network has no macro {user}"),
        ] {
            let params = Params::shipped(name).expect("it ships");
            let found = look(pasted, ORIGIN, "main", &params);
            let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert!(lines.iter().any(|line| line.starts_with(said)), "{name}: {lines:?}");
        }
    }

    #[test]
    fn only_what_loses_postbacks_is_fatal() {
        let params = params(&[]);
        let pasted = url(ORIGIN, "main", &params);
        let judged = look(&pasted.replace("&payout={payout}", ""), ORIGIN, "main", &params);
        assert!(!judged.is_empty() && !judged.iter().any(Finding::is_fatal), "{judged:?}");
        let lost = look(&pasted.replace("&status={status}", ""), ORIGIN, "main", &params);
        assert!(lost.iter().all(Finding::is_fatal) && !lost.is_empty(), "{lost:?}");
    }

    #[test]
    fn a_rename_that_was_forgotten_among_others_is_named() {
        assert_eq!(left_as_they_are(&params(&[])), [""; 0]);
        assert_eq!(
            left_as_they_are(&params(&[("reward", "amount"), ("user_id", "uid")])),
            ["tx_id", "status"]
        );
    }
}
