//! What can be expected of the gateway: what it learns from a call, and what the signature covers.

use domain::money::PAYOUT_CURRENCY;
use domain::postback::networks::coverage::Protection;
use domain::postback::networks::{Field, TimeFormat};

use super::PlanOptions;
use crate::call::{Forgery, Outlook};
use crate::mix::Variety;
use crate::template::Template;

/// What the gateway learns from the template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knows {
    /// Click and payout, if the network sends them: a template without them holds every reward.
    pub(super) basics: bool,
    /// The offer: without it a duplicate cannot be recognised.
    pub(super) offer: bool,
    /// Rule Q6 holds every reward.
    pub(super) is_open: bool,
}

impl Knows {
    pub(super) fn of(options: &PlanOptions) -> Self {
        let (template, network) = (&options.template, options.template.network());
        let click = network.definition().field(Field::ClickedAt);
        let click = click.is_some_and(|click| click.format != TimeFormat::Text);
        let payout = network.definition().field(Field::Payout);
        let payout = payout.is_some_and(|payout| payout.unit.currency() == PAYOUT_CURRENCY);
        let tells = |field, is_sent: bool| !is_sent || template.has(field);
        Self {
            basics: tells(Field::ClickedAt, click) && tells(Field::Payout, payout),
            offer: template.has(Field::OfferId),
            is_open: options.is_all_held(),
        }
    }

    /// What becomes of the credit of an event.
    pub(super) fn outlook(self, variety: Variety) -> Outlook {
        match variety {
            Variety::Broken => Outlook::Nothing,
            _ if self.is_open => Outlook::Held,
            Variety::WrongCountry => Outlook::Judged,
            _ if !self.basics => Outlook::Judged,
            Variety::ImpossibleSpeed => Outlook::Held,
            _ => Outlook::Credited,
        }
    }
}

/// The forgeries that the signature of the network must reveal: only of fields that it covers and the template has.
pub(super) fn forgeries(template: &Template) -> Vec<Forgery> {
    let network = template.network();
    let mut forgeries = vec![Forgery::WrongHash];
    if network.can_omit_signature() {
        forgeries.push(Forgery::MissingHash);
    }
    let is_covered = |field: &Field| {
        let definition = network.definition();
        let is_sent = definition.field(*field).is_some_and(|own| own.fixed.is_none());
        is_sent && template.has(*field) && definition.protection(*field) != Protection::Nothing
    };
    let fields = [Field::Reward, Field::Payout, Field::TxId, Field::UserId, Field::OfferId];
    forgeries.extend(fields.into_iter().find(is_covered).map(Forgery::Changed));
    forgeries
}
