//! The bounds of every parameter of a population.

use super::persona::Persona;
use super::places::blocks;
use super::population::{Class, MAX_OFFERS, Population, Range, SCHEMES, Scheme};
use crate::addresses::HOMES;

/// Why parameters are invalid: the key, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` must be {must}, not {is}")]
pub struct BadPopulation {
    key: String,
    must: String,
    is: String,
}

/// Most sources, and most values of a sub id.
const MAX_NAMES: u32 = 200;
/// Most steps of an offer.
const MAX_STEPS: u32 = 20;
/// Most accounts, and most offers of each, in one wave.
const MAX_WAVE: u32 = 1_000;
/// Longest time of anything, in seconds: a year.
const MAX_S: f64 = 366.0 * 86_400.0;
/// Most that an offer pays, in cents.
const MAX_CENTS: u32 = 1_000_000;

impl Population {
    /// The parameters, if every one is within its bounds.
    pub fn validated(self) -> Result<Self, BadPopulation> {
        within("zipf", self.zipf, 0.0, 5.0)?;
        within("sub_ids", self.sub_ids, 1, MAX_NAMES)?;
        within("sources", self.sources.len(), 1, 10)?;
        within("callers", self.callers.len(), 1, 100)?;
        for name in &self.sources {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
                return Err(bad("sources", "names of 1 to 64 lower-case letters, digits, - and _", name));
            }
            if self.sources.iter().filter(|other| *other == name).count() > 1 {
                return Err(bad("sources", "names that differ", name));
            }
        }
        self.check_countries()?;
        self.check_users()?;
        self.check_network()?;
        let mut offers = 0;
        for (name, class) in self.classes() {
            class.check(&format!("classes.{name}"))?;
            offers += class.offers;
        }
        within("classes.*.offers together", offers, 1, MAX_OFFERS)?;
        let mut shares = 0.0;
        for persona in SCHEMES {
            let Some(scheme) = self.scheme(persona) else { continue };
            scheme.check(&format!("fraud.{}", persona.name()))?;
            // Shares of a scheme that is active for a part of the period count more while it is.
            shares += scheme.share / (scheme.active[1] - scheme.active[0]);
        }
        within("fraud.*.share together, each divided by its active part of the period,", shares, 0.0, 0.9)?;
        Ok(self)
    }

    fn check_countries(&self) -> Result<(), BadPopulation> {
        within("the number of `countries`", self.countries.len(), 1, 250)?;
        if let Some(unknown) = self.countries.iter().find(|country| blocks(country).is_empty()) {
            let mut known: Vec<_> = HOMES.iter().map(|block| block.country).collect();
            known.dedup();
            return Err(bad("countries", format!("some of {}", known.join(", ")), unknown));
        }
        let has_ipv6 = |country: &String| blocks(country).iter().any(|block| block.is_ipv6());
        if self.share(Persona::FarmIpv6) > 0.0 && !self.countries.iter().any(has_ipv6) {
            return Err(bad("fraud.farm_ipv6.share", "0 if none of the `countries` has IPv6", "above 0"));
        }
        Ok(())
    }

    fn check_users(&self) -> Result<(), BadPopulation> {
        let users = &self.users;
        within("users.credits_per_user", users.credits_per_user, 1.0, 1_000.0)?;
        within("users.activity_alpha", users.activity_alpha, 0.5, 20.0)?;
        within("users.most_activity", users.most_activity, 1.0, 10_000.0)?;
        for (key, share) in [
            ("users.new_share", users.new_share),
            ("users.again", users.again),
            ("users.household", users.household),
            ("users.carrier", users.carrier),
            ("users.traveller", users.traveller),
            ("users.mobile", users.mobile),
            ("users.ipv6", users.ipv6),
        ] {
            within(key, share, 0.0, 1.0)?;
        }
        let personas = users.household + users.carrier + users.traveller;
        within("users.household, users.carrier and users.traveller together", personas, 0.0, 1.0)?;
        range("users.household_members", users.household_members, 1, 100)?;
        within("users.carrier_addresses", users.carrier_addresses, 1, 250)?;
        within("users.trip_every_days", users.trip_every_days, 1, 366)?;
        within("users.trip_days", users.trip_days, 0, users.trip_every_days)
    }

    fn check_network(&self) -> Result<(), BadPopulation> {
        let (network, slow) = (&self.network, &self.slow);
        within("network.repeated", network.repeated, 0.0, 1.0)?;
        within("network.repeated_after_s", network.repeated_after_s, 1, 30 * 86_400)?;
        within("network.reversed", network.reversed, 0.0, 1.0)?;
        within("network.reversed_after_hours", network.reversed_after_hours, 0.1, MAX_S / 3_600.0)?;
        within("network.reversed_sigma", network.reversed_sigma, 0.0, 3.0)?;
        within("slow.share", slow.share, 0.0, 1.0)?;
        within("slow.median_hours", slow.median_hours, 0.1, MAX_S / 3_600.0)?;
        within("slow.sigma", slow.sigma, 0.0, 3.0)
    }
}

