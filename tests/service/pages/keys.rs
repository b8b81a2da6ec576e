//! The queue by key: keys wait for the page, the cursor is the focus, every decision has its undo, and nothing that is
//! decided leaves a dead page.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::Team;
use super::browser::Browser;
use crate::support::database::Kind;
use crate::support::network::{Event, deliver};

on_both_databases!(
    two_hundred_holds_are_decided_by_keys_as_fast_as_they_are_taken,
    keys_wait_while_a_decision_is_under_way_and_its_undo_stays,
    a_skip_goes_to_the_next_reward_and_leaves_this_one_held,
    the_cursor_is_the_focus_whatever_moves_it,
    what_is_selected_stays_selected_while_the_cursor_moves,
    after_the_last_reward_of_a_cluster_the_next_cluster_opens,
    up_leads_to_the_cluster_one_came_from,
    a_note_that_is_not_sent_yet_is_there_when_one_comes_back,
    a_decided_reward_is_headed_by_who_when_and_why,
    rejecting_many_says_who_will_not_receive_what,
);

/// Where the cursor is: how many rows have it, and whether the focus is in that row.
const CURSOR: &str = "const rows = document.querySelectorAll('[data-item][aria-current]');
    return [rows.length, rows.length === 1 && rows[0].contains(document.activeElement)]";
/// Which row has the cursor.
const ROW: &str = "return Array.from(document.querySelectorAll('[data-item]')).findIndex(row => row.hasAttribute('aria-current'))";

fn assert_one_cursor(browser: &Browser) {
    let cursor = browser.ask(CURSOR);
    assert_eq!(cursor, json!([1, true]), "one cursor, which is the focus, at {}", browser.path());
}

/// Sends all of it before anything is looked at.
fn hold_many(team: &Team, users: usize, each: usize) -> Vec<String> {
    let name = |user: usize, number: usize| format!("T-{user}-{number}");
    let all: Vec<_> = (0..users).flat_map(|user| (0..each).map(move |number| (user, number))).collect();
    for (user, number) in &all {
        deliver(team.up.address, &Event::too_fast(&format!("u-{user}"), &name(*user, *number), 500).credit());
    }
    team.api.await_processing();
    all.into_iter().map(|(user, number)| name(user, number)).collect()
}

fn two_hundred_holds_are_decided_by_keys_as_fast_as_they_are_taken(on: Kind) {
    let team = Team::new(on);
    let transactions = hold_many(&team, 8, 25);
    let browser = team.signed_in("mara");
    browser.go("/review?group=user");
    let mut rng = StdRng::seed_from_u64(7);
    let mut keys_sent = 0;
    loop {
        let keys: String = (0..12).map(|_| b"aaarrrsjxz"[rng.random_range(0..10)] as char).collect();
        browser.strike(&keys);
        keys_sent += keys.len();
        assert!(browser.path().starts_with("/review"), "a dead page after {keys}: {}", browser.path());
        if browser.count("[data-item]") == 0 {
            break;
        }
        assert_one_cursor(&browser);
        assert!(keys_sent < 5_000, "it never ends:\n{}", browser.text());
    }
    browser.says("Nothing is held.");
    let decided_and_undone = |tx: &str| {
        let reward = team.api.reward(tx);
        assert!(["credited", "rejected"].contains(&reward["status"].as_str().expect("a status")), "{reward}");
        let steps = reward["steps"].as_array().expect("steps").clone();
        let count = |names: &[&str]| {
            steps.iter().filter(|step| names.iter().any(|name| step["step"] == *name)).count()
        };
        (count(&["release", "reject"]), count(&["undo_release", "undo_reject"]))
    };
    let (mut decided, mut undone) = (0, 0);
    for tx in &transactions {
        let (decisions, undos) = decided_and_undone(tx);
        assert_eq!(decisions, undos + 1, "each decision of {tx} stands or was undone");
        decided += decisions;
        undone += undos;
    }
    assert_eq!((decided - undone, transactions.len()), (200, 200));
    assert!(undone > 0, "z undid something");
    // The last decision can still be undone here.
    browser.press("z");
    browser.says("Undone: 1 reward held again");
    team.gate.assert_proven();
}

