//! A reviewer's day: filter, open, decide by key, decide on many, undo; and two reviewers at once.

use super::browser::Look;
use super::{PASSWORD, Team};
use crate::support::database::Kind;

on_both_databases!(
    a_reviewer_signs_in_opens_and_releases_with_nothing_but_keys,
    a_filter_stands_in_the_address_and_finds_what_it_names,
    a_cluster_is_rejected_after_showing_its_size_and_can_be_undone,
    of_two_browsers_the_second_sees_who_has_it_open_and_then_what_happened,
    what_needs_two_waits_and_the_second_does_not_see_what_the_first_said,
    without_a_script_everything_is_links_and_forms,
    a_user_has_a_page_and_a_policy_says_how_often_its_rules_held,
);

/// The cluster of one user's rewards.
fn cluster_of(user: &str) -> String {
    format!("/review?group=user&c1={user}&c2=main")
}

fn a_reviewer_signs_in_opens_and_releases_with_nothing_but_keys(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2"]);
    let browser = team.browser(Look::default());
    browser.go("/review?group=user");
    browser.says("Sign in");
    let focused = "return document.activeElement.name";
    browser.until("the name has the focus", |browser| browser.ask(focused) == "name");
    browser.press("mara\u{E004}");
    browser.press(PASSWORD);
    browser.press("\u{E007}");
    browser.says("2 rewards");
    browser.press(" ");
    browser.says("Release selected");
    browser.press(" ");
    browser.says("Held: ");
    browser.press("a");
    browser.says("Released 1 reward");
    browser.until("the next one is open", |browser| browser.path().contains("open="));
    browser.press("r");
    browser.says("Rejected 1 reward");
    assert_eq!((team.status("T-1"), team.status("T-2")), ("credited".into(), "rejected".into()));
    browser.press("z");
    browser.says("Undone: 1 reward held again");
    assert_eq!(team.status("T-2"), "held");
    team.gate.assert_proven();
}

fn a_filter_stands_in_the_address_and_finds_what_it_names(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    team.hold("u-2", &["T-2"]);
    let browser = team.signed_in("mara");
    browser.go("/review?group=user");
    browser.until("both are there", |browser| browser.count("[data-item]") == 2);
    browser.press("/");
    browser.press_to_go("u-2\u{E007}");
    browser.until("one is left", |browser| browser.count("[data-item]") == 1);
    assert!(browser.path().contains("q=u-2"), "{}", browser.path());
    browser.says("User u-2");
    browser.go("/review?min=1000");
    browser.says("No holds match these filters.");
}

fn a_cluster_is_rejected_after_showing_its_size_and_can_be_undone(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2", "T-3"]);
    team.hold("u-2", &["T-4"]);
    let browser = team.signed_in("mara");
    browser.go(&cluster_of("u-1"));
    browser.click("[value=reject-all]");
    browser.says("Reject 3 rewards?");
    browser.says("1,500 coins");
    browser.says("$3.00");
    // Nothing has happened, and nothing does without a reason.
    assert_eq!(team.status("T-1"), "held");
    browser.fill("textarea", "one household, one phone");
    browser.click("button[value=reject-all-now]");
    browser.says("Rejected 3 rewards, $3.00");
    for tx in ["T-1", "T-2", "T-3"] {
        assert_eq!(team.status(tx), "rejected");
    }
    assert_eq!(team.status("T-4"), "held", "another user's reward");
    browser.click("[data-key=z]");
    browser.says("Undone: 3 rewards held again");
    assert_eq!(team.status("T-1"), "held");
    team.gate.assert_proven();
}

fn of_two_browsers_the_second_sees_who_has_it_open_and_then_what_happened(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    let page = format!("/rewards/{}", team.id("T-1"));
    let (mara, joe) = (team.signed_in("mara"), team.signed_in("joe"));
    mara.go(&page);
    joe.go(&page);
    joe.says("Claimed by mara for another");
    joe.press("a");
    joe.says(&format!("1 reward not decided: reward {} is claimed by mara", team.id("T-1")));
    assert_eq!(team.status("T-1"), "held");
    mara.press("r");
    mara.says("Rejected 1 reward");
    // Joe's page is out of date: it shows what happened, and nothing is overturned.
    joe.press("a");
    joe.says("was rejected by mara");
    assert_eq!(team.status("T-1"), "rejected");
    team.gate.assert_proven();
}

fn what_needs_two_waits_and_the_second_does_not_see_what_the_first_said(on: Kind) {
    let team = Team::with(on, |settings| settings.with_tail("[review]\nsecond_person_hard = true\n"));
    team.hold("u-1", &["T-1"]);
    let page = format!("/rewards/{}", team.id("T-1"));
    let mara = team.signed_in("mara");
    mara.go(&page);
    mara.fill("textarea", "a secret reason");
    mara.click("[data-key=a]");
    mara.says("Your opinion on 1 reward is saved: a second person must agree");
    assert_eq!(team.status("T-1"), "held");
    let joe = team.signed_in("joe");
    joe.go(&page);
    joe.says("mara has given an opinion");
    assert!(!joe.text().contains("secret reason") && !joe.text().contains("released"), "{}", joe.text());
    joe.go("/audit");
    joe.says("opinion given");
    assert!(!joe.text().contains("secret reason"));
    joe.go(&page);
    joe.press("a");
    joe.says("Released 1 reward");
    assert_eq!(team.status("T-1"), "credited");
    joe.says("mara, joe");
}

fn without_a_script_everything_is_links_and_forms(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2"]);
    let browser = team.browser(Look { without_script: true, ..Look::default() });
    browser.sign_in("mara", PASSWORD);
    browser.go("/review?group=user");
    browser.click_link("User u-1");
    browser.says("Release selected");
    browser.click("[data-open]");
    browser.says("Held: ");
    browser.click("button[value=release]");
    browser.says("Released 1 reward");
    browser.click("[data-key=z]");
    browser.says("Undone: 1 reward held again");
    browser.go(&cluster_of("u-1"));
    assert_eq!(browser.count("input[name=id][type=checkbox]"), 2);
    browser.click("li:nth-child(1) input[type=checkbox]");
    browser.click("li:nth-child(2) input[type=checkbox]");
    browser.click("button[value=reject-selected]");
    browser.says("Reject 2 rewards?");
    browser.fill("textarea", "why not");
    browser.click("button[value=reject-selected-now]");
    browser.says("Rejected 2 rewards");
    assert_eq!((team.status("T-1"), team.status("T-2")), ("rejected".into(), "rejected".into()));
    browser.go("/");
    browser.click("form[action='/logout'] button");
    browser.says("Sign in");
    browser.go("/review");
    browser.says("Sign in");
    team.gate.assert_proven();
}

fn a_user_has_a_page_and_a_policy_says_how_often_its_rules_held(on: Kind) {
    let team = Team::new(on);
    team.hold("u%2F1%20%3F", &["T-1"]);
    let browser = team.signed_in("mara");
    browser.go(&format!("/rewards/{}", team.id("T-1")));
    browser.click_link("u/1 ?");
    browser.says("app main");
    browser.go("/users/u%2F1%20%3F");
    browser.says("app main");
    browser.says("1 reward · payout $1.00");
    browser.go("/policy");
    browser.says("Impossibly fast");
    let holds = browser.ask("return document.querySelector('a[href=\"/review?rule=T1\"]').textContent");
    assert_eq!(holds, "1");
}
