//! What a postback reports, and how the parameters of a source are named and read. [`map`] makes the one of the other.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::money::Micros;
use crate::postback::network::{Field, FieldDefinition, Kind, Network};
use crate::postback::query::Plus;
use crate::time::TimestampMs;

pub use crate::postback::mapping::{map, map_stated};

/// How the parameters of one source are named and read; starts from the network's own names and states.
#[derive(Clone, Debug)]
pub struct Params {
    network: Network,
    renamed: BTreeMap<Field, String>,
    plus: Plus,
    statuses: BTreeMap<String, Meaning>,
    reversal_id: ReversalId,
}

/// What the network writes around the transaction of a credit to name its reversal; both empty where both have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReversalId {
    /// In front of it, e.g. `r-`.
    pub prefix: String,
    /// Behind it, e.g. `-R`.
    pub suffix: String,
}

impl ReversalId {
    /// The transaction of the credit that the reversal `tx_id` belongs to, where it is another one.
    pub fn credit_of(&self, tx_id: &str) -> Option<String> {
        let credit = tx_id.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        (!credit.is_empty() && credit.len() < tx_id.len()).then(|| credit.to_owned())
    }
}

/// What a status means for a publisher whose network has words of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// The user earned a reward.
    Credit,
    /// The network takes it back.
    Reversal,
    /// Neither: it is recorded, and nothing follows from it.
    Information,
}

impl From<Kind> for Meaning {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Credit => Self::Credit,
            Kind::Reversal => Self::Reversal,
        }
    }
}

/// A status word that cannot be given a meaning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStatus {
    /// Nothing but blanks.
    #[error("has an empty word: a postback without a status is quarantined whatever the settings say")]
    Empty,
    /// The same word twice, in another spelling.
    #[error("names `{0}` twice, with different meanings: case, blanks and zeros in front make no difference")]
    Twice(String),
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
        let naming = Self {
            network,
            renamed: by_field,
            plus: Plus::default(),
            statuses: BTreeMap::new(),
            reversal_id: ReversalId::default(),
        };
        let mut taken = vec![crate::postback::signature::HASH_PARAM];
        for definition in network.fields() {
            let param = naming.name_of(definition);
            if taken.contains(&param) {
                return Err(BadRename::Taken(param.to_owned()));
            }
            taken.push(param);
        }
        Ok(naming)
    }

    /// The same, where `+` in a value stands for `plus`.
    #[must_use]
    pub fn with_plus(self, plus: Plus) -> Self {
        Self { plus, ..self }
    }

    /// The same with `words` as statuses, before those that the network documents.
    pub fn with_statuses(self, words: &BTreeMap<String, Meaning>) -> Result<Self, BadStatus> {
        let mut statuses = BTreeMap::new();
        for (word, meaning) in words {
            let normal = status_word(word);
            if normal.is_empty() {
                return Err(BadStatus::Empty);
            }
            if statuses.insert(normal, *meaning).is_some_and(|other| other != *meaning) {
                return Err(BadStatus::Twice(word.clone()));
            }
        }
        Ok(Self { statuses, ..self })
    }

    /// The same, where reversals have transactions of their own.
    #[must_use]
    pub fn with_reversal_id(self, reversal_id: ReversalId) -> Self {
        Self { reversal_id, ..self }
    }

    /// How the transaction of a reversal names that of its credit.
    pub fn reversal_id(&self) -> &ReversalId {
        &self.reversal_id
    }

    /// What a `+` in a value stands for.
    pub fn plus(&self) -> Plus {
        self.plus
    }

    /// What a status means; `None` if neither the settings nor the network's documentation know it.
    pub fn meaning(&self, status: &str) -> Option<Meaning> {
        let word = status_word(status);
        self.statuses.get(&word).copied().or_else(|| self.network.kind(&word).map(Meaning::from))
    }

    /// The parameter that carries `field`; empty if the network has no such field.
    pub(crate) fn param(&self, field: Field) -> &str {
        let definition = self.network.fields().iter().find(|definition| definition.field == field);
        definition.map_or("", |definition| self.name_of(definition))
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

/// A status as it is compared: lower case, no blanks around it, a number without zeros in front or behind (`01` and
/// `1.0` are 1).
fn status_word(text: &str) -> String {
    match Micros::parse_sent(text) {
        Ok(number) if !number.negative && !number.rounded => number.magnitude.to_string(),
        _ => text.trim().to_lowercase(),
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
    /// Of a reversal with a transaction of its own: that of the credit it takes back.
    pub credit_tx: Option<String>,
    /// The reward; always known on a credit that is no information. How much a reversal takes back, if it says so.
    pub reward: Option<Micros>,
    /// What the network pays, in USD; not below zero.
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
    /// The user's address.
    pub ip: Option<String>,
    /// Other public addresses, where the network sent a list.
    pub other_ips: Vec<IpAddr>,
    /// The user's country: two letters as sent, or those of the country that was named otherwise.
    pub country_code: Option<String>,
    /// The click.
    pub click: Click,
    /// The publisher's first own value.
    pub sub1: Option<String>,
    /// The publisher's second own value.
    pub sub2: Option<String>,
    /// What was done to its values so that they could be used.
    pub notes: Vec<Note>,
    /// Why nothing follows from it, if nothing does.
    pub information: Option<String>,
}

/// Something that the mapping did to a value, or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The field; `None` for the URL as a whole.
    pub field: Option<Field>,
    /// What kind of thing.
    pub kind: NoteKind,
    /// A clause for a person, naming the parameter: "`sub1` was shortened to 1024 bytes".
    pub text: String,
}

/// What kind of thing was done to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// It was cleaned, shortened, or left out because it cannot be read.
    Cleaned,
    /// It was left out because it is a macro that the network did not fill in.
    NotFilledIn,
}

