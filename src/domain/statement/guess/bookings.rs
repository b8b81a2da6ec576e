//! What the bookings of the source tell about a file: which column holds the transaction, and in which zone its times are.

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;

use super::{Guess, quoted};
use crate::statement::line::NOTHING;
use crate::statement::{spoiled, times};
use crate::time::TimestampMs;

/// Zones in which networks write their files.
const ZONES: [Tz; 15] = [
    Tz::UTC,
    Tz::Europe__London,
    Tz::Europe__Berlin,
    Tz::Europe__Athens,
    Tz::Europe__Moscow,
    Tz::Asia__Jerusalem,
    Tz::Asia__Dubai,
    Tz::Asia__Kolkata,
    Tz::Asia__Shanghai,
    Tz::Asia__Tokyo,
    Tz::Australia__Sydney,
    Tz::America__New_York,
    Tz::America__Chicago,
    Tz::America__Denver,
    Tz::America__Los_Angeles,
];
/// A postback follows its conversion within this time.
const MAX_LAG_MS: i64 = 10 * 60 * 1_000;
/// Fewer booked lines tell no zone.
const MIN_LINES: usize = 3;
/// The share of the booked lines whose time has to fit, in percent.
const FITTING_PERCENT: usize = 80;

/// How much of a column that could hold the transaction is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookedColumn {
    /// Its place, from 0.
    pub place: usize,
    /// How many lines have an id in it.
    pub lines: usize,
    /// How many of these ids are those of a booking.
    pub booked: usize,
}

impl Guess {
    /// The ids in all columns that could hold the transaction.
    pub fn ids(&self) -> HashSet<String> {
        self.transactions.iter().flat_map(|place| self.ids_in(*place)).map(str::to_owned).collect()
    }

    fn ids_in(&self, place: usize) -> impl Iterator<Item = &str> {
        let cells = self.sample.rows.iter().filter_map(move |(_, cells)| cells.get(place));
        let ids = cells.map(|cell| spoiled::unwrapped(cell));
        ids.filter(|id| !id.is_empty() && !NOTHING.contains(id))
    }

    /// Weighs the proposal by the bookings of the source: the time of each that has one of [`Self::ids`].
    pub fn weigh(&mut self, bookings: &HashMap<String, TimestampMs>) -> Vec<BookedColumn> {
        let of = |place: &usize| BookedColumn {
            place: *place,
            lines: self.ids_in(*place).count(),
            booked: self.ids_in(*place).filter(|id| bookings.contains_key(*id)).count(),
        };
        let booked: Vec<_> = self.transactions.iter().map(of).collect();
        self.weigh_transactions(&booked);
        self.weigh_zones(bookings);
        booked
    }

    fn weigh_transactions(&mut self, booked: &[BookedColumn]) {
        let with_any: Vec<_> = booked.iter().filter(|column| column.booked > 0).copied().collect();
        let settled = self.place_of("tx_id");
        match (with_any.as_slice(), settled) {
            ([], Some(place)) => {
                let title = self.column_name(place);
                self.notes.push(format!(
                    "No id in {title} is booked, nor in any other column that could hold the transaction."
                ));
            }
            (&[BookedColumn { place, booked, .. }], None) => self.settle_transaction(place, booked),
            (all @ [_, ..], Some(place)) if all.iter().all(|column| column.place != place) => {
                self.doubt_transaction(place, all);
            }
            _ => {}
        }
    }

    fn settle_transaction(&mut self, place: usize, booked: usize) {
        let title = self.column_name(place);
        let Some(column) = self.columns.get_mut(place) else { return };
        column.field = Some("tx_id");
        self.format.columns.insert("tx_id".into(), column.setting.clone());
        self.doubts.retain(|doubt| doubt.key != "columns.tx_id");
        self.notes.push(format!(
            "The transaction is {title}: of all columns only it holds ids that are booked ({booked})."
        ));
    }

    /// The name spoke for the column at `place`, and the bookings speak for `others`.
    fn doubt_transaction(&mut self, place: usize, others: &[BookedColumn]) {
        if let Some(column) = self.columns.get_mut(place) {
            column.field = None;
        }
        self.format.columns.remove("tx_id");
        let titles: Vec<_> = others.iter().map(|column| self.column_name(column.place)).collect();
        let what = format!(
            "By its name {} holds the transaction, but no id in it is booked; in {} some are.",
            self.column_name(place),
            titles.join(" and ")
        );
        let places = others.iter().map(|column| column.place).chain([place]);
        let alternatives =
            places.filter_map(|place| Some(quoted(&self.columns.get(place)?.setting))).collect();
        self.doubt("columns.tx_id", what, alternatives, true);
    }

    /// Proposes the zones in which the times of booked lines are those of their bookings. It stays uncertain: other zones
    /// have the same clock.
    fn weigh_zones(&mut self, bookings: &HashMap<String, TimestampMs>) {
        let is_open = self.doubts.iter().any(|doubt| doubt.key == "zone");
        let has_format = !self.doubts.iter().any(|doubt| doubt.key == "time");
        let (Some(id), Some(time), true, true) =
            (self.place_of("tx_id"), self.place_of("time"), is_open, has_format)
        else {
            return;
        };
        let known = |(_, cells): &(i64, Vec<String>)| -> Option<(String, TimestampMs)> {
            Some((cells.get(time)?.clone(), *bookings.get(spoiled::unwrapped(cells.get(id)?))?))
        };
        let known: Vec<_> = self.sample.rows.iter().filter_map(known).collect();
        if known.len() < MIN_LINES {
            return;
        }
        let fits = |zone: &Tz| {
            let read = |text: &str| times::read(text, &self.format.time, *zone).ok();
            let close = known.iter().filter(|(text, booked)| {
                read(text).is_some_and(|at| at.0.abs_diff(booked.0) <= MAX_LAG_MS.unsigned_abs())
            });
            close.count() * 100 >= known.len() * FITTING_PERCENT
        };
        let zones: Vec<_> = ZONES.iter().filter(|zone| fits(zone)).map(|zone| zone.name()).collect();
        // Times that are exact whatever the zone fit all of them.
        if zones.is_empty() || zones.len() == ZONES.len() {
            return;
        }
        if let Some(doubt) = self.doubts.iter_mut().find(|doubt| doubt.key == "zone") {
            doubt.what = format!(
                "The times name no zone. The clock of {} fits the times of {} bookings: ask the network.",
                zones.join(" or "),
                known.len()
            );
            doubt.alternatives = zones.iter().map(|zone| quoted(zone)).collect();
        }
    }

    fn place_of(&self, field: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.field == Some(field))
    }
}
