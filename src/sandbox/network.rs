//! The network that the sandbox plays: its definition, and what follows from it for a plan.

use domain::postback::event::Params;
use domain::postback::networks::definition::ParameterSource;
use domain::postback::networks::kinds::{By, Meaning};
use domain::postback::networks::signature::{Message, Proof, SecretPlace};
use domain::postback::networks::{Definition, Field, Method, TimeFormat};
use domain::postback::signature::SignatureForm;

use super::call::Fault;
use super::mix::Variety;

/// A word that no network uses as a status.
pub(super) const UNKNOWN_WORD: &str = "7";

/// A network to play. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Network {
    params: Params,
}

impl Network {
    /// The network of that name; `None` if none of this name ships.
    pub fn shipped(name: &str) -> Option<Self> {
        Some(Self { params: Params::shipped(name)? })
    }

    /// The network of a definition.
    pub fn of(definition: Definition) -> Self {
        Self { params: Params::of(definition) }
    }

    /// The same with another signed part of the URL; `None` if it does not sign the URL.
    pub fn with_form(self, form: SignatureForm) -> Option<Self> {
        let mut definition = Definition::clone(self.definition());
        match &mut definition.signature.proof {
            Proof::Signed(scheme) if matches!(scheme.message, Message::Url(_)) => {
                scheme.message = Message::Url(form);
                Some(Self::of(definition))
            }
            _ => None,
        }
    }

    /// What is known of it.
    pub fn definition(&self) -> &Definition {
        self.params.definition()
    }

    pub(super) fn params(&self) -> &Params {
        &self.params
    }

    /// Every parameter with its macro, for a URL without a query; empty if the parameters are in a JSON body.
    pub fn query(&self) -> String {
        match self.definition().parameters {
            ParameterSource::Json => String::new(),
            ParameterSource::Query | ParameterSource::Form => self.definition().query_template(),
        }
    }

    /// The method of its calls: the first that its definition names.
    pub fn method(&self) -> Method {
        self.definition().methods.first().copied().unwrap_or(Method::Get)
    }

    /// True if the URL of a call does not name its transaction.
    pub fn hides_transactions(&self) -> bool {
        self.sends_bodies() || self.definition().field(Field::TxId).is_none()
    }

    /// True if its parameters are in a body.
    pub fn sends_bodies(&self) -> bool {
        let parameters = self.definition().parameters;
        parameters == ParameterSource::Json
            || (parameters == ParameterSource::Form && self.method() == Method::Post)
    }

    /// True if its signature leaves something open that decides about money: rule Q6 then holds every reward whose caller
    /// is not on the list of the source. Without any signature an unlisted caller is refused, so every other is listed.
    pub fn holds_unlisted_callers(&self) -> bool {
        let definition = self.definition();
        definition.signature.proof != Proof::Nothing && definition.unsigned().is_grave()
    }

