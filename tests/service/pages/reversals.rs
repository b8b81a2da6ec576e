//! Reversals that need a person, each decided on its page.

use super::Team;
use super::browser::Look;
use crate::support::database::Kind;
use crate::support::network::{Event, deliver};

on_both_databases!(
    a_part_is_taken_back_with_a_reason_and_stands_among_what_was_decided,
    an_orphan_is_linked_to_the_credit_that_is_proposed,
    without_a_script_a_reversal_for_another_user_is_dismissed,
    whoever_may_not_review_sees_cases_and_no_button,
);

const PATH: &str = "/review/reversals";

/// A credit of 500 of which the network takes back 200.
fn with_a_part(on: Kind) -> Team {
    let team = Team::new(on);
    deliver(team.up.address, &Event::honest("u-1", "T-1", 500).credit());
    team.api.await_processing();
    deliver(team.up.address, &Event::honest("u-1", "T-1", 200).reversal());
    team.api.await_processing();
    team
}

fn a_part_is_taken_back_with_a_reason_and_stands_among_what_was_decided(on: Kind) {
    let team = with_a_part(on);
    let browser = team.signed_in("mara");
    browser.go("/");
    browser.says("Partial reversal: 1 to decide");
    browser.go(PATH);
    browser.says("The reversal covers 200 coins of 500 coins");
    // The browser itself asks for a reason.
    assert_eq!(browser.ask("return document.querySelector('textarea[name=note]').checkValidity()"), false);
    browser.fill("textarea[name=note]", "as their mail says");
    browser.click("button[value=part]");
    browser.says("mara reversed part of reward");
    browser.says("There are no reversals to decide.");
    assert_eq!(team.api.balance("u-1"), "300");
    browser.click_link("Show decided cases");
    browser.says("as their mail says");
    assert_eq!(browser.count("form[action^='/review/reversals/'] button"), 0, "it is decided once");
    let barriers = browser.barriers();
    assert!(barriers.is_empty(), "{barriers:?}");
    team.gate.assert_proven();
}

fn an_orphan_is_linked_to_the_credit_that_is_proposed(on: Kind) {
    let team = Team::new(on);
    deliver(team.up.address, &Event::honest("u-1", "T-0", 500).credit());
    deliver(team.up.address, &Event::honest("u-1", "T-0-R", 500).reversal());
    team.api.await_processing();
    team.gate.database.execute("UPDATE reversal_cases SET due_at = raised_at");
    let browser = team.signed_in("mara");
    browser.go(PATH);
    browser.says("same amount");
    browser.fill("textarea[name=note]", "their mail names it");
    browser.click("button[value=all]");
    browser.says("Nothing was changed");
    let kept = browser.ask("return document.querySelector('textarea[name=note]').value");
    assert_eq!(kept, "their mail names it", "no credit was chosen, and the reason is kept");
    browser.ask("document.querySelector('input[name=reward]').click(); return 0");
    browser.click("button[value=all]");
    browser.says("mara reversed reward");
    assert_eq!((&*team.status("T-0"), &*team.api.balance("u-1")), ("reversed", "0"));
    team.gate.assert_proven();
}

fn without_a_script_a_reversal_for_another_user_is_dismissed(on: Kind) {
    let team = Team::new(on);
    deliver(team.up.address, &Event::honest("u-1", "T-1", 500).credit());
    team.api.await_processing();
    deliver(team.up.address, &Event::honest("u-2", "T-1", 500).reversal());
    team.api.await_processing();
    let browser = team.browser(Look { without_script: true, ..Look::default() });
    browser.sign_in("mara", super::PASSWORD);
    browser.go(PATH);
    browser.says("The reversal names the user u-2, but the reward belongs to u-1.");
    browser.fill("textarea[name=note]", "they wrote the wrong one");
    browser.click("button[value=dismiss]");
    browser.says("mara dismissed the reversal");
    assert_eq!((&*team.status("T-1"), &*team.api.balance("u-1")), ("credited", "500"));
    team.gate.assert_proven();
}

fn whoever_may_not_review_sees_cases_and_no_button(on: Kind) {
    let team = with_a_part(on);
    let browser = team.signed_in("fin");
    browser.go(PATH);
    browser.says("The reversal covers 200 coins of 500 coins");
    assert_eq!(browser.count("form[action^='/review/reversals/']"), 0);
}
