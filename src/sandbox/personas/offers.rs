//! The offers: each has its own median time and its own payouts.

use domain::money::{MICROS_PER_UNIT, Micros};

use super::chance::{Chance, float, running_sums, zipf};
use super::population::{Class, Population};

/// First and second words of an offer's name. None is a word by which RewardGate guesses a class: events say that.
const FIRST: [&str; 16] = [
    "Merge", "Café", "Nord", "Lumen", "Pixel", "Royal", "Taxi", "Stream", "東京", "Mega", "Green", "Voice &",
    "Lucky", "Solar", "Tiny", "Żubr",
];
const SECOND: [&str; 16] = [
    "Manor",
    "Quest",
    "bank",
    "Shop",
    "Kingdoms",
    "Farm",
    "Go",
    "Box",
    "ランナー",
    "Casino",
    "Energy",
    "Opinion",
    "Solitaire",
    "Saga",
    "Heroes",
    "Market",
];

/// Cents in a dollar.
const CENTS: i64 = 100;
/// The class whose clicks injectors claim.
pub(super) const INSTALL: usize = 0;
/// The class that has several steps a click.
pub(super) const LEVEL: usize = 3;
/// The class that pays best.
pub(super) const PURCHASE: usize = 4;

/// One offer.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) id: String,
    pub(super) name: String,
    /// Position among [`Population::classes`].
    pub(super) class: usize,
    /// In their order; never empty.
    pub(super) steps: Vec<Step>,
}

/// An event of an offer.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) id: String,
    pub(super) name: String,
    /// Honest median, from the click or from the step before, in seconds.
    pub(super) median_s: f64,
    pub(super) payout: Micros,
}

/// Every offer, and how popular it is.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) offers: Vec<Offer>,
    /// Running sums of the classes' shares.
    classes: Vec<f64>,
    /// Of each class the first offer and running sums of popularity.
    ranks: Vec<(usize, Vec<f64>)>,
}

impl Catalogue {
    pub(super) fn of(population: &Population, chance: &mut Chance) -> Self {
        let (mut offers, mut ranks) = (Vec::new(), Vec::new());
        for (number, (name, class)) in population.classes().into_iter().enumerate() {
            let first = offers.len();
            for _ in 0..class.offers {
                offers.push(offer(offers.len(), (number, name, class), chance));
            }
            ranks.push((first, zipf(offers.len() - first, population.zipf)));
        }
        let classes = running_sums(population.classes().into_iter().map(|(_, class)| class.share));
        Self { offers, classes, ranks }
    }

    /// An offer of any class, by share and popularity.
    pub(super) fn any(&self, chance: &mut Chance) -> usize {
        let class = chance.weighted(&self.classes);
        self.of_class(class, chance)
    }

    /// An offer of this class, by popularity.
    pub(super) fn of_class(&self, class: usize, chance: &mut Chance) -> usize {
        let (first, sums) = &self.ranks[class];
        first + chance.weighted(sums)
    }
}

fn offer(number: usize, (class, kind, of): (usize, &str, &Class), chance: &mut Chance) -> Offer {
    let name = format!("{} {}", FIRST[chance.below(FIRST.len())], SECOND[chance.below(SECOND.len())]);
    let mut median_s = chance.log_normal(of.median_s, of.offer_sigma).max(2.0 * of.least_s);
    let [least, most] = of.payout_cents.map(f64::from);
    let steps = (1..=of.steps).map(|step| {
        // Later steps are longer, and pay more: the range of the class is that of its first and its last step.
        let part = f64::from(step) / f64::from(of.steps);
        let cents = chance.between([least, least + (most - least) * part]);
        let (id, name) = event(kind, number, step);
        let own =
            Step { id, name, median_s, payout: Micros(super::chance::int(cents) * MICROS_PER_UNIT / CENTS) };
        median_s *= of.step_growth;
        own
    });
    Offer { steps: steps.collect(), id: (1_000 + number * 7).to_string(), name, class }
}

/// Id and name of an event: words by which RewardGate guesses the class.
fn event(kind: &str, offer: usize, step: u32) -> (String, String) {
    match kind {
        "install" => ("install".into(), "Install and open".into()),
        "signup" => ("signup".into(), "Registration".into()),
        "survey" => (format!("s-{}", 3_000 + offer), format!("Survey no. {}", 3_000 + offer)),
        "level" => (format!("level-{}", step * 5), format!("Reach level {}", step * 5)),
        _ if float(offer) % 2.0 < 1.0 => ("purchase".into(), "First purchase".into()),
        _ => ("trial".into(), "Trial subscription".into()),
    }
}
