//! How much of everything the table measures.

use std::time::Duration;

use crate::sections::Section;

/// How thorough a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What the limits are about.
    Full,
    /// Five minutes: nothing of a million rewards, and each round once.
    Quick,
    /// Shows only that each section runs: its figures mean nothing.
    Smoke,
}

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// How often what is compared takes turns.
    pub(crate) rounds: usize,
    /// How long one round of acknowledgements lasts.
    pub(crate) round: Duration,
    /// How long the whole path is saturated, and how long a steady rate lasts.
    pub(crate) long: Duration,
    /// Postbacks of one user, offer and event.
    pub(crate) hot: u64,
    /// Postbacks while memory is read.
    pub(crate) memory: u64,
    /// Postbacks from one reading to the next.
    pub(crate) memory_step: u64,
    /// Rewards in the books that nights are reported on.
    pub(crate) books: u64,
    /// Held rewards in the review queue.
    pub(crate) holds: u64,
    /// How often each page of the queue is asked for.
    pub(crate) views: usize,
    /// Rewards that deciding is measured beside.
    pub(crate) growth: u64,
}

impl Extent {
    pub(crate) const ALL: [Self; 3] = [Self::Full, Self::Quick, Self::Smoke];

    /// Its word on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Quick => "quick",
            Self::Smoke => "smoke",
        }
    }

    /// The sections that it has if none are named.
    pub(crate) fn sections(self) -> Vec<Section> {
        let is_long = |section: &Section| matches!(section, Section::Night | Section::Growth);
        Section::ALL.into_iter().filter(|section| self != Self::Quick || !is_long(section)).collect()
    }

    pub(crate) fn sizes(self) -> Sizes {
        let full = Sizes {
            rounds: 3,
            round: Duration::from_secs(3),
            long: Duration::from_secs(10),
            hot: 30_000,
            memory: 300_000,
            memory_step: 50_000,
            books: 1_000_000,
            holds: 100_000,
            views: 40,
            growth: 1_000_000,
        };
        match self {
            Self::Full => full,
            Self::Quick => {
                Sizes { rounds: 1, books: 100_000, holds: 10_000, views: 20, growth: 100_000, ..full }
            }
            Self::Smoke => Sizes {
                rounds: 1,
                round: Duration::from_millis(300),
                long: Duration::from_millis(500),
                hot: 500,
                memory: 600,
                memory_step: 200,
                books: 2_000,
                holds: 1_000,
                views: 2,
                growth: 3_000,
            },
        }
    }
}