    /// Why this network has no events of `variety`; `None` if it has.
    pub fn lacks(&self, variety: Variety) -> Option<&'static str> {
        let definition = self.definition();
        let has = |field| definition.field(field).is_some();
        let (is_there, why) = match variety {
            Variety::Honest | Variety::Repeat | Variety::Broken => (true, ""),
            Variety::ImpossibleSpeed => (self.tells_clicks(), "it sends no exact click time"),
            Variety::WrongCountry => {
                (has(Field::Ip) && has(Field::CountryCode), "it does not send address and country")
            }
            Variety::Reversal | Variety::EarlyReversal => (
                definition.kinds.rows.iter().any(|row| row.kind == Meaning::Reversal),
                "it sends no reversals",
            ),
            Variety::Duplicate if !has(Field::OfferId) => (false, "it sends no offer"),
            Variety::Duplicate => {
                let mut ids = definition.identity.reward.fields();
                let tells = ids.any(|field| matches!(field, Field::TxId | Field::ClickId));
                (tells, "it tells rewards apart by user and offer, not by transaction")
            }
            Variety::Forged => {
                (definition.signature.proof != Proof::Nothing, "it signs nothing that could be forged")
            }
        };
        (!is_there).then_some(why)
    }

    /// True if the click time can be read to the second.
    fn tells_clicks(&self) -> bool {
        let click = self.definition().field(Field::ClickedAt);
        click.is_some_and(|click| !matches!(click.format, TimeFormat::Text | TimeFormat::Minutes))
    }

    /// The faults that keep its calls from being mapped.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let kinds = &self.definition().kinds;
        let by_sign = kinds.by.contains(&By::Sign);
        let words = vec![UNKNOWN_WORD; kinds.by.len()];
        let is_unknown = !kinds.by.is_empty() && !by_sign && kinds.decide(&words).is_none();
        let mut faults = Vec::new();
        if !by_sign && self.money_field().is_some() {
            faults.push(Fault::NegativeMoney);
        }
        faults.push(Fault::MissingUser);
        if is_unknown {
            faults.push(Fault::UnknownStatus);
        }
        faults
    }

    /// The amount that a credit cannot do without, if the network sends it.
    pub(super) fn money_field(&self) -> Option<Field> {
        match self.definition().field(Field::Reward) {
            Some(reward) => reward.fixed.is_none().then_some(Field::Reward),
            None => Some(Field::Payout),
        }
    }

    /// True if a reversal may leave its amounts out.
    pub(super) fn may_omit_amounts(&self) -> bool {
        !self.definition().kinds.by.contains(&By::Sign)
    }

    /// True if a call can do without a signature and still reach the source.
    pub(super) fn can_omit_signature(&self) -> bool {
        self.definition().signature.proof != Proof::SharedSecret(SecretPlace::PathEnd)
    }

    /// The value of `field` if it decides that a call means `kind`; `number` counts the rows of the table that do.
    pub(super) fn word(&self, kind: Meaning, number: usize, field: Field) -> Option<String> {
        if !self.decides(field) {
            return None;
        }
        let kinds = &self.definition().kinds;
        let rows = kinds.examples(kind).count().max(1);
        let row = kinds.examples(kind).nth(number % rows)?;
        row.into_iter().find(|(by, _)| *by == By::Field(field)).map(|(_, word)| word)
    }

    /// True if `field` decides about the kind.
    pub(super) fn decides(&self, field: Field) -> bool {
        self.definition().kinds.by.contains(&By::Field(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str) -> Network {
        Network::shipped(name).expect("it ships")
    }

    #[test]
    fn what_a_network_lacks_is_said_with_its_reason() {
        let targo = network("targo");
        assert!(Variety::ALL.iter().all(|variety| targo.lacks(*variety).is_none()));
        let tapjoy = network("tapjoy");
        let lacks: Vec<_> =
            Variety::ALL.into_iter().filter(|variety| tapjoy.lacks(*variety).is_some()).collect();
        let missing = [
            Variety::ImpossibleSpeed,
            Variety::WrongCountry,
            Variety::Reversal,
            Variety::EarlyReversal,
            Variety::Duplicate,
        ];
        assert_eq!(lacks, missing);
        assert_eq!(
            network("wannads-new").lacks(Variety::Forged),
            Some("it signs nothing that could be forged")
        );
        assert!(network("playtimeads").lacks(Variety::Duplicate).is_some());
    }

    #[test]
    fn a_network_breaks_only_where_its_table_has_no_word() {
        assert_eq!(
            network("targo").faults(),
            [Fault::NegativeMoney, Fault::MissingUser, Fault::UnknownStatus]
        );
        assert_eq!(network("notik").faults(), [Fault::MissingUser], "a minus is a reversal there");
        assert_eq!(
            network("mychips").faults(),
            [Fault::NegativeMoney, Fault::MissingUser],
            "any reason is known"
        );
        assert_eq!(network("unity-ads").faults(), [Fault::MissingUser], "it sends no amount");
    }

    #[test]
    fn only_open_signatures_hold_unlisted_callers() {
        assert!(network("cpx-research").holds_unlisted_callers());
        assert!(!network("bitlabs").holds_unlisted_callers() && !network("targo").holds_unlisted_callers());
        assert!(!network("wannads-new").holds_unlisted_callers(), "an unlisted caller is refused there");
    }

    #[test]
    fn only_a_signed_url_has_a_form() {
        let bitlabs = network("bitlabs").with_form(SignatureForm::Empty).expect("it signs the URL");
        assert_eq!(bitlabs.definition().signature.url_form(), Some(SignatureForm::Empty));
        assert!(network("cpx-research").with_form(SignatureForm::Cut).is_none());
    }
}
