//! Looks at what each act adds to the audit, without adding a line by looking.

use std::collections::BTreeSet;

use domain::audit::Action;

use crate::support::gate::{Gate, text};

/// Who, by what means, by which token or user of the system, and from where.
pub(super) type Signed<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

/// Where tests come from.
pub(super) const HERE: Option<&str> = Some("127.0.0.0/24");
/// Somebody who is not signed in, on a page.
pub(super) const STRANGER: Signed<'_> = ("nobody", "page", None, HERE);

/// Somebody on a page.
pub(super) fn on_a_page(name: &str) -> Signed<'_> {
    (name, "page", None, HERE)
}

/// The user who runs the tests.
pub(super) fn system_user() -> String {
    let output = std::process::Command::new("id").arg("-un").output().expect("id runs");
    text(&output.stdout).trim_end().to_owned()
}

/// A line of the audit.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) action: Action,
    pub(super) actor: String,
    via: Option<String>,
    via_name: Option<String>,
    network: Option<String>,
    address: Option<String>,
    pub(super) subject: String,
    pub(super) detail: String,
}

impl Line {
    fn is_of_a_worker(&self) -> bool {
        self.via.as_deref() == Some("gateway")
    }

    fn assert(&self, action: Action, (actor, via, via_name, network): Signed<'_>, subject: &str) {
        assert_eq!(
            (self.action, self.actor.as_str(), self.via.as_deref(), self.via_name.as_deref()),
            (action, actor, Some(via), via_name),
            "{self:?}"
        );
        let address = network.map(|_| "127.0.0.1");
        assert_eq!((self.network.as_deref(), self.address.as_deref()), (network, address), "{self:?}");
        assert_eq!(self.subject, subject, "{self:?}");
    }
}

/// What came since the last look, and which acts were seen so far.
pub(super) struct Book<'g> {
    gate: &'g Gate,
    last: i64,
    seen: BTreeSet<Action>,
}

impl<'g> Book<'g> {
    /// From now on.
    pub(super) fn open(gate: &'g Gate) -> Self {
        let last = gate.database.number("SELECT COALESCE(MAX(id), 0) FROM audit");
        Self { gate, last, seen: BTreeSet::new() }
    }

    /// Every line since the last look.
    fn turn(&mut self) -> Vec<Line> {
        let rows = self.gate.database.texts(&format!(
            "SELECT CAST(id AS TEXT), action, actor, via, via_name, from_network, address, subject, detail
             FROM audit LEFT JOIN audit_addresses ON audit_addresses.seq = audit.seq WHERE audit.id > {} ORDER BY audit.id",
            self.last
        ));
        let mut lines = Vec::new();
        for row in rows {
            let [id, action, actor, via, via_name, network, address, subject, detail] =
                <[_; 9]>::try_from(row).expect("nine columns");
            self.last = id.and_then(|id| id.parse().ok()).expect("an id");
            let action = action.expect("an action");
            let known = Action::ALL.iter().find(|known| known.name() == action);
            lines.push(Line {
                action: *known.unwrap_or_else(|| panic!("{action} is no known act")),
                actor: actor.expect("an actor"),
                via,
                via_name,
                network,
                address,
                subject: subject.expect("a subject"),
                detail: detail.expect("a detail"),
            });
        }
        lines
    }

    /// What people and services did since the last look, without what workers did meanwhile.
    pub(super) fn new_lines(&mut self) -> Vec<Line> {
        let lines: Vec<_> = self.turn().into_iter().filter(|line| !line.is_of_a_worker()).collect();
        self.seen.extend(lines.iter().map(|line| line.action));
        lines
    }

    /// What workers did since the last look.
    pub(super) fn lines_of_workers(&mut self) -> Vec<Line> {
        let lines: Vec<_> = self.turn().into_iter().filter(Line::is_of_a_worker).collect();
        self.seen.extend(lines.iter().map(|line| line.action));
        lines
    }

    /// Exactly one line came, of this action, so signed, and about this.
    pub(super) fn one(&mut self, action: Action, by: Signed<'_>, subject: &str) {
        self.these(by, &[(action, subject)]);
    }

    /// Exactly these lines came, all signed so.
    pub(super) fn these(&mut self, by: Signed<'_>, expected: &[(Action, &str)]) {
        let new = self.new_lines();
        assert_eq!(new.len(), expected.len(), "instead of {expected:?}: {new:?}");
        for (line, (action, subject)) in new.iter().zip(expected) {
            line.assert(*action, by, subject);
        }
    }

    /// No line came.
    pub(super) fn none(&mut self, what: &str) {
        let new = self.new_lines();
        assert!(new.is_empty(), "{what}: {new:?}");
    }

    /// The last decision of somebody that stands.
    pub(super) fn decision_of(&self, name: &str) -> i64 {
        self.gate.database.number(&format!("SELECT MAX(id) FROM decisions WHERE person = '{name}'"))
    }

    /// The last proposal of what a postback lacks.
    pub(super) fn proposal_of(&self, postback: i64) -> i64 {
        self.gate.database.number(&format!(
            "SELECT MAX(id) FROM quarantine_acts WHERE postback_id = {postback} AND act = 'proposed'"
        ))
    }

    /// Every act of `acts` was seen, and no other.
    pub(super) fn close(self, acts: &[Action]) {
        let acts: BTreeSet<_> = acts.iter().copied().collect();
        let differ: Vec<_> = self.seen.symmetric_difference(&acts).collect();
        assert!(differ.is_empty(), "listed and seen are not the same: {differ:?}");
    }
}
