//! Pages that everybody can use: found by axe-core, in the dark, on a telephone.

use super::browser::Look;
use super::{PASSWORD, Team};
use crate::finance::days_ago;
use crate::support::database::Kind;
use crate::support::network::{Event, deliver, sign};

on_both_databases!(
    no_page_keeps_anybody_out,
    in_the_dark_pages_are_dark_and_not_empty,
    on_a_telephone_no_page_is_wider_than_it,
);

fn pages(team: &Team) -> Vec<String> {
    let id = team.id("T-1");
    let today = days_ago(0).date().to_string();
    assert_eq!(team.gate.run(&["report", &today]).status.code(), Some(0));
    let file = "tx_id,status,user_id,amount,time\n".to_owned()
        + &format!("T-1,approved,u-1,2,{today}T00:00:00Z\nX,approved,u,1,{today}T00:00:00Z\nY\n");
    let statement = team.api.import("theirs.csv", &file);
    let preview = team.api.post("statements?source=targo&preview=true", "tx_id,amount\nT,1\nT2,much\n");
    assert_eq!(preview.status, 200, "{}", preview.body);
    let mut pages: Vec<String> = [
        "/",
        "/review",
        "/review?group=user",
        "/review?group=user&c1=u-1&c2=main",
        "/review?min=9999",
        "/rewards",
        "/users/main/u-1",
        "/postbacks",
        "/postbacks/1",
        "/postbacks?outcome=quarantined",
        "/sources",
        "/deliveries",
        "/lists",
        "/lists?state=all&kind=address",
        "/policy",
        "/audit",
        "/help",
        "/help?q=limits",
        "/help/operate",
        "/help/settings",
        "/help/api",
        "/people",
        "/password",
        "/rewards/999",
        "/reports",
        "/reports/2001-01-01",
    ]
    .map(str::to_owned)
    .into();
    pages.push(format!("/reports/{today}"));
    pages.push(format!("/reports/statements/{statement}"));
    pages.push(format!("/reports/statements/{}", statement + 1));
    deliver(
        team.up.address,
        &sign(&Event::honest("u-1", "T-Q", 10).unsigned(1).replace("reward=10", "reward=ten")),
    );
    team.api.await_processing();
    let quarantined = team.api.get("postbacks?outcome=quarantined")["items"][0]["id"].clone();
    pages.push(format!("/postbacks/{quarantined}"));
    pages.push(format!("/rewards/{id}"));
    pages.push(format!("/review?group=user&c1=u-1&c2=main&open={id}"));
    pages
}

fn no_page_keeps_anybody_out(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2"]);
    let pages = pages(&team);
    for dark in [false, true] {
        let browser = team.browser(Look { dark, ..Look::default() });
        browser.go("/login");
        assert_eq!(browser.barriers(), Vec::<String>::new(), "/login, dark: {dark}");
        browser.sign_in("root", PASSWORD);
        for page in &pages {
            browser.go(page);
            assert_eq!(browser.barriers(), Vec::<String>::new(), "{page}, dark: {dark}");
        }
    }
}

fn in_the_dark_pages_are_dark_and_not_empty(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    for dark in [false, true] {
        let browser = team.browser(Look { dark, ..Look::default() });
        browser.sign_in("mara", PASSWORD);
        browser.go(&format!("/rewards/{}", team.id("T-1")));
        let light = browser.ask(
            "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + Number(b), 0)",
        );
        assert_eq!(light.as_i64().expect("a sum") < 200, dark);
        browser.says("Held: ");
        browser.go("/");
        assert!(browser.count("svg.chart rect") > 0, "the hours of the day are drawn");
    }
}

fn on_a_telephone_no_page_is_wider_than_it(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2"]);
    let browser = team.browser(Look { narrow: true, ..Look::default() });
    browser.sign_in("root", PASSWORD);
    assert_eq!(browser.ask("return document.documentElement.clientWidth"), 360);
    for page in pages(&team) {
        browser.go(&page);
        let over =
            browser.ask("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(over, 0, "{page}");
    }
}
