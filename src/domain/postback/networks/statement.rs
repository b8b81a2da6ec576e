//! How a network writes its statements, as far as that is known: the keys of `[sources.statement]` that its definition
//! has. The settings of a source lie over them key by key.

use std::collections::BTreeMap;

use crate::postback::networks::definition::Confirmed;
use crate::statement::format::Format;
use crate::statement::number::AmountForm;

/// The keys that a definition has; `None`: it leaves the key to the settings. See [`Format`] for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementFormat {
    /// How well this is known.
    pub confirmed: Confirmed,
    /// The character between two fields.
    pub delimiter: Option<char>,
    /// Whether a line names the columns.
    pub header: Option<bool>,
    /// Whether amounts are written as `1.234,50`.
    pub decimal_comma: Option<bool>,
    /// How else amounts are written.
    pub amounts: Option<Vec<AmountForm>>,
    /// The format of times.
    pub time: Option<String>,
    /// The zone of times that name none.
    pub zone: Option<String>,
    /// Field to column.
    pub columns: BTreeMap<String, String>,
    /// Whether a line may be the sum of a day.
    pub daily_sums: Option<bool>,
    /// Control figure to its label.
    pub controls: BTreeMap<String, String>,
    /// Values of `status` that mean a credit.
    pub credits: Option<Vec<String>>,
    /// Values of `status` that mean a reversal.
    pub reversals: Option<Vec<String>>,
}

impl StatementFormat {
    /// Of a network of whose statements nothing is known.
    pub fn unknown(confirmed: Confirmed) -> Self {
        Self {
            confirmed,
            delimiter: None,
            header: None,
            decimal_comma: None,
            amounts: None,
            time: None,
            zone: None,
            columns: BTreeMap::new(),
            daily_sums: None,
            controls: BTreeMap::new(),
            credits: None,
            reversals: None,
        }
    }

    /// This over the defaults.
    pub fn format(&self) -> Format {
        let usual = Format::default();
        Format {
            delimiter: self.delimiter.unwrap_or(usual.delimiter),
            header: self.header.unwrap_or(usual.header),
            decimal_comma: self.decimal_comma.unwrap_or(usual.decimal_comma),
            amounts: self.amounts.clone().unwrap_or(usual.amounts),
            time: self.time.clone().unwrap_or(usual.time),
            zone: self.zone.clone().unwrap_or(usual.zone),
            currency: usual.currency,
            columns: self.columns.clone(),
            daily_sums: self.daily_sums.unwrap_or(usual.daily_sums),
            controls: self.controls.clone(),
            credits: self.credits.clone().unwrap_or(usual.credits),
            reversals: self.reversals.clone().unwrap_or(usual.reversals),
            key: usual.key,
        }
    }
}
