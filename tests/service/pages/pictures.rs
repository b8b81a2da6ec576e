//! The pictures of the README, taken from the demo as it is:
//! `tests/run with cargo test --test service -- --ignored pictures`.

use std::fs;
use std::path::Path;

use super::browser::{Browser, Look};
use crate::finance::days_ago;
use crate::support::database::Kind;
use crate::support::gate::{Gate, announced};

#[test]
#[ignore = "writes into the source tree"]
fn pictures_of_the_demo() {
    let gate = Gate::new(Kind::Sqlite);
    let demo = announced(gate.start(&["demo", "--listen", "127.0.0.1:0"])).expect("the demo listens");
    let password_of = |name: &str| {
        let said = format!("sign in as {name}, password ");
        loop {
            let line = demo.process.line().expect("it says how to sign in");
            if let Some((_, password)) = line.split_once(&said) {
                break password.to_owned();
            }
        }
    };
    let (password, controllers) = (password_of("mara"), password_of("fay"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/pictures");
    fs::create_dir_all(&folder).expect("a folder");
    for dark in [false, true] {
        let browser = Browser::open(demo.address, Look { dark, ..Look::default() });
        browser.sign_in("mara", &password);
        let look = if dark { "dark" } else { "light" };
        let take = |name: &str| {
            let path = folder.join(format!("{name}-{look}.png"));
            fs::write(path, browser.picture()).expect("room for a picture");
        };
        browser.says("Payout and reversals");
        browser.until("the reports are made", |browser| {
            browser.go("/");
            browser.count("figure svg.chart") > 0
        });
        take("today");
        browser.go("/review");
        browser.click("[data-open]");
        browser.says("Release selected");
        browser.click("[data-open]");
        browser.says("Held: ");
        take("review");
        browser.click_link("Open full page");
        browser.says("Reward ");
        take("reward");
        browser.go("/review");
        let browser = Browser::open(demo.address, Look { dark, ..Look::default() });
        browser.sign_in("fay", &controllers);
        let take = |name: &str| {
            let path = folder.join(format!("{name}-{look}.png"));
            fs::write(path, browser.picture()).expect("room for a picture");
        };
        browser.go(&format!("/reports/{}", days_ago(8).date()));
        browser.says("ties out");
        take("report");
        browser.go("/reports/statements/1");
        browser.says("Open differences: ");
        take("statement");
    }
}
