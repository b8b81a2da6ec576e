//! Takes the pictures of the README from the demo, in light and dark colours. Not a benchmark: it stands here because a
//! benchmark may start the executable and is not run with the tests. Without a folder it does nothing.
//!
//!     tests/run with cargo bench --bench pictures -- .github/pictures

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a tool of developers, which stops at the first unexpected result"
)]

#[expect(dead_code, reason = "the tests of pages use all of it")]
#[path = "../service/pages/browser.rs"]
mod browser;
#[expect(dead_code, reason = "the tests of the executable use all of it")]
#[path = "../service/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;

use chrono_tz::Tz;
use domain::report::day::BusinessDay;
use domain::time::TimestampMs;

use browser::{Browser, Look};
use support::database::Kind;
use support::gate::{Gate, announced};
use support::network::now_s;

fn main() {
    // Cargo adds `--bench`.
    match std::env::args().skip(1).find(|argument| !argument.starts_with("--")) {
        Some(folder) => take_pictures(Path::new(&folder)),
        None => {
            eprintln!("no pictures taken: name the folder to write them to, for example .github/pictures");
        }
    }
}

fn take_pictures(folder: &Path) {
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
    fs::create_dir_all(folder).expect("a folder");
    let now = TimestampMs(now_s() * 1_000);
    let reported = BusinessDay::of(now, Tz::UTC).expect("a day").minus(8);
    for dark in [false, true] {
        let browser = Browser::open(demo.address, Look { dark, ..Look::default() });
        browser.sign_in("mara", &password);
        let look = if dark { "dark" } else { "light" };
        let take = |name: &str| {
            let path = folder.join(format!("{name}-{look}.png"));
            fs::write(path, picture(&browser)).expect("room for a picture");
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
            fs::write(path, picture(&browser)).expect("room for a picture");
        };
        browser.go(&format!("/reports/{}", reported.date()));
        browser.says("ties out");
        take("report");
        browser.go("/reports/statements/1");
        browser.says("Open differences: ");
        take("statement");
    }
}

/// The visible part of the page, as PNG.
fn picture(browser: &Browser) -> Vec<u8> {
    browser.runtime.block_on(browser.client().screenshot()).expect("a picture")
}
