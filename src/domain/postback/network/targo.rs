//! `TarGo`: macros, statuses and the answer that acknowledges.
//!
//! Source: its public documentation (configuration, postback security), including an older page that says POST and
//! `status` 0 for a reversal. Both methods and both numbers are accepted; fields are in the query either way.

use super::{Field, FieldDefinition, Kind};

const fn field(field: Field, name: &'static str, max_len: usize) -> FieldDefinition {
    FieldDefinition { field, name, max_len }
}

/// The documented macros. Ids are short in practice; the limits keep one row's indexed values small.
pub(super) const FIELDS: [FieldDefinition; 14] = [
    field(Field::UserId, "user_id", 256),
    field(Field::TxId, "tx_id", 256),
    field(Field::Reward, "reward", 64),
    field(Field::Payout, "payout", 64),
    field(Field::Status, "status", 64),
    field(Field::OfferId, "offer_id", 256),
    field(Field::OfferName, "offer_name", 1_024),
    field(Field::EventId, "event_id", 256),
    field(Field::EventName, "event_name", 1_024),
    field(Field::Ip, "ip", 64),
    field(Field::CountryCode, "country_code", 16),
    field(Field::Timestamp, "timestamp", 32),
    field(Field::Sub1, "sub1", 1_024),
    field(Field::Sub2, "sub2", 1_024),
];

/// Five repetitions, six hours apart (its documentation of postbacks); after that only its people send again.
pub(super) const RETRY_HORIZON_MS: i64 = 5 * 6 * 60 * 60 * 1_000;

/// 1 is approved; 2 (today's page) and 0 (the older one) are reversed.
pub(super) fn kind(status: &str) -> Option<Kind> {
    match status {
        "1" => Some(Kind::Credit),
        "0" | "2" => Some(Kind::Reversal),
        _ => None,
    }
}

/// The value of today's page.
pub(super) fn status_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Credit => "1",
        Kind::Reversal => "2",
    }
}

/// The postback counts as delivered only for 200 and a body that contains `1` or `OK`.
pub fn is_acknowledged(status: u16, body: &str) -> bool {
    status == 200 && (body.contains('1') || body.contains("OK"))
}
