//! The URL for the network's dashboard: what to paste there, and what is wrong with one that was pasted.

use std::fmt;

use crate::postback::event::Params;
use crate::postback::network::Field;
use crate::postback::signature::HASH_PARAM;

/// Without these no postback can be mapped, or a reversal looks like a credit.
pub const REQUIRED: [Field; 4] = [Field::UserId, Field::TxId, Field::Reward, Field::Status];
/// Without these the rules cannot judge, and hold the reward.
pub const JUDGED_BY: [Field; 4] = [Field::Payout, Field::Timestamp, Field::Ip, Field::CountryCode];

/// A problem with a dashboard's URL. Macros and parameters are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It does not begin with the URL that is signed.
    OtherEndpoint {
        /// What it has to begin with.
        expected: String,
    },
    /// A macro without which nothing can be credited or taken back.
    Missing {
        /// The macro, without braces.
        name: &'static str,
        /// The parameter that should carry it.
        param: String,
    },
    /// A macro without which rewards are held, because they cannot be judged.
    NotJudged {
        /// The macro, without braces.
        name: &'static str,
        /// The parameter that should carry it.
        param: String,
    },
    /// A macro under another name than the settings say.
    OtherName {
        /// The macro, without braces.
        name: &'static str,
        /// The parameter that carries it now.
        found: String,
        /// The parameter that the settings expect.
        expected: String,
    },
    /// A macro that the network does not have.
    UnknownMacro(String),
    /// The network appends the hash itself.
    Hash,
}

impl Finding {
    /// True if postbacks are lost or misread because of it; false if they are only held or lack details.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::NotJudged { .. } | Self::UnknownMacro(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherEndpoint { expected } => {
                write!(out, "it does not begin with {expected}? (that is what is signed and served)")
            }
            Self::Missing { name, param } => {
                write!(out, "it lacks {param}={{{name}}}, without which nothing can be booked")
            }
            Self::NotJudged { name, param } => {
                write!(out, "it lacks {param}={{{name}}}, without which the rules know less")
            }
            Self::OtherName { name, found, expected } => write!(
                out,
                "{{{name}}} is sent as `{found}`, but the settings expect `{expected}`: write {expected}={{{name}}}, \
                 or set params = {{ {name} = \"{found}\" }}"
            ),
            Self::UnknownMacro(name) => write!(out, "the network has no macro {{{name}}}"),
            Self::Hash => write!(out, "leave `{HASH_PARAM}` out: the network appends it itself, always last"),
        }
    }
}

/// The URL to paste into the dashboard of the network of `source`.
pub fn url(origin: &str, source: &str, params: &Params) -> String {
    format!("{}?{}", endpoint(origin, source), params.query_template())
}

fn endpoint(origin: &str, source: &str) -> String {
    format!("{origin}/pb/{source}")
}

/// What is wrong with `pasted`, a URL with macros, for `source` as its settings are. Empty: every field arrives.
pub fn look(pasted: &str, origin: &str, source: &str, params: &Params) -> Vec<Finding> {
    let mut findings = Vec::new();
    let expected = endpoint(origin, source);
    let (called, query) = pasted.trim().split_once('?').unwrap_or((pasted.trim(), ""));
    if called != expected {
        findings.push(Finding::OtherEndpoint { expected });
    }
    let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    for definition in params.network().fields() {
        let (name, param) = (definition.name, params.name_of(definition));
        let carries =
            |value: &str| value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(name);
        let found = pairs.iter().find(|(_, value)| carries(value));
        let required = REQUIRED.contains(&definition.field);
        match found {
            Some((found, _)) if *found == param => {}
            Some((found, _)) => findings.push(Finding::OtherName {
                name,
                found: (*found).to_owned(),
                expected: param.to_owned(),
            }),
            None if required => findings.push(Finding::Missing { name, param: param.to_owned() }),
            None if JUDGED_BY.contains(&definition.field) => {
                findings.push(Finding::NotJudged { name, param: param.to_owned() });
            }
            None => {}
        }
    }
    let known = |name: &str| params.network().fields().iter().any(|definition| definition.name == name);
    for (param, value) in pairs {
        if param == HASH_PARAM {
            findings.push(Finding::Hash);
        } else if let Some(name) = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
            && !known(name)
        {
            findings.push(Finding::UnknownMacro(name.to_owned()));
        }
    }
    findings
}

/// Required macros that still have the network's own name while other parameters were renamed: mostly a rename was
/// forgotten.
pub fn left_as_they_are(params: &Params) -> Vec<&'static str> {
    let fields = || params.network().fields().iter();
    if fields().all(|definition| params.name_of(definition) == definition.name) {
        return Vec::new();
    }
    let told_apart = |field| matches!(field, Field::UserId | Field::TxId | Field::Status);
    fields()
        .filter(|definition| told_apart(definition.field) && params.name_of(definition) == definition.name)
        .map(|definition| definition.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::postback::network::Network;

    const ORIGIN: &str = "https://gw.example.com";

    fn params(renames: &[(&str, &str)]) -> Params {
        let renames: BTreeMap<_, _> =
            renames.iter().map(|(name, param)| ((*name).to_owned(), (*param).to_owned())).collect();
        Params::new(Network::Targo, &renames).expect("sound renames")
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