impl Event {
    /// True if the network sent something for `field` that could not be used.
    pub fn lacks(&self, field: Field) -> bool {
        let is_there = match field {
            Field::Payout => self.payout.is_some(),
            Field::EventId => self.event_id.is_some(),
            Field::Ip => self.ip.is_some(),
            Field::CountryCode => self.country_code.is_some(),
            _ => true,
        };
        !is_there && self.notes.iter().any(|note| note.field == Some(field))
    }

    /// The clauses of all notes of `kind` in one sentence; `None` if there are none.
    pub fn noted(&self, kind: NoteKind) -> Option<String> {
        let texts: Vec<_> =
            self.notes.iter().filter(|note| note.kind == kind).map(|note| note.text.as_str()).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    /// What makes the reward unique within its source. `TarGo`: the transaction id.
    pub fn key(&self) -> &str {
        self.credit_tx.as_deref().unwrap_or(&self.tx_id)
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

/// Why a signed postback cannot be mapped. It is kept, never dropped, and can be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// One sentence for a person, naming the parameter and, where there is one, the cure.
    pub reason: String,
}

impl fmt::Display for Quarantine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.reason)
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
            other_ips: Vec::new(),
            notes: Vec::new(),
            credit_tx: None,
            information: None,
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
            ("uid=u&tx_id=T&reward=-1&status=1", "`reward` is negative"),
            ("uid=u&tx_id=T&reward=99999999999&status=1", "`reward` is larger than 1000000000"),
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
        for text in ["0", "-5", "1763800000000", "soon", "1763800000.5", "2026-11-23T12:00:00Z"] {
            assert_eq!(click(text).map(|event| event.click), Ok(Click::Unusable(text.into())));
        }
        assert_eq!(click("").map(|event| event.click), Ok(Click::Missing));
    }

    #[test]
    fn a_status_is_compared_without_case_blanks_and_zeros() {
        let words = [
            ("Reversed", Meaning::Reversal),
            ("approved", Meaning::Credit),
            ("pending", Meaning::Information),
        ];
        let words = words.map(|(word, meaning)| (word.to_owned(), meaning));
        let params = params().with_statuses(&words.into()).expect("good words");
        for (text, meaning) in [
            ("1", Some(Meaning::Credit)),
            ("01", Some(Meaning::Credit)),
            ("1.0", Some(Meaning::Credit)),
            ("+1", Some(Meaning::Credit)),
            (" 2 ", Some(Meaning::Reversal)),
            ("00", Some(Meaning::Reversal)),
            ("REVERSED", Some(Meaning::Reversal)),
            ("Approved ", Some(Meaning::Credit)),
            ("pending", Some(Meaning::Information)),
            ("-1", None),
            ("1.5", None),
            ("11", None),
            ("one", None),
            ("", None),
        ] {
            assert_eq!(params.meaning(text), meaning, "{text}");
        }
    }

    #[test]
    fn the_settings_words_win_and_none_may_mean_two_things() {
        let words = |pairs: &[(&str, Meaning)]| {
            let words = pairs.iter().map(|(word, meaning)| ((*word).to_owned(), *meaning)).collect();
            params().with_statuses(&words)
        };
        let ours = words(&[("0", Meaning::Information)]).expect("a good word");
        assert_eq!(ours.meaning("0"), Some(Meaning::Information));
        assert_eq!(words(&[(" ", Meaning::Credit)]).map(|_| ()), Err(BadStatus::Empty));
        let twice = words(&[("3", Meaning::Credit), ("03", Meaning::Reversal)]).map(|_| ());
        assert!(matches!(twice, Err(BadStatus::Twice(_))), "{twice:?}");
        assert!(words(&[("done", Meaning::Credit), ("DONE", Meaning::Credit)]).is_ok());
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
