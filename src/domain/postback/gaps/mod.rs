//! Which fields of a quarantined postback are missing or cannot be read, and the event it reports once a person has
//! stated them.

use crate::postback::event::Kind;
use crate::postback::event::{Event, Params};
use crate::postback::mapping::map_stated;
use crate::postback::networks::Call;
use crate::postback::networks::Field;
use crate::postback::networks::parameters::Parameters;
use crate::postback::stated::{NotStated, STATABLE, Stated, kind_name};

/// How much of a received value is repeated to a person, in characters.
const SHOWN_LEN: usize = 80;

/// One statable field of a quarantined postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// As in [`STATABLE`].
    pub name: &'static str,
    /// The parameter that should carry it.
    pub param: String,
    /// For people: the value received, or `missing`.
    pub received: String,
    /// True if it is missing or cannot be read, so that it can be stated.
    pub is_open: bool,
}

/// The fields of `call` that can be stated, each with what was received.
pub fn gaps(call: &Call<'_>, params: &Params) -> Vec<Gap> {
    let definition = params.definition();
    let sent = Parameters::tolerant(definition.parameters, call);
    // With everything else filled in, whether one field can be read does not depend on the others.
    let full = Stated {
        user_id: Some("x".into()),
        tx_id: Some("x".into()),
        status: Some(Kind::Credit),
        reward: Some("1".into()),
        payout: Some("1".into()),
    };
    let of_kind = definition.kinds.fields().next();
    STATABLE
        .into_iter()
        // Whatever decides, it is stated as the status; a network without transactions needs none.
        .filter_map(|(field, name)| match field {
            Field::Status => Some((field, of_kind?, name)),
            _ => definition.field(field).map(|own| (field, own.field, name)),
        })
        .map(|(field, received_as, name)| {
            let param = definition.parameter_of(received_as).to_owned();
            let values = sent.as_ref().map(|sent| sent.values(&param)).unwrap_or_default();
            let received = match values.as_slice() {
                [] => "missing".into(),
                [value] => match std::str::from_utf8(&value.decoded(params.plus())) {
                    Ok("") => "missing".into(),
                    Ok(text) => shown(text),
                    Err(_) => "not UTF-8".into(),
                },
                _ => "more than once".into(),
            };
            let rest = full.without(field);
            // How an amount is read may depend on the status; one that can be read counts.
            let read = [rest.without(Field::Status), rest]
                .iter()
                .find_map(|rest| map_stated(call, params, rest).ok().and_then(|event| said(&event, field)));
            Gap { name, param, received, is_open: read.is_none() }
        })
        .collect()
}

impl Stated {
    /// The event that `call` reports with these values; fails if one of them is not needed or something is still
    /// missing.
    pub fn event(&self, call: &Call<'_>, params: &Params) -> Result<Event, NotStated> {
        let event = map_stated(call, params, self).map_err(NotStated::StillQuarantined)?;
        for (field, name) in STATABLE.into_iter().filter(|(field, _)| self.has(*field)) {
            if let Ok(received) = map_stated(call, params, &self.without(field))
                && let Some(received) = said(&received, field)
            {
                return Err(NotStated::Readable { name, received: shown(&received) });
            }
        }
        Ok(event)
    }
}

/// The value of a statable field in an event.
fn said(event: &Event, field: Field) -> Option<String> {
    match field {
        Field::UserId => Some(event.user_id.clone()),
        Field::TxId => Some(event.tx_id.clone()),
        Field::Status => Some(kind_name(event.kind).to_owned()),
        Field::Reward => event.reward.map(|amount| amount.to_string()),
        Field::Payout => event.payout.map(|amount| amount.to_string()),
        _ => None,
    }
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_LEN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
