//! What a network says of an event: the value of each of its fields.

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
        let (definition, kind) = (network.definition(), act.meaning());
        let number = if let Act::Reversal { word, .. } = act { word } else { 0 };
        if let Some(word) = network.word(kind, number, field) {
            return word;
        }
        let is_reversal = kind == Meaning::Reversal;
        let identity = &definition.identity;
        let sign = if identity.amounts.is_negative(kind) { "-" } else { "" };
        let own = definition.field(field);
        match field {
            Field::UserId => self.user_id(),
            Field::TxId if is_reversal => {
                if identity.reversal_of.fields().any(|field| field == Field::TxId) {
                    format!("{}{}", identity.strip_prefix, self.tx_id())
                } else {
                    // It has a transaction of its own, and names that of the credit elsewhere.
                    format!("{}-r", self.tx_id())
                }
            }
            Field::TxId | Field::ClickId => self.tx_id(),
            Field::RefTxId if is_reversal => self.tx_id(),
            Field::Reward => format!("{sign}{}", self.reward),
            Field::Payout => format!("{sign}{}", in_unit(self.payout, own)),
            Field::OfferId => self.task.offer_id.into(),
            Field::OfferName => self.task.offer_name.into(),
            Field::EventId => self.task.event_id.into(),
            Field::EventName => self.task.event_name.into(),
            Field::Ip => self.ip.to_string(),
            Field::CountryCode => self.country_code.into(),
            Field::ClickedAt => time(clicked_at_ms, own),
            Field::ConvertedAt => time(clicked_at_ms + self.took_ms, own),
            Field::Test => "0".into(),
            Field::Reason if is_reversal => "chargeback".into(),
            // Decided by other fields; the same in every call, because it may be a part of an identity.
            Field::Type => "offer".into(),
            Field::Sub1 => "sandbox".into(),
            Field::Sub2 => format!("placement {}", self.user % 5),
            Field::RefTxId
            | Field::Status
            | Field::State
            | Field::Reason
            | Field::Sub3
            | Field::Sub4
            | Field::Sub5 => String::new(),
        }
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
