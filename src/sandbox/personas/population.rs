//! The parameters of a population, as its file says them. `personas.example.toml` documents every key.

use std::net::IpAddr;

use serde::Deserialize;

use super::persona::Persona;

/// Least and most of a range, both inclusive.
pub(super) type Range<T> = [T; 2];

/// What a population is made of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// First day, UTC, as `YYYY-MM-DD`.
    pub(super) start: String,
    /// The `public_url` that the network signs.
    pub origin: String,
    /// Currency of the rewards.
    pub currency: String,
    /// Reward units per USD of payout.
    pub reward_per_usd: String,
    /// Addresses that the network calls from.
    pub callers: Vec<IpAddr>,
    /// Names of the sources, the busiest first.
    pub(super) sources: Vec<String>,
    /// Countries of the users, the busiest first.
    pub(super) countries: Vec<String>,
    /// Number of values of the first sub id.
    pub(super) sub_ids: u32,
    /// How much busier the first of sources, sub ids and offers is.
    pub(super) zipf: f64,
    /// The users.
    pub(super) users: Users,
    /// What the network does besides.
    pub(super) network: Quirks,
    /// Times of those who finish late.
    pub(super) slow: Slow,
    /// The classes of offers.
    pub(super) classes: Classes,
    /// The schemes of fraud.
    pub(super) fraud: Fraud,
}

/// Honest users.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Users {
    pub(super) credits_per_user: f64,
    pub(super) activity_alpha: f64,
    pub(super) most_activity: f64,
    pub(super) new_share: f64,
    pub(super) again: f64,
    pub(super) household: f64,
    pub(super) carrier: f64,
    pub(super) traveller: f64,
    pub(super) household_members: Range<u32>,
    pub(super) mobile: f64,
    pub(super) ipv6: f64,
    pub(super) carrier_addresses: u32,
    pub(super) trip_every_days: u32,
    pub(super) trip_days: u32,
}

/// Repeats and honest reversals.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quirks {
    pub(super) repeated: f64,
    pub(super) repeated_after_s: u32,
    pub(super) reversed: f64,
    pub(super) reversed_after_hours: f64,
    pub(super) reversed_sigma: f64,
}

/// Slow finishers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slow {
    pub(super) share: f64,
    pub(super) median_hours: f64,
    pub(super) sigma: f64,
}

/// The classes of offers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Classes {
    pub(super) install: Class,
    pub(super) signup: Class,
    pub(super) survey: Class,
    pub(super) level: Class,
    pub(super) purchase: Class,
}

/// One class of offers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Class {
    pub(super) offers: u32,
    pub(super) share: f64,
    pub(super) median_s: f64,
    pub(super) sigma: f64,
    pub(super) offer_sigma: f64,
    pub(super) least_s: f64,
    pub(super) tail: f64,
    pub(super) tail_median_s: f64,
    pub(super) payout_cents: Range<u32>,
    pub(super) steps: u32,
    pub(super) step_growth: f64,
    pub(super) next_step: f64,
}

/// The schemes of fraud, by their personas' names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fraud {
    speed_bot: Scheme,
    click_injector: Scheme,
    farm_ipv6: Scheme,
    farm_ipv4: Scheme,
    hosting: Scheme,
    duration_twin: Scheme,
    level_spoofer: Scheme,
    chargeback_user: Scheme,
    account_trader: Scheme,
    slow_poisoner: Scheme,
}

/// One scheme: waves of accounts that do offers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scheme {
    pub(super) share: f64,
    pub(super) accounts: Range<u32>,
    pub(super) offers: Range<u32>,
    pub(super) hours: f64,
    pub(super) active: Range<f64>,
    pub(super) reversed: f64,
    pub(super) proxied: f64,
    pub(super) speed: Range<f64>,
    pub(super) sigma: f64,
    pub(super) seconds: Range<f64>,
}

/// Most offers together: a user remembers those done in as many bits.
pub(super) const MAX_OFFERS: u32 = 256;
/// The schemes, in the order in which they are played.
pub(super) const SCHEMES: [Persona; 10] = [
    Persona::SpeedBot,
    Persona::ClickInjector,
    Persona::FarmIpv6,
    Persona::FarmIpv4,
    Persona::Hosting,
    Persona::DurationTwin,
    Persona::LevelSpoofer,
    Persona::ChargebackUser,
    Persona::AccountTrader,
    Persona::SlowPoisoner,
];

impl Population {
    /// The scheme of a persona; honest ones have none.
    pub(super) fn scheme(&self, persona: Persona) -> Option<&Scheme> {
        let fraud = &self.fraud;
        Some(match persona {
            Persona::Home
            | Persona::Household
            | Persona::Carrier
            | Persona::Traveller
            | Persona::SlowFinisher => return None,
            Persona::SpeedBot => &fraud.speed_bot,
            Persona::ClickInjector => &fraud.click_injector,
            Persona::FarmIpv6 => &fraud.farm_ipv6,
            Persona::FarmIpv4 => &fraud.farm_ipv4,
            Persona::Hosting => &fraud.hosting,
            Persona::DurationTwin => &fraud.duration_twin,
            Persona::LevelSpoofer => &fraud.level_spoofer,
            Persona::ChargebackUser => &fraud.chargeback_user,
            Persona::AccountTrader => &fraud.account_trader,
            Persona::SlowPoisoner => &fraud.slow_poisoner,
        })
    }

    /// The share of all credits that a persona's scheme gets; 0 for honest ones.
    pub fn share(&self, persona: Persona) -> f64 {
        self.scheme(persona).map_or(0.0, |scheme| scheme.share)
    }

    /// The classes with their keys.
    pub(super) fn classes(&self) -> [(&'static str, &Class); 5] {
        let classes = &self.classes;
        [
            ("install", &classes.install),
            ("signup", &classes.signup),
            ("survey", &classes.survey),
            ("level", &classes.level),
            ("purchase", &classes.purchase),
        ]
    }
}
