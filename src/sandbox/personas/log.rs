//! Each call as the network signs and sends it.

use std::net::IpAddr;

use domain::money::{MICROS_PER_UNIT, Micros};
use domain::postback::networks::kinds::Meaning;
use domain::postback::networks::signature::{Place, Refusal};
use domain::postback::networks::{Field, Method};
use domain::text::hex;

use super::bounds::BadPopulation;
use super::chance::Chance;
use super::line::{Act, Completion, Line};
use super::offers::{Offer, Step};
use super::persona::Persona;
use super::population::Population;
use super::schedule::{Extent, Schedule};
use crate::mix::Variety;
use crate::network::Network;
use crate::signer::{Secrets, Signer, SignerError};
use crate::template::{Template, TemplateError};
use crate::values::{Told, genuine};

/// Odd, so that multiplying by it gives every number once: ids that do not tell their order.
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;
/// Bits of a transaction's number.
const TX_BITS: u64 = (1 << 48) - 1;
/// Bits of a user's number.
const USER_BITS: u64 = (1 << 32) - 1;
/// Words of a source's secret, of 8 bytes each.
const SECRET_WORDS: usize = 4;

/// The calls of a population to its sources, in order of time.
#[derive(Debug)]
pub struct Log {
    schedule: Schedule,
    network: Network,
    sources: Vec<Source>,
    ratio: Micros,
    seed: u64,
}

/// One source.
#[derive(Debug)]
struct Source {
    name: String,
    secret: String,
    template: Template,
    signer: Signer,
}

/// A call as whoever received it would log it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// What it is.
    pub line: Line,
    /// Name of the source.
    pub source: String,
    /// Path and query, signed.
    pub target: String,
    /// Where the network called from.
    pub remote_ip: IpAddr,
    /// Transaction ID of the credit.
    pub tx_id: String,
    /// User ID at the publisher.
    pub user_id: String,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A parameter out of its bounds.
    #[error(transparent)]
    Population(#[from] BadPopulation),
    /// The `origin` cannot be called.
    #[error("`origin`: {0}")]
    Template(#[from] TemplateError),
    /// The network's secrets are of another form than one secret.
    #[error("this network signs with more than one secret, which no personas are made for: {0}")]
    Signer(#[from] SignerError),
    /// An access log has neither bodies nor headers.
    #[error(
        "{0} sends bodies or headers, which no access log has: choose a network that sends GET with a query"
    )]
    NoQuery(String),
    /// A call cannot be signed.
    #[error("a call cannot be signed: {0}")]
    Refused(Refusal),
}

impl Log {
    /// The log of `population` at `network`.
    pub fn of(population: Population, network: &Network, extent: Extent) -> Result<Self, LogError> {
        let definition = network.definition();
        let in_header = matches!(definition.signature.place(), Some(Place::Header { .. }));
        let in_target = network.method() == Method::Get && !network.sends_bodies() && !in_header;
        if !in_target || definition.signature.proof.needs().public_keys {
            return Err(LogError::NoQuery(definition.title.clone()));
        }
        let ratio = Micros::parse(&population.reward_per_usd).ok().filter(|parsed| !parsed.rounded);
        let ratio = ratio.map(|parsed| parsed.amount).filter(|ratio| (1..=MAX_RATIO.0).contains(&ratio.0));
        let ratio = ratio.ok_or_else(|| {
            let must = format!("an amount above 0, at most {MAX_RATIO}");
            BadPopulation::of("reward_per_usd", &must, &population.reward_per_usd)
        })?;
        let schedule = Schedule::of(population, extent, network.lacks(Variety::Reversal).is_none())?;
        let population = &schedule.world.population;
        let mut chance = Chance::of(extent.seed.rotate_left(32));
        let mut sources = Vec::new();
        for name in &population.sources {
            let words: [u64; SECRET_WORDS] = std::array::from_fn(|_| chance.bits());
            let secret = hex(&words.map(u64::to_be_bytes).concat());
            let url = format!("{}/pb/{name}?{}", population.origin, network.query());
            let template = Template::parse(&url, network)?;
            let secrets = Secrets { secret: secret.clone().into_bytes(), second: Vec::new() };
            let signer = Signer::new(&template, None, &secrets)?;
            sources.push(Source { name: name.clone(), secret, template, signer });
        }
        Ok(Self { schedule, network: network.clone(), sources, ratio, seed: extent.seed })
    }

