//! What fraud does: waves of accounts, each of one scheme.

use super::chance::{Chance, int};
use super::offers::{Catalogue, INSTALL, LEVEL, PURCHASE};
use super::persona::Persona;
use super::places::Place;
use super::population::Scheme;
use super::world::{Deed, World};

/// Draws of a time until it is within the scheme's bounds, and of an offer until the account has not done it.
const ATTEMPTS: usize = 64;
/// Shared proxies of one wave.
const PROXIES: usize = 3;
/// Pause between two offers of one account, in seconds.
const PAUSE_S: [f64; 2] = [20.0, 600.0];
/// Purchases that a sold account makes before anything else.
const PURCHASES: u32 = 6;
/// Spread of twins around their common time, in milliseconds.
const TWIN_MS: [f64; 2] = [-1_000.0, 1_000.0];

/// The size of a wave.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) accounts: u32,
    /// Of each account.
    pub(super) offers: u32,
}

/// What the accounts of one wave share.
struct Gang {
    persona: Persona,
    scheme: Scheme,
    size: Size,
    began_s: i64,
    source: usize,
    /// One sub id, of schemes that work for one publisher's placement.
    sub: Option<usize>,
    /// The same offers, of schemes that all do the same.
    offers: Vec<usize>,
    proxies: Vec<Place>,
    /// The time of twins, in milliseconds.
    twin_ms: i64,
}

impl World {
    /// Plays one wave that begins on `day`; returns the number of completions.
    pub(super) fn wave(&mut self, persona: Persona, scheme: Scheme, size: Size, day: u32) -> u32 {
        if persona == Persona::AccountTrader {
            return (0..size.accounts).map(|_| self.trade(scheme, size.offers, day)).sum();
        }
        let gang = self.gang(persona, scheme, size, day);
        (0..size.accounts).map(|_| self.account(&gang)).sum()
    }

    fn gang(&mut self, persona: Persona, scheme: Scheme, size: Size, day: u32) -> Gang {
        let (places, chance) = (&self.places, &mut self.chance);
        let proxies = match persona {
            Persona::FarmIpv6 => places.ipv6_home(chance).into_iter().collect(),
            // One exit that all accounts of the wave use.
            Persona::Hosting => places.hosted(chance).into_iter().collect(),
            _ => (0..PROXIES).map(|_| places.home(0.0, chance)).collect(),
        };
        let (sub, source) = match persona {
            // One publisher's placement all the time: the rarest.
            Persona::ClickInjector => (Some(self.last_sub()), 0),
            Persona::DurationTwin => (Some(self.sub()), self.any_source()),
            _ => (None, self.any_source()),
        };
        let offers = match persona {
            Persona::FarmIpv4 | Persona::FarmIpv6 | Persona::DurationTwin => self.distinct(size.offers, None),
            // Always the same offers: those whose baseline is to be moved.
            Persona::SlowPoisoner => distinct(&self.catalogue, &mut Chance::of(0), size.offers, None),
            _ => Vec::new(),
        };
        let began_s = self.second_of(day);
        let mut gang = Gang { persona, scheme, size, began_s, source, sub, offers, proxies, twin_ms: 0 };
        if let Some(first) = gang.offers.first() {
            let median_s = self.catalogue.offers[*first].steps[0].median_s;
            gang.twin_ms = self.scheme_ms(&gang.scheme, median_s);
        }
        gang
    }

    /// One account of a wave.
    fn account(&mut self, gang: &Gang) -> u32 {
        let user = self.people.new_number();
        let home = self.gang_home(gang, user);
        let offers = match gang.persona {
            Persona::ClickInjector => self.distinct(gang.size.offers, Some(INSTALL)),
            Persona::LevelSpoofer => self.distinct(gang.size.offers, Some(LEVEL)),
            _ if gang.offers.is_empty() => self.distinct(gang.size.offers, None),
            _ => gang.offers.clone(),
        };
        let window_s = gang.scheme.hours * 3_600.0;
        let mut clicked_at_s = gang.began_s + int(self.chance.between([0.0, window_s]));
        let mut done = 0;
        for offer in offers {
            let place = home.device(&mut self.chance);
            let sub = gang.sub.unwrap_or_else(|| self.sub());
            let mut deed = Deed {
                persona: gang.persona,
                user,
                place,
                source: gang.source,
                sub,
                offer,
                step: 0,
                clicked_at_s,
                took_ms: 0,
                reversed: gang.scheme.reversed,
            };
            done += self.gang_offer(gang, &mut deed);
            clicked_at_s = match gang.persona {
                // Over weeks, as an honest user.
                Persona::ChargebackUser => gang.began_s + int(self.chance.between([0.0, window_s])),
                _ => clicked_at_s + deed.took_ms / 1_000 + int(self.chance.between(PAUSE_S)),
            };
        }
        done
    }

