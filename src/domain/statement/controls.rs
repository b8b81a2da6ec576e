//! Control figures of a file: balances, totals, a count. A file that does not add up is read all the same, and the
//! gap is reported; no line is ever changed to make it fit.

use super::signed;
use crate::postback::event::Kind;
use crate::report::amount::{Amount, Sum};

/// One figure that a file states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Control {
    /// The balance before its lines.
    Opening,
    /// The balance after its lines.
    Closing,
    /// The sum of all lines, reversals subtracted.
    Total,
    /// The sum of the credits.
    Credits,
    /// The sum of the reversals, with or without a minus sign.
    Reversals,
    /// The number of lines.
    Lines,
}

impl Control {
    const ALL: [(Self, &str); 6] = [
        (Self::Opening, "opening"),
        (Self::Closing, "closing"),
        (Self::Total, "total"),
        (Self::Credits, "credits"),
        (Self::Reversals, "reversals"),
        (Self::Lines, "lines"),
    ];

    /// The name in settings and tables.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(control, _)| *control == self).map_or("", |(_, name)| name)
    }

    /// The control of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(control, _)| *control)
    }

    pub(super) fn names() -> String {
        Self::ALL.map(|(_, name)| name).join(", ")
    }
}

/// Totals of the lines that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Credit lines, in USD.
    pub credits: Sum,
    /// Reversal lines, in USD.
    pub reversals: Sum,
    /// Lines that could not be read.
    pub faulty: i64,
}

/// A stated figure that differs from the file's own lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Name of the figure, for people.
    pub what: &'static str,
    /// The figure in the file.
    pub stated: String,
    /// The figure computed from its lines.
    pub found: String,
}

/// Every figure of `stated` that `read` does not come to. Amounts are micros.
pub fn gaps(stated: &[(Control, i64)], read: Read) -> Vec<Gap> {
    let of = |control: Control| stated.iter().find(|(it, _)| *it == control).map(|(_, figure)| *figure);
    let amount = |control: Control| of(control).map(Amount);
    let total = signed(Kind::Credit, read.credits.amount) + signed(Kind::Reversal, read.reversals.amount);
    let balance = amount(Control::Opening).zip(amount(Control::Closing));
    let lines = read.credits.count + read.reversals.count + read.faulty;
    // Some write what is taken back with a minus sign, and some without.
    let reversals = amount(Control::Reversals).map(|amount| Amount(amount.0.saturating_abs()));
    [
        ("closing less opening balance", balance.map(|(opening, closing)| closing - opening), total),
        ("total", amount(Control::Total), total),
        ("credits", amount(Control::Credits), read.credits.amount),
        ("reversals", reversals, read.reversals.amount),
    ]
    .into_iter()
    .filter_map(|(what, stated, found)| {
        let stated = stated.filter(|stated| *stated != found)?;
        Some(Gap { what, stated: stated.to_string(), found: found.to_string() })
    })
    .chain(of(Control::Lines).filter(|stated| *stated != lines).map(|stated| Gap {
        what: "number of lines",
        stated: stated.to_string(),
        found: lines.to_string(),
    }))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Read = Read {
        credits: Sum { count: 3, amount: Amount(10_000_000) },
        reversals: Sum { count: 1, amount: Amount(2_500_000) },
        faulty: 1,
    };

    #[test]
    fn a_file_that_adds_up_has_no_gap() {
        let stated = [
            (Control::Opening, 100_000_000),
            (Control::Closing, 107_500_000),
            (Control::Total, 7_500_000),
            (Control::Credits, 10_000_000),
            (Control::Reversals, -2_500_000),
            (Control::Lines, 5),
        ];
        assert_eq!(gaps(&stated, READ), []);
        assert_eq!(gaps(&[], READ), []);
        // One balance alone says nothing.
        assert_eq!(gaps(&[(Control::Opening, 1)], READ), []);
    }

    #[test]
    fn every_figure_that_is_not_so_is_named_with_both_sides() {
        let stated = [
            (Control::Opening, 0),
            (Control::Closing, 7_000_000),
            (Control::Total, 7_500_001),
            (Control::Credits, 10_000_000),
            (Control::Reversals, 2_400_000),
            (Control::Lines, 4),
        ];
        let found: Vec<_> =
            gaps(&stated, READ).into_iter().map(|gap| (gap.what, gap.stated, gap.found)).collect();
        let text = |text: &str| text.to_owned();
        assert_eq!(
            found,
            [
                ("closing less opening balance", text("7"), text("7.5")),
                ("total", text("7.500001"), text("7.5")),
                ("reversals", text("2.4"), text("2.5")),
                ("number of lines", text("4"), text("5")),
            ]
        );
    }
}