    /// Its parameters.
    pub fn population(&self) -> &Population {
        &self.schedule.world.population
    }

    /// False if the source must say what a payout is worth.
    pub fn names_rewards(&self) -> bool {
        self.network.definition().field(Field::Reward).is_some()
    }

    /// Name and secret of each source.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().map(|source| (source.name.as_str(), source.secret.as_str()))
    }

    fn logged(&self, line: Line) -> Result<Logged, LogError> {
        let completion = &line.completion;
        let source = &self.sources[completion.source];
        let (offer, step) = self.schedule.done(completion);
        let user_id = scattered(u64::from(completion.user), self.seed, USER_BITS);
        let tx_id = scattered(completion.number, self.seed, TX_BITS);
        let said = Said {
            user_id: format!("u{user_id:010}"),
            tx_id: format!("{tx_id:012x}"),
            completion,
            offer,
            step,
            ratio: self.ratio,
        };
        let kind = match line.act {
            Act::Credit | Act::Again => Meaning::Credit,
            Act::Reversal => Meaning::Reversal,
        };
        let clicked_at_ms = completion.clicked_at_s * 1_000;
        let value = |field| genuine(&said, &self.network, field, (kind, 0), clicked_at_ms);
        let unsigned = source.template.unsigned(value);
        // What decides about a signature's time is when the call was first sent: a repeat is the same, byte for byte.
        let signed = source.signer.sign(&unsigned, clicked_at_ms + completion.took_ms);
        let signed = signed.map_err(LogError::Refused)?;
        let callers = &self.population().callers;
        let caller = usize::try_from(line.received_at_ms / 1_000).unwrap_or(0) % callers.len();
        let (user_id, tx_id) = (said.user_id, said.tx_id);
        let (remote_ip, source) = (callers[caller], source.name.clone());
        Ok(Logged { line, source, target: signed.target, remote_ip, tx_id, user_id })
    }
}

impl Iterator for Log {
    type Item = Result<Logged, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.schedule.next()?;
        Some(self.logged(line))
    }
}

/// Highest ratio of reward to payout.
const MAX_RATIO: Micros = Micros(1_000_000 * MICROS_PER_UNIT);

/// `number` as another one that tells no order; none twice.
fn scattered(number: u64, seed: u64, bits: u64) -> u64 {
    number.wrapping_mul(SCATTER).wrapping_add(seed.wrapping_mul(SCATTER)) & bits
}

/// A completion as networks can tell it.
struct Said<'a> {
    user_id: String,
    tx_id: String,
    completion: &'a Completion,
    offer: &'a Offer,
    step: &'a Step,
    ratio: Micros,
}

impl Told for Said<'_> {
    fn user_id(&self) -> String {
        self.user_id.clone()
    }

    fn tx_id(&self) -> String {
        self.tx_id.clone()
    }

    fn reward(&self) -> Micros {
        let micros = i128::from(self.step.payout.0) * i128::from(self.ratio.0) / i128::from(MICROS_PER_UNIT);
        Micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    fn payout(&self) -> Micros {
        self.step.payout
    }

    fn of_offer(&self, field: Field) -> String {
        match field {
            Field::OfferId => &self.offer.id,
            Field::OfferName => &self.offer.name,
            Field::EventId => &self.step.id,
            _ => &self.step.name,
        }
        .clone()
    }

    fn ip(&self) -> IpAddr {
        self.completion.place.address
    }

    fn country_code(&self) -> &'static str {
        self.completion.place.country
    }

    fn took_ms(&self) -> i64 {
        self.completion.took_ms
    }

    fn sub1(&self) -> String {
        format!("placement-{}", self.completion.sub + 1)
    }

    fn sub2(&self) -> String {
        let is_ios =
            self.completion.user.is_multiple_of(3) && self.completion.persona != Persona::ClickInjector;
        if is_ios { "ios" } else { "android" }.into()
    }
}
