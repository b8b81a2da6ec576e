//! How postbacks were processed, and when none could be received.

use super::{Sheet, Value, text};
use crate::report::Report;

impl Report {
    pub(super) fn postback_dispositions(&self) -> Sheet {
        let columns = [
            "source",
            "acknowledged",
            "credits",
            "holds",
            "reversals",
            "reversals before credit",
            "credits after reversal",
            "approved again",
            "repeats",
            "conflicts",
            "quarantined",
            "information",
            "waiting",
            "unexplained",
            "refused",
        ];
        let mut sheet = Sheet::new("Postbacks", &columns);
        for figures in &self.postbacks {
            let counts = [
                figures.acknowledged,
                figures.credits,
                figures.holds,
                figures.reversals,
                figures.reversals_first,
                figures.reversed_before,
                figures.reapprovals,
                figures.repeats,
                figures.conflicts,
                figures.quarantined,
                figures.information,
                figures.waiting,
                figures.unexplained,
                figures.refused,
            ];
            sheet.row(std::iter::once(text(&figures.source)).chain(counts.map(Value::Count)));
        }
        sheet
    }

    pub(super) fn loss_windows(&self) -> Sheet {
        let mut sheet = Sheet::new("Loss windows", &["from", "to", "seconds", "longer than retries"]);
        for window in &self.losses {
            let beyond = if window.beyond_retries { "yes" } else { "no" };
            sheet.row([text(&window.from), text(&window.to), Value::Count(window.seconds), text(beyond)]);
        }
        sheet
    }
}
