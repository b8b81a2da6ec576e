//! What makes an event unique, which reward it belongs to, and how its amounts are signed.

use crate::money::{Micros, MoneyError, Parsed, Sent};
use crate::postback::networks::Unit;
use crate::postback::networks::kinds::Meaning;
use crate::postback::networks::template::Template;

/// Hundredths in a whole.
const CENTS: i128 = 100;

/// The `[identity]` of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Two postbacks with the same event are one postback and its repeat, if they are of the same kind.
    pub event: Template,
    /// The reward that a credit creates; the same as `event` unless the network sends several events of one reward.
    pub reward: Template,
    /// The reward that a reversal takes back.
    pub reversal_of: Template,
    /// What the transaction of a reversal has before that of its credit, e.g. `r-`; empty if they are the same. A source
    /// may say otherwise.
    pub strip_prefix: String,
    /// Which signs amounts may have.
    pub amounts: Amounts,
}

/// Which sign the amounts of a network have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amounts {
    /// Never below zero.
    Positive,
    /// Credits are not below zero, reversals not above it.
    Signed,
    /// Credits are not below zero, reversals are written with or without a minus.
    Either,
}

impl Amounts {
    /// Every rule with its name in a definition.
    pub const ALL: [(&'static str, Self); 3] =
        [("positive", Self::Positive), ("signed", Self::Signed), ("either", Self::Either)];

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Positive => "never negative",
            Self::Signed => "negative for reversals",
            Self::Either => "of reversals with or without a minus",
        }
    }

    /// Whether the network writes amounts of `kind` with a minus.
    pub fn is_negative(self, kind: Meaning) -> bool {
        self == Self::Signed && kind == Meaning::Reversal
    }

    /// How much `sent` is for an event of `kind`, without its sign.
    pub fn magnitude(self, sent: Sent, kind: Meaning) -> Result<Parsed, BadAmount> {
        let parsed = Parsed { amount: sent.magnitude, rounded: sent.rounded };
        let reverses = kind == Meaning::Reversal;
        match (self, sent.negative) {
            (Self::Signed, false) if reverses && !sent.is_zero() => Err(BadAmount::PositiveReversal),
            (Self::Signed | Self::Either, true) if reverses => Ok(parsed),
            (_, true) => Err(BadAmount::Money(MoneyError::Negative)),
            (_, false) => Ok(parsed),
        }
    }
}

/// Why an amount cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAmount {
    /// As for every amount.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The network writes reversals with a minus, and this one has none.
    #[error("is positive, and this network writes reversals with a minus")]
    PositiveReversal,
}

impl Unit {
    /// Reads an amount in this unit: cents become dollars, exactly or rounded half to even.
    pub fn read(&self, text: &str) -> Result<Sent, MoneyError> {
        let sent = Micros::parse_sent(text)?;
        if *self != Self::UsdCents {
            return Ok(sent);
        }
        let micros = i128::from(sent.magnitude.0);
        let magnitude = Micros(crate::money::share(micros, CENTS));
        Ok(Sent { magnitude, rounded: sent.rounded || micros % CENTS != 0, ..sent })
    }

    /// The currency, ISO 4217.
    pub fn currency(&self) -> &str {
        match self {
            Self::Usd | Self::UsdCents => crate::money::PAYOUT_CURRENCY,
            Self::Currency(code) => code,
        }
    }
}

impl Identity {
    /// What makes the reward unique that an event of `kind` creates or takes back.
    pub fn reward_of(&self, kind: Meaning) -> &Template {
        if kind == Meaning::Reversal { &self.reversal_of } else { &self.reward }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_become_dollars_exactly() {
        let read = |text| Unit::UsdCents.read(text).map(|sent| (sent.magnitude.0, sent.rounded));
        assert_eq!(read("30"), Ok((300_000, false)));
        assert_eq!(read("0.0001"), Ok((1, false)));
        assert_eq!(read("0.00015"), Ok((2, true)));
        assert_eq!(read("1,5"), Err(MoneyError::NotDecimal));
    }

    #[test]
    fn a_sign_is_allowed_as_the_network_writes_it() {
        let check = |rule: Amounts, text, kind| {
            rule.magnitude(Micros::parse_sent(text).expect("an amount"), kind).map(|parsed| parsed.amount.0)
        };
        let (five, negative) = (Ok(5_000_000), Err(BadAmount::Money(MoneyError::Negative)));
        for rule in [Amounts::Positive, Amounts::Signed, Amounts::Either] {
            assert_eq!(check(rule, "5", Meaning::Credit), five);
            assert_eq!(check(rule, "-5", Meaning::Credit), negative);
        }
        assert_eq!(check(Amounts::Positive, "-5", Meaning::Reversal), negative);
        assert_eq!(check(Amounts::Signed, "5", Meaning::Reversal), Err(BadAmount::PositiveReversal));
        for (rule, text) in [(Amounts::Signed, "-5"), (Amounts::Either, "-5"), (Amounts::Either, "5")] {
            assert_eq!(check(rule, text, Meaning::Reversal), five);
        }
    }
}
