//! What a definition says of a network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::postback::networks::answers::Answers;
use crate::postback::networks::call::Method;
use crate::postback::networks::identity::Identity;
use crate::postback::networks::kinds::Kinds;
use crate::postback::networks::signature::{Message, Place, Proof, SecretPlace, Signature};
use crate::postback::networks::statement::StatementFormat;
use crate::postback::networks::{Field, FieldDefinition};

/// Of a network of which no repeat is known.
const ASSUMED_HORIZON_MINUTES: u32 = 24 * 60;
const MINUTE_MS: i64 = 60_000;

/// A network: its fields, its signature, and what its postbacks mean. Made by [`Definition::parse`] only, so it is
/// consistent: every field that a section names is one of `fields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The name in settings, e.g. `bitlabs`: lower-case letters, digits and hyphens.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// The network's own page, or where integrators learned it.
    pub documentation: String,
    /// How well all of this is known.
    pub confirmed: Confirmed,
    /// Never empty.
    pub methods: Vec<Method>,
    /// Where the parameters are.
    pub parameters: ParameterSource,
    /// In the order of the file; always with a user.
    pub fields: Vec<FieldDefinition>,
    /// What a postback means.
    pub kinds: Kinds,
    /// What makes an event unique.
    pub identity: Identity,
    /// What is signed, and how.
    pub signature: Signature,
    /// What the network is answered.
    pub answers: Answers,
    /// How long the network repeats.
    pub retries: Retries,
    /// Where its calls come from.
    pub callers: Callers,
    /// How it writes its statements, as far as that is known.
    pub statement: StatementFormat,
}

/// How well a fact is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The network's own page or package says it.
    Documented,
    /// Public integrations agree.
    Integrators,
    /// Likely, and to be proven with a captured call before it is trusted.
    Unproven,
}

impl Confirmed {
    /// Every degree with its name in a definition.
    pub const ALL: [(&'static str, Self); 3] =
        [("documented", Self::Documented), ("integrators", Self::Integrators), ("unproven", Self::Unproven)];

    /// The name in a definition.
    pub fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Integrators => "integrators",
            Self::Unproven => "unproven",
        }
    }
}

/// Where the parameters of a call are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterSource {
    /// In the URL, whatever the method.
    Query,
    /// In the body of a POST, urlencoded or multipart; in the URL of a GET.
    Form,
    /// In a JSON body, by dotted path (`user.id`).
    Json,
}

impl ParameterSource {
    /// Every source with its name in a definition.
    pub const ALL: [(&'static str, Self); 3] =
        [("query", Self::Query), ("form", Self::Form), ("json", Self::Json)];

    /// The name in a definition.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Form => "form",
            Self::Json => "json",
        }
    }
}

/// How long a network repeats a postback that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// An outage longer than this loses postbacks for good, in minutes. 0: no repeat is known.
    pub horizon_minutes: u32,
    /// How well that is known.
    pub confirmed: Confirmed,
}

/// The addresses that a network calls from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers {
    /// As published; may be empty.
    pub ips: Vec<IpNet>,
    /// True if the source must name the addresses itself: nothing is signed, and none are published.
    pub required: bool,
    /// How well they are known.
    pub confirmed: Confirmed,
}

