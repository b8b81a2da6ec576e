//! Completing quarantined postbacks on the pages: missing fields are asked for, the result is shown first, nobody
//! confirms their own statement, and worthless ones leave the list.

use super::browser::{Browser, Look};
use super::{PASSWORD, Team};
use crate::finishing::quarantine;
use crate::support::database::Kind;

on_both_databases!(
    what_is_missing_is_stated_on_the_page_after_its_effect_was_shown,
    without_script_two_persons_agree_on_what_was_stated,
    what_is_set_aside_leaves_todays_list_and_can_be_taken_up,
);

/// Sends a form and waits for the page that follows it.
fn send(browser: &Browser, button: &str, then: &str) {
    browser.click(button);
    browser.says(then);
}

fn what_is_missing_is_stated_on_the_page_after_its_effect_was_shown(on: Kind) {
    let team = Team::new(on);
    let id = quarantine(&team.api, "T-1", "reward=500", "reward=1,234.50");
    let mara = team.signed_in("mara");
    mara.go("/");
    mara.says("in quarantine: not booked yet");
    mara.go("/postbacks?outcome=quarantined");
    mara.click_link("Enter values");
    mara.says("1,234.50");
    assert_eq!(mara.count("#stating input[name=user_id]"), 0, "the user can be read");
    mara.fill("#stating [name=reward]", "1,234.50");
    mara.fill("#stating [name=reason]", "<img src=x onerror=alert(1)>");
    send(&mara, "#stating button", "Nothing was changed: `reward` is not a decimal number");
    mara.fill("#stating [name=reward]", "1234.50");
    send(&mara, "#stating button", "Credits 1234.5 coins to u-1; the network pays 1.00 USD.");
    assert_eq!(team.api.balance("u-1"), "0", "nothing has moved");
    send(&mara, "#stating button[value=state]", "stated reward 1234.50");
    assert_eq!(team.status("T-1"), "credited");
    mara.go(&format!("/rewards/{}", team.id("T-1")));
    mara.says("mara stated reward 1234.50");
    mara.says("<img src=x onerror=alert(1)>");
    assert_eq!(mara.count("main img"), 0, "a reason is text");
    mara.go(&format!("/postbacks/{id}"));
    assert_eq!(mara.count("#stating"), 0, "once");
    team.gate.assert_proven();
}

fn without_script_two_persons_agree_on_what_was_stated(on: Kind) {
    let team = Team::with(on, |settings| settings.with_tail("[review]\nsecond_person_usd = \"1\"\n"));
    let id = quarantine(&team.api, "T-1", "status=1", "status=approved");
    let page = format!("/postbacks/{id}");
    let plain = |name: &str| {
        let browser = team.browser(Look { without_script: true, ..Look::default() });
        browser.sign_in(name, PASSWORD);
        browser
    };
    let (mara, joe) = (plain("mara"), plain("joe"));
    mara.go(&page);
    mara.click("#stating option[value=credit]");
    mara.fill("#stating [name=reason]", "a secret handshake");
    send(&mara, "#stating button", "A second person must agree");
    send(&mara, "#stating button[value=state]", "Proposal awaiting a second person");
    assert_eq!(mara.count("#agreeing"), 0, "nobody is their own second");
    joe.go("/");
    joe.says("1 quarantined postback with a proposal");
    joe.go(&page);
    joe.says("Credits 500 coins to u-1");
    send(&joe, "#agreeing button", "agreed to status credit");
    assert_eq!(team.status("T-1"), "credited");
    joe.go(&format!("/rewards/{}", team.id("T-1")));
    joe.says("mara, joe");
    // Mara's page is out of date: what she takes back there is gone.
    send(&mara, "#declining button", "Proposal awaiting a second person");
    mara.fill("#declining textarea", "no");
    send(&mara, "#declining button", "Nothing was changed");
    team.gate.assert_proven();
}

fn what_is_set_aside_leaves_todays_list_and_can_be_taken_up(on: Kind) {
    let team = Team::new(on);
    let id = quarantine(&team.api, "T-1", "reward=500", "reward=");
    let page = format!("/postbacks/{id}");
    let mara = team.signed_in("mara");
    mara.go(&page);
    mara.fill("#aside textarea", "a test call");
    send(&mara, "#aside button", "set it aside");
    mara.go("/");
    mara.says("To do");
    assert!(!mara.text().contains("in quarantine: not booked yet"), "{}", mara.text());
    mara.go("/postbacks?outcome=set_aside");
    mara.says("T-1");
    mara.go(&page);
    mara.fill("#taking textarea", "it was none");
    send(&mara, "#taking button", "returned it to quarantine");
    mara.go("/");
    mara.says("in quarantine: not booked yet");
    // From the list, several at once.
    let other = quarantine(&team.api, "T-2", "reward=500", "reward=");
    mara.go("/postbacks?outcome=quarantined");
    for id in [id, other] {
        mara.click(&format!("[type=checkbox][value='{id}']"));
    }
    mara.fill("#aside [name=reason]", "test calls");
    send(&mara, "#aside button", "No postbacks match these filters.");
    let fin = team.signed_in("fin");
    fin.go(&page);
    fin.says("Original request");
    assert_eq!(fin.count("main form"), 0, "finance reads");
}
