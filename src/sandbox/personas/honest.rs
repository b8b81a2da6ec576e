//! What honest users do: an offer at a time, sometimes several in one sitting.

use domain::time::SECOND_MS;

use super::chance::int;
use super::persona::Persona;
use super::world::{Deed, World};

/// Most offers in one sitting.
const MOST_IN_A_SITTING: u32 = 6;
/// Pause between two clicks of one sitting, in seconds.
const PAUSE_S: [f64; 2] = [60.0, 1_800.0];

impl World {
    /// One user's sitting on `day`; returns the number of completions.
    pub(super) fn sitting(&mut self, day: u32) -> u32 {
        let users = self.population.users;
        let mut user = self.people.active(day, &users, &self.places, &mut self.chance);
        let mut clicked_at_s = self.second_of(day);
        let mut done = 0;
        for _ in 0..MOST_IN_A_SITTING {
            let Some(offer) = self.new_offer(user) else {
                if done > 0 {
                    break;
                }
                // Has done everything: somebody new takes the turn.
                user = self.people.newcomer(day, &users, &self.places, &mut self.chance);
                continue;
            };
            done += self.honest_offer(user, offer, day, clicked_at_s);
            if !self.chance.is(users.again) {
                break;
            }
            clicked_at_s += int(self.chance.between(PAUSE_S));
        }
        done
    }

    fn new_offer(&mut self, user: usize) -> Option<usize> {
        let (catalogue, chance) = (&self.catalogue, &mut self.chance);
        self.people.new_offer(user, || catalogue.any(chance))
    }

    /// The steps of one offer that the user goes through; returns their number.
    fn honest_offer(&mut self, user: usize, offer: usize, day: u32, clicked_at_s: i64) -> u32 {
        let users = self.population.users;
        let person = self.people.person(user);
        let (number, own) = (person.number, person.persona);
        let place = person.place(day, &users, &self.places, &mut self.chance);
        let is_slow = self.chance.is(self.population.slow.share);
        let persona = if is_slow { Persona::SlowFinisher } else { own };
        let (source, sub) = (self.source_of(number), self.sub());
        let class = self.catalogue.offers[offer].class;
        let next_step = self.population.classes()[class].1.next_step;
        let (mut took_ms, mut steps) = (0, 0);
        for step in 0..self.catalogue.offers[offer].steps.len() {
            if step > 0 && !self.chance.is(next_step) {
                break;
            }
            let median_s = self.catalogue.offers[offer].steps[step].median_s;
            took_ms += self.honest_ms(class, median_s, is_slow && step == 0);
            // Later steps happen later, perhaps elsewhere.
            let then_s = clicked_at_s + took_ms / SECOND_MS;
            let place = if step == 0 { place } else { self.place_later(user, then_s) };
            let reversed = self.population.network.reversed;
            self.complete(&Deed {
                persona,
                user: number,
                place,
                source,
                sub,
                offer,
                step,
                clicked_at_s,
                took_ms,
                reversed,
            });
            steps += 1;
        }
        steps
    }

    fn place_later(&mut self, user: usize, then_s: i64) -> super::places::Place {
        let day = u32::try_from((then_s - self.day_s(0)) / 86_400).unwrap_or(0);
        let users = self.population.users;
        self.people.person(user).place(day, &users, &self.places, &mut self.chance)
    }
}
