//! What a signature protects: computed from what is signed, never stated.
//!
//! A field outside it is unauthenticated although the signature is valid: whoever has seen one call can send another with
//! that field changed.

use serde::{Deserialize, Serialize};

use crate::postback::networks::definition::{Confirmed, ParameterSource};
use crate::postback::networks::signature::{Concat, Message, PartSource, PartValue, Proof};
use crate::postback::networks::{Definition, Field};

/// The fields that decide about money, and their names in a sentence.
const WEIGHED: [(Field, &str); 9] = [
    (Field::UserId, "user"),
    (Field::TxId, "transaction"),
    (Field::RefTxId, "reversed transaction"),
    (Field::Reward, "reward"),
    (Field::Payout, "payout"),
    (Field::Status, "status"),
    (Field::State, "state"),
    (Field::Type, "type"),
    (Field::OfferId, "offer"),
];

/// What the signature of a network protects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Each field that the network has and that decides about money, in a fixed order.
    pub fields: Vec<(Field, Protection)>,
    /// Whether somebody who has seen a call can turn a credit into a reversal or a test, or back.
    pub kind: Protection,
    /// False if two values are signed without anything between them: `abc` and `12` are signed like `ab` and `c12`.
    pub values_are_separated: bool,
    /// What there is instead of a signature.
    pub proof: ProofKind,
}

/// What a signature leaves open, as verdicts keep it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsigned {
    /// Fields that decide about money and that anybody can change, in a fixed order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// True if the formula itself is likely, and not proven.
    #[serde(rename = "unproven", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unproven: bool,
}

impl Unsigned {
    /// True if the signature proves everything.
    pub fn is_nothing(&self) -> bool {
        self.fields.is_empty() && !self.is_unproven
    }

    /// True if somebody who has seen one call could have money booked: another transaction, another reward, or a
    /// credit for a reversal.
    pub fn is_grave(&self) -> bool {
        let decides = |field: &Field| {
            matches!(
                field,
                Field::UserId
                    | Field::TxId
                    | Field::RefTxId
                    | Field::Reward
                    | Field::Status
                    | Field::State
                    | Field::Type
                    | Field::Test
            )
        };
        self.is_unproven || self.fields.iter().any(decides)
    }
}

/// How a field is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Every byte of it is signed.
    Whole,
    /// Only the digits before its point are signed.
    IntegerPart,
    /// It is not signed.
    Nothing,
}

/// What proves a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofKind {
    /// A signature.
    Signature,
    /// A secret that is sent along.
    SharedSecret,
    /// The caller's address alone.
    CallerOnly,
}

impl Definition {
    /// What its signature protects.
    pub fn coverage(&self) -> Coverage {
        let protection = |field| self.protection(field);
        let known = WEIGHED.iter().map(|(field, _)| *field).filter(|field| self.field(*field).is_some());
        let test = self.field(Field::Test).map(|definition| definition.field);
        let kind = if self.kinds.fields().chain(test).all(|field| protection(field) == Protection::Whole) {
            Protection::Whole
        } else {
            Protection::Nothing
        };
        let (proof, values_are_separated) = match &self.signature.proof {
            Proof::Signed(scheme) => (
                ProofKind::Signature,
                match &scheme.message {
                    Message::Concat(concat) => concat.separates_values(),
                    _ => true,
                },
            ),
            Proof::SharedSecret(_) => (ProofKind::SharedSecret, true),
            Proof::Nothing => (ProofKind::CallerOnly, true),
        };
        Coverage {
            fields: known.map(|field| (field, protection(field))).collect(),
            kind,
            values_are_separated,
            proof,
        }
    }

