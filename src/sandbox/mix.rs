//! The mix: the share of each variety of events.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variety {
    /// Completed in a plausible time, from the right country. Credited.
    Honest,
    /// Completed one to four seconds after the click. Held.
    ImpossibleSpeed,
    /// The address is registered in one country, the network reports another. Held or credited, depending on the geo
    /// databases of the gateway.
    WrongCountry,
    /// An honest event that is sent again: at the same instant on another connection, or later. Credited once.
    Repeat,
    /// An honest event that the network takes back later. Reversed.
    Reversal,
    /// A reversal that comes before its credit. Reversed.
    EarlyReversal,
    /// The same user and task under a new transaction: two events. The first is credited, the second held.
    Duplicate,
    /// Not signed with the secret: wrong hash, no hash, or an amount changed after signing. No effect.
    Forged,
    /// Signed, but cannot be mapped: negative money, no user, unknown status. Quarantined.
    Broken,
}

impl Variety {
    /// Every variety, in the order of a report.
    pub const ALL: [Self; 9] = [
        Self::Honest,
        Self::ImpossibleSpeed,
        Self::WrongCountry,
        Self::Repeat,
        Self::Reversal,
        Self::EarlyReversal,
        Self::Duplicate,
        Self::Forged,
        Self::Broken,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::ImpossibleSpeed => "impossible speed",
            Self::WrongCountry => "wrong country",
            Self::Repeat => "repeat",
            Self::Reversal => "reversal",
            Self::EarlyReversal => "early reversal",
            Self::Duplicate => "duplicate",
            Self::Forged => "forged",
            Self::Broken => "broken",
        }
    }
}

/// Shares of the events, each from 0 to 1; the rest is honest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mix {
    /// Completed within 1 to 4 s. Default 0.05: a bad day at one offer.
    pub impossible_speed: f64,
    /// Address and reported country differ. Default 0.05: about the error rate of registry data.
    pub wrong_country: f64,
    /// Sent again. Default 0.05: networks repeat calls that were acknowledged slowly.
    pub repeat: f64,
    /// Reversed later. Default 0.03.
    pub reversal: f64,
    /// Reversed before the credit. Default 0.01.
    pub early_reversal: f64,
    /// The same task under a new transaction. Default 0.01.
    pub duplicate: f64,
    /// Not from the network. Default 0.03.
    pub forged: f64,
    /// Signed, but unusable. Default 0.01.
    pub broken: f64,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            impossible_speed: 0.05,
            wrong_country: 0.05,
            repeat: 0.05,
            reversal: 0.03,
            early_reversal: 0.01,
            duplicate: 0.01,
            forged: 0.03,
            broken: 0.01,
        }
    }
}

/// Why a mix is invalid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadMix {
    /// Name and value of a share outside 0 to 1.
    #[error("the share of `{0}` must be between 0 and 1, not {1}")]
    Share(&'static str, String),
    /// The sum of the shares exceeds 1.
    #[error("the shares add up to {0}, more than 1")]
    Sum(f64),
    /// Not `name=share`.
    #[error("`{0}` is not a share like `forged=0.05`; known: {1}")]
    Unknown(String, String),
}

impl Mix {
    /// Only honest events, for benchmarks.
    pub const HONEST: Self = Self {
        impossible_speed: 0.0,
        wrong_country: 0.0,
        repeat: 0.0,
        reversal: 0.0,
        early_reversal: 0.0,
        duplicate: 0.0,
        forged: 0.0,
        broken: 0.0,
    };