fn keys_wait_while_a_decision_is_under_way_and_its_undo_stays(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2", "T-3", "T-4"]);
    let browser = team.signed_in("mara");
    browser.go("/review?group=user&c1=u-1&c2=main");
    browser.press("aj");
    browser.says("Released 1 reward");
    browser.until("the cursor has moved on", |browser| browser.ask(ROW) == 1);
    assert_eq!(browser.count("[data-key=z]"), 1, "moving on does not lose the undo");
    assert_one_cursor(&browser);
    browser.press("rr");
    browser.says("Rejected 1 reward");
    let held =
        |team: &Team| ["T-1", "T-2", "T-3", "T-4"].iter().filter(|tx| team.status(tx) == "held").count();
    browser.until("three are decided", |_| held(&team) == 1);
    assert!(!browser.text().contains("not decided"), "{}", browser.text());
    // The newest first, one after the other.
    for left in [2, 3, 4] {
        browser.press("z");
        browser.until("one more is held again", |_| held(&team) == left);
    }
    browser.until("nothing is left to undo", |browser| browser.count("[data-key=z]") == 0);
    team.gate.assert_proven();
}

fn a_skip_goes_to_the_next_reward_and_leaves_this_one_held(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2"]);
    let browser = team.signed_in("mara");
    browser.go("/review?group=user&c1=u-1&c2=main");
    let opened = |browser: &Browser| browser.ask("return document.querySelector('#decide [name=id]').value");
    let first = opened(&browser);
    browser.press("s");
    browser.until("the next one is open", |browser| opened(browser) != first);
    assert!(browser.path().starts_with("/review?"), "{}", browser.path());
    assert_one_cursor(&browser);
    assert_eq!((team.status("T-1"), team.status("T-2")), ("held".into(), "held".into()));
    // A released claim lets somebody else decide.
    let joe = team.signed_in("joe");
    joe.go(&format!("/rewards/{}", team.id("T-1")));
    assert!(!joe.text().contains("Claimed by mara"), "{}", joe.text());
}

fn the_cursor_is_the_focus_whatever_moves_it(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2", "T-3"]);
    team.hold("u-2", &["T-4"]);
    let browser = team.signed_in("mara");
    browser.go("/review?group=user");
    // The first cluster is open at once, and so is its first reward.
    assert_one_cursor(&browser);
    browser.says("Held: ");
    browser.press("j");
    browser.until("the second cluster is open", |browser| browser.ask(ROW) == 1);
    assert_one_cursor(&browser);
    browser.press("k");
    browser.press(" ");
    browser.until("its rewards are listed", |browser| browser.count("[data-item]") == 3);
    assert_one_cursor(&browser);
    // Tab goes from the link of a row to the box of the next, and opens it.
    browser.press("\u{E004}");
    browser.until("the second row is open", |browser| browser.ask(ROW) == 1);
    assert_one_cursor(&browser);
    browser.click("[data-item]:nth-child(3) input[type=checkbox]");
    browser.until("the third row is open", |browser| browser.ask(ROW) == 2);
    assert_one_cursor(&browser);
    assert_eq!(browser.count("input[name=id]:checked"), 1);
    browser.click("[data-item]:nth-child(1) a[data-open]");
    browser.until("the first row is open", |browser| browser.ask(ROW) == 0);
    assert_one_cursor(&browser);
    // What the cursor is on is what a key decides.
    let row = "return document.querySelector('[data-item][aria-current] [name=id]').value";
    let id: Value = browser.ask(row);
    assert_eq!(browser.ask("return document.querySelector('#decide [name=id]').value"), id);
}

