//! Mapping: from a signed target to the event it reports, or the reason why it cannot be one.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::money::{Micros, MoneyError};
use crate::network::{Field, FieldDefinition, Kind, Network};
use crate::query::{BadParam, Query};
use crate::stated::Stated;
use crate::time::{SECOND_MS, TimestampMs};

/// How the parameters of one source are named; starts from the network's macro names.
#[derive(Clone, Debug)]
pub struct Params {
    network: Network,
    renamed: BTreeMap<Field, String>,
}

/// A rename of a field that the network does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRename {
    /// No such macro.
    #[error("`{0}` is not a macro of this network; it has {1}")]
    UnknownMacro(String, String),
    /// Two fields would read the same parameter, or one would read the signature.
    #[error("the parameter `{0}` is already taken")]
    Taken(String),
}

impl Params {
    /// The network's own names, with `renames` (macro name → parameter name) on top.
    pub fn new(network: Network, renames: &BTreeMap<String, String>) -> Result<Self, BadRename> {
        let mut by_field = BTreeMap::new();
        for (name, param) in renames {
            let definition = network.fields().iter().find(|field| field.name == name).ok_or_else(|| {
                let names: Vec<_> = network.fields().iter().map(|field| field.name).collect();
                BadRename::UnknownMacro(name.clone(), names.join(", "))
            })?;
            by_field.insert(definition.field, param.clone());
        }
        let naming = Self { network, renamed: by_field };
        let mut taken = vec![crate::signature::HASH_PARAM];
        for definition in network.fields() {
            let param = naming.name_of(definition);
            if taken.contains(&param) {
                return Err(BadRename::Taken(param.to_owned()));
            }
            taken.push(param);
        }
        Ok(naming)
    }

    /// The network whose fields these are.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The URL query to paste into the network's dashboard: every field under its parameter name.
    pub fn query_template(&self) -> String {
        let pairs = self
            .network
            .fields()
            .iter()
            .map(|definition| format!("{}={{{}}}", self.name_of(definition), definition.name));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// The parameter that carries a field.
    pub fn name_of(&self, definition: &FieldDefinition) -> &str {
        self.renamed.get(&definition.field).map_or(definition.name, String::as_str)
    }
}

/// What a postback says: a credit or a reversal of one reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Credit or reversal.
    pub kind: Kind,
    /// The publisher's user.
    pub user_id: String,
    /// The network's transaction.
    pub tx_id: String,
    /// The reward; always known on a credit.
    pub reward: Option<Micros>,
    /// What the network pays, in USD.
    pub payout: Option<Micros>,
    /// True if `reward` or `payout` had more than six decimals.
    pub rounded: bool,
    /// The offer.
    pub offer_id: Option<String>,
    /// The offer's name.
    pub offer_name: Option<String>,
    /// The event within the offer.
    pub event_id: Option<String>,
    /// The event's name.
    pub event_name: Option<String>,
    /// The user's address, as sent.
    pub ip: Option<String>,
    /// The user's country, as sent.
    pub country_code: Option<String>,
    /// The click.
    pub click: Click,
    /// The publisher's first own value.
    pub sub1: Option<String>,
    /// The publisher's second own value.
    pub sub2: Option<String>,
}

impl Event {
    /// What makes the reward unique within its source. `TarGo`: the transaction id.
    pub fn key(&self) -> &str {
        &self.tx_id
    }
}

/// The click time of a postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Click {
    /// Sent as a plausible number of unix seconds.
    At(TimestampMs),
    /// Not sent.
    Missing,
    /// Sent as something else: not a number, zero, or so large that it must be milliseconds.
    Unusable(String),
}

/// Seconds beyond this are milliseconds by mistake: it is the year 5138.
const MAX_PLAUSIBLE_SECONDS: i64 = 99_999_999_999;

/// Why a signed postback cannot be mapped. It is kept, never dropped, and can be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// One sentence for a person, naming the parameter.
    pub reason: String,
}

impl fmt::Display for Quarantine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.reason)
    }
}

/// Maps `target` (path and query, as received) by the names of `params`.
pub fn map(target: &str, params: &Params) -> Result<Event, Quarantine> {
    map_stated(target, params, &Stated::default())
}

