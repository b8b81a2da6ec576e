//! Every act leaves exactly one line in the audit, with who, by what means and from where; one that fails leaves none.
//!
//! Nothing of it can be forgotten: each way of acting has a list of the acts that are seen of it, and together they are
//! every act that the audit knows; the calls of the API, the forms of the pages and the commands that act here are all
//! that there are.

mod acting;
mod book;
mod by_api;
mod by_command;
mod by_itself;
mod by_page;
mod kept;
mod refused;

use std::collections::BTreeSet;

use domain::audit::Action;

#[test]
fn every_act_of_the_audit_is_seen_by_a_test() {
    let seen: BTreeSet<_> = [by_api::ACTS, by_page::ACTS, by_command::ACTS, by_itself::ACTS, refused::ACTS]
        .into_iter()
        .flatten()
        .copied()
        .collect();
    let unseen: Vec<_> = Action::ALL.iter().filter(|action| !seen.contains(action)).collect();
    assert!(unseen.is_empty(), "no test performs {unseen:?}");
}