impl Class {
    fn check(&self, at: &str) -> Result<(), BadPopulation> {
        let key = |name: &str| format!("{at}.{name}");
        within(key("offers"), self.offers, 1, MAX_OFFERS)?;
        within(key("share"), self.share, 0.0, 1.0)?;
        within(key("median_s"), self.median_s, 1.0, MAX_S)?;
        within(key("sigma"), self.sigma, 0.0, 3.0)?;
        within(key("offer_sigma"), self.offer_sigma, 0.0, 3.0)?;
        within(key("least_s"), self.least_s, 0.0, self.median_s / 2.0)?;
        within(key("tail"), self.tail, 0.0, 1.0)?;
        within(key("tail_median_s"), self.tail_median_s, 1.0, MAX_S)?;
        range(key("payout_cents"), self.payout_cents, 1, MAX_CENTS)?;
        within(key("steps"), self.steps, 1, MAX_STEPS)?;
        within(key("step_growth"), self.step_growth, 0.1, 10.0)?;
        within(key("next_step"), self.next_step, 0.0, 1.0)
    }
}

impl Scheme {
    fn check(&self, at: &str) -> Result<(), BadPopulation> {
        let key = |name: &str| format!("{at}.{name}");
        within(key("share"), self.share, 0.0, 1.0)?;
        range(key("accounts"), self.accounts, 1, MAX_WAVE)?;
        range(key("offers"), self.offers, 1, MAX_WAVE)?;
        within(key("hours"), self.hours, 0.01, MAX_S / 3_600.0)?;
        range(key("active"), self.active, 0.0, 1.0)?;
        within(format!("the length of `{at}.active`"), self.active[1] - self.active[0], 0.01, 1.0)?;
        within(key("reversed"), self.reversed, 0.0, 1.0)?;
        within(key("proxied"), self.proxied, 0.0, 1.0)?;
        range(key("speed"), self.speed, 0.0, 100.0)?;
        within(key("sigma"), self.sigma, 0.0, 3.0)?;
        range(key("seconds"), self.seconds, 0.0, MAX_S)
    }
}

impl BadPopulation {
    /// `key` must be something else than it is.
    pub(super) fn of(key: &str, must: &str, is: &str) -> Self {
        bad(key, must, is)
    }

    /// Refuses a value out of its bounds, both inclusive.
    pub(super) fn within<T: PartialOrd + std::fmt::Display + Copy>(
        key: &str,
        value: T,
        least: T,
        most: T,
    ) -> Result<(), Self> {
        within(key, value, least, most)
    }
}

fn bad(key: impl Into<String>, must: impl Into<String>, is: impl Into<String>) -> BadPopulation {
    BadPopulation { key: key.into(), must: must.into(), is: is.into() }
}

fn within<T: PartialOrd + std::fmt::Display + Copy>(
    key: impl Into<String>,
    value: T,
    least: T,
    most: T,
) -> Result<(), BadPopulation> {
    // A number that is none is neither above nor below.
    if value >= least && value <= most {
        return Ok(());
    }
    Err(bad(key, format!("between {least} and {most}"), value.to_string()))
}

fn range<T: PartialOrd + std::fmt::Display + Copy>(
    key: impl Into<String>,
    [from, to]: Range<T>,
    least: T,
    most: T,
) -> Result<(), BadPopulation> {
    if least <= from && from <= to && to <= most {
        return Ok(());
    }
    let must = format!("a range [least, most] within {least} and {most}");
    Err(bad(key, must, format!("[{from}, {to}]")))
}