/// The same with what people stated in the place of what was received.
pub fn map_stated(target: &str, params: &Params, stated: &Stated) -> Result<Event, Quarantine> {
    let query = Query::of(target);
    let mut values = BTreeMap::new();
    for definition in params.network.fields() {
        if let Some(value) = stated.value(definition.field, params.network) {
            values.insert(definition.field, value.to_owned());
            continue;
        }
        let name = params.name_of(definition);
        let quarantine = |what: &str| Quarantine { reason: format!("`{name}` {what}") };
        match query.get(name) {
            Err(BadParam::Repeated) => return Err(quarantine("stands in the query more than once")),
            Err(BadParam::NotUtf8) => return Err(quarantine("is not UTF-8")),
            Ok(Some(value)) if value.len() > definition.max_len => {
                return Err(quarantine(&format!("is longer than {} bytes", definition.max_len)));
            }
            // Postgres cannot store it, no honest value has it.
            Ok(Some(value)) if value.contains('\0') => return Err(quarantine("contains a NUL character")),
            Ok(Some(value)) => {
                values.insert(definition.field, value);
            }
            Ok(None) => {}
        }
    }
    Mapping { params, values }.event()
}

struct Mapping<'a> {
    params: &'a Params,
    values: BTreeMap<Field, String>,
}

impl Mapping<'_> {
    fn event(mut self) -> Result<Event, Quarantine> {
        let user_id = self.required(Field::UserId)?;
        let tx_id = self.required(Field::TxId)?;
        let status = self.required(Field::Status)?;
        let kind =
            self.params.network.kind(&status).ok_or_else(|| self.quarantine(Field::Status, "is unknown"))?;
        let reward = self.amount(Field::Reward)?;
        let payout = self.amount(Field::Payout)?;
        if kind == Kind::Credit && reward.is_none() {
            return Err(self.quarantine(Field::Reward, "is missing"));
        }
        Ok(Event {
            kind,
            user_id,
            tx_id,
            reward: reward.map(|parsed| parsed.amount),
            payout: payout.map(|parsed| parsed.amount),
            rounded: [reward, payout].into_iter().flatten().any(|parsed| parsed.rounded),
            offer_id: self.values.remove(&Field::OfferId),
            offer_name: self.values.remove(&Field::OfferName),
            event_id: self.values.remove(&Field::EventId),
            event_name: self.values.remove(&Field::EventName),
            ip: self.values.remove(&Field::Ip),
            country_code: self.values.remove(&Field::CountryCode),
            click: click(self.values.remove(&Field::Timestamp)),
            sub1: self.values.remove(&Field::Sub1),
            sub2: self.values.remove(&Field::Sub2),
        })
    }

    fn required(&mut self, field: Field) -> Result<String, Quarantine> {
        self.values.remove(&field).ok_or_else(|| self.quarantine(field, "is missing"))
    }

    fn amount(&self, field: Field) -> Result<Option<crate::money::Parsed>, Quarantine> {
        let Some(text) = self.values.get(&field) else { return Ok(None) };
        let parsed =
            Micros::parse(text).map_err(|error: MoneyError| self.quarantine(field, &error.to_string()))?;
        Ok(Some(parsed))
    }

    fn quarantine(&self, field: Field, what: &str) -> Quarantine {
        let default = self.params.network.fields().iter().find(|definition| definition.field == field);
        let name = default.map_or("", |definition| self.params.name_of(definition));
        Quarantine { reason: format!("`{name}` {what}") }
    }
}

