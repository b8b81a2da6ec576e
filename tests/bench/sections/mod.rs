//! The sections of the table, one limit of the design or a few in each.

mod apart;
mod growth;
mod history;
mod hot;
mod memory;
mod naive;
mod night;
mod queue;
mod rates;
mod sources;

use crate::processes::Gateway;
use crate::sizes::Sizes;
use crate::table::{Limit, Table};

/// A part of the table that can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Acknowledgements beside others', what deciding them takes, what they weigh.
    Rates,
    /// One process that does it all.
    Whole,
    /// Web and worker apart.
    Apart,
    /// One user, offer and event again and again.
    Hot,
    /// Resident memory over time.
    Memory,
    /// The reports of nights.
    Night,
    /// The pages of a long review queue.
    Queue,
    /// A source for every network beside one source.
    Sources,
    /// Deciding beside many rewards.
    Growth,
    /// Deciding with and without rules about the past.
    History,
}

/// What a section measures on, and where its lines go.
pub(crate) struct Run<'r> {
    pub(crate) table: &'r mut Table,
    pub(crate) database: &'static str,
    /// A database of the Postgres server.
    pub(crate) postgres: &'r str,
    pub(crate) sizes: Sizes,
}

impl Section {
    pub(crate) const ALL: [Self; 10] = [
        Self::Rates,
        Self::Whole,
        Self::Apart,
        Self::Hot,
        Self::Memory,
        Self::Night,
        Self::Queue,
        Self::Sources,
        Self::Growth,
        Self::History,
    ];

    /// Its word on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rates => "rates",
            Self::Whole => "whole",
            Self::Apart => "apart",
            Self::Hot => "hot",
            Self::Memory => "memory",
            Self::Night => "night",
            Self::Queue => "queue",
            Self::Sources => "sources",
            Self::Growth => "growth",
            Self::History => "history",
        }
    }

    pub(crate) async fn measure(self, run: &mut Run<'_>) {
        match self {
            Self::Rates => rates::measure(run).await,
            Self::Whole => apart::whole(run).await,
            Self::Apart => apart::measure(run).await,
            Self::Hot => hot::measure(run).await,
            Self::Memory => memory::measure(run).await,
            Self::Night => night::measure(run).await,
            Self::Queue => queue::measure(run).await,
            Self::Sources => sources::measure(run).await,
            Self::Growth => growth::measure(run).await,
            Self::History => history::measure(run).await,
        }
    }
}

impl Run<'_> {
    /// A gateway on a fresh database.
    async fn gateway(&self) -> Gateway {
        Gateway::prepare(self.database, self.postgres).await
    }

    fn is_sqlite(&self) -> bool {
        self.database == "sqlite"
    }

    fn add(&mut self, what: &str, value: f64, unit: &'static str, limit: Option<Limit>) {
        self.table.add(self.database, what, value, unit, limit);
    }
}