fn what_is_selected_stays_selected_while_the_cursor_moves(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2", "T-3", "T-4"]);
    let browser = team.signed_in("mara");
    browser.go("/review?group=user&c1=u-1&c2=main");
    browser.press("xjxjx");
    browser.says("3 selected · $3.00");
    // A decision on another one leaves them selected, too.
    browser.press("ja");
    browser.says("Released 1 reward");
    browser.says("3 selected · $3.00");
    assert_eq!(browser.count("[data-item] input:checked"), 3);
}

fn after_the_last_reward_of_a_cluster_the_next_cluster_opens(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    team.hold("u-2", &["T-2", "T-3"]);
    let browser = team.signed_in("mara");
    browser.go("/review?group=user&c1=u-1&c2=main");
    browser.press("a");
    browser.says("Review / User u-2");
    assert_one_cursor(&browser);
    browser.says("Held: ");
    assert_eq!(browser.count("[data-key=z]"), 1);
    // The undo leads back to where the reward is.
    browser.press("z");
    browser.says("Review / User u-1");
    assert_eq!(team.status("T-1"), "held");
    browser.press("a");
    browser.says("Review / User u-2");
    // A whole cluster at once leads on as well.
    browser.click("button[value=reject-all]");
    browser.says("Reject 2 rewards?");
    browser.fill("textarea", "one phone");
    browser.click("button[value=reject-all-now]");
    browser.says("Nothing is held.");
    browser.says("Rejected 2 rewards");
    team.gate.assert_proven();
}

fn up_leads_to_the_cluster_one_came_from(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    team.hold("u-2", &["T-2"]);
    let browser = team.signed_in("mara");
    browser.go("/review?group=user&c1=u-2&c2=main");
    browser.press("u");
    browser.until("all clusters are listed", |browser| browser.count("[data-item]") == 2);
    assert_eq!(browser.text_of("[data-item][aria-current] .title"), "User u-2");
    assert_one_cursor(&browser);
}

fn a_note_that_is_not_sent_yet_is_there_when_one_comes_back(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2"]);
    let browser = team.signed_in("mara");
    browser.go("/review?group=user&c1=u-1&c2=main");
    let note = "return document.querySelector('#decide [name=note]').value";
    browser.fill("#decide [name=note]", "asked the network");
    browser.press("\u{E00C}j");
    browser.until("the second is open", |browser| browser.ask(ROW) == 1);
    assert_eq!(browser.ask(note), "");
    browser.press("k");
    browser.until("the note is there", |browser| browser.ask(note) == "asked the network");
}

fn a_decided_reward_is_headed_by_who_when_and_why(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    let mara = team.signed_in("mara");
    mara.go(&format!("/rewards/{}", team.id("T-1")));
    assert!(mara.text_of(".decided").starts_with("◐ Held"), "{}", mara.text_of(".decided"));
    mara.fill("textarea", "one household");
    mara.click("[data-key=r]");
    let head = mara.text_of(".decided");
    assert!(head.starts_with("✕ Rejected") && head.ends_with("by mara: “one household”"), "{head}");
    let exact = mara.ask("return document.querySelector('.decided time').dataset.exact");
    assert!(exact.as_str().is_some_and(|exact| exact.ends_with(" UTC")), "{exact}");
    mara.says("Held: ");
}

fn rejecting_many_says_who_will_not_receive_what(on: Kind) {
    let team = Team::new(on);
    for user in 0..3 {
        let event = |tx: &str| Event::too_fast(&format!("u-{user}"), &format!("{tx}-{user}"), 500);
        deliver(team.up.address, &event("T").credit());
    }
    team.api.await_processing();
    let browser = team.signed_in("mara");
    browser.go("/review?group=address&c1=81.2.69.160&c2=");
    let shape = |browser: &Browser| {
        browser.ask("return getComputedStyle(document.querySelector('.actions button')).borderStyle")
    };
    browser.click("button[value=reject-all]");
    browser.says("3 users will not receive 1,500 coins.");
    let rejecting = shape(&browser);
    browser.click_link("Cancel");
    browser.click("button[value=release-all]");
    browser.says("3 users receive 1,500 coins.");
    assert_ne!(shape(&browser), rejecting, "not by its colour alone");
}