fn click(text: Option<String>) -> Click {
    let Some(text) = text else { return Click::Missing };
    match text.parse::<i64>() {
        Ok(seconds @ 1..=MAX_PLAUSIBLE_SECONDS) => Click::At(TimestampMs(seconds * SECOND_MS)),
        _ => Click::Unusable(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn params() -> Params {
        Params::new(Network::Targo, &BTreeMap::from([("user_id".into(), "uid".into())])).expect("valid")
    }

    fn reason(query: &str) -> String {
        map(&format!("/pb/t?{query}"), &params()).expect_err("cannot be mapped").reason
    }

    #[test]
    fn every_field_is_mapped_under_its_macro_name_or_its_new_name() {
        let event = map(
            "/pb/t?uid=u1&tx_id=T1&reward=500&payout=1.00&status=1&offer_id=7&offer_name=Caf%C3%A9&event_id=9\
             &event_name=Level+5&ip=2001:db8::1&country_code=DE&timestamp=1763800000&sub1=a&sub2=b&hash=x",
            &params(),
        );
        let expected = Event {
            kind: Kind::Credit,
            user_id: "u1".into(),
            tx_id: "T1".into(),
            reward: Some(Micros(500_000_000)),
            payout: Some(Micros(1_000_000)),
            rounded: false,
            offer_id: Some("7".into()),
            offer_name: Some("Café".into()),
            event_id: Some("9".into()),
            event_name: Some("Level 5".into()),
            ip: Some("2001:db8::1".into()),
            country_code: Some("DE".into()),
            click: Click::At(TimestampMs(1_763_800_000_000)),
            sub1: Some("a".into()),
            sub2: Some("b".into()),
        };
        assert_eq!(event, Ok(expected));
    }

    #[test]
    fn one_is_a_credit_two_and_zero_are_reversals_and_a_reversal_needs_no_money() {
        for (status, kind) in [("1", Kind::Credit), ("2", Kind::Reversal), ("0", Kind::Reversal)] {
            let event = map(&format!("/pb/t?uid=u&tx_id=T&reward=1&status={status}"), &params());
            assert_eq!(event.map(|event| event.kind), Ok(kind));
        }
        assert!(map("/pb/t?uid=u&tx_id=T&status=2", &params()).is_ok());
    }

    #[test]
    fn what_is_missing_or_impossible_is_quarantined_with_its_parameter_named() {
        let long = "x".repeat(257);
        for (query, expected) in [
            ("tx_id=T&reward=1&status=1", "`uid` is missing"),
            ("uid=&tx_id=T&reward=1&status=1", "`uid` is missing"),
            ("uid=u&reward=1&status=1", "`tx_id` is missing"),
            ("uid=u&tx_id=T&status=1", "`reward` is missing"),
            ("uid=u&tx_id=T&reward=1", "`status` is missing"),
            ("uid=u&tx_id=T&reward=1&status=3", "`status` is unknown"),
            ("uid=u&tx_id=T&reward=-1&status=1", "`reward` is negative"),
            ("uid=u&tx_id=T&reward=1e3&status=1", "`reward` is not a decimal number"),
            ("uid=u&tx_id=T&reward=1&payout=99999999999&status=1", "`payout` is larger than 1000000000"),
            ("uid=u&uid=v&tx_id=T&reward=1&status=1", "`uid` stands in the query more than once"),
            ("uid=%FF&tx_id=T&reward=1&status=1", "`uid` is not UTF-8"),
            ("uid=a%00b&tx_id=T&reward=1&status=1", "`uid` contains a NUL character"),
        ] {
            assert_eq!(reason(query), expected, "{query}");
        }
        assert_eq!(
            reason(&format!("uid={long}&tx_id=T&reward=1&status=1")),
            "`uid` is longer than 256 bytes"
        );
    }

    #[test]
    fn a_click_time_that_cannot_be_one_is_kept_as_sent() {
        let click =
            |text: &str| map(&format!("/pb/t?uid=u&tx_id=T&reward=1&status=1&timestamp={text}"), &params());
        for text in ["0", "-5", "1763800000000", "soon", "1763800000.5"] {
            assert_eq!(click(text).map(|event| event.click), Ok(Click::Unusable(text.into())));
        }
        assert_eq!(click("").map(|event| event.click), Ok(Click::Missing));
    }

    #[test]
    fn a_rename_must_name_a_macro_and_take_a_free_parameter() {
        let rename = |name: &str, param: &str| {
            Params::new(Network::Targo, &BTreeMap::from([(name.to_owned(), param.to_owned())])).map(|_| ())
        };
        assert!(matches!(rename("userid", "uid"), Err(BadRename::UnknownMacro(..))));
        assert_eq!(rename("user_id", "tx_id"), Err(BadRename::Taken("tx_id".into())));
        assert_eq!(rename("user_id", "hash"), Err(BadRename::Taken("hash".into())));
    }

    #[test]
    fn the_template_for_the_dashboard_carries_every_macro() {
        let template = params().query_template();
        assert!(template.starts_with("uid={user_id}&tx_id={tx_id}&reward={reward}"), "{template}");
        assert_eq!(template.matches('{').count(), Network::Targo.fields().len());
    }

    proptest! {
        #[test]
        fn no_query_makes_the_mapping_panic(query in "\\PC{0,120}") {
            let _ = map(&format!("/pb/t?{query}"), &params());
        }
    }
}