    /// What its signature leaves open.
    pub fn unsigned(&self) -> Unsigned {
        let coverage = self.coverage();
        let open = coverage.fields.iter().filter(|(_, protection)| *protection == Protection::Nothing);
        let mut fields: Vec<_> = open.map(|(field, _)| *field).collect();
        // What decides the kind may be another field.
        let deciders = self.kinds.fields().chain(self.field(Field::Test).map(|own| own.field));
        for field in deciders.filter(|field| self.protection(*field) == Protection::Nothing) {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        Unsigned { fields, is_unproven: self.signature.confirmed == Confirmed::Unproven }
    }

    /// How the signature protects `field`; a field that the network does not have is not protected.
    pub fn protection(&self, field: Field) -> Protection {
        let (Proof::Signed(scheme), Some(definition)) = (&self.signature.proof, self.field(field)) else {
            return Protection::Nothing;
        };
        // Nobody can change what is not sent.
        if definition.fixed.is_some() {
            return Protection::Whole;
        }
        let parameter = definition.parameter.as_str();
        let is_signed = match &scheme.message {
            Message::Url(_) | Message::QueryBeforeSignature => self.parameters == ParameterSource::Query,
            Message::Sorted(rule) => {
                let is_dropped = rule.drop.iter().any(|dropped| dropped == parameter);
                self.parameters == ParameterSource::Query && !is_dropped
            }
            Message::Concat(concat) => return concat.protection(field, parameter),
            Message::Body | Message::TimestampBody(_) => self.parameters != ParameterSource::Query,
        };
        if is_signed { Protection::Whole } else { Protection::Nothing }
    }
}

impl Concat {
    fn protection(&self, field: Field, parameter: &str) -> Protection {
        let of_field = self.parts.iter().filter(|part| match &part.source {
            PartSource::Field(own) => *own == field,
            PartSource::Parameter(name) => name == parameter,
            PartSource::Series { prefix, from, to } => {
                let number = parameter.strip_prefix(prefix.as_str()).and_then(|rest| rest.parse().ok());
                number.is_some_and(|number: u16| (*from..=*to).contains(&number))
            }
            PartSource::Secret | PartSource::SecondSecret | PartSource::Constant(_) => false,
        });
        let best = of_field.map(|part| part.value == PartValue::Integer).min();
        match best {
            Some(false) => Protection::Whole,
            Some(true) => Protection::IntegerPart,
            None => Protection::Nothing,
        }
    }

    /// Whether nothing of one value can be read as part of its neighbour.
    fn separates_values(&self) -> bool {
        if !self.separator.is_empty() {
            return true;
        }
        let is_value = |source: &PartSource| !matches!(source, PartSource::Constant(_));
        !self.parts.windows(2).any(|pair| is_value(&pair[0].source) && is_value(&pair[1].source))
            && !self.parts.iter().any(|part| matches!(part.source, PartSource::Series { .. }))
    }
}

impl Coverage {
    /// The fields of which every byte is signed.
    pub fn covered(&self) -> impl Iterator<Item = Field> {
        self.fields.iter().filter(|(_, it)| *it == Protection::Whole).map(|(field, _)| *field)
    }

    /// The fields that can be changed, wholly or behind the point.
    pub fn uncovered(&self) -> impl Iterator<Item = Field> {
        self.fields.iter().filter(|(_, it)| *it != Protection::Whole).map(|(field, _)| *field)
    }

    /// For people: `The signature protects the user and the transaction. Not protected: reward, payout.`
    pub fn words(&self) -> String {
        let mut sentences = Vec::new();
        let (covered, uncovered) = (names(self.covered()), names(self.uncovered()));
        match self.proof {
            ProofKind::Signature if covered.is_empty() => {
                sentences.push("The signature protects none of the fields that decide about money.".to_owned());
            }
            ProofKind::Signature if uncovered.is_empty() => {
                sentences.push(format!("The signature protects everything: {}.", covered.join(", ")));
            }
            ProofKind::Signature => sentences.push(format!(
                "The signature protects: {}. Not protected: {}.",
                covered.join(", "),
                self.uncovered_words().join(", ")
            )),
            ProofKind::SharedSecret => sentences.push(
                "Nothing is signed: the secret itself is in the call, so whoever has seen one call can send any other."
                    .to_owned(),
            ),
            ProofKind::CallerOnly => sentences.push(
                "Nothing is signed: only the caller's address tells a postback from a forgery.".to_owned(),
            ),
        }
        if self.proof == ProofKind::Signature {
            if self.kind != Protection::Whole {
                sentences.push("The kind of a captured call can be changed: a credit into a reversal, a test into a credit.".to_owned());
            }
            let is_open = |field| self.fields.contains(&(field, Protection::Nothing));
            if is_open(Field::TxId) {
                sentences.push("A captured call can be repeated with another transaction.".to_owned());
            }
            if !self.values_are_separated {
                let text =
                    "Values are signed without a separator, so one can lend characters to its neighbour.";
                sentences.push(text.to_owned());
            }
        }
        sentences.join(" ")
    }

    fn uncovered_words(&self) -> Vec<String> {
        let open = self.fields.iter().filter(|(_, it)| *it != Protection::Whole);
        let words = open.map(|(field, it)| match it {
            Protection::IntegerPart => format!("{} behind the point", name(*field)),
            Protection::Whole | Protection::Nothing => name(*field).to_owned(),
        });
        words.collect()
    }
}

fn names(fields: impl Iterator<Item = Field>) -> Vec<&'static str> {
    fields.map(name).collect()
}

/// What a field is called in a sentence.
pub fn name(field: Field) -> &'static str {
    WEIGHED.iter().find(|(own, _)| *own == field).map_or(field.name(), |(_, name)| name)
}

#[cfg(test)]
mod tests;