    /// The steps of one offer.
    fn gang_offer(&mut self, gang: &Gang, deed: &mut Deed) -> u32 {
        let all = self.catalogue.offers[deed.offer].steps.len();
        let steps = if gang.persona == Persona::LevelSpoofer { all } else { 1 };
        for step in 0..steps {
            let median_s = self.catalogue.offers[deed.offer].steps[step].median_s;
            deed.step = step;
            deed.took_ms += match gang.persona {
                Persona::DurationTwin => (gang.twin_ms + int(self.chance.between(TWIN_MS))).max(0),
                _ => self.scheme_ms(&gang.scheme, median_s),
            };
            self.complete(deed);
        }
        u32::try_from(steps).unwrap_or(u32::MAX)
    }

    /// A sold account: one day of other countries and of the best rewards.
    fn trade(&mut self, scheme: Scheme, offers: u32, day: u32) -> u32 {
        let Some(sold) = self.people.sold(day, &mut self.chance) else { return 0 };
        let user = self.people.person(sold).number;
        let source = self.source_of(user);
        let began_s = self.second_of(day);
        let mut done = 0;
        for _ in 0..offers {
            let (catalogue, chance) = (&self.catalogue, &mut self.chance);
            let Some(offer) = self.people.new_offer(sold, || match done {
                // There are few purchases; the rest is whatever pays.
                0..PURCHASES => catalogue.of_class(PURCHASE, chance),
                _ => catalogue.any(chance),
            }) else {
                break;
            };
            let place = self.places.home(self.population.users.ipv6, &mut self.chance);
            let place = place.device(&mut self.chance);
            let clicked_at_s = began_s + int(self.chance.between([0.0, scheme.hours * 3_600.0]));
            let took_ms = self.scheme_ms(&scheme, self.catalogue.offers[offer].steps[0].median_s);
            let (sub, reversed) = (self.sub(), scheme.reversed);
            let persona = Persona::AccountTrader;
            self.complete(&Deed {
                persona,
                user,
                place,
                source,
                sub,
                offer,
                step: 0,
                clicked_at_s,
                took_ms,
                reversed,
            });
            done += 1;
        }
        done
    }

    /// Where an account of a wave is.
    fn gang_home(&mut self, gang: &Gang, user: u32) -> Place {
        let is_proxied = self.chance.is(gang.scheme.proxied);
        let own = self.places.home(self.population.users.ipv6, &mut self.chance);
        match gang.persona {
            Persona::FarmIpv4 | Persona::FarmIpv6 | Persona::Hosting => {
                gang.proxies.first().copied().unwrap_or(own)
            }
            Persona::ClickInjector => self.places.mobile(own.country, user, &mut self.chance).unwrap_or(own),
            _ if is_proxied => gang.proxies[self.chance.below(gang.proxies.len())],
            _ => own,
        }
    }

    /// How long a scheme takes for a step with this honest median.
    fn scheme_ms(&mut self, scheme: &Scheme, median_s: f64) -> i64 {
        let (chance, [least_s, most_s]) = (&mut self.chance, scheme.seconds);
        let is_scaled = scheme.speed[1] > 0.0;
        let mut draws = (0..ATTEMPTS).map(|_| {
            let speed = chance.between(scheme.speed);
            chance.log_normal(median_s * speed, scheme.sigma)
        });
        let drawn = if is_scaled { draws.find(|s| (least_s..=most_s).contains(s)) } else { None };
        int(drawn.unwrap_or_else(|| self.chance.between(scheme.seconds)) * 1_000.0)
    }

    fn distinct(&mut self, number: u32, class: Option<usize>) -> Vec<usize> {
        distinct(&self.catalogue, &mut self.chance, number, class)
    }
}

/// So many different offers, of one class if it is named; fewer if there are not so many.
fn distinct(catalogue: &Catalogue, chance: &mut Chance, number: u32, class: Option<usize>) -> Vec<usize> {
    let mut found = Vec::new();
    for _ in 0..number {
        let mut draws = (0..ATTEMPTS).map(|_| match class {
            Some(class) => catalogue.of_class(class, chance),
            None => catalogue.any(chance),
        });
        found.extend(draws.find(|offer| !found.contains(offer)));
    }
    found
}
