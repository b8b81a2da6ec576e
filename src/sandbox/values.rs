//! What a network says of an event: the value of each of its fields.

use std::net::IpAddr;

use chrono::DateTime;
use domain::money::Micros;
use domain::postback::networks::kinds::Meaning;
use domain::postback::networks::{Field, FieldDefinition, TimeFormat, Unit};
use domain::time::{SECOND_MS, TimestampMs};

use super::call::{Act, Event, Fault, Forgery};
use super::network::{Network, UNKNOWN_WORD};

/// Cents in a dollar.
const CENTS: i64 = 100;

impl Act {
    /// What the network means by it.
    pub(super) fn meaning(self) -> Meaning {
        if matches!(self, Self::Reversal { .. }) { Meaning::Reversal } else { Meaning::Credit }
    }
}

impl Event {
    /// The value of `field` in a call of `network`. A forged field is that of the genuine call, changed.
    pub(super) fn value(&self, network: &Network, field: Field, act: Act, clicked_at_ms: i64) -> String {
        match act {
            Act::Forged(Forgery::Changed(changed)) if changed == field => {
                self.changed(network, field, clicked_at_ms)
            }
            Act::Broken(Fault::MissingUser) if field == Field::UserId => String::new(),
            Act::Broken(Fault::UnknownStatus) if network.decides(field) => UNKNOWN_WORD.into(),
            Act::Broken(Fault::NegativeMoney) if network.money_field() == Some(field) => {
                format!("-{}", self.genuine(network, field, act, clicked_at_ms))
            }
            Act::Reversal { amounts: false, .. } if matches!(field, Field::Reward | Field::Payout) => {
                String::new()
            }
            _ => self.genuine(network, field, act, clicked_at_ms),
        }
    }

    /// Ten times an amount, or another id.
    fn changed(&self, network: &Network, field: Field, clicked_at_ms: i64) -> String {
        let ten_times = |event: &Self| event.genuine(network, field, Act::Credit, clicked_at_ms);
        match field {
            Field::Reward => ten_times(&Self { reward: Micros(self.reward.0 * 10), ..self.clone() }),
            Field::Payout => ten_times(&Self { payout: Micros(self.payout.0 * 10), ..self.clone() }),
            _ => format!("{}9", self.genuine(network, field, Act::Credit, clicked_at_ms)),
        }
    }

    fn genuine(&self, network: &Network, field: Field, act: Act, clicked_at_ms: i64) -> String {
        let word = if let Act::Reversal { word, .. } = act { word } else { 0 };
        genuine(self, network, field, (act.meaning(), word), clicked_at_ms)
    }

    /// The same with the key that its reward has in the gateway.
    pub(super) fn with_key(self, network: &Network) -> Self {
        Self { key: self.key_at(network), ..self }
    }

    fn key_at(&self, network: &Network) -> String {
        let identity = &network.definition().identity;
        let fields: Vec<_> = identity
            .reward
            .fields()
            .map(|field| (field, self.genuine(network, field, Act::Credit, 0)))
            .collect();
        let value = |field| fields.iter().find(|(own, _)| *own == field).map(|(_, value)| value.as_str());
        // Of an own definition, a part may be empty: then no call can be mapped, and there is no reward either.
        identity.reward.identity(value).unwrap_or_else(|_| self.tx_id())
    }
}

/// What happened, as every network can tell it.
pub(super) trait Told {
    /// User ID at the publisher.
    fn user_id(&self) -> String;
    /// Transaction ID of the credit.
    fn tx_id(&self) -> String;
    /// What the user earns.
    fn reward(&self) -> Micros;
    /// What the network pays, in USD.
    fn payout(&self) -> Micros;
    /// Offer ID, offer name, event ID or event name.
    fn of_offer(&self, field: Field) -> String;
    /// The user's address.
    fn ip(&self) -> IpAddr;
    /// The country that the network reports.
    fn country_code(&self) -> &'static str;
    /// From click to completion, in milliseconds.
    fn took_ms(&self) -> i64;
    /// The publisher's own first value.
    fn sub1(&self) -> String;
    /// The publisher's own second value.
    fn sub2(&self) -> String;
}