    /// Name in settings, variety and share of each variety except honest.
    pub fn shares(&self) -> [(&'static str, Variety, f64); 8] {
        [
            ("impossible_speed", Variety::ImpossibleSpeed, self.impossible_speed),
            ("wrong_country", Variety::WrongCountry, self.wrong_country),
            ("repeat", Variety::Repeat, self.repeat),
            ("reversal", Variety::Reversal, self.reversal),
            ("early_reversal", Variety::EarlyReversal, self.early_reversal),
            ("duplicate", Variety::Duplicate, self.duplicate),
            ("forged", Variety::Forged, self.forged),
            ("broken", Variety::Broken, self.broken),
        ]
    }

    /// The mix, if every share is between 0 and 1 and their sum is at most 1.
    pub fn validated(self) -> Result<Self, BadMix> {
        for (name, _, share) in self.shares() {
            if !(0.0..=1.0).contains(&share) {
                return Err(BadMix::Share(name, share.to_string()));
            }
        }
        let sum: f64 = self.shares().iter().map(|(_, _, share)| share).sum();
        // Decimal shares such as 0.1 are not exact in binary.
        if sum > 1.0 + 1e-9 { Err(BadMix::Sum(sum)) } else { Ok(self) }
    }

    /// The same without these varieties: what would have been one of them is honest.
    #[must_use]
    pub(super) fn without(mut self, varieties: impl IntoIterator<Item = Variety>) -> Self {
        for variety in varieties {
            match variety {
                Variety::Honest => {}
                Variety::ImpossibleSpeed => self.impossible_speed = 0.0,
                Variety::WrongCountry => self.wrong_country = 0.0,
                Variety::Repeat => self.repeat = 0.0,
                Variety::Reversal => self.reversal = 0.0,
                Variety::EarlyReversal => self.early_reversal = 0.0,
                Variety::Duplicate => self.duplicate = 0.0,
                Variety::Forged => self.forged = 0.0,
                Variety::Broken => self.broken = 0.0,
            }
        }
        self
    }

    /// The variety at `point` between 0 and 1, with the shares side by side.
    pub(super) fn variety_at(&self, point: f64) -> Variety {
        let mut end = 0.0;
        let found = self.shares().into_iter().find(|(_, _, share)| {
            end += share;
            point < end
        });
        found.map_or(Variety::Honest, |(_, variety, _)| variety)
    }
}

/// `forged=0.1,broken=0` changes shares of the default mix; `honest,forged=0.1` starts from [`Mix::HONEST`].
impl FromStr for Mix {
    type Err = BadMix;

    fn from_str(text: &str) -> Result<Self, BadMix> {
        let mut mix = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            if part == "honest" {
                mix = Self::HONEST;
                continue;
            }
            let unknown = || {
                let known = Self::HONEST.shares().map(|(name, ..)| name).join(", ");
                BadMix::Unknown(part.into(), known)
            };
            let (name, share) = part.split_once('=').ok_or_else(unknown)?;
            let slot = match name.trim() {
                "impossible_speed" => &mut mix.impossible_speed,
                "wrong_country" => &mut mix.wrong_country,
                "repeat" => &mut mix.repeat,
                "reversal" => &mut mix.reversal,
                "early_reversal" => &mut mix.early_reversal,
                "duplicate" => &mut mix.duplicate,
                "forged" => &mut mix.forged,
                "broken" => &mut mix.broken,
                _ => return Err(unknown()),
            };
            *slot = share.trim().parse().map_err(|_| unknown())?;
        }
        mix.validated()
    }
}

/// The form that [`Mix::from_str`] reads.
impl fmt::Display for Mix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = self.shares().map(|(name, _, share)| format!("{name}={share}"));
        out.write_str(&shares.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_read_over_the_defaults_and_written_back() {
        let mix: Mix = "forged=0.5, broken=0".parse().expect("a good mix");
        assert_eq!(mix, Mix { forged: 0.5, broken: 0.0, ..Mix::default() });
        assert_eq!(mix.to_string().parse(), Ok(mix));
        assert_eq!("honest".parse(), Ok(Mix::HONEST));
        assert_eq!("honest,forged=0.5".parse(), Ok(Mix { forged: 0.5, ..Mix::HONEST }));
    }

    #[test]
    fn shares_that_cannot_be_are_refused() {
        let error = |text: &str| text.parse::<Mix>().expect_err("a bad mix");
        assert!(matches!(error("forged=0.9"), BadMix::Sum(_)));
        assert!(matches!(error("forged=-0.1"), BadMix::Share("forged", _)));
        assert!(matches!(error("forged=NaN"), BadMix::Share("forged", _)));
        for text in ["forgd=0.1", "forged", "forged=much"] {
            assert!(error(text).to_string().contains("known: impossible_speed, "), "{text}");
        }
        let exact = "impossible_speed=0.1,wrong_country=0.2,repeat=0.3,reversal=0.1,early_reversal=0.1,\
                     duplicate=0.1,forged=0.05,broken=0.05";
        assert!(exact.parse::<Mix>().is_ok());
    }
}
