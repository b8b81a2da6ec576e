//! What the pages say about faults in a network's data.

use super::Team;
use crate::support::database::Kind;
use crate::support::network::{Event, deliver, sign};

on_both_databases!(a_fault_of_data_is_on_the_first_page_once_it_is_frequent);

fn a_fault_of_data_is_on_the_first_page_once_it_is_frequent(on: Kind) {
    let team = Team::new(on);
    let unfilled = |tx: &str| {
        let target = Event::honest("u-1", tx, 10).unsigned(1);
        deliver(team.up.address, &sign(&format!("{target}&event_id={{event_id}}&sub1=%FF")));
    };
    let browser = team.signed_in("fin");
    for number in 0..19 {
        unfilled(&format!("T-{number}"));
    }
    deliver(team.up.address, &Event::honest("u-1", "T-fine", 10).credit());
    team.api.await_processing();
    browser.go("/");
    browser.says("To do");
    assert!(!browser.text().contains("Macro not filled in"), "nineteen are few");
    unfilled("T-19");
    team.api.await_processing();
    browser.go("/");
    browser.says("targo: \u{201c}Macro not filled in\u{201d} on 20 of 21 postbacks in 24 h");
    browser.says("\u{201c}Values cleaned\u{201d} on 20 of 21");
    // And beside each reward it stands what it was.
    let id = team.api.reward("T-0")["id"].clone();
    browser.go(&format!("/rewards/{id}"));
    browser.says("The network did not fill in `event_id`");
}