impl Told for Event {
    fn user_id(&self) -> String {
        Self::user_id(self)
    }

    fn tx_id(&self) -> String {
        Self::tx_id(self)
    }

    fn reward(&self) -> Micros {
        self.reward
    }

    fn payout(&self) -> Micros {
        self.payout
    }

    fn of_offer(&self, field: Field) -> String {
        let task = self.task;
        match field {
            Field::OfferId => task.offer_id,
            Field::OfferName => task.offer_name,
            Field::EventId => task.event_id,
            _ => task.event_name,
        }
        .into()
    }

    fn ip(&self) -> IpAddr {
        self.ip
    }

    fn country_code(&self) -> &'static str {
        self.country_code
    }

    fn took_ms(&self) -> i64 {
        self.took_ms
    }

    fn sub1(&self) -> String {
        "sandbox".into()
    }

    fn sub2(&self) -> String {
        format!("placement {}", self.user % 5)
    }
}

/// The value of `field` in a genuine call of `network`; of the words that mean `kind`, that with this number.
pub(super) fn genuine(
    told: &impl Told,
    network: &Network,
    field: Field,
    (kind, word): (Meaning, usize),
    clicked_at_ms: i64,
) -> String {
    let definition = network.definition();
    if let Some(word) = network.word(kind, word, field) {
        return word;
    }
    let is_reversal = kind == Meaning::Reversal;
    let identity = &definition.identity;
    let sign = if identity.amounts.is_negative(kind) { "-" } else { "" };
    let own = definition.field(field);
    match field {
        Field::UserId => told.user_id(),
        Field::TxId if is_reversal => {
            if identity.reversal_of.fields().any(|field| field == Field::TxId) {
                format!("{}{}", identity.strip_prefix, told.tx_id())
            } else {
                // It has a transaction of its own, and names that of the credit elsewhere.
                format!("{}-r", told.tx_id())
            }
        }
        Field::TxId | Field::ClickId => told.tx_id(),
        Field::RefTxId if is_reversal => told.tx_id(),
        Field::Reward => format!("{sign}{}", told.reward()),
        Field::Payout => format!("{sign}{}", in_unit(told.payout(), own)),
        Field::OfferId | Field::OfferName | Field::EventId | Field::EventName => told.of_offer(field),
        Field::Ip => told.ip().to_string(),
        Field::CountryCode => told.country_code().into(),
        Field::ClickedAt => time(clicked_at_ms, own),
        Field::ConvertedAt => time(clicked_at_ms + told.took_ms(), own),
        Field::Test => "0".into(),
        Field::Reason if is_reversal => "chargeback".into(),
        // Decided by other fields; the same in every call, because it may be a part of an identity.
        Field::Type => "offer".into(),
        Field::Sub1 => told.sub1(),
        Field::Sub2 => told.sub2(),
        Field::RefTxId
        | Field::Status
        | Field::State
        | Field::Reason
        | Field::Sub3
        | Field::Sub4
        | Field::Sub5 => String::new(),
    }
}

/// An amount in USD as the network writes it. Of another currency it is the same number: rates are not invented.
fn in_unit(amount: Micros, own: Option<&FieldDefinition>) -> Micros {
    match own.map(|own| &own.unit) {
        Some(Unit::UsdCents) => Micros(amount.0 * CENTS),
        _ => amount,
    }
}

fn time(at_ms: i64, own: Option<&FieldDefinition>) -> String {
    let at = || DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    match own.map(|own| own.format).unwrap_or_default() {
        TimeFormat::Seconds => at_ms.div_euclid(SECOND_MS).to_string(),
        TimeFormat::Millis => at_ms.to_string(),
        TimeFormat::Minutes => at().format("%Y%m%d%H%M").to_string(),
        TimeFormat::Rfc3339 => TimestampMs(at_ms).rfc3339(),
        TimeFormat::Text => at().format("%Y-%m-%d %H:%M:%S").to_string(),
    }
}