impl Callers {
    /// Whether the network has published `address`.
    pub fn lists(&self, address: IpAddr) -> bool {
        self.ips.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

/// Why a source cannot rename a parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRename {
    /// The unknown macro, and all that exist.
    #[error("`{0}` is not a macro of this network; it has {1}")]
    UnknownMacro(String, String),
    /// The network has no such field, or sends no parameter for it.
    #[error("{0} is not a field that this network sends; remove it from the renames")]
    NoField(&'static str),
    /// Two fields would read the same parameter, or one would read the signature.
    #[error("the parameter `{0}` is already taken")]
    Taken(String),
}

impl Definition {
    /// What it says of `field`.
    pub fn field(&self, field: Field) -> Option<&FieldDefinition> {
        self.fields.iter().find(|definition| definition.field == field)
    }

    /// The parameter that carries `field`; our own name of it if the network sends none.
    pub fn parameter_of(&self, field: Field) -> &str {
        let parameter = self.field(field).map(|definition| definition.parameter.as_str());
        parameter.filter(|parameter| !parameter.is_empty()).unwrap_or(field.name())
    }

    /// How long a postback that was not acknowledged is repeated, in milliseconds. Where no repeat is known, a day is
    /// assumed: what comes later is not taken for a repeat, and a reversal waits that long for its credit.
    pub fn retry_horizon_ms(&self) -> i64 {
        let minutes = match self.retries.horizon_minutes {
            0 => ASSUMED_HORIZON_MINUTES,
            minutes => minutes,
        };
        i64::from(minutes) * MINUTE_MS
    }

    /// True if a call has to be read with its body: its parameters are there, or a part of what is signed.
    pub fn reads_bodies(&self) -> bool {
        let of_signature = match &self.signature.proof {
            Proof::Signed(scheme) => {
                matches!(scheme.message, Message::Body | Message::TimestampBody(_))
                    || matches!(scheme.at, Place::Form(_) | Place::Json(_))
            }
            Proof::SharedSecret(SecretPlace::At(place)) => matches!(place, Place::Form(_) | Place::Json(_)),
            Proof::SharedSecret(SecretPlace::PathEnd) | Proof::Nothing => false,
        };
        self.parameters != ParameterSource::Query || of_signature
    }

    /// The query to paste into the network's dashboard: `uid=[%USER:UID%]&tx=[%TX%]`, with the macro of the signature if it
    /// has one. Parameters that the network adds itself are not in it.
    pub fn query_to_paste(&self) -> String {
        let fields = self.fields.iter().filter_map(|definition| {
            Some(format!("{}={}", definition.parameter, definition.macro_text.as_ref()?))
        });
        let signature = self.signature.macro_text.as_ref();
        let signature =
            signature.zip(self.signature.place()).map(|(text, place)| format!("{}={text}", place.name()));
        fields.chain(signature).collect::<Vec<_>>().join("&")
    }

    /// Every parameter with its placeholder, without the signature: what a call of this network looks like.
    pub fn query_template(&self) -> String {
        let sent = self.fields.iter().filter(|definition| definition.fixed.is_none());
        let pairs = sent.map(|definition| format!("{}={}", definition.parameter, definition.placeholder()));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// The same with other parameter names, as a source has renamed them. The error is what cannot be renamed.
    pub fn renamed(mut self, names: &BTreeMap<Field, String>) -> Result<Self, BadRename> {
        for (field, name) in names {
            let own = self.fields.iter_mut().find(|own| own.field == *field && own.fixed.is_none());
            let own = own.ok_or(BadRename::NoField(field.name()))?;
            own.is_renamed = own.parameter != *name;
            own.parameter.clone_from(name);
        }
        let signature = self.signature.place().map(|place| place.name().to_owned());
        let mut taken: Vec<_> = signature.into_iter().collect();
        for own in self.fields.iter().filter(|own| own.fixed.is_none()) {
            if taken.contains(&own.parameter) {
                return Err(BadRename::Taken(own.parameter.clone()));
            }
            taken.push(own.parameter.clone());
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postback::networks::shipped;

    fn definition(name: &str) -> Definition {
        shipped::definition(name).expect("it ships").unwrap_or_else(|faults| panic!("{faults}"))
    }

    #[test]
    fn the_query_to_paste_has_the_macros_and_that_of_the_signature() {
        let monlix = definition("monlix");
        let query = monlix.query_to_paste();
        assert!(query.starts_with("userId={{userId}}&transactionId={{transactionId}}&"), "{query}");
        assert!(query.ends_with("&secretKey={{secretKey}}"), "{query}");
        assert!(!monlix.query_template().contains("secretKey"));
        let tapjoy = definition("tapjoy");
        assert_eq!(tapjoy.query_to_paste(), "", "the network adds everything itself");
        assert_eq!(tapjoy.query_template(), "snuid={snuid}&id={id}&currency={currency}");
        assert_eq!(definition("unity-ads").query_template(), "sid={sid}&oid={oid}&productid={productid}");
    }

    #[test]
    fn a_source_may_rename_parameters_but_not_to_one_that_is_taken() {
        let renamed = |field, name: &str| {
            definition("cpx-research").renamed(&BTreeMap::from([(field, name.to_owned())]))
        };
        let own = renamed(Field::UserId, "player").expect("renamed");
        assert!(own.query_template().starts_with("player={user_id}&"));
        assert_eq!(renamed(Field::UserId, "hash"), Err(BadRename::Taken("hash".into())));
        assert_eq!(renamed(Field::UserId, "status"), Err(BadRename::Taken("status".into())));
        assert_eq!(renamed(Field::Sub5, "five"), Err(BadRename::NoField("sub5")));
    }

    #[test]
    fn published_addresses_of_both_families_are_listed() {
        let callers = definition("cpx-research").callers;
        let lists = |text: &str| callers.lists(text.parse().expect("an address"));
        assert!(lists("188.40.3.73") && lists("::ffff:188.40.3.73") && lists("2a01:4f8:d0a:30ff::2"));
        assert!(!lists("188.40.3.74") && !lists("2a01:4f8:d0a:30ff::3"));
    }
}
